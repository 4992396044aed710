package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
)

const (
	// busyWait is how long a search waits that finds all of this worker's searches taken.
	busyWait = 500 * time.Millisecond
	// maxDetailBytes is the size from which on an event leaves the details of its numbers out: the broker takes 1 MiB
	// (P40).
	maxDetailBytes = 900 << 10
)

// checkSearch refuses a search that goes beyond this fleet's limit, or that claims to replay an order.
func (w *Worker) checkSearch(in *incoming) *messages.RequestError {
	if v := in.headers[messages.HeaderReplayOf]; v != "" {
		_, generation, err := messages.ParseReplayOf(v)
		if err == nil && generation > 0 {
			err = fmt.Errorf("%s: %q names an order; a search replays a search, <key>.0", messages.HeaderReplayOf, v)
		}
		if err != nil {
			return &messages.RequestError{Reason: messages.ReasonInvalid, Field: messages.HeaderReplayOf, Text: err.Error()}
		}
	}
	return w.searcher.check(in.request)
}

// search handles one search request. It has no record and is run anew each time (P27). What is stored before the ack
// is the event and, where it failed, the dead letter; a search cut off before that is run again, and costs nothing.
func (w *Worker) search(ctx context.Context, in incoming) disposition {
	key := w.names.LetterlessKey(in.subject, in.data, in.sequence)
	log := w.log.WithFields(map[string]any{"search": key, "request": in.requestID()})
	if in.tries > 1 {
		// It may have been answered before its ack was lost: it must not end in a second way.
		e, err := w.searchAnswer(ctx, in, key)
		if err != nil {
			log.WithError(err).Warn("cannot tell whether the search was answered; it comes again")
			return again(time.Second)
		}
		if e != nil {
			return w.endSearch(ctx, in, e)
		}
	}
	select {
	case w.searcher.slots <- struct{}{}:
		defer func() { <-w.searcher.slots }()
	default:
		return again(busyWait)
	}
	e, _, err := w.searchWith(ctx, w.searcher, in, key)
	if err != nil {
		return again(0) // stopping: another worker runs it
	}
	if err := w.publishEvent(ctx, e, in.headers[headerTraceparent], e.EventID); err != nil {
		log.WithError(err).Warn("cannot answer a search; it comes again")
		return again(time.Second)
	}
	w.metrics.outcomes.WithLabelValues(string(messages.Search), string(e.Outcome), string(e.Reason)).Inc()
	log.WithFields(map[string]any{"outcome": e.Outcome, "reason": e.Reason, "numbers": len(e.Numbers), "errors": e.Errors}).Info("answered a search")
	return w.endSearch(ctx, in, e)
}

// endSearch does what follows a search's event: the dead letter of one that failed, then the end of the letter that
// it replays.
func (w *Worker) endSearch(ctx context.Context, in incoming, e *messages.Event) disposition {
	if e.Outcome == messages.Failed {
		if _, err := w.publishLetter(ctx, searchLetter(in, e)); err != nil {
			w.log.WithError(err).Warn("cannot store a dead letter; the search comes again")
			return again(time.Second)
		}
	}
	if err := w.dropReplayed(ctx, in); err != nil {
		w.log.WithError(err).Warn("cannot remove the dead letter of a search that was replayed; the search comes again")
		return again(time.Second)
	}
	return done()
}

// searchWith runs a search and returns the event of its outcome, and why it failed if it did. Its error is that of a
// context that ended.
func (w *Worker) searchWith(ctx context.Context, s *searcher, in incoming, key string) (*messages.Event, *searchError, error) {
	found, err := s.find(ctx, in.request)
	var failed *searchError
	if err != nil && !errors.As(err, &failed) {
		return nil, nil, err
	}
	e := &messages.Event{
		OccurredAt: w.clock.Now().UTC(), RequestID: in.requestID(), Key: key, Kind: messages.Search, Outcome: messages.Completed,
		Tenant: in.tenant, Sandbox: w.sandbox, CarrierModule: carrierModule, Numbers: []string{}, Metadata: in.request.Metadata,
	}
	if failed != nil {
		e.Outcome, e.Reason, e.Errors = messages.Failed, failed.reason, failed.errors
	}
	for _, f := range found {
		e.Numbers = append(e.Numbers, f.Number)
	}
	if in.request.Detail != nil && *in.request.Detail {
		e.Results = resultsOf(found)
		if data, err := json.Marshal(e); err != nil || len(data) > maxDetailBytes {
			e.Results = nil
			e.Errors = append(e.Errors, messages.EventError{
				Code: "details_too_large", Description: "the details of so many numbers do not fit in one event and were left out", Advice: "ask for fewer numbers",
			})
		}
	}
	e.EventID, e.Type = messages.EventID(key, 0, e.Outcome, 0), w.names.EventType(messages.Search, e.Outcome)
	return e, failed, nil
}

func resultsOf(found []bwclient.Found) []messages.NumberDetail {
	const longest = 64
	var out []messages.NumberDetail
	for _, f := range found {
		out = append(out, messages.NumberDetail{
			Number: f.Number, City: cut(f.City, longest), RateCenter: cut(f.RateCenter, longest), State: cut(f.State, longest),
			LATA: cut(f.LATA, longest), Tier: cut(f.Tier, longest),
		})
	}
	return out
}

// searchLetter is the dead letter of a search that failed. Its replay is the request itself: to search again does no
// harm.
func searchLetter(in incoming, e *messages.Event) *messages.DeadLetter {
	detail := ""
	if len(e.Errors) > 0 {
		detail = e.Errors[len(e.Errors)-1].Description
	}
	return &messages.DeadLetter{
		LetterID: messages.LetterID(e.Key, 0), Key: e.Key, Kind: messages.Search, Tenant: e.Tenant, Subject: in.subject, Reason: e.Reason,
		Errors: e.Errors, FailedNumbers: []messages.FailedNumber{}, BandwidthOrders: []messages.BandwidthOrder{},
		Request: json.RawMessage(in.data), Replay: json.RawMessage(in.data), Headers: in.headers, DeadAt: e.OccurredAt,
		History: []messages.HistoryEntry{{At: in.at.UTC(), What: "accepted"}, {At: e.OccurredAt, What: string(e.Reason), Detail: detail}},
	}
}

// searchAnswer returns the final event that a search has; nil for none.
func (w *Worker) searchAnswer(ctx context.Context, in incoming, key string) (*messages.Event, error) {
	msg, err := w.anyMessage(ctx, w.names.EventsStream(),
		w.names.Event(messages.Search, messages.Completed, in.tenant, key), w.names.Event(messages.Search, messages.Failed, in.tenant, key))
	if err != nil || msg == nil {
		return nil, err
	}
	e := new(messages.Event)
	if err := json.Unmarshal(msg.Data, e); err != nil {
		return nil, fmt.Errorf("the event of search %s: %w", key, err)
	}
	return e, nil
}

// dropReplayed removes the dead letter that a search replays, once the search has an answer of its own: a letter of a
// search that could be replayed, from the same subject, by its own stream sequence (P26).
func (w *Worker) dropReplayed(ctx context.Context, in incoming) error {
	of, generation, err := messages.ParseReplayOf(in.headers[messages.HeaderReplayOf])
	if err != nil || generation != 0 {
		return nil
	}
	msg, err := w.anyMessage(ctx, w.names.DLQStream(),
		w.names.DeadLetter(messages.Search, messages.ReasonRejected, in.tenant, of), w.names.DeadLetter(messages.Search, messages.ReasonExhausted, in.tenant, of))
	if err != nil || msg == nil {
		return err
	}
	var l messages.DeadLetter
	if json.Unmarshal(msg.Data, &l) != nil || l.Subject != in.subject {
		return nil
	}
	return w.DropLetter(ctx, msg.Sequence)
}

// anyMessage returns the last message on the first of the subjects that has one in a stream; nil for none.
func (w *Worker) anyMessage(ctx context.Context, name string, subjects ...string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	stream, err := w.js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		msg, err := stream.GetLastMsgForSubject(ctx, subject)
		if err == nil || !errors.Is(err, jetstream.ErrMsgNotFound) {
			return msg, err
		}
	}
	return nil, nil
}
