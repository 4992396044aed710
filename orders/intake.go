package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Arrival is a request as it came in, decoded and valid.
type Arrival struct {
	Key       ID
	RequestID string
	Tenant    string
	Kind      Kind
	Subject   string
	// Hash is the content hash of the body.
	Hash     string
	Body     []byte
	Metadata map[string]string
	Headers  map[string]string
	Ask      Ask
	// AcceptDouble says that the sender takes the risk of buying twice, where nothing can rule it out (P21b).
	AcceptDouble bool
	// ReplayOf is the generation that a replay continues; 0 for a plain request.
	ReplayOf int
	// Sandbox is this worker's switch, stamped into a new record (P31).
	Sandbox bool
}

// Admission says what an arrival is.
type Admission int

// The admissions.
const (
	// AdmitNew: a new order, or a new generation of one, was recorded and its timer set.
	AdmitNew Admission = iota
	// AdmitUnfinished: the order is known and on its way; its timer was set again (P2).
	AdmitUnfinished
	// AdmitAnswered: the order has ended; its outcome is to be published again.
	AdmitAnswered
	// AdmitConflict: the request id is taken by another content.
	AdmitConflict
	// AdmitEarly: a replay of a generation that has not ended: it has to wait (P25).
	AdmitEarly
	// AdmitUnknown: a replay of an order that the ledger does not show.
	AdmitUnknown
	// AdmitNoTarget: a cancel of a provision that the ledger does not show.
	AdmitNoTarget
	// AdmitRisky: a replay that may buy twice, and does not say that this is accepted (P21b).
	AdmitRisky
	// AdmitFull: a replay of an order whose record has no room for another generation (P40).
	AdmitFull
	// AdmitIncomplete: a replay that leaves out numbers that may have been bought (P21).
	AdmitIncomplete
)

// admit decides what an arrival is against the record, which is nil where there is none. It is pure.
func admit(r *Record, a Arrival) Admission {
	if r == nil {
		if a.ReplayOf > 0 {
			return AdmitUnknown
		}
		return AdmitNew
	}
	if r.Unasked() {
		switch {
		case a.ReplayOf > 0:
			return AdmitUnknown // what the generation asked for is lost; the first request says what is wanted in all
		case r.Kind != a.Kind:
			return AdmitConflict
		}
		return AdmitNew
	}
	known := func(generation int) bool {
		return generation >= 1 && generation <= len(r.Hashes) && r.Hashes[generation-1] == a.Hash
	}
	ended := r.Outcome != nil && r.Outcome.Published
	same := func(generation int) Admission {
		switch {
		case !known(generation) || r.Kind != a.Kind:
			return AdmitConflict
		case ended:
			return AdmitAnswered
		default:
			return AdmitUnfinished
		}
	}
	switch {
	case a.ReplayOf == 0:
		return same(1) // P25: plain requests compare their content with generation 1
	case a.ReplayOf > r.Generation:
		return AdmitUnknown
	case a.ReplayOf < r.Generation:
		return same(a.ReplayOf + 1)
	case !ended:
		return AdmitEarly
	case r.Outcome.Outcome == Completed:
		return same(r.Generation)
	case r.Kind != a.Kind:
		return AdmitConflict
	}
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if (r.unresolved(p) && !p.soldOnce() || p.PortIn && r.inTheDark(p)) && !a.AcceptDouble {
			return AdmitRisky // P21b: Bandwidth chose the numbers, and nobody can say which; or they may be on their way here
		}
		isUnclear := func(o VendorOrder) bool { return o.Unclear }
		if (a.Ask.Criteria != nil && !p.Waived || p.PortIn) && !a.AcceptDouble && slices.ContainsFunc(p.Orders, isUnclear) {
			return AdmitRisky // P24, P21b: it holds numbers that nobody can name, and others would be bought beside them
		}
		if p.unresolved() == 0 || a.Ask.Criteria != nil { // by criteria, those numbers are ordered again before others
			continue
		}
		held := r.Held()
		for _, n := range p.Numbers {
			if !slices.Contains(held, n) && !slices.Contains(a.Ask.Numbers, n) {
				return AdmitIncomplete // P21: a replay names the same numbers
			}
		}
	}
	return AdmitNew
}

// NewRecord returns the record of a new order.
func NewRecord(a Arrival, now time.Time) *Record {
	r := &Record{
		Key: a.Key, RequestID: a.RequestID, Tenant: a.Tenant, Kind: a.Kind, Subject: a.Subject, Sandbox: a.Sandbox,
		AcceptedAt: now.UTC().Round(0), Metadata: a.Metadata, Headers: a.Headers,
		Generation: 1, Hashes: []string{a.Hash}, StartedAt: now.UTC().Round(0), Ask: a.Ask, Body: a.Body,
	}
	r.note(now, "accepted", "")
	return r
}

// nextGeneration returns the record with a new generation begun. What may have been bought survives (P21); what the
// last generation only needed for its own events goes.
func (r *Record) nextGeneration(a Arrival, s Settings, now time.Time) *Record {
	c := r.Clone()
	c.dateHoldings()
	for _, l := range c.Late { // P15
		p := c.purchase(l.N)
		if post := p.post(l.Token); post != nil {
			post.State, post.OrderID = PostCreated, l.OrderID
		}
		p.adopt(l.OrderID, "", s, now)
	}
	c.Late = nil
	for i := range c.Purchases {
		p := &c.Purchases[i]
		for j := range p.Orders {
			p.Orders[j].Failed = nil
			if p.Orders[j].Unclear && (a.Ask.Criteria != nil || p.PortIn) && a.AcceptDouble {
				p.Waived = true // P21b: admitted only so
			}
			if p.Orders[j].Unclear { // read it again: Bandwidth may know better now
				p.Orders[j].Unclear, p.Orders[j].Final, p.Orders[j].Rereads = false, false, 0
				p.Orders[j].NextPollAt = now
			}
		}
		if p.unresolved() > 0 {
			// P21: looked for again first. When it became unknown stays known.
			since := p.UnknownSince
			p.restartLooks(now)
			p.UnknownSince = since
			p.Waived = p.Waived || !p.soldOnce() && a.AcceptDouble // P21b: admitted only so
		} else {
			p.Numbers, p.Reservations, p.Taken, p.Reserving, p.Unanswered = nil, nil, nil, nil, 0
		}
	}
	if c.Outcome.LetterSequence != 0 {
		c.StaleLetters = append(c.StaleLetters, c.Outcome.LetterSequence) // P26
	}
	c.Generation++
	c.Hashes = append(c.Hashes, a.Hash)
	c.StartedAt, c.Ask, c.Body = now.UTC().Round(0), a.Ask, a.Body
	c.Retries, c.RetryFor, c.RetriedAt, c.NotBefore = 0, 0, time.Time{}, time.Time{}
	c.Submitted, c.Backordered, c.Outcome = 0, 0, nil
	if r.cancelled() && r.Outcome.Outcome != Completed && r.Outcome.Reason != ReasonOutcomeUnknown {
		c.CancelledBy = append(c.CancelledBy, r.Cancel.By)
	}
	c.Cancel, c.Refused = nil, nil
	for i := range c.Releases {
		if rel := &c.Releases[i]; rel.Post.State != PostUnknown {
			rel.Numbers = nil // settled; what is not may have released them (P34)
		}
	}
	c.HeldBefore, c.Dry, c.SearchErrors = len(c.Held()), false, nil
	c.shed()
	c.note(now, "replayed", fmt.Sprintf("generation %d", c.Generation))
	return c
}

const (
	// keptPurchases is how many purchases and disconnects that brought nothing a record remembers.
	keptPurchases = 20
	// maxRecord is the size of a record to which no generation is added: what a purchase brings must still fit (P40).
	maxRecord = 600 << 10
)

// shed drops the oldest purchases that are over and brought nothing, and the oldest disconnects that were answered: an
// order that is replayed again and again must not grow without end (P40).
func (r *Record) shed() {
	spare := len(r.Purchases) - keptPurchases
	r.Purchases = slices.DeleteFunc(r.Purchases, func(p Purchase) bool {
		over := p.unresolved() == 0 && (len(p.Posts) > 0 || len(p.Orders) > 0) &&
			!slices.ContainsFunc(p.Orders, func(o VendorOrder) bool { return !o.Final || len(o.Completed) > 0 })
		if spare <= 0 || !over {
			return false
		}
		spare--
		r.LastN = max(r.LastN, p.N)
		return true
	})
	spare = len(r.Releases) - keptPurchases
	r.Releases = slices.DeleteFunc(r.Releases, func(rel Release) bool {
		if spare <= 0 || rel.Post.State == PostUnknown || rel.Post.State == PostOpen {
			return false
		}
		spare--
		return true
	})
}

// roomFor reports whether a record can take another generation.
func (r *Record) roomFor() bool {
	data, err := r.Marshal()
	return err == nil && len(data) <= maxRecord
}

// admitTries bounds how often an arrival is looked at again when the record changes under it.
const admitTries = 5

// Accept takes an arrival in. When it returns without an error, everything that must be stored before the request is
// acked has been stored: the record, then the timer (P1, P2). The record it returns is the order's, as far as it is
// known; nil for [AdmitUnknown].
func (d *Driver) Accept(ctx context.Context, a Arrival) (Admission, *Record, error) {
	for range admitTries {
		r, err := d.Store.Get(ctx, a.Key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, nil, fmt.Errorf("read the record of order %s: %w", a.Key, err)
		}
		admission := admit(r, a)
		if admission == AdmitNew && a.Kind == Cancel {
			target, err := d.Store.Get(ctx, a.Ask.Target)
			if errors.Is(err, ErrNotFound) || err == nil && (target.Kind != Provision || target.Unasked()) {
				return AdmitNoTarget, nil, nil
			}
			if err != nil {
				return 0, nil, fmt.Errorf("read the record of order %s: %w", a.Ask.Target, err)
			}
			a.Ask.TargetGeneration = target.Generation
		}
		if admission == AdmitNew {
			next := NewRecord(a, d.Clock.Now())
			switch {
			case r == nil:
			case r.Unasked():
				next = r.taken(a, d.Clock.Now())
			default:
				next = r.nextGeneration(a, d.Settings, d.Clock.Now())
				if !next.roomFor() {
					return AdmitFull, r, nil
				}
			}
			stored, err := d.begin(ctx, next, r == nil)
			if errors.Is(err, ErrConflict) {
				continue // somebody was faster, or our own write's answer was lost: look again
			}
			if err != nil {
				return 0, nil, err
			}
			r = stored
		}
		if admission == AdmitNew || admission == AdmitUnfinished {
			// P1, P2: the timer before the ack. It is set a lease ahead: the caller drives the order on at once.
			at := d.Clock.Now().Add(d.Settings.Lease)
			if admission == AdmitUnfinished {
				at = d.Clock.Now().Add(d.Settings.PollMinInterval)
			}
			if err := d.Bus.SetTimer(ctx, a.Key, at, r.Revision); err != nil {
				return 0, nil, fmt.Errorf("set the timer of order %s: %w", a.Key, err)
			}
		}
		return admission, r, nil
	}
	return 0, nil, fmt.Errorf("order %s: the record changed %d times while the request was taken in", a.Key, admitTries)
}

// begin stores a new record or generation, after its entry among the open orders (P6).
func (d *Driver) begin(ctx context.Context, r *Record, fresh bool) (*Record, error) {
	if err := d.Index.Open(ctx, r.Key, r.Generation); err != nil {
		return nil, fmt.Errorf("enter order %s among the open ones: %w", r.Key, err)
	}
	write := d.Store.Update
	if fresh {
		write = d.Store.Create
	}
	revision, err := write(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("record order %s: %w", r.Key, err)
	}
	r.Revision, r.WrittenAt = revision, time.Time{}
	if r.Generation == 1 {
		d.Bus.Announce(ctx, r, Accepted, 0)
	}
	return r, nil
}
