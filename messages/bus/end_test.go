package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// TestEndOfConnection: a wait ends at once when the connection is closed, or when its context is done while the
// server is away, and never as if it had succeeded.
func TestEndOfConnection(t *testing.T) {
	t.Parallel()
	waits := map[string]func(context.Context, *world, *bus.Client) error{
		"Watch": func(ctx context.Context, _ *world, c *bus.Client) error {
			return c.Watch(ctx, bus.Filter{}, func(messages.Event) {})
		},
		"Wait": func(ctx context.Context, w *world, c *bus.Client) error {
			e, err := c.Wait(ctx, w.names.Key("", "a"), nil)
			return both(e, err)
		},
		"Request": func(ctx context.Context, _ *world, c *bus.Client) error {
			receipt, e, err := c.Request(ctx, messages.Provision, &messages.Request{RequestID: "a", Numbers: []string{number}}, nil)
			if receipt.Sequence == 0 {
				return fmt.Errorf("no receipt, and %w", err)
			}
			return both(e, err)
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			begin := func(ctx context.Context, nc *nats.Conn) <-chan error {
				c, err := bus.New(nc, "")
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- wait(ctx, w, c) }()
				return ended
			}
			closing, cancelled := w.connect(50*time.Millisecond), w.connect(50*time.Millisecond)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctxClosed, ctxAway := begin(t.Context(), closing), begin(ctx, cancelled)
			w.followers(2)

			from := time.Now()
			closing.Close()
			if err := take(t, "the end", ctxClosed); !errors.Is(err, nats.ErrConnectionClosed) {
				t.Errorf("the connection was closed: %v, want %v", err, nats.ErrConnectionClosed)
			}
			w.stop()
			await(t, "the connection to be lost", func() bool { return !cancelled.IsConnected() })
			cancel()
			if err := take(t, "the end", ctxAway); !errors.Is(err, context.Canceled) {
				t.Errorf("the context was done: %v, want %v", err, context.Canceled)
			}
			if took := time.Since(from); took > 5*time.Second {
				t.Errorf("both took %s", took)
			}

			// A connection that is closed while it is down ends the wait as well.
			w.restart()
			down := w.connect(50 * time.Millisecond)
			ended := begin(t.Context(), down)
			await(t, "a follower", func() bool { return w.nc.IsConnected() && w.consumers() == 1 })
			w.stop()
			await(t, "the connection to be lost", func() bool { return !down.IsConnected() })
			down.Close()
			if err := take(t, "the end", ended); !errors.Is(err, nats.ErrConnectionClosed) {
				t.Errorf("closed while it was down: %v, want %v", err, nats.ErrConnectionClosed)
			}
		})
	}
}

// both returns err, and complains of an event beside it or of neither.
func both(e *messages.Event, err error) error {
	if (e == nil) == (err == nil) {
		return fmt.Errorf("the event %v and the error %w", e, err)
	}
	return err
}

// consumers is the number of followers, or -1 while the server does not say.
func (w *world) consumers() int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := w.js.Stream(ctx, w.names.EventsStream())
	if err != nil {
		return -1
	}
	return s.CachedInfo().State.Consumers
}

// TestNoLeaks: what a wait started ends with it, here and on the server.
func TestNoLeaks(t *testing.T) {
	w := start(t)
	w.answer(func(jetstream.Msg, uint64) {
		w.emit(event(w.names.Key("", "a"), 1, messages.Completed))
	})
	before := goleak.IgnoreCurrent()
	for range 5 {
		if _, _, err := w.bus.Request(t.Context(), messages.Provision, &messages.Request{RequestID: "a", Numbers: []string{number}}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.bus.Wait(t.Context(), w.names.Key("", "a"), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := w.bus.Watch(ctx, bus.Filter{}, func(messages.Event) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Watch: %v", err)
		}
		if _, err := w.bus.Wait(ctx, w.names.Key("", "b"), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		cancel()
	}
	w.followers(0)
	goleak.VerifyNone(t, before)
}
