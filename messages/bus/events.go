package bus

import (
	"context"
	"fmt"

	"bandwidthworker/messages"
)

// Filter chooses events or dead letters; empty fields choose all.
type Filter struct {
	Kind   messages.Kind
	Tenant string
	Key    string
	// Outcome chooses events, Reason dead letters.
	Outcome messages.Outcome
	Reason  messages.Reason
}

func orAny(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

// events returns the subjects of the events that a filter chooses.
func (c *Client) events(f Filter) string {
	return c.names.Event(messages.Kind(orAny(string(f.Kind))), messages.Outcome(orAny(string(f.Outcome))), orAny(f.Tenant), orAny(f.Key))
}

// Watch calls f for each event that a filter chooses, from now on, in the order of the stream, until ctx is done or
// the connection is closed; it never returns nil. It goes on over reconnects and misses nothing that came meanwhile.
// An event that cannot be decoded is an error.
func (c *Client) Watch(ctx context.Context, filter Filter, f func(messages.Event)) error {
	next, err := c.newest(ctx)
	if err != nil {
		return err
	}
	events := follower{c: c, subjects: []string{c.events(filter)}, next: next}
	return events.run(ctx, func(e messages.Event, _ uint64) error { f(e); return nil })
}

// Request publishes a request and waits for its final event, which it returns with the receipt. onEvent, unless it
// is nil, is called for each event on the way, the final one included; a repeat of an outcome that the order already
// has counts as well. An error with a receipt came after the request was stored: the order goes on all the same, and
// [Client.Wait] takes up waiting again.
func (c *Client) Request(ctx context.Context, kind messages.Kind, r *messages.Request, onEvent func(messages.Event)) (Receipt, *messages.Event, error) {
	out, err := c.outgoing(kind, r)
	if err != nil {
		return Receipt{}, nil, err
	}
	return c.request(ctx, out, 0, onEvent)
}

// request publishes and waits for the end of a generation later than after.
func (c *Client) request(ctx context.Context, out outgoing, after int, onEvent func(messages.Event)) (Receipt, *messages.Event, error) {
	// The place in the stream is taken before publishing: the outcome may be quick.
	next, err := c.newest(ctx)
	if err != nil {
		return Receipt{}, nil, err
	}
	receipt, err := c.publish(ctx, out)
	if err != nil {
		return Receipt{}, nil, err
	}
	// A failure that touches no order has a key of its own, of this very message (P27): another's refusal under the
	// same request id is none of ours.
	refusal := c.names.LetterlessKey(out.subject, out.body, receipt.Sequence)
	events := follower{c: c, subjects: []string{c.events(Filter{Kind: out.kind, Key: out.key}), c.events(Filter{Key: refusal})}, next: next}
	var final *messages.Event
	err = events.run(ctx, func(e messages.Event, _ uint64) error {
		if e.Key != refusal && e.Generation <= after {
			return nil // an older generation's, repeated or late
		}
		if onEvent != nil {
			onEvent(e)
		}
		if e.Outcome.Final() {
			final = &e
			return errStop
		}
		return nil
	})
	return receipt, final, err
}

// Wait returns the final event of an order's last generation, of the events that the stream still holds or that come
// from now on. onEvent, unless it is nil, is called for each event on the way, those of earlier generations included.
// Where the stream has forgotten the order's events, [Client.Order] still knows how it ended.
func (c *Client) Wait(ctx context.Context, key string, onEvent func(messages.Event)) (*messages.Event, error) {
	if !messages.ValidKey(key) {
		return nil, fmt.Errorf("%q is not an order's key", key)
	}
	events := follower{c: c, subjects: []string{c.events(Filter{Key: key})}, next: 1}
	var final *messages.Event
	last := 0
	err := events.run(ctx, func(e messages.Event, behind uint64) error {
		if onEvent != nil {
			onEvent(e)
		}
		last = max(last, e.Generation)
		if e.Outcome.Final() && (final == nil || e.Generation >= final.Generation) {
			final = &e
		}
		if behind == 0 && final != nil && final.Generation == last {
			return errStop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return final, nil
}
