package deploytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// Tail reads a stream from its beginning, over crashes of the broker.
type Tail struct {
	js     jetstream.JetStream
	stream string
	next   uint64
}

// NewTail returns a Tail of a stream that has read nothing.
func NewTail(js jetstream.JetStream, stream string) *Tail {
	return &Tail{js: js, stream: stream, next: 1}
}

// Read calls f for each message that came since the last call. What it could not read it reads the next time.
func (r *Tail) Read(ctx context.Context, f func(data []byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	stream, err := r.js.Stream(ctx, r.stream)
	if err != nil {
		return err
	}
	for last := stream.CachedInfo().State.LastSeq; r.next <= last; r.next++ {
		m, err := stream.GetMsg(ctx, r.next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // removed
		}
		if err != nil {
			return err
		}
		if err := f(m.Data); err != nil {
			return fmt.Errorf("message %d of %s: %w", r.next, r.stream, err)
		}
	}
	return nil
}

// ReadLetters returns the dead letters that are there now.
func ReadLetters(t testing.TB, js jetstream.JetStream, names messages.Names) []messages.DeadLetter {
	t.Helper()
	var out []messages.DeadLetter
	Await(t, "the dead letters", func(ctx context.Context) error {
		out = nil
		return NewTail(js, names.DLQStream()).Read(ctx, func(data []byte) error {
			var l messages.DeadLetter
			if err := json.Unmarshal(data, &l); err != nil {
				return err
			}
			out = append(out, l)
			return nil
		})
	})
	return out
}

// Unsettled says what is left to do on the broker: orders that are open and requests that wait; nil for nothing.
func Unsettled(ctx context.Context, js jetstream.JetStream, names messages.Names) error {
	kv, err := js.KeyValue(ctx, names.OpenBucket())
	if err != nil {
		return err
	}
	keys, err := kv.ListKeys(ctx)
	if err != nil {
		return err
	}
	open := 0
	for range keys.Keys() {
		open++
	}
	stream, err := js.Stream(ctx, names.RequestsStream())
	if err != nil {
		return err
	}
	if waiting := stream.CachedInfo().State.Msgs; open > 0 || waiting > 0 {
		return fmt.Errorf("%d orders are open and %d requests wait", open, waiting)
	}
	return nil
}
