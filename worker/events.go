package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	if r.Kind == orders.PortIn {
		e.CarrierModule = r.Ask.CarrierModule
	}
	if r.Kind == orders.Disconnect && len(r.Releases) > 0 {
		e.OrderName = w.driver.Names.Name(r.Key)
	}
	for i := range r.Purchases {
		p := &r.Purchases[i]
		e.OrderName, e.CustomerOrderID = p.Name, p.CustomerOrderID
	}
	e.BandwidthOrders = bandwidthOrders(r)
	if n := len(e.BandwidthOrders); n > 0 {
		e.BandwidthOrderID, e.BandwidthStatus = e.BandwidthOrders[n-1].OrderID, e.BandwidthOrders[n-1].Status
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
const carrierModule = orders.CarrierModule

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

// bandwidthErrors returns Bandwidth's errors with advice.
func bandwidthErrors(r *orders.Record) []messages.EventError {
	out := []messages.EventError{}
	for _, e := range r.Errors() {
		out = append(out, messages.EventError{Code: e.Code, Description: e.Description, Advice: adviceFor(e.Code)})
	}
	return out
}

// eventErrors returns Bandwidth's errors with advice, what our own codes mean, and our own sentence where the outcome has
// one.
func eventErrors(r *orders.Record) []messages.EventError {
	out := bandwidthErrors(r)
	for _, code := range slices.Sorted(maps.Keys(r.Refused)) { // those that Bandwidth was not asked to release
		if text := notReleased[code]; text != "" && !slices.ContainsFunc(out, func(e messages.EventError) bool { return e.Code == code }) {
			out = append(out, messages.EventError{Code: code, Description: text, Advice: adviceFor(code)})
		}
	}
	if r.Outcome.Reason == string(messages.ReasonCancelled) && r.Kind != orders.PortIn {
		for i := range out {
			out[i].Advice = "" // it was meant to end so
		}
	}
	if o := r.Outcome; o.Detail != "" {
		out = append(out, messages.EventError{Code: o.Reason, Description: o.Detail, Advice: reasonAdvice[messages.Reason(o.Reason)]})
	}
	return out
}

// notReleased says why numbers were left alone that no disconnect named.
var notReleased = map[string]string{
	"5006":             "Bandwidth does not hold the number on this account: there is nothing to release",
	orders.CodeChanged: "another order holds the number than the one that was meant: it was bought since, and is left alone",
	orders.CodeUnclear: "Bandwidth does not say which order holds the number: it is left alone",
}

// headersOf returns the request's headers, none as an empty map: JSON shows {} and not null.
func headersOf(r *orders.Record) map[string]string {
	if r.Headers == nil {
		return map[string]string{}
	}
	return r.Headers
}

// letterOf builds the dead letter of the outcome that stands in the record.
func letterOf(r *orders.Record) (*messages.DeadLetter, error) {
	o := r.Outcome
	l := &messages.DeadLetter{
		LetterID: messages.LetterID(string(r.Key), r.Generation), Key: string(r.Key), Generation: r.Generation,
		Kind: messages.Kind(r.Kind), Tenant: orDefault(r.Tenant, messages.NoTenant), Subject: r.Subject, Reason: messages.Reason(o.Reason),
		Errors: eventErrors(r), FailedNumbers: failedNumbers(r), Request: r.Body, RawSize: len(r.Body), RawSHA256: hexSum(r.Body), Headers: headersOf(r), DeadAt: o.At, BandwidthOrders: nonNil(bandwidthOrders(r)),
	}
	for _, h := range r.History {
		l.History = append(l.History, messages.HistoryEntry{At: h.At, What: h.What, Detail: h.Detail})
	}
	if l.Reason == messages.ReasonCancelled {
		return l, nil // what was cancelled is not ordered again as it is
	}
	replay, err := replayBody(r)
	if err != nil {
		return nil, fmt.Errorf("order %s: make the replay of its request: %w", r.Key, err)
	}
	l.Replay = replay
	return l, nil
}

// bandwidthOrders returns the orders at Bandwidth that a request led to, disconnects included.
func bandwidthOrders(r *orders.Record) []messages.BandwidthOrder {
	var out []messages.BandwidthOrder
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			out = append(out, messages.BandwidthOrder{CustomerOrderID: p.CustomerOrderID, OrderID: string(o.OrderID), Status: o.Status})
		}
	}
	for i := range r.Releases {
		if rel := &r.Releases[i]; rel.Post.OrderID != "" {
			out = append(out, messages.BandwidthOrder{OrderID: string(rel.Post.OrderID), Status: rel.Status})
		}
	}
	return out
}

// replayBody is the request with only what is still missing: what is held, or released, is never ordered again.
func replayBody(r *orders.Record) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &fields); err != nil {
		return nil, err
	}
	var err error
	switch {
	case r.Kind == orders.Cancel:
	case r.Ask.Criteria != nil:
		fields["quantity"], err = json.Marshal(r.Short())
	default:
		fields["numbers"], err = json.Marshal(r.Missing())
	}
	if err != nil {
		return nil, err
	}
	return encode(fields)
}
