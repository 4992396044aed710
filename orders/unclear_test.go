package orders

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestP24_UnclearOrdersAreNotBoughtBeside: what may hold the numbers is not bought a second time by a replay.
func TestP24_UnclearOrdersAreNotBoughtBeside(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.stock(10)
		w.vendor.unclear = true
		w.run(byCriteria(3))
		for _, v := range w.check() {
			t.Error(v)
		}
		again := byCriteria(3)
		again.ReplayOf, again.Hash = 1, "h2"
		if got := admit(w.record(), again); got != AdmitRisky {
			t.Errorf("a replay without the sender's word is %v", got)
		}
		again.AcceptDouble = true
		if got := admit(w.record(), again); got != AdmitNew {
			t.Errorf("a replay with the sender's word is %v", got)
		}
		if n := len(w.vendor.orders); n != 1 {
			t.Errorf("%d orders at Bandwidth", n)
		}
	})
}

// TestP34_UnclearHolderIsPinned: a number whose holder could not be named is left alone by a replay.
func TestP34_UnclearHolderIsPinned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.vendor.holders = []HoldersFact{{Holders: map[string]Holder{numberA: {Unclear: true}}}}
		w.vendor.owners[numberA] = "o1"
		w.replays, w.replayAfter = 1, time.Hour
		w.asked = func(r *Record) Ask {
			w.vendor.owners[numberA] = "o2" // released elsewhere and bought again by a newer order
			return r.Ask
		}
		w.run(disconnectOf(numberA))
		if len(w.vendor.releases) > 0 || w.record().Generation != 2 {
			t.Errorf("%d disconnects in generation %d", len(w.vendor.releases), w.record().Generation)
		}
		for _, d := range w.vendor.releases {
			if len(d.released) > 0 {
				t.Errorf("released %v, which the newer order o2 holds", d.released)
			}
		}
	})
}

// TestP40_ErrorsOfDisconnectsAndSearches: a sentence for each of 5000 numbers does not make a record too large.
func TestP40_ErrorsOfDisconnectsAndSearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var errs []VendorError
		for _, n := range fiveThousand() {
			errs = append(errs, VendorError{Code: "5006", Description: n + " is not on this account. " + strings.Repeat("Choose another. ", 10)})
		}
		for _, how := range []string{"refused", "polled", "searched"} {
			a := disconnectOf(fiveThousand()...)
			r := NewRecord(a, time.Now())
			pins := map[string]string{}
			for _, n := range fiveThousand() {
				pins[n] = pinOf("o1")
			}
			r.claimRelease(fiveThousand(), pins, "t", time.Now(), time.Now())
			switch how {
			case "refused":
				r.settleRelease(1, "t", PostFact{State: PostRefused, Errors: errs}, w.settings, time.Now())
			case "polled":
				r.settleRelease(1, "t", PostFact{State: PostCreated, OrderID: "d1"}, w.settings, time.Now())
				r.polledRelease(1, PollFact{ID: "x", Status: "FAILED", Errors: errs}, w.settings, time.Now())
			case "searched":
				r = NewRecord(byCriteria(3), time.Now())
				r.searched(FindFact{Refused: true, Errors: errs}, w.settings, time.Now())
			}
			data, _ := r.Marshal()
			if len(data) > limit {
				t.Errorf("%s: the record takes %d bytes", how, len(data))
			}
		}
	})
}

// TestP36_ReleaseWhileBackordered: a number of a backorder that was released before the order ended stays released.
func TestP36_ReleaseWhileBackordered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(1)
		w.vendor.later, w.vendor.restock = []string{"+19195550002"}, 24*time.Hour
		a := byCriteria(2)
		a.Ask.Backorder = true
		start := time.Now()
		w.onPoll = func() {
			if time.Since(start) > 12*time.Hour && len(w.releases) == 0 {
				h := Releases("zzzzzzzzzzzzzzzzzzzz", "d1", w.clock.Now(), "+19195550001")
				w.releases = h
				_ = w.store.Register(t.Context(), h)
				w.vendor.foreign["+19195550001"] = true
			}
		}
		w.run(a)
		got, err := w.store.Number(t.Context(), "+19195550001")
		if err != nil || got.State != NumberReleased {
			t.Errorf("the registry says %+v %v; it was released half a day before the backorder ended", got, err)
		}
	})
}

// TestP40_TopUpsEnd: top-ups that bring a number each come to an end.
func TestP40_TopUpsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const n = 300
		for i := range n {
			w.vendor.finds = append(w.vendor.finds, FindFact{Numbers: []string{fmt.Sprintf("+1919555%04d", 1+i)}})
		}
		w.run(byCriteria(5000))
		r := w.record()
		data, err := r.Marshal()
		if err != nil || len(r.Purchases) != maxTopUps || r.Outcome.Outcome != Partial || len(data) > limit {
			t.Errorf("%d purchases, %d bytes, ended %s (%v)", len(r.Purchases), len(data), r.Outcome.Outcome, err)
		}
	})
}

// TestP18_SmallerReplay: a replay that wants less does not send a POST that would buy more.
func TestP18_SmallerReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(10)
		w.vendor.script = []reply{lostBefore}
		w.onPost = func() {
			if len(w.vendor.posts) == 0 {
				w.inbox = append(w.inbox, delivery{at: time.Now().Add(2 * time.Minute), arrival: Arrival{
					Key: "cancelcancelcancelca", RequestID: "c1", Kind: Cancel, Subject: "s", Hash: "hc", Body: []byte(`{}`), Ask: Ask{Target: testKey}}})
			}
		}
		w.replays = 1
		w.asked = func(r *Record) Ask {
			if r.Kind == Cancel {
				return r.Ask
			}
			ask := r.Ask
			ask.Quantity = 1
			return ask
		}
		w.run(byCriteria(3))
		for _, v := range w.check() {
			t.Error(v)
		}
		for _, o := range w.vendor.orders {
			if len(o.got) > 1 {
				t.Errorf("order %s bought %v", o.coid, o.got)
			}
		}
	})
}

// TestP24_UnclearBackorder: a backorder that ended without saying what it bought is not placed again.
func TestP24_UnclearBackorder(t *testing.T) {
	s := DefaultSettings()
	now := time.Now()
	namer, _ := NewNamer("p")
	a := byCriteria(3)
	a.Ask.Backorder = true
	r := NewRecord(a, now)
	r.plan(namer, nil)
	r.claim(1, "t", now, now)
	r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1"}, s, now)
	q := 3
	poll := func(g int) {
		for i := range 6 {
			r.polled(PollFact{ID: fmt.Sprint(g, i), OrderID: "o1", Status: "COMPLETE", CompletedQuantity: &q}, s, now)
		}
	}
	poll(1)
	x := Next(r, Conditions{Provisioning: true}, s, now)
	r.finish(x.Outcome)
	r.published(1)
	b := byCriteria(3)
	b.Ask.Backorder, b.ReplayOf, b.Hash = true, 1, "h2"
	if got := admit(r, b); got != AdmitRisky {
		t.Error("a replay was admitted without the sender's word")
	}
	r = r.nextGeneration(b, s, now)
	r.StaleLetters = nil
	poll(2)
	if x := Next(r, Conditions{Provisioning: true}, s, now); x.Kind == ActPlace {
		t.Errorf("a second backorder is placed while the first, COMPLETE with quantity 3, is unclear: %+v", x)
	}
}

// TestP34_BoughtAfterTheRequest: a number that was bought after the request was taken in, while no disconnect had read its
// holder, is not the one that was meant.
func TestP34_BoughtAfterTheRequest(t *testing.T) {
	r := NewRecord(disconnectOf(numberA, numberB), time.Now())
	holders := HoldersFact{Holders: map[string]Holder{
		numberA: {OrderID: "o2", Since: r.AcceptedAt.Add(time.Second)}, numberB: {OrderID: "o1", Since: r.AcceptedAt.Add(-time.Second)},
	}}
	send, _ := r.sort(holders, DefaultSettings(), time.Now())
	if !slices.Equal(send, []string{numberB}) || !slices.Equal(r.Refused[CodeChanged], []string{numberA}) {
		t.Errorf("sends %v and refuses %v", send, r.Refused)
	}
}

// TestP33_CancelLooksFirst: in a young ledger a cancel of an order that an older one had placed closes it.
func TestP33_CancelLooksFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conditions = func() Conditions {
			return Conditions{Provisioning: true, YoungLedger: true, OrdersHeldUntil: w.clock.Now().Add(time.Hour)}
		}
		namer, err := NewNamer("East coast Kazoo")
		if err != nil {
			t.Fatal(err)
		}
		a := backorderOf(3)
		w.comesLater(5)
		w.vendor.create(Purchase{CustomerOrderID: namer.CustomerOrderID(testKey, 1), Criteria: a.Ask.Criteria, Quantity: 3, PartialAllowed: true}, time.Now())
		w.inbox = append(w.inbox, delivery{at: time.Now().Add(time.Minute), arrival: cancelArrival()})
		w.conditions = func() Conditions {
			held := time.Time{}
			if w.vendor.orders[0].closed || time.Since(w.vendor.orders[0].created) < 2*time.Minute {
				held = w.clock.Now().Add(30 * time.Second)
			}
			return Conditions{Provisioning: true, YoungLedger: true, OrdersHeldUntil: held}
		}
		w.run(a)
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Reason != ReasonCancelled || !w.vendor.orders[0].closed {
			t.Errorf("ended %s %s, closed at Bandwidth: %t", r.Outcome.Outcome, r.Outcome.Reason, w.vendor.orders[0].closed)
		}
	})
}
