package orders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A lost ledger is rebuilt from Bandwidth's own list of orders. Each order there carries our customer order id, and so
// the key and n of the purchase that it is; what the request asked for is not at Bandwidth. So a rebuilt record holds
// the purchases and nothing else: it has no generation, and nobody drives it. The request that is published again makes
// it its own: it begins with the orders that are there, follows them to their end, and orders only what they leave
// missing, under the next n (P14). Before that it looks for those that stand between them and were not restored.
//
//	crash or lost reply                    what is left, and what happens then
//	before an order is restored            the next rebuild restores it; until then its request looks first (P33)
//	among the orders of one key            the record with some of them; the next rebuild adds the others
//	a write's answer is lost               the record is read again: the order is in it, or is added
//	the request comes in between           its record has the purchases so far; the others are added to it, as a look
//	                                       adds what it finds (P17)
//	its outcome is written by then         the order is kept as a late fact; a replay takes it up (P15)

// Listed is a Bandwidth order as the vendor's own list shows it.
type Listed struct {
	OrderID         OrderID
	CustomerOrderID string
	Status          string
	// At is when it was ordered, by Bandwidth's clock; zero where the list does not say.
	At time.Time
}

// Unasked reports whether the record is a rebuilt one whose request has not been published again.
func (r *Record) Unasked() bool { return r.Generation == 0 }

// Knowledge says what a record knows of a Bandwidth order.
type Knowledge int

// What a record may know.
const (
	// KnowsNothing: the order is not in it.
	KnowsNothing Knowledge = iota
	// KnowsOrder: the order is one of its own, or was over and has been dropped.
	KnowsOrder
	// KnowsLate: it became known after the outcome was written, which says nothing of it.
	KnowsLate
)

// Knows tells what the record knows of the Bandwidth order that is its n-th.
func (r *Record) Knows(id OrderID, n int) Knowledge {
	if _, o := r.order(id); o != nil {
		return KnowsOrder
	}
	if slices.ContainsFunc(r.Late, func(l LateFact) bool { return l.OrderID == id }) {
		return KnowsLate
	}
	if r.purchase(n) == nil && n <= r.LastN {
		return KnowsOrder // P40: it brought nothing and was dropped
	}
	return KnowsNothing
}

// restore takes an order from Bandwidth's list as the record's n-th. It reports whether the record changed.
func (r *Record) restore(o Listed, n int, names Namer, s Settings, now time.Time) bool {
	if r.Kind != Provision || r.Knows(o.OrderID, n) != KnowsNothing {
		return false
	}
	r.RebuiltAt = now.UTC().Round(0)
	p := r.purchase(n)
	if p == nil {
		p = r.recover(n, o.At, names)
	}
	r.note(now, "rebuilt", fmt.Sprintf("%s is Bandwidth's, and was not in the ledger", o.OrderID))
	if r.Outcome != nil {
		r.Late = append(r.Late, LateFact{N: n, OrderID: o.OrderID})
		return true
	}
	p.adopt(o.OrderID, o.Status, s, now)
	if !r.Unasked() {
		r.Submitted++
	}
	return true
}

// recover adds the n-th purchase, which the ledger does not know, between the others. since is when it was ordered, zero
// where that is not known.
func (r *Record) recover(n int, since time.Time, names Namer) *Purchase {
	if since.IsZero() {
		since = time.Unix(0, 0) // older than every fact that is known of its numbers (P36)
	}
	r.Purchases = append(r.Purchases, Purchase{
		N: n, Generation: r.Generation, CustomerOrderID: names.CustomerOrderID(r.Key, n), Name: names.Name(r.Key),
		SiteID: r.Ask.SiteID, PeerID: r.Ask.PeerID, PartialAllowed: r.Ask.PartialAllowed, HeldSince: since.UTC().Round(0),
	})
	slices.SortFunc(r.Purchases, func(a, b Purchase) int { return cmp.Compare(a.N, b.N) })
	p := r.purchase(n)
	r.complete(p)
	return p
}

// gap returns the least n of a rebuilt record's orders that may be at Bandwidth without its knowing: a later one is
// known, and the rebuild has not come to this one, because it ended before or was for a shorter time. 0 for none. What
// Bandwidth refused has no order there, and leaves a gap as well.
func (r *Record) gap() int {
	if r.RebuiltAt.IsZero() {
		return 0
	}
	last := 0
	for i := range r.Purchases {
		last = max(last, r.Purchases[i].N)
	}
	for n := max(r.LastN, r.LookedN) + 1; n < last; n++ {
		if r.purchase(n) == nil {
			return n
		}
	}
	return 0
}

// filled records the look for the order of a gap: what was found is the record's, and what was truly not found is not
// looked for again.
func (r *Record) filled(f LookFact, names Namer, s Settings, now time.Time) bool {
	r.recover(f.N, time.Time{}, names)
	changed := r.preLooked(f, s, now)
	if p := r.purchase(f.N); len(p.Orders) == 0 {
		if p.PreLooked {
			r.LookedN = max(r.LookedN, f.N)
		}
		r.Purchases = slices.DeleteFunc(r.Purchases, func(p Purchase) bool { return p.N == f.N })
	}
	return changed
}

// complete fills in what a purchase from Bandwidth's list was for, from what the request asks for.
func (r *Record) complete(p *Purchase) {
	switch {
	case r.Ask.Backorder:
		p.Criteria, p.Quantity = r.Ask.Criteria, r.Ask.Quantity
	case r.Ask.Criteria == nil && len(p.Numbers) == 0:
		p.Numbers = r.Ask.Numbers // at the most; Bandwidth says which it brought
	}
}

// taken returns the record of a request that was published again after the ledger was rebuilt: its first generation,
// with the Bandwidth orders that are there already.
func (r *Record) taken(a Arrival, now time.Time) *Record {
	c := NewRecord(a, now)
	c.Revision, c.LastN, c.RebuiltAt = r.Revision, r.LastN, r.RebuiltAt
	c.Sandbox = false // what Bandwidth lists was bought for real (P31)
	c.Purchases, c.Later = r.Clone().Purchases, r.Later
	c.History = append(slices.Clone(r.History), c.History...)
	for i := range c.Purchases {
		p := &c.Purchases[i]
		p.Generation, p.SiteID, p.PeerID, p.PartialAllowed = c.Generation, a.Ask.SiteID, a.Ask.PeerID, a.Ask.PartialAllowed
		c.complete(p)
		c.Submitted += len(p.Orders)
	}
	return c
}

// Restoration is what became of an order from Bandwidth's list.
type Restoration int

// The restorations.
const (
	// RestoredNot: the ledger knew the order.
	RestoredNot Restoration = iota
	// RestoredNew: a record was made for it.
	RestoredNew
	// RestoredInto: it was added to the record that was there.
	RestoredInto
)

// Rebuilder takes Bandwidth orders into a ledger that does not know them. All its fields are required. It may run while
// workers do, and may be repeated: it creates and changes records by compare-and-set only.
type Rebuilder struct {
	Store    Store
	Names    Namer
	Settings Settings
	Clock    *ServerClock
}

// Restore takes one order in as the n-th of the request with that key. The order's customer order id must be the one
// that the names give them (see [Namer.Parse]).
func (b *Rebuilder) Restore(ctx context.Context, key ID, n int, o Listed) (Restoration, error) {
	var last error
	for try := range restoreTries {
		if try > 0 && sleep(ctx, b.Settings.PollMinInterval/10) != nil {
			break
		}
		r, err := b.Store.Get(ctx, key)
		fresh := errors.Is(err, ErrNotFound)
		switch {
		case fresh:
			r = &Record{Key: key, Kind: Provision, AcceptedAt: b.Clock.Now().UTC().Round(0)}
		case errors.Is(err, ErrUnreadable):
			return RestoredNot, fmt.Errorf("restore order %s of %s: %w", o.OrderID, key, err)
		case err != nil:
			last = err
			continue
		}
		next := r.Clone()
		next.keepSequence()
		if !next.restore(o, n, b.Names, b.Settings, b.Clock.Now()) {
			return RestoredNot, nil
		}
		what, write := RestoredInto, b.Store.Update
		if fresh {
			what, write = RestoredNew, b.Store.Create
		}
		if _, last = write(ctx, next); last == nil {
			return what, nil
		}
		// Somebody was faster, a lagging replica was read, or the answer is lost: what is stored now decides (P10).
	}
	return RestoredNot, fmt.Errorf("restore order %s of %s: it is not in the ledger; run the rebuild again: %w", o.OrderID, key, cmp.Or(last, ctx.Err()))
}

// restoreTries bounds how often an order is tried to be restored.
const restoreTries = 20

// Looking reports whether the workers look for the order of the n-th purchase, because a POST of it was not answered.
func (r *Record) Looking(n int) bool {
	p := r.purchase(n)
	return p != nil && p.unresolved() > 0
}

// Placed is a Bandwidth order that the record follows or has followed.
type Placed struct {
	OrderID         OrderID
	CustomerOrderID string
	Status          string
	Numbers         []string
	// At is when its POST was claimed, or when it was first known.
	At time.Time
}

// Placed returns the Bandwidth orders of the record.
func (r *Record) Placed() []Placed {
	var out []Placed
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			out = append(out, Placed{
				OrderID: o.OrderID, CustomerOrderID: p.CustomerOrderID, Status: o.Status, Numbers: o.Completed, At: p.heldSince(o.OrderID, r.AcceptedAt),
			})
		}
	}
	return out
}
