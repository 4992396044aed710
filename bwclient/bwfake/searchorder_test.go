package bwfake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

// searchXML is a documented order by search. It may wait for stock, and take a part, where the words say so.
func searchXML(coid, kind, criteria, words string) string {
	return fmt.Sprintf("<Order><CustomerOrderId>%s</CustomerOrderId><Name>a name</Name><BackOrderRequested>%t</BackOrderRequested><%s>%s</%s>"+
		"<PartialAllowed>%t</PartialAllowed><SiteId>1234</SiteId></Order>",
		coid, strings.Contains(words, "backorder"), kind, criteria, kind, strings.Contains(words, "partial"))
}

// criteria writes elements from pairs of name and value.
func criteria(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, "<%s>%s</%s>", pairs[i], pairs[i+1], pairs[i])
	}
	return b.String()
}

func (s *sim) search(coid, kind, criteria, words string) reply {
	s.t.Helper()
	return s.call("POST", "/accounts/"+account+"/orders", searchXML(coid, kind+"SearchAndOrderType", criteria, words))
}

// wait orders numbers of the dry area code and returns the order's id.
func (s *sim) wait(coid string, quantity int, words string) string {
	s.t.Helper()
	r := s.search(coid, "AreaCode", criteria("AreaCode", bwfake.DryAreaCode, "Quantity", fmt.Sprint(quantity)), words)
	if r.status != 201 {
		s.t.Fatalf("%s: %+v", coid, r)
	}
	return s.read(r).ID
}

// is compares an order's status, numbers and codes.
func (s *sim) is(id, status, codes string, numbers ...string) {
	s.t.Helper()
	got := s.get(id)
	if got.Status != status || !slices.Equal(got.Completed, numbers) || strings.Join(got.Codes, " ") != codes || got.CompletedQuantity != fmt.Sprint(len(numbers)) {
		s.t.Errorf("%+v; want %s with %v and codes %q", got, status, numbers, codes)
	}
}

// TestTooFewNumbers is the documented table of BackOrderRequested and PartialAllowed.
func TestTooFewNumbers(t *testing.T) {
	const one, two, three = "7105551000", "7105551001", "7105551002"
	for _, c := range []struct {
		words         string
		before        []string // what is for sale when the order comes
		status, codes string
		held          []string
		failed        string
		then          string // the status once there is enough
	}{
		{words: "backorder partial", before: []string{one}, status: "BACKORDERED", codes: "5520", held: []string{one}, failed: "0", then: "COMPLETE"},
		{words: "backorder partial", status: "BACKORDERED", codes: "5521", failed: "0", then: "COMPLETE"},
		{words: "backorder", before: []string{one}, status: "BACKORDERED", codes: "5521", failed: "0", then: "COMPLETE"},
		{words: "partial", before: []string{one}, status: "PARTIAL", codes: "5017", held: []string{one}, failed: "1", then: "PARTIAL"},
		{words: "partial", status: "FAILED", codes: "5018", failed: "2", then: "FAILED"},
		{words: "", before: []string{one}, status: "FAILED", codes: "5018", failed: "2", then: "FAILED"},
		{words: "", before: []string{one, two}, status: "COMPLETE", held: []string{one, two}, failed: "0", then: "COMPLETE"},
		{words: "backorder", before: []string{one, two}, status: "COMPLETE", held: []string{one, two}, failed: "0", then: "COMPLETE"},
		{words: "backorder partial", before: []string{one, two, three}, status: "COMPLETE", held: []string{one, two}, failed: "0", then: "COMPLETE"},
	} {
		s := start(t, bwfake.Options{})
		for _, n := range c.before {
			s.Restock("+1" + n)
		}
		id := s.wait("c-1", 2, c.words)
		s.is(id, c.status, c.codes, c.held...)
		if got := s.get(id); got.FailedQuantity != c.failed || len(got.Failed) != 0 {
			t.Errorf("%q with %v: %+v", c.words, c.before, got)
		}
		bought := 0
		for _, n := range []string{one, two, three} {
			bought += s.Bought("+1" + n)
		}
		if bought != len(c.held) {
			t.Errorf("%q with %v: the ledger counts %d", c.words, c.before, bought)
		}
		if tns := s.call("GET", "/accounts/"+account+"/orders/"+id+"/tns", ""); strings.Count(tns.body, "<TelephoneNumber>") != len(c.held) {
			t.Errorf("%q with %v: %s", c.words, c.before, tns.body)
		}
		s.Restock("+1"+one, "+1"+two, "+1"+three)
		if got := s.get(id); got.Status != c.then {
			t.Errorf("%q with %v, restocked: %+v", c.words, c.before, got)
		}
	}
}

// TestBackorderFills: numbers come in pieces, to the oldest order first, and each is sold once.
func TestBackorderFills(t *testing.T) {
	s := start(t, bwfake.Options{})
	first, all, last := s.wait("c-1", 2, "backorder partial"), s.wait("c-2", 2, "backorder"), s.wait("c-3", 1, "backorder partial")
	s.Restock("+17105551000")
	s.is(first, "BACKORDERED", "5520", "7105551000")
	s.Restock("+17105551000") // known already
	s.is(last, "BACKORDERED", "5521")
	s.Restock("+17105551001", "+17105551002")
	s.is(first, "COMPLETE", "", "7105551000", "7105551001")
	s.is(all, "BACKORDERED", "5521") // one would not do
	s.is(last, "COMPLETE", "", "7105551002")
	s.Restock("+17105551003", "+17105551004")
	s.is(all, "COMPLETE", "", "7105551003", "7105551004")
	if got := s.list("page=1&size=10"); len(got.Orders) != 3 || got.Orders[1].Status != "COMPLETE" || got.Orders[1].Count != "2" {
		t.Errorf("%+v", got)
	}
	if p := s.Purchases(); len(p) != 3 || len(p[0].Numbers)+len(p[1].Numbers)+len(p[2].Numbers) != 5 {
		t.Errorf("%+v", p)
	}
	// What is released is for sale again, and what another system has is not.
	waits := s.wait("c-4", 2, "backorder partial")
	s.SellElsewhere("+17105551009", "theirs")
	s.Restock("+17105551009")
	s.is(waits, "BACKORDERED", "5521")
	s.Release("+17105551009")
	s.is(waits, "BACKORDERED", "5520", "7105551009")
	s.disconnect("<TelephoneNumberList><TelephoneNumber>7105551000</TelephoneNumber></TelephoneNumberList>")
	s.is(waits, "COMPLETE", "", "7105551009", "7105551000")
	if s.Bought("+17105551000") != 1 {
		t.Errorf("bought %d times", s.Bought("+17105551000"))
	}
}

// TestBackorderOverTime: stock that comes later is there from then on, and an order is RECEIVED first.
func TestBackorderOverTime(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now, CompleteAfter: time.Minute})
	id := s.wait("c-1", 2, "backorder partial")
	s.RestockAfter(time.Hour, "+17105551000")
	s.RestockAfter(2*time.Hour, "+17105551001")
	s.is(id, "RECEIVED", "")
	if r := s.close(id, "<CloseOrder>true</CloseOrder>"); r.status != 400 || !slices.Equal(s.read(r).Codes, []string{"5060"}) {
		t.Errorf("closing what is RECEIVED: %+v", r)
	}
	c.pass(time.Minute - 1)
	s.is(id, "RECEIVED", "")
	c.pass(1)
	s.is(id, "BACKORDERED", "5521")
	c.pass(59*time.Minute - 1)
	if s.Bought("+17105551000") != 0 {
		t.Error("bought before it came")
	}
	c.pass(1)
	if s.Bought("+17105551000") != 1 || len(s.Purchases()) != 1 { // without a call in between
		t.Error("not bought when it came")
	}
	s.is(id, "BACKORDERED", "5520", "7105551000")
	c.pass(time.Hour)
	s.is(id, "COMPLETE", "", "7105551000", "7105551001")
	late := s.wait("c-3", 1, "backorder")
	s.RestockAfter(2*time.Minute, "+17105551008")
	c.pass(2 * time.Minute)
	if p := s.Purchases(); len(p) != 2 || p[1].OrderID != late || p[1].Status != "COMPLETE" {
		t.Errorf("without a call in between: %+v", p)
	}
	full := s.wait("c-2", 1, "backorder")
	s.Restock("+17105551002")
	s.is(full, "RECEIVED", "")
	c.pass(time.Minute)
	s.is(full, "COMPLETE", "", "7105551002")
}

// close sends a PUT.
func (s *sim) close(id, elements string) reply {
	s.t.Helper()
	return s.call("PUT", "/accounts/"+account+"/orders/"+id, "<Order>"+elements+"</Order>")
}

func TestCloseOrder(t *testing.T) {
	s := start(t, bwfake.Options{})
	s.Restock("+17105551000")
	part, none := s.wait("c-1", 2, "backorder partial"), s.wait("c-2", 2, "backorder")
	exact := s.buy("c-3", digits)
	for name, c := range map[string]struct{ id, elements, code string }{
		"an order that does not wait": {exact, "<CloseOrder>true</CloseOrder>", "5060"},
		"its name":                    {exact, "<Name>other</Name>", "5060"},
		"no such order":               {"none", "<CloseOrder>true</CloseOrder>", "5061"},
		"a stranger":                  {part, "<CloseOrder>true</CloseOrder><SiteId>1234</SiteId>", "5002"},
		"a lower-case element":        {part, "<closeOrder>true</closeOrder>", "5002"},
		"a flag that is none":         {part, "<CloseOrder>now</CloseOrder>", "5002"},
		"an underscore":               {part, "<CustomerOrderId>a_b</CustomerOrderId><CloseOrder>true</CloseOrder>", "5052"},
		"a long name":                 {part, "<Name>" + strings.Repeat("n", 51) + "</Name>", "5002"},
	} {
		if r := s.close(c.id, c.elements); r.status != 400 || !slices.Equal(s.read(r).Codes, []string{c.code}) {
			t.Errorf("%s: %+v; want %s", name, r, c.code)
		}
	}
	for _, body := range []string{"close, please", "<OrderResponse/>"} {
		if r := s.call("PUT", "/accounts/"+account+"/orders/"+part, body); r.status != 500 {
			t.Errorf("%q: %+v", body, r)
		}
	}
	if r := s.call("PUT", "/accounts/"+account+"/orders/"+part, "<Order/>", "Content-Type", "application/json"); r.status != 415 {
		t.Errorf("%+v", r)
	}
	// Without CloseOrder the names change, and the order waits on.
	if r := s.close(part, "<Name>other</Name><CustomerOrderId>c-9</CustomerOrderId><CloseOrder>false</CloseOrder>"); r.status != 200 {
		t.Errorf("%+v", r)
	}
	s.is(part, "BACKORDERED", "5520", "7105551000")
	if got := s.list("customerOrderId=c-9&page=1&size=10"); len(got.Orders) != 1 || got.Orders[0].ID != part || len(s.list("customerOrderId=c-1&page=1&size=10").Orders) != 0 {
		t.Errorf("%+v", got)
	}
	for _, id := range []string{part, none} {
		if r := s.close(id, "<CloseOrder>true</CloseOrder>"); r.status != 200 || !regexp.MustCompile(`<OrderResponse/>$`).MatchString(r.body) {
			t.Errorf("%+v", r)
		}
	}
	s.is(part, "PARTIAL", "5017", "7105551000")
	s.is(none, "FAILED", "5018")
	s.Restock("+17105551001", "+17105551002", "+17105551003")
	s.is(part, "PARTIAL", "5017", "7105551000")
	s.is(none, "FAILED", "5018")
	if s.Bought("+17105551001") != 0 {
		t.Error("a closed order bought")
	}
	s.SetStatus(exact, "BACKORDERED") // forced: closing lets it go its way
	if r := s.close(exact, "<CloseOrder>true</CloseOrder>"); r.status != 200 || s.get(exact).Status != "COMPLETE" {
		t.Errorf("%+v, %+v", r, s.get(exact))
	}
}

func TestFaultsOfClosing(t *testing.T) {
	for kind, c := range map[bwfake.FaultKind]struct {
		status         int
		broken, closed bool
	}{
		"": {200, false, true}, bwfake.LoseReplyAfter: {0, true, true}, bwfake.LoseReplyBefore: {0, true, false}, bwfake.ErrorAfter: {503, false, true},
		bwfake.ErrorBefore: {503, false, false}, bwfake.RateLimit: {429, false, false}, bwfake.Slow: {200, false, true}, bwfake.SlowBefore: {200, false, true},
		bwfake.Truncated: {200, true, true}, bwfake.Malformed: {200, false, true},
	} {
		s := start(t, bwfake.Options{})
		id := s.wait("c-1", 1, "backorder")
		if kind != "" {
			s.Inject(bwfake.Fault{Method: "PUT", Endpoint: bwfake.EndpointClose, CustomerOrderID: "c-1", Kind: kind, Status: 503, Delay: time.Millisecond, Times: 1})
		}
		r := s.close(id, "<CloseOrder>true</CloseOrder>")
		if r.status != c.status || (r.err != nil) != c.broken {
			t.Errorf("%s: %+v", kind, r)
		}
		if got := s.get(id).Status == "FAILED"; got != c.closed || s.Calls(bwfake.EndpointClose) != 1 {
			t.Errorf("%s: closed is %t after %d calls", kind, got, s.Calls(bwfake.EndpointClose))
		}
	}
}

// TestSearchTypes: each type sells what fits it.
func TestSearchTypes(t *testing.T) {
	for _, c := range []struct{ kind, criteria, fits string }{
		{"AreaCode", criteria("AreaCode", "435", "Quantity", "3"), `^435`},
		{"RateCenter", criteria("RateCenter", "RALEIGH", "State", "NC", "Quantity", "3", "EnableLCA", "false"), `^919`},
		{"NPANXX", criteria("NpaNxx", "919439", "EnableTNDetail", "true", "EnableLCA", "false", "Quantity", "3"), `^919439`},
		{"NPANXX", criteria("NpaNxx", "919439", "Quantity", "3"), `^919220`}, // local, and not what was meant
		{"State", criteria("Quantity", "3", "State", "CO"), `^303`},
		{"City", criteria("Quantity", "3", "City", "DENVER", "State", "CO"), `^303`},
		{"ZIP", criteria("Quantity", "3", "Zip", "27606"), `^919`},
		{"LATA", criteria("Quantity", "3", "Lata", "224"), `^919`},
		{"TollFreeVanity", criteria("Quantity", "3", "TollFreeVanity", "newcars"), `^8..6392277$`},
		{"TollFreeVanity", criteria("Quantity", "3", "TollFreeVanity", "CALL"), `^8.*2255`},
		{"TollFreeWildChar", criteria("Quantity", "3", "TollFreeWildCardPattern", "8**"), `^8(00|33|44|55|66|77|88)`},
		{"TollFreeWildChar", criteria("Quantity", "3", "TollFreeWildCardPattern", "83*"), `^833`},
		{"TollFreeWildChar", criteria("Quantity", "3", "TollFreeWildCardPattern", "855"), `^855`},
		{"Combined", criteria("Quantity", "3", "NpaNxxX", "9194391", "EnableLCA", "false"), `^9194391`},
		{"Combined", criteria("Quantity", "3", "NpaNxxX", "9194391"), `^919220`},
		{"Combined", criteria("NpaNxx", "919439", "City", "RALEIGH", "State", "NC", "EnableLCA", "false", "Quantity", "3"), `^919439`},
		{"Combined", criteria("NpaNxx", "919439", "Zip", "27606", "Quantity", "3"), `^919439`},
		{"Combined", criteria("AreaCode", "617", "LocalVanity", "cars", "Quantity", "3", "EndsIn", "true"), `^617.*2277$`},
		{"Combined", criteria("AreaCode", "617", "LocalVanity", "cars", "Quantity", "3"), `^617.*2277`},
	} {
		s := start(t, bwfake.Options{})
		r := s.search("c-1", c.kind, c.criteria, "")
		if r.status != 201 || !strings.Contains(r.body, "<"+c.kind+"SearchAndOrderType>"+c.criteria+"</"+c.kind+"SearchAndOrderType>") {
			t.Errorf("%s %s: %+v", c.kind, c.criteria, r)
			continue
		}
		got := s.get(s.read(r).ID)
		if got.Status != "COMPLETE" || len(got.Completed) != 3 || len(got.Asked) != 0 {
			t.Errorf("%s %s: %+v", c.kind, c.criteria, got)
		}
		for _, n := range got.Completed {
			if !regexp.MustCompile(c.fits).MatchString(n) || s.Bought("+1"+n) != 1 {
				t.Errorf("%s %s sold %s, and Bought says %d", c.kind, c.criteria, n, s.Bought("+1"+n))
			}
		}
		again := s.get(s.read(s.search("c-2", c.kind, c.criteria, "partial")).ID)
		for _, n := range again.Completed { // another order buys other numbers
			if slices.Contains(got.Completed, n) {
				t.Errorf("%s %s sold %s twice", c.kind, c.criteria, n)
			}
		}
	}
	s := start(t, bwfake.Options{})
	if got := s.get(s.read(s.search("c-1", "ZIP", criteria("Zip", "27606"), "")).ID); got.Status != "COMPLETE" || len(got.Completed) != 5000 {
		t.Errorf("without a quantity: %s with %d numbers; the documents say 5000", got.Status, len(got.Completed))
	}
	if got := s.get(s.read(s.search("c-2", "State", criteria("Quantity", "1", "State", "AK"), "")).ID); got.Status != "FAILED" {
		t.Errorf("a state without numbers: %+v", got)
	}
}

func TestSearchRefusals(t *testing.T) {
	s := start(t, bwfake.Options{})
	for _, c := range []struct{ kind, criteria, words, codes string }{
		{"AreaCode", criteria("Quantity", "1"), "", "5198"},
		{"AreaCode", criteria("AreaCode", "435"), "", "5198"},
		{"AreaCode", "", "", "5198"},
		{"TollFreeVanity", criteria("Quantity", "1"), "", "5199"},
		{"TollFreeVanity", criteria("TollFreeVanity", "newcars"), "", "5199"},
		{"RateCenter", criteria("RateCenter", "RALEIGH", "Quantity", "1"), "", "5224"},
		{"City", criteria("City", "RALEIGH", "Quantity", "1"), "", "5224"},
		{"City", criteria("City", "", "State", "NC", "Quantity", "1"), "", "5224"},
		{"ZIP", criteria("Quantity", "1"), "", "5224"},
		{"AreaCode", criteria("AreaCode", "435", "Quantity", "0"), "", "5215"},
		{"AreaCode", criteria("AreaCode", "435", "Quantity", "5001"), "", "5215"},
		{"AreaCode", criteria("AreaCode", "435", "Quantity", "one"), "", "5215"},
		{"AreaCode", criteria("AreaCode", "135", "Quantity", "1"), "", "5002"},
		{"AreaCode", criteria("AreaCode", "435", "Quantity", "1", "Quantity", "2"), "", "5002"},
		{"AreaCode", criteria("AreaCode", "435", "Quantity", "1", "EnableLCA", "false"), "", "5002"},
		{"AreaCode", criteria("AreaCode", "435", "quantity", "1"), "", "5002"},
		{"AreaCode", criteria("AreaCode", "<X>435</X>", "Quantity", "1"), "", "5002"},
		{"NPANXX", criteria("NpaNxx", "9194391", "Quantity", "1"), "", "5002"},
		{"NPANXX", criteria("NpaNxx", "919439", "EnableLCA", "no", "Quantity", "1"), "", "5002"},
		{"TollFreeWildChar", criteria("TollFreeWildCardPattern", "55*", "Quantity", "1"), "", "5002"},
		{"Combined", criteria("Quantity", "1"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "AreaCode", "919", "NpaNxx", "919439"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "City", "RALEIGH"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "RateCenter", "RALEIGH"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "AreaCode", "919", "EndsIn", "true"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "LocalVanity", "cars"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "AreaCode", "919", "LocalVanity", "cars", "State", "NC"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "AreaCode", "919", "EnableLCA", "true"), "", "5002"},
		{"Combined", criteria("Quantity", "1", "TollFreeVanity", "newcars"), "", "5002"},
		{"NPANXX", criteria("NpaNxx", "919439", "Quantity", "1"), "backorder", "5522"},
		{"Combined", criteria("NpaNxxX", "9194391", "Quantity", "1"), "backorder", "5522"},
		{"Combined", criteria("AreaCode", "617", "LocalVanity", "cars", "Quantity", "1"), "backorder", "5522"},
		{"TollFreeVanity", criteria("TollFreeVanity", "newcars", "Quantity", "1"), "backorder", "5522"},
		{"PhoneNumber", criteria("Quantity", "1"), "", "5087"},
	} {
		r := s.search("c-1", c.kind, c.criteria, c.words)
		codes := strings.Join(slices.Compact(slices.Sorted(slices.Values(s.read(r).Codes))), " ")
		if r.status != 400 || codes != c.codes || s.read(r).ID != "" {
			t.Errorf("%s %s: HTTP %d with %q; want %s", c.kind, c.criteria, r.status, codes, c.codes)
		}
	}
	exact := strings.Replace(orderXML("c-1", digits), "<BackOrderRequested>false", "<BackOrderRequested>true", 1)
	if r := s.call("POST", "/accounts/"+account+"/orders", exact); r.status != 400 || !slices.Equal(s.read(r).Codes, []string{"5522"}) {
		t.Errorf("a backorder of exact numbers: %+v", r)
	}
	two := strings.Replace(searchXML("c-1", "AreaCodeSearchAndOrderType", criteria("AreaCode", "435", "Quantity", "1"), ""), "<SiteId>",
		"<StateSearchAndOrderType>"+criteria("State", "NC", "Quantity", "1")+"</StateSearchAndOrderType><SiteId>", 1)
	if r := s.call("POST", "/accounts/"+account+"/orders", two); r.status != 400 {
		t.Errorf("two types: %+v", r)
	}
	if len(s.Orders()) != 0 {
		t.Errorf("refused orders were created: %v", s.Orders())
	}
}

// TestRecordedSearches: each recorded request is taken, but for those that the documents contradict.
func TestRecordedSearches(t *testing.T) {
	recorded(t, "openapi-v1/orders__post__request__*.xml") // or skip
	names, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "fixtures", "openapi-v1", "orders__post__request__*SearchAndOrderType*.xml"))
	if err != nil || len(names) < 12 {
		t.Fatalf("%d recorded requests, %v", len(names), err)
	}
	s := start(t, bwfake.Options{Sites: []bwfake.Site{{ID: "743", Peers: []bwfake.Peer{{ID: "1", Default: true}}}}})
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := 201
		if filepath.Base(name) == "orders__post__request__CombinedSearchAndOrderType.xml" {
			want = 400 // it shows all criteria at once, some of which exclude one another
		}
		if r := s.call("POST", "/accounts/"+account+"/orders", string(data)); r.status != want {
			t.Errorf("%s: %+v", filepath.Base(name), r)
		}
	}
}

// TestSearchesRace: of many orders by search no two get the same number.
func TestSearchesRace(t *testing.T) {
	s := start(t, bwfake.Options{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if r := s.search(fmt.Sprintf("c-%d", i), "AreaCode", criteria("AreaCode", bwfake.DryAreaCode, "Quantity", "2"), "backorder partial"); r.status != 201 {
				t.Errorf("%+v", r)
			}
			s.Restock(fmt.Sprintf("+1710555%04d", 1000+i))
			s.list("page=1&size=100")
			s.Purchases()
		})
	}
	wg.Wait()
	held := map[string]int{}
	for _, p := range s.Purchases() {
		for _, n := range p.Numbers {
			held[n]++
		}
	}
	if len(held) != 20 {
		t.Errorf("%d numbers were sold", len(held))
	}
	for n, times := range held {
		if times != 1 || s.Bought(n) != 1 {
			t.Errorf("%s was sold %d times, and Bought says %d", n, times, s.Bought(n))
		}
	}
}
