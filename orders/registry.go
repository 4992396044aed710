package orders

import (
	"context"
	"strings"
	"time"
)

// CarrierModule is Kazoo's name for what this program does; it stands in events and on every number.
const CarrierModule = "knm_bandwidth2"

// NumberState says what became of a number that came to us.
type NumberState string

// The states of a number, with Kazoo's names.
const (
	NumberInService NumberState = "in_service"
	NumberReleased  NumberState = "released"
	NumberPortIn    NumberState = "port_in"
)

// Holding is what the registry knows of one number.
type Holding struct {
	// Number is in E.164.
	Number string      `json:"number"`
	State  NumberState `json:"state"`
	// CarrierModule names who the number is with.
	CarrierModule string `json:"carrier_module"`
	SiteID        string `json:"site_id,omitempty"`
	PeerID        string `json:"sip_peer,omitempty"`
	// Key is the order that brought the number into this state, OrderID Bandwidth's.
	Key     ID      `json:"key"`
	OrderID OrderID `json:"bandwidth_order_id,omitempty"`
	// Since is the server's time from which on the fact may hold: that of the claim of the order that brought it, so that a
	// late reading cannot undo a release (P36).
	Since time.Time `json:"since"`
}

// Registry keeps what became of each number. Its implementations are safe for concurrent use, and pass the suite in
// package storetest.
type Registry interface {
	// Register writes each holding by compare-and-set where [Precede] lets it (P36). It may be repeated, and may be
	// late. When it returns an error some of the holdings may have been written.
	Register(ctx context.Context, holdings []Holding) error
	// Number returns what is known of a number in E.164, or [ErrNoNumber].
	Number(ctx context.Context, number string) (Holding, error)
}

// RegistryKey is the key of a number in the registry: its digits. A key can hold no plus sign.
func RegistryKey(number string) string { return strings.TrimPrefix(number, "+") }

// Precede returns what the registry is to hold of a number once next is known, where it holds stored; write is false
// where that stays as it is. The later Since wins, and of two orders at one time the one with the greater key, so that
// the result is the same in whichever order the facts come in: a late or repeated writer cannot undo a release (P36).
// A release that does not say where the number was keeps what is known of it.
func Precede(stored, next Holding) (result Holding, write bool) {
	if next.Since.Before(stored.Since) || next.Since.Equal(stored.Since) && next.Key <= stored.Key {
		// The release may have been written before the purchase it ends was known: where the number was is filled in.
		filled := stored
		filled.inherit(next)
		return filled, filled != stored
	}
	next.inherit(stored)
	if next.CarrierModule == "" {
		next.CarrierModule = CarrierModule
	}
	return next, true
}

// inherit fills in what a release does not say.
func (h *Holding) inherit(from Holding) {
	if h.State != NumberReleased {
		return
	}
	if h.SiteID == "" {
		h.SiteID, h.PeerID = from.SiteID, from.PeerID
	}
	if h.CarrierModule == "" {
		h.CarrierModule = from.CarrierModule
	}
}

// Holdings returns the numbers that this record's Bandwidth orders brought, as the registry is to hold them once the
// outcome is written: none for a sandbox, which buys nothing. It is computed from the record alone, so that a repeat
// is the same. A number of an earlier generation keeps that generation's time: what happened to it since, such as its
// release, is newer (P36).
func (r *Record) Holdings() []Holding {
	if r.Sandbox || r.Outcome == nil {
		return nil
	}
	if r.Kind == Disconnect {
		return r.releasedHoldings()
	}
	var out []Holding
	seen := map[string]bool{}
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			since := p.heldSince(o.OrderID, r.Outcome.At).UTC().Round(0)
			for _, n := range o.Completed {
				if seen[n] {
					continue
				}
				seen[n] = true
				h := Holding{
					Number: n, State: NumberInService, CarrierModule: CarrierModule, SiteID: p.SiteID, PeerID: p.PeerID,
					Key: r.Key, OrderID: o.OrderID, Since: since,
				}
				if at, known := o.Arrived[n]; known {
					h.Since = time.Unix(at, 0).UTC()
				}
				if p.PortIn {
					h.State, h.CarrierModule = NumberPortIn, p.CarrierModule
				}
				out = append(out, h)
			}
		}
	}
	return out
}

// Releases returns what the registry is to hold of numbers that an order gave back, from the time of its outcome on.
// Where they were is not said; the registry keeps what it knows.
func Releases(key ID, order OrderID, since time.Time, numbers ...string) []Holding {
	out := make([]Holding, len(numbers))
	for i, n := range numbers {
		out[i] = Holding{Number: n, State: NumberReleased, Key: key, OrderID: order, Since: since.UTC().Round(0)}
	}
	return out
}

// heldSince is the time from which on the numbers of an order count as held: that of the claim of its POST, before which
// it held nothing, so that a release is newer however late the order is read (P36). Of an order that no answer named it
// is the intent's last claim, since nothing was found before that, and without any claim of ours the time of the outcome
// that first knew it.
func (p *Purchase) heldSince(id OrderID, ended time.Time) time.Time {
	for _, post := range p.Posts {
		if post.OrderID == id && !post.ClaimedAt.IsZero() {
			return post.ClaimedAt
		}
	}
	n := len(p.Posts)
	switch {
	case n > 0 && !p.Posts[n-1].ClaimedAt.IsZero():
		return p.Posts[n-1].ClaimedAt
	case !p.HeldSince.IsZero():
		return p.HeldSince
	default:
		return ended
	}
}

// dateHoldings notes when the purchases of the generation that has ended were held, before the next one begins.
func (r *Record) dateHoldings() {
	for i := range r.Purchases {
		if p := &r.Purchases[i]; len(p.Posts) > 0 || len(p.Orders) > 0 {
			p.HeldSince = p.heldSince("", r.Outcome.At)
		}
	}
}
