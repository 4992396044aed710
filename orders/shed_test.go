package orders

import (
	"fmt"
	"testing"
	"time"
)

// TestP40_ManyReplays: an order that is replayed two thousand times, in vain, stays small; each POST has its own
// customer order id all the same (P14).
func TestP40_ManyReplays(t *testing.T) {
	namer, err := NewNamer("East coast Kazoo")
	if err != nil {
		t.Fatal(err)
	}
	s := DefaultSettings()
	now := time.Now()
	r := NewRecord(arrivalOf("+19195550001"), now)
	ids := map[string]bool{}
	for generation := 1; generation <= 2000; generation++ {
		p := r.plan(namer, r.Missing())
		if ids[p.CustomerOrderID] {
			t.Fatalf("generation %d: the customer order id %s stands twice", generation, p.CustomerOrderID)
		}
		ids[p.CustomerOrderID] = true
		n := p.N
		r.claim(n, "t", now, now)
		r.settle(n, "t", PostFact{State: PostCreated, OrderID: OrderID(fmt.Sprintf("order-%d", generation))}, s, now)
		none := 0
		r.polled(PollFact{ID: "p", OrderID: OrderID(fmt.Sprintf("order-%d", generation)), Status: "FAILED", CompletedQuantity: &none, Errors: []VendorError{{Code: "5005", Description: "taken"}}}, s, now)
		r.finish(Outcome{Outcome: Failed, Reason: ReasonBandwidthFailed, At: now})
		r.published(uint64(generation))
		a := arrivalOf("+19195550001")
		a.ReplayOf, a.Hash = generation, fmt.Sprintf("%064d", generation)
		if r = r.nextGeneration(a, s, now); !r.roomFor() {
			t.Fatalf("no room for generation %d", r.Generation)
		}
		r.StaleLetters = nil
	}
	data, err := r.Marshal()
	if err != nil || len(data) > 256<<10 {
		t.Errorf("the record takes %d bytes after %d generations (%v)", len(data), r.Generation, err)
	}
}

// TestP40_NoRoom: a record that is nearly full takes no replay, and nothing is changed.
func TestP40_NoRoom(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(arrivalOf("+19195550001"), time.Now())
		for i := range 12_000 {
			r.Hashes = append(r.Hashes, fmt.Sprintf("%064d", i))
		}
		r.Generation = len(r.Hashes)
		r.Outcome = &Outcome{Outcome: Failed, Reason: ReasonRejected, Published: true}
		stored := w.stored(r)
		a := arrivalOf("+19195550001")
		a.ReplayOf, a.Hash = r.Generation, "new"
		admission, _, err := w.driver().Accept(t.Context(), a)
		if err != nil || admission != AdmitFull || w.record().Revision != stored.Revision {
			t.Errorf("Accept = %v, %v, and the record is at revision %d, was %d", admission, err, w.record().Revision, stored.Revision)
		}
	})
}
