package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// control returns a control on the world's bucket.
func control(t *testing.T, w *workertest.World) *worker.Control {
	t.Helper()
	kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket())
	if err != nil {
		t.Fatal(err)
	}
	clock := new(orders.ServerClock)
	clock.Observe(time.Now())
	c, err := worker.NewControl(t.Context(), kv, clock, "test", 30*time.Second, w.Log)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPausesKeepTheLonger: a 429 takes the place of a refusal, which it disproves; a refusal does not shorten what a 429
// asked for.
func TestPausesKeepTheLonger(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	c := control(t, w)
	left := func() time.Duration { return time.Until(c.HeldUntil(worker.GroupOrder)) }
	c.Refused(t.Context(), worker.GroupOrder, "401")
	c.Limited(t.Context(), worker.GroupOrder, 20*time.Second, "429")
	if p := c.Pauses()[worker.GroupOrder]; p.Kind != worker.PauseRate || left() < 15*time.Second || left() > 21*time.Second {
		t.Errorf("a probe answered 429 with 20 s leaves the pause %s, for %s", p.Kind, left())
	}
	c.Limited(t.Context(), worker.GroupOrder, 5*time.Minute, "429")
	c.Refused(t.Context(), worker.GroupOrder, "401")
	if p := c.Pauses()[worker.GroupOrder]; p.Kind != worker.PauseRefused || left() < 4*time.Minute {
		t.Errorf("a refusal within a rate limit of five minutes leaves the pause %s, for %s", p.Kind, left())
	}
	c.Limited(t.Context(), worker.GroupSearch, 30*24*time.Hour, "429") // in another unit than is documented
	if left := time.Until(c.HeldUntil(worker.GroupSearch)); left > 25*time.Hour {
		t.Errorf("a reset a month ahead holds the group for %s", left)
	}
}

// TestYoungLedgerWithWrongCredentials: also while each first order is looked for first, wrong credentials pause the
// fleet, /readyz says why, and Bandwidth is not hammered (P22, P33).
func TestYoungLedgerWithWrongCredentials(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Sim.SetCredentials("somebody", "else")
	running, _ := w.Worker(func(o *worker.Options) { brisk(o); o.LedgerGuard = time.Hour })
	var keys []string
	for i := range 20 {
		keys = append(keys, w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i)))
	}
	await(t, func() bool { return !running.Ready() })
	if why := running.WhyNotReady(); !strings.Contains(why, "ORDER") || !strings.Contains(why, "401") {
		t.Errorf("not ready because %q; want the group and the refusal", why)
	}
	// What was under way when the pause was written goes on, and nothing else: an order more does not call.
	calls := func() int { return w.Sim.Calls(bwfake.EndpointSites) + w.Sim.Calls(bwfake.EndpointList) }
	key := w.Provision("late", "+19195551999")
	w.Await(1, "the late order is taken in", func(e messages.Event) bool { return e.Key == key })
	if n := calls(); n > 2*len(keys) {
		t.Errorf("%d reads for %d orders with wrong credentials", n, len(keys))
	}
	w.Sim.SetCredentials(workertest.Username, workertest.Password)
	if err := running.Resume(t.Context(), worker.GroupOrder); err != nil { // an operator need not wait for the next probe
		t.Fatal(err)
	}
	for _, key := range append(keys, key) {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
	await(t, running.Ready)
}

// TestWrongCredentials: orders wait, none becomes a dead letter, and /readyz says why (P22).
func TestWrongCredentials(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Sim.SetCredentials("somebody", "else")
	running, _ := w.Worker(brisk)
	keys := make([]string, 20)
	for i := range keys {
		keys[i] = w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i))
	}
	await(t, func() bool { return !running.Ready() })
	if why := running.WhyNotReady(); !strings.Contains(why, "ORDER") || !strings.Contains(why, "401") {
		t.Errorf("not ready because %q; want the group and the refusal", why)
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n > 64 {
		t.Errorf("%d POSTs with wrong credentials", n)
	}
	w.Sim.SetCredentials(workertest.Username, workertest.Password)
	if err := running.Resume(t.Context(), worker.GroupOrder); err != nil { // an operator need not wait for the next probe
		t.Fatal(err)
	}
	for _, key := range keys {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
	await(t, running.Ready)
}

// TestRateLimitHoldsTheFleet: after a 429 no worker calls that group before the reset.
func TestRateLimitHoldsTheFleet(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	w.Work(brisk)
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.RateLimit, Delay: 5 * time.Second})
	first := w.Provision("first", "+19195550001")
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointCreate) == 1 })
	// The pause has to reach both workers before they are given work: an event of each shows that they see it.
	await(t, func() bool { return pauseStored(t, w) })
	var keys []string
	for i := range 30 {
		keys = append(keys, w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i)))
	}
	for _, key := range append(keys, first) {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
	var limited time.Time
	for _, r := range w.Sim.Requests() {
		if r.Endpoint != bwfake.EndpointCreate {
			continue
		}
		if r.Status == http.StatusTooManyRequests {
			limited = r.At
		} else if reset := limited.Add(5 * time.Second).Truncate(time.Second); r.At.Before(reset) {
			t.Errorf("a POST %s before the reset", reset.Sub(r.At))
		}
	}
	if limited.IsZero() {
		t.Error("nobody was limited")
	}
}

func pauseStored(t *testing.T, w *workertest.World) bool {
	t.Helper()
	kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket())
	if err != nil {
		t.Fatal(err)
	}
	_, err = kv.Get(t.Context(), "pause.ORDER")
	return err == nil
}
