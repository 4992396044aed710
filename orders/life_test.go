package orders

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestDayOfPolls: an order that stays RECEIVED for a day is polled at a growing distance, and never failed.
func TestDayOfPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.vendor.runFor = 24 * time.Hour
		polls := watchPolls(w)
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Outcome != Completed {
			t.Errorf("ended %s %s", r.Outcome.Outcome, r.Outcome.Reason)
		}
		last := time.Duration(0)
		for i := 1; i < len(*polls); i++ {
			gap := (*polls)[i].Sub((*polls)[i-1])
			if gap < last || gap > w.settings.PollMaxInterval {
				t.Errorf("poll %d came %s after the one before, which came after %s", i, gap, last)
			}
			last = gap
		}
		if n := len(*polls); n < 280 || n > 320 {
			t.Errorf("%d polls in a day, want about 288 and a few at the start", n)
		}
	})
}

// watchPolls notes when the vendor is polled.
func watchPolls(w *world) *[]time.Time {
	var polls []time.Time
	w.onPoll = func() { polls = append(polls, time.Now()) }
	return &polls
}

// TestFailedPolls: polls that cannot read change nothing but the next time.
func TestFailedPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.pollFails = 50
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Outcome != Completed || len(w.vendor.posts) != 1 {
			t.Errorf("ended %s %s after %d POSTs", r.Outcome.Outcome, r.Outcome.Reason, len(w.vendor.posts))
		}
	})
}

// TestP16_BlindLooks: looks that cannot look never lead to a second POST or a verdict (P16, P20).
func TestP16_BlindLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.vendor.script = []reply{lostBefore}
		begin := time.Now()
		w.vendor.blind = func() bool { return time.Since(begin) < 12*time.Hour }
		w.onPost = func() {
			if len(w.vendor.posts) == 1 && time.Since(begin) < 12*time.Hour {
				w.violation("a second POST after %s, when nothing could be looked up (P16)", time.Since(begin))
			}
		}
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Outcome != Completed || r.Outcome.At.Sub(begin) < 12*time.Hour {
			t.Errorf("ended %s %s after %s", r.Outcome.Outcome, r.Outcome.Reason, r.Outcome.At.Sub(begin))
		}
	})
}

// TestP18_SecondPost: not before the settle window and five looks, once, with the same customer order id.
func TestP18_SecondPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.vendor.script = []reply{lostBefore, lostBefore, answered}
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		posts := w.vendor.posts
		if len(posts) != 2 || posts[0].coid != posts[1].coid {
			t.Fatalf("POSTs %v, want two of one intent", posts)
		}
		if gap := posts[1].at.Sub(posts[0].at); gap < w.settings.SettleWindow || gap > 2*w.settings.SettleWindow {
			t.Errorf("the second POST came after %s", gap)
		}
		r := w.record()
		if r.Outcome.Reason != ReasonOutcomeUnknown {
			t.Errorf("ended %s %s, want outcome_unknown", r.Outcome.Outcome, r.Outcome.Reason)
		}
		// P20: the window runs again since the second claim.
		if d := r.Outcome.At.Sub(posts[1].at); d < w.settings.SettleWindow {
			t.Errorf("the verdict fell %s after the last claim", d)
		}
		if p := r.Purchases[0]; p.LateLooks < looksNeeded {
			t.Errorf("%d looks after the window, want %d (P20)", p.LateLooks, looksNeeded)
		}
	})
}

// TestP22_GiveUp: exhausted only for time spent trying, never while a group is paused.
func TestP22_GiveUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		paced reply
		want  string
		hours float64
	}{
		{"never sent", unsent, "failed exhausted", 24},
		{"limited for two days", limited, "completed ", 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				begin := time.Now()
				w.vendor.script = nil
				w.reply = func() reply {
					if time.Since(begin) < 48*time.Hour {
						return c.paced
					}
					return answered
				}
				w.run(arrivalOf("+19195550001"))
				for _, v := range w.check() {
					t.Error(v)
				}
				r := w.record()
				if got := r.Outcome.Outcome + " " + r.Outcome.Reason; got != c.want {
					t.Errorf("ended %q, want %q", got, c.want)
				}
				if h := r.Outcome.At.Sub(begin).Hours(); h < c.hours || h > c.hours+1 {
					t.Errorf("ended after %.1f hours, want about %.0f", h, c.hours)
				}
			})
		})
	}
}

// TestP31_Sandbox: a sandbox worker buys nothing for a real order, and a real worker nothing for a sandbox order.
func TestP31_Sandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		begin := time.Now()
		pretends := func() bool { return time.Since(begin) < time.Hour }
		w.conditions = func() Conditions { return Conditions{Sandbox: pretends(), Provisioning: true} }
		w.onPost = func() {
			if pretends() {
				w.violation("a sandbox worker sent a POST")
			}
		}
		w.run(arrivalOf("+19195550001")) // a real request, met by sandbox workers for an hour
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Outcome != Completed || len(w.vendor.posts) != 1 {
			t.Errorf("ended %s with %d POSTs", r.Outcome.Outcome, len(w.vendor.posts))
		}
	})
}

// TestSandboxReplay: a replay in the sandbox reports what all generations pretend to hold, as a real one would, and
// looks for other numbers than those.
func TestSandboxReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stock(2)
		w.replays = 2
		w.asked = func(r *Record) Ask {
			if r.Generation == 2 { // with nothing new in stock
				w.stock(5)
			}
			return w.again(r)
		}
		a := byCriteria(3)
		a.Sandbox = true
		w.run(a)
		got := []string{}
		for _, p := range w.published {
			got = append(got, fmt.Sprintf("%s %s %d", p.outcome, p.reason, len(p.numbers)))
		}
		if want := []string{"partial incomplete 2", "failed no_numbers 2", "completed  3"}; !slices.Equal(got, want) {
			t.Errorf("the generations ended %q, want %q", got, want)
		}
		if held := slices.Compact(slices.Sorted(slices.Values(w.record().Held()))); len(held) != 3 {
			t.Errorf("it reports %v", held)
		}
		exact := w.record() // edited to exact numbers, it reports them beside the others
		exact.Outcome = &Outcome{Outcome: Partial, Reason: ReasonIncomplete, Published: true}
		edited := arrivalOf(exact.Held()[0], "+19195559999")
		next := exact.nextGeneration(edited, DefaultSettings(), time.Now())
		next.finish(Next(next, Conditions{}, DefaultSettings(), time.Now()).Outcome)
		if held := next.Held(); next.Outcome.Outcome != Completed || len(held) != 4 {
			t.Errorf("with one more number named it ended %s and reports %v", next.Outcome.Outcome, held)
		}
	})
}

// TestP40_Generations: a record of 5000 numbers stays below 512 KiB over several failed generations.
func TestP40_Generations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		numbers := make([]string, 5000)
		for i := range numbers {
			numbers[i] = fmt.Sprintf("+1919555%04d", i)
			w.vendor.foreign[numbers[i]] = true
		}
		w.replays = 5
		w.run(arrivalOf(numbers...))
		r := w.record()
		if r.Generation != 6 {
			t.Fatalf("generation %d, want 6", r.Generation)
		}
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 512<<10 {
			t.Errorf("the record takes %d bytes after %d generations", len(data), r.Generation)
		}
	})
}

// TestP38_ServerClock: the clock tells a time that has passed, and never goes back.
func TestP38_ServerClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c ServerClock
		if !c.Now().IsZero() {
			t.Error("a clock that observed nothing tells a time")
		}
		server := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) // the server's clock is years ahead
		c.Observe(server)
		time.Sleep(time.Minute)
		if got := c.Now(); !got.Equal(server.Add(time.Minute)) {
			t.Errorf("a minute later it tells %s", got)
		}
		c.Observe(server.Add(time.Second)) // a message that was long on its way
		if got := c.Now(); !got.Equal(server.Add(time.Minute)) {
			t.Errorf("an old message sets it to %s", got)
		}
	})
}
