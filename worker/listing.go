package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go/micro"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

const (
	// listTimeout bounds the reading of one list; what was found by then is answered.
	listTimeout = endpointTimeout / 2
	// listAtOnce is how many records of open orders are read at once.
	listAtOnce = 32
)

// ordersEndpoint lists orders.
func (w *Worker) ordersEndpoint(req micro.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), endpointTimeout)
	defer cancel()
	var q messages.OrdersQuestion
	if !w.question(req, &q, `{"tenant":…,"state":…,"kind":…,"open":true,"limit":…}, all of them optional`) {
		return
	}
	if err := checkOrdersQuestion(&q); err != nil {
		w.answerError(req, "400", err.Error())
		return
	}
	answer, err := w.listOrders(ctx, q)
	if err != nil {
		w.answerError(req, "503", "cannot read the orders: "+err.Error())
		return
	}
	w.answer(req, answer)
}

// checkOrdersQuestion refuses what no order can fit, and fills in the limit.
func checkOrdersQuestion(q *messages.OrdersQuestion) error {
	switch {
	case q.State != "" && !slices.Contains(orders.States(), orders.State(q.State)):
		return fmt.Errorf("state: there is no state %q; use one of %v", q.State, orders.States())
	case q.Kind != "" && !slices.Contains(messages.Kinds(), q.Kind):
		return fmt.Errorf("kind: there is no kind %q; use one of %v", q.Kind, messages.Kinds())
	case q.Tenant != "" && !messages.ValidTenant(q.Tenant):
		return fmt.Errorf("tenant: %q is no tenant; use 1 to 32 letters, digits, - and _", q.Tenant)
	case q.Limit < 0 || q.Limit > messages.MaxOrdersLimit:
		return fmt.Errorf("limit: %d is not from 1 to %d", q.Limit, messages.MaxOrdersLimit)
	case q.Limit == 0:
		q.Limit = messages.DefaultOrdersLimit
	}
	return nil
}

// listOrders lists the unfinished orders by the index of open ones, which is small, and only then reads the ledger
// from its end.
func (w *Worker) listOrders(ctx context.Context, q messages.OrdersQuestion) (messages.OrdersAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	l := &listing{question: q, listed: map[orders.ID]bool{}, answer: messages.OrdersAnswer{Orders: []messages.OrderSummary{}}}
	state := orders.State(q.State)
	var err error
	if !state.Final() || q.Open {
		err = w.listOpen(ctx, l)
	}
	if err == nil && !l.full && !q.Open && (q.State == "" || state.Final()) {
		err = w.store.Recent(ctx, func(r *orders.Record, err error) bool {
			if err != nil {
				w.log.WithError(err).Warn("a record cannot be read; it is left out of the list")
				return true
			}
			return l.add(r)
		})
	}
	if errors.Is(err, context.DeadlineExceeded) {
		l.answer.More, err = true, nil
	}
	return l.answer, err
}

// listOpen adds the unfinished orders, the newest first.
func (w *Worker) listOpen(ctx context.Context, l *listing) error {
	var entries []orders.IndexEntry
	if err := w.store.Entries(ctx, func(e orders.IndexEntry) bool { entries = append(entries, e); return true }); err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b orders.IndexEntry) int { return b.At.Compare(a.At) })
	for chunk := range slices.Chunk(entries, listAtOnce) {
		records, errs := make([]*orders.Record, len(chunk)), make([]error, len(chunk))
		var reading sync.WaitGroup
		for i, e := range chunk {
			reading.Go(func() { records[i], errs[i] = w.store.Get(ctx, e.Key) })
		}
		reading.Wait()
		for i, r := range records {
			switch err := errs[i]; {
			case errors.Is(err, orders.ErrNotFound):
				continue // its record was never created, or is about to be
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				w.log.WithError(err).WithField("order", chunk[i].Key).Warn("a record cannot be read; it is left out of the list")
				continue
			}
			if unfinished(r) && !l.add(r) {
				return nil
			}
		}
	}
	return nil
}

// unfinished reports whether somebody will look at the order again.
func unfinished(r *orders.Record) bool { return r.Outcome == nil || !r.Outcome.Published }

// listing is a list of orders that is being made.
type listing struct {
	question messages.OrdersQuestion
	listed   map[orders.ID]bool
	full     bool
	answer   messages.OrdersAnswer
}

// add adds an order that fits the question; it returns false once the list is full.
func (l *listing) add(r *orders.Record) bool {
	if l.listed[r.Key] || !fits(r, l.question) {
		return true
	}
	if len(l.answer.Orders) == l.question.Limit {
		l.full, l.answer.More = true, true
		return false
	}
	l.listed[r.Key] = true
	l.answer.Orders = append(l.answer.Orders, summaryOf(r))
	return true
}

// fits reports whether an order is asked for.
func fits(r *orders.Record, q messages.OrdersQuestion) bool {
	tenant := r.Tenant
	if tenant == "" {
		tenant = messages.NoTenant
	}
	return (q.Tenant == "" || q.Tenant == tenant) && (q.Kind == "" || orders.Kind(q.Kind) == r.Kind) &&
		(q.State == "" || orders.State(q.State) == orders.StateOf(r)) && (!q.Open || unfinished(r))
}

func summaryOf(r *orders.Record) messages.OrderSummary {
	s := messages.OrderSummary{
		Key: string(r.Key), RequestID: r.RequestID, Tenant: r.Tenant, Kind: messages.Kind(r.Kind), State: string(orders.StateOf(r)),
		Generation: r.Generation, Sandbox: r.Sandbox, Open: unfinished(r), Asked: len(r.Ask.Numbers), AcceptedAt: r.AcceptedAt,
	}
	if r.Ask.Criteria != nil {
		s.Asked = r.Ask.Quantity
	}
	s.Held = s.Asked - r.Short()
	if o := r.Outcome; o != nil {
		s.Reason, s.EndedAt = messages.Reason(o.Reason), &o.At
	}
	return s
}
