package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// Letter is a dead letter with its place in the stream.
type Letter struct {
	messages.DeadLetter
	// Sequence is its own in the stream of dead letters.
	Sequence uint64 `json:"-"`
}

// Letters returns the dead letters that a filter chooses, oldest first. The sequence ends with an error where they
// cannot be read.
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
	var found Letter
	for l, err := range c.Letters(ctx, Filter{Key: key}) {
		if err != nil {
			return Letter{}, err
		}
		found = l
	}
	if found.Sequence == 0 {
		return Letter{}, fmt.Errorf("%w: %s", ErrNoLetter, key)
	}
	return found, nil
}

// Replay publishes the request that a dead letter would replay, under a header that names the letter. The letter
// stays until a worker has begun the new generation; the worker removes it (P26). acceptDouble takes the risk of
// buying twice, where nothing can rule it out (P21b).
func (c *Client) Replay(ctx context.Context, l Letter, acceptDouble bool) (Receipt, error) {
	if !replayable(l) {
		return Receipt{}, fmt.Errorf("%w: %s is %s", ErrNotReplayable, l.LetterID, l.Reason)
	}
	var named struct {
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(l.DeadLetter.Replay, &named); err != nil {
		return Receipt{}, fmt.Errorf("the replay of %s cannot be decoded: %w", l.LetterID, err)
	}
	header := nats.Header{messages.HeaderReplayOf: []string{l.LetterID}}
	if acceptDouble {
		header[messages.HeaderAcceptDouble] = []string{"true"}
	}
	return c.publish(ctx, l.Subject, l.Key, named.RequestID, l.DeadLetter.Replay, header)
}

// RequestReplay is [Client.Replay] that waits for the end of the new generation, as [Client.Request] does.
func (c *Client) RequestReplay(ctx context.Context, l Letter, acceptDouble bool, onEvent func(messages.Event)) (Receipt, *messages.Event, error) {
	var named struct {
		RequestID string `json:"request_id"`
	}
	if replayable(l) {
		if err := json.Unmarshal(l.DeadLetter.Replay, &named); err != nil {
			return Receipt{}, nil, fmt.Errorf("the replay of %s cannot be decoded: %w", l.LetterID, err)
		}
	}
	return c.request(ctx, Filter{Kind: l.Kind, Tenant: l.Tenant}, named.RequestID, l.Key, func() (Receipt, error) {
		return c.Replay(ctx, l, acceptDouble)
	}, onEvent)
}

func replayable(l Letter) bool {
	return len(l.DeadLetter.Replay) > 0 && string(l.DeadLetter.Replay) != "null"
}

// Replayable reports whether a dead letter holds a request that can be replayed as it is.
func (l Letter) Replayable() bool { return replayable(l) }
