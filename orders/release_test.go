package orders

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	numberA = "+19195550001"
	numberB = "+19195550002"
)

// disconnectOf is a request to give numbers back.
func disconnectOf(numbers ...string) Arrival {
	a := arrivalOf(numbers...)
	a.Kind = Disconnect
	return a
}

// releaseCase is the course of a disconnect of numbers A and B.
type releaseCase struct {
	name  string
	setup func(*world)
	// want is what it ends as, with the numbers that it says were released.
	want     string
	released []string
	// crashing lists what it may also end as where a worker died.
	crashing []string
}

func owned(w *world) { w.vendor.owners[numberA], w.vendor.owners[numberB] = "o1", "o1" }

// tookEffectLate lets the first disconnect, whose reply is lost, take effect right before the second is sent: after its
// numbers' holders were read (P34).
func tookEffectLate(w *world) {
	owned(w)
	w.vendor.script = []reply{lostBefore}
	w.vendor.prepare = func() error {
		if len(w.vendor.releases) == 1 {
			clear(w.vendor.owners)
		}
		return nil
	}
}

var both = []string{numberA, numberB}

var releaseCases = []releaseCase{
	{name: "plain", setup: owned, want: "completed", released: both},
	{name: "it takes a while", setup: func(w *world) { owned(w); w.vendor.runFor = time.Hour }, want: "completed", released: both},
	{name: "the reply lost after it", setup: func(w *world) { owned(w); w.vendor.script = []reply{lostAfter} }, want: "completed", released: both},
	{name: "the reply lost before it", setup: func(w *world) { owned(w); w.vendor.script = []reply{lostBefore} }, want: "completed", released: both},
	{name: "not sent, and then sent", setup: func(w *world) { owned(w); w.vendor.script = []reply{unsent, unsent} }, want: "completed", released: both},
	{name: "refused", setup: func(w *world) { owned(w); w.vendor.script = []reply{refusedPost} }, want: "failed rejected",
		crashing: []string{"completed"}}, // the refusal died with its worker
	{name: "one is protected", setup: func(w *world) { owned(w); w.vendor.keeps[numberB] = true }, want: "partial incomplete", released: []string{numberA}},
	{name: "one is not ours", setup: func(w *world) { owned(w); delete(w.vendor.owners, numberB) }, want: "partial incomplete", released: []string{numberA}},
	{name: "none is ours", want: "failed rejected"},
	{name: "the reply lost, and another order buys one at once", setup: func(w *world) {
		owned(w)
		w.vendor.script = []reply{lostAfter}
		w.vendor.rebought = func() { w.vendor.owners[numberA] = "o2" }
	}, want: "completed", released: both},
	{name: "the first takes effect late, and the second is refused", setup: func(w *world) {
		tookEffectLate(w)
		w.vendor.script = []reply{lostBefore, secondRejected}
	}, want: "completed", released: both},
	{name: "the first takes effect late, and the second's numbers are not ours any more", setup: tookEffectLate, want: "completed", released: both},
	{name: "the first takes effect late, and the second's numbers are not in service any more", setup: func(w *world) {
		tookEffectLate(w)
		w.vendor.goneCode = codeNotInService
	}, want: "completed", released: both},
	{name: "nothing is said of one, which stays", setup: func(w *world) { owned(w); w.vendor.silent = map[string]bool{numberB: false} },
		want: "partial incomplete", released: []string{numberA}, crashing: []string{"partial outcome_unknown"}}, // the claim of a dead worker may still take effect
	{name: "nothing is said of one, which goes", setup: func(w *world) { owned(w); w.vendor.silent = map[string]bool{numberB: true} },
		want: "completed", released: both},
	{name: "nothing is said of any, and both stay", setup: func(w *world) { owned(w); w.vendor.silent = map[string]bool{numberA: false, numberB: false} },
		want: "failed bandwidth_failed", crashing: []string{"failed outcome_unknown"}},
	{name: "every reply lost", setup: func(w *world) {
		owned(w)
		w.vendor.script = []reply{lostBefore, lostBefore, lostBefore, lostBefore, lostBefore, lostBefore, lostBefore}
	}, want: "failed outcome_unknown"},
}

func playRelease(t *testing.T, c releaseCase, crashes ...int) (*world, []string) {
	w := newWorld(t)
	if c.setup != nil {
		c.setup(w)
	}
	w.crashes = crashes
	w.run(disconnectOf(both...))
	r := w.record()
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.Outcome == nil || !r.Outcome.Published {
		return w, append(w.violations, "it did not end")
	}
	ended := strings.TrimSpace(r.Outcome.Outcome + " " + r.Outcome.Reason)
	if ended != c.want && (len(crashes) == 0 || !slices.Contains(c.crashing, ended)) {
		bad("it ended %q, want %q", ended, c.want)
	}
	held := slices.Sorted(slices.Values(r.Held()))
	if ended == c.want && !slices.Equal(held, c.released) {
		bad("it says that %v were released, want %v", held, c.released)
	}
	for _, n := range held {
		if w.vendor.owners[n] == "o1" {
			bad("%s is said to be released, and is held as before", n)
		}
	}
	w.store.Numbers(func(h Holding) bool {
		if h.State != NumberReleased || !slices.Contains(held, h.Number) || h.Since.After(r.Outcome.At) || h.Since.Before(r.AcceptedAt) {
			bad("the registry holds %+v", h)
		}
		return true
	})
	if w.vendor.rebought != nil && w.vendor.owners[numberA] != "o2" {
		bad("what another order had bought again was released (P34)")
	}
	if len(w.letters) != map[bool]int{true: 0, false: 1}[r.Outcome.Outcome == Completed] {
		bad("%d dead letters", len(w.letters))
	}
	return w, append(wrong, w.violations...)
}

// TestDisconnect plays every course, and then again with a worker dying at every step.
func TestDisconnect(t *testing.T) {
	for _, c := range releaseCases {
		t.Run(c.name, func(t *testing.T) {
			sweep(t, func(t *testing.T, crashes ...int) (*world, []string) { return playRelease(t, c, crashes...) })
		})
	}
}

// TestP34_ReplayLeavesNewerOrdersAlone: a disconnect that is replayed after a newer order bought the number again does
// not release it.
func TestP34_ReplayLeavesNewerOrdersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.vendor.owners[numberA], w.vendor.keeps[numberA] = "o1", true
		w.replays = 1
		w.grown = func(r *Record) []string {
			w.vendor.owners[numberA], w.vendor.keeps[numberA] = "o2", false // released by hand meanwhile, and bought again
			return r.Missing()
		}
		w.run(disconnectOf(numberA))
		r := w.record()
		if r.Generation != 2 || r.Outcome.Outcome != Failed || w.vendor.owners[numberA] != "o2" {
			t.Errorf("generation %d ended %s %s, and the number is held by %q", r.Generation, r.Outcome.Outcome, r.Outcome.Reason, w.vendor.owners[numberA])
		}
		if f := r.Unplaced(); len(f) != 1 || f[0].Code != CodeChanged {
			t.Errorf("failed numbers %v, want the code %s", f, CodeChanged)
		}
		if n := len(w.vendor.releases); n != 1 {
			t.Errorf("%d disconnects were sent, want 1", n)
		}
	})
}

// TestP40_Disconnect: a disconnect of 5000 numbers, all refused one by one, stays below 512 KiB.
func TestP40_Disconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		numbers := make([]string, 5000)
		for i := range numbers {
			numbers[i] = fmt.Sprintf("+1919555%04d", i)
			w.vendor.owners[numbers[i]], w.vendor.keeps[numbers[i]] = OrderID(fmt.Sprintf("order-%d", i)), true
		}
		w.replays = 3
		w.run(disconnectOf(numbers...))
		r := w.record()
		if r.Generation != 4 || r.Outcome.Outcome != Failed || len(r.Unplaced()) != 5000 {
			t.Errorf("generation %d ended %s with %d failed numbers", r.Generation, r.Outcome.Outcome, len(r.Unplaced()))
		}
		data, err := r.Marshal()
		if err != nil || len(data) > 512<<10 {
			t.Errorf("the record takes %d bytes (%v)", len(data), err)
		}
	})
}

// TestP34_ReplayOfANumberThatWasNotOurs: a number that nobody held when it was first meant is left alone by a replay
// after an order has bought it.
func TestP34_ReplayOfANumberThatWasNotOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.replays = 1
		w.grown = func(r *Record) []string {
			w.vendor.owners[numberA] = "o2"
			return r.Missing()
		}
		w.run(disconnectOf(numberA))
		r := w.record()
		if f := r.Unplaced(); r.Generation != 2 || len(w.vendor.releases) != 0 || len(f) != 1 || f[0].Code != CodeChanged {
			t.Errorf("generation %d ended %s after %d disconnects, failed numbers %v", r.Generation, r.Outcome.Outcome, len(w.vendor.releases), f)
		}
	})
}

// TestP22_ReleaseWaits: while reads are paused the holders are not read, and a reading that was held back does not
// count towards giving up.
func TestP22_ReleaseWaits(t *testing.T) {
	now := time.Now()
	r := NewRecord(disconnectOf(numberA), now)
	held := Conditions{Provisioning: true, ReadsHeldUntil: now.Add(time.Hour)}
	if a := Next(r, held, DefaultSettings(), now); a.Kind != ActWait || !a.Until.Equal(held.ReadsHeldUntil) {
		t.Errorf("while reads are paused: %+v", a)
	}
	for _, paused := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.vendor.owners[numberA] = "o1"
			h := HoldersFact{Failed: true, Paused: paused}
			if paused {
				h.RetryAt = time.Now().Add(24 * time.Hour)
			}
			w.vendor.holders = []HoldersFact{h, h, h}
			w.run(disconnectOf(numberA))
			if r := w.record(); r.Outcome == nil || r.Outcome.Outcome != Completed || (r.RetryFor == 0) != paused {
				t.Errorf("paused %t: ended %+v with %s of trying", paused, r.Outcome, r.RetryFor)
			}
		})
	}
}

// TestP34_Unclear: a number whose holder is not named is left alone, and the others are released; where a lost POST may
// have released it, its outcome is unknown.
func TestP34_Unclear(t *testing.T) {
	r := NewRecord(disconnectOf(both...), time.Now())
	send, _ := r.sort(HoldersFact{Holders: map[string]Holder{numberA: {OrderID: "o1"}, numberB: {Unclear: true}}}, DefaultSettings(), time.Now())
	if !slices.Equal(send, []string{numberA}) || !slices.Equal(r.Refused[CodeUnclear], []string{numberB}) {
		t.Errorf("%v are sent, %v are given up", send, r.Refused)
	}
	r.Released = []string{numberA}
	if a := releaseVerdict(r, time.Now()); a.Outcome.Reason != ReasonIncomplete {
		t.Errorf("it ends %+v", a.Outcome)
	}
	r.Releases = []Release{{N: 1, Generation: 1, Numbers: both, Post: Post{State: PostUnknown}}}
	if a := releaseVerdict(r, time.Now()); a.Outcome.Reason != ReasonOutcomeUnknown {
		t.Errorf("after a lost POST it ends %+v", a.Outcome)
	}
}
