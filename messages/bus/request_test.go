package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker/workertest"
)

// refusal returns the event of a request that was refused (P27).
func (w *world) refusal(msg jetstream.Msg, sequence uint64, requestID string, reason messages.Reason) messages.Event {
	e := event(w.names.LetterlessKey(msg.Subject(), msg.Data(), sequence), 0, messages.Failed)
	e.RequestID, e.Reason = requestID, reason
	return e
}

func request(id string) *messages.Request {
	return &messages.Request{RequestID: id, Numbers: []string{number}}
}

// TestRequest: what a request waits for, whatever else goes by.
func TestRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(w *world, key string, msg jetstream.Msg, sequence uint64)
		final  func(w *world, key string, r bus.Receipt) string // the id of the event that is wanted
		seen   int
	}{
		{
			name: "an order's life",
			answer: func(w *world, key string, _ jetstream.Msg, _ uint64) {
				for _, outcome := range []messages.Outcome{messages.Accepted, messages.Submitted, messages.Backordered, messages.Completed} {
					w.emit(event(w.names.Key("", "another"), 1, outcome))
					w.emit(event(key, 1, outcome))
				}
			},
			final: func(_ *world, key string, _ bus.Receipt) string { return key + ".1.completed" },
			seen:  4,
		},
		{
			name: "a partial order",
			answer: func(w *world, key string, _ jetstream.Msg, _ uint64) {
				w.emit(event(key, 1, messages.Partial))
			},
			final: func(_ *world, key string, _ bus.Receipt) string { return key + ".1.partial" },
			seen:  1,
		},
		{
			name: "a repeated answer, of a later generation",
			answer: func(w *world, key string, _ jetstream.Msg, _ uint64) {
				w.emit(event(key, 3, messages.Completed))
			},
			final: func(_ *world, key string, _ bus.Receipt) string { return key + ".3.completed" },
			seen:  1,
		},
		{
			name: "refused",
			answer: func(w *world, _ string, msg jetstream.Msg, sequence uint64) {
				w.emit(w.refusal(msg, sequence, "r", messages.ReasonConflict))
			},
			final: func(w *world, _ string, r bus.Receipt) string {
				return w.names.LetterlessKey(r.Subject, []byte(`{"request_id":"r","numbers":["+19195551234"]}`), r.Sequence) + ".0.failed"
			},
			seen: 1,
		},
		{
			name: "another's refusals",
			answer: func(w *world, key string, msg jetstream.Msg, sequence uint64) {
				w.emit(w.refusal(msg, sequence+1, "r", messages.ReasonConflict)) // the same request id and body, another message
				w.emit(ofKey(w.refusal(msg, sequence, "r", messages.ReasonInvalid), w.names.Key("", "another")))
				w.emit(event(key, 1, messages.Completed))
			},
			final: func(_ *world, key string, _ bus.Receipt) string { return key + ".1.completed" },
			seen:  1,
		},
		{
			name: "another kind under the same request id",
			answer: func(w *world, key string, msg jetstream.Msg, sequence uint64) {
				e := event(key, 1, messages.Completed)
				e.Kind = messages.Disconnect
				w.emit(e)
				w.emit(w.refusal(msg, sequence, "r", messages.ReasonConflict))
			},
			final: func(w *world, _ string, r bus.Receipt) string {
				return w.names.LetterlessKey(r.Subject, []byte(`{"request_id":"r","numbers":["+19195551234"]}`), r.Sequence) + ".0.failed"
			},
			seen: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			key := w.names.Key("", "r")
			w.emit(event(key, 1, messages.Failed)) // before the request: none of its events
			w.answer(func(msg jetstream.Msg, sequence uint64) { c.answer(w, key, msg, sequence) })
			got := take(t, "the outcome", background(func(onEvent func(messages.Event)) (bus.Receipt, *messages.Event, error) {
				return w.bus.Request(t.Context(), messages.Provision, request("r"), onEvent)
			}))
			if got.err != nil {
				t.Fatal(got.err)
			}
			if got.receipt.Key != key || got.receipt.Sequence != 1 {
				t.Errorf("receipt %+v", got.receipt)
			}
			if want := c.final(w, key, got.receipt); got.event.EventID != want || len(got.seen) != c.seen || got.seen[c.seen-1] != want {
				t.Errorf("ended with %s after %v, want %s after %d", got.event.EventID, got.seen, want, c.seen)
			}
		})
	}
}

// ofKey returns the event under another key.
func ofKey(e messages.Event, key string) messages.Event {
	e.Key = key
	return e
}

// TestRequestOfTenant: a tenant's order has its own key, and the tenant stands in the subject.
func TestRequestOfTenant(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.answer(func(msg jetstream.Msg, _ uint64) {
		w.emit(event(w.names.Key("", "r"), 1, messages.Failed)) // the same request id of nobody's
		e := event(w.names.Key("acme", "r"), 1, messages.Completed)
		e.Tenant = "acme"
		w.emit(e)
	})
	r := request("r")
	r.Tenant = "acme"
	receipt, e, err := w.bus.Request(t.Context(), messages.Provision, r, nil)
	if err != nil || receipt.Subject != "bandwidth.v1.request.provision.acme" || e.Key != w.names.Key("acme", "r") {
		t.Errorf("%+v, %+v, %v", receipt, e, err)
	}
}

// TestRequestTimesOut: the receipt says where to go on waiting.
func TestRequestTimesOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	receipt, e, err := w.bus.Request(ctx, messages.Provision, request("r"), nil)
	if !errors.Is(err, context.DeadlineExceeded) || e != nil || receipt.Key != w.names.Key("", "r") || receipt.Sequence != 1 {
		t.Fatalf("%+v, %+v, %v; want a receipt and %v", receipt, e, err, context.DeadlineExceeded)
	}
	w.emit(event(receipt.Key, 1, messages.Completed))
	if e, err := w.bus.Wait(t.Context(), receipt.Key, nil); err != nil || e.Outcome != messages.Completed {
		t.Errorf("Wait after it: %+v, %v", e, err)
	}
}

// TestRequestOverRestart: the outcome comes while the requester is cut off.
func TestRequestOverRestart(t *testing.T) {
	t.Parallel()
	w := start(t)
	slow := w.connect(500 * time.Millisecond)
	c, err := bus.New(slow, "")
	if err != nil {
		t.Fatal(err)
	}
	result := background(func(onEvent func(messages.Event)) (bus.Receipt, *messages.Event, error) {
		return c.Request(t.Context(), messages.Provision, request("r"), onEvent)
	})
	w.followers(1)
	w.stop()
	await(t, "the requester to be cut off", func() bool { return !slow.IsConnected() })
	w.restart()
	await(t, "the worker to be back", w.nc.IsConnected)
	key := w.names.Key("", "r")
	w.emit(event(key, 1, messages.Accepted))
	w.emit(event(key, 1, messages.Completed))
	got := take(t, "the outcome", result)
	if got.err != nil || got.event.EventID != key+".1.completed" || len(got.seen) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestWait: the last generation's final event, out of what the stream holds and of what comes.
func TestWait(t *testing.T) {
	t.Parallel()
	type step struct {
		generation int
		outcome    messages.Outcome
	}
	for _, c := range []struct {
		name          string
		before, after []step
		want          string
		seen          int
	}{
		{"one generation", []step{{1, messages.Accepted}, {1, messages.Completed}}, nil, ".1.completed", 2},
		{"nothing yet", nil, []step{{1, messages.Accepted}, {1, messages.Failed}}, ".1.failed", 2},
		{"two generations", []step{{1, messages.Accepted}, {1, messages.Failed}, {2, messages.Accepted}, {2, messages.Completed}}, nil, ".2.completed", 4},
		{"three, of finals alone", []step{{1, messages.Failed}, {2, messages.Partial}, {3, messages.Failed}}, nil, ".3.failed", 3},
		{"a replay under way", []step{{1, messages.Accepted}, {1, messages.Failed}, {2, messages.Accepted}}, []step{{2, messages.Submitted}, {2, messages.Partial}}, ".2.partial", 5},
		{"an old outcome repeated in a replay", []step{{1, messages.Failed}, {2, messages.Accepted}, {1, messages.Failed}}, []step{{1, messages.Failed}, {2, messages.Completed}}, ".2.completed", 5},
		{"an outcome repeated", []step{{1, messages.Completed}, {1, messages.Completed}}, nil, ".1.completed", 2},
		{"an old outcome repeated at the end", []step{{1, messages.Failed}, {2, messages.Completed}, {1, messages.Failed}}, nil, ".2.completed", 3},
		{"an intermediate event that comes late", []step{{1, messages.Completed}, {1, messages.Submitted}}, nil, ".1.completed", 2},
		{"a refusal's key", []step{{0, messages.Failed}}, nil, ".0.failed", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			key, other := w.names.Key("", "a"), w.names.Key("", "b")
			emit := func(steps []step) {
				for _, s := range steps {
					w.emit(event(other, 7, s.outcome))
					w.emit(event(key, s.generation, s.outcome))
				}
			}
			emit(c.before)
			result := background(func(onEvent func(messages.Event)) (bus.Receipt, *messages.Event, error) {
				e, err := w.bus.Wait(t.Context(), key, onEvent)
				return bus.Receipt{}, e, err
			})
			if len(c.after) > 0 {
				w.followers(1)
				emit(c.after)
			}
			got := take(t, "the outcome", result)
			if got.err != nil || got.event == nil || got.event.EventID != key+c.want || len(got.seen) != c.seen {
				t.Errorf("%+v, want %s after %d events", got, c.want, c.seen)
			}
			if e, err := w.bus.Wait(t.Context(), key, nil); err != nil || e.EventID != key+c.want {
				t.Errorf("without a function: %+v, %v", e, err)
			}
		})
	}
}

// TestWaitEndsWithItsContext: cancelled or timed out while the order is pending, it says so and returns no event.
func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.names.Key("", "a")
	w.emit(event(key, 1, messages.Accepted))
	cancelled, cancel := context.WithCancel(t.Context())
	defer cancel()
	timed, cancelTimed := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancelTimed()
	done, cancelDone := context.WithCancel(t.Context())
	cancelDone()
	for _, c := range []struct {
		ctx  context.Context
		want error
	}{{cancelled, context.Canceled}, {timed, context.DeadlineExceeded}, {done, context.Canceled}} {
		e, err := w.bus.Wait(c.ctx, key, func(messages.Event) { cancel() })
		if !errors.Is(err, c.want) || e != nil {
			t.Errorf("%+v, %v; want %v", e, err, c.want)
		}
	}
}

func TestWaitRefusesWhatIsNoKey(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.emit(event(w.names.Key("", "a"), 1, messages.Completed))
	for _, key := range []string{"", "*", ">", "a.b", "crm-1042"} {
		if e, err := w.bus.Wait(t.Context(), key, nil); err == nil || e != nil {
			t.Errorf("%q: %+v, %v; want an error", key, e, err)
		}
	}
}

// TestWithWorker: the same against a worker: an order, its repetition, and a conflict, which has a key of its own.
func TestWithWorker(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	if _, err := w.Bus.Order(t.Context(), "", "", "r"); !errors.Is(err, bus.ErrNoWorker) {
		t.Errorf("before a worker runs: %v, want %v", err, bus.ErrNoWorker)
	}
	w.Work(nil)
	first, e, err := w.Bus.Request(t.Context(), messages.Provision, request("r"), nil)
	if err != nil || e.Outcome != messages.Completed || !cmp.Equal(e.Numbers, []string{number}) {
		t.Fatalf("%+v, %+v, %v", first, e, err)
	}
	again, repeated, err := w.Bus.Request(t.Context(), messages.Provision, request("r"), nil)
	if err != nil || again.Key != first.Key || again.Sequence == first.Sequence || !cmp.Equal(repeated, e) {
		t.Errorf("repeated: %+v, %+v, %v; want the same event", again, repeated, err)
	}
	other := request("r")
	other.Numbers = []string{"+19195551235"}
	receipt, refused, err := w.Bus.Request(t.Context(), messages.Provision, other, nil)
	if err != nil || refused.Reason != messages.ReasonConflict || refused.Generation != 0 || refused.Key == receipt.Key || refused.RequestID != "r" {
		t.Errorf("other content: %+v, %+v, %v; want a conflict", receipt, refused, err)
	}
	if waited, err := w.Bus.Wait(t.Context(), first.Key, nil); err != nil || waited.EventID != e.EventID {
		t.Errorf("Wait after the conflict: %+v, %v", waited, err)
	}
	byID, err := w.Bus.Order(t.Context(), "", "", "r")
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := w.Bus.Order(t.Context(), first.Key, "", "")
	if err != nil || string(byID) != string(byKey) {
		t.Errorf("the order by its key: %s, %v; by its request id: %s", byKey, err, byID)
	}
	if _, err := w.Bus.Order(t.Context(), "", "acme", "r"); !errors.Is(err, bus.ErrNoOrder) {
		t.Errorf("an order that is not there: %v, want %v", err, bus.ErrNoOrder)
	}
	if _, err := w.Bus.Order(t.Context(), "crm-1042", "", ""); err == nil || errors.Is(err, bus.ErrNoOrder) {
		t.Errorf("what is no key: %v, want what the worker says", err)
	}
}

// TestReplayWithWorker: an order that failed is replayed until it succeeds, and each replay waits for its own end.
func TestReplayWithWorker(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(nil)
	w.Sim.SellElsewhere(number, "another-system")
	receipt, e, err := w.Bus.Request(t.Context(), messages.Provision, request("r"), nil)
	if err != nil || e.Outcome != messages.Failed {
		t.Fatalf("%+v, %v; want it failed", e, err)
	}
	for generation := 1; generation <= 2; generation++ {
		var letter bus.Letter
		await(t, "the dead letter", func() bool {
			letter, err = w.Bus.Letter(t.Context(), receipt.Key)
			return err == nil && letter.Generation == generation
		})
		var seen []int
		_, e, err := w.Bus.RequestReplay(t.Context(), letter, false, func(e messages.Event) { seen = append(seen, e.Generation) })
		if err != nil || e.Generation != generation+1 || e.Outcome != messages.Failed {
			t.Fatalf("replay of generation %d: %+v, %v", generation, e, err)
		}
		for _, g := range seen {
			if g != generation+1 {
				t.Errorf("an event of generation %d came to the replay of generation %d", g, generation)
			}
		}
		if last, err := w.Bus.Wait(t.Context(), receipt.Key, nil); err != nil || last.EventID != e.EventID {
			t.Errorf("Wait: %+v, %v; want %s", last, err, e.EventID)
		}
	}
}
