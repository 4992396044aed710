package worker_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// reserved is a request that reserves first.
func reserved(r messages.Request) messages.Request {
	yes := true
	r.Reserve = &yes
	return r
}

// TestReserve: a provision that reserves first through the real pipeline, with one thing that goes wrong. The simulator
// sells a reserved number only to an order that names its reservation.
func TestReserve(t *testing.T) {
	fault := func(endpoint string, kind bwfake.FaultKind, status int) bwfake.Fault {
		return bwfake.Fault{Endpoint: endpoint, Kind: kind, Status: status, Times: 1}
	}
	refused := fault(bwfake.EndpointReserve, bwfake.ErrorBefore, http.StatusBadRequest)
	refused.ContentType, refused.Times = "application/xml", 0
	refused.Body = "<ReservationResponse><ResponseStatus><ErrorCode>5046</ErrorCode><Description>Reservation not allowed</Description></ResponseStatus></ReservationResponse>"
	named := messages.Request{RequestID: "r1", Numbers: []string{number, numberTwo}}
	found := byArea("r1", "919", 3)
	for _, c := range []struct {
		name    string
		request messages.Request
		faults  []bwfake.Fault
		life    time.Duration
		want    string
		bought  int
		posts   int
		calls   int // reservations asked for
		left    int // reservations that stand at the end
	}{
		{name: "named", request: named, want: "completed", bought: 2, posts: 1, calls: 2},
		{name: "found", request: found, want: "completed", bought: 3, posts: 1, calls: 3},
		{name: "found, and a rival comes too late", request: found, faults: []bwfake.Fault{fault(bwfake.EndpointCreate, bwfake.Outbid, 0)}, want: "completed", bought: 3, posts: 1, calls: 3},
		{name: "named, a reservation's reply is lost after it", request: named, faults: []bwfake.Fault{fault(bwfake.EndpointReserve, bwfake.LoseReplyAfter, 0)},
			want: "partial incomplete", bought: 1, posts: 1, calls: 2, left: 1},
		{name: "named, a reservation's reply is lost before it", request: named, faults: []bwfake.Fault{fault(bwfake.EndpointReserve, bwfake.LoseReplyBefore, 0)},
			want: "completed", bought: 2, posts: 1, calls: 2},
		{name: "found, a reservation's reply is lost after it", request: found, faults: []bwfake.Fault{fault(bwfake.EndpointReserve, bwfake.LoseReplyAfter, 0)},
			want: "completed", bought: 3, posts: 2, calls: 4, left: 1},
		{name: "found, and reservations are out of order", request: found, faults: []bwfake.Fault{{Endpoint: bwfake.EndpointReserve, Kind: bwfake.ErrorBefore, Status: http.StatusInternalServerError}},
			want: "completed", bought: 3, posts: 1, calls: 3},
		{name: "named, a reservation is answered without its id", request: named, faults: []bwfake.Fault{fault(bwfake.EndpointReserve, bwfake.NoID, 0)},
			want: "partial incomplete", bought: 1, posts: 1, calls: 2, left: 1},
		{name: "named, reservations are forbidden", request: named, faults: []bwfake.Fault{{Endpoint: bwfake.EndpointReserve, Kind: bwfake.ErrorBefore, Status: http.StatusForbidden}},
			want: "completed", bought: 2, posts: 1, calls: 2},
		{name: "found, the account may not reserve", request: found, faults: []bwfake.Fault{refused}, want: "completed", bought: 3, posts: 1, calls: 3},
		{name: "named, a reservation meets a rate limit", request: named, faults: []bwfake.Fault{{Endpoint: bwfake.EndpointReserve, Kind: bwfake.RateLimit, Delay: time.Second, Times: 1}},
			want: "completed", bought: 2, posts: 1, calls: 3},
		{name: "named, ended before the order", request: named, life: time.Nanosecond, want: "completed", bought: 2, posts: 2, calls: 2},
		{name: "found, ended before the order", request: found, life: time.Nanosecond, want: "completed", bought: 3, posts: 2, calls: 3},
		{name: "named, the order's reply is lost after creation", request: named, faults: []bwfake.Fault{fault(bwfake.EndpointCreate, bwfake.LoseReplyAfter, 0)},
			want: "completed", bought: 2, posts: 1, calls: 2},
		{name: "named, the order's reply is lost before creation", request: named, faults: []bwfake.Fault{fault(bwfake.EndpointCreate, bwfake.LoseReplyBefore, 0)},
			want: "completed", bought: 2, posts: 2, calls: 2},
		{name: "named, the order is refused", request: named, faults: []bwfake.Fault{{Endpoint: bwfake.EndpointCreate, Kind: bwfake.ErrorBefore, Status: http.StatusPaymentRequired}},
			want: "failed rejected", posts: 1, calls: 2}, // and what was reserved is given back
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{ReservationLife: c.life}})
			for _, f := range c.faults {
				w.Sim.Inject(f)
			}
			w.Work(brisk)
			key := ask(t, w, messages.Provision, reserved(c.request))
			e := w.Final(key, 1)
			if ended(e) != c.want || len(e.Numbers) != c.bought {
				t.Errorf("ended %q with %v; want %q with %d numbers: %v", ended(e), e.Numbers, c.want, c.bought, e.Errors)
			}
			if diff := cmp.Diff(boughtFor(w, key), sorted(e.Numbers)); diff != "" && len(e.Numbers)+len(boughtFor(w, key)) > 0 {
				t.Errorf("the event and Bandwidth's books differ (-books +event):\n%s", diff)
			}
			if n := w.Sim.Calls(bwfake.EndpointCreate); n != c.posts {
				t.Errorf("%d POSTs of orders, want %d", n, c.posts)
			}
			if n := w.Sim.Calls(bwfake.EndpointReserve); n != c.calls {
				t.Errorf("%d reservations were asked for, want %d", n, c.calls)
			}
			await(t, func() bool { return len(w.Sim.Reservations()) == c.left }) // they are given back after the event
			var ids []string
			for _, r := range w.Sim.Requests() {
				if r.Endpoint == bwfake.EndpointCreate && !slices.Contains(ids, r.CustomerOrderID) {
					ids = append(ids, r.CustomerOrderID)
				}
			}
			if again := c.life != 0 || c.calls > c.bought && c.posts > 1; again != (len(ids) == 2) {
				t.Errorf("the POSTs had the customer order ids %q: only a purchase of its own has another (P14)", ids)
			}
		})
	}
}

// TestReserveDeath: a worker dies while a reservation is under way. What was stored is ordered with its reservation, by
// the next worker; what was not is known to nobody, and ordered without: Bandwidth decides, and the outcome says so. Once
// the lost reservation has ended, a replay gets the number.
func TestReserveDeath(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	_, kill := mortal(t, w, hurried)
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointReserve, Kind: bwfake.SlowBefore, Times: 1}) // lets the first through
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointReserve, Kind: bwfake.Slow, Delay: time.Minute, Times: 1})
	key := ask(t, w, messages.Provision, reserved(messages.Request{RequestID: "r1", Numbers: []string{number, numberTwo}}))
	await(t, func() bool { return len(w.Sim.Reservations()) == 2 })
	kill()
	w.Work(hurried)
	e := w.Final(key, 1)
	if ended(e) != "partial incomplete" || !slices.Equal(e.Numbers, []string{number}) || len(e.FailedNumbers) != 1 || e.FailedNumbers[0].Number != numberTwo {
		t.Errorf("ended %q with %v, without %v", ended(e), e.Numbers, e.FailedNumbers)
	}
	if w.Sim.Bought(number) != 1 || w.Sim.Bought(numberTwo) != 0 || len(w.Sim.OrdersOf(key)) != 1 {
		t.Errorf("bought %d and %d times, in %v", w.Sim.Bought(number), w.Sim.Bought(numberTwo), w.Sim.OrdersOf(key))
	}
	w.Sim.EndReservations()
	replay(t, w, letter(t, w, key), false)
	if e := w.Final(key, 2); ended(e) != "completed" || len(e.Numbers) != 2 || w.Sim.Bought(numberTwo) != 1 {
		t.Errorf("the replay ended %q with %v", ended(e), e.Numbers)
	}
}

// TestReserveSlow: a reservation that takes longer than the lease is not asked for a second time by another worker, which
// would be refused for the first.
func TestReserveSlow(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	patient := func(o *worker.Options) {
		hurried(o)
		o.Settings.PostTimeout, o.Settings.SettleWindow = 10*time.Second, 20*time.Second
	}
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointReserve, Kind: bwfake.Slow, Delay: time.Second, Times: 1})
	w.Work(patient)
	w.Work(patient)
	key := ask(t, w, messages.Provision, reserved(messages.Request{RequestID: "r1", Numbers: []string{number}}))
	if e := w.Final(key, 1); ended(e) != "completed" {
		t.Errorf("ended %q without %v", ended(e), e.FailedNumbers)
	}
	if n := w.Sim.Calls(bwfake.EndpointReserve); n != 1 {
		t.Errorf("%d reservations were asked for, want 1", n)
	}
	await(t, func() bool { return len(w.Sim.Reservations()) == 0 })
}

// TestReserveIsNoProbe: where Bandwidth refused orders, a lone order that would reserve is the probe itself, without
// reservations.
func TestReserveIsNoProbe(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "pause.ORDER", []byte(`{"kind":"refused","until":"2020-01-01T00:00:00Z","why":"403","since":"2020-01-01T00:00:00Z"}`)); err != nil {
		t.Fatal(err)
	}
	w.Work(brisk)
	key := ask(t, w, messages.Provision, reserved(messages.Request{RequestID: "r1", Numbers: []string{number}}))
	if e := w.Final(key, 1); ended(e) != "completed" || w.Sim.Calls(bwfake.EndpointReserve) != 0 {
		t.Errorf("ended %q after %d reservations", ended(e), w.Sim.Calls(bwfake.EndpointReserve))
	}
	await(t, func() bool {
		_, err := kv.Get(t.Context(), "pause.ORDER")
		return errors.Is(err, jetstream.ErrKeyNotFound)
	})
}
