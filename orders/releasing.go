package orders

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// release reads who holds the numbers, claims, and sends a disconnect.
func (d *Driver) release(ctx context.Context, r *Record, a Action) (*Record, error) {
	holders := d.Carrier.Holders(ctx, a.Numbers)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if holders.Failed {
		return d.change(ctx, r, func(r *Record) bool {
			if r.Outcome == nil {
				r.postponed(PostFact{Detail: holders.Detail, Paused: holders.Paused, RetryAt: holders.RetryAt}, d.Settings, d.Clock.Now())
			}
			return r.Outcome == nil
		})
	}
	if send, _ := r.Clone().sort(holders, d.Settings, d.Clock.Now()); len(send) == 0 || r.releases() >= maxReleases {
		return d.change(ctx, r, func(r *Record) bool {
			if r.Outcome != nil || r.lastRelease() != nil && r.lastRelease().Post.State == PostOpen {
				return false
			}
			r.Dry = len(send) > 0 // they were sent often enough
			r.sort(holders, d.Settings, d.Clock.Now())
			return true
		})
	}
	// P8: whatever can wait is waited for before the intent is written.
	if err := d.Carrier.PrepareRelease(ctx); err != nil {
		var hold *HoldError
		if errors.As(err, &hold) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return d.change(ctx, r, func(r *Record) bool {
			if r.Outcome == nil {
				r.postponed(PostFact{Detail: err.Error()}, d.Settings, d.Clock.Now())
			}
			return r.Outcome == nil
		})
	}
	token := d.Token()
	next := r.Clone()
	send, pins := next.sort(holders, d.Settings, d.Clock.Now())
	claimed := time.Now() // P9
	next.claimRelease(send, pins, token, claimed, d.Clock.Now()).Post.Timeout = d.Settings.PostTimeout
	rel := *next.lastRelease()
	revision, err := d.Store.Update(ctx, next)
	if err != nil {
		if next, err = d.readBack(ctx, r, claimed); err != nil { // P10
			return nil, err
		}
		if last := next.lastRelease(); last == nil || last.Post.Token != token || last.Post.State != PostOpen {
			return next, nil // P12
		}
	} else {
		next.Revision, next.WrittenAt = revision, time.Time{}
	}
	// The point of no return, as with a purchase.
	detached := context.WithoutCancel(ctx)
	fact := PostFact{Detail: "writing the intent took too long; nothing was sent"}
	if !passed(claimed, d.Settings.PostTimeout/2) {
		fact = d.Carrier.Release(detached, rel, next.releaseOptions(d.Names), claimed.Add(d.Settings.PostTimeout)) // P11
	}
	d.entry(next).WithField("state", string(fact.State)).WithField("detail", fact.Detail).Info("sent a disconnect to Bandwidth")
	settled, err := d.change(detached, next, func(r *Record) bool { return r.settleRelease(rel.N, token, fact, d.Settings, d.Clock.Now()) })
	if err != nil {
		return nil, fmt.Errorf("the disconnect of %d numbers ended as %q, but that could not be recorded; their holders are read again: %w", len(rel.Numbers), fact.State, err)
	}
	return settled, nil
}

// ReleaseOptions are what a disconnect says beside its numbers.
type ReleaseOptions struct {
	Name string
	// Mode is normal or purge, Protected true, false or unchanged; empty where the request does not say.
	Mode, Protected string
}

func (r *Record) releaseOptions(names Namer) ReleaseOptions {
	return ReleaseOptions{Name: names.Name(r.Key), Mode: r.Ask.Mode, Protected: r.Ask.Protected}
}
