package bwfake_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
)

// disconnect sends a disconnect with the elements of its type.
func (s *sim) disconnect(elements string, beside ...string) reply {
	s.t.Helper()
	return s.call("POST", "/accounts/"+account+"/disconnects", "<DisconnectTelephoneNumberOrder>"+strings.Join(beside, "")+
		"<DisconnectTelephoneNumberOrderType>"+elements+"</DisconnectTelephoneNumberOrderType></DisconnectTelephoneNumberOrder>")
}

func numberList(numbers ...string) string {
	return "<TelephoneNumberList><TelephoneNumber>" + strings.Join(numbers, "</TelephoneNumber><TelephoneNumber>") + "</TelephoneNumber></TelephoneNumberList>"
}

// disconnectAnswer is DisconnectTelephoneNumberOrderResponse as it is documented.
type disconnectAnswer struct {
	XMLName  xml.Name `xml:"DisconnectTelephoneNumberOrderResponse"`
	Status   string   `xml:"OrderStatus"`
	Released []string `xml:"DisconnectedTelephoneNumberList>TelephoneNumber"`
	Codes    []string `xml:"ErrorList>Error>Code"`
	About    []string `xml:"ErrorList>Error>TelephoneNumber"`
	ID       string   `xml:"orderRequest>id"`
	Name     string   `xml:"orderRequest>Name"`
	Mode     string   `xml:"orderRequest>DisconnectTelephoneNumberOrderType>DisconnectMode"`
	Asked    []string `xml:"orderRequest>DisconnectTelephoneNumberOrderType>TelephoneNumberList>TelephoneNumber"`
}

func (s *sim) disconnected(r reply) disconnectAnswer {
	s.t.Helper()
	var out disconnectAnswer
	if err := xml.Unmarshal([]byte(r.body), &out); err != nil {
		s.t.Fatalf("%v in %+v", err, r)
	}
	out.XMLName = xml.Name{}
	return out
}

func (s *sim) getDisconnect(id string) disconnectAnswer {
	s.t.Helper()
	return s.disconnected(s.call("GET", "/accounts/"+account+"/disconnects/"+id+"?tndetail=true", ""))
}

// numberStatus is the status of GET /tns/{tn}, and of the number there.
func (s *sim) numberStatus(tn string) (int, string) {
	r := s.call("GET", "/tns/"+tn, "")
	_, rest, _ := strings.Cut(r.body, "<Status>")
	word, _, _ := strings.Cut(rest, "<")
	return r.status, word
}

func TestDisconnectTakesItsTime(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now, CompleteAfter: time.Minute})
	first := s.buy("c-1", digits, "9195551236")
	second := s.buy("c-2", "9195551235")
	r := s.disconnect(numberList(digits, "9195551235", "9195559999")+"<DisconnectMode>normal</DisconnectMode><Protected>UNCHANGED</Protected>", "<Name>give back</Name>", "<CustomerOrderId>d-1</CustomerOrderId>")
	got := s.disconnected(r)
	if r.status != 201 || got.ID == "" || got.Status != "RECEIVED" || got.Name != "give back" || !strings.HasSuffix(r.header.Get("Location"), "/disconnects/"+got.ID) {
		t.Fatalf("%+v", r)
	}
	twice := s.disconnected(s.disconnect(numberList(digits))).ID
	c.pass(time.Minute - 1)
	if got := s.getDisconnect(got.ID); got.Status != "RECEIVED" || len(got.Released) != 0 || len(got.Codes) != 0 || s.Bought(number) != 1 || len(s.Releases()) != 0 {
		t.Errorf("just before: %+v", got)
	}
	c.pass(1)
	want := []bwfake.Release{{
		DisconnectID: got.ID, CustomerOrderID: "d-1", Name: "give back", Numbers: []string{number, "+19195551235"},
		Holders: map[string]string{number: first, "+19195551235": second}, At: c.now,
	}}
	if diff := cmp.Diff(want, s.Releases()); diff != "" { // without a call in between
		t.Error(diff)
	}
	if s.Bought(number) != 0 || s.Bought("+19195551236") != 1 {
		t.Errorf("bought %d and %d times", s.Bought(number), s.Bought("+19195551236"))
	}
	if diff := cmp.Diff(disconnectAnswer{
		Status: "PARTIAL", Released: []string{digits, "9195551235"}, Codes: []string{"5006"}, About: []string{"9195559999"}, ID: got.ID, Name: "give back",
		Mode: "normal", Asked: []string{digits, "9195551235", "9195559999"},
	}, s.getDisconnect(got.ID)); diff != "" {
		t.Error(diff)
	}
	if got := s.getDisconnect(twice); got.Status != "FAILED" || !slices.Equal(got.Codes, []string{"5006"}) || len(got.Released) != 0 {
		t.Errorf("the second one for a number: %+v", got)
	}
	if s.buy("c-3", digits); s.Bought(number) != 1 {
		t.Error("a released number is not for sale")
	}
}

func TestAging(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now, Aging: time.Hour})
	s.Restock("+17105551000", "+17105551001")
	s.buy("c-1", "7105551000", "7105551001", digits)
	s.disconnect(numberList("7105551000", digits))
	s.disconnect(numberList("7105551001") + "<DisconnectMode>purge</DisconnectMode>")
	waits := s.wait("c-2", 2, "backorder partial")
	s.is(waits, "BACKORDERED", "5520", "7105551001") // purged, so that it is for sale
	if code, word := s.numberStatus("7105551000"); code != 200 || word != "Aging" || strings.Contains(s.call("GET", "/tns/7105551000", "").body, "OrderId") {
		t.Errorf("aging: HTTP %d, %s", code, word)
	}
	if r := s.call("GET", "/accounts/"+account+"/inserviceNumbers/7105551000", ""); r.status != 404 {
		t.Errorf("aging is in service: %+v", r)
	}
	if s.buy("c-3", digits); s.Bought(number) != 1 { // whoever had it gets it back
		t.Error("an aging number cannot be ordered back")
	}
	if code, word := s.numberStatus(digits); code != 200 || word != "Inservice" {
		t.Errorf("ordered back: HTTP %d, %s", code, word)
	}
	s.disconnect(numberList(digits) + "<DisconnectMode>purge</DisconnectMode>")
	if code, _ := s.numberStatus(digits); code != 404 {
		t.Errorf("purged after it was ordered back: HTTP %d", code)
	}
	c.pass(time.Hour - 1)
	s.is(waits, "BACKORDERED", "5520", "7105551001")
	c.pass(1)
	s.is(waits, "COMPLETE", "", "7105551001", "7105551000")
	none := start(t, bwfake.Options{})
	none.buy("c-1", digits)
	none.disconnect(numberList(digits))
	if code, _ := none.numberStatus(digits); code != 404 {
		t.Errorf("without aging: HTTP %d", code)
	}
}

func TestDisconnectRefusals(t *testing.T) {
	s := start(t, bwfake.Options{})
	s.buy("c-1", digits)
	many := make([]string, 5001)
	for i := range many {
		many[i] = fmt.Sprintf("919%03d%04d", 300+i/1000, i)
	}
	list := numberList(digits)
	for name, c := range map[string]struct{ elements, beside, code string }{
		"a mode that is none":        {list + "<DisconnectMode>hard</DisconnectMode>", "", "5084"},
		"a mode for others":          {list + "<DisconnectMode>soft-remove</DisconnectMode>", "", "5085"},
		"a word for protection":      {list + "<Protected>true</Protected>", "", "5108"},
		"purge and protect":          {list + "<DisconnectMode>purge</DisconnectMode><Protected>TRUE</Protected>", "", "5109"},
		"a stranger":                 {list + "<Mode>normal</Mode>", "", "5002"},
		"a stranger beside":          {list, "<SiteId>1</SiteId>", "5002"},
		"an underscore":              {list, "<CustomerOrderId>a_b</CustomerOrderId>", "5052"},
		"a long name":                {list, "<Name>" + strings.Repeat("n", 51) + "</Name>", "5002"},
		"no list":                    {"", "", "5001"},
		"a number in E.164":          {numberList(number), "", "5070"},
		"a number twice":             {numberList(digits, digits), "", "5072"},
		"too many":                   {numberList(many...), "", "5095"},
		"another element in a list":  {"<TelephoneNumberList><Tn>" + digits + "</Tn></TelephoneNumberList>", "", "5002"},
		"another element for a list": {"<Numbers>" + digits + "</Numbers>", "", "5002"},
	} {
		r := s.disconnect(c.elements, c.beside)
		if got := s.disconnected(r); r.status != 400 || !slices.Contains(got.Codes, c.code) || got.ID != "" || r.header.Get("Location") != "" {
			t.Errorf("%s: %+v; want %s", name, r, c.code)
		}
	}
	path := "/accounts/" + account + "/disconnects"
	if r := s.call("POST", path, "<DisconnectTelephoneNumberOrder>"+list+"</DisconnectTelephoneNumberOrder>"); r.status != 400 {
		t.Errorf("without the type's wrapper: %+v", r)
	}
	if r := s.call("POST", path, "<DisconnectTelephoneNumberOrder/>", "Content-Type", "application/json"); r.status != 415 {
		t.Errorf("%+v", r)
	}
	if len(s.Releases()) != 0 || s.Bought(number) != 1 {
		t.Errorf("refused disconnects released: %v", s.Releases())
	}
	if r := s.disconnect(list, "<name>as the guides have it</name>"); r.status != 201 || len(s.Releases()) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestProtected: a protected number is not purged, unless the disconnect says so.
func TestProtected(t *testing.T) {
	s := start(t, bwfake.Options{})
	body := strings.Replace(orderXML("c-1", digits), "<SiteId>", "<TnAttributes><TnAttribute>Protected</TnAttribute></TnAttributes><SiteId>", 1)
	if r := s.call("POST", "/accounts/"+account+"/orders", body); r.status != 201 {
		t.Fatalf("%+v", r)
	}
	s.buy("c-2", "9195551235")
	got := s.getDisconnect(s.disconnected(s.disconnect(numberList(digits, "9195551235") + "<DisconnectMode>purge</DisconnectMode>")).ID)
	if got.Status != "PARTIAL" || !slices.Equal(got.Codes, []string{"5109"}) || !slices.Equal(got.About, []string{digits}) || !slices.Equal(got.Released, []string{"9195551235"}) {
		t.Errorf("%+v", got)
	}
	got = s.getDisconnect(s.disconnected(s.disconnect(numberList(digits) + "<DisconnectMode>purge</DisconnectMode><Protected>FALSE</Protected>")).ID)
	if got.Status != "COMPLETE" || s.Bought(number) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestFaultsOfDisconnects(t *testing.T) {
	for kind, c := range map[bwfake.FaultKind]struct {
		status           int
		broken, released bool
		id, location     bool
	}{
		"": {201, false, true, true, true}, bwfake.LoseReplyAfter: {0, true, true, false, false}, bwfake.LoseReplyBefore: {0, true, false, false, false},
		bwfake.ErrorAfter: {503, false, true, false, false}, bwfake.ErrorBefore: {503, false, false, false, false}, bwfake.RateLimit: {429, false, false, false, false},
		bwfake.Slow: {201, false, true, true, true}, bwfake.SlowBefore: {201, false, true, true, true}, bwfake.Truncated: {201, true, true, true, true},
		bwfake.Malformed: {201, false, true, false, false}, bwfake.NoID: {201, false, true, false, false}, bwfake.LocationOnly: {201, false, true, false, true},
	} {
		s := start(t, bwfake.Options{})
		s.buy("c-1", digits)
		if kind != "" {
			s.Inject(bwfake.Fault{Method: "POST", Endpoint: bwfake.EndpointDisconnect, CustomerOrderID: "d-1", Kind: kind, Status: 503, Delay: time.Millisecond, Times: 1})
		}
		s.disconnect(numberList("9195559999"), "<CustomerOrderId>d-2</CustomerOrderId>") // not meant
		r := s.disconnect(numberList(digits), "<CustomerOrderId>d-1</CustomerOrderId>")
		if r.status != c.status || (r.err != nil) != c.broken || (strings.Contains(r.body, "<id>") != c.id && kind != bwfake.Truncated) || (r.header.Get("Location") != "") != c.location {
			t.Errorf("%s: %+v", kind, r)
		}
		if got := len(s.Releases()) == 1; got != c.released || (s.Bought(number) == 0) != c.released {
			t.Errorf("%s: %v", kind, s.Releases())
		}
		if last := s.Requests(); last[len(last)-1].CustomerOrderID != "d-1" || last[len(last)-1].Endpoint != bwfake.EndpointDisconnect {
			t.Errorf("%s: recorded as %+v", kind, last[len(last)-1])
		}
	}
	once := start(t, bwfake.Options{})
	once.Inject(bwfake.Fault{Kind: bwfake.LoseReplyAfter, Times: 1}) // any request: this one, not each of its steps
	if r := once.disconnect(numberList(digits)); r.err == nil {
		t.Errorf("a fault of any request: %+v", r)
	}
	s := start(t, bwfake.Options{DisconnectStatus: 200})
	if r := s.disconnect(numberList(digits)); r.status != 200 || s.disconnected(r).ID == "" {
		t.Errorf("200: %+v", r)
	}
}

// TestRecordedDisconnects: each recorded request is taken.
func TestRecordedDisconnects(t *testing.T) {
	recorded(t, "guides/disconnect*_01_*.xml") // or skip
	s := start(t, bwfake.Options{})
	dir := filepath.Join("..", "..", "..", "shared", "fixtures")
	for _, name := range []string{
		"openapi-v1/disconnects__post__request__example.xml", "guides/disconnectNumbers_01_DisconnectTelephoneNumberOrder.xml",
		"guides/disconnectSummary_01_DisconnectTelephoneNumberOrder.xml", "guides/numberOrderingSummary_05_DisconnectTelephoneNumberOrder.xml",
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if r := s.call("POST", "/accounts/"+account+"/disconnects", string(data)); r.status != 201 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestMoreShapes compares more answers with the recorded ones, as TestShapes does.
func TestMoreShapes(t *testing.T) {
	s := start(t, bwfake.Options{Aging: time.Hour})
	s.Restock("+17105551000")
	created := s.search("c-1", "AreaCode", criteria("AreaCode", bwfake.DryAreaCode, "Quantity", "2"), "backorder partial")
	id := s.read(created).ID
	s.buy("c-2", digits)
	disconnected := s.disconnect(numberList(digits)+"<DisconnectMode>normal</DisconnectMode><Protected>UNCHANGED</Protected>", "<CustomerOrderId>d-1</CustomerOrderId>")
	orders := "/accounts/" + account + "/orders/"
	for _, c := range []struct {
		name                        string
		got                         reply
		recorded, documented, needs []string
	}{
		{
			name: "a created order by search", got: created, recorded: []string{"guides/numberOrderingSummary_03_*.xml", "openapi-v1/orders__post__201__*.xml"},
			documented: []string{"OrderResponse/Order/PeerId"}, // an order's own element
			needs:      []string{"OrderResponse/Order/id", "OrderResponse/Order/AreaCodeSearchAndOrderType/AreaCode", "OrderResponse/Order/AreaCodeSearchAndOrderType/Quantity"},
		},
		{
			name: "an order that waits", got: s.call("GET", orders+id, ""), recorded: []string{"openapi-v1/orders-orderId__get__*.xml", "guides/onDemandNumberSearchAndOrder_0[78]_*.xml"},
			needs: []string{"OrderResponse/OrderStatus", "OrderResponse/CompletedNumbers/TelephoneNumber/FullNumber", "OrderResponse/Order/AreaCodeSearchAndOrderType/Quantity"},
		},
		{name: "a closed order", got: s.close(id, "<CloseOrder>true</CloseOrder>"), recorded: []string{"openapi-v1/orders-orderId__put__200__*.xml"}, needs: []string{"OrderResponse"}},
		{
			name: "a refused closing", got: s.close(id, "<CloseOrder>true</CloseOrder>"), recorded: []string{"openapi-v1/orders__post__400__*.xml"},
			needs: []string{"OrderResponse/ErrorList/Error/Code"},
		},
		{
			name: "a disconnect", got: disconnected, recorded: []string{"openapi-v1/disconnects__post__201__*.xml"},
			needs: []string{"DisconnectTelephoneNumberOrderResponse/orderRequest/CustomerOrderId", "DisconnectTelephoneNumberOrderResponse/orderRequest/DisconnectTelephoneNumberOrderType/Protected"},
		},
		{
			name: "a disconnect later", got: s.call("GET", strings.Replace(orders, "orders", "disconnects", 1)+s.disconnected(disconnected).ID, ""),
			recorded:   []string{"openapi-v1/disconnects-disconnectId__get__*.xml", "guides/disconnectNumbers_03_*.xml"},
			documented: []string{"DisconnectTelephoneNumberOrderResponse/orderRequest/CustomerOrderId"}, // as in the answer to the POST
			needs:      []string{"DisconnectTelephoneNumberOrderResponse/DisconnectedTelephoneNumberList/TelephoneNumber", "DisconnectTelephoneNumberOrderResponse/OrderStatus"},
		},
		{
			name: "an aging number", got: s.call("GET", "/tns/"+digits, ""), recorded: []string{"openapi-v1/tns-tn__get__*.xml"},
			needs: []string{"TelephoneNumberResponse/TelephoneNumber", "TelephoneNumberResponse/Status"},
		},
	} {
		known := recorded(t, c.recorded...)
		for _, p := range c.documented {
			known[p] = true
		}
		got := elements(t, c.got.body)
		for p := range got {
			if !known[p] {
				t.Errorf("%s: no recording has %s", c.name, p)
			}
		}
		for _, p := range c.needs {
			if !got[p] || !known[p] {
				t.Errorf("%s: %s is missing (recorded: %t)\n%s", c.name, p, known[p], c.got.body)
			}
		}
	}
}

// TestSteerStock: stock and releases from outside.
func TestSteerStock(t *testing.T) {
	s := start(t, bwfake.Options{Control: true})
	id := s.wait("c-1", 1, "backorder")
	base := strings.TrimSuffix(s.URL, "/api")
	if r := s.call("POST", base+"/_sim/restock", `{"numbers":["+17105551000"]}`); r.status != 204 {
		t.Errorf("%+v", r)
	}
	s.is(id, "COMPLETE", "", "7105551000")
	s.disconnect(numberList("7105551000"))
	var releases []bwfake.Release
	if err := json.Unmarshal([]byte(s.call("GET", base+"/_sim/releases", "").body), &releases); err != nil || len(releases) != 1 || releases[0].Holders["+17105551000"] != id {
		t.Errorf("%v, %+v", err, releases)
	}
}
