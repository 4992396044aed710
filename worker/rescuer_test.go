package worker

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
)

// TestP38_TicksTellTheTime: the worker's clock is the server's, as its messages show it.
func TestP38_TicksTellTheTime(t *testing.T) {
	b := newBed(t, nil)
	b.Worker.clock = new(orders.ServerClock) // one that has seen nothing
	b.driver.Clock = new(orders.ServerClock)
	b.ticked("abcdefghijklmnopqrst", "")
	if now := b.Worker.clock.Now(); time.Since(now) > time.Minute {
		t.Errorf("after a tick the clock tells %s", now)
	}
	b.Worker.clock = new(orders.ServerClock)
	b.requested(bedBody, "")
	if now := b.Worker.clock.Now(); time.Since(now) > time.Minute {
		t.Errorf("after a request the clock tells %s", now)
	}
}

// TestP28_PanicIsNoVerdict: a fault in a handler takes neither the worker nor the message away.
func TestP28_PanicIsNoVerdict(t *testing.T) {
	b := newBed(t, nil)
	source, err := b.js.Consumer(t.Context(), b.names.RequestsStream(), messages.WorkersConsumer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.Publish(t.Context(), b.names.Request(messages.Provision, ""), []byte("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.Publish(t.Context(), b.names.Request(messages.Provision, ""), []byte("two")); err != nil {
		t.Fatal(err)
	}
	decided := make(chan disposition, 10)
	c := &consumer{name: "c", source: source, slots: 1, ackWait: 2 * time.Second, log: b.log, observed: func(d disposition) { decided <- d }}
	c.handle = func(_ context.Context, msg jetstream.Msg) disposition {
		switch string(msg.Data()) {
		case "one":
			panic("a fault before the ack")
		case "two":
			return disposition{verb: ack, then: func(context.Context) { panic("a fault after the ack") }}
		}
		return dead("unexpected")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.run(ctx) }()
	limit := time.NewTimer(bedTimeout)
	defer limit.Stop()
	for range 2 {
		select {
		case d := <-decided:
			if d.verb != ack && (d.verb != nak || d.delay != panicWait) {
				t.Errorf("a fault is answered with %s after %s, want the message to come again", d.verb, d.delay)
			}
		case <-limit.C:
			t.Fatal("the consumer came to a halt")
		}
	}
	cancel()
	<-ended
	pending := 2
	for end := time.Now().Add(bedTimeout); pending > 1 && time.Now().Before(end); { // acks are on their way
		info, err := source.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pending = info.NumAckPending
	}
	if pending != 1 {
		t.Errorf("%d messages wait, want the one over which the handler panicked", pending)
	}
}

// TestP6_Rescuer: an order whose timer stands is left alone; one whose timer is lost, or can never fire, gets a tick;
// and somebody always does it, also when the key by which they agree was deleted.
func TestP6_Rescuer(t *testing.T) {
	b := newBed(t, nil)
	ctx := t.Context()
	b.rescuer.grace = 0
	key := "abcdefghijklmnopqrst"
	rescue := func(what string, want int) {
		t.Helper()
		if n, err := b.Rescue(ctx); err != nil || n != want {
			t.Errorf("%s: %d ticks, %v; want %d", what, n, err, want)
		}
	}
	rescue("no order", 0)
	if err := b.store.Open(ctx, orders.ID(key), 1); err != nil {
		t.Fatal(err)
	}
	if err := broker.Schedule(ctx, b.js, b.names, key, time.Now().Add(time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	rescue("an order with a timer", 0)
	stream, err := b.js.Stream(ctx, b.names.TimersStream())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	b.rescuer.grace = time.Hour
	rescue("an order that has just come in", 0)
	b.rescuer.grace = 0
	rescue("an order without a timer", 1)
	rescue("an order with a tick", 0)
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.Publish(ctx, b.names.Timer(key), []byte("{}")); err != nil { // no schedule: it never fires
		t.Fatal(err)
	}
	rescue("an order whose timer never fires", 1)

	for range 2 { // once it is this worker's, it stays
		if !b.rescuer.elected(ctx) {
			t.Error("nobody does it")
		}
	}
	if err := b.rescuer.control.Delete(ctx, rescueKey); err != nil {
		t.Fatal(err)
	}
	if !b.rescuer.elected(ctx) {
		t.Error("nobody does it any more after the key was deleted")
	}
	other := *b.rescuer
	other.name = "another"
	if other.elected(ctx) {
		t.Error("two do it at once")
	}
}
