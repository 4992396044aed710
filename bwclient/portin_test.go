package bwclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

const (
	pin           = "4711"
	accountNumber = "771297665AABC"
)

// portInBody is a body that names a port-in.
const portInBody = `<LnpOrderResponse><OrderId>` + orderID + `</OrderId><Status><Code>201</Code><Description>ok</Description></Status><ProcessingStatus>SUBMITTED</ProcessingStatus></LnpOrderResponse>`

func portInRefusal(codes ...string) string {
	var b strings.Builder
	b.WriteString("<LnpOrderResponse><Status><Code>400</Code><Description>Validation Failed.</Description></Status>")
	for _, c := range codes {
		fmt.Fprintf(&b, "<Errors><Code>%s</Code><Description>no</Description></Errors>", c)
	}
	b.WriteString("<ProcessingStatus>EXCEPTION</ProcessingStatus><SiteId>743</SiteId></LnpOrderResponse>")
	return b.String()
}

// statusRefusal says in the status, and nowhere else, what is wrong.
func statusRefusal(code string) string {
	return strings.Replace(portInRefusal(), "<Code>400</Code>", "<Code>"+code+"</Code>", 1)
}

// portIn is a port-in of numbers, with secrets.
func portIn(numbers ...string) bwclient.PortIn {
	if len(numbers) == 0 {
		numbers = []string{number}
	}
	return bwclient.PortIn{
		CustomerOrderID: "East-coast-kq3", SiteID: "743", Numbers: numbers, LoaAuthorizingPerson: "The Authguy",
		WirelessInfo: &bwclient.WirelessInfo{AccountNumber: accountNumber, PinNumber: pin},
	}
}

func yes() *bool { b := true; return &b }

var portIns = map[string]bwclient.PortIn{
	"full": {
		CustomerOrderID: "East-coast-kq3", SiteID: "743", PeerID: "303716", Numbers: []string{number, "+18042105666"}, RequestedFocDate: "2016-03-25T21:15:00.000Z",
		BillingTelephoneNumber: number, NewBillingTelephoneNumber: "+19175131245",
		Subscriber: &bwclient.Subscriber{SubscriberType: "BUSINESS", FirstName: "First", LastName: "Last", ServiceAddress: &bwclient.ServiceAddress{
			HouseNumber: "11235", StreetName: "Back", City: "Denver", StateCode: "CO", Zip: "27541", County: "Canyon",
		}},
		LoaAuthorizingPerson: "The Authguy", WirelessInfo: &bwclient.WirelessInfo{AccountNumber: accountNumber, PinNumber: pin}, TnAttributes: []string{"Protected", "External"},
		Triggered: yes(), PartialPort: new(bool), AlternateSpid: "X455", Draft: true,
	},
	"toll_free": {CustomerOrderID: "c", SiteID: "743", Numbers: []string{"+18774809871"}, RequestedFocDate: "2026-03-02", LoaAuthorizingPerson: "Zoë Müller", TargetRespOrgID: "JYT01"},
	"escaping": {CustomerOrderID: "c", SiteID: "743", Numbers: []string{number}, RequestedFocDate: "2026-03-02Z", Subscriber: &bwclient.Subscriber{BusinessName: `Müller & Söhne <"東京'>`, ServiceAddress: &bwclient.ServiceAddress{
		HousePrefix: "A", HouseNumber: "1", HouseSuffix: "½", PreDirectional: "N", StreetName: "<Main>", StreetSuffix: "St", PostDirectional: "E", AddressLine2: "Suite 4",
		City: "Cary", StateCode: "NC", Zip: "27518", PlusFour: "1234", Country: "United States", AddressType: "Service",
	}}},
}

// TestGoldenPortIns compares the bodies of port-ins byte for byte.
func TestGoldenPortIns(t *testing.T) {
	var got []byte
	var path string
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		path = r.Method + " " + r.URL.Path
		answer(http.StatusCreated, portInBody)(w, r)
	}))
	for name, p := range portIns {
		if created, err := c.CreatePortIn(t.Context(), p, soon()); err != nil || created.OrderID != orderID || created.Status != "SUBMITTED" || created.Errors != nil {
			t.Fatalf("%s: %+v, %v", name, created, err)
		}
		if want := "POST /accounts/" + account + "/portins"; path != want {
			t.Errorf("%s: %s; want %s", name, path, want)
		}
		golden(t, "portin_"+name+".xml", got)
	}
}

// TestGoldenPortInFollowsTheDocument: its elements are those of the documented request, in its order.
func TestGoldenPortInFollowsTheDocument(t *testing.T) {
	follows(t, "full", own(t, "golden/portin_full.xml"), recorded(t, "openapi-v1/portins__post__request__On-net_NANP_Port-in.xml"))
	documented := elementPaths(t, recorded(t, "openapi-v1/portins__post__request__Automated_NANP_Toll-Free_Port-in.xml"))
	for _, p := range elementPaths(t, own(t, "golden/portin_toll_free.xml")) {
		if !slices.Contains(documented, p) {
			t.Errorf("%s is not documented for toll-free numbers", p)
		}
	}
}

func TestPortInLimits(t *testing.T) {
	s := &seen{}
	c := client(t, "http://api.invalid"+basePath, func(c *bwclient.Config) { c.Transport = s })
	for name, change := range map[string]func(*bwclient.PortIn){
		"no number":            func(p *bwclient.PortIn) { p.Numbers = nil },
		"too many numbers":     func(p *bwclient.PortIn) { p.Numbers = append(manyNumbers(), "+19195560000") },
		"a number twice":       func(p *bwclient.PortIn) { p.Numbers = []string{number, number} },
		"no site":              func(p *bwclient.PortIn) { p.SiteID = "" },
		"no customer order id": func(p *bwclient.PortIn) { p.CustomerOrderID = "" },
		"an underscore in it":  func(p *bwclient.PortIn) { p.CustomerOrderID = "a_b" },
		"a long person":        func(p *bwclient.PortIn) { p.LoaAuthorizingPerson = strings.Repeat("ü", 16) },
		"a long name":          func(p *bwclient.PortIn) { p.Subscriber = &bwclient.Subscriber{BusinessName: strings.Repeat("ü", 26)} },
		"a tab in a street": func(p *bwclient.PortIn) {
			p.Subscriber = &bwclient.Subscriber{ServiceAddress: &bwclient.ServiceAddress{StreetName: "a\tb"}}
		},
		"a bad billing number":   func(p *bwclient.PortIn) { p.BillingTelephoneNumber = "9195551234" },
		"a long account number":  func(p *bwclient.PortIn) { p.WirelessInfo.AccountNumber = strings.Repeat(accountNumber, 9) },
		"a PIN with a character": func(p *bwclient.PortIn) { p.WirelessInfo.PinNumber = pin + "\x01" },
	} {
		p := portIn()
		change(&p)
		_, err := c.CreatePortIn(t.Context(), p, soon())
		if !errors.Is(err, bwclient.ErrInvalidOrder) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.NotSent(err) {
			t.Errorf("%s: %v, NotSent %t: %v", name, bwclient.CreationOf(err), bwclient.NotSent(err), err)
		}
		if text := err.Error(); strings.Contains(text, pin) || strings.Contains(text, accountNumber) {
			t.Errorf("%s: the error tells a secret: %s", name, text)
		}
	}
	if s.request != nil {
		t.Error("one was sent")
	}
	_, err := c.CreatePortIn(t.Context(), portIn(), time.Now().Add(-time.Second))
	if !bwclient.NotSent(err) || s.request != nil {
		t.Errorf("too late: NotSent %t, %v", bwclient.NotSent(err), err)
	}
}

// TestPortInCreationOfEveryStatus sends a port-in for every status and several bodies.
func TestPortInCreationOfEveryStatus(t *testing.T) {
	t.Parallel()
	var head, body string
	url := raw(t, func(conn net.Conn) {
		if _, _, ok := readRequest(bufio.NewReader(conn)); ok {
			fmt.Fprintf(conn, "%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
		}
		_ = conn.Close()
	})
	c := client(t, url)
	for name, text := range map[string]string{
		"empty": "", "refused": portInRefusal("7309", "7312"), "a passing code": portInRefusal("7309", "7999"), "an id": portInBody,
		"another form of refusal": refusal("7309"), "a refusal with an id": strings.Replace(portInRefusal("7304"), "<SiteId>", "<OrderId>"+orderID+"</OrderId><SiteId>", 1),
		"an exception": own(t, "portins_post/201_exception.xml"), "a status without errors": portInRefusal(),
		"a status with a code": statusRefusal("7309"), "a status with a passing code": statusRefusal("7999"),
		"a status with an id": strings.Replace(statusRefusal("7304"), "<SiteId>", "<OrderId>"+orderID+"</OrderId><SiteId>", 1),
	} {
		body = text
		for status := 200; status <= 599; status++ {
			head = fmt.Sprintf("HTTP/1.1 %d Word\r\n", status)
			want := bwclient.CreationUnknown
			switch {
			case slices.Contains([]int{401, 402, 403, 404, 429}, status), status == 400 && (name == "refused" || name == "a status with a code"):
				want = bwclient.NotCreated
			case status == 201 && (name == "an id" || name == "an exception" || name == "a refusal with an id" || name == "a status with an id"):
				want = bwclient.WasCreated
			}
			created, err := c.CreatePortIn(t.Context(), portIn(), soon())
			if got := bwclient.CreationOf(err); got != want || (err == nil) != (created.OrderID == orderID) || bwclient.NotSent(err) {
				t.Errorf("HTTP %d with %s: %v, %q; want %v (%v)", status, name, got, created.OrderID, want, err)
			}
		}
	}
}

// TestPortInCreated: a 201 with errors is created, and says what is to be mended; a refusal says why. Neither repeats a
// secret.
func TestPortInCreated(t *testing.T) {
	got, err := stubbed(t, stub{status: 201, body: own(t, "portins_post/201_exception.xml")}).CreatePortIn(t.Context(), portIn(), soon())
	want := bwclient.Created{OrderID: orderID, Status: "EXCEPTION", Errors: []bwclient.Detail{
		{Code: "7205", Description: "Already on another order; PIN *** was not checked"}, {Code: "7206", Description: "In service here"},
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	got, err = stubbed(t, stub{status: 201, body: own(t, "portins_post/201_draft.xml")}).CreatePortIn(t.Context(), portIn(), soon())
	if diff := cmp.Diff(bwclient.Created{OrderID: orderID, Status: "DRAFT"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	location := http.Header{"Location": {"https://dashboard.bandwidth.com/v1.0/accounts/1/portins/" + orderID}}
	got, err = stubbed(t, stub{status: 201, header: location}).CreatePortIn(t.Context(), portIn(), soon())
	if diff := cmp.Diff(bwclient.Created{OrderID: orderID}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	_, err = stubbed(t, stub{status: 400, body: own(t, "portins_post/400_errors.xml")}).CreatePortIn(t.Context(), portIn(), soon())
	var e *bwclient.Error
	if !errors.As(err, &e) || e.Creation != bwclient.NotCreated {
		t.Fatalf("%v", err)
	}
	refused := []bwclient.Detail{
		{Code: "7309", Description: "The site id was not supplied or is invalid."},
		{Code: "7331", Description: "No such rate center; the PIN *** is not the point", Number: number},
	}
	if diff := cmp.Diff(refused, e.Details); diff != "" {
		t.Error(diff)
	}
	_, err = stubbed(t, stub{status: 500, body: "cannot take " + accountNumber + " with " + pin}).CreatePortIn(t.Context(), portIn(), soon())
	if text := err.Error(); !strings.Contains(text, "cannot take *** with ***") {
		t.Error(text)
	}
}

// TestPortInDebugLog: what is written for developers holds no secret, whatever Bandwidth repeats.
func TestPortInDebugLog(t *testing.T) {
	url := serve(t, answer(http.StatusCreated, own(t, "portins_get/exception.xml")))
	text := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return client(t, url, log) }, func(c *bwclient.Client) {
		_, _ = c.CreatePortIn(t.Context(), portIn(), soon())
	})
	if strings.Contains(text, pin) || strings.Contains(text, accountNumber) || strings.Count(text, "<PinNumber>***</PinNumber>") != 2 || !strings.Contains(text, "The PIN *** does not match account ***") {
		t.Errorf("the log tells a secret:\n%s", text)
	}
	if printed := fmt.Sprintf("%v %+v %#v", *portIn().WirelessInfo, *portIn().WirelessInfo, *portIn().WirelessInfo); strings.Contains(printed, pin) {
		t.Error(printed)
	}
}

func TestPortIn(t *testing.T) {
	for name, want := range map[string]bwclient.PortInStatus{
		"complete": {CustomerOrderID: "c-1", Status: "COMPLETE", Numbers: []string{number, "+19195551235"}, RequestedFocDate: "2016-03-25T21:15:00.000Z",
			ActualFocDate: "2016-03-28T21:15:00.000Z", SiteID: "743", PeerID: "303716"},
		"exception": {CustomerOrderID: "c-1", Status: "EXCEPTION", Numbers: []string{number, "+19195551235"},
			Errors: []bwclient.Detail{{Code: "7205", Description: "The PIN *** does not match account ***"}}, Failed: []bwclient.Detail{
				{Code: "7205", Description: "The PIN *** does not match account ***", Number: number}, {Code: "7205", Description: "The PIN *** does not match account ***", Number: "+19195551235"},
			}},
		"sparse": {},
	} {
		want.OrderID = orderID
		var path string
		c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			path = r.Method + " " + r.URL.Path
			answer(200, own(t, "portins_get/"+name+".xml"))(w, r)
		}))
		got, err := c.PortIn(t.Context(), orderID, nil)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || path != "GET /accounts/"+account+"/portins/"+orderID {
			t.Errorf("%s: %s, %v\n%s", name, path, err, diff)
		}
	}
	for name, s := range map[string]stub{
		"another's": {status: 200, body: portInBody}, "an order": {status: 200, body: createdBody}, "nothing": {status: 204}, "a page": {status: 200, body: own(t, "gateway.html")},
	} {
		if got, err := stubbed(t, s).PortIn(t.Context(), "another", nil); !errors.Is(err, bwclient.ErrUnreadable) || got.OrderID != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := stubbed(t, stub{status: 404}).PortIn(t.Context(), orderID, nil); bwclient.StatusOf(err) != 404 {
		t.Errorf("a dropped draft: %v", err)
	}
	if _, err := stubbed(t, stub{status: 200}).PortIn(t.Context(), "../tns", nil); !bwclient.NotSent(err) {
		t.Errorf("a path: %v", err)
	}
}

// TestPortInReadRepeatsNoSecret: errors repeat what the port-in was sent with, though the answer leaves its element out.
func TestPortInReadRepeatsNoSecret(t *testing.T) {
	said := "<Errors><Code>7331</Code><Description>PIN" + pin + " (" + pin + ") does not fit account " + accountNumber + "</Description></Errors>"
	const masked = "PIN*** (***) does not fit account ***"
	for status, body := range map[int]string{
		200: "<LnpOrderResponse>" + said + "<ProcessingStatus>EXCEPTION</ProcessingStatus></LnpOrderResponse>",
		400: "<LnpOrderResponse>" + said + "</LnpOrderResponse>",
		503: "the account " + accountNumber + " with PIN" + pin + " does not fit",
	} {
		url := serve(t, answer(status, body))
		text := logged(t, func(log func(*bwclient.Config)) *bwclient.Client { return client(t, url, log) }, func(c *bwclient.Client) {
			got, err := c.PortIn(t.Context(), orderID, portIn().WirelessInfo)
			if status == 200 && (len(got.Errors) != 1 || got.Errors[0].Description != masked) || (status == 200) != (err == nil) {
				t.Errorf("HTTP %d: %+v, %v", status, got, err)
			}
			if err != nil && (!strings.Contains(err.Error(), "PIN***") || strings.Contains(err.Error(), accountNumber)) {
				t.Errorf("HTTP %d: %v", status, err)
			}
		})
		if strings.Contains(text, pin) || strings.Contains(text, accountNumber) || !strings.Contains(text, "PIN***") {
			t.Errorf("HTTP %d: the debug log holds\n%s", status, text)
		}
	}
}

// everyStatus are the filters of a whole walk.
const everyStatus = " draft validate_draft_tfns valid_draft_tfns invalid_draft_tfns validate_tfns invalid_tfns pending_documents submitted pending_carrier_approval " +
	"missing_requirements requested_supp exception foc snapback requested_cancel cancelled complete"

// walked serves lists of port-ins by their status, and returns which were asked for.
func walked(t *testing.T, byStatus map[string]stub) (*bwclient.Client, *[]string) {
	asked := &[]string{}
	return client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		*asked = append(*asked, q.Get("status"))
		if q.Get("customerOrderId") != "c-1" || q.Get("size") == "" || q.Get("page") != "1" {
			t.Errorf("the list is asked with %q", r.URL.RawQuery)
		}
		s, ok := byStatus[q.Get("status")]
		if !ok {
			s = stub{status: 200, body: own(t, "portins_list/nothing.xml")}
		}
		answer(s.status, s.body)(w, r)
	})), asked
}

// TestPortInListFindsDrafts: a list without a status leaves drafts out, and so each status is asked for (P16).
func TestPortInListFindsDrafts(t *testing.T) {
	c, asked := walked(t, map[string]stub{"draft": {status: 200, body: own(t, "portins_list/one.xml")}})
	turns := 0
	got, err := c.PortInsByCustomerOrderID(t.Context(), "c-1", func(context.Context) error { turns++; return nil })
	want := []bwclient.OrderSummary{{OrderID: orderID, CustomerOrderID: "c-1", Status: "DRAFT", CountOfTNs: 2}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if got := strings.Join(*asked, " "); got != " draft" || turns != 2 {
		t.Errorf("asked for %q in %d turns", got, turns)
	}
}

// TestPortInListWalksEveryStatus: what is not found was looked for everywhere, and what others have is listed once.
func TestPortInListWalksEveryStatus(t *testing.T) {
	others := stub{status: 200, body: own(t, "portins_list/unnamed.xml")}
	unknown := stub{status: 400, body: "<LNPResponseWrapper><Errors><Code>15518</Code><Description>Unknown status</Description></Errors></LNPResponseWrapper>"}
	c, asked := walked(t, map[string]stub{"": others, "foc": others, "complete": {status: 404}, "cancelled": {status: 204}, "missing_requirements": unknown})
	got, err := c.PortInsByCustomerOrderID(t.Context(), "c-1", nil)
	want := []bwclient.OrderSummary{{OrderID: "p-1", Status: "FOC"}, {OrderID: "p-2", CustomerOrderID: "c-11"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if got := strings.Join(*asked, " "); got != everyStatus {
		t.Errorf("asked for %q", got)
	}
}

// TestPortInListFails: where one list cannot be read, nothing was looked for.
func TestPortInListFails(t *testing.T) {
	refused := stub{status: 400, body: "<LNPResponseWrapper><Errors><Code>15518</Code></Errors></LNPResponseWrapper>"}
	for name, byStatus := range map[string]map[string]stub{
		"500": {"complete": {status: 500}}, "403": {"draft": {status: 403}}, "429": {"foc": {status: 429}}, "a documented status is refused": {"draft": refused},
		"an undocumented one is refused for another reason": {"missing_requirements": {status: 400}},
		"orders":         {"": {status: 200, body: own(t, "orders_list/one.xml")}},
		"something else": {"": {status: 200, body: "<LNPResponseWrapper><Orders/></LNPResponseWrapper>"}},
		"cut off":        {"foc": {status: 200, body: "<LNPResponseWrapper><TotalCount>2</TotalCount></LNPResponseWrapper>"}},
	} {
		c, _ := walked(t, byStatus)
		if got, err := c.PortInsByCustomerOrderID(t.Context(), "c-1", nil); err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	stop := errors.New("held")
	c, asked := walked(t, nil)
	if _, err := c.PortInsByCustomerOrderID(t.Context(), "c-1", func(context.Context) error { return stop }); !errors.Is(err, stop) || len(*asked) != 0 {
		t.Errorf("a turn that is not given: %v, asked %q", err, *asked)
	}
}

// TestRecordedPortIns reads every recorded port-in.
func TestRecordedPortIns(t *testing.T) {
	const created = "03f194d5-3932-4e9f-8ba1-03ef767985e5"
	for name, status := range map[string]string{"Automated_NANP_Toll-Free_Port-in_Order_Response": "VALIDATE_TFNS", "On-net_NANP_Port-in_Order_Response": "PENDING_DOCUMENTS"} {
		got, err := stubbed(t, stub{status: 201, body: recorded(t, "openapi-v1/portins__post__201__"+name+".xml")}).CreatePortIn(t.Context(), portIn(), soon())
		if diff := cmp.Diff(bwclient.Created{OrderID: created, Status: status}, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	_, err := stubbed(t, stub{status: 400, body: recorded(t, "openapi-v1/portins__post__400__example.xml")}).CreatePortIn(t.Context(), portIn(), soon())
	if bwclient.CreationOf(err) != bwclient.NotCreated || !slices.Equal(bwclient.Codes(err), []string{"7309", "7312", "7398"}) {
		t.Errorf("%v %v: %v", bwclient.CreationOf(err), bwclient.Codes(err), err)
	}
	for name, want := range map[string]bwclient.PortInStatus{
		"Port-in_in_CANCELLED_state": {CustomerOrderID: "SJM00002", Status: "CANCELLED", Numbers: []string{"+19194809871"}, RequestedFocDate: "2016-03-25T21:15:00.000Z", SiteID: "2857", PeerID: "317771",
			Errors: []bwclient.Detail{{Code: "7205", Description: "Telephone number is already being processed on another order"}}},
		"Toll_Free_INVALID_DRAFT_TFNS_state_vendor_error": {CustomerOrderID: "MyTestOrder", Status: "INVALID_DRAFT_TFNS", Numbers: []string{"+18336000001"}, RequestedFocDate: "2021-06-23T15:30:00Z", SiteID: "14020", PeerID: "521434",
			Errors: []bwclient.Detail{{Code: "7617", Description: "Batch Number Query received vendor error: Service unavailable. If this condition persists, please contact Bandwidth for support."}},
			Failed: []bwclient.Detail{{Code: "7617", Description: "Batch Number Query received vendor error: Service unavailable. If this condition persists, please contact Bandwidth for support.", Number: "+18336000001"}}},
		"Toll_Free_VALID_DRAFT_TFNS_state": {CustomerOrderID: "MyTestOrder", Status: "VALID_DRAFT_TFNS", Numbers: []string{"+18336532112", "+18336532113", "+18336532114"},
			RequestedFocDate: "2021-06-23T15:30:00Z", SiteID: "14020", PeerID: "521434"},
	} {
		want.OrderID = orderID
		got, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/portins-orderId__get__200__"+name+".xml")}).PortIn(t.Context(), orderID, nil)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	got, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/portins-orderId__get__200__Toll_Free_INVALID_DRAFT_TFNS_state_non-portable_TNs.xml")}).PortIn(t.Context(), orderID, nil)
	if err != nil || len(got.Errors) != 2 || len(got.Failed) != 2 || got.Failed[1].Number != "+18336522001" || got.Failed[1].Code != "7643" {
		t.Errorf("%+v, %v", got, err)
	}
	single, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/portins__get__200__RespOrg_exception_toll-free_order_containing_NANP_numbers.xml")}).PortInsByCustomerOrderID(t.Context(), "RE Portin", nil)
	if diff := cmp.Diff([]bwclient.OrderSummary{{OrderID: "167aa53b-f715-459c-b740-70c3a32351cd", CustomerOrderID: "RE Portin", Status: "SUBMITTED", CountOfTNs: 5, OrderedAt: time.Date(2022, 11, 15, 18, 23, 15, 291e6, time.UTC)}}, single); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	two, err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/portins__get__200__Portins_containing_NANP_numbers.xml")}).PortInsByCustomerOrderID(t.Context(), "c-1", nil)
	if err != nil || len(two) != 2 || two[1].OrderID != "b2190bcc-0272-4a51-ba56-7c3d628e8706" || two[1].Status != "FOC" || two[1].CustomerOrderID != "" {
		t.Errorf("%v, %v", two, err)
	}
}

func FuzzPortInAnswer(f *testing.F) {
	answerFuzz{
		fits: `portins_post|gateway`, holds: "<LnpOrderResponse>", resource: "portins", statuses: []int{200, 201, 400, 404, 409, 500}, taken: []int{http.StatusCreated},
		send: func(t *testing.T, c *bwclient.Client) (bwclient.Created, error) {
			return c.CreatePortIn(t.Context(), portIn(), soon())
		},
		refusal: []string{"errors", "status"},
	}.run(f)
}

func FuzzPortIn(f *testing.F) {
	seeds(f, `portins_get|gateway`, "<LnpOrderResponse>", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		got, err := stubbed(t, stub{status: 200, body: body}).PortIn(t.Context(), orderID, nil)
		if err != nil {
			if !errors.Is(err, bwclient.ErrUnreadable) || got.Status != "" || got.Numbers != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			tellsNothing(t, err)
			return
		}
		distinct(t, got.Numbers)
		for _, d := range got.Failed {
			if !numberShape.MatchString(d.Number) {
				t.Fatalf("failed numbers %+v", got.Failed)
			}
		}
		if got.OrderID != orderID || got.Status != strings.TrimSpace(got.Status) {
			t.Fatalf("%+v", got)
		}
	})
}

func FuzzPortInList(f *testing.F) {
	seeds(f, `portins_list|gateway`, "LNPResponseWrapper", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		got, err := stubbed(t, stub{status: 200, body: body}).PortInsByCustomerOrderID(t.Context(), "c-1", nil)
		if err != nil {
			if bwclient.StatusOf(err) != 200 || got != nil {
				t.Fatalf("%v, %v", got, err)
			}
			tellsNothing(t, err)
			return
		}
		seen := map[bwclient.OrderID]bool{}
		for _, o := range got {
			if !idShape.MatchString(string(o.OrderID)) || seen[o.OrderID] || o.CountOfTNs < 0 {
				t.Fatalf("%+v", got)
			}
			seen[o.OrderID] = true
		}
	})
}
