package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

// errStop ends a watch without an error.
var errStop = errors.New("stop")

// Watch calls f for each event that a filter chooses, from now on, in the order of the stream, until ctx is done. It
// goes on over reconnects. An event that cannot be decoded is an error.
func (c *Client) Watch(ctx context.Context, filter Filter, f func(messages.Event)) error {
	return c.follow(ctx, []string{c.events(filter)}, time.Time{}, func(e messages.Event) error { f(e); return nil })
}

// follow reads events from the end of the stream, or from a time on, until f returns an error or ctx is done.
func (c *Client) follow(ctx context.Context, subjects []string, since time.Time, f func(messages.Event) error) error {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverNewPolicy}
	if !since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	consumer, err := c.js.OrderedConsumer(ctx, c.names.EventsStream(), config)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return ErrNoStream
	}
	if err != nil {
		return fmt.Errorf("follow the events: %w", err)
	}
	return read(ctx, consumer, f)
}

// read takes events from a consumer.
func read(ctx context.Context, consumer jetstream.Consumer, f func(messages.Event) error) error {
	iter, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("follow the events: %w", err)
	}
	defer iter.Stop()
	defer context.AfterFunc(ctx, iter.Stop)()
	for {
		msg, err := iter.Next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("follow the events: %w", err)
		}
		var e messages.Event
		if err := json.Unmarshal(msg.Data(), &e); err != nil {
			return fmt.Errorf("the event on %s cannot be decoded: %w", msg.Subject(), err)
		}
		if err := f(e); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
}

// Request publishes a request and waits for its final event, which it returns with the receipt. onEvent, unless it
// is nil, is called for each event on the way, the final one included; a repeat of an outcome that the order already
// has counts as well. When ctx is done the order goes on all the same: [Client.Wait] takes up waiting again.
func (c *Client) Request(ctx context.Context, kind messages.Kind, r *messages.Request, onEvent func(messages.Event)) (Receipt, *messages.Event, error) {
	return c.request(ctx, Filter{Kind: kind, Tenant: r.Tenant}, r.RequestID, c.names.Key(r.Tenant, r.RequestID), func() (Receipt, error) {
		return c.Publish(ctx, kind, r)
	}, onEvent)
}

func (c *Client) request(ctx context.Context, f Filter, requestID, key string, publish func() (Receipt, error), onEvent func(messages.Event)) (Receipt, *messages.Event, error) {
	// Subscribe before publishing: the outcome may be quick. A failure that touches no order has a key of its own, and
	// is recognised by its request id (P27).
	tenant := f.Tenant
	if tenant == "" {
		tenant = messages.NoTenant
	}
	subjects := []string{c.events(Filter{Key: key}), c.events(Filter{Kind: f.Kind, Outcome: messages.Failed, Tenant: tenant})}
	consumer, err := c.js.OrderedConsumer(ctx, c.names.EventsStream(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subjects[0]}, DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Receipt{}, nil, ErrNoStream
	}
	if err != nil {
		return Receipt{}, nil, fmt.Errorf("follow the events: %w", err)
	}
	refusals, err := c.js.OrderedConsumer(ctx, c.names.EventsStream(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subjects[1]}, DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if err != nil {
		return Receipt{}, nil, fmt.Errorf("follow the events: %w", err)
	}
	receipt, err := publish()
	if err != nil {
		return Receipt{}, nil, err
	}
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		event *messages.Event
		err   error
	}
	results := make(chan result, 2)
	look := func(consumer jetstream.Consumer, wanted func(messages.Event) bool) {
		var final *messages.Event
		err := read(following, consumer, func(e messages.Event) error {
			if !wanted(e) {
				return nil
			}
			if onEvent != nil && following.Err() == nil {
				onEvent(e)
			}
			if e.Outcome.Final() {
				final = &e
				return errStop
			}
			return nil
		})
		results <- result{final, err}
	}
	go look(consumer, func(e messages.Event) bool { return e.Key == key })
	go look(refusals, func(e messages.Event) bool { return e.Generation == 0 && e.RequestID == requestID })
	first := <-results
	cancel()
	<-results
	if first.err != nil {
		return receipt, nil, first.err
	}
	return receipt, first.event, nil
}

// Wait returns the final event of an order's last generation, of the events that the stream still holds or that come
// from now on. onEvent, unless it is nil, is called for each event on the way.
func (c *Client) Wait(ctx context.Context, key string, onEvent func(messages.Event)) (*messages.Event, error) {
	consumer, err := c.js.OrderedConsumer(ctx, c.names.EventsStream(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{c.events(Filter{Key: key})}, DeliverPolicy: jetstream.DeliverAllPolicy,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoStream
	}
	if err != nil {
		return nil, fmt.Errorf("follow the events: %w", err)
	}
	var final *messages.Event
	err = read(ctx, consumer, func(e messages.Event) error {
		if onEvent != nil {
			onEvent(e)
		}
		if e.Outcome.Final() {
			final = &e
			return errStop
		}
		return nil
	})
	return final, err
}
