package worker_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// ask publishes a request and returns its order's key.
func ask(t *testing.T, w *workertest.World, kind messages.Kind, r messages.Request) string {
	t.Helper()
	receipt, err := w.Bus.Publish(t.Context(), kind, &r)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Key
}

// byArea is a provision of a quantity of numbers in an area code.
func byArea(requestID, area string, quantity int) messages.Request {
	return messages.Request{RequestID: requestID, Criteria: &messages.Criteria{AreaCode: area}, Quantity: &quantity}
}

// waitingFor is [byArea] that waits for stock.
func waitingFor(requestID, area string, quantity int) messages.Request {
	r, yes := byArea(requestID, area, quantity), true
	r.Backorder = &yes
	return r
}

// ended says how an event ended, in words.
func ended(e messages.Event) string {
	return strings.TrimSpace(string(e.Outcome) + " " + string(e.Reason))
}

// boughtFor returns the numbers that an order's own Bandwidth orders bought, sorted: the simulator's books.
func boughtFor(w *workertest.World, key string) []string {
	var out []string
	for _, p := range w.Sim.OrdersOf(key) {
		out = append(out, p.Numbers...)
	}
	slices.Sort(out)
	return out
}

// sorted returns a sorted copy.
func sorted(numbers []string) []string {
	out := slices.Clone(numbers)
	slices.Sort(out)
	return out
}

// letter waits for an order's dead letter and returns it.
func letter(t *testing.T, w *workertest.World, key string) bus.Letter {
	t.Helper()
	var found bus.Letter
	await(t, func() bool {
		for _, l := range w.Letters() {
			if l.Key == key {
				found = l
			}
		}
		return found.Sequence != 0
	})
	return found
}

// replay publishes a dead letter's request again.
func replay(t *testing.T, w *workertest.World, l bus.Letter, acceptDouble bool) {
	t.Helper()
	if _, err := w.Bus.Replay(t.Context(), l, acceptDouble); err != nil {
		t.Fatal(err)
	}
}

// replayFields decodes what a letter would replay.
func replayFields(t *testing.T, l bus.Letter) map[string]json.RawMessage {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(l.DeadLetter.Replay, &fields); err != nil {
		t.Fatalf("the replay %s: %v", l.DeadLetter.Replay, err)
	}
	return fields
}

// posts counts the calls that change something at Bandwidth.
func posts(w *workertest.World) int {
	n := 0
	for _, endpoint := range []string{bwfake.EndpointCreate, bwfake.EndpointClose, bwfake.EndpointDisconnect, bwfake.EndpointReserve, bwfake.EndpointUnreserve, bwfake.EndpointPortIn} {
		n += w.Sim.Calls(endpoint)
	}
	return n
}

// mortal starts a worker on a connection of its own, and returns it with what ends it abruptly: its connection breaks in the
// middle of whatever it does, and nothing that it still learns is recorded.
func mortal(t *testing.T, w *workertest.World, change func(*worker.Options)) (running *worker.Worker, kill func()) {
	t.Helper()
	conn, err := nats.Connect(w.NATS.URL, nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	o := w.WorkerOptions()
	o.Conn = conn
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	running, err = worker.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = running.Run(ctx) }() // it ends with an error: its connection is gone
	return running, func() { conn.Close(); cancel() }
}

// hurried makes a worker's times short, its lease as well.
func hurried(o *worker.Options) {
	brisk(o)
	o.Settings.PollBackorderInterval = 400 * time.Millisecond
	o.Settings.Lease, o.AckWait = 300*time.Millisecond, 700*time.Millisecond
}
