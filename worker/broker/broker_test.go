package broker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"bandwidthworker/messages"
)

func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

func embedded(t *testing.T, dir string) (*Embedded, jetstream.JetStream) {
	t.Helper()
	e, err := StartEmbedded(EmbeddedOptions{Listen: "127.0.0.1:0", StoreDir: dir, SyncInterval: 2 * time.Minute, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	nc, err := Connect(t.Context(), ConnectOptions{URL: e.URL, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return e, js
}

func layout(t *testing.T) Layout {
	names, err := messages.NewNames("bandwidth")
	if err != nil {
		t.Fatal(err)
	}
	return Layout{Names: names, Replicas: 1, EventsMaxAge: time.Hour, AckWait: 30 * time.Second, Manage: true}
}

func TestEnsureTwice(t *testing.T) {
	_, js := embedded(t, t.TempDir())
	l := layout(t)
	for range 2 {
		if err := Ensure(t.Context(), js, l); err != nil {
			t.Fatal(err)
		}
	}
	l.Manage = false
	if err := Ensure(t.Context(), js, l); err != nil {
		t.Errorf("what Ensure made does not pass its own check: %v", err)
	}
	l.Manage, l.EventsMaxAge, l.AckWait = true, 2*time.Hour, 40*time.Second
	if err := Ensure(t.Context(), js, l); err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), l.Names.EventsStream())
	if err != nil || s.CachedInfo().Config.MaxAge != 2*time.Hour {
		t.Errorf("the life of events was not made longer: %v, %v", s.CachedInfo().Config.MaxAge, err)
	}
	c, err := js.Consumer(t.Context(), l.Names.RequestsStream(), messages.WorkersConsumer)
	if err != nil || c.CachedInfo().Config.AckWait != 40*time.Second {
		t.Errorf("the lease was not changed: %v", err)
	}
	l.EventsMaxAge = time.Hour
	if err := Ensure(t.Context(), js, l); err != nil {
		t.Fatal(err)
	}
	if s, err = js.Stream(t.Context(), l.Names.EventsStream()); err != nil || s.CachedInfo().Config.MaxAge != 2*time.Hour {
		t.Errorf("what somebody widened was narrowed: %v, %v", s.CachedInfo().Config.MaxAge, err)
	}
}

func TestEnsureWithoutManaging(t *testing.T) {
	_, js := embedded(t, t.TempDir())
	l := layout(t)
	l.Manage = false
	if err := Ensure(t.Context(), js, l); err == nil || !strings.Contains(err.Error(), "BANDWIDTH_REQUESTS") || !strings.Contains(err.Error(), "manage_streams") {
		t.Errorf("missing streams: %v", err)
	}
}

// TestP39_Refusals: streams and buckets that would lose orders are refused, by name, setting and cure.
func TestP39_Refusals(t *testing.T) {
	l := layout(t)
	for _, c := range []struct {
		name   string
		make   func(ctx context.Context, js jetstream.JetStream) error
		phrase string
	}{
		{"requests with an age", stream(l, 0, func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour }), "max age"},
		{"requests that forget", stream(l, 0, func(s *jetstream.StreamConfig) { s.Discard = jetstream.DiscardOld }), "discard"},
		{"requests that are kept", stream(l, 0, func(s *jetstream.StreamConfig) { s.Retention = jetstream.LimitsPolicy }), "retention"},
		{"requests in memory", stream(l, 0, func(s *jetstream.StreamConfig) { s.Storage = jetstream.MemoryStorage }), "storage"},
		{"requests of one kind", stream(l, 0, func(s *jetstream.StreamConfig) { s.Subjects = []string{"bandwidth.v1.request.search"} }), "subjects"},
		{"timers with a limit", stream(l, 1, func(s *jetstream.StreamConfig) { s.MaxMsgs = 1000 }), "limit"},
		{"timers with one a subject", stream(l, 1, func(s *jetstream.StreamConfig) { s.MaxMsgsPerSubject = 1 }), "per subject"},
		{"timers that are kept", stream(l, 1, func(s *jetstream.StreamConfig) { s.Retention = jetstream.LimitsPolicy }), "retention"},
		{"timers without schedules", stream(l, 1, func(s *jetstream.StreamConfig) { s.AllowMsgSchedules = false }), "schedules"},
		{"dead letters with an age", stream(l, 3, func(s *jetstream.StreamConfig) { s.MaxAge = time.Hour * 48 }), "max age"},
		{"dead letters of bounded size", stream(l, 3, func(s *jetstream.StreamConfig) { s.MaxBytes = 1 << 20 }), "max bytes"},
		{"dead letters of bounded number", stream(l, 3, func(s *jetstream.StreamConfig) { s.MaxMsgs = 1000 }), "max messages"},
		{"timers of bounded size", stream(l, 1, func(s *jetstream.StreamConfig) { s.MaxBytes = 1 << 20 }), "limit"},
		{"a ledger of bounded size", bucket(l, 0, func(b *jetstream.KeyValueConfig) { b.MaxBytes = 1 << 30 }), "limit on its size"},
		{"an index of bounded size", bucket(l, 1, func(b *jetstream.KeyValueConfig) { b.MaxBytes = 1 << 20 }), "limit on its size"},
		{"a ledger with an age", bucket(l, 0, func(b *jetstream.KeyValueConfig) { b.TTL = time.Hour }), "time to live"},
		{"a ledger in memory", bucket(l, 0, func(b *jetstream.KeyValueConfig) { b.Storage = jetstream.MemoryStorage }), "storage"},
		{"a ledger of small values", bucket(l, 0, func(b *jetstream.KeyValueConfig) { b.MaxValueSize = 1000 }), "size of its values"},
		{"an index without markers", bucket(l, 1, func(b *jetstream.KeyValueConfig) { b.LimitMarkerTTL = 0 }), "marker"},
		{"a consumer that gives up", consumer(l, func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 5 }), "max deliver"},
		{"a consumer of some ticks", ticksConsumer(l, func(c *jetstream.ConsumerConfig) { c.FilterSubject = "bandwidth.v1.due.a" }), "filter"},
		{"a consumer with backoff", consumer(l, func(c *jetstream.ConsumerConfig) {
			c.BackOff = []time.Duration{time.Second, time.Minute}
			c.MaxDeliver = -1
		}), "backoff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, js := embedded(t, t.TempDir())
			if err := c.make(t.Context(), js); err != nil {
				t.Fatal(err)
			}
			err := Ensure(t.Context(), js, l)
			if err == nil || !strings.Contains(err.Error(), c.phrase) || !strings.Contains(err.Error(), "not safe") {
				t.Errorf("Ensure = %v, want a refusal that speaks of %q", err, c.phrase)
			}
		})
	}
}

func stream(l Layout, i int, change func(*jetstream.StreamConfig)) func(context.Context, jetstream.JetStream) error {
	return func(ctx context.Context, js jetstream.JetStream) error {
		config := l.streams()[i]
		change(&config)
		_, err := js.CreateStream(ctx, config)
		return err
	}
}

func bucket(l Layout, i int, change func(*jetstream.KeyValueConfig)) func(context.Context, jetstream.JetStream) error {
	return func(ctx context.Context, js jetstream.JetStream) error {
		config := l.buckets()[i]
		change(&config)
		_, err := js.CreateKeyValue(ctx, config)
		return err
	}
}

func consumer(l Layout, change func(*jetstream.ConsumerConfig)) func(context.Context, jetstream.JetStream) error {
	return func(ctx context.Context, js jetstream.JetStream) error {
		if _, err := js.CreateStream(ctx, l.streams()[0]); err != nil {
			return err
		}
		config := l.consumers()[l.Names.RequestsStream()]
		change(&config)
		_, err := js.CreateOrUpdateConsumer(ctx, l.Names.RequestsStream(), config)
		return err
	}
}

func ticksConsumer(l Layout, change func(*jetstream.ConsumerConfig)) func(context.Context, jetstream.JetStream) error {
	return func(ctx context.Context, js jetstream.JetStream) error {
		for _, config := range l.streams() {
			if _, err := js.CreateStream(ctx, config); err != nil {
				return err
			}
		}
		config := l.consumers()[l.Names.TimersStream()]
		change(&config)
		_, err := js.CreateOrUpdateConsumer(ctx, l.Names.TimersStream(), config)
		return err
	}
}

// ticks reads what comes on an order's due subject.
func ticks(t *testing.T, js jetstream.JetStream, names messages.Names) jetstream.Consumer {
	t.Helper()
	c, err := js.Consumer(t.Context(), names.TimersStream(), messages.TimersConsumer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func next(t *testing.T, c jetstream.Consumer) jetstream.Msg {
	t.Helper()
	msg, err := c.Next(jetstream.FetchMaxWait(20 * time.Second))
	if err != nil {
		t.Fatalf("no tick came: %v", err)
	}
	return msg
}

const key = "abcdefghijklmnopqrst"

// TestSchedule shows what the server does with timers: they fire on time with their body, replace one another on one
// subject, leave the stream when they have fired, fire at once when they are past, and survive a restart.
func TestSchedule(t *testing.T) {
	dir := t.TempDir()
	e, js := embedded(t, dir)
	l := layout(t)
	if err := Ensure(t.Context(), js, l); err != nil {
		t.Fatal(err)
	}
	names := l.Names
	subjects := func(js jetstream.JetStream) map[string]uint64 {
		s, err := js.Stream(t.Context(), names.TimersStream())
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Subjects
	}
	c := ticks(t, js, names)

	at := time.Now().Add(500 * time.Millisecond)
	if err := Schedule(t.Context(), js, names, key, time.Now().Add(time.Hour), 6); err != nil {
		t.Fatal(err)
	}
	if err := Schedule(t.Context(), js, names, key, at, 7); err != nil {
		t.Fatal(err)
	}
	if n := subjects(js)[names.Timer(key)]; n != 1 {
		t.Errorf("%d timers on one subject, want the second in place of the first", n)
	}
	msg := next(t, c)
	meta, err := msg.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if meta.Timestamp.Before(at) {
		t.Errorf("it fired %s early", at.Sub(meta.Timestamp))
	}
	if got := string(msg.Data()); got != `{"revision":7}` || msg.Subject() != names.Due(key) {
		t.Errorf("the tick is %s on %s", got, msg.Subject())
	}
	if n := subjects(js)[names.Timer(key)]; n != 0 {
		t.Errorf("%d timers are left after it fired", n)
	}
	if err := msg.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(subjects(js)); n != 0 {
		t.Errorf("%d subjects are left after the ack", n)
	}

	if err := Schedule(t.Context(), js, names, key, time.Now().Add(-time.Hour), 8); err != nil {
		t.Fatal(err)
	}
	if err := next(t, c).DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := Tick(t.Context(), js, names, key); err != nil {
		t.Fatal(err)
	}
	if err := next(t, c).DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}

	at = time.Now().Add(2 * time.Second)
	if err := Schedule(t.Context(), js, names, key, at, 9); err != nil {
		t.Fatal(err)
	}
	js.Conn().Close()
	e.Shutdown()
	_, js = embedded(t, dir)
	msg = next(t, ticks(t, js, names))
	if meta, err = msg.Metadata(); err != nil || meta.Timestamp.Before(at) || string(msg.Data()) != `{"revision":9}` {
		t.Errorf("after a restart the tick is %s, %v", msg.Data(), err)
	}
}

// TestP30_EachWriteIsSynced: a sync interval of 0 means that each write is synced before it is acked.
func TestP30_EachWriteIsSynced(t *testing.T) {
	for interval, always := range map[time.Duration]bool{0: true, time.Minute: false} {
		e, err := StartEmbedded(EmbeddedOptions{Listen: "127.0.0.1:0", StoreDir: t.TempDir(), SyncInterval: interval, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Shutdown)
		config := e.JetStreamConfig()
		if config == nil || config.SyncAlways != always {
			t.Errorf("with the interval %s the server is configured as %+v, want sync always %t", interval, config, always)
		}
	}
}

func TestEmbeddedRefusals(t *testing.T) {
	dir := t.TempDir()
	e, _ := embedded(t, dir)
	if _, err := StartEmbedded(EmbeddedOptions{Listen: strings.TrimPrefix(e.URL, "nats://"), StoreDir: t.TempDir(), Log: quiet()}); err == nil || !strings.Contains(err.Error(), "nats_listen") {
		t.Errorf("a port that is taken: %v", err)
	}
	if _, err := StartEmbedded(EmbeddedOptions{Listen: "127.0.0.1:0", StoreDir: dir, Log: quiet()}); !errors.Is(err, errInUse) {
		t.Errorf("a store that is in use: %v", err)
	}
	for _, listen := range []string{"nonsense", "127.0.0.1:port"} {
		if _, err := StartEmbedded(EmbeddedOptions{Listen: listen, StoreDir: t.TempDir(), Log: quiet()}); err == nil {
			t.Errorf("nats_listen %q was taken", listen)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, ok := range map[string]bool{
		"2.12.0": true, "2.14.5": true, "3.0.0": true, "2.15.2-beta": true, "2.11.9": false, "2.9.0": false, "1.4.1": false, "": false, "dev": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("version %q: %v", version, err)
		} else if err != nil && !strings.Contains(err.Error(), "2.12") {
			t.Errorf("version %q: %v; want the version that is needed", version, err)
		}
	}
}

// TestConnectWaits: a worker that starts before its server waits for it, and says so.
func TestConnectWaits(t *testing.T) {
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Connect(ctx, ConnectOptions{URL: "nats://127.0.0.1:1", Log: logrus.NewEntry(log)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Connect = %v", err)
	}
	if !strings.Contains(out.String(), "waiting for the NATS server") {
		t.Errorf("the log says %q", out.String())
	}
}
