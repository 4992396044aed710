package bus_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// put stores dead letters of requests that touched no order (generation 0) or of orders, without any worker.
func put(t *testing.T, w *workertest.World, generation int, ids ...string) []bus.Letter {
	t.Helper()
	for _, id := range ids {
		key := w.Names.Key("", id)
		body := json.RawMessage(fmt.Sprintf(`{"request_id":%q,"numbers":["+19195551234"]}`, id))
		letter := messages.DeadLetter{
			LetterID: messages.LetterID(key, generation), Key: key, Generation: generation, Kind: messages.Provision,
			Subject: w.Names.Request(messages.Provision, ""), Reason: messages.ReasonInvalid, Request: body,
		}
		if generation > 0 {
			letter.Reason, letter.Replay = messages.ReasonRejected, body
		}
		data, err := json.Marshal(letter)
		if err != nil {
			t.Fatal(err)
		}
		w.Send(w.Names.DeadLetter(messages.Provision, letter.Reason, "", key), data, nil)
	}
	letters := w.Letters()
	if len(letters) != len(ids) {
		t.Fatalf("%d letters, want %d", len(letters), len(ids))
	}
	return letters
}

// requests returns how many requests were ever published.
func requests(t *testing.T, w *workertest.World) uint64 {
	t.Helper()
	stream, err := w.JS.Stream(t.Context(), w.Names.RequestsStream())
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.LastSeq
}

func edited(id string) []byte {
	return fmt.Appendf(nil, `{"request_id":%q,"numbers":["+19195551234"]}`, id)
}

// TestEditTwice: of many operators who edit one letter that touched no order, one publishes.
func TestEditTwice(t *testing.T) {
	w := workertest.Start(t, workertest.Options{NoEvents: true})
	l := put(t, w, 0, "r1")[0]
	errs := make([]error, 8)
	var editing sync.WaitGroup
	for i := range errs {
		editing.Go(func() { _, errs[i] = w.Bus.Edit(t.Context(), l, "", edited(fmt.Sprintf("edited-%d", i))) })
	}
	editing.Wait()
	published := 0
	for _, err := range errs {
		switch {
		case err == nil:
			published++
		case !errors.Is(err, bus.ErrEdited) && !errors.Is(err, bus.ErrLetterGone):
			t.Errorf("an operator who came too late got %v", err)
		}
	}
	if n := requests(t, w); published != 1 || n != 1 {
		t.Errorf("%d operators published, and %d requests stand in the queue; want 1", published, n)
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d letters are left", n)
	}
}

// TestEditCrash: a tool that dies between the publish and the removal leaves the letter. An edit right after it is
// refused; a later one with the same content is the same order.
func TestEditCrash(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	l := put(t, w, 0, "r1")[0]
	header := nats.Header{messages.HeaderReplayOf: []string{l.LetterID}}
	w.Send(l.Subject, edited("r1"), header) // what the tool did, long ago
	w.Work(nil)
	key := w.Names.Key("", "r1")
	if e := w.Final(key, 1); e.Outcome != messages.Completed {
		t.Fatalf("ended %s %s", e.Outcome, e.Reason)
	}
	if _, err := w.Bus.Edit(t.Context(), l, "", edited("r1")); err != nil {
		t.Fatal(err)
	}
	repeat := w.Await(2, "the answer to the second edit", func(e messages.Event) bool { return e.Key == key && e.Outcome.Final() })
	if repeat[1].EventID != repeat[0].EventID || w.Sim.Bought("+19195551234") != 1 || len(w.Letters()) != 0 {
		t.Errorf("events %s and %s, bought %d times, %d letters", repeat[0].EventID, repeat[1].EventID, w.Sim.Bought("+19195551234"), len(w.Letters()))
	}

	recent := put(t, w, 0, "r2")[0]
	header = nats.Header{messages.HeaderReplayOf: []string{recent.LetterID}, "Nats-Msg-Id": []string{"edit." + recent.LetterID}}
	w.Send(recent.Subject, edited("r2"), header) // what it did a moment ago
	if _, err := w.Bus.Edit(t.Context(), recent, "", edited("r3")); !errors.Is(err, bus.ErrEdited) {
		t.Errorf("an edit right after another: %v, want ErrEdited", err)
	}
	if n := len(w.Letters()); n != 1 {
		t.Errorf("%d letters, want the one that was refused", n)
	}
}

// TestEditGone: a letter that went while the editor was open is not published, of whichever generation.
func TestEditGone(t *testing.T) {
	for generation := range 2 {
		w := workertest.Start(t, workertest.Options{NoEvents: true})
		l := put(t, w, generation, "r1", "r2")[0]
		if err := w.Bus.Discard(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Bus.Edit(t.Context(), l, "", edited("r1")); !errors.Is(err, bus.ErrLetterGone) {
			t.Errorf("generation %d: %v, want ErrLetterGone", generation, err)
		}
		if err := w.Bus.Discard(t.Context(), l); !errors.Is(err, bus.ErrLetterGone) {
			t.Errorf("generation %d: a second Discard: %v, want ErrLetterGone", generation, err)
		}
		if n := requests(t, w); n != 0 {
			t.Errorf("generation %d: %d requests were published", generation, n)
		}
		if left := w.Letters(); len(left) != 1 || left[0].Key != w.Names.Key("", "r2") {
			t.Errorf("generation %d: the letters left are %v", generation, left)
		}
	}
}

// TestEditOrderKeepsTheLetter: the letter of an order is the worker's to remove (P26), and the request names it.
func TestEditOrderKeepsTheLetter(t *testing.T) {
	w := workertest.Start(t, workertest.Options{NoEvents: true})
	l := put(t, w, 1, "r1")[0]
	var refused *messages.RequestError
	if _, err := w.Bus.Edit(t.Context(), l, "", edited("r2")); !errors.As(err, &refused) {
		t.Errorf("with another request id: %v", err)
	}
	receipt, err := w.Bus.Edit(t.Context(), l, "", edited("r1"))
	if err != nil || receipt.Key != l.Key || receipt.RequestID != "r1" {
		t.Fatalf("Edit = %+v, %v", receipt, err)
	}
	stream, err := w.JS.Stream(t.Context(), w.Names.RequestsStream())
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetMsg(t.Context(), receipt.Sequence)
	if err != nil || msg.Header.Get(messages.HeaderReplayOf) != l.LetterID {
		t.Errorf("the request names %q, %v; want %s", msg.Header.Get(messages.HeaderReplayOf), err, l.LetterID)
	}
	if n := requests(t, w); n != 1 || len(w.Letters()) != 1 {
		t.Errorf("%d requests, %d letters; want one of each", n, len(w.Letters()))
	}
}

func TestEditable(t *testing.T) {
	raw := []byte(`{"request_id":`)
	for name, c := range map[string]struct {
		letter messages.DeadLetter
		text   string
		whole  bool
	}{
		"a replay goes before the request": {messages.DeadLetter{Request: []byte(`{"a":1}`), Replay: []byte(`{"b":2}`)}, `{"b":2}`, true},
		"a request":                        {messages.DeadLetter{Request: []byte(`{"a":1}`), Replay: []byte(`null`)}, `{"a":1}`, true},
		"what came in":                     {messages.DeadLetter{RawBase64: base64.StdEncoding.EncodeToString(raw), RawSize: len(raw)}, string(raw), true},
		"the beginning of it":              {messages.DeadLetter{RawBase64: base64.StdEncoding.EncodeToString(raw), RawSize: 300 << 10}, string(raw), false},
		"nothing came in":                  {messages.DeadLetter{Request: []byte(`null`)}, "", true},
	} {
		if text, whole := (bus.Letter{DeadLetter: c.letter}).Editable(); string(text) != c.text || whole != c.whole {
			t.Errorf("%s: %q, whole %t", name, text, whole)
		}
	}
}

func TestNeedsAcceptDouble(t *testing.T) {
	for name, c := range map[string]struct {
		reason  messages.Reason
		request string
		want    bool
		kind    messages.Kind
	}{
		"a port-in of unknown outcome":   {reason: messages.ReasonOutcomeUnknown, request: `{"numbers":["+19195551234"]}`, want: true, kind: messages.PortIn},
		"a port-in that was cancelled":   {reason: messages.ReasonCancelled, request: `{"numbers":["+19195551234"]}`, kind: messages.PortIn},
		"a backorder of unknown outcome": {messages.ReasonOutcomeUnknown, `{"backorder":true}`, true, messages.Provision},
		"exact numbers":                  {messages.ReasonOutcomeUnknown, `{"numbers":["+19195551234"]}`, false, messages.Provision},
		"a backorder that failed":        {messages.ReasonBandwidthFailed, `{"backorder":true}`, false, messages.Provision},
		"nothing decoded":                {messages.ReasonOutcomeUnknown, `null`, false, messages.Provision},
	} {
		for _, l := range []messages.DeadLetter{{Kind: c.kind, Reason: c.reason, Request: []byte(c.request)}, {Kind: c.kind, Reason: c.reason, Replay: []byte(c.request)}} {
			if got := (bus.Letter{DeadLetter: l}).NeedsAcceptDouble(); got != c.want {
				t.Errorf("%s: %t", name, got)
			}
		}
	}
}

// TestReplayBatchInFlight: never are more replays on their way than may fail. There is no worker: none ends.
func TestReplayBatchInFlight(t *testing.T) {
	w := workertest.Start(t, workertest.Options{NoEvents: true})
	letters := put(t, w, 1, "r1", "r2", "r3", "r4", "r5")
	for i, limit := range []int{3, 1, 0} {
		before := requests(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		var results []bus.ReplayResult
		go func() {
			ended <- w.Bus.ReplayBatch(ctx, letters, bus.ReplayOptions{StopAfter: limit}, func(r bus.ReplayResult) { results = append(results, r) })
		}()
		want := max(limit, 1)
		bound := time.NewTimer(30 * time.Second)
		for requests(t, w) < before+uint64(want) {
			select {
			case <-bound.C:
				t.Fatalf("run %d: %d requests", i, requests(t, w)-before)
			default:
			}
		}
		bound.Stop()
		cancel()
		if n := <-ended; n != want || requests(t, w) != before+uint64(want) {
			t.Errorf("stop after %d: %d replays were begun, %d published; want %d", limit, n, requests(t, w)-before, want)
		}
		for _, r := range results {
			if !errors.Is(r.Err, context.Canceled) || r.Event != nil {
				t.Errorf("a replay that was cut off: %+v", r)
			}
		}
		if len(results) != want {
			t.Errorf("%d results, want %d", len(results), want)
		}
	}
}

// TestServiceWithoutWorkers: nobody answers, and that is what is said; with a worker, what it refuses is told.
func TestServiceWithoutWorkers(t *testing.T) {
	w := workertest.Start(t, workertest.Options{NoEvents: true})
	ask := map[string]func() error{
		"number": func() error { _, err := w.Bus.Number(t.Context(), "9195551234"); return err },
		"orders": func() error {
			_, err := w.Bus.Orders(t.Context(), messages.OrdersQuestion{State: "lost"})
			return err
		},
		"pause":  func() error { _, err := w.Bus.Pause(t.Context(), "x", "", ""); return err },
		"resume": func() error { _, err := w.Bus.Resume(t.Context(), "x"); return err },
	}
	for name, f := range ask {
		if err := f(); !errors.Is(err, bus.ErrNoWorker) {
			t.Errorf("%s without a worker: %v", name, err)
		}
	}
	w.Work(func(o *worker.Options) {})
	for name, f := range ask {
		bound := time.NewTimer(30 * time.Second)
		err := f()
		for errors.Is(err, bus.ErrNoWorker) {
			select {
			case <-bound.C:
				t.Fatal("the worker does not answer")
			case <-time.After(10 * time.Millisecond):
				err = f()
			}
		}
		bound.Stop()
		if !errors.Is(err, bus.ErrQuestion) || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%s: %v, want ErrQuestion", name, err)
		}
	}
}
