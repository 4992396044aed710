package worker

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/orders"
)

// PrepareReserve is Prepare for a reservation, which is no probe: whether orders are taken is for an order to find out.
func (c *carrier) PrepareReserve(ctx context.Context) error {
	if !c.sandbox && c.control.Refusing(GroupOrder) {
		return &orders.HoldError{Until: c.clock.Now(), Why: "Bandwidth takes no orders, and a reservation does not show whether it does again"}
	}
	return c.prepareAside(ctx)
}

// prepareAside waits for pace, pauses and access token of a call that counts among the orders and is none.
func (c *carrier) prepareAside(ctx context.Context) error {
	if c.sandbox {
		return errors.New("this worker is a sandbox: no reservation leaves it, and none is given back")
	}
	if err := c.writes.wait(ctx, c.clock); err != nil {
		return err
	}
	if until := c.control.HeldUntil(GroupOrder); !until.IsZero() {
		return &orders.HoldError{Until: until, Why: "orders are paused"}
	}
	return c.authorize(ctx, GroupOrder)
}

// Reserve reserves a number. Its calls count in the group ORDER: Bandwidth's guide to rate limits does not name them. A
// 403 or 404 is a refusal of the reservation alone, and no sign that the fleet may not order: the order itself shows
// that. Nor does a reservation end a pause.
func (c *carrier) Reserve(ctx context.Context, number string, sendBy time.Time) orders.PostFact {
	if c.sandbox {
		return orders.PostFact{Detail: "this worker is a sandbox: no reservation leaves it"}
	}
	id, err := c.client.Reserve(ctx, number, sendBy)
	if status := bwclient.StatusOf(err); status == http.StatusForbidden || status == http.StatusNotFound {
		return orders.PostFact{State: orders.PostRefused, Detail: err.Error(), Errors: vendorErrors(err)}
	}
	return c.classify(ctx, GroupOrder, bwclient.Created{OrderID: bwclient.OrderID(id)}, err)
}

// Unreserve gives a reservation back. One that has ended is no error. It is neither a probe nor the end of a pause.
func (c *carrier) Unreserve(ctx context.Context, reservation string) error {
	if err := c.prepareAside(ctx); err != nil {
		return err
	}
	err := c.client.Unreserve(ctx, bwclient.ReservationID(reservation))
	if codes := bwclient.Codes(err); slices.Contains(codes, "5042") || slices.Contains(codes, "5043") {
		return nil
	}
	if bwclient.StatusOf(err) == http.StatusTooManyRequests {
		c.writes.slow()
		c.limited(ctx, GroupOrder, err)
	}
	return err
}

// reservationsOf returns the reservations of a purchase, in the order of its numbers.
func reservationsOf(p orders.Purchase) []bwclient.ReservationID {
	var out []bwclient.ReservationID
	for _, n := range p.Numbers {
		if id := p.Reservations[n]; id != "" {
			out = append(out, bwclient.ReservationID(id))
		}
	}
	return out
}
