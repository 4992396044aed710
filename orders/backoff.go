package orders

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Settings are the durations that decide when an order is looked at again. The zero value is not usable;
// [DefaultSettings] are the documented defaults.
type Settings struct {
	// PostTimeout bounds a POST, from the moment of its claim (P11, P12).
	PostTimeout time.Duration
	// SettleWindow is how long a POST without an answer may still take effect at Bandwidth (P18, P20).
	SettleWindow time.Duration
	// PollMinInterval and PollMaxInterval bound the time between polls of an order.
	PollMinInterval time.Duration
	PollMaxInterval time.Duration
	// PollBackorderInterval is the longest time between polls while the order waits for stock, and of a port-in.
	PollBackorderInterval time.Duration
	// GiveUpAfter ends an order that could not be placed for so long (P22).
	GiveUpAfter time.Duration
	// Lease is how long after its intake, or the begin of a step, an order is looked at again if nothing else set
	// a time: the worker that had it may have died.
	Lease time.Duration
	// Random gives numbers from 0 to below 1 for jitter; nil means math/rand/v2.
	Random func() float64
}

// DefaultSettings returns the documented defaults.
func DefaultSettings() Settings {
	return Settings{
		PostTimeout: 60 * time.Second, SettleWindow: 5 * time.Minute,
		PollMinInterval: time.Second, PollMaxInterval: 5 * time.Minute, PollBackorderInterval: 30 * time.Minute,
		GiveUpAfter: 24 * time.Hour, Lease: 30 * time.Second,
	}
}

const (
	// looksNeeded is how often Bandwidth must have been asked truly before a second POST or a verdict (P18, P20).
	looksNeeded = 5
	// rereadsAllowed is how often a final answer without its numbers is read again (P24).
	rereadsAllowed = 5
	// growth is the factor between one poll interval and the next.
	growth = 1.5
	// jitter is the share by which a delay may be shorter or longer.
	jitter = 0.1
)

// delay computes the wait after the attempt-th try (from 1) between first and longest, with the backoff library's
// formula. The attempt number is stored in the record; no timer of the library's ever runs, so none of its own
// limits (15 minutes by default) may apply.
func (s Settings) delay(attempt int, first, longest time.Duration) time.Duration {
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMaxInterval(longest),
		backoff.WithMultiplier(growth),
		backoff.WithRandomizationFactor(0),
		backoff.WithMaxElapsedTime(0),
	)
	d := first
	for range min(max(attempt, 1), 64) {
		d = b.NextBackOff()
	}
	random := rand.Float64
	if s.Random != nil {
		random = s.Random
	}
	d += time.Duration(float64(d) * jitter * (2*random() - 1))
	return min(max(d, first), longest)
}

// pollDelay is the wait before the next poll of an order that was polled polls times.
func (s Settings) pollDelay(polls int, phase Phase) time.Duration {
	longest := s.PollMaxInterval
	if phase == Waiting || phase == Porting {
		longest = max(longest, s.PollBackorderInterval)
	}
	return s.delay(polls+1, s.PollMinInterval, longest)
}

// lookDelay is the wait before the next look for a POST whose outcome is unknown. It is never longer than a fifth of
// the settle window, so that five looks fit into one.
func (s Settings) lookDelay(tries int) time.Duration {
	return s.delay(tries, s.PollMinInterval, max(s.PollMinInterval, s.SettleWindow/looksNeeded))
}

// retryDelay is the wait after the retries-th transport failure that surely bought nothing.
func (s Settings) retryDelay(retries int) time.Duration {
	return s.delay(retries, s.PollMinInterval, s.PollMaxInterval)
}
