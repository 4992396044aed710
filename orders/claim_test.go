package orders

import (
	"testing"
	"time"
)

// TestP12_ClaimersOwnTimeout: a worker with a shorter post_timeout waits for the claimer's.
func TestP12_ClaimersOwnTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.claimed()
		r.Purchases[0].Posts[0].Timeout = 10 * time.Minute
		stored := w.stored(r)
		end := stored.WrittenAt.Add(10 * time.Minute)
		c := Conditions{Provisioning: true}
		if a := Next(stored, c, w.settings, end.Add(-1)); a.Kind != ActWait || !a.Until.Equal(end) {
			t.Errorf("a nanosecond before the claimer's time: %+v, want to wait until %s", a, end)
		}
		if a := Next(stored, c, w.settings, end); a.Kind != ActExpire {
			t.Errorf("at its end: %+v, want it to expire", a)
		}
	})
}
