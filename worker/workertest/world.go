// Package workertest runs real workers for tests: an embedded NATS server, a simulated Bandwidth, and workers that go
// through the whole pipeline.
package workertest

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/orders"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
)

// Credentials that the simulator of a world takes.
const (
	Username = "apiuser"
	Password = "apipassword"
)

// World is a broker, a vendor and the events that go by. [Start] makes one, and its test ends it.
type World struct {
	t     testing.TB
	NATS  *broker.Embedded
	Conn  *nats.Conn
	JS    jetstream.JetStream
	Bus   *bus.Client
	Names messages.Names
	Sim   *bwfake.Running
	Log   *logrus.Entry

	mu      sync.Mutex
	events  []messages.Event
	changed chan struct{}
}

// Options of a world. The zero value is ready.
type Options struct {
	Sim bwfake.Options
	// Sync is the broker's sync interval; zero means two minutes, for speed. Negative means each write.
	Sync time.Duration
	// Log takes the log; nil means none.
	Log io.Writer
	// NoEvents does not take note of events, for benchmarks.
	NoEvents bool
}

// Settings are durations for tests that wait in real time.
func Settings() orders.Settings {
	s := orders.DefaultSettings()
	s.PostTimeout, s.SettleWindow = 2*time.Second, 4*time.Second
	s.PollMinInterval, s.PollMaxInterval, s.PollBackorderInterval = 50*time.Millisecond, time.Second, time.Second
	s.Lease = time.Second
	return s
}

// Start makes a world. It ends with the test.
func Start(t testing.TB, o Options) *World {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	if o.Log != nil {
		logger.SetOutput(o.Log)
		logger.SetLevel(logrus.DebugLevel)
	}
	w := &World{t: t, Log: logrus.NewEntry(logger), changed: make(chan struct{})}
	if o.Sim.Username == "" {
		o.Sim.Username, o.Sim.Password = Username, Password
	}
	sync := o.Sync
	switch {
	case sync == 0:
		sync = 2 * time.Minute
	case sync < 0:
		sync = 0
	}
	var err error
	if w.Sim, err = bwfake.Start(o.Sim, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Sim.Close() })
	if w.NATS, err = broker.StartEmbedded(broker.EmbeddedOptions{Listen: "127.0.0.1:0", StoreDir: t.TempDir(), SyncInterval: sync, Log: w.Log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.NATS.Shutdown)
	if w.Conn, err = nats.Connect(w.NATS.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Conn.Close)
	if w.JS, err = jetstream.New(w.Conn); err != nil {
		t.Fatal(err)
	}
	if w.Bus, err = bus.New(w.Conn, messages.DefaultPrefix); err != nil {
		t.Fatal(err)
	}
	w.Names = w.Bus.Names()
	layout := broker.Layout{Names: w.Names, EventsMaxAge: 720 * time.Hour, AckWait: 2 * time.Second, Manage: true}
	if err := broker.Ensure(t.Context(), w.JS, layout); err != nil {
		t.Fatal(err)
	}
	if !o.NoEvents {
		w.collect()
	}
	return w
}

// collect takes note of every event.
func (w *World) collect() {
	consumer, err := w.JS.OrderedConsumer(w.t.Context(), w.Names.EventsStream(), jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		w.t.Fatal(err)
	}
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		var e messages.Event
		if err := json.Unmarshal(msg.Data(), &e); err != nil {
			w.t.Errorf("event on %s: %v", msg.Subject(), err)
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
		close(w.changed)
		w.changed = make(chan struct{})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(consuming.Stop)
}

// Client returns a client of the world's vendor.
func (w *World) Client() *bwclient.Client {
	w.t.Helper()
	c, err := bwclient.New(bwclient.Config{AccountID: "20902288", BaseURL: w.Sim.URL, Auth: bwclient.Basic(Username, Password)})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// WorkerOptions returns options for a worker in this world.
func (w *World) WorkerOptions() worker.Options {
	return worker.Options{
		Conn: w.Conn, Client: w.Client(), Prefix: messages.DefaultPrefix, Account: "20902288", Site: "1234", Peer: "234222",
		OrderNamePrefix: "East coast Kazoo", Provisioning: true, Settings: Settings(), AckWait: 2 * time.Second,
		Concurrency: 64, EventsMaxAge: 720 * time.Hour, ManageStreams: true,
		Metrics: worker.NewMetrics(prometheus.NewRegistry()), Log: w.Log,
	}
}

// Work starts a worker and returns what stops it. change, unless nil, changes its options.
func (w *World) Work(change func(*worker.Options)) (stop func()) {
	w.t.Helper()
	_, stop = w.Worker(change)
	return stop
}

// Worker is [World.Work] that also returns the worker.
func (w *World) Worker(change func(*worker.Options)) (*worker.Worker, func()) {
	w.t.Helper()
	o := w.WorkerOptions()
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	running, err := worker.New(ctx, o)
	if err != nil {
		cancel()
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := running.Run(ctx); err != nil {
			w.t.Errorf("worker: %v", err)
		}
	}()
	stop := sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return running, stop
}

// Provision publishes a provision request of numbers and returns its order's key.
func (w *World) Provision(requestID string, numbers ...string) string {
	w.t.Helper()
	receipt, err := w.Bus.Publish(w.t.Context(), messages.Provision, &messages.Request{RequestID: requestID, Numbers: numbers})
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt.Key
}

// Send publishes a raw body to a subject and waits for the ack.
func (w *World) Send(subject string, body []byte, header nats.Header) uint64 {
	w.t.Helper()
	ack, err := w.JS.PublishMsg(w.t.Context(), &nats.Msg{Subject: subject, Data: body, Header: header})
	if err != nil {
		w.t.Fatal(err)
	}
	return ack.Sequence
}

// Events returns the events that went by.
func (w *World) Events() []messages.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]messages.Event(nil), w.events...)
}

// waitLimit bounds every wait of a test.
const waitLimit = 60 * time.Second

// Await returns the first n events that fit, and fails the test when they do not come.
func (w *World) Await(n int, what string, fits func(messages.Event) bool) []messages.Event {
	w.t.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		w.mu.Lock()
		var found []messages.Event
		for _, e := range w.events {
			if fits(e) {
				found = append(found, e)
			}
		}
		changed := w.changed
		w.mu.Unlock()
		if len(found) >= n {
			return found
		}
		select {
		case <-changed:
		case <-limit.C:
			w.t.Fatalf("waiting for %s: %d of %d events came; events so far: %v", what, len(found), n, summary(w.Events()))
		}
	}
}

func summary(events []messages.Event) []string {
	var out []string
	for _, e := range events[max(0, len(events)-20):] {
		out = append(out, e.EventID+" "+string(e.Reason))
	}
	return out
}

// Final returns the final event of an order's generation.
func (w *World) Final(key string, generation int) messages.Event {
	w.t.Helper()
	return w.Await(1, "the end of order "+key, func(e messages.Event) bool {
		return e.Key == key && e.Generation == generation && e.Outcome.Final()
	})[0]
}

// Letters returns the dead letters that are there now.
func (w *World) Letters() []bus.Letter {
	w.t.Helper()
	var out []bus.Letter
	for l, err := range w.Bus.Letters(w.t.Context(), bus.Filter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}
