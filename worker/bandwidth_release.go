package worker

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/orders"
)

// codeNoClose is Bandwidth's for an order that cannot be closed because it does not wait for stock.
const codeNoClose = "5060"

// Close closes an order that waits for stock.
func (c *carrier) Close(ctx context.Context, p orders.Purchase, id orders.OrderID) orders.CloseFact {
	if err := c.Prepare(ctx); err != nil {
		return orders.CloseFact{Detail: err.Error()}
	}
	err := c.client.CloseOrder(ctx, bwclient.OrderID(id), bwclient.Closing{Name: p.Name, CustomerOrderID: p.CustomerOrderID})
	if err == nil {
		c.control.Passed(ctx, GroupOrder)
		return orders.CloseFact{Closed: true}
	}
	fact := orders.CloseFact{Detail: err.Error(), Errors: vendorErrors(err)}
	switch status := bwclient.StatusOf(err); {
	case slices.Contains(bwclient.Codes(err), codeNoClose):
		fact.Closed = true // a poll shows how it ended
	case status == http.StatusTooManyRequests:
		c.writes.slow()
		c.limited(ctx, GroupOrder, err)
	case status == http.StatusBadRequest && len(fact.Errors) > 0 && !slices.ContainsFunc(bwclient.Codes(err), passing):
		fact.Refused = true
	}
	return fact
}

// passing reports whether a code is about Bandwidth's own trouble or about the account, and not about the order: the
// same close may be taken later. They are those after which Bandwidth's table of errors asks to look first.
func passing(code string) bool {
	return slices.Contains([]string{"1000", "1010", "5003", "5014", "5015", "5086", codeLocked}, code)
}

// holderReads is how many numbers are read at once.
const holderReads = 8

// notHeld are Bandwidth's words for numbers that no order of the account holds any more, or not yet.
var notHeld = []string{"available", "disconnected", "aging", "portout", "removed", "eliminated"}

// Holders reads which order holds each number. A 404 counts only from a client that reads what surely exists (P16).
func (c *carrier) Holders(ctx context.Context, numbers []string) orders.HoldersFact {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	holders := make([]orders.Holder, len(numbers))
	slots := make(chan struct{}, holderReads)
	var reading sync.WaitGroup
	for i, number := range numbers {
		slots <- struct{}{}
		reading.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			h, err := c.holder(ctx, number)
			if err != nil {
				cancel(err)
			}
			holders[i] = h
		})
	}
	reading.Wait()
	if err := context.Cause(ctx); err != nil {
		return c.holdersFailed(ctx, err)
	}
	fact := orders.HoldersFact{Holders: make(map[string]orders.Holder, len(numbers))}
	for i, number := range numbers {
		fact.Holders[number] = holders[i]
	}
	return fact
}

// holdersFailed says what it means that the holders could not be read. Refused credentials, a wrong path and a pause say
// nothing about the order, which waits (P22).
func (c *carrier) holdersFailed(ctx context.Context, err error) orders.HoldersFact {
	c.readFailed(ctx, err)
	fact := orders.HoldersFact{Failed: true, Detail: err.Error()}
	var hold *orders.HoldError
	switch status := bwclient.StatusOf(err); {
	case errors.As(err, &hold):
		fact.Paused, fact.RetryAt = true, hold.Until
	case status == http.StatusTooManyRequests:
		fact.Paused, fact.RetryAt = true, c.control.HeldUntil(GroupHistory)
	case bwclient.IsCredentials(err), status == http.StatusNotFound:
		fact.Paused, fact.RetryAt = true, c.clock.Now().Add(c.control.probeEvery)
	}
	return fact
}

// holder reads one number.
func (c *carrier) holder(ctx context.Context, number string) (orders.Holder, error) {
	if err := c.enterRead(ctx); err != nil {
		return orders.Holder{}, err
	}
	n, err := c.client.Number(ctx, number)
	switch {
	case bwclient.StatusOf(err) == http.StatusNotFound:
		// The reading of many numbers may take longer than one control vouches for.
		return orders.Holder{}, c.positiveControl(ctx, c.site)
	case err != nil:
		return orders.Holder{}, err
	case slices.Contains(notHeld, strings.ToLower(n.Status)):
		return orders.Holder{}, nil
	case n.OrderID == "":
		return orders.Holder{Unclear: true}, nil
	}
	return orders.Holder{OrderID: orders.OrderID(n.OrderID), Since: n.OrderedAt}, nil
}

// PrepareRelease waits for everything that a disconnect could wait for (P8).
func (c *carrier) PrepareRelease(ctx context.Context) error {
	if c.sandbox {
		return errors.New("this worker is a sandbox: no disconnect leaves it")
	}
	return c.prepare(ctx, GroupDisconnect)
}

// Release sends a disconnect, once.
func (c *carrier) Release(ctx context.Context, rel orders.Release, o orders.ReleaseOptions, sendBy time.Time) orders.PostFact {
	if c.sandbox {
		return orders.PostFact{Detail: "this worker is a sandbox: no disconnect leaves it"}
	}
	created, err := c.client.CreateDisconnect(ctx, bwclient.Disconnect{Name: o.Name, Numbers: rel.Numbers, Mode: o.Mode, Protected: o.Protected}, sendBy)
	return c.answer(ctx, GroupDisconnect, created, err)
}

// PollRelease reads a disconnect.
func (c *carrier) PollRelease(ctx context.Context, id orders.OrderID) orders.PollFact {
	err := c.enterRead(ctx)
	var d bwclient.DisconnectStatus
	if err == nil {
		if d, err = c.client.Disconnect(ctx, bwclient.OrderID(id)); err != nil {
			c.readFailed(ctx, err)
		}
	}
	if err != nil {
		return orders.PollFact{OrderID: id, Failed: true, Detail: err.Error()}
	}
	c.vouch(ctx)
	f := orders.PollFact{OrderID: id, Status: d.Status, Completed: d.Disconnected, Errors: details(d.Errors)}
	for _, n := range d.Failed {
		f.FailedNumbers = append(f.FailedNumbers, orders.FailedNumber{Number: n.Number, Code: n.Code})
	}
	return f
}
