package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// CancelWish is what a cancel leaves in the record of the order that it is to close. From then on the order buys
// nothing more: no first POST, no second one, no top-up; and what waits for stock at Bandwidth is closed there.
//
//	crash or lost reply                      what is left, and what happens then
//	before the wish is stored                the cancel's own record and timer; its next tick begins anew
//	the wish stored, its timers not          both orders' own timers; each tick re-arms
//	the close sent, its reply lost           the wish; closing again is harmless (Bandwidth answers 5060)
//	the order ended, the cancel not told     the outcome in its record; the cancel's next tick reads it
type CancelWish struct {
	// By is the key of the cancel's own order.
	By ID        `json:"by"`
	At time.Time `json:"at"`
	// Refused are Bandwidth's errors where it refuses for good to close the order: the wish is over then.
	Refused []VendorError `json:"refused,omitempty"`
	// Closes counts the tries to close; it spaces them.
	Closes      int       `json:"closes,omitempty"`
	NextCloseAt time.Time `json:"next_close_at,omitzero"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// CloseFact is what an attempt to close a waiting order at Bandwidth gave.
type CloseFact struct {
	// Closed: Bandwidth took it, or the order waits no more; a poll shows how it ended.
	Closed bool
	// Refused: Bandwidth refuses for good, with its Errors.
	Refused bool
	Errors  []VendorError
	Detail  string
}

// cancelled reports whether the order is wished closed.
func (r *Record) cancelled() bool { return r.Cancel != nil && len(r.Cancel.Refused) == 0 }

// wish takes a cancel's wish into the order's record. Of several the first stands.
func (r *Record) wish(by ID, now time.Time) bool {
	if r.Outcome != nil || r.Cancel != nil && r.Cancel.By == by {
		return false
	}
	if r.cancelled() {
		return false
	}
	r.Cancel = &CancelWish{By: by, At: now.UTC().Round(0), NextCloseAt: now}
	for i := range r.Purchases {
		for j := range r.Purchases[i].Orders {
			if o := &r.Purchases[i].Orders[j]; !o.Final {
				o.NextPollAt = now // what it waits for may be days away
			}
		}
	}
	r.note(now, "cancel", string(by))
	return true
}

// closed records an attempt to close a waiting order.
func (r *Record) closed(id OrderID, f CloseFact, s Settings, now time.Time) bool {
	_, o := r.order(id)
	if r.Outcome != nil || o == nil || o.Final || !r.cancelled() {
		return false
	}
	r.Cancel.Closes++
	r.Cancel.NextCloseAt = now.Add(s.retryDelay(r.Cancel.Closes))
	o.NextPollAt = r.Cancel.NextCloseAt
	switch {
	case f.Refused:
		r.Cancel.Refused = keep(f.Errors)
		r.note(now, "close refused", f.Detail)
	case f.Closed:
		o.NextPollAt = now.Add(s.PollMinInterval)
		r.note(now, "closed", string(id))
	}
	return true
}

// nextClose decides on closing what waits for stock at Bandwidth.
func nextClose(r *Record, c Conditions, now time.Time) (Action, bool) {
	if !r.cancelled() || now.Before(r.Cancel.NextCloseAt) || c.Sandbox || c.OrdersHeldUntil.After(now) {
		return Action{}, false
	}
	for i := range r.Purchases {
		for _, o := range r.Purchases[i].Orders {
			if r.Cancel.Closes > 0 && !now.Before(o.NextPollAt) && !c.ReadsHeldUntil.After(now) {
				continue // it was closed, as far as is known: read it before it is closed again, whichever tick comes when
			}
			if phase, _ := PhaseOf(o.Status, o.Errors); !o.Final && phase == Waiting {
				return Action{Kind: ActClose, N: r.Purchases[i].N, OrderID: o.OrderID}, true
			}
		}
	}
	return Action{}, false
}

// nextCancel decides for a cancel's own order.
func nextCancel(r *Record, c Conditions, s Settings, now time.Time) Action {
	switch {
	case r.Sandbox:
		return finish(now, Completed, "", "sandbox: nothing was closed") // P31
	case c.Sandbox:
		return wait(now.Add(5*s.PollMinInterval), "this worker is a sandbox and closes nothing for real orders")
	}
	return Action{Kind: ActCancel}
}

// cancelStep decides what a cancel does next, by the record of the order that it is to close. generation is the one
// that the cancel found that order in. The switches say whether a wish may be stored; once one is, the order's end
// decides.
func cancelStep(by ID, generation int, target *Record, c Conditions, now time.Time) (verdict *Outcome, wish bool) {
	failed := func(detail string) *Outcome {
		return &Outcome{Outcome: Failed, Reason: ReasonRejected, At: now.UTC().Round(0), Detail: detail}
	}
	wished := target.cancelled() || target.Cancel != nil && target.Cancel.By == by || slices.Contains(target.CancelledBy, by)
	switch {
	case !wished && c.CarrierDisabled:
		return &Outcome{Outcome: Failed, Reason: ReasonCarrierDisabled, At: now.UTC().Round(0), Detail: carrierDisabled}, false
	case !wished && !c.Provisioning:
		return &Outcome{Outcome: Failed, Reason: ReasonProvisioningDisabled, At: now.UTC().Round(0), Detail: provisioningDisabled}, false
	case target.Generation > generation && slices.Contains(target.CancelledBy, by),
		target.Generation == generation && target.Outcome != nil && target.Outcome.Reason == ReasonCancelled:
		return &Outcome{Outcome: Completed, At: now.UTC().Round(0), Detail: "nothing more is bought"}, false
	case target.Generation > generation:
		return failed("the order has ended already, and was replayed since"), false
	case target.Outcome != nil && target.Outcome.Reason == ReasonOutcomeUnknown:
		return failed("the order has ended as outcome_unknown: it may have bought numbers"), false
	case target.Outcome != nil && target.Outcome.Outcome != Completed && target.Cancel != nil && target.Cancel.By == by && target.cancelled():
		return &Outcome{Outcome: Completed, At: now.UTC().Round(0), Detail: "nothing more is bought; the order ended " + target.Outcome.Reason}, false
	case target.Outcome != nil:
		return failed("the order has ended already: " + target.Outcome.Outcome), false
	case target.Cancel != nil && target.Cancel.By == by && len(target.Cancel.Refused) > 0:
		return failed(fmt.Sprintf("Bandwidth refuses to close the order: %s %s", target.Cancel.Refused[0].Code, target.Cancel.Refused[0].Description)), false
	case target.cancelled():
		return nil, false // wished already: wait for its end
	default:
		return nil, true
	}
}

// cancel takes a cancel's order as far as it goes: the wish, and the outcome once the other order has ended.
// It returns a [*HoldError] while there is something to wait for.
func (d *Driver) cancel(ctx context.Context, r *Record) (*Record, error) {
	now := d.Clock.Now()
	target, err := d.Store.Get(ctx, r.Ask.Target)
	if errors.Is(err, ErrNotFound) {
		return nil, errStale // it was there at intake (P5)
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of order %s: %w", r.Ask.Target, err)
	}
	verdict, wish := cancelStep(r.Key, r.Ask.TargetGeneration, target, d.Conditions(), now)
	if wish {
		target, err = d.change(ctx, target, func(t *Record) bool {
			return t.Generation == r.Ask.TargetGeneration && t.wish(r.Key, d.Clock.Now())
		})
		if err != nil {
			return nil, err
		}
		verdict, _ = cancelStep(r.Key, r.Ask.TargetGeneration, target, d.Conditions(), d.Clock.Now())
		// Also where the wish has ended it at once: its event would wait for whatever it slept for.
		if err := d.Bus.SetTimer(ctx, target.Key, now, target.Revision); err != nil {
			return nil, fmt.Errorf("set the timer of order %s: %w", target.Key, err)
		}
	}
	if verdict == nil {
		waited := now.Sub(r.StartedAt)
		return nil, &HoldError{Until: now.Add(min(max(waited/4, d.Settings.PollMinInterval), d.Settings.PollMaxInterval)), Why: "the order that is cancelled goes on"}
	}
	return d.change(ctx, r, func(r *Record) bool { return r.finish(*verdict) })
}

// tellCancel sends a tick to the cancel that waits for the end of this order. Its own timer finds it as well.
func (d *Driver) tellCancel(ctx context.Context, r *Record) {
	if r.Cancel == nil {
		return
	}
	if err := d.Bus.SetTimer(ctx, r.Cancel.By, d.Clock.Now(), 0); err != nil {
		d.entry(r).WithError(err).Warn("the cancel of this order was not told of its end; its own timer finds it")
	}
}
