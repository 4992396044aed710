package orders

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Reserving comes before the order where a request wants it: the numbers are chosen and written down, each is reserved
// and its reservation stored, and then the order names numbers and reservations. A claim is stored before each
// reservation: a second one of the same number would be refused for the first (5041).
//
//	crash or lost reply                       what is left, and what happens then
//	before the numbers are written down       nothing; the next tick chooses again
//	claimed, not sent                         the claim; after its time it counts as the next line does
//	reserved, and not stored or not answered  a reservation that nobody can name, for four hours. Asked again, Bandwidth
//	                                          says 5041: perhaps our own (P35). The number is ordered without one, and the
//	                                          order's end says whether it was for sale; by criteria another is ordered
//	                                          then in its place
//	no reservation is answered                after three of them the order goes without; no number is given up for it
//	another worker looks at the order         it waits for the claim's end
//	answered after that                       the reservation is stored; where the order is on its way without it, or has
//	                                          ended, it is given back
//	all stored, before the claim              the reservations; the next tick orders with them
//	the order waits for longer than they last Bandwidth refuses the order for them; it is sent once more without, as a
//	                                          purchase of its own (P35, P14), once what still stands is given back
//	the order has ended without a number      its reservation, which is given back before the outcome is marked
//	                                          published; where that fails it ends by itself

// maxTaken bounds the numbers by criteria that could not be reserved before the search for others ends.
const maxTaken = 200

// maxUnanswered is how many reservations of a purchase may stay without an answer before it goes on without more.
const maxUnanswered = 3

// aboutNumber reports whether a refusal to reserve is about the number: 5040 there is none such, 5041 it is not
// available. The codes are Bandwidth's ReservationErrors.
func aboutNumber(errs []VendorError) bool {
	return slices.ContainsFunc(errs, func(e VendorError) bool { return e.Code == "5040" || e.Code == "5041" })
}

// aboutReservation reports whether a code says that a reservation is not there or no good: 5042 and 5043 not found, 5044
// and 5045 invalid, 5046 not allowed, 5047 cannot be undone.
func aboutReservation(code string) bool { return code >= "5042" && code <= "5047" && len(code) == 4 }

// refusedReservations reports whether errors say nothing but that.
func refusedReservations(errs []VendorError) bool {
	return len(errs) > 0 && !slices.ContainsFunc(errs, func(e VendorError) bool { return !aboutReservation(e.Code) })
}

// reserved reports whether the purchase names a reservation.
func (p *Purchase) reserved() bool {
	return slices.ContainsFunc(p.Numbers, func(n string) bool { return p.Reservations[n] != "" })
}

// unreserved returns the first number that is to be reserved before the purchase is sent; empty for none.
func (p *Purchase) unreserved() string {
	if !p.Reserve || len(p.Posts) > 0 || p.Unanswered >= maxUnanswered {
		return ""
	}
	for _, n := range p.Numbers {
		if _, settled := p.Reservations[n]; !settled {
			return n
		}
	}
	return ""
}

// expired returns the numbers that the purchase surely did not get because of their reservations (P35).
func (p *Purchase) expired() []string {
	if !p.reserved() || p.unresolved() > 0 {
		return nil
	}
	if post := p.refused(); post != nil {
		if refusedReservations(post.Errors) {
			return p.Numbers
		}
		return nil
	}
	lost := map[string]bool{}
	for _, o := range p.Orders {
		if !o.Final || o.Unclear {
			return nil
		}
		told, general := map[string]bool{}, slices.Clone(o.Errors) // the errors that name no number
		for code, numbers := range o.Failed {
			for _, n := range numbers {
				told[n], lost[n] = true, aboutReservation(code)
			}
			general = slices.DeleteFunc(general, func(e VendorError) bool { return e.Code == code })
		}
		for _, n := range p.Numbers {
			if !told[n] && !slices.Contains(o.Completed, n) && refusedReservations(general) {
				lost[n] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(p.Numbers), func(n string) bool { return !lost[n] })
}

// expired returns the numbers that this generation's last purchase lost for their reservations: they are ordered once
// more without, since that one has none (P35). While a POST is unresolved it returns none (P20).
func (r *Record) expired() []string {
	n := len(r.Purchases)
	if n == 0 || r.Purchases[n-1].Generation != r.Generation || r.Unresolved() || r.unclear() {
		return nil
	}
	out := slices.Clone(r.Purchases[n-1].expired())
	if len(out) == 0 {
		return nil
	}
	held := r.Held()
	out = slices.DeleteFunc(out, func(n string) bool { return slices.Contains(held, n) })
	return out[:min(len(out), r.Short())]
}

// reserves reports whether the numbers of the next purchase are reserved first. Those that an unanswered POST may hold
// are not: they are to stay the same ones (P21).
func (r *Record) reserves() bool {
	return r.Ask.Reserve && !r.Ask.Backorder && !r.Unresolved() && len(r.expired()) == 0
}

// wantsMore reports whether others are to be searched for in place of numbers that could not be reserved, once no more
// are to be.
func (r *Record) wantsMore(p *Purchase, c Conditions) bool {
	return p.Reserve && len(p.Posts) == 0 && (p.unreserved() == "" || c.OrdersRefused) && len(p.Numbers) < r.Short() && !r.Dry && len(r.SearchErrors) == 0
}

// reservationLife is how long a reservation lasts.
const reservationLife = 4 * time.Hour

// standing returns the reservations that may still keep some of numbers from the purchase n: earlier ones of this
// generation named them, no POST of theirs is unresolved, and their time is not over.
func (r *Record) standing(n int, numbers []string, now time.Time) []string {
	if p := r.purchase(n); p != nil && len(p.Numbers) > 0 {
		numbers = p.Numbers
	}
	var out []string
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.N == n || p.Generation != r.Generation || len(p.Posts) == 0 || p.unresolved() > 0 || now.Sub(p.Posts[0].ClaimedAt) >= reservationLife {
			continue
		}
		for _, number := range numbers {
			if id := p.Reservations[number]; id != "" {
				out = append(out, id)
			}
		}
	}
	return out
}

// choose writes the numbers of a purchase down that are to be reserved: a new one for n 0, and otherwise beside those
// that it has.
func (r *Record) choose(names Namer, n int, numbers []string, now time.Time) bool {
	p := r.purchase(n)
	last := len(r.Purchases) - 1
	switch {
	case r.Outcome != nil:
		return false
	case n == 0 && last >= 0 && r.Purchases[last].Generation == r.Generation && len(r.Purchases[last].Posts)+len(r.Purchases[last].Orders) == 0:
		return false // others have chosen meanwhile, or we have and the answer was lost
	case n == 0:
		r.plan(names, numbers)
	case p == nil || len(p.Posts)+len(p.Orders) > 0 || p.Generation != r.Generation:
		return false
	default:
		more := slices.DeleteFunc(slices.Clone(numbers), func(n string) bool { return slices.Contains(p.Numbers, n) })
		more = more[:min(len(more), max(0, r.Short()-len(p.Numbers)))]
		if len(more) == 0 {
			return false
		}
		p.Numbers = append(slices.Clone(p.Numbers), more...)
	}
	r.note(now, "reserving", fmt.Sprintf("%d numbers", len(numbers)))
	return true
}

// reservingBy reports whether the claim of a reservation with this token stands.
func (r *Record) reservingBy(n int, token string) bool {
	p := r.purchase(n)
	return p != nil && p.Reserving != nil && p.Reserving.Token == token
}

// expireReserving marks a reservation whose time has passed without an answer as unknown.
func (r *Record) expireReserving(n int, token string, s Settings, now time.Time) bool {
	if !r.reservingBy(n, token) {
		return false
	}
	number := r.purchase(n).Reserving.Number
	return r.reservation(n, number, token, PostFact{State: PostUnknown, Detail: "the worker that reserved it did not record an answer in time"}, s, now)
}

// reservation records what came of the reservation of a number of the purchase n that was claimed with token. It may come
// late: a reservation that was taken for unknown is stored then (P15).
func (r *Record) reservation(n int, number, token string, f PostFact, s Settings, now time.Time) bool {
	p := r.purchase(n)
	if r.Outcome != nil || p == nil || len(p.Posts) > 0 || p.Generation != r.Generation {
		return false // the intent is written: it stays as it is (P9)
	}
	claimed := r.reservingBy(n, token)
	if claimed {
		p.Reserving = nil
	}
	if f.State == PostOpen {
		if claimed {
			r.postponed(f, s, now)
		}
		return claimed
	}
	id, settled := p.Reservations[number]
	if settled && (id != "" || f.State != PostCreated) {
		return false
	}
	p.Reservations = maps.Clone(p.Reservations)
	if p.Reservations == nil {
		p.Reservations = map[string]string{}
	}
	p.Reservations[number] = string(f.OrderID)
	if f.State == PostUnknown {
		p.Unanswered++
	}
	if f.State == PostCreated {
		return true
	}
	if last := len(r.History) - 1; last < 0 || r.History[last].What != "not reserved" { // one line is enough for many
		r.note(now, "not reserved", number+": "+f.Detail)
	}
	if r.Ask.Criteria != nil && aboutNumber(f.Errors) {
		p.Numbers = slices.DeleteFunc(slices.Clone(p.Numbers), func(x string) bool { return x == number })
		p.Taken = append(slices.Clone(p.Taken), number)
		r.Dry = r.Dry || len(p.Taken) >= maxTaken
	}
	return true
}

// idle returns the reservations of this generation that are of no use any more: their numbers were not bought, and no
// POST that is unresolved names them.
func (r *Record) idle() []string {
	held := map[string]bool{}
	for _, n := range r.Held() {
		held[n] = true
	}
	var out []string
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.Generation != r.Generation || p.unresolved() > 0 {
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(p.Reservations)) {
			if id := p.Reservations[n]; id != "" && !held[n] {
				out = append(out, id)
			}
		}
	}
	return out
}

// choose searches for the numbers of a purchase where they are not named, and writes them down.
func (d *Driver) choose(ctx context.Context, r *Record, a Action) (*Record, error) {
	numbers, next, err := d.numbers(ctx, r, a)
	if err != nil || next != nil {
		return next, err
	}
	generation, purchases := r.Generation, len(r.Purchases)
	return d.change(ctx, r, func(r *Record) bool {
		if r.Generation != generation || len(r.Purchases) != purchases || r.Unresolved() {
			return false // another worker went on meanwhile: nothing is chosen beside what it placed (P20)
		}
		return r.choose(d.Names, a.N, numbers, d.Clock.Now())
	})
}

// reserve claims a number's reservation, asks for it and stores it. The timer is set past the claim's end first: it brings
// no other worker to an order that is being worked on, and it is there where this one dies.
func (d *Driver) reserve(ctx context.Context, r *Record, a Action) (*Record, error) {
	if postponed, err := d.prepare(ctx, r, d.Carrier.PrepareReserve); postponed != nil || err != nil { // P8
		return postponed, err
	}
	if err := d.Bus.SetTimer(ctx, r.Key, d.Clock.Now().Add(d.Settings.PostTimeout+d.Settings.Lease), r.Revision); err != nil {
		return nil, fmt.Errorf("set the timer of the order before a reservation: %w", err)
	}
	n, number, token := a.N, a.Numbers[0], d.Token()
	next := r.Clone()
	claimed := time.Now()
	next.purchase(n).Reserving = &Reserving{Number: number, Token: token, Timeout: d.Settings.PostTimeout}
	var got string // the reservation
	settled, err := d.post(ctx, r, next, posting{
		claimed: claimed,
		stands:  func(r *Record) bool { return r.reservingBy(n, token) },
		send: func(ctx context.Context, _ *Record, sendBy time.Time) PostFact {
			fact := d.Carrier.Reserve(ctx, number, sendBy)
			if fact.State == PostCreated {
				got = string(fact.OrderID)
			}
			return fact
		},
		settle:      func(r *Record, f PostFact) bool { return r.reservation(n, number, token, f, d.Settings, d.Clock.Now()) },
		reservation: true, what: "the reservation of " + number, unknown: "it ends by itself",
	})
	if err != nil || got == "" {
		return settled, err
	}
	if p := settled.purchase(n); p == nil || p.Reservations[number] != got {
		d.giveBack(context.WithoutCancel(ctx), r, got) // it came too late: the order is on its way without it, or has ended
	}
	return settled, nil
}

// unreserve gives back what is of no use any more, as well as it can: what is left ends by itself.
func (d *Driver) unreserve(ctx context.Context, r *Record) {
	for _, id := range r.idle() {
		if d.giveBack(ctx, r, id) != nil {
			return
		}
	}
}

func (d *Driver) giveBack(ctx context.Context, r *Record, id string) error {
	err := d.Carrier.Unreserve(ctx, id)
	if err != nil {
		d.entry(r).WithError(err).WithField("reservation", id).Info("a reservation was not given back; it ends by itself")
	}
	return err
}
