package orders

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// search finds the numbers of a purchase by criteria. Nothing was claimed yet: a crash here leaves nothing behind. It
// returns no numbers where the record, as it is then, says what is to be done instead.
func (d *Driver) search(ctx context.Context, r *Record, a Action) (numbers []string, next *Record, err error) {
	f := d.Carrier.Find(ctx, r.Ask.Criteria, a.Find, r.Tried())
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if f.enough(a.Find, r.Ask.PartialAllowed) {
		return f.Numbers, r, nil
	}
	next, err = d.change(ctx, r, func(r *Record) bool { return r.searched(f, d.Settings, d.Clock.Now()) })
	return nil, next, err
}

// pretend finds the numbers of a sandbox order.
func (d *Driver) pretend(ctx context.Context, r *Record, a Action) (*Record, error) {
	f := d.Carrier.Find(ctx, r.Ask.Criteria, a.Find, r.Held())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return d.change(ctx, r, func(r *Record) bool { return r.pretended(f, d.Settings, d.Clock.Now()) })
}

// place claims a purchase and sends its POST. This is the one place that spends money.
//
//	crash or lost reply                    what is left, and what happens then
//	before the claim is stored             nothing; the next tick begins anew
//	the claim's answer is lost             read back: ours (go on), not ours (the next tick decides) (P10)
//	claim stored, crash before the POST    an open claim; unknown after PostTimeout, looked for (P12, P16)
//	POST sent, crash or lost reply         the same; its order is found by its customer order id (P17)
//	answered, crash before the record      the same
//	answered, another wrote the record     the answer is merged as a fact (P15)
func (d *Driver) place(ctx context.Context, r *Record, a Action) (*Record, error) {
	numbers := a.Numbers
	if a.Find > 0 {
		found, next, err := d.search(ctx, r, a)
		if err != nil || len(found) == 0 {
			return next, err
		}
		numbers = found
	}
	// P8: whatever can wait is waited for before the intent is written.
	if err := d.Carrier.Prepare(ctx); err != nil {
		var hold *HoldError
		if errors.As(err, &hold) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return d.change(ctx, r, func(r *Record) bool {
			if r.Outcome != nil {
				return false
			}
			r.postponed(PostFact{Detail: err.Error()}, d.Settings, d.Clock.Now())
			return true
		})
	}

	token := d.Token()
	next := r.Clone()
	p := next.purchase(a.N)
	if p == nil {
		p = next.plan(d.Names, numbers)
	}
	if len(p.Numbers) == 0 { // planned before its numbers were searched for
		p.Numbers = numbers
	}
	n := p.N
	claimed := time.Now() // P9: the claim's moment is taken before its write is sent
	next.claim(n, token, claimed, d.Clock.Now())
	next.purchase(n).post(token).Timeout = d.Settings.PostTimeout
	revision, err := d.Store.Update(ctx, next)
	if err != nil {
		// P10: look for our own token before anything else.
		if next, err = d.readBack(ctx, r, claimed); err != nil {
			return nil, err
		}
		if !next.claimedBy(n, token) {
			return next, nil // not ours, or taken for lost already: never post under another's claim (P12)
		}
	} else {
		next.Revision, next.WrittenAt = revision, time.Time{}
	}

	// The point of no return: from here every path, crash included, leaves a record that someone will look at.
	// A worker that is stopping finishes this step: only its own deadline ends it.
	detached := context.WithoutCancel(ctx)
	fact := PostFact{Detail: "writing the intent took too long; nothing was sent"}
	if late := d.Settings.PostTimeout / 2; !passed(claimed, late) {
		fact = d.Carrier.Place(detached, *next.purchase(n), claimed.Add(d.Settings.PostTimeout)) // P11
	}
	d.logPost(next, n, fact)
	settled, err := d.change(detached, next, func(r *Record) bool { return r.settle(n, token, fact, d.Settings, d.Clock.Now()) })
	if err != nil {
		return nil, fmt.Errorf("the POST of %s ended as %q (Bandwidth order %q), but that could not be recorded; the order is looked up by its customer order id: %w",
			next.purchase(n).CustomerOrderID, fact.State, fact.OrderID, err)
	}
	return settled, nil
}

// claimedBy reports whether the claim with this token stands open.
func (r *Record) claimedBy(n int, token string) bool {
	p := r.purchase(n)
	if p == nil {
		return false
	}
	post := p.post(token)
	return post != nil && post.State == PostOpen
}

// passed reports whether a duration has passed since t, on the monotonic or on the wall clock: a suspended machine
// stops the one, an adjusted clock moves the other (P11).
func passed(t time.Time, d time.Duration) bool {
	now := time.Now()
	return now.Sub(t) >= d || now.Round(0).Sub(t.Round(0)) >= d
}

// readBack reads the record after a claim whose write was refused or whose answer was lost, until it shows a write
// later than the one the claim was based on, or half the claim's time is over (P10).
func (d *Driver) readBack(ctx context.Context, r *Record, claimed time.Time) (*Record, error) {
	pause := d.Settings.PollMinInterval / 100
	for !passed(claimed, d.Settings.PostTimeout/2) {
		got, err := d.Store.Get(ctx, r.Key)
		if err == nil && got.Revision > r.Revision {
			return got, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, d.Settings.PollMinInterval)
	}
	// Nothing is known of the claim; if it was applied after all, it expires as unknown (P12).
	return nil, errStale
}
