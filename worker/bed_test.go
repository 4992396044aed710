package worker

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
)

// bed is a worker that takes no messages by itself, on a real broker and a simulated vendor: tests hand it one message
// at a time and see what it decides.
type bed struct {
	*Worker
	t   *testing.T
	sim *bwfake.Running
}

const (
	bedNumber  = "+19195551234"
	bedTimeout = 20 * time.Second
)

func newBed(t *testing.T, change func(*Options)) *bed {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	log := logrus.NewEntry(logger)
	sim, err := bwfake.Start(bwfake.Options{Username: "u", Password: "p", ClientID: "id", ClientSecret: "secret"}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	e, err := broker.StartEmbedded(broker.EmbeddedOptions{Listen: "127.0.0.1:0", StoreDir: t.TempDir(), SyncInterval: 2 * time.Minute, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	conn, err := nats.Connect(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	settings := orders.DefaultSettings()
	settings.PostTimeout, settings.SettleWindow, settings.PollMinInterval = 2*time.Second, 4*time.Second, 50*time.Millisecond
	o := Options{
		Conn: conn, Client: bedClient(t, sim.URL, bwclient.Basic("u", "p")), Prefix: messages.DefaultPrefix, Account: "20902288", Site: "1234", Peer: "234222",
		OrderNamePrefix: "East coast Kazoo", Provisioning: true, Settings: settings, AckWait: 2 * time.Second, Concurrency: 4,
		EventsMaxAge: time.Hour, ManageStreams: true, Metrics: NewMetrics(prometheus.NewRegistry()), Log: log,
	}
	if change != nil {
		change(&o)
	}
	w, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stopWatching)
	return &bed{Worker: w, t: t, sim: sim}
}

func bedClient(t *testing.T, url string, auth bwclient.Auth) *bwclient.Client {
	t.Helper()
	c, err := bwclient.New(bwclient.Config{AccountID: "20902288", BaseURL: url, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bed) carrier() *carrier { return b.driver.Carrier.(*carrier) }

// deliver publishes a message and hands it to a handler as the consumer would; it returns what the handler decides.
func (b *bed) deliver(stream, consumer string, msg *nats.Msg, handle func(context.Context, jetstream.Msg) disposition) disposition {
	b.t.Helper()
	if _, err := b.js.PublishMsg(b.t.Context(), msg); err != nil {
		b.t.Fatal(err)
	}
	c, err := b.js.Consumer(b.t.Context(), stream, consumer)
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := c.Next(jetstream.FetchMaxWait(bedTimeout))
	if err != nil {
		b.t.Fatal(err)
	}
	return handle(b.t.Context(), got)
}

func (b *bed) requested(body string, replayOf string) disposition {
	msg := nats.NewMsg(b.names.Request(messages.Provision, ""))
	msg.Data = []byte(body)
	if replayOf != "" {
		msg.Header.Set(messages.HeaderReplayOf, replayOf)
	}
	return b.deliver(b.names.RequestsStream(), messages.WorkersConsumer, msg, b.request)
}

func (b *bed) ticked(key string, body string) disposition {
	msg := nats.NewMsg(b.names.Due(key))
	msg.Data = []byte(body)
	return b.deliver(b.names.TimersStream(), messages.TimersConsumer, msg, b.tick)
}

const bedBody = `{"request_id":"r1","numbers":["` + bedNumber + `"]}`

// timer returns the body of an order's timer; empty for none.
func (b *bed) timer(key string) string {
	stream, err := b.js.Stream(b.t.Context(), b.names.TimersStream())
	if err != nil {
		b.t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(b.t.Context(), b.names.Timer(key))
	if err != nil {
		return ""
	}
	return string(msg.Data)
}

// event returns the last event of an outcome; its message id must be its own.
func (b *bed) event(outcome messages.Outcome, tenant, key string) (e messages.Event) {
	b.t.Helper()
	s, err := b.js.Stream(b.t.Context(), b.names.EventsStream())
	if err != nil {
		b.t.Fatal(err)
	}
	msg, err := s.GetLastMsgForSubject(b.t.Context(), b.names.Event(messages.Provision, outcome, tenant, key))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(msg.Data, &e); err != nil {
		b.t.Fatal(err)
	}
	if msg.Header.Get(jetstream.MsgIDHeader) != e.EventID {
		b.t.Errorf("event %s has the message id %s", e.EventID, msg.Header.Get(jetstream.MsgIDHeader))
	}
	return e
}
