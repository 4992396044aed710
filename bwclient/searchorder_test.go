package bwclient_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

// byArea is a search that the simulator serves.
var byArea = bwclient.SearchOrder{AreaCode: "919", Quantity: 2}

func searchOrder(s bwclient.SearchOrder) bwclient.Order {
	return bwclient.Order{CustomerOrderID: "East-coast-kq3", Name: "East coast-kq3", SiteID: "743", Search: &s, PartialAllowed: true, BackOrderRequested: true}
}

// searches are orders by search: the name of the golden request, the type, and the recorded request whose elements it
// has in their order.
var searches = []struct {
	golden, kind, recorded string
	search                 bwclient.SearchOrder
}{
	{"area_code", "AreaCodeSearchAndOrderType", "AreaCodeSearchAndOrderType", bwclient.SearchOrder{AreaCode: "435", Quantity: 1}},
	{"rate_center", "RateCenterSearchAndOrderType", "RateCenterSearchAndOrderType", bwclient.SearchOrder{RateCenter: "RALEIGH", State: "NC", Quantity: 2}},
	{"rate_center_lca", "RateCenterSearchAndOrderType", "RateCenterSearchAndOrderType", bwclient.SearchOrder{RateCenter: "RALEIGH", State: "NC", Quantity: 2, EnableLCA: true}},
	{"npa_nxx", "NPANXXSearchAndOrderType", "NPANXXSearchAndOrderType", bwclient.SearchOrder{NPANXX: "919439", Quantity: 3}},
	{"npa_nxx_lca", "NPANXXSearchAndOrderType", "NPANXXSearchAndOrderType", bwclient.SearchOrder{NPANXX: "919439", Quantity: 3, EnableLCA: true}},
	{"npa_nxx_x", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType", bwclient.SearchOrder{NPANXXX: "9194391", Quantity: 4}},
	{"state", "StateSearchAndOrderType", "StateSearchAndOrderType", bwclient.SearchOrder{State: "NC", Quantity: 5}},
	{"city", "CitySearchAndOrderType", "CitySearchAndOrderType", bwclient.SearchOrder{City: "WINSTON SALEM", State: "NC", Quantity: 6}},
	{"zip", "ZIPSearchAndOrderType", "ZIPSearchAndOrderType", bwclient.SearchOrder{Zip: "27606", Quantity: 7}},
	{"lata", "LATASearchAndOrderType", "LATASearchAndOrderType", bwclient.SearchOrder{LATA: "224", Quantity: 8}},
	{"toll_free_vanity", "TollFreeVanitySearchAndOrderType", "TollFreeVanitySearchAndOrderType", bwclient.SearchOrder{TollFreeVanity: "newcars", Quantity: 1}},
	{"toll_free_wildcard", "TollFreeWildCharSearchAndOrderType", "TollFreeWildCharSearchAndOrderType", bwclient.SearchOrder{TollFreeWildcard: "8**", Quantity: 5000}},
	{"local_vanity", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType_local_vanity", bwclient.SearchOrder{AreaCode: "617", LocalVanity: "newcars", Quantity: 1}},
	{"local_vanity_ends_in", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType_local_vanity", bwclient.SearchOrder{AreaCode: "617", LocalVanity: "cars", EndsIn: true, Quantity: 1}},
	{"area_code_in_a_city", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType", bwclient.SearchOrder{AreaCode: "919", City: "RALEIGH", State: "NC", Quantity: 9}},
	{"area_code_in_all", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType", bwclient.SearchOrder{
		AreaCode: "919", RateCenter: "RALEIGH & CO", State: "NC", LATA: "224", City: "RALEIGH", Zip: "276061234", Quantity: 10,
	}},
	{"npa_nxx_in_a_zip", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType", bwclient.SearchOrder{NPANXX: "919439", Zip: "27606", Quantity: 11}},
	{"npa_nxx_x_in_a_lata", "CombinedSearchAndOrderType", "CombinedSearchAndOrderType", bwclient.SearchOrder{NPANXXX: "9194391", LATA: "224", Quantity: 12}},
}

// TestGoldenSearches compares the bodies of orders by search byte for byte.
func TestGoldenSearches(t *testing.T) {
	var got []byte
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		answer(http.StatusCreated, createdBody)(w, r)
	}))
	for i, s := range searches {
		o := searchOrder(s.search)
		o.BackOrderRequested, o.PartialAllowed = i%2 == 0, i%3 == 0
		if i%4 == 0 {
			o.PeerID = "303716"
		}
		if kind := s.search.Type(); kind != s.kind {
			t.Errorf("%s: type %s", s.golden, kind)
		}
		if created, err := c.CreateOrder(t.Context(), o, soon()); err != nil || created.OrderID != orderID {
			t.Fatalf("%s: %+v, %v", s.golden, created, err)
		}
		golden(t, filepath.Join("search", s.golden+".xml"), got)
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "golden", "search"))
	if err != nil || len(entries) != len(searches) {
		t.Errorf("%d golden requests for %d searches, %v", len(entries), len(searches), err)
	}
}

// golden compares a request with the one in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

// follows fails where a document has an element that a recorded one lacks, or has it in another place. Where may stand
// elsewhere what is documented in words alone.
func follows(t *testing.T, name, ours, theirs string, anywhere ...string) {
	t.Helper()
	documented := elementPaths(t, theirs)
	last := -1
	for _, p := range elementPaths(t, ours) {
		i := slices.Index(documented, p)
		switch {
		case slices.Contains(anywhere, p):
		case i < 0:
			t.Errorf("%s: %s is not documented", name, p)
		case i < last:
			t.Errorf("%s: %s stands too late", name, p)
		default:
			last = i
		}
	}
}

func TestGoldenSearchesFollowTheDocument(t *testing.T) {
	for _, s := range searches {
		anywhere := []string{"Order/PeerId", "Order/BackOrderRequested", "Order/PartialAllowed"}
		if s.kind == "RateCenterSearchAndOrderType" {
			anywhere = append(anywhere, "Order/RateCenterSearchAndOrderType/EnableLCA")
		}
		follows(t, s.golden, own(t, "golden/search/"+s.golden+".xml"), recorded(t, "openapi-v1/orders__post__request__"+s.recorded+".xml"), anywhere...)
	}
}

// TestSearchesAlwaysSay: what Bandwidth would otherwise choose for us is in every request.
func TestSearchesAlwaysSay(t *testing.T) {
	for _, s := range searches {
		body := own(t, "golden/search/"+s.golden+".xml")
		for _, name := range []string{"Quantity", "BackOrderRequested", "PartialAllowed"} {
			if strings.Count(body, "<"+name+">") != 1 {
				t.Errorf("%s: %s is not said", s.golden, name)
			}
		}
		has := s.search.LocalVanity == "" && slices.Contains([]string{"RateCenterSearchAndOrderType", "NPANXXSearchAndOrderType", "CombinedSearchAndOrderType"}, s.kind)
		if want := "<EnableLCA>" + map[bool]string{true: "true", false: "false"}[s.search.EnableLCA] + "<"; strings.Contains(body, want) != has || !has && strings.Contains(body, "EnableLCA") {
			t.Errorf("%s: EnableLCA in\n%s", s.golden, body)
		}
	}
}

func TestSearchOrderLimits(t *testing.T) {
	s := &seen{}
	c := client(t, "http://api.invalid"+basePath, func(c *bwclient.Config) { c.Transport = s })
	for name, search := range map[string]bwclient.SearchOrder{
		"nothing":                       {Quantity: 1},
		"only a wish for local ones":    {Quantity: 1, EnableLCA: true},
		"no quantity":                   {AreaCode: "919"},
		"a negative quantity":           {AreaCode: "919", Quantity: -1},
		"a great quantity":              {AreaCode: "919", Quantity: 5001},
		"a short area code":             {AreaCode: "91", Quantity: 1},
		"an area code that begins so":   {AreaCode: "119", Quantity: 1},
		"an area code and more":         {AreaCode: "919\n", Quantity: 1},
		"a long NPA-NXX":                {NPANXX: "9194391", Quantity: 1},
		"an exchange that begins so":    {NPANXX: "919139", Quantity: 1},
		"a short NPA-NXX-X":             {NPANXXX: "919439", Quantity: 1},
		"area code and NPA-NXX":         {AreaCode: "919", NPANXX: "919439", Quantity: 1},
		"area code and NPA-NXX-X":       {AreaCode: "919", NPANXXX: "9194391", Quantity: 1},
		"NPA-NXX and NPA-NXX-X":         {NPANXX: "919439", NPANXXX: "9194391", Quantity: 1},
		"a rate center without state":   {RateCenter: "RALEIGH", Quantity: 1},
		"a city without state":          {City: "RALEIGH", Quantity: 1},
		"a city of spaces":              {City: "  ", State: "NC", Quantity: 1},
		"a city with a line's end":      {City: "RALEIGH\nX", State: "NC", Quantity: 1},
		"a city that is not UTF-8":      {City: "A\xffB", State: "NC", Quantity: 1},
		"a long state":                  {State: "NCX", Quantity: 1},
		"a state in lower case":         {State: "nc", Quantity: 1},
		"a zip of six":                  {Zip: "276061", Quantity: 1},
		"a LATA of letters":             {LATA: "2a4", Quantity: 1},
		"a LATA of six":                 {LATA: "224224", Quantity: 1},
		"a short vanity":                {AreaCode: "617", LocalVanity: "car", Quantity: 1},
		"a vanity with a star":          {AreaCode: "617", LocalVanity: "car*", Quantity: 1},
		"a vanity without area code":    {LocalVanity: "cars", Quantity: 1},
		"a vanity in a state":           {LocalVanity: "cars", State: "NC", Quantity: 1},
		"a vanity in area and state":    {AreaCode: "617", LocalVanity: "cars", State: "NC", Quantity: 1},
		"ends in without vanity":        {AreaCode: "617", EndsIn: true, Quantity: 1},
		"a free vanity in an area":      {AreaCode: "800", TollFreeVanity: "newcars", Quantity: 1},
		"two that are free":             {TollFreeVanity: "newcars", TollFreeWildcard: "8**", Quantity: 1},
		"a wildcard of the old form":    {TollFreeWildcard: "55*", Quantity: 1},
		"a wildcard of stars":           {TollFreeWildcard: "***", Quantity: 1},
		"a wildcard in a state":         {TollFreeWildcard: "8**", State: "NC", Quantity: 1},
		"local calling area of an area": {AreaCode: "919", EnableLCA: true, Quantity: 1},
		"local calling area and more":   {NPANXX: "919439", Zip: "27606", EnableLCA: true, Quantity: 1},
		"local calling area of a state": {State: "NC", EnableLCA: true, Quantity: 1},
	} {
		_, err := c.CreateOrder(t.Context(), searchOrder(search), soon())
		if !errors.Is(err, bwclient.ErrInvalidOrder) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.NotSent(err) {
			t.Errorf("%s: %v, NotSent %t: %v", name, bwclient.CreationOf(err), bwclient.NotSent(err), err)
		}
	}
	both := searchOrder(byArea)
	both.Numbers = []string{number}
	unnamed := searchOrder(byArea)
	unnamed.CustomerOrderID = ""
	for name, o := range map[string]bwclient.Order{"numbers and a search": both, "no customer order id": unnamed} {
		if _, err := c.CreateOrder(t.Context(), o, soon()); !errors.Is(err, bwclient.ErrInvalidOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.request != nil {
		t.Error("one was sent")
	}
}

// TestP11_RequestFormOfAll: what makes net/http send a request again is in none of those that change something.
func TestP11_RequestFormOfAll(t *testing.T) {
	for name, send := range map[string]func(*bwclient.Client) error{
		"POST an order by search": func(c *bwclient.Client) error {
			_, err := c.CreateOrder(t.Context(), searchOrder(byArea), soon())
			return err
		},
		"POST a disconnect": func(c *bwclient.Client) error {
			_, err := c.CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
			return err
		},
		"PUT a closing": func(c *bwclient.Client) error { return c.CloseOrder(t.Context(), orderID, bwclient.Closing{}) },
	} {
		s := &seen{}
		err := send(client(t, "http://api.invalid"+basePath, func(c *bwclient.Config) { c.Transport = s }))
		if err == nil || s.request == nil {
			t.Fatalf("%s: %v", name, err)
		}
		method, _, _ := strings.Cut(name, " ")
		_, key := s.request.Header["Idempotency-Key"]
		if s.request.Method != method || s.request.GetBody != nil || key || s.request.ContentLength <= 0 {
			t.Errorf("%s: %s, GetBody %t, key %t, content length %d", name, s.request.Method, s.request.GetBody != nil, key, s.request.ContentLength)
		}
		if want := bwclient.CreationUnknown; method == "POST" && bwclient.CreationOf(err) != want {
			t.Errorf("%s: %v; want %v", name, bwclient.CreationOf(err), want)
		}
	}
}

// TestSimulatedSearchFaults: an order by search cannot be sent again, so that what the client says of each misbehaviour
// must agree with the ledger, after one request.
func TestSimulatedSearchFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[bwfake.FaultKind]bwclient.Creation{
		"": bwclient.WasCreated, bwfake.LoseReplyAfter: bwclient.CreationUnknown, bwfake.LoseReplyBefore: bwclient.CreationUnknown,
		bwfake.ErrorAfter: bwclient.CreationUnknown, bwfake.ErrorBefore: bwclient.CreationUnknown, bwfake.RateLimit: bwclient.NotCreated,
		bwfake.Slow: bwclient.CreationUnknown, bwfake.Truncated: bwclient.WasCreated, bwfake.Malformed: bwclient.CreationUnknown,
		bwfake.NoID: bwclient.CreationUnknown, bwfake.LocationOnly: bwclient.WasCreated,
	} {
		sim, c := simulated(t, bwfake.Options{})
		if kind != "" {
			sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: kind, Delay: 3 * time.Second})
		}
		sendBy := soon()
		if kind == bwfake.Slow {
			sendBy = time.Now().Add(time.Second)
		}
		o := searchOrder(byArea)
		o.SiteID = "1234"
		created, err := c.CreateOrder(t.Context(), o, sendBy)
		if got := bwclient.CreationOf(err); got != want {
			t.Errorf("%s: %v; want %v (%v)", kind, got, want, err)
		}
		purchases := sim.Purchases()
		made := kind != bwfake.LoseReplyBefore && kind != bwfake.ErrorBefore && kind != bwfake.RateLimit
		if (len(purchases) == 1) != made || sim.Calls(bwfake.EndpointCreate) > 1 {
			t.Errorf("%s: %d requests, and the ledger says %+v", kind, sim.Calls(bwfake.EndpointCreate), purchases)
		}
		if want == bwclient.WasCreated && (purchases[0].OrderID != string(created.OrderID) || len(purchases[0].Numbers) != 2) {
			t.Errorf("%s: order %q, and the ledger says %+v", kind, created.OrderID, purchases)
		}
	}
}

// TestSimulatedSearches: the simulator understands every type, and sells what fits it.
func TestSimulatedSearches(t *testing.T) {
	sim, c := simulated(t, bwfake.Options{})
	for i, s := range searches {
		o := searchOrder(s.search)
		o.SiteID, o.CustomerOrderID, o.BackOrderRequested = "1234", "c-"+strings.ReplaceAll(s.golden, "_", "-"), false
		created, err := c.CreateOrder(t.Context(), o, soon())
		if err != nil {
			t.Errorf("%s: %v", s.golden, err)
			continue
		}
		got, err := c.Order(t.Context(), created.OrderID)
		if err != nil || got.Status != "COMPLETE" || len(got.Completed) != s.search.Quantity || len(sim.Purchases()) != i+1 {
			t.Errorf("%s: %s with %d numbers, %v", s.golden, got.Status, len(got.Completed), err)
			continue
		}
		prefix := s.search.AreaCode + s.search.NPANXX + s.search.NPANXXX
		if s.search.EnableLCA && prefix != "" {
			prefix = prefix[:3]
		}
		for _, n := range got.Completed {
			if !strings.HasPrefix(n, "+1"+prefix) || sim.Bought(n) != 1 {
				t.Errorf("%s: %s was bought %d times", s.golden, n, sim.Bought(n))
			}
		}
	}
}

// TestBackorderedAnswers: an order by search names no numbers that were asked for, and may hold some while it waits.
func TestBackorderedAnswers(t *testing.T) {
	got, err := stubbed(t, stub{status: 200, body: own(t, "orders_get/backordered.xml")}).Order(t.Context(), orderID)
	want := bwclient.OrderStatus{
		OrderID: orderID, CustomerOrderID: "c-1", Name: "a name", Status: "BACKORDERED", Completed: []string{"+17105551000"},
		Errors: []bwclient.Detail{{Code: "5520", Description: "awaiting additional numbers"}}, CompletedQuantity: count(1), FailedQuantity: count(0),
		SiteID: "1234", PeerID: "234222",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	created, err := stubbed(t, stub{status: 201, body: own(t, "orders_post/201_search.xml")}).CreateOrder(t.Context(), searchOrder(byArea), soon())
	if created.OrderID != "a0b1c2d3-0001-4abc-8def-000000000006" || created.Status != "RECEIVED" || err != nil {
		t.Errorf("%+v, %v", created, err)
	}
}

// FuzzSearchOrder: whatever a search says, its order is refused, or is XML of its type that says each thing once.
func FuzzSearchOrder(f *testing.F) {
	for _, s := range searches {
		x := s.search
		f.Add(x.Quantity, x.AreaCode, x.NPANXX, x.NPANXXX, x.RateCenter, x.City, x.State, x.Zip, x.LATA, x.LocalVanity, x.TollFreeVanity, x.TollFreeWildcard, x.EndsIn, x.EnableLCA)
	}
	f.Add(1, "", "", "", "<a>&", "]]>", "NC", "", "", "", "", "", false, true)
	f.Fuzz(func(t *testing.T, quantity int, area, npanxx, npanxxx, center, city, state, zip, lata, vanity, free, wildcard string, ends, lca bool) {
		s := bwclient.SearchOrder{
			Quantity: quantity, AreaCode: area, NPANXX: npanxx, NPANXXX: npanxxx, RateCenter: center, City: city, State: state, Zip: zip, LATA: lata,
			LocalVanity: vanity, EndsIn: ends, TollFreeVanity: free, TollFreeWildcard: wildcard, EnableLCA: lca,
		}
		keep := &keeper{stub: stub{status: 201, body: createdBody}}
		c, err := bwclient.New(bwclient.Config{AccountID: account, BaseURL: "http://api.invalid", Auth: bwclient.Basic(user, password), Transport: keep})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CreateOrder(t.Context(), searchOrder(s), soon()); err != nil {
			if !errors.Is(err, bwclient.ErrInvalidOrder) || keep.sent != "" {
				t.Fatalf("%+v: %v", s, err)
			}
			tellsNothing(t, err)
			return
		}
		var got struct {
			XMLName xml.Name `xml:"Order"`
			Types   []struct {
				XMLName  xml.Name
				Criteria []struct {
					XMLName xml.Name
					Text    string `xml:",chardata"`
				} `xml:",any"`
			} `xml:",any"`
		}
		if err := xml.Unmarshal([]byte(keep.sent), &got); err != nil {
			t.Fatalf("%v in %s", err, keep.sent)
		}
		values, found := map[string]string{}, 0
		for _, kind := range got.Types {
			if kind.XMLName.Local != s.Type() {
				continue
			}
			found++
			for _, x := range kind.Criteria {
				if _, twice := values[x.XMLName.Local]; twice || x.Text == "" {
					t.Fatalf("%s in %s", x.XMLName.Local, keep.sent)
				}
				values[x.XMLName.Local] = x.Text
			}
		}
		if found != 1 || values["Quantity"] == "" {
			t.Fatalf("%d elements %s in %s", found, s.Type(), keep.sent)
		}
		for name, want := range map[string]string{
			"AreaCode": area, "NpaNxx": npanxx, "NpaNxxX": npanxxx, "RateCenter": center, "City": city, "State": state, "Zip": zip, "Lata": lata,
			"LocalVanity": vanity, "TollFreeVanity": free, "TollFreeWildCardPattern": wildcard,
		} {
			if values[name] != want {
				t.Fatalf("%s is %q; want %q", name, values[name], want)
			}
		}
	})
}

// keeper keeps what was sent.
type keeper struct {
	stub
	sent string
}

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	data, _ := io.ReadAll(r.Body)
	k.sent = string(data)
	return k.stub.RoundTrip(r)
}
