package bwclient_test

import (
	"bufio"
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
	"bandwidthworker/bwclient/bwfake"
)

// disconnectedBody is a body that names a disconnect.
const disconnectedBody = `<DisconnectTelephoneNumberOrderResponse><orderRequest><id>` + orderID + `</id></orderRequest><OrderStatus>RECEIVED</OrderStatus></DisconnectTelephoneNumberOrderResponse>`

func disconnectRefusal(codes ...string) string {
	body := strings.ReplaceAll(refusal(codes...), "OrderResponse", "DisconnectTelephoneNumberOrderResponse")
	return strings.NewReplacer("<Order>", "<orderRequest>", "</Order>", "</orderRequest>").Replace(body)
}

var disconnects = map[string]bwclient.Disconnect{
	"one":     {Numbers: []string{number}},
	"several": {Name: "East coast-kq3", CustomerOrderID: "East-coast-kq3", Numbers: []string{number, "+18042105666"}, Mode: "normal", Protected: "unchanged"},
	"purge":   {Name: `Müller & Söhne <"東京'>`, Numbers: []string{number}, Mode: "PURGE", Protected: "False"},
}

// TestGoldenDisconnects compares the bodies of disconnects byte for byte, and their elements with the recorded ones.
func TestGoldenDisconnects(t *testing.T) {
	var got []byte
	var path string
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		path = r.Method + " " + r.URL.Path
		answer(http.StatusCreated, disconnectedBody)(w, r)
	}))
	for name, d := range disconnects {
		if created, err := c.CreateDisconnect(t.Context(), d, soon()); err != nil || created.OrderID != orderID || created.Status != "RECEIVED" {
			t.Fatalf("%s: %+v, %v", name, created, err)
		}
		if want := "POST /accounts/" + account + "/disconnects"; path != want {
			t.Errorf("%s: %s; want %s", name, path, want)
		}
		golden(t, "disconnect_"+name+".xml", got)
	}
}

func TestGoldenDisconnectsFollowTheDocument(t *testing.T) {
	request := recorded(t, "openapi-v1/disconnects__post__request__example.xml")
	for name := range disconnects {
		follows(t, name, own(t, "golden/disconnect_"+name+".xml"), request,
			"DisconnectTelephoneNumberOrder/Name", // in words; an answer has it as well
			"DisconnectTelephoneNumberOrder/DisconnectTelephoneNumberOrderType/DisconnectMode")
	}
	// The documented place of the mode is that of the answer which echoes it.
	echo := strings.NewReplacer("DisconnectTelephoneNumberOrderResponse", "x", "orderRequest", "x").Replace(recorded(t, "guides/disconnectNumbers_02_DisconnectTelephoneNumberOrderResponse.xml"))
	list, mode := strings.Index(echo, "TelephoneNumberList"), strings.Index(echo, "DisconnectMode")
	ours := own(t, "golden/disconnect_several.xml")
	if list > mode || strings.Index(ours, "TelephoneNumberList") > strings.Index(ours, "DisconnectMode") {
		t.Errorf("the mode's place differs:\n%s", ours)
	}
}

func TestDisconnectLimits(t *testing.T) {
	s := &seen{}
	c := client(t, "http://api.invalid"+basePath, func(c *bwclient.Config) { c.Transport = s })
	for name, change := range map[string]func(*bwclient.Disconnect){
		"no number":                   func(d *bwclient.Disconnect) { d.Numbers = nil },
		"too many numbers":            func(d *bwclient.Disconnect) { d.Numbers = append(manyNumbers(), "+19195560000") },
		"a number twice":              func(d *bwclient.Disconnect) { d.Numbers = []string{number, number} },
		"a short number":              func(d *bwclient.Disconnect) { d.Numbers = []string{"+1919555"} },
		"an underscore in the id":     func(d *bwclient.Disconnect) { d.CustomerOrderID = "a_b" },
		"a long customer order id":    func(d *bwclient.Disconnect) { d.CustomerOrderID = strings.Repeat("c", 41) },
		"a long name":                 func(d *bwclient.Disconnect) { d.Name = strings.Repeat("n", 51) },
		"a mode for Bandwidth's own":  func(d *bwclient.Disconnect) { d.Mode = "soft-remove" },
		"another mode":                func(d *bwclient.Disconnect) { d.Mode = "normal " },
		"another word for protection": func(d *bwclient.Disconnect) { d.Protected = "yes" },
	} {
		d := bwclient.Disconnect{Numbers: []string{number}}
		change(&d)
		_, err := c.CreateDisconnect(t.Context(), d, soon())
		if !errors.Is(err, bwclient.ErrInvalidOrder) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.NotSent(err) {
			t.Errorf("%s: %v, NotSent %t: %v", name, bwclient.CreationOf(err), bwclient.NotSent(err), err)
		}
	}
	_, err := c.CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, time.Now().Add(-time.Second))
	if !errors.Is(err, bwclient.ErrTooLate) && !strings.Contains(err.Error(), "deadline") || !bwclient.NotSent(err) {
		t.Errorf("too late: NotSent %t, %v", bwclient.NotSent(err), err)
	}
	if s.request != nil {
		t.Error("one was sent")
	}
}

// TestDisconnectCreationOfEveryStatus sends a disconnect for every status and several bodies.
func TestDisconnectCreationOfEveryStatus(t *testing.T) {
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
		"empty": "", "refused": disconnectRefusal("5006"), "a passing code": disconnectRefusal("1010"), "an id": disconnectedBody, "an order's id": createdBody,
	} {
		body = text
		for status := 200; status <= 599; status++ {
			head = fmt.Sprintf("HTTP/1.1 %d Word\r\n", status)
			want := bwclient.CreationUnknown
			switch {
			case slices.Contains([]int{401, 402, 403, 404, 429}, status), status == 400 && name == "refused":
				want = bwclient.NotCreated
			case (status == 200 || status == 201) && name == "an id":
				want = bwclient.WasCreated
			}
			created, err := c.CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
			if got := bwclient.CreationOf(err); got != want || (err == nil) != (created.OrderID == orderID) || bwclient.NotSent(err) {
				t.Errorf("HTTP %d with %s: %v, %q; want %v (%v)", status, name, got, created.OrderID, want, err)
			}
		}
	}
}

func TestDisconnectCreated(t *testing.T) {
	location := func(resource string) []string {
		return []string{"Location", "https://dashboard.bandwidth.com/v1.0/accounts/1/" + resource + "/" + orderID}
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		header []string
		want   bwclient.Creation
	}{
		{"an id beside errors", 201, own(t, "disconnects_post/201_errors.xml"), nil, bwclient.WasCreated},
		{"200", 200, disconnectedBody, nil, bwclient.WasCreated},
		{"the id in Location only", 201, own(t, "disconnects_post/201_no_id.xml"), location("disconnects"), bwclient.WasCreated},
		{"200 with Location only", 200, "", location("disconnects"), bwclient.WasCreated},
		{"Location of an order", 201, own(t, "disconnects_post/201_no_id.xml"), location("orders"), bwclient.CreationUnknown},
		{"no id", 201, own(t, "disconnects_post/201_no_id.xml"), nil, bwclient.CreationUnknown},
		{"a page with 200", 200, own(t, "gateway.html"), nil, bwclient.CreationUnknown},
		{"202", 202, disconnectedBody, location("disconnects"), bwclient.CreationUnknown},
		{"a refusal with Location", 400, disconnectRefusal("5006"), location("disconnects"), bwclient.CreationUnknown},
		{"a refusal with an id", 400, strings.Replace(disconnectRefusal("5006"), "<SiteId>", "<id>7</id><SiteId>", 1), nil, bwclient.CreationUnknown},
		{"a refusal", 400, disconnectRefusal("5006", "5084"), nil, bwclient.NotCreated},
	} {
		created, err := client(t, serve(t, answer(c.status, c.body, c.header...))).CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
		if got := bwclient.CreationOf(err); got != c.want || (got == bwclient.WasCreated) != (created.OrderID == orderID) {
			t.Errorf("%s: %v, %+v, %v; want %v", c.name, got, created, err, c.want)
		}
	}
	// An order's POST does not take what a disconnect's does.
	if _, err := creates(t, answer(http.StatusOK, createdBody)); bwclient.CreationOf(err) != bwclient.CreationUnknown {
		t.Errorf("200 to an order: %v", err)
	}
	if _, err := creates(t, answer(http.StatusCreated, "", location("disconnects")...)); bwclient.CreationOf(err) != bwclient.CreationUnknown {
		t.Errorf("Location of a disconnect to an order: %v", err)
	}
}

func TestRecordedDisconnects(t *testing.T) {
	for name, want := range map[string]bwclient.OrderID{
		"openapi-v1/disconnects__post__201__example.xml":                         "ba05e04b-192a-47cb-b182-b1bf6cfef0d7",
		"guides/disconnectNumbers_02_DisconnectTelephoneNumberOrderResponse.xml": "df2gc2e2-653d-466c-945d-8f292f09ce55",
		"guides/disconnectSummary_02_DisconnectTelephoneNumberOrderResponse.xml": "df2gc2e2-653d-466c-945d-8f292f09ce55",
	} {
		got, err := stubbed(t, stub{status: 201, body: recorded(t, name)}).CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
		if got.OrderID != want || got.Status != "RECEIVED" || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	_, err := stubbed(t, stub{status: 400, body: recorded(t, "openapi-v1/disconnects__post__400__example.xml")}).CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
	if bwclient.CreationOf(err) != bwclient.NotCreated || !slices.Equal(bwclient.Codes(err), []string{"54321"}) {
		t.Errorf("%v, %v", bwclient.CreationOf(err), err)
	}
	guide := bwclient.DisconnectStatus{
		OrderID: "df2gc2e2-653d-466c-945d-8f292f09ce55", Status: "COMPLETE", Disconnected: []string{"+15405514342", "+17034343704"},
		Asked: []string{"+17034343704", "+15405514342"}, Mode: "normal",
	}
	for name, want := range map[string]bwclient.DisconnectStatus{
		"openapi-v1/disconnects-disconnectId__get__200__example.xml": {
			OrderID: "4ffe9262-1965-4479-a1d5-b8584440667d", Status: "COMPLETE", Disconnected: []string{"+19194392566"}, Asked: []string{"+19194392566"},
			Mode: "normal", Protected: "UNCHANGED",
		},
		"guides/disconnectNumbers_03_DisconnectTelephoneNumberOrderResponse.xml":     guide,
		"guides/disconnectSummary_03_DisconnectTelephoneNumberOrderResponse.xml":     guide,
		"guides/numberOrderingSummary_07_DisconnectTelephoneNumberOrderResponse.xml": guide,
	} {
		got, err := stubbed(t, stub{status: 200, body: recorded(t, name)}).Disconnect(t.Context(), want.OrderID)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestDisconnectDecoding(t *testing.T) {
	notOurs, protected := bwclient.Detail{Code: "5006", Description: "not on the account"}, bwclient.Detail{Code: "5109", Description: "protected"}
	of := func(d bwclient.Detail, n string) bwclient.Detail { d.Number = n; return d }
	for name, want := range map[string]bwclient.DisconnectStatus{
		"partial_details": {
			CustomerOrderID: "c-1", Name: "a name", Status: "PARTIAL", Disconnected: []string{number},
			Failed: []bwclient.Detail{of(notOurs, "+19195551235"), of(protected, "+19195551236"), of(protected, "+19195551237")},
			Errors: []bwclient.Detail{notOurs, protected}, Asked: []string{number, "+19195551235", "+19195551236", "+19195551237"}, Mode: "purge", Protected: "UNCHANGED",
		},
		"failed_unnamed": {Status: "FAILED", Failed: []bwclient.Detail{of(notOurs, number)}, Errors: []bwclient.Detail{notOurs}, Asked: []string{number}},
		"received":       {Status: "RECEIVED"},
	} {
		want.OrderID = orderID
		got, err := stubbed(t, stub{status: 200, body: own(t, "disconnects_get/"+name+".xml")}).Disconnect(t.Context(), orderID)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	both := strings.Replace(own(t, "disconnects_get/partial_details.xml"), ">9195551237<", ">9195551234<", 1)
	if got, err := stubbed(t, stub{status: 200, body: both}).Disconnect(t.Context(), orderID); err != nil || len(got.Failed) != 2 || !slices.Equal(got.Disconnected, []string{number}) {
		t.Errorf("a number that is released and has an error: %+v, %v", got, err)
	}
	unnamed := own(t, "disconnects_get/failed_unnamed.xml")
	for name, body := range map[string]string{
		// Which of two numbers an error means is not known: no number counts as failed.
		"two numbers": strings.Replace(unnamed, "</TelephoneNumber></TelephoneNumberList>", "</TelephoneNumber><TelephoneNumber>9195551235</TelephoneNumber></TelephoneNumberList>", 1),
		"two errors":  strings.Replace(unnamed, "</Error>", "</Error><Error><Code>5074</Code></Error>", 1),
	} {
		if got, err := stubbed(t, stub{status: 200, body: body}).Disconnect(t.Context(), orderID); err != nil || len(got.Failed) != 0 || len(got.Errors) == 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, body := range map[string]string{
		"another one's": strings.ReplaceAll(unnamed, orderID, "77"), "an order": createdBody, "a page": own(t, "gateway.html"), "cut off": unnamed[:80],
	} {
		if got, err := stubbed(t, stub{status: 200, body: body}).Disconnect(t.Context(), orderID); !errors.Is(err, bwclient.ErrUnreadable) || got.Status != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := stubbed(t, stub{status: 204}).Disconnect(t.Context(), orderID); !errors.Is(err, bwclient.ErrUnreadable) {
		t.Errorf("204: %v", err)
	}
	if _, err := stubbed(t, stub{status: 200, body: unnamed}).Disconnect(t.Context(), "../orders"); !bwclient.NotSent(err) {
		t.Errorf("an id that is none: %v", err)
	}
}

// TestSimulatedDisconnectFaults: what the client says of each misbehaviour agrees with the ledger, after one request.
func TestSimulatedDisconnectFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[bwfake.FaultKind]bwclient.Creation{
		"": bwclient.WasCreated, bwfake.LoseReplyAfter: bwclient.CreationUnknown, bwfake.LoseReplyBefore: bwclient.CreationUnknown,
		bwfake.ErrorAfter: bwclient.CreationUnknown, bwfake.ErrorBefore: bwclient.CreationUnknown, bwfake.RateLimit: bwclient.NotCreated,
		bwfake.Slow: bwclient.CreationUnknown, bwfake.Truncated: bwclient.WasCreated, bwfake.Malformed: bwclient.CreationUnknown,
		bwfake.NoID: bwclient.CreationUnknown, bwfake.LocationOnly: bwclient.WasCreated,
	} {
		for _, status := range []int{0, 200} {
			sim, c := simulated(t, bwfake.Options{DisconnectStatus: status})
			if _, err := c.CreateOrder(t.Context(), simulatedOrder(number), soon()); err != nil {
				t.Fatal(err)
			}
			if kind != "" {
				sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointDisconnect, CustomerOrderID: "d-1", Kind: kind, Delay: 3 * time.Second})
			}
			sendBy := soon()
			if kind == bwfake.Slow {
				sendBy = time.Now().Add(time.Second)
			}
			created, err := c.CreateDisconnect(t.Context(), bwclient.Disconnect{CustomerOrderID: "d-1", Numbers: []string{number}, Mode: "normal", Protected: "unchanged"}, sendBy)
			if got := bwclient.CreationOf(err); got != want {
				t.Errorf("%s: %v; want %v (%v)", kind, got, want, err)
			}
			made := kind != bwfake.LoseReplyBefore && kind != bwfake.ErrorBefore && kind != bwfake.RateLimit
			releases := sim.Releases()
			if (len(releases) == 1) != made || sim.Calls(bwfake.EndpointDisconnect) > 1 || (sim.Bought(number) == 0) != made {
				t.Errorf("%s: %d requests, and the ledger says %+v", kind, sim.Calls(bwfake.EndpointDisconnect), releases)
			}
			if want != bwclient.WasCreated {
				continue
			}
			got, err := c.Disconnect(t.Context(), created.OrderID)
			if err != nil || got.Status != "COMPLETE" || !slices.Equal(got.Disconnected, []string{number}) || releases[0].DisconnectID != string(created.OrderID) {
				t.Errorf("%s: %+v, %v, and the ledger says %+v", kind, got, err, releases)
			}
		}
	}
}

// TestSimulatedDisconnect reads what became of each number.
func TestSimulatedDisconnect(t *testing.T) {
	sim, c := simulated(t, bwfake.Options{Aging: time.Hour})
	for i, n := range []string{number, "+19195551235"} { // two orders of the account
		o := simulatedOrder(n)
		o.CustomerOrderID = fmt.Sprintf("c-%d", i)
		if _, err := c.CreateOrder(t.Context(), o, soon()); err != nil {
			t.Fatal(err)
		}
	}
	created, err := c.CreateDisconnect(t.Context(), bwclient.Disconnect{Name: "a name", Numbers: []string{number, "+19195551235", "+19195551236"}}, soon())
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Disconnect(t.Context(), created.OrderID)
	if err != nil || got.Name != "a name" || got.Status != "PARTIAL" || !slices.Equal(got.Disconnected, []string{number, "+19195551235"}) ||
		len(got.Failed) != 1 || got.Failed[0].Number != "+19195551236" || got.Failed[0].Code != "5006" || len(got.Asked) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if n, err := c.Number(t.Context(), number); err != nil || n.Status != "Aging" || n.OrderID != "" {
		t.Errorf("%+v, %v", n, err)
	}
	again, err := c.CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Disconnect(t.Context(), again.OrderID); err != nil || got.Status != "FAILED" || got.Failed[0].Code != "5006" {
		t.Errorf("for the second time: %+v, %v", got, err)
	}
	if releases := sim.Releases(); len(releases) != 1 {
		t.Errorf("%+v", releases)
	}
	for kind, check := range map[bwfake.FaultKind]func(bwclient.DisconnectStatus, error) bool{
		bwfake.UnknownStatus: func(s bwclient.DisconnectStatus, err error) bool { return err == nil && s.Status == "PROCESSING" },
		bwfake.EmptyNumbers: func(s bwclient.DisconnectStatus, err error) bool {
			return err == nil && s.Status == "PARTIAL" && len(s.Disconnected) == 0
		},
		bwfake.Pending5019: func(s bwclient.DisconnectStatus, err error) bool { return err == nil && s.Errors[0].Code == "5019" },
		bwfake.Malformed:   func(_ bwclient.DisconnectStatus, err error) bool { return errors.Is(err, bwclient.ErrUnreadable) },
		bwfake.RateLimit:   func(_ bwclient.DisconnectStatus, err error) bool { return bwclient.StatusOf(err) == 429 },
	} {
		sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointDisconnectGet, Kind: kind, Times: 1})
		if got, err := c.Disconnect(t.Context(), created.OrderID); !check(got, err) {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
}

func FuzzDisconnect(f *testing.F) {
	seeds(f, `disconnects_get|gateway`, "<DisconnectTelephoneNumberOrderResponse>", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		got, err := stubbed(t, stub{status: 200, body: body}).Disconnect(t.Context(), orderID)
		if err != nil {
			if !errors.Is(err, bwclient.ErrUnreadable) || got.Status != "" || got.Disconnected != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			tellsNothing(t, err)
			return
		}
		if got.OrderID != orderID {
			t.Fatalf("it is about %q", got.OrderID)
		}
		seen := map[string]bool{}
		for _, n := range got.Disconnected {
			if !numberShape.MatchString(n) || seen[n] {
				t.Fatalf("disconnected numbers %q", got.Disconnected)
			}
			seen[n] = true
		}
		for _, d := range got.Failed {
			if !numberShape.MatchString(d.Number) || seen[d.Number] || d.Code == "" && d.Description == "" {
				t.Fatalf("failed numbers %+v beside %q", got.Failed, got.Disconnected)
			}
			seen[d.Number] = true
		}
	})
}

// FuzzDisconnectAnswer: recordings have 200 as well as 201.
func FuzzDisconnectAnswer(f *testing.F) {
	answerFuzz{
		fits: `disconnects_post|gateway`, holds: "<DisconnectTelephoneNumberOrderResponse>", resource: "disconnects", statuses: []int{200, 201, 400, 500},
		taken: []int{http.StatusOK, http.StatusCreated},
		send: func(t *testing.T, c *bwclient.Client) (bwclient.Created, error) {
			return c.CreateDisconnect(t.Context(), bwclient.Disconnect{Numbers: []string{number}}, soon())
		},
		refusal: []string{"errorlist"},
	}.run(f)
}
