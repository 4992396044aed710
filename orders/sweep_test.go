package orders

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scenario is a course of events and the outcomes that it may have.
type scenario struct {
	name  string
	setup func(*world)
	// want lists what the last generation may end as, "outcome" or "outcome reason".
	want []string
	// crashed lists what it may also end as when a worker died on the way; nil: nothing else.
	crashed  []string
	arrivals func() []Arrival
}

var scenarios = []scenario{
	{name: "plain", want: []string{"completed"}},
	{name: "an order runs for a while", setup: func(w *world) { w.vendor.runFor = 10 * time.Minute }, want: []string{"completed"}},
	{name: "the reply is lost after creation", setup: func(w *world) { w.vendor.script = []reply{lostAfter} }, want: []string{"completed"}},
	{name: "the reply is lost before creation", setup: func(w *world) { w.vendor.script = []reply{lostBefore} }, want: []string{"completed"},
		crashed: []string{"failed outcome_unknown"}},
	{name: "created late", setup: func(w *world) { w.vendor.script = []reply{createdLate} }, want: []string{"completed"}},
	{name: "listed late", setup: func(w *world) { w.vendor.script, w.vendor.listDelay = []reply{lostAfter}, 4*time.Minute }, want: []string{"completed"}},
	{name: "listed late and numbers forbidden", setup: func(w *world) {
		w.vendor.script, w.vendor.listDelay, w.vendor.forbidden = []reply{lostAfter}, 4*time.Minute, true
	}, want: []string{"completed"}, crashed: []string{"failed outcome_unknown"}}, // dead before the POST, and no second one is allowed
	{name: "never found and numbers forbidden", setup: func(w *world) {
		w.vendor.script, w.vendor.forbidden = []reply{lostBefore}, true
	}, want: []string{"failed outcome_unknown"}},
	{name: "the second POST is refused", setup: func(w *world) { w.vendor.script = []reply{lostBefore, secondRejected} },
		want: []string{"failed outcome_unknown"}},
	{name: "both replies are lost", setup: func(w *world) { w.vendor.script = []reply{lostBefore, lostAfter} }, want: []string{"completed"},
		crashed: []string{"failed outcome_unknown"}},
	{name: "foreign holder", setup: func(w *world) { w.vendor.foreign["+19195550001"] = true; w.vendor.foreign["+19195550002"] = true },
		want: []string{"failed bandwidth_failed"}, crashed: []string{"failed outcome_unknown"}},
	{name: "foreign holder and a lost POST", setup: func(w *world) {
		w.vendor.foreign["+19195550001"], w.vendor.foreign["+19195550002"] = true, true
		w.vendor.script = []reply{lostBefore}
	}, want: []string{"failed outcome_unknown"}},
	{name: "partial", setup: func(w *world) { w.vendor.foreign["+19195550002"] = true }, want: []string{"partial incomplete"},
		crashed: []string{"partial outcome_unknown", "failed outcome_unknown"}},
	{name: "unclear numbers", setup: func(w *world) { w.vendor.unclear = true }, want: []string{"failed outcome_unknown"}},
	{name: "refused", setup: func(w *world) { w.vendor.script = []reply{refusedPost} }, want: []string{"failed rejected"},
		crashed: []string{"completed", "failed outcome_unknown"}}, // a lost answer is no answer: the number may be bought after all
	{name: "not sent, then sent", setup: func(w *world) { w.vendor.script = []reply{unsent, unsent, answered} }, want: []string{"completed"}},
	{name: "limited, then taken", setup: func(w *world) { w.vendor.script = []reply{limited, answered} }, want: []string{"completed"}},
	{name: "replay after partial", setup: func(w *world) {
		w.vendor.foreign["+19195550002"] = true
		w.replays = 1
		w.grown = func(r *Record) []string { delete(w.vendor.foreign, "+19195550002"); return r.Missing() }
	}, want: []string{"completed"}},
	{name: "replay after failed", setup: func(w *world) {
		w.vendor.script = []reply{refusedPost}
		w.replays = 1
	}, want: []string{"completed"}},
	{name: "replay after unknown", setup: func(w *world) {
		w.vendor.script, w.vendor.forbidden = []reply{lostBefore}, true
		w.replays = 1
	}, want: []string{"completed"}, crashed: []string{"failed outcome_unknown"}},
	{name: "replay after unknown that was bought", setup: func(w *world) {
		w.vendor.script, w.vendor.forbidden, w.vendor.listDelay = []reply{lostAfter}, true, time.Hour
		w.replays = 1
	}, want: []string{"completed", "failed outcome_unknown"}, crashed: []string{"failed outcome_unknown"}},
	{name: "duplicates under way and after", arrivals: func() []Arrival {
		a := arrivalOf("+19195550001", "+19195550002")
		return []Arrival{a, a, a}
	}, want: []string{"completed"}},
	{name: "young ledger", setup: func(w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
	}, want: []string{"completed"}},
	{name: "sandbox", arrivals: func() []Arrival {
		a := arrivalOf("+19195550001")
		a.Sandbox = true
		return []Arrival{a}
	}, want: []string{"completed"}},
}

// play runs a scenario with workers dying at the given steps.
func play(t *testing.T, s scenario, crashes ...int) *world {
	w := newWorld(t)
	if s.setup != nil {
		s.setup(w)
	}
	w.crashes = crashes
	arrivals := []Arrival{arrivalOf("+19195550001", "+19195550002")}
	if s.arrivals != nil {
		arrivals = s.arrivals()
	}
	w.run(arrivals...)
	return w
}

// judge returns what is wrong with a run of a scenario.
func (s scenario) judge(w *world, crashed bool) []string {
	out := w.check()
	r := w.record()
	if r.Outcome == nil {
		return out
	}
	got := strings.TrimSpace(r.Outcome.Outcome + " " + r.Outcome.Reason)
	allowed := slices.Clone(s.want)
	if crashed {
		allowed = append(allowed, s.crashed...)
	}
	if r.Sandbox {
		if len(w.vendor.posts)+w.vendor.reserveCalls > 0 {
			out = append(out, "a sandbox record sent a POST (P31)")
		}
		return slices.DeleteFunc(out, func(v string) bool {
			return strings.Contains(v, "the outcome says") || strings.Contains(v, "reported and not held")
		})
	}
	if !slices.Contains(allowed, got) {
		out = append(out, fmt.Sprintf("ended %q, want one of %q", got, allowed))
	}
	return out
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := play(t, s)
				for _, v := range s.judge(w, false) {
					t.Error(v)
				}
				if t.Failed() {
					t.Log(w.story())
				}
			})
		})
	}
}

func (w *world) story() string {
	var b strings.Builder
	r := w.record()
	for _, h := range r.History {
		fmt.Fprintf(&b, "%s %s %s\n", h.At.Format("15:04:05"), h.What, h.Detail)
	}
	fmt.Fprintf(&b, "%d POSTs, %d orders", len(w.vendor.posts), len(w.vendor.orders))
	return b.String()
}

// TestCrashSweep lets a worker die before and after every step of every scenario.
func TestCrashSweep(t *testing.T) {
	runs := 0
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			steps := 0
			synctest.Test(t, func(t *testing.T) { steps = play(t, s).steps })
			if steps < 6 {
				t.Fatalf("only %d steps", steps)
			}
			for at := 1; at <= min(steps, 150); at++ {
				synctest.Test(t, func(t *testing.T) {
					w := play(t, s, at)
					for _, v := range s.judge(w, true) {
						t.Errorf("dead at step %d: %s", at, v)
					}
					if t.Failed() {
						t.Log(w.story())
					}
				})
				if t.Failed() {
					return
				}
				runs++
			}
		})
	}
	t.Logf("%d runs with a death", runs)
}

// TestDoubleCrashSweep lets workers die at two steps, for the scenarios where an answer is lost.
func TestDoubleCrashSweep(t *testing.T) {
	for _, s := range scenarios {
		if s.name != "plain" && s.name != "the reply is lost after creation" && s.name != "partial" && s.name != "replay after failed" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			for first := 1; first <= 30; first++ {
				for second := first + 1; second <= first+16; second++ {
					synctest.Test(t, func(t *testing.T) {
						w := play(t, s, first, second)
						for _, v := range w.check() {
							t.Errorf("dead at steps %d and %d: %s", first, second, v)
						}
					})
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// TestP10_LostAnswers loses the answer of every write once, applied or not as the store says: what is stored decides (P10).
func TestP10_LostAnswers(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for at := 1; at <= 60; at++ {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					if s.setup != nil {
						s.setup(w)
					}
					calls := 0
					w.flaky = func(int) error {
						if calls++; calls == at {
							return errors.New("timeout: the write may have been applied")
						}
						return nil
					}
					arrivals := []Arrival{arrivalOf("+19195550001", "+19195550002")}
					if s.arrivals != nil {
						arrivals = s.arrivals()
					}
					w.run(arrivals...)
					for _, v := range s.judge(w, true) {
						t.Errorf("answer %d lost: %s", at, v)
					}
					if t.Failed() {
						t.Log(w.story())
					}
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

// TestP6_LostTimers loses each timer once: the index finds the order (P6).
func TestP6_LostTimers(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for at := 1; at <= 20; at++ {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					if s.setup != nil {
						s.setup(w)
					}
					w.loseAt, w.rescue = at, true
					arrivals := []Arrival{arrivalOf("+19195550001", "+19195550002")}
					if s.arrivals != nil {
						arrivals = s.arrivals()
					}
					w.run(arrivals...)
					for _, v := range s.judge(w, true) {
						t.Errorf("timer %d lost: %s", at, v)
					}
				})
			}
		})
	}
}
