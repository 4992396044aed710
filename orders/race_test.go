package orders

import (
	"context"
	"slices"
	"testing"
	"time"
)

// What a worker decides from a record must not be carried out on another one: while it stood still, others may have
// claimed the order, ended it, or begun its next generation.

// ended is the record of an order that ended as failed, with the generation's letter.
func (w *world) ended(letter uint64) *Record {
	r := NewRecord(arrivalOf("+19195550001"), time.Now())
	r.Outcome = &Outcome{Outcome: Failed, Reason: ReasonRejected, At: time.Now(), Published: true, LetterSequence: letter}
	return r
}

// replay returns the arrival of a replay of a generation.
func replay(of int, numbers ...string) Arrival {
	a := arrivalOf(numbers...)
	a.ReplayOf, a.Hash = of, "replay"
	return a
}

// once is a store in which somebody else's writes come right before the first update.
func once(w *world, others func()) Store {
	done := false
	return meddled{w, func(*Record) {
		if !done {
			done = true
			others()
		}
	}}
}

// TestP20_DecisionIsMadeAgain: a verdict that was decided before another worker's claim is not written after it.
func TestP20_DecisionIsMadeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conditions = func() Conditions { return Conditions{} } // provisioning is off here, and on elsewhere
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		d := w.driver()
		d.Store = once(w, func() {
			theirs := w.record()
			theirs.plan(d.Names, theirs.Ask.Numbers)
			theirs.claim(1, "the other's", time.Now(), time.Now())
			if _, err := w.store.Update(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
		})
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if got := w.record(); got.Outcome != nil {
			t.Errorf("%s %s while a POST is on its way", got.Outcome.Outcome, got.Outcome.Reason)
		}
		if !w.timerSet() {
			t.Error("no timer is set")
		}
	})
}

// TestP23_MarkNamesItsGeneration: a worker that published a generation's outcome does not mark the next one's.
func TestP23_MarkNamesItsGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.ended(0)
		r.Outcome.Published = false
		stored := w.stored(r)
		d := w.driver()
		d.Store = once(w, func() { // the others publish, take a replay in, and end it too
			next := w.record()
			next.published(4)
			next = next.nextGeneration(replay(1, "+19195550001"), w.settings, time.Now())
			next.StaleLetters, next.Revision = nil, stored.Revision
			next.finish(Outcome{Outcome: Failed, Reason: ReasonRejected, At: time.Now()})
			if _, err := w.store.Update(t.Context(), next); err != nil {
				t.Fatal(err)
			}
		})
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err != nil {
			t.Fatal(err)
		}
		if got := w.record(); got.Generation != 2 || !got.Outcome.Published {
			t.Fatalf("generation %d, published %t", got.Generation, got.Outcome.Published)
		}
		var ids []string
		for _, p := range w.published {
			ids = append(ids, p.id)
		}
		if want := []string{"abcdefghijklmnopqrst.1.failed", "abcdefghijklmnopqrst.2.failed"}; !slices.Equal(ids, want) {
			t.Errorf("published %v, want %v: a generation was marked without its event", ids, want)
		}
		if len(w.letters) != 1 || w.letters[string(testKey)+".2"] == 0 {
			t.Errorf("letters %v, want generation 2's alone (P26)", w.letters)
		}
	})
}

// TestP26_OnlyDroppedLettersAreForgotten: the letter of a later generation is not forgotten with an earlier one's.
func TestP26_OnlyDroppedLettersAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		r.StaleLetters = []uint64{4}
		stored := w.stored(r)
		w.letters["1"], w.letters["2"] = 4, 9
		d := w.driver()
		d.Store = once(w, func() {
			theirs := w.record()
			theirs.StaleLetters = []uint64{9}
			if _, err := w.store.Update(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
		})
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err != nil {
			t.Fatal(err)
		}
		if len(w.letters) != 0 {
			t.Errorf("letters %v are left, and nobody will remove them", w.letters)
		}
	})
}

// TestP33_LookNamesItsGeneration: what was looked up for one generation plans nothing in another.
func TestP33_LookNamesItsGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
		r := NewRecord(arrivalOf("+19195550001", "+19195550002"), time.Now())
		stored := w.stored(r)
		d := w.driver()
		d.Store = once(w, func() {
			theirs := w.record()
			theirs.finish(Outcome{Outcome: Failed, Reason: ReasonProvisioningDisabled, At: time.Now()})
			theirs.published(0)
			next := theirs.nextGeneration(replay(1, "+19195550001"), w.settings, time.Now())
			next.Revision = stored.Revision
			if _, err := w.store.Update(t.Context(), next); err != nil {
				t.Fatal(err)
			}
		})
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.record().Purchases {
			if !slices.Equal(p.Numbers, []string{"+19195550001"}) {
				t.Errorf("generation 2 asks for one number and orders %v", p.Numbers)
			}
		}
	})
}

// stopping gives a context that ends while the n-th write of a record is under way.
func stopping(t *testing.T, w *world, n int) (context.Context, Store) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, attentive{meddled{w, func(*Record) {
		if n--; n == 0 {
			cancel()
		}
	}}}
}

// attentive is a store that does nothing for a context that is done, as the real one.
type attentive struct{ Store }

func (a attentive) Get(ctx context.Context, key ID) (*Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return a.Store.Get(ctx, key)
}

func (a attentive) Update(ctx context.Context, r *Record) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return a.Store.Update(ctx, r)
}

// TestP9_StoppedBetweenClaimAndPost: a worker that is told to stop right after its claim sends the POST and records
// the answer: nothing becomes unknown.
func TestP9_StoppedBetweenClaimAndPost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		d := w.driver()
		ctx, store := stopping(t, w, 1)
		d.Store = store
		if err := d.Drive(ctx, Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err == nil && !w.timerSet() {
			t.Error("a worker that was stopped acks its tick without a timer")
		}
		got := w.record()
		if len(w.vendor.posts) != 1 || got.Unresolved() || len(got.Purchases[0].Orders) != 1 {
			t.Errorf("%d POSTs, %+v", len(w.vendor.posts), got.Purchases)
		}
	})
}

// givenUp is a store that stores what it is asked to, and does not hear of it where the context is done meanwhile.
type givenUp struct{ Store }

func (g givenUp) Update(ctx context.Context, r *Record) (uint64, error) {
	revision, err := g.Store.Update(context.WithoutCancel(ctx), r)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return revision, err
}

// TestP9_StoppedDuringTheClaim: the same while the claim is being stored.
func TestP9_StoppedDuringTheClaim(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		d := w.driver()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d.Store = givenUp{attentive{meddled{w, func(r *Record) {
			if _, post := r.openPost(); post != nil {
				cancel()
			}
		}}}}
		if err := d.Drive(ctx, Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err == nil && !w.timerSet() {
			t.Error("a worker that was stopped acks its tick without a timer")
		}
		got := w.record()
		if len(w.vendor.posts) != 1 || got.Unresolved() || len(got.Purchases[0].Orders) != 1 {
			t.Errorf("%d POSTs, %+v", len(w.vendor.posts), got.Purchases)
		}
	})
}

// TestP9_StoppedDuringThePost: the same while the POST is under way.
func TestP9_StoppedDuringThePost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.onPost = cancel
		d := w.driver()
		d.Store = attentive{w}
		if err := d.Drive(ctx, Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err == nil && !w.timerSet() {
			t.Error("a worker that was stopped acks its tick without a timer")
		}
		got := w.record()
		if len(w.vendor.posts) != 1 || got.Unresolved() || len(got.Purchases[0].Orders) != 1 {
			t.Errorf("%d POSTs, %+v", len(w.vendor.posts), got.Purchases)
		}
	})
}

// away is a store that cannot be reached for a time.
type away struct {
	Store
	until func() time.Time
}

func (a away) Get(ctx context.Context, key ID) (*Record, error) {
	if time.Now().Before(a.until()) {
		return nil, context.DeadlineExceeded
	}
	return a.Store.Get(ctx, key)
}

func (a away) Update(ctx context.Context, r *Record) (uint64, error) {
	if time.Now().Before(a.until()) {
		return 0, context.DeadlineExceeded
	}
	return a.Store.Update(ctx, r)
}

// TestLedgerAwayAfterThePost: the ledger is away for a while right after the POST. A short while is waited for; after a
// long one the order is found by its customer order id (P17). Neither buys twice.
func TestLedgerAwayAfterThePost(t *testing.T) {
	for name, gone := range map[string]time.Duration{"a moment": 20 * time.Second, "a minute": time.Minute, "an hour": time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var until time.Time
				w.onPost = func() { until = time.Now().Add(gone) }
				w.outside = func(s Store) Store { return away{s, func() time.Time { return until }} }
				w.run(arrivalOf("+19195550001"))
				for _, v := range w.check() {
					t.Error(v)
				}
				r := w.record()
				if len(w.vendor.posts) != 1 || r.Outcome.Outcome != Completed {
					t.Errorf("ended %s %s after %d POSTs", r.Outcome.Outcome, r.Outcome.Reason, len(w.vendor.posts))
				}
				looked := slices.ContainsFunc(r.History, func(e Entry) bool { return e.What == "unknown" })
				if looked != (gone > factTimeout) {
					t.Errorf("looked for: %t", looked)
				}
			})
		})
	}
}

// TestUnwritableRecordLetsGo: where a fact cannot be stored, whatever is tried, the worker gives the tick back within
// a minute, with an error, and does not hold its slot for ever.
func TestUnwritableRecordLetsGo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		r.Purchases[0].Orders[0].NextPollAt = time.Now()
		w.vendor.create(r.Purchases[0], time.Now())
		stored := w.stored(r)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		d, begin := w.driver(), time.Now()
		d.Store = meddledError{w}
		if err := d.Drive(ctx, Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err == nil {
			t.Error("the tick is acked though nothing was stored and no timer set")
		}
		if held := time.Since(begin); held > time.Minute {
			t.Errorf("the worker held on for %s", held)
		}
	})
}

// meddledError is a store that takes no update.
type meddledError struct{ Store }

func (meddledError) Update(context.Context, *Record) (uint64, error) {
	return 0, context.DeadlineExceeded
}
