// Package worker is the bus side of the program: it takes requests and ticks from NATS, drives orders through package
// orders, and publishes events and dead letters. Beside it: ledger (the orders' store on NATS), broker (streams,
// buckets, timers, the embedded server) and config.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/ledger"
)

// Options configure a [Worker]. All are required but those that say otherwise.
type Options struct {
	Conn   *nats.Conn
	Client *bwclient.Client
	// Prefix is the subject prefix.
	Prefix string
	// Account, Site and Peer are the account at Bandwidth and what a request's site_id and sip_peer default to.
	Account, Site, Peer string
	// OrderNamePrefix stands in front of every order's name.
	OrderNamePrefix string
	// Sandbox: pretend; buy nothing. It wins over everything.
	Sandbox bool
	// Provisioning: purchases are enabled.
	Provisioning bool
	// CarrierDisabled: Kazoo's carrier_modules was given and lacks this carrier.
	CarrierDisabled bool
	// PortInModule is the carrier module that ported numbers are registered with, Kazoo's port_in_module_name; empty means
	// knm_local.
	PortInModule string
	// Settings are the durations; zero fields are not defaulted.
	Settings orders.Settings
	// AckWait is the lease on a message.
	AckWait time.Duration
	// LedgerGuard is how long a new ledger looks at Bandwidth before a first purchase (P33); 0 for never.
	LedgerGuard time.Duration
	// MaxSearchQuantity is the most that a search may ask for; zero means 500.
	MaxSearchQuantity int
	// SearchTime is how long a search is tried; zero means a minute.
	SearchTime time.Duration
	// ProbeEvery is how often one order tries whether Bandwidth takes orders again that it refused for the credentials'
	// or the account's sake; zero means half a minute.
	ProbeEvery time.Duration
	// Concurrency is how many orders are worked on at once, each for requests and for ticks.
	Concurrency int
	// RequestsPerSecond bounds the calls to Bandwidth, of orders, of reads and of searches each; 0 for no bound.
	RequestsPerSecond float64
	Replicas          int
	EventsMaxAge      time.Duration
	// ManageStreams creates and updates streams and buckets; without it they are only checked.
	ManageStreams bool
	Metrics       *Metrics
	Log           *logrus.Entry
}

// Worker takes requests and drives orders. [New] makes one; [Worker.Run] runs it.
type Worker struct {
	name    string
	conn    *nats.Conn
	js      jetstream.JetStream
	names   messages.Names
	clock   *orders.ServerClock
	driver  *orders.Driver
	control *Control
	rescuer *rescuer
	metrics *Metrics
	log     *logrus.Entry

	account, site, peer string
	sandbox             bool
	portInModule        string
	consumers           []*consumer
	store               *ledger.Ledger
	client              *bwclient.Client
	searcher            *searcher
	calls               chan struct{}   // bounds the endpoints' calls to Bandwidth
	serving             context.Context // ends when the worker stops
	stopServing         context.CancelFunc
	numbers             *ledger.Numbers
	lostAt              time.Time // when this ledger took the place of a lost one, as far as can be told; zero for never
	stopWatching        context.CancelFunc
	stopping            atomic.Bool
	// life ends with the worker; waking are its goroutines that send ticks after a pause.
	life   context.Context
	waking sync.WaitGroup
}

// ensureTimeout bounds the set-up of streams and buckets.
const ensureTimeout = 60 * time.Second

// ensureTry bounds one try at it: a cluster without a leader may not answer at all.
const ensureTry = 10 * time.Second

// New sets up what the worker needs on the bus and returns a worker that has not begun to take messages. It blocks
// until the fleet's pauses are known.
func New(ctx context.Context, o Options) (*Worker, error) {
	names, err := messages.NewNames(o.Prefix)
	if err != nil {
		return nil, err
	}
	namer, err := orders.NewNamer(o.OrderNamePrefix)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(o.Conn, jetstream.WithPublishAsyncMaxPending(4096))
	if err != nil {
		return nil, fmt.Errorf("JetStream: %w", err)
	}
	setup, cancel := context.WithTimeout(ctx, ensureTimeout)
	defer cancel()
	layout := broker.Layout{Names: names, Replicas: o.Replicas, EventsMaxAge: o.EventsMaxAge, AckWait: o.AckWait, Manage: o.ManageStreams}
	if err := ensure(setup, js, layout, o.Log); err != nil {
		return nil, err
	}
	records, err := js.KeyValue(setup, names.OrdersBucket())
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", names.OrdersBucket(), err)
	}
	open, err := js.KeyValue(setup, names.OpenBucket())
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", names.OpenBucket(), err)
	}
	numbers, err := js.KeyValue(setup, names.NumbersBucket())
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", names.NumbersBucket(), err)
	}
	controlBucket, err := js.KeyValue(setup, names.ControlBucket())
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", names.ControlBucket(), err)
	}
	ledgerStream, err := js.Stream(setup, "KV_"+names.OrdersBucket())
	if err != nil {
		return nil, fmt.Errorf("the ledger's stream: %w", err)
	}
	created := ledgerStream.CachedInfo().Created
	requests, err := js.Stream(setup, names.RequestsStream())
	if err != nil {
		return nil, fmt.Errorf("the stream %s: %w", names.RequestsStream(), err)
	}

	clock := new(orders.ServerClock)
	clock.Observe(ledgerStream.CachedInfo().TimeStamp)
	name := "worker-" + uuid.NewString()[:8]
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	control, err := NewControl(watching, controlBucket, clock, name, cmp.Or(o.ProbeEvery, defaultProbeEvery), o.Log)
	if err != nil {
		stopWatching()
		return nil, err
	}
	w := &Worker{
		name: name, conn: o.Conn, js: js, names: names, clock: clock, control: control, metrics: o.Metrics, log: o.Log,
		account: o.Account, site: o.Site, peer: o.Peer, sandbox: o.Sandbox, portInModule: cmp.Or(o.PortInModule, "knm_local"), store: ledger.New(records, open), numbers: ledger.NewNumbers(numbers), stopWatching: stopWatching, life: watching,
		client: o.Client, calls: make(chan struct{}, endpointCalls),
	}
	if err := w.store.Recognize(setup); err != nil {
		stopWatching()
		return nil, err
	}
	if created.Sub(requests.CachedInfo().Created) > setupTime {
		w.lostAt = created // requests were taken before there was this ledger: another one is gone
	}
	o.Metrics.audit.control.Store(control)
	w.serving, w.stopServing = context.WithCancel(watching)
	w.searcher = newSearcher(o, control, clock)
	w.driver = &orders.Driver{
		Store: w.store, Index: w.store, Registry: w.numbers, Bus: w, Clock: clock, Settings: o.Settings, Names: namer,
		Carrier: &carrier{
			client: o.Client, control: control, clock: clock, site: o.Site, sandbox: o.Sandbox, metrics: o.Metrics, searcher: w.searcher,
			writes: newPace(o.RequestsPerSecond), reads: newPace(o.RequestsPerSecond),
		},
		Conditions: func() orders.Conditions {
			return orders.Conditions{
				Sandbox: o.Sandbox, Provisioning: o.Provisioning, CarrierDisabled: o.CarrierDisabled,
				OrdersHeldUntil: control.HeldUntil(GroupOrder), ReadsHeldUntil: control.HeldUntil(GroupHistory), ReleasesHeldUntil: control.HeldUntil(GroupDisconnect),
				PortInsHeldUntil: control.HeldUntil(GroupPortIn), OrdersRefused: control.Refusing(GroupOrder),
				YoungLedger: o.LedgerGuard > 0 && clock.Now().Sub(created) < o.LedgerGuard || w.doubting(o.LedgerGuard),
				DoubtedAt:   w.doubted(),
			}
		},
		Token: uuid.NewString,
		Log:   o.Log,
	}
	w.rescuer = &rescuer{
		names: names, js: js, index: w.store, control: controlBucket, clock: clock, grace: 2 * max(o.Settings.Lease, o.AckWait),
		name: name, log: o.Log, rescued: o.Metrics.rescued,
	}
	for _, c := range []struct {
		name, stream string
		handle       func(context.Context, jetstream.Msg) disposition
	}{
		{messages.WorkersConsumer, names.RequestsStream(), w.request},
		{messages.TimersConsumer, names.TimersStream(), w.tick},
	} {
		source, err := js.Consumer(setup, c.stream, c.name)
		if err != nil {
			stopWatching()
			return nil, fmt.Errorf("the consumer %s: %w", c.name, err)
		}
		w.consumers = append(w.consumers, &consumer{
			name: c.name, source: source, slots: o.Concurrency, ackWait: o.AckWait, handle: c.handle, log: o.Log,
			observed: func(d disposition) { o.Metrics.messages.WithLabelValues(c.name, d.verb.String()).Inc() },
		})
	}
	return w, nil
}

// ensure sets up the bus. It tries again while the servers are still finding together.
func ensure(ctx context.Context, js jetstream.JetStream, layout broker.Layout, log *logrus.Entry) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		try, cancel := context.WithTimeout(ctx, ensureTry)
		err := broker.Ensure(try, js, layout)
		cancel()
		if err == nil || ctx.Err() != nil || !broker.Passing(err) {
			return err
		}
		log.WithError(err).Warn("JetStream is not ready; trying again")
		pause(ctx, wait)
	}
}

// Run takes messages until ctx is done, then finishes the steps in hand and returns. What is not finished then is
// found again by its message or its timer.
func (w *Worker) Run(ctx context.Context) error {
	defer w.waking.Wait()
	defer w.stopWatching()
	service, err := w.serve()
	if err != nil {
		return fmt.Errorf("the micro service: %w", err)
	}
	var running sync.WaitGroup
	for _, c := range w.consumers {
		running.Go(func() { c.run(ctx) })
	}
	running.Go(func() { w.rescuer.run(ctx) })
	running.Go(func() { w.recognize(ctx) })
	w.log.WithField("worker", w.name).Info("taking requests")
	<-ctx.Done()
	w.stopping.Store(true)
	w.log.Info("stopping: the steps in hand are finished first")
	w.stopServing()
	running.Wait()
	err = service.Stop()
	for range cap(w.calls) { // until the endpoints' last questions are answered
		w.calls <- struct{}{}
	}
	select {
	case <-w.js.PublishAsyncComplete(): // the intermediate events on their way
	case <-time.After(publishTimeout):
		err = errors.Join(err, errors.New("some intermediate events were not published in time"))
	}
	return err
}

// serve starts the micro service.
func (w *Worker) serve() (micro.Service, error) {
	service, err := micro.AddService(w.conn, micro.Config{
		Name: w.names.Service(), Version: "1.0.0", Description: "orders of telephone numbers at Bandwidth",
	})
	if err != nil {
		return nil, err
	}
	for name, handler := range w.endpoints() {
		if err := service.AddEndpoint(name, handler, micro.WithEndpointSubject(w.names.API(name))); err != nil {
			return nil, errors.Join(err, service.Stop())
		}
	}
	return service, nil
}

// Hold pauses a group of calls for the whole fleet on an operator's behalf, until [Worker.Resume].
func (w *Worker) Hold(ctx context.Context, group Group, why, by string) error {
	return w.control.Hold(ctx, group, why, by)
}

// Rescue looks once for unfinished orders without a timer, sends each a tick, and returns how many it sent (P6).
func (w *Worker) Rescue(ctx context.Context) (int, error) { return w.rescuer.runOnce(ctx) }
