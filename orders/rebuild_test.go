package orders

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// lose loses the ledger, the index and the registry. Timers, and workers with an order in hand, are left.
func (w *world) lose() {
	w.store = Memory{}
	w.published, w.events, w.letters = nil, map[string]string{}, map[string]uint64{}
	lost, again := time.Now(), false
	w.conditions = func() Conditions {
		c := Conditions{Provisioning: true, YoungLedger: true, DoubtedAt: lost}
		if !again && !time.Now().Before(c.settled(w.settings)) {
			again = true
			w.rebuild() // a rebuild ends with a second pass, before which nothing is bought
		}
		return c
	}
}

func (w *world) rebuilder() *Rebuilder {
	return &Rebuilder{Store: &w.store, Names: w.driver().Names, Settings: w.settings, Clock: &w.clock}
}

// rebuild takes what the vendor lists into the ledger.
func (w *world) rebuild() {
	b := w.rebuilder()
	for _, o := range w.vendor.orders {
		if time.Since(o.created) < w.vendor.listDelay || time.Now().Before(o.created) {
			continue
		}
		key, n, ok := b.Names.Parse(o.coid)
		if !ok {
			w.t.Fatalf("the customer order id %s is not ours", o.coid)
		}
		if _, err := b.Restore(w.t.Context(), key, n, Listed{OrderID: o.id, CustomerOrderID: o.coid, Status: "RECEIVED", At: o.created}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// lostScenarios are courses of events in which the ledger is lost. None of them leaves a decision to the vendor that an
// order after the loss could not repeat.
var lostScenarios = []scenario{
	{name: "exact numbers"},
	{name: "an order that runs", setup: func(w *world) { w.vendor.runFor = 10 * time.Minute }},
	{name: "a lost reply", setup: func(w *world) { w.vendor.script = []reply{lostAfter} }},
	{name: "created late", setup: func(w *world) { w.vendor.script = []reply{createdLate} }},
	{name: "listed late", setup: func(w *world) { w.vendor.listDelay = 4 * time.Minute }},
	{name: "partial, and its replay", setup: func(w *world) {
		w.vendor.foreign["+19195550002"] = true
		w.replays = 1
		w.grown = func(r *Record) []string { delete(w.vendor.foreign, "+19195550002"); return r.Missing() }
	}},
	{name: "refused, and its replay", setup: func(w *world) { w.vendor.script, w.replays = []reply{refusedPost}, 1 }},
	{name: "by criteria, several lost", arrivals: criteriaArrivals, setup: func(w *world) { w.stock(20); w.vendor.grabs = 3 }},
	{name: "by criteria, the first order refused", arrivals: criteriaArrivals, setup: func(w *world) {
		w.stock(20)
		w.vendor.script = []reply{secondRejected} // so that the first order at Bandwidth is the second of the request
	}},
	{name: "by criteria, listed late", arrivals: criteriaArrivals, setup: func(w *world) { w.stock(20); w.vendor.listDelay = 4 * time.Minute }},
	{name: "by criteria, a lost reply", arrivals: criteriaArrivals, setup: func(w *world) { w.stock(20); w.vendor.script = []reply{lostAfter} }},
	{name: "by criteria, created late", arrivals: criteriaArrivals, setup: func(w *world) { w.stock(20); w.vendor.script = []reply{createdLate} }},
	{name: "by criteria, too few, and a replay", arrivals: criteriaArrivals, setup: func(w *world) {
		w.stock(2)
		w.replays, w.asked = 1, func(r *Record) Ask { w.stock(20); return w.again(r) }
	}},
	{name: "a backorder", arrivals: backorderArrivals, setup: func(w *world) {
		w.stock(1)
		w.vendor.later, w.vendor.restock = []string{"+19195559001", "+19195559002", "+19195559003"}, time.Hour
	}},
	{name: "a backorder, listed late", arrivals: backorderArrivals, setup: func(w *world) {
		w.stock(5)
		w.vendor.listDelay = 4 * time.Minute
	}},
}

func backorderArrivals() []Arrival {
	a := byCriteria(3)
	a.Ask.Backorder = true
	return []Arrival{a}
}

// TestLedgerLost_Sweep: the ledger is lost at every step of every scenario, rebuilt from what the vendor lists, and the
// same requests are published again: nothing is bought twice, nothing is lost, and the outcome is Bandwidth's.
func TestLedgerLost_Sweep(t *testing.T) {
	for _, mode := range []struct {
		name string
		// then is what happens at the step, once the ledger is lost.
		then func(w *world, a Arrival)
		// old matches what a worker may still do on behalf of the lost ledger: it spends nothing.
		old *regexp.Regexp
	}{
		{name: "every worker dies", then: func(w *world, _ Arrival) { w.rebuild(); panic(crashed{}) }},
		{name: "the worker goes on", then: func(w *world, _ Arrival) { w.rebuild() },
			old: regexp.MustCompile(`final outcomes|dead letters|differs on repeat|comes before its number|among the open ones|names other reservations`)},
		{name: "the request comes before the rebuild", then: func(w *world, a Arrival) {
			if _, err := w.store.Create(w.t.Context(), NewRecord(a, time.Now())); err != nil {
				w.t.Fatal(err)
			}
			if err := w.store.Open(w.t.Context(), a.Key, 1); err != nil {
				w.t.Fatal(err)
			}
			w.rebuild()
			panic(crashed{})
		}},
		{name: "the rebuild is repeated", then: func(w *world, _ Arrival) { w.rebuild(); w.rebuild(); panic(crashed{}) }},
	} {
		for _, s := range lostScenarios {
			t.Run(mode.name+"/"+s.name, func(t *testing.T) {
				for step := 1; ; step++ {
					done := false
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t)
						if s.setup != nil {
							s.setup(w)
						}
						arrivals := []Arrival{arrivalOf("+19195550001", "+19195550002")}
						if s.arrivals != nil {
							arrivals = s.arrivals()
						}
						w.pauseAt = step
						w.overtake = func() {
							w.lose()
							w.inbox = append(w.inbox, delivery{at: time.Now().Add(time.Second), arrival: arrivals[0]})
							mode.then(w, arrivals[0])
						}
						w.run(arrivals...)
						if done = !w.overtaken; done {
							return
						}
						for _, v := range w.check() {
							if mode.old != nil && mode.old.MatchString(v) {
								continue
							}
							t.Errorf("lost at step %d: %s", step, v)
						}
						if t.Failed() {
							for _, h := range w.record().History {
								t.Log(h)
							}
						}
					})
					if done || t.Failed() {
						break
					}
					if step > 500 {
						t.Fatal("the scenario has no end")
					}
				}
			})
		}
	}
}

// bought puts an order at the vendor as the n-th of the request, without any record of it.
func (w *world) bought(n int, p Purchase) *vorder {
	p.CustomerOrderID = w.driver().Names.CustomerOrderID(testKey, n)
	return w.vendor.create(p, time.Now())
}

// TestRebuilt_LongAfter: a rebuilt record needs no young ledger and no doubt. A request that comes years later begins
// with the orders that are there.
func TestRebuilt_LongAfter(t *testing.T) {
	backorder := byCriteria(3)
	backorder.Ask.Backorder = true
	exact := arrivalOf("+19195550001", "+19195550002")
	for _, c := range []struct {
		name    string
		setup   func(w *world)
		arrival Arrival
		posts   int
		want    string
	}{
		{name: "all of them bought", arrival: exact, setup: func(w *world) { w.bought(1, Purchase{Numbers: exact.Ask.Numbers}) }, want: "completed"},
		{name: "one bought by the second order", arrival: exact, setup: func(w *world) {
			w.bought(2, Purchase{Numbers: exact.Ask.Numbers[:1]})
		}, want: "partial incomplete"},
		{name: "nothing bought", arrival: exact, setup: func(w *world) {
			w.vendor.foreign[exact.Ask.Numbers[0]], w.vendor.foreign[exact.Ask.Numbers[1]] = true, true
			w.bought(1, Purchase{Numbers: exact.Ask.Numbers, PartialAllowed: true})
		}, want: "failed bandwidth_failed"},
		{name: "two orders under one customer order id", arrival: exact, setup: func(w *world) {
			w.bought(1, Purchase{Numbers: exact.Ask.Numbers[:1]})
			w.bought(1, Purchase{Numbers: exact.Ask.Numbers[1:]})
		}, want: "completed"},
		{name: "by criteria, one is missing", arrival: byCriteria(3), setup: func(w *world) {
			w.stock(9)
			w.bought(1, Purchase{Numbers: w.vendor.stock[:1]})
			w.bought(4, Purchase{Numbers: w.vendor.stock[1:2]})
		}, posts: 1, want: "completed"},
		{name: "by criteria, all there", arrival: byCriteria(3), setup: func(w *world) {
			w.stock(9)
			w.bought(2, Purchase{Numbers: w.vendor.stock[:3]})
		}, want: "completed"},
		{name: "a backorder that waits", arrival: backorder, setup: func(w *world) {
			w.vendor.later, w.vendor.restock = []string{"+19195559001", "+19195559002", "+19195559003"}, time.Hour
			w.bought(1, Purchase{Criteria: backorder.Ask.Criteria, Quantity: 3, PartialAllowed: true})
		}, want: "completed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				c.setup(w)
				w.rebuild()
				if r := w.record(); !r.Unasked() || len(w.published) > 0 || w.timerSet() {
					t.Fatalf("the rebuilt record %+v", r)
				}
				time.Sleep(2 * 365 * 24 * time.Hour)
				before := w.record().Purchases
				w.run(c.arrival)
				for _, v := range w.check() {
					t.Error(v)
				}
				r := w.record()
				if got := strings.TrimSpace(r.Outcome.Outcome + " " + r.Outcome.Reason); got != c.want || len(w.vendor.posts) != c.posts {
					t.Errorf("it ended %q with %d POSTs; want %q with %d", got, len(w.vendor.posts), c.want, c.posts)
				}
				last := before[len(before)-1].N
				if c.posts > 0 && w.vendor.posts[0].coid != w.driver().Names.CustomerOrderID(testKey, last+1) {
					t.Errorf("the POST's customer order id is %s; want the one after n = %d (P14)", w.vendor.posts[0].coid, last)
				}
				if c.arrival.Ask.Backorder && r.Purchases[0].Criteria == nil {
					t.Error("the backorder's purchase does not say what for")
				}
				w.store.Numbers(func(h Holding) bool {
					if h.Since.After(before[0].HeldSince) && c.posts == 0 && !c.arrival.Ask.Backorder {
						t.Errorf("%s is held since %s, its order is from %s: a release in between would be undone (P36)", h.Number, h.Since, before[0].HeldSince)
					}
					return true
				})
				if a, _, err := w.driver().Accept(t.Context(), c.arrival); a != AdmitAnswered || err != nil {
					t.Errorf("the same request once more: %v, %v", a, err)
				}
			})
		})
	}
}

// TestRebuilt_Gap: a rebuild that was for a shorter time, or ended before its end, has restored only some of a request's
// orders. The others are looked for before anything is bought, also long after, and by a cancel before its verdict.
func TestRebuilt_Gap(t *testing.T) {
	type restored = []int
	for name, c := range map[string]struct {
		ns    restored
		posts int
		fails int // looks that could not be made
		none  bool
	}{
		"the last alone":                      {ns: restored{3}},
		"the last alone, and a look fails":    {ns: restored{3}, fails: 2},
		"the middle one is missing":           {ns: restored{1, 3}},
		"the others were refused":             {ns: restored{3}, none: true, posts: 1},
		"the others were refused, look fails": {ns: restored{3}, none: true, posts: 1, fails: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.stock(9)
				if !c.none {
					w.bought(1, Purchase{Numbers: slices.Clone(w.vendor.stock[:1])})
					w.bought(2, Purchase{Numbers: slices.Clone(w.vendor.stock[1:2])})
				}
				w.bought(3, Purchase{Numbers: slices.Clone(w.vendor.stock[2:3])})
				b := w.rebuilder()
				for _, o := range w.vendor.orders {
					key, n, _ := b.Names.Parse(o.coid)
					if !slices.Contains(c.ns, n) {
						continue
					}
					if _, err := b.Restore(t.Context(), key, n, Listed{OrderID: o.id, CustomerOrderID: o.coid, Status: "COMPLETE", At: o.created}); err != nil {
						t.Fatal(err)
					}
				}
				w.vendor.blind = func() bool { c.fails--; return c.fails >= 0 }
				time.Sleep(time.Hour)
				w.run(byCriteria(3))
				for _, v := range w.check() {
					t.Error(v)
				}
				if r := w.record(); r.Outcome.Outcome != Completed || len(w.vendor.posts) != c.posts {
					t.Errorf("it ended %+v with %d POSTs, want %d", r.Outcome, len(w.vendor.posts), c.posts)
				}
			})
		})
	}
}

// TestRebuilt_Admissions: what else may meet a rebuilt record.
func TestRebuilt_Admissions(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.bought(1, Purchase{Numbers: []string{"+19195550001"}})
		w.rebuild()
		other := arrivalOf("+19195550001")
		other.Kind = Disconnect
		cancel := Arrival{Key: "bbbbbbbbbbbbbbbbbbbb", RequestID: "c", Kind: Cancel, Hash: "c", Ask: Ask{Target: testKey}}
		pretend := arrivalOf("+19195550001")
		pretend.Sandbox = true
		for _, c := range []struct {
			name string
			a    Arrival
			want Admission
		}{
			{"a replay", replay(1, "+19195550001"), AdmitUnknown},
			{"another kind", other, AdmitConflict},
			{"a cancel of it", cancel, AdmitNoTarget},
			{"its request, at a sandbox", pretend, AdmitNew},
		} {
			if a, _, err := w.driver().Accept(t.Context(), c.a); a != c.want || err != nil {
				t.Errorf("%s: %v, %v; want %v", c.name, a, err, c.want)
			}
		}
		if w.record().Sandbox {
			t.Error("what was bought for real has become a sandbox's (P31)")
		}
	})
}

// TestRestore_LateFact: an order that shows itself after the outcome is a late fact, which a replay takes up.
func TestRestore_LateFact(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vendor.script = []reply{refusedPost}
		w.run(arrivalOf("+19195550001"))
		w.bought(2, Purchase{Numbers: []string{"+19195550001"}})
		w.rebuild()
		w.rebuild()
		r := w.record()
		if len(r.Late) != 1 || r.Outcome.Outcome != Failed || r.Knows("o1", 2) != KnowsLate || !r.Outcome.Published {
			t.Fatalf("late %v, outcome %+v", r.Late, r.Outcome)
		}
		w.run(replay(1, "+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r = w.record(); r.Outcome.Outcome != Completed || len(w.vendor.posts) != 1 {
			t.Errorf("the replay ended %+v with %d POSTs", r.Outcome, len(w.vendor.posts))
		}
	})
}

// TestRestore_LostAnswers: a write whose answer is lost is read back; a restored order is there once.
func TestRestore_LostAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		b := w.rebuilder()
		n := 0
		b.Store = answerLost{&w.store, func(*Record) bool { n++; return n%2 == 1 }}
		for i, id := range []OrderID{"o1", "o2"} {
			listed := Listed{OrderID: id, CustomerOrderID: b.Names.CustomerOrderID(testKey, i+1), Status: "COMPLETE"}
			if _, err := b.Restore(t.Context(), testKey, i+1, listed); err != nil {
				t.Fatal(err)
			}
			if what, err := b.Restore(t.Context(), testKey, i+1, listed); what != RestoredNot || err != nil {
				t.Errorf("once more: %v, %v", what, err)
			}
		}
		r := w.record()
		if len(r.Purchases) != 2 || len(r.Purchases[0].Orders) != 1 || len(r.Purchases[1].Orders) != 1 {
			t.Errorf("purchases %+v", r.Purchases)
		}
		b.Store = errStore{&w.store}
		if _, err := b.Restore(t.Context(), testKey, 3, Listed{OrderID: "o3"}); err == nil {
			t.Error("a ledger that takes no write is no error")
		}
	})
}

// errStore takes no writes.
type errStore struct{ Store }

func (errStore) Update(context.Context, *Record) (uint64, error) { return 0, errors.New("no space") }

// TestRestore_LeavesAlone: what a record has dropped is known, and a record of another kind takes no order.
func TestRestore_LeavesAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(arrivalOf("+19195550001"), time.Now())
		r.LastN = 7
		w.stored(r)
		if what, err := w.rebuilder().Restore(t.Context(), testKey, 7, Listed{OrderID: "o7"}); what != RestoredNot || err != nil {
			t.Errorf("an order that was dropped: %v, %v", what, err)
		}
		r.Kind = Disconnect
		if r.restore(Listed{OrderID: "o8"}, 8, w.driver().Names, w.settings, time.Now()) {
			t.Error("a disconnect took an order")
		}
	})
}

// TestP14_Parse: a customer order id is taken apart as it was made, and nothing else is.
func TestP14_Parse(t *testing.T) {
	for _, prefix := range []string{"East coast Kazoo", "x", strings.Repeat("long", 7), "a-b_c"} {
		names, err := NewNamer(prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 2, 9, 10, 99, 100, 12345} {
			id := names.CustomerOrderID(testKey, n)
			if key, got, ok := names.Parse(id); key != testKey || got != n || !ok {
				t.Errorf("%s is taken for %s, %d, %t", id, key, got, ok)
			}
			if n < 100 && !names.Carries(id) {
				t.Errorf("%s does not carry its prefix", id)
			}
		}
	}
	names, _ := NewNamer("East coast Kazoo")
	for _, id := range []string{
		"", string(testKey), "-" + string(testKey), "West-coast-Kazoo-" + string(testKey), "East-coast-Kazoo-" + string(testKey) + "-1",
		"East-coast-Kazoo-" + string(testKey) + "-02", "East-coast-Kazoo-" + string(testKey)[1:], "East-coast-Kazoo-" + string(testKey) + "-2-3",
		"East-coast-Kazoo-" + strings.ToUpper(string(testKey)), "East coast Kazoo-" + string(testKey), "East-coast-Kazoo-crm-1",
	} {
		if key, n, ok := names.Parse(id); ok {
			t.Errorf("%q is taken for %s, %d", id, key, n)
		}
	}
	if !names.Carries("East-coast-Kazoo-crm-1") || names.Carries("East-coast-Kazooo") {
		t.Error("which ids carry the prefix")
	}
}
