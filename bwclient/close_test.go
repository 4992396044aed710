package bwclient_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

func TestGoldenClosings(t *testing.T) {
	var got []byte
	var path string
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		path = r.Method + " " + r.URL.Path
		answer(http.StatusOK, "<OrderResponse/>")(w, r)
	}))
	for name, o := range map[string]bwclient.Closing{"close": {}, "close_names": {Name: "East <coast>", CustomerOrderID: "East-coast-kq3"}} {
		if err := c.CloseOrder(t.Context(), orderID, o); err != nil {
			t.Fatal(err)
		}
		if want := "PUT /accounts/" + account + "/orders/" + orderID; path != want {
			t.Errorf("%s: %s; want %s", name, path, want)
		}
		golden(t, name+".xml", got)
	}
}

func TestGoldenClosingsFollowTheDocument(t *testing.T) {
	request := recorded(t, "openapi-v1/orders-orderId__put__request__example.xml")
	for _, name := range []string{"close", "close_names"} {
		follows(t, name, own(t, "golden/"+name+".xml"), request)
	}
	if err := stubbed(t, stub{status: 200, body: recorded(t, "openapi-v1/orders-orderId__put__200__example.xml")}).CloseOrder(t.Context(), orderID, bwclient.Closing{}); err != nil {
		t.Errorf("the recorded answer: %v", err)
	}
}

func TestCloseAnswers(t *testing.T) {
	for _, c := range []struct {
		name       string
		status     int
		body       string
		closed     bool
		codes      []string
		unreadable bool
	}{
		{name: "an empty answer", status: 200, body: "<OrderResponse/>", closed: true},
		{name: "an empty list of errors", status: 200, body: "<OrderResponse><ErrorList/></OrderResponse>", closed: true},
		{name: "no body", status: 200, closed: true},
		{name: "space", status: 200, body: "\n", closed: true},
		{name: "204", status: 204, closed: true},
		{name: "errors with 200", status: 200, body: refusal("5060"), codes: []string{"5060"}},
		{name: "a page", status: 200, body: "<html><body>Good day</body></html>", unreadable: true},
		{name: "another root", status: 200, body: "<Links/>", unreadable: true},
		{name: "cut off", status: 200, body: "<OrderRes", unreadable: true},
		{name: "not possible", status: 400, body: refusal("5060"), codes: []string{"5060"}},
		{name: "no such order", status: 400, body: refusal("5061"), codes: []string{"5061"}},
		{name: "201", status: 201, body: "<OrderResponse/>"},
		{name: "303", status: 303, body: "<OrderResponse/>"},
		{name: "403", status: 403},
		{name: "429", status: 429},
		{name: "500", status: 500, body: "<OrderResponse/>"},
	} {
		err := stubbed(t, stub{status: c.status, body: c.body}).CloseOrder(t.Context(), orderID, bwclient.Closing{})
		if (err == nil) != c.closed {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			continue
		}
		if !slices.Equal(bwclient.Codes(err), c.codes) || errors.Is(err, bwclient.ErrUnreadable) != c.unreadable || bwclient.StatusOf(err) != c.status {
			t.Errorf("%s: codes %v, status %d: %v", c.name, bwclient.Codes(err), bwclient.StatusOf(err), err)
		}
		var e *bwclient.Error
		if !errors.As(err, &e) || e.Creation != bwclient.NotCreated || e.OrderID != orderID || e.Method != http.MethodPut {
			t.Errorf("%s: %+v", c.name, e)
		}
		if _, ok := bwclient.RetryAt(err); ok != (c.status == 429) {
			t.Errorf("%s: RetryAt is %t", c.name, ok)
		}
	}
}

func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c := client(t, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}), func(c *bwclient.Config) { c.GetTimeout = 50 * time.Millisecond })
	defer close(release)
	began := time.Now()
	err := c.CloseOrder(t.Context(), orderID, bwclient.Closing{})
	if err == nil || bwclient.NotSent(err) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: NotSent %t, %v", time.Since(began), bwclient.NotSent(err), err)
	}
	s := &seen{}
	c = client(t, "http://api.invalid"+basePath, func(c *bwclient.Config) { c.Transport = s })
	for name, err := range map[string]error{
		"an id that is none":  c.CloseOrder(t.Context(), "../sites", bwclient.Closing{}),
		"a long name":         c.CloseOrder(t.Context(), orderID, bwclient.Closing{Name: strings.Repeat("n", 51)}),
		"an id of underlines": c.CloseOrder(t.Context(), orderID, bwclient.Closing{CustomerOrderID: "a_b"}),
	} {
		if err == nil || s.request != nil {
			t.Errorf("%s: sent %t, %v", name, s.request != nil, err)
		}
	}
}

// TestCloseWithoutToken: a token endpoint that refuses says nothing about the order.
func TestCloseWithoutToken(t *testing.T) {
	sim, err := bwfake.Start(bwfake.Options{AccountID: account, ClientID: "id", ClientSecret: "right"}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	c := client(t, sim.URL, func(c *bwclient.Config) { c.Auth = bwclient.OAuth2("id", "wrong", sim.TokenURL()) })
	err = c.CloseOrder(t.Context(), orderID, bwclient.Closing{})
	if !bwclient.IsCredentials(err) || bwclient.StatusOf(err) != 0 || sim.Calls(bwfake.EndpointClose) != 0 {
		t.Errorf("status %d, %v", bwclient.StatusOf(err), err)
	}
	sim.SetClient("id", "wrong")
	if err := c.CloseOrder(t.Context(), orderID, bwclient.Closing{}); !slices.Equal(bwclient.Codes(err), []string{"5061"}) {
		t.Errorf("with a token, of an order that is none: %v", err)
	}
}

// TestSimulatedBackorder takes an order through its waiting to each of its ends.
func TestSimulatedBackorder(t *testing.T) {
	sim, c := simulated(t, bwfake.Options{})
	order := func(coid string, quantity int, partial bool) bwclient.OrderID {
		t.Helper()
		o := searchOrder(bwclient.SearchOrder{AreaCode: bwfake.DryAreaCode, Quantity: quantity})
		o.SiteID, o.CustomerOrderID, o.PartialAllowed = "1234", coid, partial
		created, err := c.CreateOrder(t.Context(), o, soon())
		if err != nil {
			t.Fatal(err)
		}
		return created.OrderID
	}
	is := func(id bwclient.OrderID, status string, completed ...string) {
		t.Helper()
		got, err := c.Order(t.Context(), id)
		if err != nil || got.Status != status || !slices.Equal(got.Completed, completed) || *got.CompletedQuantity != len(completed) {
			t.Errorf("%+v, %v; want %s with %v", got, err, status, completed)
		}
	}
	first := order("c-1", 2, true)
	is(first, "BACKORDERED")
	sim.Restock("+17105551000")
	is(first, "BACKORDERED", "+17105551000")
	sim.Restock("+17105551001", "+17105551002")
	is(first, "COMPLETE", "+17105551000", "+17105551001")
	if err := c.CloseOrder(t.Context(), first, bwclient.Closing{}); !slices.Equal(bwclient.Codes(err), []string{"5060"}) {
		t.Errorf("closing what is complete: %v", err)
	}
	second := order("c-2", 2, true) // one is left
	is(second, "BACKORDERED", "+17105551002")
	third := order("c-3", 1, true)
	for id, status := range map[bwclient.OrderID]string{second: "PARTIAL", third: "FAILED"} {
		if err := c.CloseOrder(t.Context(), id, bwclient.Closing{Name: "a name", CustomerOrderID: "c-2"}); err != nil {
			t.Error(err)
		}
		if err := c.CloseOrder(t.Context(), id, bwclient.Closing{}); !slices.Equal(bwclient.Codes(err), []string{"5060"}) {
			t.Errorf("for the second time: %v", err)
		}
		if got, err := c.Order(t.Context(), id); err != nil || got.Status != status || got.CustomerOrderID != "c-2" {
			t.Errorf("%+v, %v; want %s", got, err, status)
		}
	}
	sim.Restock("+17105551003") // and nobody waits
	if sim.Bought("+17105551003") != 0 || len(sim.Purchases()) != 2 {
		t.Errorf("closed orders bought: %+v", sim.Purchases())
	}
	// A lost reply to a closing is harmless: the order is closed, or is closed the next time.
	for _, kind := range []bwfake.FaultKind{bwfake.LoseReplyAfter, bwfake.LoseReplyBefore, bwfake.Malformed, bwfake.ErrorAfter, bwfake.ErrorBefore} {
		id := order("c-"+strings.ReplaceAll(string(kind), "_", "-"), 2, false)
		sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointClose, Kind: kind, Times: 1})
		if err := c.CloseOrder(t.Context(), id, bwclient.Closing{}); err == nil || bwclient.CreationOf(err) != bwclient.NotCreated {
			t.Errorf("%s: %v", kind, err)
		}
		if err := c.CloseOrder(t.Context(), id, bwclient.Closing{}); err != nil && !slices.Equal(bwclient.Codes(err), []string{"5060"}) {
			t.Errorf("after %s: %v", kind, err)
		}
		is(id, "FAILED")
	}
}
