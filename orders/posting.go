package orders

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// posting is a POST that creates something at Bandwidth, with the claim under which it is sent.
type posting struct {
	// claimed is the claim's moment, taken before its write is sent (P9).
	claimed time.Time
	// stands reports whether the claim stands open in a record.
	stands func(*Record) bool
	// send sends the POST, once, and nothing after sendBy.
	send func(ctx context.Context, r *Record, sendBy time.Time) PostFact
	// settle records what came of it, and reports whether that changed the record.
	settle func(*Record, PostFact) bool
	// what names it, and unknown says what is done where its outcome is not known.
	what, unknown string
	// reservation: it buys nothing, and is logged quietly.
	reservation bool
}

// post stores the claim that next adds to r, sends its POST and records what came of it. Everything that creates
// something at Bandwidth goes through here.
//
//	crash or lost reply                    what is left, and what happens then
//	before the claim is stored             nothing; the next tick begins anew
//	the claim's answer is lost             read back: ours (go on), not ours (the next tick decides) (P10)
//	claim stored, crash before the POST    an open claim; unknown after PostTimeout (P12)
//	POST sent, crash or lost reply         the same; what it created is looked for (P16, P17, P34)
//	answered, crash before the record      the same
//	answered, another wrote the record     the answer is merged as a fact (P15)
//
// A worker that is stopping finishes this step once its claim is on the way: only the step's own deadlines end it.
func (d *Driver) post(ctx context.Context, r, next *Record, p posting) (*Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ctx = context.WithoutCancel(ctx) // a write that is given up may have been stored: an open claim that nobody sends
	revision, err := d.Store.Update(ctx, next)
	if err != nil {
		// P10: look for our own token before anything else.
		if next, err = d.readBack(ctx, r, p.claimed); err != nil {
			return nil, err
		}
		if !p.stands(next) {
			return next, nil // not ours, or taken for lost already: never post under another's claim (P12)
		}
	} else {
		next.Revision, next.WrittenAt = revision, time.Time{}
	}

	// The point of no return: from here every path, crash included, leaves a record that someone will look at.
	fact := PostFact{Detail: "writing the intent took too long; nothing was sent"}
	if !passed(p.claimed, d.Settings.PostTimeout/2) {
		fact = p.send(ctx, next, p.claimed.Add(d.Settings.PostTimeout)) // P11
	}
	d.logPost(next, p, fact)
	settled, err := d.change(ctx, next, func(r *Record) bool { return p.settle(r, fact) })
	if err != nil {
		return nil, fmt.Errorf("%s ended as %q (Bandwidth order %q), but that could not be recorded; %s: %w", p.what, fact.State, fact.OrderID, p.unknown, err)
	}
	return settled, nil
}

// prepare waits for everything that a POST could wait for (P8). Where that fails for a reason of its own, it counts as a
// try that sent nothing, and the record as it is then is returned; nil means: go on.
func (d *Driver) prepare(ctx context.Context, r *Record, wait func(context.Context) error) (*Record, error) {
	if err := wait(ctx); err != nil {
		return d.held(ctx, r, err)
	}
	return nil, nil
}

// held decides what becomes of a step that could not begin for err: nothing was sent.
func (d *Driver) held(ctx context.Context, r *Record, err error) (*Record, error) {
	var hold *HoldError
	if errors.As(err, &hold) {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return d.postpone(ctx, r, PostFact{Detail: err.Error()})
}

// postpone records a try that surely sent nothing.
func (d *Driver) postpone(ctx context.Context, r *Record, f PostFact) (*Record, error) {
	return d.change(ctx, r, func(r *Record) bool {
		if r.Outcome == nil {
			r.postponed(f, d.Settings, d.Clock.Now())
		}
		return r.Outcome == nil
	})
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
