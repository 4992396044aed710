package worker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"bandwidthworker/orders"
)

const (
	// slowStart is the rate to which a worker without a limit of its own falls when Bandwidth asks it to slow down.
	slowStart rate.Limit = 20
	// slowest is the rate below which a worker does not fall.
	slowest rate.Limit = 0.5
	// recoverEvery is how often the rate grows again, by a quarter.
	recoverEvery = 10 * time.Second
	// unlimitedAbove is the rate above which a worker without a limit of its own has none again.
	unlimitedAbove rate.Limit = 500
	// waitAtMost is how long a call waits for its turn before the order is put off instead.
	waitAtMost = 5 * time.Second
)

// pace spaces a worker's own calls: it halves its rate when Bandwidth answers 429 or 503 and recovers slowly. It is
// safe for concurrent use.
type pace struct {
	ceiling rate.Limit
	limiter *rate.Limiter

	mu      sync.Mutex
	changed time.Time
}

// newPace returns a pace with a ceiling of calls in a second; 0 means no limit.
func newPace(perSecond float64) *pace {
	p := &pace{ceiling: rate.Inf}
	if perSecond > 0 {
		p.ceiling = rate.Limit(perSecond)
	}
	p.limiter = rate.NewLimiter(p.ceiling, 1)
	return p
}

// wait blocks until it is the caller's turn, or returns an [*orders.HoldError] where that is too far off.
func (p *pace) wait(ctx context.Context, clock *orders.ServerClock) error {
	p.recover()
	turn := p.limiter.Reserve()
	delay := turn.Delay()
	if delay > waitAtMost {
		turn.Cancel()
		return &orders.HoldError{Until: clock.Now().Add(delay), Why: "this worker's own pace"}
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return ctx.Err()
	}
}

// slow halves the rate, at most once a second: a burst of answers to one overload counts once.
func (p *pace) slow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.changed) < time.Second {
		return
	}
	p.changed = time.Now()
	if limit := p.limiter.Limit(); limit == rate.Inf {
		p.limiter.SetLimit(slowStart)
	} else {
		p.limiter.SetLimit(max(limit/2, min(slowest, p.ceiling)))
	}
}

func (p *pace) recover() {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.limiter.Limit()
	if limit == p.ceiling || time.Since(p.changed) < recoverEvery {
		return
	}
	p.changed = time.Now()
	if limit *= 1.25; limit >= p.ceiling || limit > unlimitedAbove {
		limit = p.ceiling
	}
	p.limiter.SetLimit(limit)
}
