package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
)

const (
	// publishTimeout bounds one publish, its ack included.
	publishTimeout = 10 * time.Second
	// rawLimit is how much of a request that could not be decoded a dead letter keeps.
	rawLimit = 64 << 10
	// headerTraceparent is W3C's header, which travels on from the request to its events.
	headerTraceparent = "traceparent"
)

var _ orders.Bus = (*Worker)(nil)

// SetTimer asks for a tick of the order at that time.
func (w *Worker) SetTimer(ctx context.Context, key orders.ID, at time.Time, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return broker.Schedule(ctx, w.js, w.names, string(key), at, revision)
}

// Announce publishes an intermediate event without waiting for its ack: it may be lost (P29).
func (w *Worker) Announce(ctx context.Context, r *orders.Record, outcome orders.State, n int) {
	e := w.eventOf(r, messages.Outcome(outcome), n, r.Revision, w.clock.Now())
	if r.Kind == orders.PortIn {
		e.Errors = bandwidthErrors(r) // what somebody has to mend before it goes on
	}
	msg, err := w.eventMessage(e, r.Headers[headerTraceparent], e.EventID)
	if err == nil {
		_, err = w.js.PublishMsgAsync(msg)
	}
	if err != nil {
		w.log.WithError(err).WithField("order", r.Key).Warnf("the event %s was not published", e.EventID)
	}
}

// PublishOutcome publishes the outcome's event, then its dead letter if it has one, and returns the letter's stream
// sequence (P23). A letter that an earlier try has stored already is not stored again.
func (w *Worker) PublishOutcome(ctx context.Context, r *orders.Record) (uint64, error) {
	e := w.finalEvent(r)
	if err := w.publishEvent(ctx, e, r.Headers[headerTraceparent], e.EventID); err != nil {
		return 0, err
	}
	w.metrics.outcomes.WithLabelValues(string(r.Kind), r.Outcome.Outcome, r.Outcome.Reason).Inc()
	w.log.WithFields(map[string]any{
		"order": r.Key, "request": r.RequestID, "generation": r.Generation, "outcome": r.Outcome.Outcome,
		"reason": r.Outcome.Reason, "numbers": len(e.Numbers), "detail": r.Outcome.Detail,
	}).Info("the order has ended")
	if r.Outcome.Outcome == orders.Completed {
		return 0, nil
	}
	l, err := letterOf(r)
	if err != nil {
		return 0, err
	}
	return w.publishLetter(ctx, l)
}

// repeat publishes the outcome's event again, as the answer to a duplicate request: the same event under the same
// id, which the stream keeps because of its own message id.
func (w *Worker) repeat(ctx context.Context, r *orders.Record, requestSequence uint64) error {
	e := w.finalEvent(r)
	return w.publishEvent(ctx, e, r.Headers[headerTraceparent], e.EventID+"."+strconv.FormatUint(requestSequence, 10))
}

// DropLetter removes a dead letter by its stream sequence (P26).
func (w *Worker) DropLetter(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	stream, err := w.js.Stream(ctx, w.names.DLQStream())
	if err != nil {
		return err
	}
	err = stream.DeleteMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		// The server refuses, and the library gives its reason as text only. What is gone needs no removing: an operator
		// may have discarded it, or a worker died between this step and its record.
		if _, gone := stream.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return err
}

// encode encodes a body without the escapes that JSON for browsers has: they would make a request of brackets six times
// as long, and its dead letter too large to be stored (P40).
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (w *Worker) eventMessage(e *messages.Event, traceparent, msgID string) (*nats.Msg, error) {
	data, err := encode(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.EventID, err)
	}
	msg := nats.NewMsg(w.names.Event(e.Kind, e.Outcome, e.Tenant, e.Key))
	for name, value := range e.Headers(w.account, traceparent) {
		msg.Header[name] = []string{value} // as they are: CloudEvents' names are lower case
	}
	msg.Header.Set(jetstream.MsgIDHeader, msgID)
	msg.Data = data
	return msg, nil
}

func (w *Worker) publishEvent(ctx context.Context, e *messages.Event, traceparent, msgID string) error {
	msg, err := w.eventMessage(e, traceparent, msgID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if _, err := w.js.PublishMsg(ctx, msg); err != nil {
		return fmt.Errorf("publish event %s: %w", e.EventID, err)
	}
	return nil
}

// publishLetter stores a dead letter and returns its stream sequence, or that of the same letter stored earlier.
func (w *Worker) publishLetter(ctx context.Context, l *messages.DeadLetter) (uint64, error) {
	data, err := encode(l)
	if err != nil {
		return 0, fmt.Errorf("encode dead letter %s: %w", l.LetterID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	msg := nats.NewMsg(w.names.DeadLetter(l.Kind, l.Reason, l.Tenant, l.Key))
	msg.Header.Set(jetstream.MsgIDHeader, l.LetterID)
	msg.Data = data
	ack, err := w.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, fmt.Errorf("publish dead letter %s: %w", l.LetterID, err)
	}
	return ack.Sequence, nil
}

// refuse answers a request that touches no order (P27): a failed event and a dead letter with the reason, under a key
// of their own and generation 0. The ledger stays as it is, and no request id is used up.
func (w *Worker) refuse(ctx context.Context, in incoming, reason messages.Reason, text string) error {
	key := w.names.LetterlessKey(in.subject, in.data, in.sequence)
	e := &messages.Event{
		EventID: messages.EventID(key, 0, messages.Failed, 0), Type: w.names.EventType(in.kind, messages.Failed),
		OccurredAt: in.at.UTC(), RequestID: in.requestID(), Key: key, Kind: in.kind, Outcome: messages.Failed, Reason: reason,
		Tenant: orDefault(in.tenant, messages.NoTenant), Sandbox: w.sandbox, CarrierModule: carrierModule, Numbers: []string{},
		Errors: []messages.EventError{{Code: string(reason), Description: text, Advice: reasonAdvice[reason]}},
	}
	if in.request != nil && messages.MetadataSize(in.request.Metadata) <= messages.MaxMetadataBytes {
		e.Metadata = in.request.Metadata
	}
	l := &messages.DeadLetter{
		LetterID: messages.LetterID(key, 0), Key: key, Kind: in.kind, Tenant: e.Tenant, Subject: in.subject, Reason: reason,
		Errors: e.Errors, FailedNumbers: []messages.FailedNumber{}, BandwidthOrders: []messages.BandwidthOrder{}, RawSize: len(in.data), RawSHA256: hexSum(in.data), Headers: in.headers, DeadAt: in.at.UTC(),
		History: []messages.HistoryEntry{{At: in.at.UTC(), What: string(reason), Detail: text}},
	}
	if in.request != nil {
		l.Request = json.RawMessage(in.data)
	} else {
		l.RawBase64 = base64.StdEncoding.EncodeToString(in.data[:min(len(in.data), rawLimit)])
	}
	if err := w.publishEvent(ctx, e, in.headers[headerTraceparent], e.EventID); err != nil {
		return err
	}
	if _, err := w.publishLetter(ctx, l); err != nil {
		return err
	}
	w.metrics.outcomes.WithLabelValues(string(in.kind), orders.Failed, string(reason)).Inc()
	w.log.WithFields(map[string]any{"order": key, "request": e.RequestID, "letter": l.LetterID, "reason": reason, "detail": text}).
		Warn("a request was refused; it waits as a dead letter")
	return nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
