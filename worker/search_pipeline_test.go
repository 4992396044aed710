package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// hasty gives searches little time.
func hasty(o *worker.Options) {
	brisk(o)
	o.SearchTime = 1500 * time.Millisecond
}

// searchFor publishes a search and returns its event.
func searchFor(t *testing.T, w *workertest.World, r messages.Request) *messages.Event {
	t.Helper()
	if r.RequestID == "" {
		r.RequestID = "s1"
	}
	receipt, e, err := w.Bus.Search(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	if e.Key != receipt.Key || e.RequestID != r.RequestID || e.Kind != messages.Search || e.Generation != 0 || e.Sequence != 0 {
		t.Errorf("event %s of request %s, kind %s, generation %d, sequence %d; want the receipt's key and P27", e.EventID, e.RequestID, e.Kind, e.Generation, e.Sequence)
	}
	return e
}

// searchesSent returns the parameters of the searches that reached Bandwidth.
func searchesSent(t *testing.T, w *workertest.World) []url.Values {
	t.Helper()
	var out []url.Values
	for _, r := range w.Sim.Requests() {
		if r.Endpoint != bwfake.EndpointSearch {
			continue
		}
		v, err := url.ParseQuery(r.Query)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// TestSearchReachesTheWire: every criterion goes out under Bandwidth's name, with LCA off and a quantity (kazoo-parity:
// "LCA is never sent, and its default widens the search"; each prefix length gets the right search).
func TestSearchReachesTheWire(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	yes, three := true, 3
	type params = map[string]string
	for _, c := range []struct {
		r    messages.Request
		want params
	}{
		{messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}}, params{"areaCode": "919", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &three, Detail: &yes}, params{"areaCode": "919", "quantity": "3", "enableTNDetail": "true"}},
		{messages.Request{Criteria: &messages.Criteria{NPANXX: "919555"}}, params{"npaNxx": "919555", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{NPANXXX: "9195551"}}, params{"npaNxxx": "9195551", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{RateCenter: "SALT LAKE", State: "UT"}}, params{"rateCenter": "SALT LAKE", "state": "UT", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{City: "RALEIGH", State: "NC"}}, params{"city": "RALEIGH", "state": "NC", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Zip: "27601"}}, params{"zip": "27601", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{LATA: "426"}}, params{"lata": "426", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{LocalVanity: "2345", EndsIn: &yes, AreaCode: "919"}}, params{"localVanity": "2345", "endsIn": "true", "areaCode": "919", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{TollFreeVanity: "flowers"}}, params{"tollFreeVanity": "flowers", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{TollFreeWildcard: "8**"}}, params{"tollFreeWildCardPattern": "8**", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{NPANXX: "919555", LocalCallingArea: &yes}}, params{"npaNxx": "919555", "LCA": "true", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1919"}}, params{"areaCode": "919", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+19195"}}, params{"areaCode": "919", "quantity": "5000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+191955"}}, params{"areaCode": "919", "quantity": "5000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1919555"}}, params{"npaNxx": "919555", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+19195551"}}, params{"npaNxxx": "9195551", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+191955512"}}, params{"npaNxxx": "9195551", "quantity": "1000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1919555123"}}, params{"npaNxxx": "9195551", "quantity": "1000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+19195551234"}}, params{"npaNxxx": "9195551", "quantity": "1000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+18"}}, params{"tollFreeWildCardPattern": "8**", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+185"}}, params{"tollFreeWildCardPattern": "85*", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1855"}}, params{"tollFreeWildCardPattern": "855", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1855234"}}, params{"tollFreeWildCardPattern": "855", "quantity": "5000"}},
	} {
		before := len(searchesSent(t, w))
		e := searchFor(t, w, c.r)
		name := fmt.Sprintf("%+v", *c.r.Criteria)
		wanted := 10
		switch {
		case c.r.Quantity != nil:
			wanted = *c.r.Quantity
		case c.r.Criteria.Prefix == "+19195551234", c.r.Criteria.TollFreeVanity+c.r.Criteria.LocalVanity != "":
			wanted = len(e.Numbers) // a single number, and words that few numbers spell
		}
		if e.Outcome != messages.Completed || len(e.Numbers) != wanted || wanted == 0 {
			t.Errorf("%s: %s %s with %d numbers, want %d", name, e.Outcome, e.Reason, len(e.Numbers), wanted)
		}
		for _, n := range e.Numbers {
			if !strings.HasPrefix(n, "+1") || !strings.HasPrefix(n, c.r.Criteria.Prefix) {
				t.Errorf("%s: found %s", name, n)
			}
		}
		await(t, func() bool { return len(searchesSent(t, w)) > before }) // it is logged after it was answered
		sent := searchesSent(t, w)[before:]
		want := url.Values{"LCA": {"false"}}
		for k, v := range c.want {
			want.Set(k, v)
		}
		if diff := cmp.Diff([]url.Values{want}, sent); diff != "" {
			t.Errorf("%s: parameters (-want +got):\n%s", name, diff)
		}
	}
}

// TestSearchDetail: results are there where they were asked for, and only there.
func TestSearchDetail(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: []bwfake.Stock{
		{Number: "+19195551001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Tier: "1"},
	}}})
	w.Work(brisk)
	yes := true
	e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Detail: &yes, Metadata: map[string]string{"ticket": "77"}, Tenant: "acme"})
	want := []messages.NumberDetail{{Number: "+19195551001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Tier: "1"}}
	if diff := cmp.Diff(want, e.Results); diff != "" || !cmp.Equal(e.Numbers, []string{"+19195551001"}) {
		t.Errorf("numbers %v, results (-want +got):\n%s", e.Numbers, diff)
	}
	if e.Tenant != "acme" || e.Metadata["ticket"] != "77" || e.EventID != e.Key+".0.completed" || e.Type != "bandwidth.v1.search.completed" {
		t.Errorf("event %s, type %s, tenant %s, metadata %v", e.EventID, e.Type, e.Tenant, e.Metadata)
	}
	e = searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}})
	if e.Results != nil || len(e.Numbers) != 1 {
		t.Errorf("numbers %v, results %v; want no results where none were asked for", e.Numbers, e.Results)
	}
	// Run anew each time: what was sold meanwhile is not found, and the request id is free for other content.
	w.Sim.SellElsewhere("+19195551001", "somebody")
	e = searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}})
	if e.Outcome != messages.Completed || len(e.Numbers) != 0 || len(e.Errors) != 0 {
		t.Errorf("nothing is for sale: %s %s with %v; want completed with no numbers", e.Outcome, e.Reason, e.Numbers)
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d dead letters after searches that were answered", n)
	}
}

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

// TestSearchLocalCallingAreaOff: numbers of other exchanges are found only where they are asked for.
func TestSearchLocalCallingAreaOff(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: []bwfake.Stock{
		{Number: "+19195551001", RateCenter: "DURHAM", State: "NC", LATA: "426"},
		{Number: "+19842341002", RateCenter: "RALEIGH", State: "NC", LATA: "426"},
	}}})
	w.Work(brisk)
	yes := true
	for _, c := range []messages.Criteria{{NPANXX: "919555"}, {NPANXXX: "9195551"}, {RateCenter: "DURHAM", State: "NC"}} {
		if e := searchFor(t, w, messages.Request{Criteria: &c}); !cmp.Equal(e.Numbers, []string{"+19195551001"}) {
			t.Errorf("%+v: found %v, want the one number", c, e.Numbers)
		}
		c.LocalCallingArea = &yes
		if e := searchFor(t, w, messages.Request{Criteria: &c}); !cmp.Equal(e.Numbers, []string{"+19195551001", "+19842341002"}) {
			t.Errorf("%+v with its local calling area: found %v, want both", c, e.Numbers)
		}
	}
	// A whole number is found, and not its whole exchange (kazoo-parity).
	for prefix, want := range map[string][]string{"+19195551001": {"+19195551001"}, "+19195551002": {}, "+19842": {"+19842341002"}, "+19195": {"+19195551001"}, "+1212": {}} {
		if e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{Prefix: prefix}}); e.Outcome != messages.Completed || !cmp.Equal(e.Numbers, want) {
			t.Errorf("%s: %s with %v, want %v", prefix, e.Outcome, e.Numbers, want)
		}
	}
}

// TestSearchWhateverTheSwitches: kazoo-parity, "enable_provisioning false: only searches", and sandbox_provisioning.
func TestSearchWhateverTheSwitches(t *testing.T) {
	for _, c := range []struct{ provisioning, sandbox, carrierDisabled bool }{
		{true, false, false}, {false, false, false}, {true, true, false}, {false, true, false}, {true, false, true},
	} {
		t.Run(fmt.Sprintf("enable %v, sandbox %v, carrier disabled %v", c.provisioning, c.sandbox, c.carrierDisabled), func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(func(o *worker.Options) {
				brisk(o)
				o.Provisioning, o.Sandbox, o.CarrierDisabled = c.provisioning, c.sandbox, c.carrierDisabled
			})
			e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}})
			if e.Outcome != messages.Completed || len(e.Numbers) != 10 || e.Sandbox != c.sandbox {
				t.Errorf("ended %s %s with %d numbers, sandbox %v", e.Outcome, e.Reason, len(e.Numbers), e.Sandbox)
			}
			if strings.Contains(e.Line(), "sandbox") {
				t.Errorf("the numbers are real, but the line says %q", e.Line())
			}
			await(t, func() bool { return len(searchesSent(t, w)) > 0 })
			if n := len(searchesSent(t, w)); n != 1 {
				t.Errorf("Bandwidth was asked %d times, want once", n)
			}
		})
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

// TestSearchLeavesRoomForOrders: searches that take their time do not keep orders waiting.
func TestSearchLeavesRoomForOrders(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSearch, Kind: bwfake.Slow, Delay: time.Second})
	w.Work(func(o *worker.Options) { brisk(o); o.Concurrency = 4 })
	const searches = 8
	for i := range searches {
		if _, err := w.Bus.Publish(t.Context(), messages.Search, &messages.Request{RequestID: fmt.Sprintf("s%d", i), Criteria: &messages.Criteria{AreaCode: "919"}}); err != nil {
			t.Fatal(err)
		}
	}
	completed := func(e messages.Event) bool { return e.Kind == messages.Search && e.Outcome == messages.Completed }
	if e := w.Final(w.Provision("r1", number), 1); e.Outcome != messages.Completed {
		t.Errorf("the order ended %s %s", e.Outcome, e.Reason)
	}
	early := 0
	for _, e := range w.Events() {
		if completed(e) {
			early++
		}
	}
	if early == searches {
		t.Error("the order came after all searches")
	}
	w.Await(searches, "the searches", completed)
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

// TestP40_SearchForFiveThousand: the largest search fits in one event; details that do not fit are left out, and the
// event says so.
func TestP40_SearchForFiveThousand(t *testing.T) {
	wordy := make([]bwfake.Stock, 5000)
	for i := range wordy {
		name := strings.Repeat("LLANFAIRPWLLGWYNGYLL ", 5)
		wordy[i] = bwfake.Stock{Number: fmt.Sprintf("+1919%d", 5550500+i*2), City: name, RateCenter: name, State: "NC", LATA: "426", Tier: "0"}
	}
	all, yes := 5000, true
	for name, inventory := range map[string][]bwfake.Stock{"plain": nil, "wordy": wordy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: inventory}})
			w.Work(func(o *worker.Options) { brisk(o); o.MaxSearchQuantity = all })
			e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &all, Detail: &yes})
			if e.Outcome != messages.Completed || len(e.Numbers) < 4990 { // some endings are nobody's to sell
				t.Fatalf("ended %s %s with %d numbers", e.Outcome, e.Reason, len(e.Numbers))
			}
			switch {
			case inventory == nil && (len(e.Results) != len(e.Numbers) || len(e.Errors) != 0):
				t.Errorf("%d results of %d numbers, errors %v", len(e.Results), len(e.Numbers), e.Errors)
			case inventory != nil && (len(e.Results) != 0 || len(e.Errors) != 1 || e.Errors[0].Code != "details_too_large"):
				t.Errorf("%d results, errors %v; want none and a sentence", len(e.Results), e.Errors)
			}
		})
	}
}

// TestSearchersGetTheirOwn: searches at the same time, with one request id, are each answered with their own numbers.
func TestSearchersGetTheirOwn(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	var asking sync.WaitGroup
	for _, area := range []string{"919", "704", "973", "801", "303", "415", "212", "540"} {
		asking.Go(func() {
			_, e, err := w.Bus.Search(t.Context(), &messages.Request{RequestID: "same", Criteria: &messages.Criteria{AreaCode: area}})
			if err != nil {
				t.Errorf("%s: %v", area, err)
				return
			}
			if len(e.Numbers) != 10 || e.Numbers[0][2:5] != area {
				t.Errorf("%s: found %v", area, e.Numbers)
			}
		})
	}
	asking.Wait()
}

// serving waits until a worker answers its endpoints.
func serving(t *testing.T, w *workertest.World) {
	t.Helper()
	await(t, func() bool {
		_, err := w.Bus.Sites(t.Context())
		return !errors.Is(err, bus.ErrNoWorker)
	})
}

// TestSearchEndpoint: the same question as request and reply.
func TestSearchEndpoint(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	yes := true
	r := &messages.Request{RequestID: "s1", Tenant: "acme", Criteria: &messages.Criteria{Prefix: "+1919555"}, Detail: &yes, Metadata: map[string]string{"k": "v"}}
	if _, err := w.Bus.AskSearch(t.Context(), r); !errors.Is(err, bus.ErrNoWorker) {
		t.Errorf("without a worker: %v; want ErrNoWorker", err)
	}
	w.Work(hasty)
	serving(t, w)
	e, err := w.Bus.AskSearch(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if e.Outcome != messages.Completed || len(e.Numbers) != 10 || len(e.Results) != 10 || e.Tenant != "acme" || e.Metadata["k"] != "v" || !messages.ValidKey(e.Key) {
		t.Errorf("answered %+v", e)
	}
	var refused *messages.RequestError
	if _, err := w.Bus.AskSearch(t.Context(), &messages.Request{RequestID: "s1"}); !errors.As(err, &refused) {
		t.Errorf("without criteria: %v; want it refused before anything is sent", err)
	}
	for _, c := range []struct {
		name   string
		fault  bwfake.Fault
		code   int
		reason messages.Reason
	}{
		{"criteria", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 400, Body: "<SearchResult><Error><Code>4000</Code><Description>no</Description></Error></SearchResult>"}, 400, messages.ReasonRejected},
		{"credentials", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 401}, 502, messages.ReasonRejected},
		{"server error", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 500}, 504, messages.ReasonExhausted},
		{"rate limit", bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Hour}, 429, messages.ReasonExhausted},
	} {
		c.fault.Endpoint = bwfake.EndpointSearch
		w.Sim.ClearFaults()
		w.Sim.Inject(c.fault)
		_, err := w.Bus.AskSearch(t.Context(), r)
		var service *bus.ServiceError
		if !errors.As(err, &service) || service.Code != c.code || service.Event == nil || service.Event.Reason != c.reason || service.Event.Outcome != messages.Failed {
			t.Errorf("%s: %#v; want code %d with the event of the failure, %s", c.name, err, c.code, c.reason)
		}
	}
	for _, body := range []string{"", "[]", `{"request_id":"a","criteria":{"area_code":"9"}}`, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":501}`} {
		reply, err := w.Conn.RequestWithContext(t.Context(), w.Names.API("search"), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if code := reply.Header.Get("Nats-Service-Error-Code"); code != "400" {
			t.Errorf("%s: code %q, want 400", body, code)
		}
	}
	if n := len(w.Events()) + len(w.Letters()); n != 0 {
		t.Errorf("%d events and letters of questions that were answered to the asker", n)
	}
}

// TestSitesAndPeersEndpoints: kazoo-parity, `sup knm_bandwidth2 sites` and `peers {SITE_ID}`, over the bus.
func TestSitesAndPeersEndpoints(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	serving(t, w)
	sites, err := w.Bus.Sites(t.Context())
	want := []messages.Site{{ID: "1234", Name: "East coast", Description: "first site"}, {ID: "5678", Name: "West coast"}}
	if diff := cmp.Diff(want, sites); err != nil || diff != "" {
		t.Errorf("sites: %v (-want +got):\n%s", err, diff)
	}
	peers, err := w.Bus.Peers(t.Context(), "5678")
	if diff := cmp.Diff([]messages.Peer{{ID: "345333", Name: "Kazoo west", Default: true}}, peers); err != nil || diff != "" {
		t.Errorf("peers: %v (-want +got):\n%s", err, diff)
	}
	codeOf := func(err error) int {
		var service *bus.ServiceError
		if !errors.As(err, &service) {
			t.Errorf("%v; want a service error", err)
			return 0
		}
		return service.Code
	}
	for site, code := range map[string]int{"99": 404, "": 400, "../orders": 400} {
		if _, err := w.Bus.Peers(t.Context(), site); codeOf(err) != code {
			t.Errorf("peers of %q: %v; want code %d", site, err, code)
		}
	}
	w.Sim.SetCredentials("other", "people")
	for _, ask := range []func() error{
		func() error { _, err := w.Bus.Sites(t.Context()); return err },
		func() error { _, err := w.Bus.Peers(t.Context(), "1234"); return err },
	} {
		if err := ask(); codeOf(err) != 502 || !strings.Contains(err.Error(), "refuses the credentials") {
			t.Errorf("with a wrong password: %v", err)
		}
	}
	w.Sim.SetCredentials(workertest.Username, workertest.Password)
	for _, endpoint := range []string{bwfake.EndpointSites, bwfake.EndpointPeers} {
		w.Sim.Inject(bwfake.Fault{Endpoint: endpoint, Times: 1, Kind: bwfake.RateLimit, Delay: time.Second})
		w.Sim.Inject(bwfake.Fault{Endpoint: endpoint, Times: 1, Kind: bwfake.ErrorBefore, Status: http.StatusServiceUnavailable})
	}
	var codes []int
	for range 2 {
		_, err := w.Bus.Sites(t.Context())
		codes = append(codes, codeOf(err))
		_, err = w.Bus.Peers(t.Context(), "1234")
		codes = append(codes, codeOf(err))
	}
	if !slices.Equal(codes, []int{429, 429, 502, 502}) {
		t.Errorf("codes %v of a rate limit and a server error", codes)
	}
}
