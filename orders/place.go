package orders

import (
	"context"
	"time"
)

// numbers returns those of a purchase, which it searches for where they are not named. Nothing was claimed yet: a crash
// here leaves nothing behind. Where instead is not nil it is the record as it is then, which says what is to be done.
func (d *Driver) numbers(ctx context.Context, r *Record, a Action) (numbers []string, instead *Record, err error) {
	if a.Find == 0 {
		return a.Numbers, nil, nil
	}
	f := d.Carrier.Find(ctx, r.Ask.Criteria, a.Find, r.Tried())
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if f.enough(a.Find, r.Ask.PartialAllowed) {
		return f.Numbers, nil, nil
	}
	instead, err = d.change(ctx, r, func(r *Record) bool { return r.searched(f, d.Settings, d.Clock.Now()) })
	return nil, instead, err
}

// pretend finds the numbers of a sandbox order.
func (d *Driver) pretend(ctx context.Context, r *Record, a Action) (*Record, error) {
	f := d.Carrier.Find(ctx, r.Ask.Criteria, a.Find, r.Held())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return d.change(ctx, r, func(r *Record) bool { return r.pretended(f, d.Settings, d.Clock.Now()) })
}

// place claims a purchase and sends its POST: see [Driver.post] for what a crash leaves behind. What it created is found
// by its customer order id (P17).
func (d *Driver) place(ctx context.Context, r *Record, a Action) (*Record, error) {
	numbers, instead, err := d.numbers(ctx, r, a)
	if err != nil || instead != nil {
		return instead, err
	}
	// P35: what still stands would keep its number from an order that does not name it.
	for _, id := range r.standing(a.N, numbers, d.Clock.Now()) {
		if err := d.giveBack(ctx, r, id); err != nil {
			return d.held(ctx, r, err)
		}
	}
	// P8: whatever can wait is waited for before the intent is written.
	prepare := d.Carrier.Prepare
	if r.Kind == PortIn {
		prepare = d.Carrier.PreparePortIn
	}
	if postponed, err := d.prepare(ctx, r, prepare); postponed != nil || err != nil {
		return postponed, err
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
	return d.post(ctx, r, next, posting{
		claimed: claimed,
		stands:  func(r *Record) bool { return r.claimedBy(n, token) },
		send: func(ctx context.Context, r *Record, sendBy time.Time) PostFact {
			return d.Carrier.Place(ctx, r.withFields(n), sendBy)
		},
		settle: func(r *Record, f PostFact) bool { return r.settle(n, token, f, d.Settings, d.Clock.Now()) },
		what:   "the order " + p.CustomerOrderID, unknown: "it is looked up by its customer order id, and not repeated",
	})
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
