package bwfake_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

// searchWorld starts a simulator and returns it with a client of its account.
func searchWorld(t *testing.T, o bwfake.Options) (*bwfake.Running, *bwclient.Client) {
	t.Helper()
	o.Username, o.Password = "u", "p-secret"
	sim, err := bwfake.Start(o, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	c, err := bwclient.New(bwclient.Config{AccountID: "20902288", BaseURL: sim.URL, Auth: bwclient.Basic("u", "p-secret")})
	if err != nil {
		t.Fatal(err)
	}
	return sim, c
}

// searchRaw asks the simulator with parameters of one's own, and returns the numbers or the error's code.
func searchRaw(t *testing.T, sim *bwfake.Running, query string) (numbers []string, code string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sim.URL+"/accounts/20902288/availableNumbers?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("u", "p-secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	if _, rest, ok := strings.Cut(text, "<Code>"); ok {
		code, _, _ = strings.Cut(rest, "</Code>")
	}
	if (resp.StatusCode == http.StatusBadRequest) != (code != "") {
		t.Errorf("%s: status %d with code %q", query, resp.StatusCode, code)
	}
	for _, part := range strings.Split(text, "<TelephoneNumber>")[1:] {
		number, _, _ := strings.Cut(part, "<")
		numbers = append(numbers, number)
	}
	return numbers, code
}

func found(t *testing.T, c *bwclient.Client, q bwclient.Query) []string {
	t.Helper()
	list, err := c.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	var out []string
	for _, f := range list {
		out = append(out, f.Number)
	}
	return out
}

// TestGeneratedInventory: every kind of search finds numbers that fit it, the same ones each time, and none that is
// sold.
func TestGeneratedInventory(t *testing.T) {
	sim, c := searchWorld(t, bwfake.Options{})
	for _, q := range []struct {
		q    bwclient.Query
		fits func(bwclient.Found) bool
	}{
		{bwclient.Query{AreaCode: "919"}, func(f bwclient.Found) bool { return f.Number[2:5] == "919" && f.State == "NC" }},
		{bwclient.Query{AreaCode: "540"}, func(f bwclient.Found) bool { return f.Number[2:5] == "540" && f.State == "KS" }},
		{bwclient.Query{NPANXX: "919555"}, func(f bwclient.Found) bool { return f.Number[2:8] == "919555" }},
		{bwclient.Query{NPANXXX: "9195557"}, func(f bwclient.Found) bool { return f.Number[2:9] == "9195557" }},
		{bwclient.Query{RateCenter: "DURHAM", State: "NC"}, func(f bwclient.Found) bool { return f.RateCenter == "DURHAM" }},
		{bwclient.Query{City: "raleigh", State: "nc"}, func(f bwclient.Found) bool { return f.City == "RALEIGH" }},
		{bwclient.Query{State: "NJ"}, func(f bwclient.Found) bool { return f.State == "NJ" }},
		{bwclient.Query{Zip: "275111234"}, func(f bwclient.Found) bool { return f.City == "CARY" }},
		{bwclient.Query{LATA: "224"}, func(f bwclient.Found) bool { return f.LATA == "224" }},
		{bwclient.Query{AreaCode: "919", RateCenter: "CARY", State: "NC"}, func(f bwclient.Found) bool { return f.Number[2:5] == "919" && f.RateCenter == "CARY" }},
		{bwclient.Query{LocalVanity: "cars", EndsIn: true, AreaCode: "919"}, func(f bwclient.Found) bool { return strings.HasSuffix(f.Number, "2277") }},
		{bwclient.Query{LocalVanity: "2345", State: "NC"}, func(f bwclient.Found) bool { return strings.Contains(f.Number[5:], "2345") }},
		{bwclient.Query{TollFreeWildcard: "8**"}, func(f bwclient.Found) bool { return f.Number[2] == '8' && f.Number[3] == f.Number[4] }},
		{bwclient.Query{TollFreeWildcard: "85*"}, func(f bwclient.Found) bool { return f.Number[2:5] == "855" }},
		{bwclient.Query{TollFreeWildcard: "833"}, func(f bwclient.Found) bool { return f.Number[2:5] == "833" }},
		{bwclient.Query{TollFreeVanity: "flowers"}, func(f bwclient.Found) bool { return strings.HasSuffix(f.Number, "3569377") }},
	} {
		q.q.Quantity, q.q.Detail = 5, true
		list, err := c.Search(t.Context(), q.q)
		if err != nil || len(list) == 0 || len(list) > 5 {
			t.Errorf("%+v: %d numbers, %v", q.q, len(list), err)
			continue
		}
		for _, f := range list {
			if !q.fits(f) {
				t.Errorf("%+v: found %+v", q.q, f)
			}
		}
		first := found(t, c, q.q)
		sim.SellElsewhere(first[0], "somebody")
		if again := found(t, c, q.q); slices.Contains(again, first[0]) {
			t.Errorf("%+v: %s is sold and was found", q.q, first[0])
		}
		sim.Release(first[0])
		if diff := cmp.Diff(first, found(t, c, q.q)); diff != "" {
			t.Errorf("%+v: another selection the second time:\n%s", q.q, diff)
		}
	}
	if nxxs := map[string]bool{}; true {
		for _, n := range found(t, c, bwclient.Query{AreaCode: "919", Quantity: 10}) {
			nxxs[n[5:8]] = true
		}
		if len(nxxs) < 3 {
			t.Errorf("an area code's numbers lie in %d exchanges, want a few", len(nxxs))
		}
	}
}

// TestGivenInventory: only what is stocked is found and can be ordered, once.
func TestGivenInventory(t *testing.T) {
	sim, c := searchWorld(t, bwfake.Options{Inventory: []bwfake.Stock{
		{Number: "+19195551001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Zip: "27701", Tier: "0"},
		{Number: "+19195551002", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Zip: "27701", Tier: "1"},
		{Number: "+19195551003", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Zip: "27701"},
		{Number: "+17045551004", City: "CHARLOTTE", RateCenter: "CHARLOTTE", State: "NC", LATA: "422"},
		{Number: "+18335551005"},
		{Number: "not a number"},
	}})
	if diff := cmp.Diff([]string{"+19195551001", "+19195551002", "+19195551003"}, found(t, c, bwclient.Query{AreaCode: "919", Quantity: 10})); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	sim.SellElsewhere("+19195551003", "somebody")
	created, err := c.CreateOrder(t.Context(), bwclient.Order{
		CustomerOrderID: "c-1", Name: "n", SiteID: "1234", PartialAllowed: true, Numbers: []string{"+19195551001", "+19195551003", "+19195559999"},
	}, time.Now().Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.Order(t.Context(), created.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"+19195551001"}, o.Completed); diff != "" || len(o.Failed) != 2 || o.Failed[0].Code != "5005" {
		t.Errorf("the order holds %v and failed for %v; want one and two with 5005", o.Completed, o.Failed)
	}
	if diff := cmp.Diff([]string{"+19195551002"}, found(t, c, bwclient.Query{AreaCode: "919", Quantity: 10})); diff != "" {
		t.Errorf("found after the sale (-want +got):\n%s", diff)
	}
	if got := found(t, c, bwclient.Query{TollFreeWildcard: "8**", Quantity: 10}); !slices.Equal(got, []string{"+18335551005"}) {
		t.Errorf("toll-free: %v", got)
	}
	if got := found(t, c, bwclient.Query{AreaCode: "212", Quantity: 10}); got != nil {
		t.Errorf("212: %v, want nothing", got)
	}
}

// TestLocalCallingAreaIsTheDefault: a client that leaves LCA out gets numbers of other exchanges.
func TestLocalCallingAreaIsTheDefault(t *testing.T) {
	stock := []bwfake.Stock{
		{Number: "+19195551001", RateCenter: "DURHAM", State: "NC", LATA: "426"},
		{Number: "+19842341002", RateCenter: "RALEIGH", State: "NC", LATA: "426"},
		{Number: "+17045551004", RateCenter: "CHARLOTTE", State: "NC", LATA: "422"},
	}
	for _, inventory := range [][]bwfake.Stock{nil, stock} {
		sim, _ := searchWorld(t, bwfake.Options{Inventory: inventory})
		for _, query := range []string{"npaNxx=919555", "npaNxxx=9195551", "rateCenter=DURHAM&state=NC"} {
			outside := func(q string) int {
				numbers, code := searchRaw(t, sim, q)
				if code != "" || len(numbers) == 0 {
					t.Errorf("%s: %d numbers, code %q", q, len(numbers), code)
				}
				n := 0
				for _, number := range numbers {
					own := strings.HasPrefix(number, "919555")
					if strings.HasPrefix(query, "rate") && inventory == nil {
						own = slices.Contains([]string{"340", "556"}, number[3:6]) // Durham's of the generated exchanges
					}
					if !own {
						n++
					}
				}
				return n
			}
			if n := outside(query + "&quantity=20"); n == 0 {
				t.Errorf("%s without LCA: no number of another exchange", query)
			}
			if n := outside(query + "&quantity=20&LCA=false"); n != 0 {
				t.Errorf("%s with LCA=false: %d numbers of other exchanges", query, n)
			}
		}
	}
}

// TestSearchIsStrict: what the documents do not allow is refused, and what they ignore is ignored.
func TestSearchIsStrict(t *testing.T) {
	sim, _ := searchWorld(t, bwfake.Options{})
	for query, want := range map[string]string{
		"":                                     "4010",
		"quantity=5":                           "4010",
		"areacode=919":                         "4010", // a misspelt parameter is not seen
		"areaCode=91":                          "4000",
		"areaCode=119":                         "4000",
		"areaCode=855":                         "4000",
		"npaNxx=91955":                         "4002",
		"npaNxx=855555":                        "4002",
		"npaNxxx=919055512":                    "4002",
		"areaCode=919&npaNxx=919555":           "4010",
		"rateCenter=DURHAM":                    "4001",
		"city=DURHAM":                          "4005",
		"state=NCX":                            "4006",
		"zip=2770":                             "4007",
		"lata=abc":                             "4008",
		"localVanity=ab":                       "4011",
		"localVanity=cars&zip=27701":           "4010",
		"areaCode=919&endsIn=true":             "4010",
		"tollFreeVanity=abc":                   "4003",
		"tollFreeWildCardPattern=55*":          "4004", // what Kazoo sends for 855
		"tollFreeWildCardPattern=8*5":          "4004",
		"tollFreeWildCardPattern=8**&state=NC": "4010",
		"areaCode=919&quantity=0":              "4010",
		"areaCode=919&quantity=5001":           "4010",
		"areaCode=919&quantity=many":           "4010",
		"areaCode=919&LCA=perhaps":             "4010",
		"areaCode=919&orderBy=price":           "4020",
		"tollFreeWildCardPattern=8**&orderBy=fullNumber":                      "4021",
		"areaCode=919&protected=SOME":                                         "4022",
		"areaCode=919&quantity=3":                                             "",
		"areaCode=919&quantity=3&colour=red":                                  "",
		"areaCode=919&rateCenter=CARY&state=NC&lata=426&zip=27511&quantity=3": "",
		"tollFreeWildCardPattern=" + url.QueryEscape("80*") + "&quantity=3":   "",
		"areaCode=919&orderBy=fullNumber&protected=MIXED&quantity=3":          "",
	} {
		numbers, code := searchRaw(t, sim, query)
		if code != want || want == "" && len(numbers) != 3 {
			t.Errorf("%q: code %q and %d numbers, want code %q", query, code, len(numbers), want)
		}
	}
}

// TestSearchDefaultQuantity: without a quantity a search gets 5000 numbers.
func TestSearchDefaultQuantity(t *testing.T) {
	sim, _ := searchWorld(t, bwfake.Options{})
	if numbers, code := searchRaw(t, sim, "areaCode=919"); len(numbers) != 5000 {
		t.Errorf("%d numbers, code %q; want 5000", len(numbers), code)
	}
}

func TestSearchFaults(t *testing.T) {
	sim, c := searchWorld(t, bwfake.Options{})
	for _, f := range []struct {
		fault  bwfake.Fault
		status int
	}{
		{bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 503}, 503},
		{bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Minute}, 429},
		{bwfake.Fault{Kind: bwfake.LoseReplyBefore}, 0},
		{bwfake.Fault{Kind: bwfake.Truncated}, 0},
		{bwfake.Fault{Kind: bwfake.Malformed}, 200},
	} {
		f.fault.Endpoint, f.fault.Times = bwfake.EndpointSearch, 1
		if f.fault.Kind == bwfake.LoseReplyBefore {
			f.fault.Times = 2 // net/http itself repeats a GET once, where a connection was in use before
		}
		sim.Inject(f.fault)
		_, err := c.Search(t.Context(), bwclient.Query{AreaCode: "919", Quantity: 2})
		var e *bwclient.Error
		if !errors.As(err, &e) || e.StatusCode != f.status {
			t.Errorf("%s: %v; want status %d", f.fault.Kind, err, f.status)
		}
	}
	if n := len(found(t, c, bwclient.Query{AreaCode: "919", Quantity: 2})); n != 2 {
		t.Errorf("%d numbers once the faults are over", n)
	}
	if n := sim.Calls(bwfake.EndpointSearch); n != 7 {
		t.Errorf("%d calls were counted, want 7", n)
	}
	sim.SetCredentials("other", "people")
	if _, err := c.Search(t.Context(), bwclient.Query{AreaCode: "919", Quantity: 2}); !bwclient.IsCredentials(err) {
		t.Errorf("with a wrong password: %v", err)
	}
}

// TestSearchFindsWhatWasRestocked: what came into stock is listed once, in its place, until it is sold; from then on and
// after a release it is as any other number.
func TestSearchFindsWhatWasRestocked(t *testing.T) {
	for name, inventory := range map[string][]bwfake.Stock{
		"given": {
			{Number: "+19195552000", City: "DURHAM", RateCenter: "DURHAM", State: "NC"},
			{Number: "+19195551001", City: "CARY", RateCenter: "CARY", State: "NC"},
		},
		"generated": nil,
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			sim, c := searchWorld(t, bwfake.Options{Inventory: inventory, Now: clock.Now})
			const exact = "npaNxxx=9195551&LCA=false"
			listed, _ := searchRaw(t, sim, exact)
			before := len(listed)
			sim.Restock("+19195551001", "+12125551002", "no number")
			sim.RestockAfter(time.Hour, "+17105551003")
			if got, _ := searchRaw(t, sim, exact); len(got) != max(before, 1) || got[0] != "9195551001" || slices.Contains(got[1:], "9195551001") {
				t.Errorf("lists %d numbers, %d before: %q", len(got), before, got[:min(3, len(got))])
			}
			ny := bwclient.Query{State: "NY", City: "NEW YORK", Quantity: 1, Detail: true}
			list, err := c.Search(t.Context(), ny)
			if err != nil || len(list) != 1 || list[0].Number != "+12125551002" || list[0].City != "NEW YORK" {
				t.Errorf("in its place it finds %+v, %v", list, err)
			}
			later := bwclient.Query{NPANXX: "710555", Quantity: 1}
			if got := found(t, c, later); slices.Contains(got, "+17105551003") {
				t.Error("what comes in an hour is listed")
			}
			clock.pass(time.Hour)
			if got := found(t, c, later); !slices.Equal(got, []string{"+17105551003"}) {
				t.Errorf("an hour later it finds %q", got)
			}
			sim.SellElsewhere("+17105551003", "theirs")
			if got := found(t, c, later); slices.Contains(got, "+17105551003") {
				t.Error("what was sold is listed")
			}
		})
	}
}
