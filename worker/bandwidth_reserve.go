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

// Reserve reserves a number. Its calls count in the group ORDER: Bandwidth's guide to rate limits does not name them. A
// 403 or 404 is a refusal of the reservation alone, and no sign that the fleet may not order: the order itself shows
// that.
func (c *carrier) Reserve(ctx context.Context, number string, sendBy time.Time) orders.PostFact {
	if c.sandbox {
		return orders.PostFact{Detail: "this worker is a sandbox: no reservation leaves it"}
	}
	id, err := c.client.Reserve(ctx, number, sendBy)
	if status := bwclient.StatusOf(err); status == http.StatusForbidden || status == http.StatusNotFound {
		return orders.PostFact{State: orders.PostRefused, Detail: err.Error(), Errors: vendorErrors(err)}
	}
	return c.answer(ctx, GroupOrder, bwclient.Created{OrderID: bwclient.OrderID(id)}, err)
}

// Unreserve gives a reservation back. One that has ended is no error.
func (c *carrier) Unreserve(ctx context.Context, reservation string) error {
	if c.sandbox {
		return errors.New("this worker is a sandbox: it gives nothing back")
	}
	if err := c.Prepare(ctx); err != nil {
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
