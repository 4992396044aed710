package worker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

const (
	// scaledOrders go through a fleet that grows and shrinks.
	scaledOrders = 2000
	// scaledLease is far longer than any poll: an order that waited for it was lost with a worker that stopped.
	scaledLease = 20 * time.Second
)

// ordinary is a number of which the simulator has nothing to tell.
func ordinary(i int) string { return fmt.Sprintf("+1919%03d%04d", 300+i/100, 1000+i%100) }

func scaled(o *worker.Options) {
	o.Settings.PollMinInterval, o.Settings.PollMaxInterval = 200*time.Millisecond, time.Second
	o.Settings.Lease, o.AckWait = scaledLease, scaledLease
}

// waiting runs orders through a fleet, which resize changes as they come to an end, and returns how long the order that
// waited longest did so between submitted and completed.
func waiting(t *testing.T, resize func(w *workertest.World, ended func(n int))) time.Duration {
	t.Helper()
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: time.Second}})
	keys := make([]string, scaledOrders)
	for i := range keys {
		keys[i] = w.Provision(fmt.Sprintf("r%d", i), ordinary(i))
	}
	final := func(e messages.Event) bool { return e.Outcome.Final() }
	resize(w, func(n int) { w.Await(n, "some orders end", final) })
	began := map[string]time.Time{}
	longest := time.Duration(0)
	for _, key := range keys {
		e := w.Final(key, 1)
		if ended(e) != "completed" || len(e.Numbers) != 1 {
			t.Errorf("order %s ended %q with %v", key, ended(e), e.Numbers)
		}
	}
	finals := map[string]int{}
	for _, e := range w.Events() {
		switch {
		case e.Outcome == messages.Submitted:
			began[e.Key] = e.OccurredAt
		case e.Outcome.Final():
			finals[e.Key]++
			if since, ok := began[e.Key]; ok {
				longest = max(longest, e.OccurredAt.Sub(since))
			}
		}
	}
	if purchases := w.Sim.Purchases(); len(purchases) != scaledOrders || w.Sim.Calls(bwfake.EndpointCreate) != scaledOrders {
		t.Errorf("%d purchases by %d POSTs of %d orders", len(purchases), w.Sim.Calls(bwfake.EndpointCreate), scaledOrders)
	}
	for key, n := range finals {
		if n != 1 {
			t.Errorf("order %s ended %d times", key, n)
		}
	}
	if len(finals) != scaledOrders || len(began) != scaledOrders {
		t.Errorf("%d orders were submitted, %d ended, of %d", len(began), len(finals), scaledOrders)
	}
	return longest
}

// TestScaling: 2,000 orders while the fleet grows from one worker to six and shrinks to two: none is lost, none is placed
// twice, and none waits for a lease of a worker that stopped.
func TestScaling(t *testing.T) {
	steady := waiting(t, func(w *workertest.World, _ func(int)) {
		w.Work(scaled)
		w.Work(scaled)
	})
	resized := waiting(t, func(w *workertest.World, ended func(int)) {
		stops := []func(){w.Work(scaled)}
		ended(scaledOrders / 10)
		for range 5 {
			stops = append(stops, w.Work(scaled))
		}
		for i := range 4 { // those that have worked longest go, one after the other
			ended(scaledOrders * (3 + i) / 10)
			stops[i]()
		}
	})
	t.Logf("the longest wait is %s in a steady fleet, %s in one that is resized", steady, resized)
	// A poll interval and, for a busy machine, as much again; a lease would show as twice the limit.
	if limit := max(2*steady+2*time.Second, scaledLease/2); resized >= limit {
		t.Errorf("an order waited %s, more than %s: in a steady fleet none waits more than %s", resized, limit, steady)
	}
}

// TestStoppingHandsOver: a worker that stops hands over what was on its way to it, so that it does not wait for its lease.
func TestStoppingHandsOver(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: 300 * time.Millisecond}})
	stop := w.Work(scaled)
	var keys []string
	for round := range 12 { // in each, a worker stops while it is given work
		for i := range 10 {
			keys = append(keys, w.Provision(fmt.Sprintf("r%d-%d", round, i), ordinary(10*round+i)))
		}
		next := w.Work(scaled)
		stop()
		stop = next
	}
	var waits []time.Duration
	for _, key := range keys {
		e := w.Final(key, 1)
		if ended(e) != "completed" {
			t.Errorf("order %s ended %q", key, ended(e))
		}
	}
	began := map[string]time.Time{} // its first event: that of its intake may be missing (P29)
	for _, e := range w.Events() {
		if _, ok := began[e.Key]; !ok {
			began[e.Key] = e.OccurredAt
		}
		if e.Outcome.Final() {
			waits = append(waits, e.OccurredAt.Sub(began[e.Key]))
		}
	}
	slices.Sort(waits)
	if longest := waits[len(waits)-1]; longest >= scaledLease/2 {
		t.Errorf("an order took %s, the lease is %s; the longest are %v", longest, scaledLease, waits[max(0, len(waits)-10):])
	}
}
