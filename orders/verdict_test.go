package orders

import (
	"slices"
	"testing"
	"time"
)

// TestP22_UnresolvedTriesDoNotCount: time in which a second POST could not be sent does not bring the end nearer.
func TestP22_UnresolvedTriesDoNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, now := w.unknown(), time.Now()
		for range 3000 { // two days of tries at the most
			now = now.Add(w.settings.PollMinInterval)
			if r.NotBefore.After(now) {
				now = r.NotBefore
			}
			r.claim(1, "second", now, now)
			r.settle(1, "second", PostFact{Detail: "dial: refused"}, w.settings, now)
		}
		if r.RetryFor != 0 {
			t.Errorf("%s of trying count, while the first POST is unresolved", r.RetryFor)
		}
		if r.Retries == 0 {
			t.Error("the tries are not spaced")
		}
	})
}

// TestP22_PausesBetweenTriesDoNotCount: an order that was tried twice with a day of nothing between has not been tried
// for a day.
func TestP22_PausesBetweenTriesDoNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, now := NewRecord(arrivalOf("+19195550001"), time.Now()), time.Now()
		for range 3 {
			r.postponed(PostFact{Detail: "dial: refused"}, w.settings, now)
			now = now.Add(24 * time.Hour)
		}
		if r.RetryFor == 0 || r.RetryFor > time.Minute {
			t.Errorf("%s count as trying", r.RetryFor)
		}
	})
}

// TestP24_TheFinalWordCounts: what an order listed on its way is not held when its final answer says otherwise.
func TestP24_TheFinalWordCounts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		r.polled(PollFact{ID: "1", OrderID: "o1", Status: "COMPLETE", Completed: r.Ask.Numbers, Errors: []VendorError{{Code: "5019"}}}, w.settings, time.Now())
		if r.Purchases[0].Orders[0].Final {
			t.Fatal("an order that is pending is final")
		}
		none := 0
		r.polled(PollFact{ID: "2", OrderID: "o1", Status: "FAILED", CompletedQuantity: &none}, w.settings, time.Now())
		if held := r.Held(); !r.Purchases[0].Orders[0].Final || len(held) != 0 {
			t.Errorf("%v are held by an order that failed", held)
		}
	})
}

// TestP24_Rereads: a final word without its numbers is read again five times, then it is outcome_unknown.
func TestP24_Rereads(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		for i := range rereadsAllowed {
			r.polled(PollFact{ID: string(rune('a' + i)), OrderID: "o1", Status: "PARTIAL"}, w.settings, time.Now())
			if r.Purchases[0].Orders[0].Final {
				t.Fatalf("final after %d readings", i+1)
			}
		}
		r.polled(PollFact{ID: "last", OrderID: "o1", Status: "PARTIAL"}, w.settings, time.Now())
		if a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind != ActFinish || a.Outcome.Reason != ReasonOutcomeUnknown {
			t.Errorf("%+v, want outcome_unknown", a)
		}
		next := r.nextGenerationAfter(t, w)
		if a := Next(next, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind != ActPoll || a.OrderID != "o1" {
			t.Errorf("the replay does %+v, want the order read again first", a)
		}
	})
}

// nextGenerationAfter ends the generation and begins the next.
func (r *Record) nextGenerationAfter(t *testing.T, w *world) *Record {
	t.Helper()
	r.finish(Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, At: time.Now()})
	r.published(0)
	return r.nextGeneration(replay(r.Generation, r.Missing()...), w.settings, time.Now())
}

// TestP31_Stamp: whether an order pretends is decided at intake, for all its generations.
func TestP31_Stamp(t *testing.T) {
	for _, sandbox := range []bool{false, true} {
		a := arrivalOf("+19195550001")
		a.Sandbox = sandbox
		r := NewRecord(a, time.Now())
		r.finish(Outcome{Outcome: Failed, Reason: ReasonProvisioningDisabled, At: time.Now()})
		r.published(0)
		other := replay(1, "+19195550001")
		other.Sandbox = !sandbox
		if next := r.nextGeneration(other, DefaultSettings(), time.Now()); r.Sandbox != sandbox || next.Sandbox != sandbox {
			t.Errorf("taken in with sandbox %t: %t, and its replay %t", sandbox, r.Sandbox, next.Sandbox)
		}
	}
}

// TestP31_Switches: what each worker does with each record. Polls and looks of real orders go on whatever is switched off.
func TestP31_Switches(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fresh := func() *Record { return NewRecord(arrivalOf("+19195550001"), time.Now()) }
		due := func() *Record {
			r := w.running()
			r.Purchases[0].Orders[0].NextPollAt = time.Now()
			return r
		}
		pretend := func() *Record { r := fresh(); r.Sandbox = true; return r }
		on, off := Conditions{Provisioning: true}, Conditions{}
		sandbox, both := Conditions{Sandbox: true, Provisioning: true}, Conditions{Sandbox: true, CarrierDisabled: true}
		held := Conditions{Provisioning: true, OrdersHeldUntil: time.Now().Add(time.Hour)}
		for _, c := range []struct {
			name   string
			record *Record
			in     Conditions
			want   ActionKind
			reason string
		}{
			{"a real order", fresh(), on, ActPlace, ""},
			{"a real order, switched off", fresh(), off, ActFinish, ReasonProvisioningDisabled},
			{"a real order, carrier disabled", fresh(), Conditions{Provisioning: true, CarrierDisabled: true}, ActFinish, ReasonCarrierDisabled},
			{"a real order at a sandbox worker", fresh(), sandbox, ActWait, ""},
			{"a real order at a sandbox worker, switched off", fresh(), both, ActWait, ""},
			{"a real order, purchases paused", fresh(), held, ActWait, ""},
			{"a sandbox order", pretend(), on, ActFinish, ""},
			{"a sandbox order, switched off", pretend(), off, ActFinish, ""},
			{"a sandbox order at a sandbox worker", pretend(), sandbox, ActFinish, ""},
			{"a poll, switched off", due(), off, ActPoll, ""},
			{"a poll at a sandbox worker", due(), both, ActPoll, ""},
			{"a poll, purchases paused", due(), held, ActPoll, ""},
			{"a look, switched off", w.unknown(), off, ActLook, ""},
			{"a look at a sandbox worker", w.unknown(), both, ActLook, ""},
			{"a look, purchases paused", w.unknown(), held, ActLook, ""},
		} {
			a := Next(c.record, c.in, w.settings, time.Now())
			if a.Kind != c.want || a.Outcome.Reason != c.reason {
				t.Errorf("%s: %+v, want %d %s", c.name, a, c.want, c.reason)
			}
		}
	})
}

// TestP29_Announcements: an intermediate event carries the revision of the write that made it due, and counts.
func TestP29_Announcements(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vendor.foreign["+19195550001"] = true
		w.replays = 1
		w.grown = func(*Record) []string { delete(w.vendor.foreign, "+19195550001"); return []string{"+19195550001"} }
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		var ids []string
		last := uint64(0)
		for _, a := range w.announced {
			ids = append(ids, a.id)
			if a.sequence <= last || a.sequence != a.stored {
				t.Errorf("%s carries sequence %d after %d, and the record stands at %d", a.id, a.sequence, last, a.stored)
			}
			last = a.sequence
		}
		want := []string{"abcdefghijklmnopqrst.1.accepted.0", "abcdefghijklmnopqrst.1.submitted.1", "abcdefghijklmnopqrst.2.submitted.1"}
		if !slices.Equal(ids, want) {
			t.Errorf("announced %v, want %v", ids, want)
		}
		r := w.running()
		before := r.Clone()
		r.Revision, r.Submitted, r.Backordered = 7, 3, 2
		w.announced = nil
		w.driver().announce(t.Context(), before, r)
		if len(w.announced) != 2 || w.announced[0].id != string(testKey)+".1.submitted.3" || w.announced[1].id != string(testKey)+".1.backordered.2" {
			t.Errorf("announced %v", w.announced)
		}
	})
}

// TestP21_ReplayLooksAgain: what was looked for in one generation is looked for again in the next, before anything is
// ordered; since when it is unknown stays known.
func TestP21_ReplayLooksAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.unknown()
		at := look(r, w.settings, 2*looksNeeded, time.Now().Add(w.settings.SettleWindow), true)
		since := r.Purchases[0].UnknownSince
		next := r.nextGenerationAfter(t, w)
		next.WrittenAt = at
		p := next.Purchases[0]
		if a := Next(next, Conditions{Provisioning: true}, w.settings, at); a.Kind != ActLook || a.N != 1 {
			t.Errorf("%+v, want a look for the earlier POST", a)
		}
		if p.LateLooks != 0 || !p.UnknownSince.Equal(since) || since.IsZero() {
			t.Errorf("%d looks of the earlier generation count; unknown since %s, want %s", p.LateLooks, p.UnknownSince, since)
		}
	})
}

// TestP21a_AllOrdersOfAnIntent: one intent may have two orders. Their numbers are a union, and there is no verdict while
// one of them runs.
func TestP21a_AllOrdersOfAnIntent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(arrivalOf("+19195550001", "+19195550002", "+19195550003"), time.Now())
		namer, _ := NewNamer("East coast Kazoo")
		p := r.plan(namer, r.Ask.Numbers)
		p.Posts = []Post{{Token: "1", State: PostUnknown}, {Token: "2", State: PostCreated, OrderID: "o2"}}
		p.Orders = []VendorOrder{
			{OrderID: "o2", Status: "PARTIAL", Final: true, Completed: []string{"+19195550001"}},
			{OrderID: "o1", Status: "RECEIVED", NextPollAt: time.Now().Add(time.Minute)},
		}
		if a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind != ActWait {
			t.Errorf("while one runs: %+v, want to wait", a)
		}
		two := 2
		r.polled(PollFact{ID: "p", OrderID: "o1", Status: "PARTIAL", Completed: []string{"+19195550002", "+19195550003"}, CompletedQuantity: &two}, w.settings, time.Now())
		if held := r.Held(); !slices.Equal(held, r.Ask.Numbers) {
			t.Errorf("%v are held, want all three", held)
		}
		if a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind != ActFinish || a.Outcome.Outcome != Completed {
			t.Errorf("%+v, want completed", a)
		}
	})
}
