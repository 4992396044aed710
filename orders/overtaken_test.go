package orders

import (
	"testing"
	"testing/synctest"
	"time"
)

// overtakenSweep stops a worker at every step of every scenario, lets others do something, and lets it go on.
func overtakenSweep(t *testing.T, meanwhile func(w *world)) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			steps := 0
			synctest.Test(t, func(t *testing.T) { steps = play(t, s).steps })
			for at := 1; at <= min(steps, 150); at++ {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					if s.setup != nil {
						s.setup(w)
					}
					w.rescue = true
					w.pauseAt, w.overtake = at, func() { meanwhile(w) }
					arrivals := []Arrival{arrivalOf("+19195550001", "+19195550002")}
					if s.arrivals != nil {
						arrivals = s.arrivals()
					}
					w.run(arrivals...)
					for _, v := range s.judge(w, true) {
						t.Errorf("overtaken at step %d: %s", at, v)
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

// TestTwoWorkersSweep: at every step another worker takes the same order as far as it goes.
func TestTwoWorkersSweep(t *testing.T) {
	overtakenSweep(t, func(w *world) {
		_ = w.driver().Drive(w.t.Context(), Tick{Key: testKey, At: w.clock.Now()})
	})
}

// TestStalledWorkerSweep: at every step a worker stands still, for as long as the others need to bring the order to its
// end, replays included, and then goes on with what it has in hand.
func TestStalledWorkerSweep(t *testing.T) {
	overtakenSweep(t, func(w *world) {
		again := w.current // its lease ends, and it comes again
		again.at = time.Now().Add(ackWait)
		w.inbox = append(w.inbox, again)
		w.run()
	})
}
