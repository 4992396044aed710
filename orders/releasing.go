package orders

import (
	"context"
	"fmt"
	"time"
)

// release reads who holds the numbers, claims, and sends a disconnect: see [Driver.post] for what a crash leaves behind.
func (d *Driver) release(ctx context.Context, r *Record, a Action) (*Record, error) {
	holders := d.Carrier.Holders(ctx, a.Numbers)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if holders.Failed {
		return d.postpone(ctx, r, PostFact{Detail: holders.Detail, Paused: holders.Paused, RetryAt: holders.RetryAt})
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
	if postponed, err := d.prepare(ctx, r, d.Carrier.PrepareRelease); postponed != nil || err != nil {
		return postponed, err
	}
	token := d.Token()
	next := r.Clone()
	send, pins := next.sort(holders, d.Settings, d.Clock.Now())
	claimed := time.Now() // P9
	next.claimRelease(send, pins, token, claimed, d.Clock.Now()).Post.Timeout = d.Settings.PostTimeout
	rel := *next.lastRelease()
	return d.post(ctx, r, next, posting{
		claimed: claimed,
		stands: func(r *Record) bool {
			last := r.lastRelease()
			return last != nil && last.Post.Token == token && last.Post.State == PostOpen
		},
		send: func(ctx context.Context, r *Record, sendBy time.Time) PostFact {
			return d.Carrier.Release(ctx, rel, r.releaseOptions(d.Names), sendBy)
		},
		settle: func(r *Record, f PostFact) bool { return r.settleRelease(rel.N, token, f, d.Settings, d.Clock.Now()) },
		what:   fmt.Sprintf("the disconnect of %d numbers", len(rel.Numbers)), unknown: "their holders are read again",
	})
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
