package orders

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// unknown is the record of an order whose one POST was never answered. The server's time of that write is now.
func (w *world) unknown() *Record {
	r := w.claimed()
	r.Purchases[0].Posts[0].State = PostUnknown
	r.WrittenAt = time.Now()
	return r
}

// look counts n looks, each a second after the last, and returns the time of the last.
func look(r *Record, s Settings, n int, at time.Time, forbidden bool) time.Time {
	for range n {
		at = at.Add(time.Second)
		r.looked(LookFact{ID: at.String(), N: 1, Counted: true, NumbersForbidden: forbidden}, s, at, at)
	}
	return at
}

// TestP18_Conditions: the second POST waits for the settle window and for five looks, to the nanosecond and the last
// look, and there is none for anything but exact numbers.
func TestP18_Conditions(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s, begin := w.settings, time.Now()
		window := begin.Add(s.SettleWindow)
		c := Conditions{Provisioning: true}
		for _, tc := range []struct {
			name   string
			looks  int       // before the window's end
			at     time.Time // of a last look; zero for none
			change func(r *Record)
			want   bool
		}{
			{name: "five looks and the window", looks: 4, at: window, want: true},
			{name: "many looks", looks: 20, at: window, want: true},
			{name: "four looks", looks: 3, at: window},
			{name: "a nanosecond before the window's end", looks: 4, at: window.Add(-1)},
			{name: "five looks and none after the window", looks: 5},
			{name: "no exact numbers", looks: 4, at: window, change: func(r *Record) { r.Purchases[0].Numbers = nil }},
			{name: "a second POST was sent", looks: 4, at: window, change: func(r *Record) {
				r.Purchases[0].Posts = append(r.Purchases[0].Posts, Post{Token: "second", State: PostUnknown})
			}},
			{name: "a second POST was refused", looks: 4, at: window, change: func(r *Record) {
				r.Purchases[0].Posts = append(r.Purchases[0].Posts, Post{Token: "second", State: PostRefused})
			}},
			{name: "it was refused after all", looks: 4, at: window, change: func(r *Record) { r.Purchases[0].Posts[0].State = PostRefused }},
			{name: "its order was found", looks: 4, at: window, change: func(r *Record) {
				r.Purchases[0].Orders = []VendorOrder{{OrderID: "o1", Status: "FAILED", Final: true}}
			}},
		} {
			r := w.unknown()
			look(r, s, tc.looks, begin, false)
			if !tc.at.IsZero() {
				r.looked(LookFact{ID: "last", N: 1, Counted: true}, s, tc.at, tc.at)
			}
			if tc.change != nil {
				tc.change(r)
			}
			a := Next(r, c, s, window.Add(time.Hour))
			if got := a.Kind == ActPlace && a.N == 1; got != tc.want {
				t.Errorf("%s: %+v, want a second POST %t", tc.name, a, tc.want)
			}
		}
	})
}

// TestP18_ForbiddenStays: a look that could not ask for the numbers forbids the second POST, also when a later look
// gave no answer at all, or one.
func TestP18_ForbiddenStays(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for name, counted := range map[string]bool{"no answer": false, "an answer": true} {
			r, begin := w.unknown(), time.Now()
			look(r, w.settings, 4, begin, true)
			late := look(r, w.settings, 1, begin.Add(w.settings.SettleWindow), true)
			r.looked(LookFact{ID: "last", N: 1, Counted: counted}, w.settings, late, late)
			if a := Next(r, Conditions{Provisioning: true}, w.settings, late.Add(time.Hour)); a.Kind == ActPlace {
				t.Errorf("%s: a second POST, though five looks could not ask for the numbers", name)
			}
		}
	})
}

// TestP16_LookMustBeginAfter: a look counts for what was unknown when it began. One that took long, or whose worker
// stood still, says nothing of a later POST, and nothing of what came after the window's end.
func TestP16_LookMustBeginAfter(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := w.settings
		r, begin := w.unknown(), time.Now()
		r.looked(LookFact{ID: "before", N: 1, Counted: true}, s, begin.Add(-1), begin.Add(time.Minute))
		if n := r.Purchases[0].Looks; n != 0 {
			t.Errorf("%d looks count that began before the POST was sent", n)
		}
		end := begin.Add(s.SettleWindow)
		r.looked(LookFact{ID: "across", N: 1, Counted: true}, s, end.Add(-1), end.Add(time.Minute))
		if p := r.Purchases[0]; p.Looks != 1 || p.LateLooks != 0 {
			t.Errorf("%d looks, %d late; one that began before the window's end is not late", p.Looks, p.LateLooks)
		}
		r.looked(LookFact{ID: "after", N: 1, Counted: true}, s, end, end)
		if p := r.Purchases[0]; p.Looks != 2 || p.LateLooks != 1 {
			t.Errorf("%d looks, %d late; want 2 and 1", p.Looks, p.LateLooks)
		}
	})
}

// TestP17_Adopt: only an order with exactly the intent's customer order id is ours.
func TestP17_Adopt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ours := w.unknown().Purchases[0].CustomerOrderID
		for _, c := range []struct {
			id   string
			want bool
		}{
			{ours, true}, {ours + "-2", false}, {ours[:len(ours)-1], false}, {"", false}, {"somebody else's", false},
			{"e" + ours[1:], false}, {ours + " ", false},
		} {
			r := w.unknown()
			r.looked(LookFact{ID: "l", N: 1, Counted: true, Found: []FoundOrder{{OrderID: "o", CustomerOrderID: c.id}}}, w.settings, time.Now(), time.Now())
			if got := len(r.Purchases[0].Orders) == 1; got != c.want {
				t.Errorf("a look: %q adopted: %t, want %t", c.id, got, c.want)
			}
			r = w.unknown()
			r.Purchases[0].Posts = nil
			r.preLooked(LookFact{ID: "l", N: 1, Counted: true, Found: []FoundOrder{{OrderID: "o", CustomerOrderID: c.id}}}, w.settings, time.Now())
			if got := len(r.Purchases[0].Orders) == 1; got != c.want {
				t.Errorf("a look before the first POST: %q adopted: %t, want %t", c.id, got, c.want)
			}
			r = w.running()
			r.polled(PollFact{ID: "p", OrderID: "o1", CustomerOrderID: c.id, Status: "COMPLETE", Completed: r.Ask.Numbers}, w.settings, time.Now())
			if got := r.Purchases[0].Orders[0].Final; got != (c.want || c.id == "") {
				t.Errorf("a poll: an answer about %q counts: %t", c.id, got)
			}
		}
	})
}

// TestP20_NoCertainVerdict: while a POST is unresolved, nothing but outcome_unknown is said, and that only after the
// window and five looks; with what is held it is partial.
func TestP20_NoCertainVerdict(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s, on := w.settings, Conditions{Provisioning: true}
		window := time.Now().Add(s.SettleWindow)
		exhausted := func(r *Record) { r.RetryFor = 2 * s.GiveUpAfter }
		for _, c := range []struct {
			name       string
			conditions Conditions
			change     func(r *Record)
		}{
			{"carrier disabled", Conditions{Provisioning: true, CarrierDisabled: true}, nil},
			{"provisioning disabled", Conditions{}, nil},
			{"sandbox", Conditions{Provisioning: true, Sandbox: true}, nil},
			{"exhausted", on, exhausted},
			{"rejected", on, func(r *Record) {
				r.Purchases[0].Posts = append(r.Purchases[0].Posts, Post{Token: "second", State: PostRefused, Errors: []VendorError{{Code: "5005"}}})
			}},
			{"failed", on, func(r *Record) {
				r.Purchases[0].Posts = append(r.Purchases[0].Posts, Post{Token: "second", State: PostCreated, OrderID: "o2"})
				r.Purchases[0].Orders = []VendorOrder{{OrderID: "o2", Status: "FAILED", Final: true}}
			}},
			{"an earlier generation's", on, func(r *Record) { r.Generation, r.Purchases[0].NumbersForbidden = 2, true }},
			{"an earlier generation's, provisioning disabled", Conditions{}, func(r *Record) { r.Generation, r.Purchases[0].NumbersForbidden = 2, true }},
			{"an earlier generation's, exhausted", Conditions{Provisioning: true, OrdersHeldUntil: window.Add(48 * time.Hour)},
				func(r *Record) { r.Generation, r.Purchases[0].NumbersForbidden = 2, true; exhausted(r) }},
		} {
			for _, looks := range []struct {
				early, late int
			}{{0, 0}, {9, 0}, {9, 4}, {0, 5}} {
				r := w.unknown()
				look(r, s, looks.early, time.Now(), false)
				at := look(r, s, looks.late, window, false)
				if c.change != nil {
					c.change(r)
				}
				a := Next(r, c.conditions, s, at.Add(24*time.Hour))
				if a.Kind == ActFinish && (a.Outcome.Reason != ReasonOutcomeUnknown || looks.late < looksNeeded) {
					t.Errorf("%s, %d and %d looks: %s %s", c.name, looks.early, looks.late, a.Outcome.Outcome, a.Outcome.Reason)
				}
			}
		}
		r := w.unknown()
		r.Ask.Numbers = append(r.Ask.Numbers, "+19195550002")
		r.Purchases[0].Numbers = r.Ask.Numbers
		r.Purchases[0].Posts = append(r.Purchases[0].Posts, Post{Token: "second", State: PostCreated, OrderID: "o2"})
		r.Purchases[0].Orders = []VendorOrder{{OrderID: "o2", Status: "PARTIAL", Final: true, Completed: r.Ask.Numbers[:1]}}
		at := look(r, s, looksNeeded, window, false)
		if a := Next(r, on, s, at); a.Kind != ActFinish || a.Outcome.Outcome != Partial || a.Outcome.Reason != ReasonOutcomeUnknown {
			t.Errorf("one number held, one in the dark: %+v, want partial outcome_unknown", a)
		}
	})
}

// TestP20_WindowBeginsAgain: a second POST whose answer is lost, or whose claim expired, begins window and looks anew.
func TestP20_WindowBeginsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := w.settings
		for name, fact := range map[string]func(r *Record, now time.Time){
			"lost":    func(r *Record, now time.Time) { r.settle(1, "second", PostFact{State: PostUnknown}, s, now) },
			"expired": func(r *Record, now time.Time) { r.expire(1, "second", now) },
		} {
			r := w.unknown()
			at := look(r, s, 2*looksNeeded, time.Now().Add(s.SettleWindow), false)
			r.claim(1, "second", at, at)
			r.WrittenAt = at
			fact(r, at)
			at = look(r, s, looksNeeded, at, false)
			if a := Next(r, Conditions{Provisioning: true}, s, at.Add(time.Hour)); a.Kind != ActLook {
				t.Errorf("%s: %+v with five looks within the new window, want another look", name, a)
			}
			if p := r.Purchases[0]; p.LateLooks != 0 || p.Looks != looksNeeded {
				t.Errorf("%s: %d looks, %d late; want those since the second claim alone", name, p.Looks, p.LateLooks)
			}
		}
	})
}

// TestP21_UnresolvedSurvives: a replay looks again for what may have been bought, whatever its own purchase is, and
// what an earlier generation's lost POST brought belongs to the order, in whichever generation it shows (P21a).
func TestP21_UnresolvedSurvives(t *testing.T) {
	for _, late := range []time.Duration{30 * time.Minute, 90 * time.Minute, 5 * time.Hour} {
		t.Run(late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.vendor.script, w.vendor.forbidden, w.vendor.listDelay = []reply{lostAfter}, true, late
				w.replays = 12
				w.replayAfter = 30 * time.Minute
				w.run(arrivalOf("+19195550001", "+19195550002"))
				for _, v := range w.check() {
					t.Error(v)
				}
				r := w.record()
				if r.Outcome.Outcome != Completed || r.Generation < 2 {
					t.Fatalf("ended %s %s in generation %d", r.Outcome.Outcome, r.Outcome.Reason, r.Generation)
				}
				if len(r.Purchases[0].Orders) != 1 || len(r.Purchases[0].Orders[0].Completed) != 2 {
					t.Errorf("the lost POST's order is not the one that brought the numbers: %+v", r.Purchases[0])
				}
				var ids []string
				for _, p := range r.Purchases {
					ids = append(ids, p.CustomerOrderID)
				}
				if slices.Sort(ids); len(slices.Compact(slices.Clone(ids))) != len(ids) {
					t.Errorf("purchases share a customer order id: %v (P14)", ids)
				}
			})
		})
	}
}
