package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

const (
	// earlyWait is how long a replay waits whose order has not ended yet (P25).
	earlyWait = 15 * time.Second
	// endingWait is the same where the order has ended and only its publishing is under way.
	endingWait = 500 * time.Millisecond
	// unknownTries is how often a replay of an order that the ledger does not show is looked up before it is refused:
	// a lagging replica may have answered (P5).
	unknownTries = 5
	// maxHeader bounds a header's value, in bytes, as it is kept (P40); those that mean something are shorter.
	maxHeader = 512
)

// incoming is a request message, taken apart as far as it can be.
type incoming struct {
	subject  string
	data     []byte
	headers  map[string]string
	sequence uint64
	at       time.Time
	tries    uint64
	kind     messages.Kind
	tenant   string
	request  *messages.Request // nil where it could not be decoded
}

func (in incoming) requestID() string {
	if in.request == nil {
		return ""
	}
	return in.request.RequestID
}

// request handles one request message.
func (w *Worker) request(ctx context.Context, msg jetstream.Msg) disposition {
	meta, err := msg.Metadata()
	if err != nil {
		w.log.WithError(err).Error("a message without JetStream metadata came in")
		return again(time.Second)
	}
	w.clock.Observe(meta.Timestamp)
	in := incoming{
		subject: msg.Subject(), data: msg.Data(), headers: map[string]string{}, sequence: meta.Sequence.Stream,
		at: meta.Timestamp, tries: meta.NumDelivered, kind: messages.Unknown,
	}
	for _, name := range []string{headerTraceparent, messages.HeaderReplayOf, messages.HeaderAcceptDouble} {
		if v := msg.Headers().Get(name); v != "" {
			in.headers[name] = v[:min(len(v), maxHeader)]
		}
	}
	arrival, refused := w.arrival(&in)
	if refused != nil {
		return w.refused(ctx, in, refused.Reason, refused.Text)
	}
	if in.kind == messages.Search {
		return w.search(ctx, in)
	}
	admission, r, err := w.driver.Accept(ctx, arrival)
	if err != nil {
		w.log.WithError(err).WithFields(map[string]any{"order": arrival.Key, "request": arrival.RequestID}).Warn("cannot take the request in; it comes again")
		return again(time.Second)
	}
	log := w.log.WithFields(map[string]any{"order": arrival.Key, "request": arrival.RequestID})
	switch admission {
	case orders.AdmitNew:
		log.WithField("generation", r.Generation).Info("took a request in")
		d := done()
		d.then = func(ctx context.Context) {
			// Its timer stands: whatever is left undone here is found by the next tick.
			err := w.driver.DriveRecord(ctx, r, orders.Tick{Key: r.Key, At: w.clock.Now()})
			if err != nil && ctx.Err() != nil {
				// Stopping: another worker goes on at once, and not when the lease has passed.
				err = w.SetTimer(context.WithoutCancel(ctx), r.Key, w.clock.Now(), r.Revision)
			}
			if err != nil {
				log.WithError(err).Warn("the order could not be driven on; its timer will")
			}
		}
		return d
	case orders.AdmitUnfinished:
		if r.Outcome != nil {
			// Its event may be out already, and whoever asks again would wait for one that does not come.
			return again(endingWait)
		}
		log.Info("the request is on its way already")
		return done()
	case orders.AdmitAnswered:
		if err := w.repeat(ctx, r, in.sequence); err != nil {
			log.WithError(err).Warn("cannot answer a repeated request; it comes again")
			return again(time.Second)
		}
		log.Info("answered a repeated request with the outcome it has")
		return done()
	case orders.AdmitConflict:
		return w.refused(ctx, in, messages.ReasonConflict,
			fmt.Sprintf("request_id %q was used before for a request with other content (order %s)", arrival.RequestID, arrival.Key))
	case orders.AdmitEarly:
		if r.Outcome != nil {
			return again(endingWait)
		}
		return again(earlyWait)
	case orders.AdmitIncomplete:
		return w.refused(ctx, in, messages.ReasonInvalid,
			fmt.Sprintf("numbers: the replay leaves out numbers that an unanswered order of %s may have bought: name them too", arrival.Key))
	case orders.AdmitRisky:
		if in.kind == messages.PortIn {
			return w.refused(ctx, in, messages.ReasonInvalid, fmt.Sprintf(
				"%s: the port-in %s may be on its way, and a replay may order it a second time: look at Bandwidth's dashboard, and replay with --accept-double to take the risk", messages.HeaderAcceptDouble, arrival.Key))
		}
		return w.refused(ctx, in, messages.ReasonInvalid, fmt.Sprintf(
			"%s: the order %s may have bought numbers that nobody can name; a replay may buy as many again: look at Bandwidth's dashboard, and replay with --accept-double to take the risk", messages.HeaderAcceptDouble, arrival.Key))
	case orders.AdmitFull:
		return w.refused(ctx, in, messages.ReasonInvalid, fmt.Sprintf(
			"%s: the record of order %s has no room for another replay: publish what is missing as a new request, with a request_id of its own", messages.HeaderReplayOf, arrival.Key))
	case orders.AdmitNoTarget:
		if in.tries < unknownTries {
			return again(time.Second) // a lagging replica may have answered (P5)
		}
		return w.refused(ctx, in, messages.ReasonInvalid, fmt.Sprintf("order_request_id: there is no provision with the request_id %q of this tenant", in.request.OrderRequestID))
	case orders.AdmitUnknown:
		if in.tries < unknownTries {
			return again(time.Second)
		}
		return w.refused(ctx, in, messages.ReasonInvalid,
			fmt.Sprintf("%s: the ledger holds no generation %d of order %s", messages.HeaderReplayOf, arrival.ReplayOf, arrival.Key))
	default:
		log.Errorf("unknown admission %d", admission)
		return again(earlyWait)
	}
}

func (w *Worker) refused(ctx context.Context, in incoming, reason messages.Reason, text string) disposition {
	if err := w.refuse(ctx, in, reason, text); err != nil {
		w.log.WithError(err).Warn("cannot store a dead letter; the request comes again")
		return again(time.Second)
	}
	return dead(fmt.Sprintf("%s: %s", reason, text))
}

// arrival decodes and checks a request, or says why it is refused. It fills in what could be told of it.
func (w *Worker) arrival(in *incoming) (orders.Arrival, *messages.RequestError) {
	kind, text, tenant, err := w.names.ParseRequest(in.subject)
	in.kind, in.tenant = kind, tenant
	if err != nil || kind == messages.Unknown {
		why := fmt.Sprintf("subject: the kind %q is not known; use search, provision, disconnect, portin or cancel", text)
		if err != nil {
			why = "subject: " + err.Error()
		}
		return orders.Arrival{}, &messages.RequestError{Reason: messages.ReasonMalformed, Field: "subject", Text: why}
	}
	refuse := func(err error) (orders.Arrival, *messages.RequestError) {
		var re *messages.RequestError
		if !errors.As(err, &re) {
			re = &messages.RequestError{Reason: messages.ReasonInvalid, Text: err.Error()}
		}
		return orders.Arrival{}, re
	}
	req, err := messages.Decode(kind, in.data)
	if err != nil {
		return refuse(err)
	}
	in.request = req
	if in.tenant == "" {
		in.tenant = req.Tenant
	}
	if err := req.Validate(kind); err != nil {
		return refuse(err)
	}
	invalid := func(field, text string) (orders.Arrival, *messages.RequestError) {
		return orders.Arrival{}, &messages.RequestError{Reason: messages.ReasonInvalid, Field: field, Text: text}
	}
	if kind == messages.Search {
		return orders.Arrival{}, w.checkSearch(in)
	}
	ask, refusedAsk := w.askOf(in)
	if refusedAsk != nil {
		return orders.Arrival{}, refusedAsk
	}
	key := w.names.Key(in.tenant, req.RequestID)
	a := orders.Arrival{
		Key: orders.ID(key), RequestID: req.RequestID, Tenant: in.tenant, Kind: orders.Kind(kind), Subject: in.subject,
		Hash: messages.ContentHash(kind, req), Body: in.data, Metadata: req.Metadata, Headers: in.headers, Sandbox: w.sandbox, Ask: ask,
		AcceptDouble: in.headers[messages.HeaderAcceptDouble] == "true",
	}
	if v := in.headers[messages.HeaderReplayOf]; v != "" {
		of, generation, err := messages.ParseReplayOf(v)
		switch {
		case err != nil:
			return invalid(messages.HeaderReplayOf, err.Error())
		case generation > 0 && of != key:
			return invalid(messages.HeaderReplayOf, fmt.Sprintf(
				"%s names order %s, but the request's tenant and request_id are those of order %s: leave both as they were", messages.HeaderReplayOf, of, key))
		}
		a.ReplayOf = generation // 0: the letter touched no order, so this is a new request (P26)
	}
	return a, nil
}

// askOf returns what a valid request asks for, or says what cannot be done yet.
func (w *Worker) askOf(in *incoming) (orders.Ask, *messages.RequestError) {
	req := in.request
	invalid := func(field, text string) (orders.Ask, *messages.RequestError) {
		return orders.Ask{}, &messages.RequestError{Reason: messages.ReasonInvalid, Field: field, Text: text}
	}
	ask := orders.Ask{
		Numbers: req.Numbers, SiteID: orDefault(req.SiteID, w.site), PeerID: orDefault(req.SIPPeer, w.peer),
		PartialAllowed: req.AllowsPartial(), Backorder: req.WantsBackorder(), Reserve: req.WantsReserve(),
	}
	switch {
	case in.kind == messages.Cancel:
		return orders.Ask{Target: orders.ID(w.names.Key(in.tenant, req.OrderRequestID))}, nil
	case in.kind == messages.Disconnect:
		return orders.Ask{Numbers: req.Numbers, Mode: req.Mode, Protected: req.Protected}, nil
	case in.kind == messages.PortIn:
		fields, err := encode(req.PortInFields)
		if err != nil {
			return invalid("portin", "portin: the fields cannot be encoded") // what they hold may be secret
		}
		ask = orders.Ask{Numbers: req.Numbers, SiteID: ask.SiteID, PeerID: ask.PeerID, PortIn: fields, Draft: req.IsDraft(), CarrierModule: w.portInModule}
		return ask, nil
	case req.Criteria == nil:
		return ask, nil
	}
	data, err := encode(req.Criteria)
	if err != nil {
		return invalid("criteria", "criteria: "+err.Error())
	}
	ask.Criteria, ask.Quantity = data, *req.Quantity
	return ask, nil
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// tick handles one tick.
func (w *Worker) tick(ctx context.Context, msg jetstream.Msg) disposition {
	meta, err := msg.Metadata()
	if err != nil {
		w.log.WithError(err).Error("a message without JetStream metadata came in")
		return again(time.Second)
	}
	w.clock.Observe(meta.Timestamp)
	key, err := w.names.KeyOfDue(msg.Subject())
	if err != nil {
		w.log.WithError(err).WithField("subject", msg.Subject()).Error("a tick on a subject that names no order; it is dropped")
		return dead("names no order")
	}
	t := orders.Tick{Key: orders.ID(key), At: meta.Timestamp, Revision: revisionOf(msg.Data())}
	if err := w.driver.Drive(ctx, t); err != nil {
		if ctx.Err() != nil {
			return again(0) // stopping: another worker goes on at once
		}
		w.log.WithError(err).WithField("order", key).Warn("the order could not be driven on; its tick comes again")
		return again(time.Second)
	}
	return done()
}
