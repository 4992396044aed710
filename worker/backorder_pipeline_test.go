package worker_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker/workertest"
)

// The stock that comes for backorders in the dry area.
const firstToCome, secondToCome, thirdToCome, neverNeeded = "+17105550001", "+17105550002", "+17105550003", "+17105550004"

// eventsOf returns the ids of an order's events of one outcome, without the key.
func eventsOf(w *workertest.World, key string, outcome messages.Outcome) []string {
	var out []string
	for _, e := range w.Events() {
		if e.Key == key && e.Outcome == outcome {
			out = append(out, e.EventID[len(key)+1:])
		}
	}
	return out
}

// backordered waits for an order's n-th event of that name.
func backordered(t *testing.T, w *workertest.World, key string, n int) messages.Event {
	t.Helper()
	return w.Await(n, "backordered", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Backordered })[n-1]
}

// TestBackorder: an order waits for stock, is polled slowly, gets its numbers in parts, and ends.
func TestBackorder(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	key := ask(t, w, messages.Provision, waitingFor("r1", bwfake.DryAreaCode, 3))
	if e := backordered(t, w, key, 1); len(e.Numbers) != 0 || e.BandwidthStatus != "BACKORDERED" {
		t.Errorf("it waits with %v as %s; want nothing yet", e.Numbers, e.BandwidthStatus)
	}
	// It is asked ever more seldom, up to the interval of those that wait.
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointGet) >= 12 })
	var polls []time.Time
	for _, r := range w.Sim.Requests() {
		if r.Endpoint == bwfake.EndpointGet {
			polls = append(polls, r.At)
		}
	}
	if gap := polls[len(polls)-1].Sub(polls[len(polls)-2]); gap < 300*time.Millisecond {
		t.Errorf("after %d polls the next one came after %s; one that runs is polled each 200ms, one that waits each 400ms", len(polls)-1, gap)
	}
	w.Sim.Restock(firstToCome)
	if e := backordered(t, w, key, 2); !cmp.Equal(e.Numbers, []string{firstToCome}) {
		t.Errorf("the second event of its waiting has %v", e.Numbers)
	}
	w.Sim.Restock(secondToCome)
	if e := backordered(t, w, key, 3); !cmp.Equal(e.Numbers, []string{firstToCome, secondToCome}) {
		t.Errorf("the third has %v", e.Numbers)
	}
	w.Sim.Restock(thirdToCome, neverNeeded)
	e := w.Final(key, 1)
	if diff := cmp.Diff([]string{firstToCome, secondToCome, thirdToCome}, sorted(e.Numbers)); ended(e) != "completed" || diff != "" {
		t.Errorf("ended %q (-want +got):\n%s", ended(e), diff)
	}
	if got := eventsOf(w, key, messages.Backordered); !slices.Equal(got, []string{"1.backordered.1", "1.backordered.2", "1.backordered.3"}) {
		t.Errorf("events %v", got)
	}
	if w.Sim.Calls(bwfake.EndpointCreate) != 1 || w.Sim.Bought(neverNeeded) != 0 {
		t.Errorf("%d POSTs; the number too many was bought %d times", w.Sim.Calls(bwfake.EndpointCreate), w.Sim.Bought(neverNeeded))
	}
	if n := w.Sim.Calls(bwfake.EndpointSearch); n != 0 {
		t.Errorf("%d searches: Bandwidth chooses", n)
	}
	got, err := w.Bus.Number(t.Context(), secondToCome)
	if err != nil || got.State != "in_service" || got.Key != key {
		t.Errorf("the registry has %+v, %v", got, err)
	}
}

// TestBackorderRefused: what Bandwidth does not wait for is said with its reason: where it is documented before
// anything is asked, and otherwise in Bandwidth's words.
func TestBackorderRefused(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
		Body: "<OrderResponse><ErrorList><Error><Code>5523</Code><Description>no backorders there</Description></Error></ErrorList></OrderResponse>"})
	w.Work(brisk)
	for _, c := range []messages.Criteria{{NPANXX: "919555"}, {LocalVanity: "CALL", AreaCode: "919"}, {TollFreeVanity: "FLOWERS"}} {
		r := waitingFor("r1", "", 1)
		r.Criteria = &c
		before := len(w.Events())
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Send(w.Names.Request(messages.Provision, ""), body, nil)
		e := w.Await(before+1, "the refusal", func(messages.Event) bool { return true })[before]
		if ended(e) != "failed invalid" || len(e.Errors) != 1 || !strings.Contains(e.Errors[0].Description, "cannot be waited for") {
			t.Errorf("%+v ended %q with %+v", c, ended(e), e.Errors)
		}
	}
	if n := len(w.Sim.Requests()); n != 0 {
		t.Errorf("Bandwidth was asked %d times", n)
	}
	e := w.Final(ask(t, w, messages.Provision, waitingFor("r1", "919", 1)), 1)
	if ended(e) != "failed rejected" || len(e.Errors) != 1 || e.Errors[0].Code != "5523" || e.Errors[0].Description == "" {
		t.Errorf("ended %q with %+v; want the reason 5523", ended(e), e.Errors)
	}
	if len(w.Sim.Orders()) != 0 {
		t.Error("an order was created")
	}
}

// TestBackorderReplyLost: the one POST is found by its customer order id.
func TestBackorderReplyLost(t *testing.T) {
	for _, kind := range []bwfake.FaultKind{bwfake.LoseReplyAfter, bwfake.NoID, bwfake.Truncated} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{ListDelay: 300 * time.Millisecond}})
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: kind})
			w.Work(hurried)
			key := ask(t, w, messages.Provision, waitingFor("r1", bwfake.DryAreaCode, 2))
			backordered(t, w, key, 1)
			w.Sim.Restock(firstToCome, secondToCome)
			e := w.Final(key, 1)
			if ended(e) != "completed" || !cmp.Equal(boughtFor(w, key), sorted(e.Numbers)) || len(e.Numbers) != 2 {
				t.Errorf("ended %q with %v, bought %v", ended(e), e.Numbers, boughtFor(w, key))
			}
			if n := w.Sim.Calls(bwfake.EndpointCreate); n != 1 {
				t.Errorf("%d POSTs, want 1", n)
			}
		})
	}
}

// TestP21b_BackorderNeverFound: it is never sent again by itself, and a replay must say that it may buy twice.
func TestP21b_BackorderNeverFound(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.LoseReplyBefore})
	w.Work(hurried)
	key := ask(t, w, messages.Provision, waitingFor("r1", bwfake.DryAreaCode, 2))
	if e := w.Final(key, 1); ended(e) != "failed outcome_unknown" {
		t.Fatalf("ended %q", ended(e))
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n != 1 {
		t.Errorf("%d POSTs, want 1 (P18)", n)
	}
	l := letter(t, w, key)
	replay(t, w, l, false)
	refused := w.Await(1, "the refusal", func(e messages.Event) bool { return e.Reason == messages.ReasonInvalid })[0]
	if refused.Generation != 0 || len(refused.Errors) != 1 {
		t.Errorf("the refusal is %+v", refused)
	}
	refusal := letter(t, w, refused.Key)
	if got := letter(t, w, key); got.Sequence != l.Sequence {
		t.Errorf("the letter of the order was touched: sequence %d, was %d", got.Sequence, l.Sequence)
	}
	if refusal.Replayable() {
		t.Error("the refusal can be replayed as it is")
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n != 1 {
		t.Errorf("%d POSTs after the refused replay, want 1", n)
	}
	// With the sender's word it is looked for again, and then ordered anew under an id of its own.
	looks := w.Sim.Calls(bwfake.EndpointList)
	replay(t, w, l, true)
	w.Await(1, "submitted again", func(e messages.Event) bool {
		return e.Key == key && e.Generation == 2 && e.Outcome == messages.Submitted
	})
	if n := w.Sim.Calls(bwfake.EndpointList) - looks; n < 5 {
		t.Errorf("only %d looks before the new POST (P21)", n)
	}
	w.Sim.Restock(firstToCome, secondToCome)
	e := w.Final(key, 2)
	if ended(e) != "completed" || !cmp.Equal(boughtFor(w, key), sorted(e.Numbers)) || len(e.Numbers) != 2 {
		t.Errorf("the replay ended %q with %v, bought %v", ended(e), e.Numbers, boughtFor(w, key))
	}
	if id := e.CustomerOrderID; id[len(id)-2:] != "-2" {
		t.Errorf("the new POST went out as %s (P14)", id)
	}
	await(t, func() bool { ls := w.Letters(); return len(ls) == 1 && ls[0].Key == refused.Key })
}

// TestP21b_ReplayFindsIt: a replay with the sender's word does not buy again what its looks find.
func TestP21b_ReplayFindsIt(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{ListDelay: 2500 * time.Millisecond}})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.LoseReplyAfter})
	w.Sim.Restock(firstToCome, secondToCome)
	w.Work(hurried)
	key := ask(t, w, messages.Provision, waitingFor("r1", bwfake.DryAreaCode, 2))
	if e := w.Final(key, 1); ended(e) != "failed outcome_unknown" {
		t.Fatalf("ended %q", ended(e))
	}
	l := letter(t, w, key)
	await(t, func() bool { // until the list shows it
		list, err := w.Client().OrdersByCustomerOrderID(t.Context(), w.Sim.Orders()[0].CustomerOrderID)
		return err == nil && len(list) == 1
	})
	replay(t, w, l, true)
	e := w.Final(key, 2)
	if ended(e) != "completed" || len(e.Numbers) != 2 || w.Sim.Calls(bwfake.EndpointCreate) != 1 {
		t.Errorf("ended %q with %v after %d POSTs, want completed after the one", ended(e), e.Numbers, w.Sim.Calls(bwfake.EndpointCreate))
	}
}
