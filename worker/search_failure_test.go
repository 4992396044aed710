package worker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// TestSearchFailuresAreNotEmptyLists: each failure is told apart from "nothing found" in its event, and waits as a dead
// letter that can be replayed (kazoo-parity: "All failures, a wrong password included, look like an empty list").
func TestSearchFailuresAreNotEmptyLists(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  bwfake.Fault
		reason messages.Reason
		code   string
		phrase string
	}{
		{"wrong password", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 401}, messages.ReasonRejected, "rejected", "refuses the credentials"},
		{"missing role", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 403}, messages.ReasonRejected, "rejected", "roles"},
		{"bad combination", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
			Body: "<SearchResult><Error><Code>4010</Code><Description>unsupported</Description></Error></SearchResult>"}, messages.ReasonRejected, "4010", "leave some out"},
		{"an error under a 200", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 200, ContentType: "application/xml",
			Body: "<SearchResult><Error><Code>4023</Code><Description>no coverage</Description></Error></SearchResult>"}, messages.ReasonRejected, "4023", "somewhere else"},
		{"rate limit", bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Hour}, messages.ReasonExhausted, "exhausted", "HTTP 429"},
		{"server error", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 500}, messages.ReasonExhausted, "exhausted", "HTTP 500"},
		{"gateway's page", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 200, Body: "<html><body>maintenance</body></html>"}, messages.ReasonExhausted, "exhausted", "documented form"},
		{"no answer", bwfake.Fault{Kind: bwfake.LoseReplyBefore}, messages.ReasonExhausted, "exhausted", "EOF"},
		{"cut off", bwfake.Fault{Kind: bwfake.Truncated}, messages.ReasonExhausted, "exhausted", "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(hasty)
			c.fault.Endpoint = bwfake.EndpointSearch
			w.Sim.Inject(c.fault)
			r := messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Metadata: map[string]string{"k": "v"}}
			e := searchFor(t, w, r)
			if e.Outcome != messages.Failed || e.Reason != c.reason || len(e.Numbers) != 0 {
				t.Fatalf("ended %s %s with %v; want failed %s", e.Outcome, e.Reason, e.Numbers, c.reason)
			}
			last := e.Errors[len(e.Errors)-1]
			if last.Code != c.code || !strings.Contains(last.Description+last.Advice, c.phrase) {
				t.Errorf("the error %+v has not code %s or does not say %q", last, c.code, c.phrase)
			}
			await(t, func() bool { return len(w.Letters()) == 1 })
			l := w.Letters()[0]
			if l.LetterID != e.Key+".0" || l.Reason != c.reason || l.Kind != messages.Search || !l.Replayable() || string(l.DeadLetter.Replay) != string(l.Request) {
				t.Errorf("letter %s, %s, %s, replay %s", l.LetterID, l.Kind, l.Reason, l.DeadLetter.Replay)
			}

			// A replay is a new search; the letter goes when it is answered (P26).
			w.Sim.ClearFaults()
			if c.fault.Kind == bwfake.RateLimit {
				kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := kv.Get(t.Context(), "pause.SEARCH"); err != nil {
					t.Errorf("the fleet's searches are not paused: %v", err)
				}
				if err := kv.Delete(t.Context(), "pause.SEARCH"); err != nil {
					t.Fatal(err)
				}
				await(t, func() bool { // the worker watches the bucket
					_, err := w.Bus.AskSearch(t.Context(), &messages.Request{RequestID: "a", Criteria: r.Criteria})
					return err == nil
				})
			}
			receipt, e, err := w.Bus.RequestReplay(t.Context(), l, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			if e.Outcome != messages.Completed || len(e.Numbers) != 10 || e.Key != receipt.Key || e.Key == l.Key || e.Generation != 0 || e.Metadata["k"] != "v" {
				t.Errorf("the replay ended %s %s with %d numbers, key %s, generation %d", e.Outcome, e.Reason, len(e.Numbers), e.Key, e.Generation)
			}
			await(t, func() bool { return len(w.Letters()) == 0 })
		})
	}
}

// TestSearchRefusedBeforeAnyCall: what breaks a rule is invalid, and Bandwidth is not asked (kazoo-parity, also:
// `max_search_quantity`).
func TestSearchRefusedBeforeAnyCall(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(func(o *worker.Options) { brisk(o); o.MaxSearchQuantity = 20 })
	for body, phrase := range map[string]string{
		`{"request_id":"x","criteria":{"area_code":"919"},"quantity":21}`:         "at most 20 (max_search_quantity)",
		`{"request_id":"x","criteria":{"area_code":"919"},"quantity":0}`:          "not from 1",
		`{"request_id":"x","criteria":{"prefix":"+19"}}`:                          "too short",
		`{"request_id":"x","criteria":{"rate_center":"CARY"}}`:                    "needs state",
		`{"request_id":"x","criteria":{"toll_free_wildcard":"8**","state":"NC"}}`: "stand alone",
		`{"request_id":"x","criteria":{"area_code":"919","prefix":"+1919"}}`:      "only one of",
		`{"request_id":"x"}`: "missing",
	} {
		w.Send(w.Names.Request(messages.Search, "acme"), []byte(body), nil)
		e := w.Await(1, body, func(e messages.Event) bool {
			return e.Outcome == messages.Failed && len(e.Errors) == 1 && strings.Contains(e.Errors[0].Description, phrase)
		})[0]
		if e.Reason != messages.ReasonInvalid || e.Tenant != "acme" || e.Kind != messages.Search {
			t.Errorf("%s: %s %s of %s", body, e.Outcome, e.Reason, e.Tenant)
		}
	}
	w.Send(w.Names.Request(messages.Search, ""), []byte(`{"request_id":"y","criteria":{"area_code":"919"}}`), nats.Header{messages.HeaderReplayOf: {"aaaaaaaaaaaaaaaaaaaa.1"}})
	e := w.Await(1, "a search that replays an order", func(e messages.Event) bool { return e.RequestID == "y" })[0]
	if e.Reason != messages.ReasonInvalid || !strings.Contains(e.Errors[0].Description, messages.HeaderReplayOf) {
		t.Errorf("a search that replays an order: %s %s %v", e.Outcome, e.Reason, e.Errors)
	}
	if n := w.Sim.Calls(bwfake.EndpointSearch); n != 0 {
		t.Errorf("Bandwidth was asked %d times", n)
	}
	twenty := 20
	if e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &twenty}); len(e.Numbers) != 20 {
		t.Errorf("at the limit: %s with %d numbers", e.Outcome, len(e.Numbers))
	}
}

// TestSearchPausesTheFleet: after a 429 no worker sends a search before the reset, while orders go on.
func TestSearchPausesTheFleet(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(hasty)
	w.Work(hasty)
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSearch, Kind: bwfake.RateLimit, Delay: time.Hour})
	for i := range 12 {
		e := searchFor(t, w, messages.Request{RequestID: fmt.Sprintf("s%d", i), Criteria: &messages.Criteria{AreaCode: "919"}})
		if e.Reason != messages.ReasonExhausted || !strings.Contains(e.Errors[0].Description, "held back") {
			t.Errorf("ended %s %s %v; want exhausted, with a sentence", e.Outcome, e.Reason, e.Errors)
		}
	}
	if n := w.Sim.Calls(bwfake.EndpointSearch); n > 2 { // each of the two may have been on its way
		t.Errorf("%d searches were sent after a 429", n)
	}
	if e := w.Final(w.Provision("r1", number), 1); e.Outcome != messages.Completed {
		t.Errorf("an order meanwhile ended %s %s", e.Outcome, e.Reason)
	}
}

// TestSearchEndsOnce: a search whose ack was lost is not run again, and what its event lacks is made up for (P27).
func TestSearchEndsOnce(t *testing.T) {
	for _, outcome := range []messages.Outcome{messages.Completed, messages.Failed} {
		t.Run(string(outcome), func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			receipt, err := w.Bus.Publish(t.Context(), messages.Search, &messages.Request{RequestID: "s1", Criteria: &messages.Criteria{AreaCode: "919"}})
			if err != nil {
				t.Fatal(err)
			}
			// A worker takes it, publishes its event and dies.
			consumer, err := w.JS.Consumer(t.Context(), w.Names.RequestsStream(), messages.WorkersConsumer)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := consumer.Next()
			if err != nil {
				t.Fatal(err)
			}
			e := messages.Event{EventID: receipt.Key + ".0." + string(outcome), Key: receipt.Key, RequestID: "s1", Kind: messages.Search, Outcome: outcome, Numbers: []string{}}
			if outcome == messages.Failed {
				e.Reason = messages.ReasonExhausted
				e.Errors = []messages.EventError{{Code: "exhausted", Description: "nobody answered"}}
			}
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			w.Send(w.Names.Event(messages.Search, outcome, "", receipt.Key), data, nil)
			if err := msg.Nak(); err != nil {
				t.Fatal(err)
			}
			w.Work(brisk)
			await(t, func() bool {
				info, err := consumer.Info(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return info.NumAckPending == 0 && info.NumPending == 0
			})
			if n := w.Sim.Calls(bwfake.EndpointSearch); n != 0 {
				t.Errorf("Bandwidth was asked %d times, want never", n)
			}
			letters := w.Letters()
			if outcome == messages.Failed && (len(letters) != 1 || letters[0].LetterID != receipt.Key+".0" || !letters[0].Replayable()) {
				t.Errorf("letters %+v; want the search's", letters)
			}
			if outcome == messages.Completed && len(letters) != 0 {
				t.Errorf("letters %+v; want none", letters)
			}
			var ends []string
			for _, e := range w.Events() {
				ends = append(ends, e.EventID)
			}
			if diff := cmp.Diff([]string{e.EventID}, ends); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
