package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// traced notes the order of what a driver does, and fails at one of them.
type traced struct {
	*world
	log  []string
	fail string // what fails without effect; empty for nothing
}

var errTraced = errors.New("it failed")

func (tr *traced) step(what string) error {
	tr.log = append(tr.log, what)
	if what == tr.fail {
		return errTraced
	}
	return nil
}

func (tr *traced) Create(ctx context.Context, r *Record) (uint64, error) {
	if err := tr.step("create"); err != nil {
		return 0, err
	}
	return tr.world.Create(ctx, r)
}

func (tr *traced) Update(ctx context.Context, r *Record) (uint64, error) {
	what := "record"
	switch _, open := r.openPost(); {
	case open != nil:
		what = "intent"
	case r.Outcome != nil && r.Outcome.Published:
		what = "mark"
	case r.Outcome != nil:
		what = "outcome"
	case len(r.StaleLetters) > 0:
		what = "generation"
	}
	if err := tr.step(what); err != nil {
		return 0, err
	}
	return tr.world.Update(ctx, r)
}

func (tr *traced) Open(ctx context.Context, key ID, g int) error {
	if err := tr.step(fmt.Sprintf("open %d", g)); err != nil {
		return err
	}
	return tr.world.Open(ctx, key, g)
}

func (tr *traced) Close(ctx context.Context, key ID, g int) error {
	if err := tr.step(fmt.Sprintf("close %d", g)); err != nil {
		return err
	}
	return tr.world.Close(ctx, key, g)
}

func (tr *traced) SetTimer(ctx context.Context, key ID, at time.Time, revision uint64) error {
	what := "timer"
	if now, err := tr.store.Get(ctx, key); err == nil && now.Revision != revision {
		what = fmt.Sprintf("timer of revision %d, the record has %d", revision, now.Revision)
	}
	if err := tr.step(what); err != nil {
		return err
	}
	return tr.world.SetTimer(ctx, key, at, revision)
}

func (tr *traced) PublishOutcome(ctx context.Context, r *Record) (uint64, error) {
	if err := tr.step("publish"); err != nil {
		return 0, err
	}
	return tr.world.PublishOutcome(ctx, r)
}

func (tr *traced) DropLetter(ctx context.Context, sequence uint64) error {
	if err := tr.step(fmt.Sprintf("drop %d", sequence)); err != nil {
		return err
	}
	return tr.world.DropLetter(ctx, sequence)
}

// tracedVendor notes the calls to the vendor.
type tracedVendor struct {
	Carrier
	tr     *traced
	sendBy time.Time
}

func (v *tracedVendor) Prepare(ctx context.Context) error {
	if err := v.tr.step("prepare"); err != nil {
		return err
	}
	return v.Carrier.Prepare(ctx)
}

func (v *tracedVendor) Place(ctx context.Context, p Purchase, sendBy time.Time) PostFact {
	_ = v.tr.step("post")
	v.sendBy = sendBy
	return v.Carrier.Place(ctx, p, sendBy)
}

func (w *world) traced(fail string) (*traced, *tracedVendor, *Driver) {
	tr := &traced{world: w, fail: fail}
	d := w.driver()
	v := &tracedVendor{Carrier: d.Carrier, tr: tr}
	d.Store, d.Index, d.Bus, d.Carrier = tr, tr, tr, v
	return tr, v, d
}

// TestP1_P6_P8_P9_P23_P26_OrderOfWrites: intake (P1), index before record (P6), the intent before its POST, everything that can wait before
// the intent (P8, P9), the outcome before its event and letter, the mark after them (P23), the index last (P6), and a
// replayed letter after its generation (P26).
func TestP1_P6_P8_P9_P23_P26_OrderOfWrites(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vendor.script = []reply{refusedPost}
		tr, _, d := w.traced("")
		intake := func(a Arrival) *Record {
			admission, r, err := d.Accept(t.Context(), a)
			if err != nil || admission != AdmitNew {
				t.Fatalf("Accept = %v, %v", admission, err)
			}
			return r
		}
		drive := func(r *Record) {
			if err := d.DriveRecord(t.Context(), r, Tick{Key: testKey, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(what, want string) {
			t.Helper()
			if got := strings.Join(tr.log, ", "); got != want {
				t.Errorf("%s: %s; want %s", what, got, want)
			}
			tr.log = nil
		}
		r := intake(arrivalOf("+19195550001"))
		expect("intake", "open 1, create, timer")
		drive(r)
		expect("an order that is refused", "prepare, intent, post, outcome, publish, mark, close 1")
		r = intake(replay(1, "+19195550001"))
		expect("a replay", "open 2, generation, timer")
		drive(r)
		expect("an order that is placed", "drop 1, record, prepare, intent, post, record, timer")
	})
}

// TestP1_P3_P6_P23_NothingFailsUnseen: whatever fails while a message is worked, the message is not acked, and worked again it takes
// the order to its end (P1, P2, P3, P6, P23, P26).
func TestP1_P3_P6_P23_NothingFailsUnseen(t *testing.T) {
	for _, fail := range []string{"open 1", "create", "timer"} {
		bubble(t, func(t *testing.T, w *world) {
			tr, _, d := w.traced(fail)
			if _, _, err := d.Accept(t.Context(), arrivalOf("+19195550001")); !errors.Is(err, errTraced) {
				t.Errorf("intake, %s fails: %v after %v", fail, err, tr.log)
			}
		})
	}
	bubble(t, func(t *testing.T, w *world) { // a duplicate whose timer cannot be set (P2)
		w.stored(w.running())
		_, _, d := w.traced("timer")
		if _, _, err := d.Accept(t.Context(), arrivalOf("+19195550001")); !errors.Is(err, errTraced) {
			t.Errorf("a duplicate whose timer fails: %v", err)
		}
	})
	for _, fail := range []string{"publish", "close 1", "timer", "drop 7"} {
		bubble(t, func(t *testing.T, w *world) {
			r := NewRecord(arrivalOf("+19195550001"), time.Now())
			r.StaleLetters = []uint64{7}
			if fail != "timer" {
				w.vendor.script = []reply{refusedPost}
			}
			stored := w.stored(r)
			if err := w.store.Open(t.Context(), testKey, 1); err != nil {
				t.Fatal(err)
			}
			tr, _, d := w.traced(fail)
			tick := Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}
			if err := d.Drive(t.Context(), tick); !errors.Is(err, errTraced) {
				t.Errorf("a tick, %s fails: %v after %v", fail, err, tr.log)
			}
			w.inbox = append(w.inbox, delivery{at: time.Now(), tick: true, arrival: Arrival{Key: testKey}})
			w.run()
			for _, v := range w.check() {
				t.Errorf("a tick, %s fails: %s", fail, v)
			}
		})
	}
}

// TestP11_DeadlineIsTheClaims: the POST's deadline counts from the claim's moment, taken before its write (P9).
func TestP11_DeadlineIsTheClaims(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		_, v, d := w.traced("")
		d.Store = once(w, func() { time.Sleep(20 * time.Second) }) // a slow write
		begin := time.Now()
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if want := begin.Add(w.settings.PostTimeout); !v.sendBy.Equal(want) {
			t.Errorf("the POST may be sent until %s after the claim, want %s", v.sendBy.Sub(begin), want.Sub(begin))
		}
		if at := w.record().Purchases[0].Posts[0].At; !at.Equal(begin) {
			t.Errorf("the claim's moment is %s late", at.Sub(begin))
		}
	})
}

// lagging is a store whose reads show an older record for a time.
type lagging struct {
	Store
	old   *Record
	until time.Time
}

func (l lagging) Get(ctx context.Context, key ID) (*Record, error) {
	if time.Now().Before(l.until) {
		return l.old.Clone(), nil
	}
	return l.Store.Get(ctx, key)
}

// TestP10_P5_LaggingReadBack: after a claim whose answer was lost, a read that shows the record from before it decides
// nothing: it is read until a later write shows.
func TestP10_P5_LaggingReadBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		lost := false
		d := w.driver()
		d.Store = answerLost{lagging{w, r, time.Now().Add(5 * time.Second)}, func(r *Record) bool {
			first := !lost
			lost = true
			return first
		}}
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if len(w.vendor.posts) != 1 || w.record().Unresolved() {
			t.Errorf("%d POSTs, unresolved %t; want the own claim to be found", len(w.vendor.posts), w.record().Unresolved())
		}
	})
}

// TestP10_NothingShows: where no later write shows until half the claim's time is over, nothing is sent, and the tick
// comes again.
func TestP10_NothingShows(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		d := w.driver()
		d.Store = answerLost{lagging{w, r, time.Now().Add(time.Hour)}, func(*Record) bool { return true }}
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: r.Revision}); err != nil {
			t.Fatal(err)
		}
		if len(w.vendor.posts) != 0 || !w.timerSet() {
			t.Errorf("%d POSTs, timer set %t", len(w.vendor.posts), w.timerSet())
		}
	})
}

// TestP5_ReloadNeverGoesBack: a reading that is older than what is known is not taken; the order is looked at again.
func TestP5_ReloadNeverGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		old := w.stored(NewRecord(arrivalOf("+19195550001"), time.Now()))
		next := w.claimed()
		next.Revision = old.Revision
		revision, err := w.store.Update(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		next.Revision = revision // just written, so its server time is not known: it is read again
		d := w.driver()
		d.Store = lagging{w, old, time.Now().Add(time.Hour)}
		if err := d.DriveRecord(t.Context(), next, Tick{Key: testKey, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if len(w.vendor.posts) != 0 || !w.timerSet() || w.timers[testKey].tickRev != revision {
			t.Errorf("%d POSTs, timer %+v", len(w.vendor.posts), w.timers[testKey])
		}
	})
}

// TestP3_ManySteps: an order that could go on and on sets its timer after so many steps.
func TestP3_ManySteps(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var numbers []string
		r := NewRecord(arrivalOf(), time.Now())
		namer, _ := NewNamer("East coast Kazoo")
		for i := range 2 * maxSteps {
			n := fmt.Sprintf("+1919555%04d", i)
			numbers = append(numbers, n)
			p := r.plan(namer, []string{n})
			p.Posts = []Post{{Token: n, State: PostCreated, OrderID: w.vendor.create(*p, time.Now()).id}}
			p.Orders = []VendorOrder{{OrderID: p.Posts[0].OrderID, NextPollAt: time.Now()}}
		}
		r.Ask.Numbers = numbers
		stored := w.stored(r)
		if err := w.driver().Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err != nil {
			t.Fatal(err)
		}
		if !w.timerSet() {
			t.Error("no timer is set")
		}
		w.run()
		if held := w.record().Held(); !slices.Equal(held, numbers) {
			t.Errorf("%d of %d numbers are held (P21a)", len(held), len(numbers))
		}
	})
}
