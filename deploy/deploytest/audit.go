package deploytest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/orders"
)

// Figures are what an audit counted.
type Figures struct {
	Orders    int // that were published
	Completed int // that have a completed event
	Repeats   int // completed events beyond the first of an order
	Retried   int // tries to publish a request beyond the first
	Bandwidth int // orders that exist at Bandwidth
	Numbers   int // numbers that Bandwidth sold
	Unknown   int // orders one of whose POSTs was of unknown outcome for a time
	Found     int // of these, those that a look found at Bandwidth
}

// String shows the figures in a line.
func (f Figures) String() string {
	return fmt.Sprintf("%d orders published (%d tries repeated), %d completed (%d events repeated), %d orders at Bandwidth, %d numbers sold, %d outcomes unknown for a time and resolved (%d found)",
		f.Orders, f.Retried, f.Completed, f.Repeats, f.Bandwidth, f.Numbers, f.Unknown, f.Found)
}

// Audit waits until nothing is left to do, and then compares what was asked with the events, the dead letters, the
// ledger and the orders that exist at Bandwidth. Whatever was bought twice, was lost or disagrees fails the test.
func (b *Batch) Audit(atBandwidth []bwfake.Purchase) Figures {
	b.t.Helper()
	b.settled()
	f := Figures{Orders: len(b.numbers), Bandwidth: len(atBandwidth), Retried: int(b.retried.Load())}
	b.auditEvents(&f)
	b.auditPurchases(&f, atBandwidth)
	b.auditLedger(&f)
	for letter, err := range b.Bus.Letters(b.t.Context(), bus.Filter{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Errorf("stray dead letter %s: %s", letter.LetterID, letter.Reason)
	}
	return f
}

// auditEvents checks that each order has one final outcome. A repeat of its event has to be the same event (P23).
func (b *Batch) auditEvents(f *Figures) {
	b.t.Helper()
	finals := map[string]messages.Event{}
	for _, e := range b.read() {
		number, ours := b.numbers[e.Key]
		switch first, seen := finals[e.Key]; {
		case !ours:
			b.t.Errorf("event %s belongs to no order of the batch", e.EventID)
		case !e.Outcome.Final():
		case e.EventID != e.Key+".1.completed":
			b.t.Errorf("final event %s (%s), want %s.1.completed", e.EventID, e.Reason, e.Key)
		case !slices.Equal(e.Numbers, []string{number}):
			b.t.Errorf("event %s names %v, want %s", e.EventID, e.Numbers, number)
		case !seen:
			finals[e.Key] = e
		case e.Sequence != first.Sequence || e.BandwidthOrderID != first.BandwidthOrderID || !e.OccurredAt.Equal(first.OccurredAt):
			b.t.Errorf("event %s came again as another one: %+v, then %+v", e.EventID, first, e)
		default:
			f.Repeats++
		}
	}
	f.Completed = len(finals)
	for _, key := range b.sortedKeys() {
		if _, ok := finals[key]; !ok {
			b.t.Errorf("order %s (%s) is lost: it has no completed event", key, b.numbers[key])
		}
	}
}

// auditPurchases checks that each order exists once at Bandwidth and each number was sold once. The vendor itself
// sells a number once only, so a second order, even one that failed, is what a second POST leaves.
func (b *Batch) auditPurchases(f *Figures, atBandwidth []bwfake.Purchase) {
	b.t.Helper()
	sold, ordered := map[string]int{}, map[string]int{}
	for _, p := range atBandwidth {
		ordered[p.CustomerOrderID]++
		for _, number := range p.Numbers {
			sold[number]++
		}
	}
	f.Numbers = len(sold)
	for id, n := range ordered {
		if n != 1 {
			b.t.Errorf("%d orders at Bandwidth have the customer order id %s", n, id)
		}
	}
	for _, key := range b.sortedKeys() {
		if n := sold[b.numbers[key]]; n != 1 {
			b.t.Errorf("number %s of order %s was sold %d times", b.numbers[key], key, n)
		}
	}
	if len(atBandwidth) != len(b.numbers) || len(sold) != len(b.numbers) {
		b.t.Errorf("%d orders exist at Bandwidth, with %d numbers; want %d of each", len(atBandwidth), len(sold), len(b.numbers))
	}
}

// auditLedger asks the workers for each order and counts the outcomes that were unknown for a time.
func (b *Batch) auditLedger(f *Figures) {
	b.t.Helper()
	for _, key := range b.sortedKeys() {
		var answer json.RawMessage
		Await(b.t, "the order "+key, func(ctx context.Context) (err error) {
			answer, err = b.Bus.Order(ctx, key, "", "") // a worker that was cut off may have been asked
			return err
		})
		var view struct {
			State     string                  `json:"state"`
			Published bool                    `json:"published"`
			Numbers   []string                `json:"numbers"`
			History   []messages.HistoryEntry `json:"history"`
		}
		if err := json.Unmarshal(answer, &view); err != nil {
			b.t.Fatal(err)
		}
		if view.State != string(orders.StateCompleted) || !view.Published || !slices.Equal(view.Numbers, []string{b.numbers[key]}) {
			b.t.Errorf("the ledger says of order %s: %s", key, answer)
		}
		happened := func(what string) bool {
			return slices.ContainsFunc(view.History, func(h messages.HistoryEntry) bool { return h.What == what })
		}
		if happened("unknown") {
			f.Unknown++
			if happened("found") {
				f.Found++
			}
		}
	}
}
