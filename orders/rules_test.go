package orders

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test in a world of its own.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

// stored puts a record into the world's store as it is now.
func (w *world) stored(r *Record) *Record {
	w.t.Helper()
	if _, err := w.store.Create(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return w.record()
}

// running is the record of an order that runs at Bandwidth.
func (w *world) running() *Record {
	r := NewRecord(arrivalOf("+19195550001"), time.Now())
	namer, _ := NewNamer("East coast Kazoo")
	p := r.plan(namer, r.Ask.Numbers)
	p.Posts = []Post{{Token: "t", State: PostCreated, OrderID: "o1"}}
	p.Orders = []VendorOrder{{OrderID: "o1", Status: "RECEIVED", NextPollAt: time.Now().Add(time.Hour)}}
	return r
}

// claimed is the record of an order with an open claim.
func (w *world) claimed() *Record {
	r := NewRecord(arrivalOf("+19195550001"), time.Now())
	namer, _ := NewNamer("East coast Kazoo")
	r.plan(namer, r.Ask.Numbers)
	r.claim(1, "somebody's", time.Now(), time.Now())
	return r
}

func (w *world) timerSet() bool { _, ok := w.timers[testKey]; return ok }

func TestP2_DuplicateRearms(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.stored(w.running())
		admission, _, err := w.driver().Accept(t.Context(), arrivalOf("+19195550001"))
		if err != nil || admission != AdmitUnfinished {
			t.Fatalf("Accept = %v, %v", admission, err)
		}
		if !w.timerSet() {
			t.Error("a duplicate of an unfinished order set no timer")
		}
	})
}

func TestP3_TickRearms(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(w.running())
		if err := w.driver().Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if !w.timerSet() {
			t.Error("an early tick of an unfinished order set no timer (P3, P7)")
		}
	})
}

func TestP4_FinishedTickIsJustAcked(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		r.Outcome = &Outcome{Outcome: Completed, Published: true}
		w.stored(r)
		w.timers[testKey] = delivery{at: time.Now().Add(time.Hour)} // of a replay that has just begun
		if err := w.driver().Drive(t.Context(), Tick{Key: testKey, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if d := w.timers[testKey]; !d.at.Equal(time.Now().Add(time.Hour)) {
			t.Error("a tick on a finished order touched the timer")
		}
	})
}

func TestP5_StaleReadsRearm(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if err := w.driver().Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: 3}); err != nil || !w.timerSet() {
			t.Errorf("a tick whose record is missing: %v, timer set %t", err, w.timerSet())
		}
		if got := w.timers[testKey].tickRev; got != 3 {
			t.Errorf("the new timer carries revision %d, want 3", got)
		}
		delete(w.timers, testKey)
		r := w.running()
		r.Outcome = &Outcome{Outcome: Completed, Published: true}
		stored := w.stored(r)
		if _, err := w.store.Update(t.Context(), stored.Clone()); err != nil {
			t.Fatal(err)
		}
		d := w.driver()
		d.Store = lagging{w, stored, time.Now().Add(time.Hour)}
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision + 1}); err != nil || !w.timerSet() {
			t.Errorf("a tick whose record is read stale: %v, timer set %t", err, w.timerSet())
		}
		delete(w.timers, testKey)
		d.Store = w
		at := w.record().OutcomeSequence()
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: 999}); err != nil || w.timerSet() {
			t.Errorf("a tick that knows of a later record than there is, as after a loss of the ledger: %v, timer set %t", err, w.timerSet())
		}
		if got := w.record().OutcomeSequence(); got != at {
			t.Errorf("the outcome's sequence became %d, and was %d (P29)", got, at)
		}
	})
}

func TestP8_HeldBackBeforeTheIntent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begin := time.Now()
		w.vendor.prepare = func() error {
			if time.Since(begin) < time.Hour {
				return &HoldError{Until: w.clock.Now().Add(10 * time.Minute), Why: "paused"}
			}
			return nil
		}
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if n := len(w.vendor.posts); n != 1 {
			t.Fatalf("%d POSTs, want 1", n)
		}
		if d := w.vendor.posts[0].at.Sub(begin); d < time.Hour {
			t.Errorf("the POST was sent after %s, while purchases were held back", d)
		}
		for _, h := range w.record().History {
			if h.What == "unknown" {
				t.Error("waiting made the outcome unknown: the intent was written before it")
			}
		}
	})
}

// meddled is a store in which somebody else writes right before chosen updates.
type meddled struct {
	Store
	before func(*Record)
}

func (m meddled) Update(ctx context.Context, r *Record) (uint64, error) {
	m.before(r)
	return m.Store.Update(ctx, r)
}

func TestP10_OwnClaimGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		lost := false
		d := w.driver()
		d.Store = answerLost{w, func(r *Record) bool {
			_, open := r.openPost()
			first := open != nil && !lost
			lost = lost || first
			return first
		}}
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if !lost || len(w.vendor.posts) != 1 {
			t.Errorf("%d POSTs after a claim whose answer was lost, want 1", len(w.vendor.posts))
		}
	})
}

// answerLost is a store that applies chosen updates and then reports a timeout.
type answerLost struct {
	Store
	when func(*Record) bool
}

func (a answerLost) Update(ctx context.Context, r *Record) (uint64, error) {
	lose := a.when(r)
	revision, err := a.Store.Update(ctx, r)
	if lose {
		return 0, errors.New("timeout")
	}
	return revision, err
}

func TestP10_P12_AnothersClaimIsNotPosted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		rival := false
		d := w.driver()
		d.Store = meddled{w, func(ours *Record) {
			if _, open := ours.openPost(); open == nil || rival {
				return
			}
			rival = true
			theirs := w.record()
			namer, _ := NewNamer("East coast Kazoo")
			theirs.plan(namer, theirs.Ask.Numbers)
			theirs.claim(1, "the rival's", time.Now(), time.Now())
			if _, err := w.store.Update(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
		}}
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if n := len(w.vendor.posts); n != 0 || !rival {
			t.Errorf("%d POSTs under another's claim", n)
		}
		if !w.timerSet() {
			t.Error("no timer after the lost race")
		}
	})
}

// TestP11_SlowClaimIsNotSent: a claim whose write took too long is put back instead of sent.
func TestP11_SlowClaimIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		slow := false
		d := w.driver()
		d.Store = meddled{w, func(ours *Record) {
			if _, open := ours.openPost(); open != nil && !slow {
				slow = true
				time.Sleep(w.settings.PostTimeout - time.Second)
			}
		}}
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if n := len(w.vendor.posts); n != 0 {
			t.Errorf("%d POSTs with a second left", n)
		}
		if got := w.record(); got.Unresolved() {
			t.Error("the claim was not put back (P13)")
		}
	})
}

// TestP12_ClaimEdge: an open claim is waited for to the nanosecond, and then its outcome is unknown.
func TestP12_ClaimEdge(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(w.claimed())
		end := r.WrittenAt.Add(w.settings.PostTimeout)
		c := Conditions{Provisioning: true}
		if a := Next(r, c, w.settings, end.Add(-1)); a.Kind != ActWait || !a.Until.Equal(end) {
			t.Errorf("a nanosecond before: %+v, want to wait until %s", a, end)
		}
		if a := Next(r, c, w.settings, end); a.Kind != ActExpire {
			t.Errorf("at its end: %+v, want it to expire", a)
		}
		r.WrittenAt = time.Time{}
		if a := Next(r, c, w.settings, end); a.Kind != ActReload {
			t.Errorf("without the claim's server time: %+v, want the record read again", a)
		}
	})
}

func TestP15_AnswerIsMerged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		meddling := false
		d := w.driver()
		d.Store = meddled{w, func(ours *Record) {
			if len(ours.Purchases) == 0 || len(ours.Purchases[0].Posts) == 0 || ours.Purchases[0].Posts[0].State != PostCreated || meddling {
				return
			}
			meddling = true
			theirs := w.record()
			theirs.expire(1, theirs.Purchases[0].Posts[0].Token, w.clock.Now())
			if _, err := w.store.Update(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
		}}
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		got := w.record()
		if !meddling || got.Unresolved() || len(got.Purchases[0].Orders) != 1 {
			t.Errorf("the answer that lost its compare-and-set is not in the record: %+v", got.Purchases)
		}
	})
}
