package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/orders"
)

// vendorBooks reads Bandwidth's own books for an audit: at the workers' pace, behind the fleet's pauses.
type vendorBooks struct {
	client  *bwclient.Client
	control *Control
	clock   *orders.ServerClock
	reads   *pace
	site    string
	say     func(format string, args ...any)
}

const (
	// bookTries is how often a read is tried that fails for a reason that passes.
	bookTries = 5
	// bookPause is the wait after the first of them; it doubles.
	bookPause = time.Second
)

// bookEntry is an order in Bandwidth's list.
type bookEntry struct {
	orders.Listed
	Count int // of numbers
}

// bookPage is a page of the list.
type bookPage struct {
	entries []bookEntry
	next    string
	total   int // -1 where the page does not say
}

// certain makes sure that this client reads what surely exists, so that an empty list means something (P16).
func (b *vendorBooks) certain(ctx context.Context) error {
	return b.ask(ctx, func() error {
		sites, err := b.client.Sites(ctx)
		if err == nil && b.site != "" && !slices.ContainsFunc(sites, func(s bwclient.Site) bool { return s.ID == b.site }) {
			return fmt.Errorf("%w: Bandwidth's list of sites lacks site %s; check account_id, base_url and site_id", errNoControl, b.site)
		}
		return err
	})
}

// page reads a page of the list.
func (b *vendorBooks) page(ctx context.Context, name string, from, to time.Time) (p bookPage, err error) {
	err = b.ask(ctx, func() error {
		got, err := b.client.OrdersPage(ctx, name, from, to)
		if err != nil {
			return err
		}
		p = bookPage{next: got.Next, total: got.Total}
		for _, o := range got.Orders {
			p.entries = append(p.entries, bookEntry{Listed: orders.Listed{
				OrderID: orders.OrderID(o.OrderID), CustomerOrderID: o.CustomerOrderID, Status: o.Status, At: o.OrderedAt,
			}, Count: o.CountOfTNs})
		}
		return nil
	})
	return p, err
}

// order reads an order: its customer order id, its numbers, and whether it exists.
func (b *vendorBooks) order(ctx context.Context, id orders.OrderID) (coid string, numbers []string, exists bool, err error) {
	err = b.ask(ctx, func() error {
		o, err := b.client.Order(ctx, bwclient.OrderID(id))
		if bwclient.StatusOf(err) == http.StatusNotFound {
			return nil
		}
		coid, numbers, exists = o.CustomerOrderID, o.Completed, err == nil
		return err
	})
	return coid, numbers, exists, err
}

// ask sends a read when it is its turn. It waits while the group is paused, pauses it on a 429 for the whole fleet, and
// tries again what fails in passing.
func (b *vendorBooks) ask(ctx context.Context, read func() error) error {
	wait := bookPause
	for try := 1; ; {
		err := b.reads.wait(ctx, b.clock)
		if err == nil {
			err = b.control.Enter(ctx, GroupHistory)
		}
		sent := err == nil
		if sent {
			err = read()
		}
		var hold *orders.HoldError
		status := bwclient.StatusOf(err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &hold):
			b.say("reads from Bandwidth are held back until %s: %s", hold.Until.UTC().Format(time.TimeOnly), hold.Why)
			pause(ctx, max(hold.Until.Sub(b.clock.Now()), bookPause/10))
		case status == http.StatusTooManyRequests:
			b.reads.slow()
			limited(ctx, b.control, GroupHistory, err)
		case !sent, try == bookTries, status == http.StatusUnauthorized, status == http.StatusForbidden, bwclient.IsCredentials(err), errors.Is(err, errNoControl),
			status >= 400 && status < 500 && status != http.StatusRequestTimeout:
			return err
		default:
			b.reads.slow()
			try++
			pause(ctx, wait)
			wait *= 2
		}
	}
}
