package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bandwidthworker/orders"
)

// DifferenceKind says how an order at Bandwidth and the ledger disagree.
type DifferenceKind string

// The kinds.
const (
	// BandwidthOnly: Bandwidth has an order of ours that the ledger does not know.
	BandwidthOnly DifferenceKind = "bandwidth_only"
	// AfterOutcome: Bandwidth has an order that became known after its request's outcome was published, which says
	// nothing of it.
	AfterOutcome DifferenceKind = "after_outcome"
	// LedgerOnly: the ledger follows an order that Bandwidth does not have.
	LedgerOnly DifferenceKind = "ledger_only"
	// Unasked: the order was restored by a rebuild, and nobody has published its request again. It is no difference.
	Unasked DifferenceKind = "unasked"
	// Foreign: a customer order id begins as ours and is none. It is no difference.
	Foreign DifferenceKind = "foreign"
)

// Difference is an order on which Bandwidth and the ledger do not agree, or which a person should know of.
type Difference struct {
	Kind            DifferenceKind `json:"kind"`
	OrderID         string         `json:"bandwidth_order_id"`
	CustomerOrderID string         `json:"customer_order_id"`
	Key             string         `json:"key,omitempty"`
	RequestID       string         `json:"request_id,omitempty"`
	Tenant          string         `json:"tenant,omitempty"`
	Status          string         `json:"status,omitempty"`
	// Count is how many numbers the order holds by Bandwidth's list, Numbers are they as far as they were read.
	Count     int        `json:"count"`
	Numbers   []string   `json:"numbers,omitempty"`
	OrderedAt *time.Time `json:"ordered_at,omitempty"`
	// Restored says that the ledger knows it now.
	Restored bool `json:"restored,omitempty"`
	// Text says what disagrees, Advice what it may cost and what to do.
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// AuditSummary is what came of an audit.
type AuditSummary struct {
	At time.Time `json:"at"`
	// Since and Until bound the orders that were compared; zero for none.
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Rebuild bool      `json:"rebuild,omitempty"`
	// Orders are those of ours in Bandwidth's list, Records those of the ledger that were compared.
	Orders  int `json:"orders"`
	Records int `json:"records"`
	// The differences that are left.
	BandwidthOnly int `json:"bandwidth_only"`
	AfterOutcome  int `json:"after_outcome"`
	LedgerOnly    int `json:"ledger_only"`
	// Restored were taken into the ledger; Unasked and Foreign are to be known of; InFlight are being looked for by the
	// workers, and Unlisted were found by their ids alone.
	Restored int `json:"restored"`
	Unasked  int `json:"unasked"`
	Foreign  int `json:"foreign"`
	InFlight int `json:"in_flight"`
	Unlisted int `json:"unlisted"`
}

// Differences counts those that are left.
func (s AuditSummary) Differences() int { return s.BandwidthOnly + s.AfterOutcome + s.LedgerOnly }

const (
	// rereads and rereadPause say how a record is read again before something is concluded from it: a lagging replica may
	// have answered (P5).
	rereads     = 3
	rereadPause = 300 * time.Millisecond
	// maxNumberReads bounds the orders of one audit whose numbers are read for the report.
	maxNumberReads = 200
)

// compareOrder compares an order of Bandwidth's list with the ledger.
func (a *auditor) compareOrder(ctx context.Context, e bookEntry, since, until time.Time) error {
	if !e.At.IsZero() && (e.At.Before(since.Add(-time.Hour)) || !until.IsZero() && e.At.After(until)) { // some dates are to the hour
		return nil
	}
	if e.CustomerOrderID == "" {
		// The list may leave it out: the order says whose it is.
		coid, _, _, err := a.books.order(ctx, e.OrderID)
		if err != nil {
			return err
		}
		e.CustomerOrderID = coid
	}
	if a.told[string(e.OrderID)] {
		return nil
	}
	key, n, ours := a.names.Parse(e.CustomerOrderID)
	if !ours {
		if !a.names.Carries(e.CustomerOrderID) {
			return nil
		}
		a.summary.Foreign++
		return a.report(ctx, Difference{Kind: Foreign, Text: "its customer order id begins with this fleet's prefix, and is none of this program's",
			Advice: "another system orders under the same order_name_prefix: give each its own"}, e)
	}
	if !a.booked[string(e.OrderID)] {
		if len(a.booked) == maxBooked {
			return fmt.Errorf("there are more than %d orders between these dates: compare a shorter time (--since, --until)", maxBooked)
		}
		a.booked[string(e.OrderID)] = true
		a.summary.Orders++
	}
	r, what, err := a.known(ctx, key, n, e)
	if errors.Is(err, orders.ErrUnreadable) {
		a.leave(err)
		return nil
	}
	if err != nil {
		return err
	}
	d := Difference{Key: string(key)}
	if r != nil {
		d.RequestID, d.Tenant = r.RequestID, r.Tenant
	}
	switch {
	case what == orders.KnowsOrder && r.Unasked():
		if a.Rebuild {
			return nil // it has just been reported as restored, or was by the rebuild before
		}
		a.summary.Unasked++
		d.Kind, d.Text = Unasked, "a rebuild restored it, and nobody has published its request again"
		d.Advice = cost(e, "publish the request again, under the same request_id, and its outcome follows; or give the numbers back")
		return a.report(ctx, d, e)
	case what == orders.KnowsOrder:
		return nil
	case a.Rebuild && (what == orders.KnowsNothing):
		restored, err := a.builder.Restore(ctx, key, n, e.Listed)
		if err != nil {
			return err
		}
		if restored == orders.RestoredNot {
			return nil // a worker was faster
		}
		a.summary.Restored++
		d.Kind, d.Restored, d.Text = BandwidthOnly, true, "the ledger did not know it; it is restored, and its request buys nothing of it again"
		if r != nil && r.Outcome != nil {
			a.summary.AfterOutcome++
			d.Kind, d.Text = AfterOutcome, "it is noted in its request's record, whose outcome says nothing of it"
			d.Advice = cost(e, ended(r))
		}
		return a.report(ctx, d, e)
	case r != nil && r.Outcome == nil && r.Looking(n):
		a.summary.InFlight++ // its POST was not answered: the workers look for it
		return nil
	case what == orders.KnowsLate, r != nil && r.Outcome != nil:
		a.summary.AfterOutcome++
		d.Kind, d.Text = AfterOutcome, "it became known after its request's outcome was published, which says nothing of it"
		d.Advice = cost(e, ended(r))
	case r != nil:
		a.summary.BandwidthOnly++
		d.Kind, d.Text = BandwidthOnly, "the ledger knows its request, and not this order"
		d.Advice = cost(e, "`worker audit --rebuild` takes it in")
	default:
		a.summary.BandwidthOnly++
		d.Kind, d.Text = BandwidthOnly, "the ledger knows nothing of it: it is from a ledger that is lost, or from another fleet with this order_name_prefix"
		d.Advice = cost(e, "`worker audit --rebuild` takes it in, so that its request buys nothing of it again; or give the numbers back")
	}
	return a.report(ctx, d, e)
}

// known reads what the ledger knows of an order. What it does not seem to know it is asked again, where the order is so
// young that a replica may lag.
func (a *auditor) known(ctx context.Context, key orders.ID, n int, e bookEntry) (*orders.Record, orders.Knowledge, error) {
	for try := 1; ; try++ {
		r, err := a.store.Get(ctx, key)
		if err != nil && !errors.Is(err, orders.ErrNotFound) {
			return nil, orders.KnowsNothing, fmt.Errorf("read a record: %w", err)
		}
		what := orders.KnowsNothing
		if r != nil {
			what = r.Knows(e.OrderID, n)
		}
		young := e.At.IsZero() || a.clock.Now().Sub(e.At) < a.Settings.PostTimeout+a.Settings.SettleWindow
		if what != orders.KnowsNothing || a.Rebuild || !young || try == rereads {
			return r, what, nil
		}
		pause(ctx, rereadPause)
	}
}

// leave notes a record that cannot be read: what else there is, is compared and restored.
func (a *auditor) leave(err error) {
	if !a.unread[err.Error()] {
		a.unread[err.Error()] = true
		a.Say("the orders of one record are not compared: %v", err)
	}
}

// ended advises on an order that its request's outcome does not name.
func ended(r *orders.Record) string {
	if r != nil && r.Outcome != nil && r.Outcome.Outcome != orders.Completed {
		return fmt.Sprintf("`publish replay %s` takes it in, and orders only what is missing then", r.Key)
	}
	return "give back the numbers that are not wanted"
}

// cost says what an order may cost, and what to do.
func cost(e bookEntry, then string) string {
	if e.Count == 0 {
		if phase, _ := orders.PhaseOf(e.Status, nil); phase == orders.Done {
			return "it holds no numbers and costs nothing"
		}
		return "it may still bring numbers: " + then
	}
	return fmt.Sprintf("its %d numbers may be billed every month: %s", e.Count, then)
}

// report hands a difference on, with what the list says of the order.
func (a *auditor) report(ctx context.Context, d Difference, e bookEntry) error {
	a.told[string(e.OrderID)] = true
	d.OrderID, d.CustomerOrderID, d.Status, d.Count = string(e.OrderID), e.CustomerOrderID, e.Status, e.Count
	if !e.At.IsZero() {
		at := e.At
		d.OrderedAt = &at
	}
	if costs := d.Kind == BandwidthOnly || d.Kind == AfterOutcome || d.Kind == Unasked; costs && !d.Restored && e.Count > 0 && a.numberReads < maxNumberReads {
		a.numberReads++
		_, numbers, _, err := a.books.order(ctx, e.OrderID)
		if err != nil {
			return err
		}
		d.Numbers = numbers
	}
	return a.Report(d)
}

// compareLedger compares the ledger's orders with Bandwidth's list: those that were placed in its time and do not stand
// in it are asked for, one by one.
func (a *auditor) compareLedger(ctx context.Context) error {
	since, until := a.Since, a.Until
	if since.IsZero() {
		since = a.clock.Now().AddDate(-listedYears, 0, 1)
	}
	if until.IsZero() {
		until = a.clock.Now()
	}
	var failed error
	err := a.store.Recent(ctx, func(r *orders.Record, err error) bool {
		if err != nil {
			a.leave(fmt.Errorf("read a record: %w", err))
			return true
		}
		if r.WrittenAt.Before(since) {
			return false // and so are all before it
		}
		failed = a.compareRecord(ctx, r, since, until)
		return failed == nil
	})
	return errors.Join(failed, err)
}

// compareRecord compares the orders of one record that were placed between two times. What is so young that it may be
// listed late is not missed. A port-in is no order of Bandwidth's list, and cannot be read as one.
func (a *auditor) compareRecord(ctx context.Context, r *orders.Record, since, until time.Time) error {
	if r.Kind == orders.PortIn {
		return nil
	}
	settled := a.clock.Now().Add(-a.Settings.PostTimeout - a.Settings.SettleWindow)
	counted := false
	for _, p := range r.Placed() {
		if p.At.Before(since) || p.At.After(until) {
			continue
		}
		if !counted {
			counted = true
			a.summary.Records++
		}
		if a.booked[string(p.OrderID)] || p.At.After(settled) {
			continue
		}
		_, _, exists, err := a.books.order(ctx, p.OrderID)
		if err != nil {
			return err
		}
		if exists {
			a.summary.Unlisted++
			continue
		}
		a.summary.LedgerOnly++
		at := p.At
		d := Difference{
			Kind: LedgerOnly, OrderID: string(p.OrderID), CustomerOrderID: p.CustomerOrderID, Key: string(r.Key), RequestID: r.RequestID, Tenant: r.Tenant,
			Status: p.Status, Count: len(p.Numbers), Numbers: slices.Clone(p.Numbers), OrderedAt: &at,
			Text:   "the ledger follows it, and Bandwidth has no order with this id on the account",
			Advice: "look at the account's orders in Bandwidth's dashboard: the worker may have run with another account; an order that waits for it never ends",
		}
		if err := a.Report(d); err != nil {
			return err
		}
	}
	return nil
}
