package worker

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/orders"
)

func (b *bed) reserve() orders.PostFact {
	b.t.Helper()
	return b.carrier().Reserve(b.t.Context(), bedNumber, time.Now().Add(2*time.Second))
}

// TestReserveAnswers: what each answer to a reservation means. Only what holds every order back holds the fleet back.
func TestReserveAnswers(t *testing.T) {
	refusal := func(code string) string {
		return "<ReservationResponse><ResponseStatus><ErrorCode>" + code + "</ErrorCode><Description>d</Description></ResponseStatus></ReservationResponse>"
	}
	for _, c := range []struct {
		status int
		body   string
		state  orders.PostState
		paused bool
	}{
		{http.StatusUnauthorized, "", orders.PostOpen, true},
		{http.StatusTooManyRequests, "", orders.PostOpen, true},
		{http.StatusForbidden, "", orders.PostRefused, false},
		{http.StatusNotFound, "", orders.PostRefused, false},
		{http.StatusBadRequest, refusal("5041"), orders.PostRefused, false},
		{http.StatusBadRequest, refusal("5046"), orders.PostRefused, false},
		{http.StatusBadRequest, refusal("1000"), orders.PostUnknown, false},
		{http.StatusInternalServerError, "", orders.PostUnknown, false},
	} {
		t.Run(http.StatusText(c.status)+" "+c.body, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointReserve, Kind: bwfake.ErrorBefore, Status: c.status, Body: c.body, ContentType: "application/xml"})
			f := b.reserve()
			if f.State != c.state || f.Paused != c.paused || f.OrderID != "" {
				t.Errorf("%+v; want %q, paused %t", f, c.state, c.paused)
			}
			if held := !b.control.HeldUntil(GroupOrder).IsZero(); held != c.paused {
				t.Errorf("the fleet is held back: %t, want %t", held, c.paused)
			}
		})
	}
}

// TestUnreserve: giving back twice is harmless, and a sandbox does neither.
func TestUnreserve(t *testing.T) {
	b := newBed(t, nil)
	f := b.reserve()
	if f.State != orders.PostCreated || len(b.sim.Reservations()) != 1 {
		t.Fatalf("%+v", f)
	}
	for range 2 {
		if err := b.carrier().Unreserve(t.Context(), string(f.OrderID)); err != nil || len(b.sim.Reservations()) != 0 {
			t.Errorf("%v, and %v stands", err, b.sim.Reservations())
		}
	}
	b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointUnreserve, Kind: bwfake.RateLimit, Delay: time.Hour})
	if err := b.carrier().Unreserve(t.Context(), string(f.OrderID)); err == nil || b.control.HeldUntil(GroupOrder).IsZero() {
		t.Errorf("a rate limit: %v, held back until %s", err, b.control.HeldUntil(GroupOrder))
	}
	s := newBed(t, func(o *Options) { o.Sandbox = true })
	if f := s.reserve(); f.State != orders.PostOpen {
		t.Errorf("a sandbox reserves: %+v", f)
	}
	if err := s.carrier().Unreserve(t.Context(), "x"); err == nil || len(s.sim.Requests()) != 0 {
		t.Errorf("a sandbox gives back: %v, %d calls", err, len(s.sim.Requests()))
	}
}

// TestReservationsAndPauses: while Bandwidth refuses orders nothing is reserved, and neither a reservation that was on its
// way nor what is given back ends the pause or takes the probe's turn.
func TestReservationsAndPauses(t *testing.T) {
	b := newBed(t, nil)
	c := b.carrier()
	kept := b.reserve()
	if kept.State != orders.PostCreated {
		t.Fatalf("%+v", kept)
	}
	c.control.probeEvery = 0 // the probe is due at once
	c.control.Refused(t.Context(), GroupOrder, "403 on POST /orders")
	c.control.probeEvery = time.Hour
	refusing := func(after string) {
		t.Helper()
		if !c.control.Refusing(GroupOrder) || !c.control.HeldUntil(GroupOrder).IsZero() {
			t.Errorf("after %s: the pause stands: %t, the next probe is at %s; it is due", after, c.control.Refusing(GroupOrder), c.control.HeldUntil(GroupOrder))
		}
	}
	var hold *orders.HoldError
	if err := c.PrepareReserve(t.Context()); !errors.As(err, &hold) {
		t.Errorf("a reservation is prepared: %v", err)
	}
	refusing("a reservation was held back")
	if err := c.Unreserve(t.Context(), string(kept.OrderID)); err != nil || len(b.sim.Reservations()) != 0 {
		t.Errorf("%v, and %v stands", err, b.sim.Reservations())
	}
	refusing("one was given back")
	for range 2 { // the second is refused: 5041
		b.reserve()
		refusing("a reservation")
	}
	b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointReserve, Kind: bwfake.ErrorBefore, Status: http.StatusForbidden})
	b.reserve()
	refusing("a reservation that is forbidden")
	if err := c.Prepare(t.Context()); err != nil {
		t.Errorf("the order that is the probe: %v", err)
	}
	if err := c.Unreserve(t.Context(), string(kept.OrderID)); !errors.As(err, &hold) {
		t.Errorf("given back between two probes: %v", err)
	}
}
