package worker

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/orders"
)

func (b *bed) purchase(numbers ...string) orders.Purchase {
	return orders.Purchase{N: 1, CustomerOrderID: "East-coast-Kazoo-abcdefghijklmnopqrst", Name: "n", Numbers: numbers, SiteID: "1234", PartialAllowed: true}
}

// place prepares and places a purchase of one number.
func (b *bed) place() orders.PostFact {
	b.t.Helper()
	if err := b.carrier().Prepare(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return b.carrier().Place(b.t.Context(), b.purchase(bedNumber), time.Now().Add(2*time.Second))
}

func errorList(code string) string {
	return "<OrderResponse><ErrorList><Error><Code>" + code + "</Code><Description>d</Description></Error></ErrorList></OrderResponse>"
}

// TestP22_AnswersToAPost: what says nothing about the order and everything about the account holds the fleet back and
// is no try of this order's; what Bandwidth refuses is refused.
func TestP22_AnswersToAPost(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		state  orders.PostState
		paused bool
	}{
		{http.StatusUnauthorized, "", orders.PostOpen, true},
		{http.StatusForbidden, "", orders.PostOpen, true},
		{http.StatusNotFound, "", orders.PostOpen, true},
		{http.StatusTooManyRequests, "", orders.PostOpen, true},
		{http.StatusBadRequest, errorList("5012"), orders.PostOpen, true},
		{http.StatusBadRequest, errorList("5016"), orders.PostRefused, false},
		{http.StatusInternalServerError, "", orders.PostUnknown, false},
		{http.StatusBadGateway, "<html>", orders.PostUnknown, false},
		{http.StatusBadRequest, errorList("5086"), orders.PostUnknown, false},
	} {
		t.Run(fmt.Sprintf("%d %s", c.status, c.body), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.ErrorBefore, Status: c.status, Body: c.body, ContentType: "application/xml"})
			f := b.place()
			if f.State != c.state || f.Paused != c.paused {
				t.Errorf("%q, paused %t (%s); want %q, %t", f.State, f.Paused, f.Detail, c.state, c.paused)
			}
			if held := !b.control.HeldUntil(GroupOrder).IsZero(); held != c.paused {
				t.Errorf("the fleet is held back: %t, want %t", held, c.paused)
			}
			if c.paused && (!f.RetryAt.After(b.clock.Now()) || len(f.Errors) != 0) {
				t.Errorf("to be sent again at %s, errors %v", f.RetryAt, f.Errors)
			}
			var hold *orders.HoldError
			if err := b.carrier().Prepare(t.Context()); errors.As(err, &hold) != c.paused {
				t.Errorf("the next order is held back with %v, want %t (P8)", err, c.paused)
			}
		})
	}
}

// TestP13_NotSent: a POST that surely did not leave is put back, and is a try that counts.
func TestP13_NotSent(t *testing.T) {
	b := newBed(t, func(o *Options) { o.Client = bedClient(t, "http://127.0.0.1:1/api", bwclient.Basic("u", "p")) })
	if f := b.place(); f.State != orders.PostOpen || f.Paused {
		t.Errorf("%+v, want it put back", f)
	}
}

// TestP8_Prepare: pace, pauses and access token are waited for before an intent is written.
func TestP8_Prepare(t *testing.T) {
	var hold *orders.HoldError
	t.Run("pace", func(t *testing.T) {
		b := newBed(t, func(o *Options) { o.RequestsPerSecond = 0.01 })
		if err := b.carrier().Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.carrier().Prepare(t.Context()); !errors.As(err, &hold) {
			t.Errorf("a second order at once: %v", err)
		}
	})
	t.Run("an operator's pause", func(t *testing.T) {
		b := newBed(t, nil)
		if err := b.Hold(t.Context(), GroupOrder, "maintenance", "me"); err != nil {
			t.Fatal(err)
		}
		limit := time.Now().Add(bedTimeout)
		for b.control.HeldUntil(GroupOrder).IsZero() && time.Now().Before(limit) {
			pause(t.Context(), time.Millisecond)
		}
		if err := b.carrier().Prepare(t.Context()); !errors.As(err, &hold) {
			t.Errorf("an order in a pause: %v", err)
		}
	})
	t.Run("access token", func(t *testing.T) {
		var client *bwclient.Client
		b := newBed(t, nil)
		client = bedClient(t, b.sim.URL, bwclient.OAuth2("id", "wrong", b.sim.TokenURL()))
		b.carrier().client = client
		if err := b.carrier().Prepare(t.Context()); !errors.As(err, &hold) || b.control.HeldUntil(GroupOrder).IsZero() {
			t.Errorf("refused credentials: %v", err)
		}
		if n := b.sim.Calls(bwfake.EndpointCreate); n != 0 {
			t.Errorf("%d POSTs", n)
		}
	})
}

// TestP16_Looks: what counts as a look.
func TestP16_Looks(t *testing.T) {
	only := func(endpoint string, status int, body string) []bwfake.Fault {
		return []bwfake.Fault{{Endpoint: endpoint, Kind: bwfake.ErrorBefore, Status: status, Body: body}}
	}
	for _, c := range []struct {
		name      string
		faults    []bwfake.Fault
		site      string // the request's
		ours      string // the configured one
		counted   bool
		forbidden bool
	}{
		{name: "all is well", counted: true},
		{name: "the list is 404", faults: only(bwfake.EndpointList, 404, ""), counted: true},
		{name: "the list is 401", faults: only(bwfake.EndpointList, 401, "")},
		{name: "the list is 403", faults: only(bwfake.EndpointList, 403, "")},
		{name: "the list is 429", faults: only(bwfake.EndpointList, 429, "")},
		{name: "the list is 500", faults: only(bwfake.EndpointList, 500, "")},
		{name: "the list is HTML", faults: only(bwfake.EndpointList, 200, "<html></html>")},
		{name: "the list is cut off", faults: []bwfake.Fault{{Endpoint: bwfake.EndpointList, Kind: bwfake.Truncated}}},
		{name: "the number is 401", faults: only(bwfake.EndpointNumber, 401, "")},
		{name: "the number is 429", faults: only(bwfake.EndpointNumber, 429, "")},
		{name: "the number is 500", faults: only(bwfake.EndpointNumber, 500, "")},
		{name: "the number is HTML", faults: only(bwfake.EndpointNumber, 200, "<html></html>")},
		{name: "the number is 404", faults: only(bwfake.EndpointNumber, 404, ""), counted: true},
		{name: "nobody may ask for numbers", faults: only(bwfake.EndpointNumber, 403, ""), counted: true, forbidden: true},
		{name: "everything is 404", faults: []bwfake.Fault{{Kind: bwfake.ErrorBefore, Status: 404}}},
		{name: "the sites lack ours", ours: "9999"},
		{name: "the sites lack the request's", site: "9999", counted: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			for _, f := range c.faults {
				b.sim.Inject(f)
			}
			p := b.purchase(bedNumber)
			if c.site != "" {
				p.SiteID = c.site
			}
			vendor := b.carrier()
			if c.ours != "" {
				vendor.site = c.ours
			}
			f := vendor.Look(t.Context(), p, true)
			if f.Counted != c.counted || f.NumbersForbidden != c.forbidden || len(f.Found) != 0 {
				t.Errorf("counted %t, forbidden %t, found %v (%s); want %t, %t, none", f.Counted, f.NumbersForbidden, f.Found, f.Detail, c.counted, c.forbidden)
			}
		})
	}
}

// TestP16_PositiveControl: a read of something that exists vouches for a minute, an order of ours or the list of sites.
func TestP16_PositiveControl(t *testing.T) {
	b := newBed(t, nil)
	c := b.carrier()
	look := func() orders.LookFact { return c.Look(t.Context(), b.purchase(bedNumber), true) }
	look()
	look()
	if n := b.sim.Calls(bwfake.EndpointSites); n != 1 {
		t.Errorf("%d lists of sites for two looks within a minute, want 1", n)
	}
	c.controlAt = c.controlAt.Add(-controlLife)
	look()
	if n := b.sim.Calls(bwfake.EndpointSites); n != 2 {
		t.Errorf("%d lists of sites, want another after a minute", n)
	}
	f := b.place()
	c.controlAt = c.controlAt.Add(-controlLife)
	if p := c.Poll(t.Context(), f.OrderID); p.Failed {
		t.Fatal(p.Detail)
	}
	look()
	if n := b.sim.Calls(bwfake.EndpointSites); n != 2 {
		t.Errorf("%d lists of sites, though an order of ours was just read", n)
	}
	c.controlAt = c.controlAt.Add(-controlLife)
	b.sim.Inject(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 404})
	if p := c.Poll(t.Context(), f.OrderID); !p.Failed {
		t.Error("a poll that is 404 succeeds")
	}
	if f := look(); f.Counted {
		t.Error("a look counts after a read that failed")
	}
}

// TestP17_Probes: at most five numbers are asked for, and the order that holds one is read and compared.
func TestP17_Probes(t *testing.T) {
	b := newBed(t, nil)
	var numbers []string
	for i := range 50 {
		numbers = append(numbers, fmt.Sprintf("+1919555%04d", 1000+i))
	}
	if f := b.carrier().Look(t.Context(), b.purchase(numbers...), true); !f.Counted {
		t.Error(f.Detail)
	}
	if n := b.sim.Calls(bwfake.EndpointNumber); n != 5 {
		t.Errorf("%d numbers were asked for, want 5", n)
	}
	b.sim.SellElsewhere(bedNumber, "another-system-1")
	f := b.carrier().Look(t.Context(), b.purchase(bedNumber), true)
	for _, o := range f.Found {
		if o.CustomerOrderID == b.purchase().CustomerOrderID {
			t.Errorf("%+v is taken for ours", o)
		}
	}
	if f := b.carrier().Look(t.Context(), b.purchase(bedNumber), false); !f.Counted || b.sim.Calls(bwfake.EndpointNumber) != 6 {
		t.Errorf("a look without probes asked for numbers: %d calls", b.sim.Calls(bwfake.EndpointNumber))
	}
}

// TestP24_NumbersAreReadAgain: a final order that leaves out its numbers is asked for their list.
func TestP24_NumbersAreReadAgain(t *testing.T) {
	b := newBed(t, nil)
	f := b.place()
	b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointGet, Kind: bwfake.EmptyNumbers})
	p := b.carrier().Poll(t.Context(), f.OrderID)
	if p.Failed || len(p.Completed) != 1 || p.Completed[0] != bedNumber {
		t.Errorf("%+v, want the number", p)
	}
}

// TestP31_CarrierGuard: whatever calls it, the carrier of a sandbox worker sends no purchase.
func TestP31_CarrierGuard(t *testing.T) {
	b := newBed(t, func(o *Options) { o.Sandbox = true })
	f := b.carrier().Place(t.Context(), b.purchase(bedNumber), time.Now().Add(2*time.Second))
	if f.State != orders.PostOpen || len(b.sim.Requests()) != 0 {
		t.Errorf("%+v after %d calls", f, len(b.sim.Requests()))
	}
	if err := b.carrier().Prepare(t.Context()); err == nil {
		t.Error("a sandbox worker may order")
	}
}

// TestP40_Details: an error of Bandwidth's stands once, however often it comes.
func TestP40_Details(t *testing.T) {
	list := make([]bwclient.Detail, 5000)
	for i := range list {
		list[i] = bwclient.Detail{Code: "5005", Description: "taken", Number: fmt.Sprint(i)}
	}
	if got := details(list); len(got) != 1 {
		t.Errorf("%d errors are kept of 5000 that are the same", len(got))
	}
}
