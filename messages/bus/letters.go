package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// Letter is a dead letter with its place in the stream.
type Letter struct {
	messages.DeadLetter
	// Sequence is its own in the stream of dead letters.
	Sequence uint64 `json:"-"`
}

// Letters returns the dead letters that a filter chooses, oldest first. One that cannot be decoded comes with an error
// and its sequence, and the others follow; the sequence ends with an error where they cannot be read.
func (c *Client) Letters(ctx context.Context, f Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		stream, err := c.js.Stream(ctx, c.names.DLQStream())
		if err != nil {
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				err = ErrNoStream
			}
			yield(Letter{}, err)
			return
		}
		subject := c.names.DeadLetter(messages.Kind(orAny(string(f.Kind))), messages.Reason(orAny(string(f.Reason))), orAny(f.Tenant), orAny(f.Key))
		for next := uint64(1); ; {
			msg, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(subject))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(Letter{}, fmt.Errorf("read the dead letters: %w", err))
				return
			}
			l := Letter{Sequence: msg.Sequence}
			if err := json.Unmarshal(msg.Data, &l.DeadLetter); err != nil {
				err = fmt.Errorf("the dead letter %d on %s cannot be decoded: %w", msg.Sequence, msg.Subject, err)
				if !yield(l, err) {
					return
				}
			} else if !yield(l, nil) {
				return
			}
			next = msg.Sequence + 1
		}
	}
}

// Letter returns the newest dead letter of an order, or [ErrNoLetter].
func (c *Client) Letter(ctx context.Context, key string) (Letter, error) {
	if !messages.ValidKey(key) {
		return Letter{}, fmt.Errorf("%w: %q is not an order's key", ErrNoLetter, key)
	}
	var newest Letter
	var trouble error
	for l, err := range c.Letters(ctx, Filter{Key: key}) {
		newest, trouble = l, err // an older one that cannot be decoded does not matter
	}
	if trouble != nil {
		return Letter{}, trouble
	}
	if newest.Sequence == 0 {
		return Letter{}, fmt.Errorf("%w: %s", ErrNoLetter, key)
	}
	return newest, nil
}

// Replay publishes the request that a dead letter would replay, under a header that names the letter. The letter
// stays until a worker has begun the new generation; the worker removes it (P26). acceptDouble takes the risk of
// buying twice, where nothing can rule it out (P21b).
func (c *Client) Replay(ctx context.Context, l Letter, acceptDouble bool) (Receipt, error) {
	out, err := c.replay(l, acceptDouble)
	if err != nil {
		return Receipt{}, err
	}
	return c.publish(ctx, out)
}

// RequestReplay is [Client.Replay] that waits for the end of the new generation, as [Client.Request] does.
func (c *Client) RequestReplay(ctx context.Context, l Letter, acceptDouble bool, onEvent func(messages.Event)) (Receipt, *messages.Event, error) {
	out, err := c.replay(l, acceptDouble)
	if err != nil {
		return Receipt{}, nil, err
	}
	return c.request(ctx, out, l.Generation, onEvent)
}

// replay returns what replays a letter.
func (c *Client) replay(l Letter, acceptDouble bool) (outgoing, error) {
	if !l.Replayable() {
		return outgoing{}, fmt.Errorf("%w: %s is %s", ErrNotReplayable, l.LetterID, l.Reason)
	}
	var named struct {
		Tenant    string `json:"tenant"`
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(l.DeadLetter.Replay, &named); err != nil {
		return outgoing{}, fmt.Errorf("the replay of %s cannot be decoded: %w", l.LetterID, err)
	}
	kind, _, tenant, err := c.names.ParseRequest(l.Subject)
	if err != nil {
		return outgoing{}, fmt.Errorf("the dead letter %s cannot be replayed: %w", l.LetterID, err)
	}
	out := outgoing{
		kind: kind, subject: l.Subject, key: l.Key, requestID: named.RequestID, body: l.DeadLetter.Replay,
		replayOf: l.LetterID, acceptDouble: acceptDouble,
	}
	if l.Generation == 0 { // the letter touched no order: its replay is a new request (P26)
		out.key = c.names.Key(cmp.Or(tenant, named.Tenant), named.RequestID)
	}
	return out, nil
}

// Replayable reports whether a dead letter holds a request that can be replayed as it is.
func (l Letter) Replayable() bool {
	return len(l.DeadLetter.Replay) > 0 && string(l.DeadLetter.Replay) != "null"
}
