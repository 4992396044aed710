package bus_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker/broker"
)

const (
	number = "+19195551234"
	// limit bounds every wait; a test that meets it has failed.
	limit = 30 * time.Second
)

// world is an embedded NATS server with the workers' streams, and no worker: the tests publish its events.
type world struct {
	t     *testing.T
	dir   string
	nats  *broker.Embedded
	nc    *nats.Conn // the client's own
	js    jetstream.JetStream
	bus   *bus.Client
	names messages.Names
}

// start starts a server; it ends with the test.
func start(t *testing.T) *world {
	t.Helper()
	w := startEmpty(t)
	layout := broker.Layout{Names: w.names, EventsMaxAge: time.Hour, AckWait: 30 * time.Second, Manage: true}
	if err := broker.Ensure(t.Context(), w.js, layout); err != nil {
		t.Fatal(err)
	}
	return w
}

// startEmpty is start without the streams.
func startEmpty(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.serve("127.0.0.1:0")
	t.Cleanup(func() { w.nats.Shutdown() })
	w.nc = w.connect(50 * time.Millisecond)
	var err error
	if w.js, err = jetstream.New(w.nc); err != nil {
		t.Fatal(err)
	}
	if w.bus, err = bus.New(w.nc, ""); err != nil {
		t.Fatal(err)
	}
	w.names = w.bus.Names()
	return w
}

func (w *world) serve(listen string) {
	w.t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	var err error
	w.nats, err = broker.StartEmbedded(broker.EmbeddedOptions{Listen: listen, StoreDir: w.dir, SyncInterval: 2 * time.Minute, Log: logrus.NewEntry(log)})
	if err != nil {
		w.t.Fatal(err)
	}
}

// connect opens a connection that comes back after a wait whenever it is lost.
func (w *world) connect(reconnect time.Duration) *nats.Conn {
	w.t.Helper()
	nc, err := nats.Connect(w.nats.URL, nats.MaxReconnects(-1), nats.ReconnectWait(reconnect), nats.ReconnectJitter(0, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

// stop stops the server; restart brings it back at the same place with what it had stored.
func (w *world) stop() { w.nats.Shutdown() }

func (w *world) restart() {
	w.t.Helper()
	w.serve(strings.TrimPrefix(w.nats.URL, "nats://"))
}

// publish publishes a body and waits for the ack.
func (w *world) publish(subject string, body []byte) uint64 {
	w.t.Helper()
	ack, err := w.js.Publish(w.t.Context(), subject, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return ack.Sequence
}

// emit publishes an event, as a worker does.
func (w *world) emit(e messages.Event) {
	w.t.Helper()
	body, err := json.Marshal(&e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.publish(w.names.Event(e.Kind, e.Outcome, e.Tenant, e.Key), body)
}

// event returns an event of a provision.
func event(key string, generation int, outcome messages.Outcome) messages.Event {
	return messages.Event{
		EventID: messages.EventID(key, generation, outcome, 1), Key: key, Generation: generation, Kind: messages.Provision, Outcome: outcome, Numbers: []string{},
	}
}

// post publishes a dead letter.
func (w *world) post(l messages.DeadLetter) uint64 {
	w.t.Helper()
	body, err := json.Marshal(&l)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.publish(w.names.DeadLetter(l.Kind, l.Reason, l.Tenant, l.Key), body)
}

// answer calls f for each request that is published, as a worker would be; sequence is its place in the queue.
func (w *world) answer(f func(msg jetstream.Msg, sequence uint64)) {
	w.t.Helper()
	consumer, err := w.js.Consumer(w.t.Context(), w.names.RequestsStream(), messages.WorkersConsumer)
	if err != nil {
		w.t.Fatal(err)
	}
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		meta, err := msg.Metadata()
		if err != nil {
			w.t.Error(err)
			return
		}
		f(msg, meta.Sequence.Stream)
		if err := msg.Ack(); err != nil {
			w.t.Error(err)
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { consuming.Stop(); <-consuming.Closed() })
}

// state returns a stream's state.
func (w *world) state(stream string) jetstream.StreamState {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State
}

// followers waits until so many followers read the events.
func (w *world) followers(n int) {
	w.t.Helper()
	await(w.t, "followers of the events", func() bool { return w.state(w.names.EventsStream()).Consumers == n })
}

// await waits for a condition that tells nobody when it changes.
func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waiting for %s: in vain", what)
		}
	}
}

// result is what a wait in the background came to.
type result struct {
	receipt bus.Receipt
	event   *messages.Event
	err     error
	seen    []string // the ids of the events on the way
}

// background runs a wait, and returns where its result comes.
func background(wait func(onEvent func(messages.Event)) (bus.Receipt, *messages.Event, error)) <-chan result {
	out := make(chan result, 1)
	go func() {
		var r result
		r.receipt, r.event, r.err = wait(func(e messages.Event) { r.seen = append(r.seen, e.EventID) })
		out <- r
	}()
	return out
}

// take takes what comes from a channel within the limit.
func take[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	select {
	case v := <-from:
		return v
	case <-ctx.Done():
		t.Fatalf("waiting for %s: in vain", what)
		panic("unreachable")
	}
}
