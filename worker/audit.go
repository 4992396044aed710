package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/ledger"
)

// An audit compares Bandwidth's own list of orders with the ledger, both ways. It reads page by page and record by
// record, and keeps nothing but the ids of our orders in the list. With Rebuild it takes into the ledger what the
// ledger lacks:
//
//	crash or lost reply           what is left, and what happens then
//	before the fleet is told      nothing
//	among the orders              some of them are restored, each by one write; the fleet buys nothing for what may be
//	                              lost until the settle window after the last page is over. Run it again.
//	between the two passes        the same; what was on its way when the ledger was lost may not be restored
//	before the last word          all is restored; the fleet waits one settle window longer than it must

// AuditOptions configure an audit. All are required but those that say otherwise.
type AuditOptions struct {
	Conn   *nats.Conn
	Client *bwclient.Client
	Prefix string
	// OrderNamePrefix tells our orders at Bandwidth from others.
	OrderNamePrefix string
	// Site is the configured one, which Bandwidth's list of sites must hold; empty for any.
	Site string
	// Since and Until bound when the orders were made. Zero for none; Bandwidth lists two years.
	Since, Until time.Time
	// Keep stores the summary for the workers' metrics.
	Keep bool
	// Rebuild restores what the ledger lacks, the ledger itself included.
	Rebuild bool
	// Layout is what a rebuild makes where it is missing.
	Layout   broker.Layout
	Settings orders.Settings
	// RequestsPerSecond bounds the calls to Bandwidth; 0 for no bound.
	RequestsPerSecond float64
	// Report takes each difference as it is found. An error of its ends the audit.
	Report func(Difference) error
	// Say takes what the audit waits for, for whoever watches it.
	Say func(format string, args ...any)
	Log *logrus.Entry
}

// ErrNoLedger says that there is no ledger to compare with: it is lost, or no worker has run yet.
var ErrNoLedger = errors.New("there is no ledger on this NATS server: if there was one, it is lost, and `worker audit --rebuild` restores it from Bandwidth's list")

// maxBooked bounds the ids of our orders that one audit remembers.
const maxBooked = 2_000_000

// auditor is an audit under way.
type auditor struct {
	AuditOptions
	names   orders.Namer
	store   *ledger.Ledger
	control *Control
	clock   *orders.ServerClock
	books   *vendorBooks
	builder *orders.Rebuilder
	booked  map[string]bool // ids of our orders in Bandwidth's list
	told    map[string]bool // ids that were reported: a rebuild reads some pages twice
	summary AuditSummary
	// begun is when the fleet was told of a rebuild, by the server's clock. From then on it is told again and again, until
	// release is called.
	begun   time.Time
	release func()
	// name tells this rebuild from others.
	name string
	// fail ends the audit with an error.
	fail context.CancelCauseFunc
	// unread are the records that cannot be read, by what is wrong with them.
	unread map[string]bool
	// listed counts the entries that were read of the list, ours those with a customer order id of ours.
	listed, ours int
	// numberReads counts the orders whose numbers were read for the report.
	numberReads int
}

// Audit compares Bandwidth's orders with the ledger, and restores what the ledger lacks if it is asked to. It blocks
// until both have been read to their end; a rebuild as well until what was on its way has settled and was read, which
// takes post_timeout and settle_window. It may run while workers do, and may be repeated. An error means that the comparison is not complete.
func Audit(ctx context.Context, o AuditOptions) (AuditSummary, error) {
	a := &auditor{AuditOptions: o, clock: new(orders.ServerClock), booked: map[string]bool{}, told: map[string]bool{}, unread: map[string]bool{}, name: uuid.NewString()[:8], release: func() {}}
	ctx, a.fail = context.WithCancelCause(ctx)
	defer a.fail(nil) // ends the watching of the control bucket
	defer func() { a.release() }()
	if err := a.open(ctx); err != nil {
		return AuditSummary{}, err
	}
	a.summary = AuditSummary{Since: o.Since.UTC(), Until: o.Until.UTC(), Rebuild: o.Rebuild}
	if err := a.books.certain(ctx); err != nil {
		return AuditSummary{}, err
	}
	if err := a.list(ctx, o.Since, o.Until); err != nil {
		return AuditSummary{}, err
	}
	if o.Rebuild {
		if a.listed > 0 && a.ours == 0 && a.summary.Orders == 0 {
			return AuditSummary{}, fmt.Errorf("the list at Bandwidth has %d orders and none of the order_name_prefix %s: nothing was restored; run the rebuild with the prefix under which the orders were made", a.listed, o.OrderNamePrefix)
		}
		if err := a.settle(ctx); err != nil {
			return AuditSummary{}, err
		}
		if a.listed == 0 && o.Since.IsZero() && o.Until.IsZero() {
			return AuditSummary{}, errors.New("the list at Bandwidth has no orders, so nothing was restored: if the account has some, its list is not to be had now; run the rebuild again")
		}
	}
	if err := a.compareLedger(ctx); err != nil {
		return AuditSummary{}, err
	}
	if err := a.believable(); err != nil {
		return AuditSummary{}, err
	}
	if n := len(a.unread); n > 0 {
		return AuditSummary{}, fmt.Errorf("%d records of the ledger cannot be read, and their orders were not compared: run this of the workers' latest version; a record that none can read is deleted by hand, and restored by `worker audit --rebuild`", n)
	}
	a.summary.At = a.clock.Now()
	if !o.Keep {
		return a.summary, nil
	}
	return a.summary, a.control.keepAudit(ctx, a.summary)
}

// open opens the ledger and the control bucket. A rebuild tells the fleet first, and makes what is missing after that.
func (a *auditor) open(ctx context.Context) error {
	names, err := messages.NewNames(a.Prefix)
	if err != nil {
		return err
	}
	if a.names, err = orders.NewNamer(a.OrderNamePrefix); err != nil {
		return err
	}
	js, err := jetstream.New(a.Conn)
	if err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	a.Layout.Names = names
	bucket := func(name string) (jetstream.KeyValue, error) {
		kv, err := js.KeyValue(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrBucketNotFound):
			return nil, fmt.Errorf("the bucket %s is missing: %w", name, ErrNoLedger)
		case err != nil:
			return nil, fmt.Errorf("the bucket %s: %w", name, err)
		}
		return kv, nil
	}
	if a.Rebuild {
		// A worker that runs on must know before there is a ledger again that it can write to.
		if kv, err := js.KeyValue(ctx, names.ControlBucket()); err == nil {
			if err := a.openControl(ctx, js, kv, names); err != nil {
				return err
			}
			if err := a.begin(ctx); err != nil {
				return err
			}
			pause(ctx, spread)
		}
		if err := ensure(ctx, js, a.Layout, a.Log); err != nil {
			return err
		}
	}
	records, err := bucket(names.OrdersBucket())
	if err != nil {
		return err
	}
	open, err := bucket(names.OpenBucket())
	if err != nil {
		return err
	}
	a.store = ledger.New(records, open)
	if a.control == nil {
		kv, err := bucket(names.ControlBucket())
		if err != nil {
			return err
		}
		if err := a.openControl(ctx, js, kv, names); err != nil {
			return err
		}
		if a.Rebuild {
			if err := a.begin(ctx); err != nil {
				return err
			}
		}
	}
	a.books = &vendorBooks{client: a.Client, control: a.control, clock: a.clock, reads: newPace(a.RequestsPerSecond), site: a.Site, say: a.Say}
	a.builder = &orders.Rebuilder{Store: ledger.Renewed{Ledger: a.store}, Names: a.names, Settings: a.Settings, Clock: a.clock}
	return nil
}

// spread is how long the fleet may take to see what was written to the control bucket.
const spread = time.Second

// openControl begins to watch the control bucket, which also tells the server's time.
func (a *auditor) openControl(ctx context.Context, js jetstream.JetStream, kv jetstream.KeyValue, names messages.Names) error {
	stream, err := js.Stream(ctx, "KV_"+names.ControlBucket())
	if err != nil {
		return fmt.Errorf("the bucket %s: %w", names.ControlBucket(), err)
	}
	a.clock.Observe(stream.CachedInfo().TimeStamp)
	a.control, err = NewControl(ctx, kv, a.clock, "audit", defaultProbeEvery, a.Log)
	return err
}

// begin tells the fleet that the ledger lacks orders, and goes on to do so beside the rebuild: a pause of the reads may
// last longer than the fleet waits.
func (a *auditor) begin(ctx context.Context) error {
	a.begun = a.clock.Now()
	if err := a.control.Doubt(ctx, a.name, a.begun); err != nil {
		return err
	}
	insisting, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.insist(insisting) })
	a.release = func() { stop(); running.Wait() }
	return nil
}

// insist tells the fleet until ctx is done. Where that fails for so long that the fleet may go on soon, it ends the
// rebuild.
func (a *auditor) insist(ctx context.Context) {
	hold := a.Settings.PostTimeout + a.Settings.SettleWindow
	for told := a.clock.Now(); ; {
		pause(ctx, max(hold/8, spread/10))
		err := a.control.Doubt(ctx, a.name, a.clock.Now())
		switch now := a.clock.Now(); {
		case ctx.Err() != nil:
			return
		case err == nil:
			told = now
		case now.Sub(told) > hold/2:
			a.fail(err)
			return
		}
	}
}

// list reads Bandwidth's list and compares each of our orders with the ledger.
func (a *auditor) list(ctx context.Context, since, until time.Time) error {
	from, to := since, until
	if !from.IsZero() || !to.IsZero() {
		if !to.IsZero() {
			to = to.AddDate(0, 0, 1)
		}
		if from.IsZero() {
			from = a.clock.Now().AddDate(-listedYears, 0, 0)
		}
		from = from.AddDate(0, 0, -1) // which clock and which end of a day Bandwidth means is not documented
	}
	read, total, seen := 0, -1, map[string]bool{}
	for name := "1"; ; {
		p, err := a.books.page(ctx, name, from, to)
		if err != nil {
			return err
		}
		for _, e := range p.entries {
			a.listed++
			if _, _, ours := a.names.Parse(e.CustomerOrderID); ours {
				a.ours++
			}
			if err := a.compareOrder(ctx, e, since, until); err != nil {
				return err
			}
		}
		read += len(p.entries)
		total = max(total, p.total)
		seen[name] = true
		if p.next == "" || seen[p.next] {
			break
		}
		name = p.next
	}
	if total > read {
		return fmt.Errorf("the list at Bandwidth counts %d orders and lists %d: the comparison would not be complete; try again, or with dates that are closer together", total, read)
	}
	return nil
}

// believable refuses a list that cannot be the account's: it names none of our orders, and some exist there. Bandwidth
// answers a list without orders with 404, as it may answer a list that it does not give.
func (a *auditor) believable() error {
	if a.ours > 0 || a.summary.Orders > 0 || a.summary.Unlisted == 0 {
		return nil
	}
	return fmt.Errorf("the list at Bandwidth has %d orders between these dates and none of this order_name_prefix (%s), but %d of the ledger's that are on the account: what else it leaves out cannot be told; try again, and look whether order_name_prefix was changed",
		a.listed, a.OrderNamePrefix, a.summary.Unlisted)
}

// listedYears is how far back Bandwidth's list goes.
const listedYears = 2

// settle reads what was on its way when the fleet was told, once it has settled, and then lets the fleet go on.
func (a *auditor) settle(ctx context.Context) error {
	until := a.begun.Add(a.Settings.PostTimeout + a.Settings.SettleWindow)
	if wait := until.Sub(a.clock.Now()); wait > 0 {
		a.Say("waiting until %s for orders that were on their way when the ledger was lost; the workers buy nothing for them before", until.UTC().Format(time.TimeOnly))
	}
	for ctx.Err() == nil && a.clock.Now().Before(until) {
		pause(ctx, until.Sub(a.clock.Now()))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := a.list(ctx, a.begun.AddDate(0, 0, -1), time.Time{}); err != nil {
		return err
	}
	a.release()
	return a.control.Settle(ctx, a.name, a.begun)
}
