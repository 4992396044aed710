package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/micro"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

// viewOf shows a record.
func viewOf(r *orders.Record) messages.OrderView {
	v := messages.OrderView{
		Key: string(r.Key), RequestID: r.RequestID, Tenant: orDefault(r.Tenant, messages.NoTenant), Kind: messages.Kind(r.Kind), State: string(orders.StateOf(r)),
		Generation: r.Generation, Sandbox: r.Sandbox, AcceptedAt: r.AcceptedAt, Asked: nonNil(r.Ask.Numbers), Numbers: nonNil(r.Held()),
		BandwidthOrders: nonNil(bandwidthOrders(r)), Metadata: r.Metadata,
		Criteria: r.Ask.Criteria, Quantity: r.Ask.Quantity, Backorder: r.Ask.Backorder, Reserve: r.Ask.Reserve, Mode: r.Ask.Mode, Protected: r.Ask.Protected,
		Cancels: string(r.Ask.Target),
	}
	if v.Draft = r.Ask.Draft; r.Kind == orders.PortIn && r.Outcome == nil {
		v.Errors = bandwidthErrors(r) // an EXCEPTION is mended while the order goes on
	}
	if r.Cancel != nil {
		v.CancelledBy = string(r.Cancel.By)
	}
	for _, h := range r.History {
		v.History = append(v.History, messages.HistoryEntry{At: h.At, What: h.What, Detail: h.Detail})
	}
	if o := r.Outcome; o != nil {
		v.Reason, v.Detail, v.Published, v.EndedAt = o.Reason, o.Detail, o.Published, &o.At
		if o.Outcome != orders.Completed {
			v.FailedNumbers, v.Errors = failedNumbers(r), eventErrors(r)
		}
	}
	return v
}

// orderQuestion is what the endpoint `order` is asked: a key, or tenant and request id.
type orderQuestion struct {
	Key       string `json:"key"`
	Tenant    string `json:"tenant"`
	RequestID string `json:"request_id"`
}

// endpointTimeout bounds an endpoint's work.
const endpointTimeout = 10 * time.Second

// orderEndpoint answers with an order's record.
func (w *Worker) orderEndpoint(req micro.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), endpointTimeout)
	defer cancel()
	var q orderQuestion
	if err := json.Unmarshal(req.Data(), &q); err != nil {
		w.answerError(req, "400", `want {"key":…} or {"tenant":…,"request_id":…}: `+err.Error())
		return
	}
	if q.Key == "" && q.RequestID != "" {
		q.Key = w.names.Key(q.Tenant, q.RequestID)
	}
	if !messages.ValidKey(q.Key) {
		w.answerError(req, "400", fmt.Sprintf("%q is not an order's key; want {\"key\":…} or {\"tenant\":…,\"request_id\":…}", q.Key))
		return
	}
	r, err := w.store.Get(ctx, orders.ID(q.Key))
	switch {
	case errors.Is(err, orders.ErrNotFound):
		w.answerError(req, "404", "the ledger holds no order "+q.Key)
	case err != nil:
		w.answerError(req, "503", err.Error())
	default:
		if err := req.RespondJSON(viewOf(r)); err != nil {
			w.log.WithError(err).Debug("cannot answer the endpoint order")
		}
	}
}

func (w *Worker) answerError(req micro.Request, code, text string) {
	if err := req.Error(code, text, nil); err != nil {
		w.log.WithError(err).Debug("cannot answer an endpoint")
	}
}
