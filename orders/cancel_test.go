package orders

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func init() {
	for _, s := range backorderScenarios {
		if s.crashed == nil {
			s.crashed = undecidable
		}
		scenarios = append(scenarios, s)
	}
}

// backorderOf is a request for a quantity that waits for stock.
func backorderOf(quantity int) Arrival {
	a := byCriteria(quantity)
	a.Ask.Backorder = true
	return a
}

func backorders() []Arrival { return []Arrival{backorderOf(3)} }

// comesLater puts numbers into stock a day later.
func (w *world) comesLater(count int) {
	w.vendor.restock = 24 * time.Hour
	for i := range count {
		w.vendor.later = append(w.vendor.later, fmt.Sprintf("+1919666%04d", 1+i))
	}
}

var backorderScenarios = []scenario{
	{name: "backorder, all in stock", arrivals: backorders, setup: func(w *world) { w.stock(5) }, want: []string{"completed"}},
	{name: "backorder, in parts", arrivals: backorders, setup: func(w *world) { w.stock(1); w.comesLater(5) }, want: []string{"completed"}},
	{name: "backorder, all a day later", arrivals: backorders, setup: func(w *world) { w.comesLater(5) }, want: []string{"completed"}},
	{name: "backorder, the reply lost after creation", arrivals: backorders,
		setup: func(w *world) { w.comesLater(5); w.vendor.script = []reply{lostAfter} }, want: []string{"completed"}},
	{name: "backorder, the reply lost before creation", arrivals: backorders,
		setup: func(w *world) { w.comesLater(5); w.vendor.script = []reply{lostBefore} }, want: []string{"failed outcome_unknown"}},
	{name: "backorder, refused", arrivals: backorders,
		setup: func(w *world) { w.vendor.script = []reply{refusedPost} }, want: []string{"failed rejected"}},
	{name: "backorder, not sent and then sent", arrivals: backorders,
		setup: func(w *world) { w.stock(5); w.vendor.script = []reply{unsent, limited} }, want: []string{"completed"}},
	{name: "backorder, unknown, replayed by one who accepts a second purchase", arrivals: backorders, setup: func(w *world) {
		w.stock(5)
		w.vendor.script = []reply{lostBefore}
		w.replays, w.double = 1, true
		w.asked = w.again
	}, want: []string{"completed"}},
	{name: "backorder, bought and never listed, replayed by one who accepts a second purchase", arrivals: backorders, setup: func(w *world) {
		w.stock(2)
		w.vendor.script, w.vendor.listDelay = []reply{lostAfter}, 8*time.Minute // the replay's own looks find it
		w.replays, w.double = 1, true
		w.asked = w.again
		w.comesLater(5)
	}, want: []string{"completed"}, crashed: []string{"completed", "failed outcome_unknown"}},
}

// TestP18_BackorderIsNeverRepeated: whatever is lost, a search-and-order type is sent once.
func TestP18_BackorderIsNeverRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(5)
		w.vendor.script = []reply{lostBefore}
		w.run(backorderOf(3))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Reason != ReasonOutcomeUnknown || len(w.vendor.posts) != 1 {
			t.Errorf("ended %s %s after %d POSTs, want outcome_unknown after one", r.Outcome.Outcome, r.Outcome.Reason, len(w.vendor.posts))
		}
	})
}

// TestP21b_DoubleMustBeAccepted: a replay of a backorder that was never found is refused without the sender's word.
func TestP21b_DoubleMustBeAccepted(t *testing.T) {
	r := NewRecord(backorderOf(3), time.Now())
	namer, err := NewNamer("East coast Kazoo")
	if err != nil {
		t.Fatal(err)
	}
	r.plan(namer, nil)
	r.Purchases[0].Posts = []Post{{Token: "a", State: PostUnknown}}
	r.Outcome = &Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, Published: true}
	a := backorderOf(3)
	a.ReplayOf, a.Hash = 1, "h2"
	if got := admit(r, a); got != AdmitRisky {
		t.Errorf("without the word it is %v", got)
	}
	exact := arrivalOf("+19195550001")
	exact.ReplayOf, exact.Hash = 1, "h2"
	if got := admit(r, exact); got != AdmitRisky {
		t.Errorf("edited to exact numbers, without the word, it is %v", got)
	}
	a.AcceptDouble = true
	if got := admit(r, a); got != AdmitNew {
		t.Fatalf("with the word it is %v", got)
	}
	next := r.nextGeneration(a, DefaultSettings(), time.Now())
	next.WrittenAt = time.Now()
	if got := Next(next, Conditions{Provisioning: true}, DefaultSettings(), time.Now()); got.Kind != ActLook {
		t.Errorf("it begins with %+v, want a look (P21)", got)
	}
	next.Purchases[0].LateLooks = looksNeeded
	if got := Next(next, Conditions{Provisioning: true}, DefaultSettings(), time.Now()); got.Kind != ActPlace || got.N != 0 {
		t.Errorf("after its looks %+v, want a new order", got)
	}
}

const cancelKey ID = "zyxwvutsrqponmlkjihg"

func cancelArrival() Arrival {
	return Arrival{Key: cancelKey, RequestID: "c1", Kind: Cancel, Subject: "s", Hash: "c", Body: []byte(`{}`), Ask: Ask{Target: testKey}}
}

// cancelCase is a course in which an order is cancelled.
type cancelCase struct {
	name     string
	arrival  Arrival
	after    time.Duration // when the cancel comes
	setup    func(*world)
	order    []string // what the order may end as
	cancel   string   // what the cancel ends as
	crashing []string // what the order may also end as where a worker died
}

// riskIsTaken lets an operator replay, and accept a second purchase, what ends as outcome_unknown (P21b).
func (w *world) riskIsTaken() {
	w.replays, w.double = 1, true
	w.replayed = func(r *Record) bool { return r.Key == testKey && r.Cancel == nil }
	w.asked = w.again
	w.comesLater(5)
}

var cancelCases = []cancelCase{
	{name: "before submission", arrival: arrivalOf("+19195550001"), after: time.Minute, setup: func(w *world) {
		begin := time.Now()
		w.vendor.prepare = func() error {
			if time.Since(begin) < time.Hour {
				return &HoldError{Until: w.clock.Now().Add(10 * time.Minute), Why: "paused"}
			}
			return nil
		}
	}, order: []string{"failed cancelled"}, cancel: "completed"},
	{name: "while unknown, and found", arrival: backorderOf(3), after: 2 * time.Minute, setup: func(w *world) {
		w.stock(1)
		w.vendor.script, w.vendor.listDelay = []reply{lostAfter}, 3*time.Minute
	}, order: []string{"partial cancelled"}, cancel: "completed", crashing: []string{"failed outcome_unknown", "failed cancelled"}},
	{name: "while unknown, and never found", arrival: arrivalOf("+19195550001"), after: 2 * time.Minute, setup: func(w *world) {
		w.vendor.script = []reply{lostBefore}
	}, order: []string{"failed outcome_unknown"}, cancel: "failed rejected", crashing: []string{"completed", "failed cancelled"}},
	{name: "while backordered, with nothing", arrival: backorderOf(3), after: time.Hour,
		order: []string{"failed cancelled"}, cancel: "completed", crashing: []string{"failed outcome_unknown"}},
	{name: "while backordered, with a part", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) { w.stock(1) },
		order: []string{"partial cancelled"}, cancel: "completed", crashing: []string{"failed outcome_unknown"}},
	{name: "while backordered, and closing fails at first", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.vendor.closes = []CloseFact{{Detail: "500"}, {Detail: "timeout"}}
	}, order: []string{"failed cancelled"}, cancel: "completed", crashing: []string{"failed outcome_unknown"}},
	{name: "while backordered, and Bandwidth refuses", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.comesLater(5)
		w.vendor.closes = []CloseFact{{Refused: true, Errors: []VendorError{{Code: "5061", Description: "bad id"}}}}
	}, order: []string{"completed"}, cancel: "failed rejected", crashing: []string{"failed outcome_unknown", "failed cancelled"}},
	{name: "while Bandwidth works on it", arrival: arrivalOf("+19195550001"), after: time.Minute, setup: func(w *world) {
		w.vendor.runFor = time.Hour
	}, order: []string{"completed"}, cancel: "failed rejected", crashing: []string{"failed cancelled", "failed outcome_unknown"}},
	{name: "between top-ups", arrival: byCriteria(3), after: 30 * time.Second, setup: func(w *world) {
		w.stock(10)
		w.vendor.grabs, w.vendor.runFor = 1, time.Minute
	}, order: []string{"partial cancelled"}, cancel: "completed", crashing: []string{"failed cancelled", "failed outcome_unknown", "partial outcome_unknown"}},
	{name: "beside a backorder that was never found, and whose risk was taken", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.vendor.script = []reply{lostBefore}
		w.riskIsTaken()
	}, order: []string{"failed outcome_unknown"}, cancel: "failed rejected", crashing: []string{"failed cancelled"}},
	{name: "beside one whose risk was taken, with a part", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.stock(1)
		w.vendor.script = []reply{lostBefore}
		w.riskIsTaken()
	}, order: []string{"partial outcome_unknown"}, cancel: "failed rejected", crashing: []string{"partial cancelled", "failed outcome_unknown"}},
	{name: "beside one whose risk was taken, and which was found after all", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.stock(1)
		w.vendor.script, w.vendor.listDelay = []reply{lostAfter}, 9*time.Minute+51*time.Second // the replay's first look
		w.riskIsTaken()
	}, order: []string{"partial cancelled"}, cancel: "completed", crashing: []string{"partial outcome_unknown", "failed outcome_unknown"}},
	{name: "while one whose risk was taken is looked for", arrival: backorderOf(3), after: 9*time.Minute + 55*time.Second, setup: func(w *world) {
		w.vendor.script = []reply{lostBefore}
		w.riskIsTaken()
	}, order: []string{"failed outcome_unknown"}, cancel: "failed rejected", crashing: []string{"failed cancelled", "completed"}}, // it may come before the replay
	{name: "while its numbers are reserved", arrival: reservedOf(arrivalOf(both...)), after: time.Hour, setup: func(w *world) {
		expireFirst(w, 1)
		w.vendor.reserveLife = 24 * time.Hour
	}, order: []string{"failed cancelled"}, cancel: "completed"},
	{name: "switched off once it is wished", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.conditions = func() Conditions {
			r, err := w.store.Get(w.t.Context(), testKey)
			return Conditions{Provisioning: err != nil || r.Cancel == nil}
		}
	}, order: []string{"failed cancelled"}, cancel: "completed", crashing: []string{"failed outcome_unknown"}},
	{name: "switched off before", arrival: backorderOf(3), after: time.Hour, setup: func(w *world) {
		w.comesLater(5)
		begin := time.Now()
		w.conditions = func() Conditions { return Conditions{Provisioning: time.Since(begin) < 50*time.Minute} }
	}, order: []string{"completed"}, cancel: "failed provisioning_disabled", crashing: []string{"failed outcome_unknown"}},
	{name: "after the end", arrival: arrivalOf("+19195550001"), after: time.Hour, order: []string{"completed"}, cancel: "failed rejected"},
}

// playCancel runs a case with workers dying at the given steps, and returns what is wrong.
func playCancel(t *testing.T, c cancelCase, crashes ...int) (*world, []string) {
	w := newWorld(t)
	if c.setup != nil {
		c.setup(w)
	}
	w.crashes = crashes
	w.inbox = append(w.inbox, delivery{at: time.Now().Add(c.after), arrival: cancelArrival()})
	w.run(c.arrival)
	out := w.check()
	var cancels []published
	for _, p := range w.published {
		if strings.HasPrefix(p.id, string(cancelKey)+".") {
			cancels = append(cancels, p)
		}
	}
	if len(cancels) != 1 {
		return w, append(out, fmt.Sprintf("the cancel has %d outcomes", len(cancels)))
	}
	r := w.record()
	ended := strings.TrimSpace(r.Outcome.Outcome + " " + r.Outcome.Reason)
	answer := strings.TrimSpace(cancels[0].outcome + " " + cancels[0].reason)
	if !slices.Contains(c.order, ended) && (len(crashes) == 0 || !slices.Contains(c.crashing, ended)) {
		out = append(out, fmt.Sprintf("the order ended %q, want one of %q", ended, c.order))
	}
	if len(crashes) == 0 && answer != c.cancel {
		out = append(out, fmt.Sprintf("the cancel ended %q, want %q", answer, c.cancel))
	}
	if late := cancels[0].at.Sub(r.Outcome.At); len(crashes) == 0 && c.name != "after the end" && late > 2*w.settings.PollMinInterval {
		out = append(out, fmt.Sprintf("the cancel was answered %s after the order's end", late))
	}
	if cancels[0].outcome != Completed && strings.HasSuffix(ended, ReasonCancelled) {
		out = append(out, fmt.Sprintf("the cancel ended %q, and the order ended %s", answer, ended))
	}
	if cancels[0].outcome == Completed {
		for _, p := range w.vendor.posts {
			if p.at.After(cancels[0].at) {
				out = append(out, "a POST was sent after the cancel was answered completed")
			}
		}
		if ended == "completed" || strings.HasSuffix(ended, ReasonOutcomeUnknown) {
			out = append(out, "the cancel completed, and the order ended "+ended)
		}
	}
	return w, out
}

func TestCancel(t *testing.T) {
	for _, c := range cancelCases {
		t.Run(c.name, func(t *testing.T) {
			sweep(t, func(t *testing.T, crashes ...int) (*world, []string) { return playCancel(t, c, crashes...) })
		})
	}
}

// TestCancelOfAnotherGeneration: a cancel that comes late never closes the replay of the order that it meant.
func TestCancelOfAnotherGeneration(t *testing.T) {
	target := NewRecord(arrivalOf("+19195550001"), time.Now())
	target.Generation = 2
	verdict, wish := cancelStep(cancelKey, 1, target, Conditions{Provisioning: true}, time.Now())
	if wish || verdict == nil || verdict.Outcome != Failed {
		t.Errorf("a cancel of generation 1 meets generation 2: %+v, wish %t", verdict, wish)
	}
	target.CancelledBy = []ID{cancelKey}
	if verdict, wish = cancelStep(cancelKey, 1, target, Conditions{Provisioning: true}, time.Now()); wish || verdict == nil || verdict.Outcome != Completed {
		t.Errorf("a cancel that ended generation 1: %+v, wish %t", verdict, wish)
	}
}

// TestCancelOfNothing: a cancel of an order that is not there is told apart.
func TestCancelOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		admission, _, err := w.driver().Accept(t.Context(), cancelArrival())
		if err != nil || admission != AdmitNoTarget {
			t.Errorf("Accept = %v, %v", admission, err)
		}
	})
}

// TestCancelRace: a replay that begins between a cancel's look at the order and its wish is not cancelled.
func TestCancelRace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(arrivalOf("+19195550001"), time.Now())
		w.stored(r)
		d := w.driver()
		raced := false
		d.Store = meddled{w, func(ours *Record) {
			if ours.Key != testKey || raced {
				return
			}
			raced = true
			theirs := w.record()
			theirs.Generation = 2
			if _, err := w.store.Update(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
		}}
		c := NewRecord(cancelArrival(), time.Now())
		c.Ask.TargetGeneration = 1
		if _, err := w.store.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := d.Drive(t.Context(), Tick{Key: cancelKey, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got := w.record(); !raced || got.Cancel != nil {
			t.Errorf("the replay is cancelled: %+v", got.Cancel)
		}
	})
}

// TestP20_NoBackorderWhileUnresolved: a replay that was edited into a backorder buys nothing beside a POST whose
// outcome is unknown.
func TestP20_NoBackorderWhileUnresolved(t *testing.T) {
	r := NewRecord(arrivalOf("+19195550001"), time.Now())
	namer, err := NewNamer("East coast Kazoo")
	if err != nil {
		t.Fatal(err)
	}
	r.plan(namer, r.Ask.Numbers)
	r.Purchases[0].Posts = []Post{{Token: "a", State: PostUnknown}, {Token: "b", State: PostUnknown}}
	r.Outcome = &Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, Published: true}
	a := backorderOf(1)
	a.ReplayOf, a.Hash = 1, "h2"
	next := r.nextGeneration(a, DefaultSettings(), time.Now())
	next.WrittenAt, next.Purchases[0].LateLooks = time.Now(), looksNeeded
	if got := Next(next, Conditions{Provisioning: true}, DefaultSettings(), time.Now()); got.Kind != ActFinish || got.Outcome.Reason != ReasonOutcomeUnknown {
		t.Errorf("%+v, want outcome_unknown", got)
	}
}

// TestClosedIsRead: an order that was closed is read before it is closed again, also where one tick comes after both are
// due: timers may be late by more than the time between two closes.
func TestClosedIsRead(t *testing.T) {
	namer, err := NewNamer("East coast Kazoo")
	if err != nil {
		t.Fatal(err)
	}
	s, now := DefaultSettings(), time.Now()
	r := NewRecord(backorderOf(3), now)
	p := r.plan(namer, nil)
	p.Posts = []Post{{Token: "a", State: PostCreated, OrderID: "o1"}}
	p.Orders = []VendorOrder{{OrderID: "o1", Status: "BACKORDERED", NextPollAt: now.Add(time.Hour)}}
	r.wish(cancelKey, now)
	conditions := Conditions{Provisioning: true}
	if a := Next(r, conditions, s, now); a.Kind != ActClose {
		t.Fatalf("it begins with %+v, want a close at once", a)
	}
	for name, f := range map[string]CloseFact{"closed": {Closed: true}, "failed": {Detail: "500"}} {
		r := r.Clone()
		if !r.closed("o1", f, s, now) {
			t.Fatal("the close changed nothing")
		}
		late := now.Add(time.Minute)
		if a := Next(r, conditions, s, late); a.Kind != ActPoll {
			t.Errorf("%s: then %+v, want a poll", name, a)
		}
		if !r.polled(PollFact{ID: "1", OrderID: "o1", Status: "BACKORDERED"}, s, late) {
			t.Fatal("the poll changed nothing")
		}
		if a := Next(r, conditions, s, late); a.Kind != ActClose {
			t.Errorf("%s: after a poll that shows it waiting %+v, want a close", name, a)
		}
	}
}
