package bwfake_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
)

const portinsPath = "/accounts/" + account + "/portins"

// portInXML is a documented port-in of numbers, ten digits each, with more elements.
func portInXML(coid, more string, numbers ...string) string {
	return "<LnpOrder><CustomerOrderId>" + coid + "</CustomerOrderId><SiteId>1234</SiteId><LoaAuthorizingPerson>The Authguy</LoaAuthorizingPerson>" +
		"<ListOfPhoneNumbers><PhoneNumber>" + strings.Join(numbers, "</PhoneNumber><PhoneNumber>") + "</PhoneNumber></ListOfPhoneNumbers>" + more + "</LnpOrder>"
}

const draftXML = "<ProcessingStatus>DRAFT</ProcessingStatus>"

// portInAnswer is LnpOrderResponse as it is documented.
type portInAnswer struct {
	XMLName xml.Name `xml:"LnpOrderResponse"`
	ID      string   `xml:"OrderId"`
	Status  string   `xml:"ProcessingStatus"`
	Codes   []string `xml:"Errors>Code"`
	About   []string `xml:"Errors>TelephoneNumbers>Tn"`
	Coid    string   `xml:"CustomerOrderId"`
	Numbers []string `xml:"ListOfPhoneNumbers>PhoneNumber"`
}

func (s *sim) ported(r reply) portInAnswer {
	s.t.Helper()
	var out portInAnswer
	if err := xml.Unmarshal([]byte(r.body), &out); err != nil {
		s.t.Fatalf("%v in %+v", err, r)
	}
	out.XMLName = xml.Name{}
	return out
}

// port creates a port-in and returns its id.
func (s *sim) port(coid, more string, numbers ...string) string {
	s.t.Helper()
	r := s.call("POST", portinsPath, portInXML(coid, more, numbers...))
	if r.status != 201 {
		s.t.Fatalf("%+v", r)
	}
	return s.ported(r).ID
}

func (s *sim) getPortIn(id string) portInAnswer {
	s.t.Helper()
	return s.ported(s.call("GET", portinsPath+"/"+id, ""))
}

// listed returns the ids of a list of port-ins.
func (s *sim) listed(query string) []string {
	s.t.Helper()
	var out struct {
		IDs []string `xml:"lnpPortInfoForGivenStatus>OrderId"`
	}
	r := s.call("GET", portinsPath+"?page=1&size=10&"+query, "")
	if err := xml.Unmarshal([]byte(r.body), &out); err != nil || r.status != 200 {
		s.t.Fatalf("%s: %v in %+v", query, err, r)
	}
	return out.IDs
}

// TestPortInOverTime: the words follow each other, and the numbers are the account's when the last one is reached.
func TestPortInOverTime(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := start(t, bwfake.Options{PortInStep: time.Hour, Now: func() time.Time { return now }})
	r := s.call("POST", portinsPath, portInXML("c-1", "", digits, "9195551235"))
	created := s.ported(r)
	if r.status != 201 || created.Status != "SUBMITTED" || !strings.HasSuffix(r.header.Get("Location"), "/portins/"+created.ID) {
		t.Fatalf("%+v", r)
	}
	for _, c := range []struct {
		word string
		held int
	}{{"SUBMITTED", 0}, {"FOC", 0}, {"COMPLETE", 2}} {
		got := s.getPortIn(created.ID)
		if diff := cmp.Diff(portInAnswer{Status: c.word, Coid: "c-1", Numbers: []string{digits, "9195551235"}}, got); diff != "" {
			t.Errorf("%s:\n%s", c.word, diff)
		}
		ledger := s.PortIns()
		if len(ledger) != 1 || ledger[0].Status != c.word || len(ledger[0].Numbers) != c.held || len(ledger[0].Asked) != 2 || ledger[0].OrderID != created.ID {
			t.Errorf("%s: the ledger has %+v", c.word, ledger)
		}
		status, _ := s.numberStatus(digits)
		if (status == 200) != (c.held > 0) {
			t.Errorf("%s: GET /tns is %d", c.word, status)
		}
		now = now.Add(time.Hour)
	}
	if r := s.call("GET", "/tns/"+digits, ""); !strings.Contains(r.body, "<OrderId>"+created.ID+"</OrderId><OrderType>PORT_IN</OrderType>") {
		t.Error(r.body)
	}
	if s.Bought(number) != 0 || len(s.Purchases()) != 0 {
		t.Error("a port-in counts as a purchase")
	}
}

// TestPortInDrafts: lists leave them out, they wait for ever or until they are dropped, and can be submitted.
func TestPortInDrafts(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := start(t, bwfake.Options{Now: func() time.Time { return now }})
	id := s.port("c-1", draftXML, digits)
	if got := s.getPortIn(id); got.Status != "DRAFT" {
		t.Errorf("%+v", got)
	}
	for query, want := range map[string][]string{
		"customerOrderId=c-1": nil, "status=draft": {id}, "customerOrderId=c-1&status=DRAFT": {id}, "customerOrderId=c-2&status=draft": nil, "status=foc": nil,
	} {
		if got := s.listed(query); !slices.Equal(got, want) {
			t.Errorf("%s lists %v", query, got)
		}
	}
	now = now.Add(47 * time.Hour)
	s.SetPortIn(id, "")
	if got := s.getPortIn(id); got.Status != "COMPLETE" || !slices.Equal(s.listed("customerOrderId=c-1"), []string{id}) {
		t.Errorf("submitted: %+v", got)
	}
	for _, drop := range []func(string){func(string) { now = now.Add(48 * time.Hour) }, s.DropPortIn} {
		gone := s.port("c-2", draftXML, "9195559999")
		drop(gone)
		if r := s.call("GET", portinsPath+"/"+gone, ""); r.status != 404 || len(s.listed("status=draft")) != 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestPortInEnds: what goes wrong by number, and what a test puts it into.
func TestPortInEnds(t *testing.T) {
	s := start(t, bwfake.Options{})
	r := s.call("POST", portinsPath, portInXML("c-1", "", "9195550720"))
	created := s.ported(r)
	if r.status != 201 || created.Status != "EXCEPTION" || !slices.Equal(created.Codes, []string{"7331"}) || created.ID == "" {
		t.Errorf("%+v", r)
	}
	if got := s.getPortIn(created.ID); got.Status != "EXCEPTION" || len(got.Codes) != 1 {
		t.Errorf("%+v", got)
	}
	s.SetPortIn(created.ID, "")
	if got := s.getPortIn(created.ID); got.Status != "COMPLETE" || got.Codes != nil {
		t.Errorf("mended: %+v", got)
	}
	cancelled := s.port("c-2", "", "9195550730")
	if got := s.getPortIn(cancelled); got.Status != "CANCELLED" || !slices.Equal(got.Codes, []string{"7205"}) {
		t.Errorf("%+v", got)
	}
	if status, _ := s.numberStatus("9195550730"); status != 404 {
		t.Errorf("the number of a cancelled port-in: %d", status)
	}
	waiting := s.port("c-3", draftXML, "9195550001")
	s.SetPortIn(waiting, "PENDING_DOCUMENTS", "7380 An LOA is missing.")
	if got := s.getPortIn(waiting); got.Status != "PENDING_DOCUMENTS" || !slices.Equal(got.Codes, []string{"7380"}) {
		t.Errorf("%+v", got)
	}
}

// TestPortInRefused: what the documents do not allow is refused, and leaves nothing behind.
func TestPortInRefused(t *testing.T) {
	s := start(t, bwfake.Options{PortInStep: time.Hour})
	s.port("c-0", "", "9195550001")
	here := s.port("c-00", "", "9195550002")
	s.SetPortIn(here, "COMPLETE")
	plain := portInXML("c-1", "", digits)
	long := strings.Repeat("a", 26)
	for name, c := range map[string]struct {
		body string
		code string
	}{
		"no site":             {strings.Replace(plain, "<SiteId>1234</SiteId>", "", 1), "7309"},
		"another site":        {strings.Replace(plain, "1234</SiteId>", "9</SiteId>", 1), "7309"},
		"another peer":        {strings.Replace(plain, "<LoaA", "<PeerId>1</PeerId><LoaA", 1), "7312"},
		"a bad id":            {strings.Replace(plain, "c-1", "c_1", 1), "7318"},
		"a long id":           {strings.Replace(plain, "c-1", strings.Repeat("c", 41), 1), "7318"},
		"an unknown element":  {strings.Replace(plain, "<SiteId>", "<Name>x</Name><SiteId>", 1), "1008"},
		"an E.164 number":     {portInXML("c-1", "", "+19195551234"), "1008"},
		"no number":           {strings.Replace(plain, "<PhoneNumber>"+digits+"</PhoneNumber>", "", 1), "1008"},
		"a number twice":      {portInXML("c-1", "", digits, digits), "1008"},
		"an ordinary order's": {strings.NewReplacer("ListOfPhoneNumbers", "TelephoneNumberList", "PhoneNumber", "TelephoneNumber").Replace(plain), "1008"},
		"no person":           {strings.Replace(plain, "<LoaAuthorizingPerson>The Authguy</LoaAuthorizingPerson>", "", 1), "1003"},
		"a long person":       {strings.Replace(plain, "The Authguy", "The Authguy The A", 1), "1008"},
		"a long name":         {portInXML("c-1", "<Subscriber><LastName>"+long+"</LastName></Subscriber>", digits), "1008"},
		"another address":     {portInXML("c-1", "<Subscriber><ServiceAddress><Street>x</Street></ServiceAddress></Subscriber>", digits), "1008"},
		"another secret":      {portInXML("c-1", "<WirelessInfo><Pin>x</Pin></WirelessInfo>", digits), "1008"},
		"another status":      {portInXML("c-1", "<ProcessingStatus>SUBMITTED</ProcessingStatus>", digits), "1008"},
		"a bad flag":          {portInXML("c-1", "<Triggered>perhaps</Triggered>", digits), "1008"},
		"on its way":          {portInXML("c-1", "", "9195550001"), "7205"},
		"here":                {portInXML("c-1", "", "9195550002"), "7206"},
	} {
		r := s.call("POST", portinsPath, c.body)
		got := s.ported(r)
		if r.status != 400 || got.ID != "" || got.Status != "EXCEPTION" || !slices.Contains(got.Codes, c.code) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for body, status := range map[string]int{"<Order/>": 500, "<LnpOrder>": 500} {
		if r := s.call("POST", portinsPath, body); r.status != status {
			t.Errorf("%s: %+v", body, r)
		}
	}
	if r := s.call("POST", portinsPath, plain, "Content-Type", "application/json"); r.status != 415 {
		t.Errorf("JSON: %+v", r)
	}
	if n := len(s.PortIns()); n != 2 {
		t.Errorf("%d port-ins are in the ledger, want 2", n)
	}
	for query, status := range map[string]int{"": 404, "?page=1": 404, "?page=1&size=1001": 404, "?page=1&size=10&status=pondering": 400} {
		if r := s.call("GET", portinsPath+query, ""); r.status != status {
			t.Errorf("list %q: %d, want %d", query, r.status, status)
		}
	}
}

// TestPortInFaults: the faults of a POST and of reads do to port-ins what they do to orders.
func TestPortInFaults(t *testing.T) {
	for _, c := range []struct {
		kind    bwfake.FaultKind
		status  int // 0: the connection breaks
		created int
	}{
		{bwfake.LoseReplyAfter, 0, 1}, {bwfake.LoseReplyBefore, 0, 0}, {bwfake.ErrorAfter, 500, 1}, {bwfake.ErrorBefore, 500, 0},
		{bwfake.RateLimit, 429, 0}, {bwfake.NoID, 201, 1}, {bwfake.LocationOnly, 201, 1}, {bwfake.Malformed, 201, 1},
	} {
		s := start(t, bwfake.Options{})
		s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortIn, CustomerOrderID: "c-1", Kind: c.kind, Times: 1})
		r := s.call("POST", portinsPath, portInXML("c-1", "", digits))
		if r.status != c.status || len(s.PortIns()) != c.created || s.Calls(bwfake.EndpointPortIn) != 1 {
			t.Errorf("%s: %d, %d created, %d calls", c.kind, r.status, len(s.PortIns()), s.Calls(bwfake.EndpointPortIn))
		}
		if named := r.header.Get("Location") != ""; strings.Contains(r.body, "<OrderId>") || named != (c.kind == bwfake.LocationOnly) {
			t.Errorf("%s: Location %q, %s", c.kind, r.header.Get("Location"), r.body)
		}
	}
	s := start(t, bwfake.Options{})
	id := s.port("c-1", "", digits)
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortInGet, CustomerOrderID: "c-1", Kind: bwfake.UnknownStatus, Times: 1})
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortInGet, Kind: bwfake.EmptyNumbers, Times: 1})
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Kind: bwfake.NoCustomerOrderID, Times: 1})
	if got := s.getPortIn(id); got.Status != "PONDERING" {
		t.Errorf("%+v", got)
	}
	if got := s.getPortIn(id); got.Status != "COMPLETE" || got.Numbers != nil {
		t.Errorf("%+v", got)
	}
	if r := s.call("GET", portinsPath+"?page=1&size=10", ""); strings.Contains(r.body, "c-1") || !strings.Contains(r.body, id) {
		t.Error(r.body)
	}
}

// TestPortInTakesTheRecordedRequests: what is documented is taken.
func TestPortInTakesTheRecordedRequests(t *testing.T) {
	for _, name := range []string{"On-net_NANP_Port-in", "Automated_NANP_Toll-Free_Port-in"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "fixtures", "openapi-v1", "portins__post__request__"+name+".xml"))
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		body := strings.NewReplacer("    SITE ID     ", "1234", "  SIPPEER ID    ", "234222", "2439", "1234", "23432", "234222").Replace(string(data))
		s := start(t, bwfake.Options{})
		if r := s.call("POST", portinsPath, body); r.status != 201 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
