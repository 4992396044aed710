package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// watch watches in the background; ids come on the first channel, the end on the second.
func watch(ctx context.Context, c *bus.Client, f bus.Filter) (<-chan string, <-chan error) {
	ids, ended := make(chan string, 100), make(chan error, 1)
	go func() { ended <- c.Watch(ctx, f, func(e messages.Event) { ids <- e.EventID }) }()
	return ids, ended
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b := w.names.Key("", "a"), w.names.Key("acme", "b")
	w.emit(event(a, 1, messages.Accepted)) // before: nobody sees it
	events := []messages.Event{
		{EventID: "1", Key: a, Kind: messages.Provision, Outcome: messages.Accepted},
		{EventID: "2", Key: b, Kind: messages.Provision, Outcome: messages.Completed, Tenant: "acme"},
		{EventID: "3", Key: b, Kind: messages.Cancel, Outcome: messages.Failed, Tenant: "acme"},
		{EventID: "4", Key: a, Kind: messages.Provision, Outcome: messages.Completed},
		{EventID: "5", Key: a, Kind: messages.Search, Outcome: messages.Completed},
	}
	cases := []struct {
		filter bus.Filter
		want   string
	}{
		{bus.Filter{}, "1 2 3 4 5"},
		{bus.Filter{Reason: messages.ReasonInvalid}, "1 2 3 4 5"}, // reasons choose dead letters
		{bus.Filter{Kind: messages.Provision}, "1 2 4"},
		{bus.Filter{Outcome: messages.Completed}, "2 4 5"},
		{bus.Filter{Tenant: "acme"}, "2 3"},
		{bus.Filter{Tenant: messages.NoTenant}, "1 4 5"},
		{bus.Filter{Key: a}, "1 4 5"},
		{bus.Filter{Kind: messages.Provision, Outcome: messages.Completed, Tenant: "acme", Key: b}, "2"},
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []<-chan string
	var ends []<-chan error
	for _, c := range cases {
		ids, ended := watch(ctx, w.bus, c.filter)
		seen, ends = append(seen, ids), append(ends, ended)
	}
	w.followers(len(cases))
	for _, e := range events {
		w.emit(e)
	}
	for i, c := range cases {
		var got []string
		for range strings.Fields(c.want) {
			got = append(got, take(t, fmt.Sprintf("the events of %+v", c.filter), seen[i]))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %v, want %s", c.filter, got, c.want)
		}
	}
	cancel()
	for i, ended := range ends {
		if err := take(t, "the end", ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%+v ended with %v, want %v", cases[i].filter, err, context.Canceled)
		}
		if len(seen[i]) != 0 {
			t.Errorf("%+v: too many events, first %s", cases[i].filter, <-seen[i])
		}
	}
	w.followers(0) // nothing is left behind on the server
}

// TestWatchStopsInside: no event comes after the one at which the caller gave up.
func TestWatchStopsInside(t *testing.T) {
	t.Parallel()
	w := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls, ended := 0, make(chan error, 1)
	go func() {
		ended <- w.bus.Watch(ctx, bus.Filter{}, func(messages.Event) {
			if calls++; calls == 3 {
				cancel()
			}
		})
	}()
	w.followers(1)
	for range 20 {
		w.emit(event(w.names.Key("", "a"), 1, messages.Accepted))
	}
	if err := take(t, "the end", ended); !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("%d calls and %v, want 3 and %v", calls, err, context.Canceled)
	}
}

func TestWatchUndecodable(t *testing.T) {
	t.Parallel()
	w := start(t)
	_, ended := watch(t.Context(), w.bus, bus.Filter{})
	w.followers(1)
	subject := w.names.Event(messages.Provision, messages.Failed, "", w.names.Key("", "a"))
	w.publish(subject, []byte("hello"))
	if err := take(t, "the end", ended); err == nil || !strings.Contains(err.Error(), subject) || !strings.Contains(err.Error(), "cannot be decoded") {
		t.Errorf("ended with %v, want an error that names %s", err, subject)
	}
}

// TestWatchOverRestart: the server goes and comes back, and every event is seen once, in order: also those that come
// before the watcher is connected again, and also where it had seen none before.
func TestWatchOverRestart(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 3} {
		t.Run(fmt.Sprintf("%d events before", before), func(t *testing.T) {
			t.Parallel()
			w := start(t)
			slow := w.connect(time.Second) // comes back later than the publisher
			client, err := bus.New(slow, "")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			key := w.names.Key("", "a")
			w.emit(event(key, 9, messages.Accepted)) // before it watches
			ids, ended := watch(ctx, client, bus.Filter{})
			w.followers(1)
			var want, got []string
			emit := func(generation int) {
				e := event(key, generation, messages.Accepted)
				want = append(want, e.EventID)
				w.emit(e)
			}
			for i := range before {
				emit(i)
			}
			for range before {
				got = append(got, take(t, "an event", ids))
			}
			w.stop()
			await(t, "the watcher to be cut off", func() bool { return !slow.IsConnected() })
			w.restart()
			await(t, "the publisher to be back", w.nc.IsConnected)
			if slow.IsConnected() {
				t.Log("the watcher is back before the events; the test shows less than it should")
			}
			for i := range 3 {
				emit(10 + i)
			}
			await(t, "the watcher to be back", slow.IsConnected)
			for i := range 3 {
				emit(20 + i)
			}
			for len(got) < len(want) {
				got = append(got, take(t, fmt.Sprintf("event %s", want[len(got)]), ids))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			cancel()
			if err := take(t, "the end", ended); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// TestWatchConsumerLost: the server loses the watcher's consumer, and the watcher makes another that goes on.
func TestWatchConsumerLost(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.names.Key("", "a")
	w.emit(event(key, 9, messages.Accepted)) // before it watches
	pulls, err := w.nc.SubscribeSync("$JS.API.CONSUMER.MSG.NEXT." + w.names.EventsStream() + ".>")
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := watch(t.Context(), w.bus, bus.Filter{})
	if _, err := pulls.NextMsg(limit); err != nil { // one that waits is told at once
		t.Fatal(err)
	}
	s, err := w.js.Stream(t.Context(), w.names.EventsStream())
	if err != nil {
		t.Fatal(err)
	}
	for generation := range 3 { // the first time it has seen nothing yet
		for name := range s.ConsumerNames(t.Context()).Name() {
			if err := w.js.DeleteConsumer(t.Context(), w.names.EventsStream(), name); err != nil {
				t.Fatal(err)
			}
		}
		e := event(key, generation, messages.Accepted)
		w.emit(e)
		if got := take(t, "the next event", ids); got != e.EventID {
			t.Errorf("%s came after the consumer was lost, want %s", got, e.EventID)
		}
	}
}

// TestWatchStreamLost: while the stream is away a watcher still listens to its context and its connection, and it goes
// on when the stream is there again.
func TestWatchStreamLost(t *testing.T) {
	t.Parallel()
	w := start(t)
	closing := w.connect(50 * time.Millisecond)
	client, err := bus.New(closing, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ids, _ := watch(t.Context(), w.bus, bus.Filter{})
	_, cancelled := watch(ctx, w.bus, bus.Filter{})
	_, closed := watch(t.Context(), client, bus.Filter{})
	w.followers(3)
	s, err := w.js.Stream(t.Context(), w.names.EventsStream())
	if err != nil {
		t.Fatal(err)
	}
	config := s.CachedInfo().Config
	// Each watcher asks for a new consumer and is told that there is no stream.
	told, err := w.nc.SubscribeSync("$JS.API.CONSUMER.CREATE." + w.names.EventsStream() + ".>")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.js.DeleteStream(t.Context(), w.names.EventsStream()); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if _, err := told.NextMsg(limit); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := take(t, "the end", cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("the context was done: %v, want %v", err, context.Canceled)
	}
	closing.Close()
	if err := take(t, "the end", closed); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("the connection was closed: %v, want %v", err, nats.ErrConnectionClosed)
	}
	if _, err := w.js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	w.followers(1)
	e := event(w.names.Key("", "a"), 1, messages.Accepted)
	w.emit(e)
	if got := take(t, "an event of the new stream", ids); got != e.EventID {
		t.Errorf("%s came, want %s", got, e.EventID)
	}
}
