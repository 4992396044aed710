package deploytest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

const (
	// WaitLimit bounds every wait of a test.
	WaitLimit = 90 * time.Second
	// tryLimit bounds one try: a broker that was killed, or has no leader, does not answer.
	tryLimit = 3 * time.Second
)

// Await tries f, with a context that ends after three seconds each time, until it returns no error.
func Await(t testing.TB, what string, f func(context.Context) error) {
	t.Helper()
	limit := time.NewTimer(WaitLimit)
	defer limit.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), tryLimit)
		err := f(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("waiting for %s: %v after %s", what, err, WaitLimit)
		}
	}
}

// Batch is a number of orders, of one telephone number each, that a test publishes and sees through.
type Batch struct {
	Bus *bus.Client
	JS  jetstream.JetStream

	t       testing.TB
	events  jetstream.Stream
	numbers map[string]string // by the orders' keys
	retried atomic.Int64      // tries to publish beyond the first
}

// NewBatch returns a batch without orders on a broker on which a worker has run. The connection has to outlive what
// the test does to the broker.
func NewBatch(t testing.TB, nc *nats.Conn) *Batch {
	t.Helper()
	b := &Batch{t: t, numbers: map[string]string{}}
	var err error
	if b.Bus, err = bus.New(nc, messages.DefaultPrefix); err != nil {
		t.Fatal(err)
	}
	if b.JS, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if b.events, err = b.JS.Stream(t.Context(), b.Bus.Names().EventsStream()); err != nil {
		t.Fatal(err)
	}
	return b
}

// Publish publishes n further orders one after the other, each until the broker has acknowledged it: the same request id
// again is the same order. The function that it returns waits for the last one.
func (b *Batch) Publish(n int) (wait func()) {
	b.t.Helper()
	requests := make([]*messages.Request, n)
	for i := range requests {
		id, number := fmt.Sprintf("batch-%d", len(b.numbers)), fmt.Sprintf("+1919555%04d", 1000+len(b.numbers))
		requests[i] = &messages.Request{RequestID: id, Numbers: []string{number}}
		b.numbers[b.Bus.Names().Key("", id)] = number
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), WaitLimit)
	done := make(chan error, 1)
	go func() { done <- b.publish(ctx, requests) }()
	wait = sync.OnceFunc(func() {
		b.t.Helper()
		defer cancel()
		if err := <-done; err != nil {
			b.t.Fatal(err)
		}
	})
	return wait
}

func (b *Batch) publish(ctx context.Context, requests []*messages.Request) error {
	for _, r := range requests {
		for {
			try, cancel := context.WithTimeout(ctx, tryLimit)
			_, err := b.Bus.Publish(try, messages.Provision, r)
			if err == nil {
				cancel()
				break
			}
			<-try.Done() // an error that comes at once is not tried again at once
			cancel()
			if ctx.Err() != nil {
				return fmt.Errorf("publish %s: %w", r.RequestID, err)
			}
			b.retried.Add(1)
		}
	}
	return nil
}

// Completed returns how many orders have a completed event.
func (b *Batch) Completed(ctx context.Context) (int, error) {
	info, err := b.events.Info(ctx, jetstream.WithSubjectFilter(b.Bus.Names().Event(messages.Provision, messages.Completed, "*", "*")))
	if err != nil {
		return 0, err
	}
	return len(info.State.Subjects), nil
}

// Await waits until n orders have a completed event, and returns how many have.
func (b *Batch) Await(n int) int {
	b.t.Helper()
	have := 0
	Await(b.t, fmt.Sprintf("%d orders with a completed event", n), func(ctx context.Context) (err error) {
		if have, err = b.Completed(ctx); err == nil && have < n {
			err = fmt.Errorf("%d have", have)
		}
		return err
	})
	return have
}

// settled waits until no order is open and no request waits: everything that was to be published is.
func (b *Batch) settled() {
	b.t.Helper()
	Await(b.t, "no open order and no waiting request", func(ctx context.Context) error {
		return Unsettled(ctx, b.JS, b.Bus.Names())
	})
}

// read reads every event that the stream holds.
func (b *Batch) read() []messages.Event {
	b.t.Helper()
	var state jetstream.StreamState
	Await(b.t, "the state of the events' stream", func(ctx context.Context) error {
		info, err := b.events.Info(ctx)
		if err == nil {
			state = info.State
		}
		return err
	})
	var out []messages.Event
	for sequence := state.FirstSeq; sequence <= state.LastSeq; sequence++ {
		Await(b.t, fmt.Sprintf("event %d", sequence), func(ctx context.Context) error {
			msg, err := b.events.GetMsg(ctx, sequence) // a lagging replica may not have it yet
			if err != nil {
				return err
			}
			var e messages.Event
			if err := json.Unmarshal(msg.Data, &e); err != nil {
				b.t.Fatalf("event on %s: %v", msg.Subject, err)
			}
			out = append(out, e)
			return nil
		})
	}
	return out
}

// sortedKeys returns the keys of the batch's orders.
func (b *Batch) sortedKeys() []string {
	keys := make([]string, 0, len(b.numbers))
	for key := range b.numbers {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
