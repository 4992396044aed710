package worker

import (
	"encoding/json"
	"fmt"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

// eventOf builds an event of an order from its record alone, so that a repeat of it is the same to the byte. n counts
// the intermediate events of one outcome in a generation; it is 0 for accepted and final ones.
func (w *Worker) eventOf(r *orders.Record, outcome messages.Outcome, n int, sequence uint64, at time.Time) *messages.Event {
	kind := messages.Kind(r.Kind)
	e := &messages.Event{
		EventID:       messages.EventID(string(r.Key), r.Generation, outcome, n),
		Sequence:      sequence,
		Type:          w.names.EventType(kind, outcome),
		OccurredAt:    at.UTC(),
		RequestID:     r.RequestID,
		Key:           string(r.Key),
		Generation:    r.Generation,
		Kind:          kind,
		Outcome:       outcome,
		Tenant:        orDefault(r.Tenant, messages.NoTenant),
		Sandbox:       r.Sandbox,
		SiteID:        r.Ask.SiteID,
		SIPPeer:       r.Ask.PeerID,
		CarrierModule: carrierModule,
		Numbers:       nonNil(r.Held()),
		Metadata:      r.Metadata,
	}
	for i := range r.Purchases {
		p := &r.Purchases[i]
		e.OrderName, e.CustomerOrderID = p.Name, p.CustomerOrderID
		for _, o := range p.Orders {
			e.BandwidthOrderID, e.BandwidthStatus = string(o.OrderID), o.Status
			e.BandwidthOrders = append(e.BandwidthOrders, messages.BandwidthOrder{
				CustomerOrderID: p.CustomerOrderID, OrderID: string(o.OrderID), Status: o.Status,
			})
		}
	}
	return e
}

// finalEvent builds the event of the outcome that stands in the record (P23).
func (w *Worker) finalEvent(r *orders.Record) *messages.Event {
	o := r.Outcome
	e := w.eventOf(r, messages.Outcome(o.Outcome), 0, r.OutcomeSequence(), o.At)
	e.Reason = messages.Reason(o.Reason)
	if o.Outcome != orders.Completed {
		e.FailedNumbers = failedNumbers(r)
		e.Errors = eventErrors(r)
	}
	return e
}

// carrierModule is Kazoo's name for what this program does.
const carrierModule = "knm_bandwidth2"

// nonNil returns an empty list in place of none, so that JSON shows [] and not null.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func failedNumbers(r *orders.Record) []messages.FailedNumber {
	out := []messages.FailedNumber{}
	for _, f := range r.Unplaced() {
		out = append(out, messages.FailedNumber{Number: f.Number, Code: f.Code})
	}
	return out
}

// eventErrors returns Bandwidth's errors with advice, and our own sentence where the outcome has one.
func eventErrors(r *orders.Record) []messages.EventError {
	out := []messages.EventError{}
	for _, e := range r.Errors() {
		out = append(out, messages.EventError{Code: e.Code, Description: e.Description, Advice: adviceFor(e.Code)})
	}
	if o := r.Outcome; o.Detail != "" {
		out = append(out, messages.EventError{Code: o.Reason, Description: o.Detail, Advice: reasonAdvice[messages.Reason(o.Reason)]})
	}
	return out
}

// letterOf builds the dead letter of the outcome that stands in the record.
func letterOf(r *orders.Record) (*messages.DeadLetter, error) {
	o := r.Outcome
	l := &messages.DeadLetter{
		LetterID: messages.LetterID(string(r.Key), r.Generation), Key: string(r.Key), Generation: r.Generation,
		Kind: messages.Kind(r.Kind), Tenant: orDefault(r.Tenant, messages.NoTenant), Subject: r.Subject, Reason: messages.Reason(o.Reason),
		Errors: eventErrors(r), FailedNumbers: failedNumbers(r), Request: r.Body, Headers: r.Headers, DeadAt: o.At, BandwidthOrders: []messages.BandwidthOrder{},
	}
	for _, h := range r.History {
		l.History = append(l.History, messages.HistoryEntry{At: h.At, What: h.What, Detail: h.Detail})
	}
	for _, p := range r.Purchases {
		for _, b := range p.Orders {
			l.BandwidthOrders = append(l.BandwidthOrders, messages.BandwidthOrder{CustomerOrderID: p.CustomerOrderID, OrderID: string(b.OrderID), Status: b.Status})
		}
	}
	replay, err := replayBody(r.Body, r.Missing())
	if err != nil {
		return nil, fmt.Errorf("order %s: make the replay of its request: %w", r.Key, err)
	}
	l.Replay = replay
	return l, nil
}

// replayBody is the request with only the numbers that are still missing: what is held is never ordered again.
func replayBody(body json.RawMessage, missing []string) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, err
	}
	numbers, err := json.Marshal(missing)
	if err != nil {
		return nil, err
	}
	fields["numbers"] = numbers
	return json.Marshal(fields)
}
