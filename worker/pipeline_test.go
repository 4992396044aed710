package worker_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
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

const number = "+19195551234"

// brisk makes a worker's times short.
func brisk(o *worker.Options) {
	o.Settings.PostTimeout, o.Settings.SettleWindow = 400*time.Millisecond, 800*time.Millisecond
	o.Settings.PollMinInterval, o.Settings.PollMaxInterval = 20*time.Millisecond, 200*time.Millisecond
	o.ProbeEvery = 2 * time.Second
}

func TestOneFaultOnePurchase(t *testing.T) {
	post := func(f bwfake.Fault) []bwfake.Fault {
		f.Endpoint, f.Times = bwfake.EndpointCreate, 1
		return []bwfake.Fault{f}
	}
	for _, c := range []struct {
		name   string
		faults []bwfake.Fault
		sim    bwfake.Options
		posts  int
	}{
		{name: "no fault", posts: 1},
		{name: "the reply is lost after the order was created", faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 1},
		{name: "the reply is lost before", faults: post(bwfake.Fault{Kind: bwfake.LoseReplyBefore}), posts: 2},
		{name: "a 500 with creation", faults: post(bwfake.Fault{Kind: bwfake.ErrorAfter, Status: 500}), posts: 1},
		{name: "a 500 without", faults: post(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 500}), posts: 2},
		{name: "a 502 as HTML", faults: post(bwfake.Fault{Kind: bwfake.ErrorAfter, Status: 502, Body: "<html><body>Bad Gateway</body></html>"}), posts: 1},
		{name: "a 400 with 5086 and creation", faults: post(bwfake.Fault{Kind: bwfake.ErrorAfter, Status: 400, ContentType: "application/xml",
			Body: "<OrderResponse><ErrorList><Error><Code>5086</Code><Description>timed out</Description></Error></ErrorList></OrderResponse>"}), posts: 1},
		{name: "a 201 without id", faults: post(bwfake.Fault{Kind: bwfake.NoID}), posts: 1},
		{name: "the id only in Location", faults: post(bwfake.Fault{Kind: bwfake.LocationOnly}), posts: 1},
		{name: "a 201 that is cut off", faults: post(bwfake.Fault{Kind: bwfake.Truncated}), posts: 1},
		{name: "a 201 that is not XML", faults: post(bwfake.Fault{Kind: bwfake.Malformed}), posts: 1},
		{name: "a timeout", faults: post(bwfake.Fault{Kind: bwfake.Slow, Delay: 2 * time.Second}), posts: 1},
		{name: "the list shows the order late", sim: bwfake.Options{ListDelay: 500 * time.Millisecond}, faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 1},
		{name: "late, and nobody may ask for numbers", sim: bwfake.Options{ListDelay: 500 * time.Millisecond}, faults: append(post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}),
			bwfake.Fault{Endpoint: bwfake.EndpointNumber, Kind: bwfake.ErrorBefore, Status: http.StatusForbidden}), posts: 1},
		{name: "an empty list is 404", sim: bwfake.Options{EmptyList: 404}, faults: post(bwfake.Fault{Kind: bwfake.LoseReplyBefore}), posts: 2},
		{name: "an empty list is 204", sim: bwfake.Options{EmptyList: 204}, faults: post(bwfake.Fault{Kind: bwfake.LoseReplyBefore}), posts: 2},
		{name: "the list leaves out customer order ids", faults: append(post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}),
			bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.NoCustomerOrderID},
			bwfake.Fault{Endpoint: bwfake.EndpointNumber, Kind: bwfake.ErrorBefore, Status: http.StatusForbidden}), posts: 1},
		{name: "a rate limit", faults: post(bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Second}), posts: 2},
		{name: "polls fail", faults: []bwfake.Fault{
			{Endpoint: bwfake.EndpointGet, Times: 1, Kind: bwfake.ErrorBefore, Status: 500},
			{Endpoint: bwfake.EndpointGet, Times: 1, Kind: bwfake.ErrorBefore, Status: 404},
			{Endpoint: bwfake.EndpointGet, Times: 1, Kind: bwfake.Malformed},
			{Endpoint: bwfake.EndpointGet, Times: 1, Kind: bwfake.Truncated},
			{Endpoint: bwfake.EndpointGet, Times: 1, Kind: bwfake.UnknownStatus},
			{Endpoint: bwfake.EndpointGet, Times: 1, Kind: bwfake.Pending5019},
		}, posts: 1},
		{name: "the order leaves out its numbers", faults: []bwfake.Fault{{Endpoint: bwfake.EndpointGet, Kind: bwfake.EmptyNumbers}}, posts: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: c.sim})
			for _, f := range c.faults {
				w.Sim.Inject(f)
			}
			w.Work(brisk)
			key := w.Provision("r1", number)
			e := w.Final(key, 1)
			if e.Outcome != messages.Completed || !cmp.Equal(e.Numbers, []string{number}) {
				t.Errorf("ended %s %s with %v; want completed with the number", e.Outcome, e.Reason, e.Numbers)
			}
			if n := w.Sim.Bought(number); n != 1 || len(w.Sim.Purchases()) != 1 {
				t.Errorf("bought %d times by %d orders, want once", n, len(w.Sim.Purchases()))
			}
			if n := w.Sim.Calls(bwfake.EndpointCreate); n != c.posts {
				t.Errorf("%d POSTs, want %d", n, c.posts)
			}
		})
	}
}

// TestP16_WrongBaseURLNeverRepeats: where nothing is found because nothing works, a POST is not sent again.
func TestP16_WrongBaseURLNeverRepeats(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.LoseReplyAfter})
	for _, endpoint := range []string{bwfake.EndpointList, bwfake.EndpointSites, bwfake.EndpointNumber} {
		w.Sim.Inject(bwfake.Fault{Endpoint: endpoint, Kind: bwfake.ErrorBefore, Status: http.StatusNotFound, Body: "<html>no such page</html>"})
	}
	w.Work(brisk)
	key := w.Provision("r1", number)
	// Eight looks take longer than the settle window.
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointSites) >= 12 })
	if n := w.Sim.Calls(bwfake.EndpointCreate); n != 1 {
		t.Errorf("%d POSTs while lookups were answered 404, want 1", n)
	}
	w.Sim.ClearFaults()
	if e := w.Final(key, 1); e.Outcome != messages.Completed || w.Sim.Bought(number) != 1 {
		t.Errorf("ended %s, bought %d times; want completed, once", e.Outcome, w.Sim.Bought(number))
	}
}

// await waits for a condition of the simulator, which tells nobody when it changes.
func await(t *testing.T, ready func() bool) {
	t.Helper()
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("it did not happen within a minute")
		}
	}
}

// TestForeignOrder: a number that another system's order holds is never ours (P17).
func TestForeignOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  bwfake.FaultKind
		reason messages.Reason
	}{
		{"answered", "", messages.ReasonBandwidthFailed},
		{"the reply is lost, and the order ends FAILED", bwfake.LoseReplyAfter, messages.ReasonBandwidthFailed},
		{"the POST is lost", bwfake.LoseReplyBefore, messages.ReasonOutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Sim.SellElsewhere(number, "another-system-1")
			if c.fault != "" {
				w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: c.fault})
			}
			w.Work(brisk)
			e := w.Final(w.Provision("r1", number), 1)
			if e.Outcome != messages.Failed || e.Reason != c.reason || len(e.Numbers) != 0 {
				t.Errorf("ended %s %s with %v; want failed %s with nothing", e.Outcome, e.Reason, e.Numbers, c.reason)
			}
			if w.Sim.Bought(number) != 0 {
				t.Error("the number was bought")
			}
		})
	}
}

func TestBadInputBecomesADeadLetter(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	list := func(n int) string {
		numbers := make([]string, n)
		for i := range numbers {
			numbers[i] = fmt.Sprintf("+1919%07d", 2000000+i)
		}
		data, _ := json.Marshal(numbers)
		return string(data)
	}
	provision := w.Names.Request(messages.Provision, "")
	cases := []struct {
		name, subject, body string
		reason              messages.Reason
		field               string
	}{
		{"not JSON", provision, "hello", messages.ReasonMalformed, "not JSON"},
		{"empty", provision, "", messages.ReasonMalformed, "empty"},
		{"a list", provision, "[]", messages.ReasonMalformed, "object"},
		{"wrong type", provision, `{"request_id":"x","numbers":"+19195551234"}`, messages.ReasonMalformed, "numbers"},
		{"wrong type of quantity", provision, `{"request_id":"x","quantity":"3"}`, messages.ReasonMalformed, "quantity"},
		{"unknown field", provision, `{"request_id":"x","numbers":["+19195551234"],"colour":"red"}`, messages.ReasonMalformed, "colour"},
		{"a field twice", provision, `{"request_id":"x","request_id":"y","numbers":["+19195551234"]}`, messages.ReasonMalformed, "request_id"},
		{"trailing data", provision, `{"request_id":"x","numbers":["+19195551234"]} {}`, messages.ReasonMalformed, "after"},
		{"no request id", provision, `{"numbers":["+19195551234"]}`, messages.ReasonInvalid, "request_id"},
		{"a bad number", provision, `{"request_id":"x","numbers":["9195551234"]}`, messages.ReasonInvalid, "numbers"},
		{"duplicates", provision, `{"request_id":"x","numbers":["+19195551234","+19195551234"]}`, messages.ReasonInvalid, "twice"},
		{"5001 numbers", provision, `{"request_id":"x","numbers":` + list(5001) + `}`, messages.ReasonInvalid, "5001"},
		{"numbers and criteria", provision, `{"request_id":"x","numbers":["+19195551234"],"criteria":{"area_code":"919"},"quantity":1}`, messages.ReasonInvalid, "criteria"},
		{"an unknown kind", "bandwidth.v1.request.rent", `{"request_id":"x"}`, messages.ReasonMalformed, "rent"},
		{"too many tokens", "bandwidth.v1.request.provision.a.b", `{"request_id":"x","numbers":["+19195551234"]}`, messages.ReasonMalformed, "tenant"},
		{"a kind that is not built", w.Names.Request(messages.PortIn, ""), `{"request_id":"x","numbers":["+19195551234"]}`, messages.ReasonInvalid, "not built yet"},
		{"a reservation", provision, `{"request_id":"x","numbers":["+19195551234"],"reserve":true}`, messages.ReasonInvalid, "not built yet"},
		{"a backorder of a few digits", provision, `{"request_id":"x","criteria":{"prefix":"+19195"},"quantity":1,"backorder":true}`, messages.ReasonInvalid, "criteria.prefix"},
		{"200 KiB of brackets", provision, `{"request_id":"x","numbers":["+19195551234"],"metadata":{"k":"` + strings.Repeat("<", 200<<10) + `"}}`, messages.ReasonInvalid, "metadata"},
		{"200 KiB of line separators", provision, `{"request_id":"` + strings.Repeat("\u2028", 66<<10) + `","numbers":["+19195551234"]}`, messages.ReasonInvalid, "request_id"},
		{"300 KiB", provision, `{"request_id":"x","metadata":{"k":"` + strings.Repeat("v", 300<<10) + `"}}`, messages.ReasonMalformed, "bytes"},
	}
	for i, c := range cases {
		w.Send(c.subject, []byte(c.body), nil)
		events := w.Await(i+1, c.name, func(e messages.Event) bool { return e.Outcome == messages.Failed })
		e := events[i]
		if e.Reason != c.reason || e.Generation != 0 || e.Sequence != 0 {
			t.Errorf("%s: failed as %s, generation %d, sequence %d; want %s, 0, 0 (P27)", c.name, e.Reason, e.Generation, e.Sequence, c.reason)
		}
		if len(e.Errors) != 1 || !strings.Contains(e.Errors[0].Description, c.field) {
			t.Errorf("%s: the errors %v do not name %q", c.name, e.Errors, c.field)
		}
	}
	await(t, func() bool { return len(w.Letters()) == len(cases) })
	letters := map[string]bus.Letter{} // by what they are letters of: two may be stored in another order than they came
	for _, l := range w.Letters() {
		letters[l.RawSHA256+l.Subject] = l
	}
	for _, c := range cases {
		l, ok := letters[fmt.Sprintf("%x", sha256.Sum256([]byte(c.body)))+c.subject]
		if !ok {
			t.Errorf("%s: there is no dead letter", c.name)
			continue
		}
		if l.Reason != c.reason || l.RawSize != len(c.body) || l.Replayable() || l.Tenant == "" {
			t.Errorf("%s: letter %s, size %d, tenant %q, replay %s", c.name, l.Reason, l.RawSize, l.Tenant, l.DeadLetter.Replay)
		}
		if (l.RawBase64 != "") != (c.reason == messages.ReasonMalformed && len(c.body) > 0) && l.Request == nil {
			t.Errorf("%s: neither raw nor request is in the letter", c.name)
		}
	}
	// The worker goes on, and no request id was used up (P27).
	if e := w.Final(w.Provision("x", number), 1); e.Outcome != messages.Completed {
		t.Errorf("a good request after the bad ones ended %s %s", e.Outcome, e.Reason)
	}
}

// TestP40_FiveThousandFailed: 5000 numbers, all failed, fit every message and record.
func TestP40_FiveThousandFailed(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(nil)
	numbers := make([]string, 5000)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1919%07d", 2005000+i) // none of the simulator's own endings
		w.Sim.SellElsewhere(numbers[i], "another")
	}
	e := w.Final(w.Provision("many", numbers...), 1)
	if e.Outcome != messages.Failed || len(e.FailedNumbers) != 5000 || e.FailedNumbers[0].Code != "5005" {
		t.Fatalf("ended %s %s with %d failed numbers", e.Outcome, e.Reason, len(e.FailedNumbers))
	}
	if len(e.Errors) != 1 {
		t.Errorf("%d errors, want the one description once (P40)", len(e.Errors))
	}
	await(t, func() bool { return len(w.Letters()) == 1 })
	l := w.Letters()[0]
	if data, _ := json.Marshal(l.DeadLetter); len(data) > 512<<10 {
		t.Errorf("the letter takes %d bytes", len(data))
	}
	if _, err := w.Bus.Replay(t.Context(), l, false); err != nil {
		t.Fatalf("replay: %v", err)
	}
	if e := w.Final(e.Key, 2); e.Outcome != messages.Failed || len(e.FailedNumbers) != 5000 {
		t.Errorf("the replay ended %s %s", e.Outcome, e.Reason)
	}
}

// TestWrongCredentials: orders wait, none becomes a dead letter, and /readyz says why (P22).
func TestWrongCredentials(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Sim.SetCredentials("somebody", "else")
	running, _ := w.Worker(brisk)
	keys := make([]string, 20)
	for i := range keys {
		keys[i] = w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i))
	}
	await(t, func() bool { return !running.Ready() })
	if why := running.WhyNotReady(); !strings.Contains(why, "ORDER") || !strings.Contains(why, "401") {
		t.Errorf("not ready because %q; want the group and the refusal", why)
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n > 64 {
		t.Errorf("%d POSTs with wrong credentials", n)
	}
	w.Sim.SetCredentials(workertest.Username, workertest.Password)
	if err := running.Resume(t.Context(), worker.GroupOrder); err != nil { // an operator need not wait for the next probe
		t.Fatal(err)
	}
	for _, key := range keys {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
	await(t, running.Ready)
}

// TestRateLimitHoldsTheFleet: after a 429 no worker calls that group before the reset.
func TestRateLimitHoldsTheFleet(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	w.Work(brisk)
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.RateLimit, Delay: 5 * time.Second})
	first := w.Provision("first", "+19195550001")
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointCreate) == 1 })
	// The pause has to reach both workers before they are given work: an event of each shows that they see it.
	await(t, func() bool { return pauseStored(t, w) })
	var keys []string
	for i := range 30 {
		keys = append(keys, w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i)))
	}
	for _, key := range append(keys, first) {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
	var limited time.Time
	for _, r := range w.Sim.Requests() {
		if r.Endpoint != bwfake.EndpointCreate {
			continue
		}
		if r.Status == http.StatusTooManyRequests {
			limited = r.At
		} else if reset := limited.Add(5 * time.Second).Truncate(time.Second); r.At.Before(reset) {
			t.Errorf("a POST %s before the reset", reset.Sub(r.At))
		}
	}
	if limited.IsZero() {
		t.Error("nobody was limited")
	}
}

func pauseStored(t *testing.T, w *workertest.World) bool {
	t.Helper()
	kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket())
	if err != nil {
		t.Fatal(err)
	}
	_, err = kv.Get(t.Context(), "pause.ORDER")
	return err == nil
}

// TestReplay: a partial order's replay orders only what is missing, once; the letter goes with it (P25, P26).
func TestReplay(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	w.Sim.SellElsewhere("+19195550002", "another")
	key := w.Provision("r1", "+19195550001", "+19195550002")
	if e := w.Final(key, 1); e.Outcome != messages.Partial || e.Reason != messages.ReasonIncomplete {
		t.Fatalf("ended %s %s, want partial incomplete", e.Outcome, e.Reason)
	}
	await(t, func() bool { return len(w.Letters()) == 1 })
	l := w.Letters()[0]
	w.Sim.Release("+19195550002")
	for range 2 { // a second operator replays the same letter
		if _, err := w.Bus.Replay(t.Context(), l, false); err != nil {
			t.Fatal(err)
		}
	}
	e := w.Final(key, 2)
	if diff := cmp.Diff([]string{"+19195550001", "+19195550002"}, e.Numbers); e.Outcome != messages.Completed || diff != "" {
		t.Errorf("the replay ended %s with (-want +got)\n%s", e.Outcome, diff)
	}
	await(t, func() bool { return len(w.Letters()) == 0 })
	if n := len(w.Sim.OrdersOf(key)); n != 2 {
		t.Errorf("%d orders at Bandwidth, want 2", n)
	}
	ids := map[string]bool{}
	for _, o := range w.Sim.OrdersOf(key) {
		ids[o.CustomerOrderID] = true
	}
	if len(ids) != 2 {
		t.Errorf("two purchases share a customer order id: %v (P14)", ids)
	}
}

// TestDuplicate: a repeated request is answered with the same event, also when it comes under way.
func TestDuplicate(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: 300 * time.Millisecond}})
	w.Work(brisk)
	key := w.Provision("r1", number)
	w.Provision("r1", number)
	first := w.Final(key, 1)
	w.Provision("r1", number)
	repeated := w.Await(2, "the repeated answer", func(e messages.Event) bool { return e.Key == key && e.Outcome.Final() })
	if diff := cmp.Diff(first, repeated[1]); diff != "" {
		t.Errorf("the repeat differs (-first +repeat):\n%s", diff)
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n != 1 {
		t.Errorf("%d POSTs, want 1", n)
	}
	w.Send(w.Names.Request(messages.Provision, ""), []byte(`{"request_id":"r1","numbers":["+19195559999"]}`), nil)
	conflict := w.Await(1, "the conflict", func(e messages.Event) bool { return e.Reason == messages.ReasonConflict })[0]
	if conflict.Generation != 0 || conflict.Key == key {
		t.Errorf("the conflict has generation %d and key %s", conflict.Generation, conflict.Key)
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n != 1 {
		t.Errorf("%d POSTs after the conflict, want 1", n)
	}
}

// TestEventIsACloudEvent: headers in lower case, the id equal to the message id.
func TestEventIsACloudEvent(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w.Send(w.Names.Request(messages.Provision, "acme"), []byte(`{"request_id":"r1","tenant":"other","numbers":["`+number+`"],"metadata":{"ticket":"77"}}`),
		nats.Header{"traceparent": []string{parent}})
	key := w.Names.Key("acme", "r1")
	e := w.Final(key, 1)
	if e.Tenant != "acme" || e.Metadata["ticket"] != "77" || e.OrderName != "East coast Kazoo-"+key || e.CustomerOrderID != "East-coast-Kazoo-"+key {
		t.Errorf("event %+v", e)
	}
	stream, err := w.JS.Stream(t.Context(), w.Names.EventsStream())
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(t.Context(), w.Names.Event(messages.Provision, messages.Completed, "acme", key))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ce-specversion": "1.0", "ce-id": e.EventID, "ce-source": "/bandwidth/accounts/20902288", "ce-type": "bandwidth.v1.provision.completed",
		"ce-subject": key, "ce-datacontenttype": "application/json", "traceparent": parent, "Nats-Msg-Id": e.EventID,
	} {
		if got := msg.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("header %s is %v, want %q", name, got, want)
		}
	}
}

// TestSwitches: in no combination does a sandbox buy, and a disabled worker only says so.
func TestSwitches(t *testing.T) {
	for _, c := range []struct {
		enable, sandbox bool
		outcome         messages.Outcome
		reason          messages.Reason
		bought          int
	}{
		{true, false, messages.Completed, "", 1},
		{false, false, messages.Failed, messages.ReasonProvisioningDisabled, 0},
		{true, true, messages.Completed, "", 0},
		{false, true, messages.Completed, "", 0},
	} {
		t.Run(fmt.Sprintf("enable %t sandbox %t", c.enable, c.sandbox), func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(func(o *worker.Options) { brisk(o); o.Provisioning, o.Sandbox = c.enable, c.sandbox })
			e := w.Final(w.Provision("r1", number), 1)
			if e.Outcome != c.outcome || e.Reason != c.reason || e.Sandbox != c.sandbox {
				t.Errorf("ended %s %s, sandbox %t", e.Outcome, e.Reason, e.Sandbox)
			}
			if n := len(w.Sim.Requests()); c.bought == 0 && n != 0 {
				t.Errorf("%d calls left the process", n)
			}
			if w.Sim.Bought(number) != c.bought {
				t.Errorf("bought %d times, want %d", w.Sim.Bought(number), c.bought)
			}
			if c.sandbox && (e.BandwidthOrderID != "" || len(e.Numbers) != 1) {
				t.Errorf("sandbox event %+v", e)
			}
		})
	}
}

// TestP33_YoungLedger: a new ledger asks Bandwidth first, and does not buy again what an older one bought.
func TestP33_YoungLedger(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	guard := func(o *worker.Options) { brisk(o); o.LedgerGuard = time.Hour }
	stop := w.Work(guard)
	key := w.Provision("r1", number)
	w.Final(key, 1)
	stop()
	// The ledger is lost: its record, its index, its events.
	for _, bucket := range []string{w.Names.OrdersBucket(), w.Names.OpenBucket()} {
		if err := w.JS.DeleteKeyValue(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
	}
	w.Work(guard)
	w.Provision("r1", number)
	// The event is the first one again, by its id, so that the stream keeps one of them.
	await(t, func() bool {
		data, err := w.Bus.Order(t.Context(), key, "", "")
		return err == nil && strings.Contains(string(data), `"state":"completed"`)
	})
	if w.Sim.Bought(number) != 1 || w.Sim.Calls(bwfake.EndpointCreate) != 1 {
		t.Errorf("bought %d times by %d POSTs, want once", w.Sim.Bought(number), w.Sim.Calls(bwfake.EndpointCreate))
	}
}

// TestRescuer: an order whose timer is gone is found again (P6).
func TestRescuer(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: 700 * time.Millisecond}})
	running, _ := w.Worker(func(o *worker.Options) { brisk(o); o.Settings.Lease, o.AckWait = 300*time.Millisecond, time.Second })
	key := w.Provision("r1", number)
	w.Await(1, "submitted", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Submitted })
	stream, err := w.JS.Stream(t.Context(), w.Names.TimersStream())
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	await(t, func() bool { // the worker keeps setting timers until one is lost between two polls
		if err := stream.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		info, err := stream.Info(t.Context())
		lost = err == nil && info.State.Msgs == 0
		return lost
	})
	await(t, func() bool {
		rescued, err := running.Rescue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range w.Events() {
			if e.Key == key && e.Outcome.Final() {
				return true
			}
		}
		_ = rescued
		return false
	})
	if e := w.Final(key, 1); e.Outcome != messages.Completed {
		t.Errorf("ended %s %s", e.Outcome, e.Reason)
	}
}

// TestOrderEndpoint: the micro service tells of an order by its key or its request id.
func TestOrderEndpoint(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	key := w.Provision("r1", number)
	w.Final(key, 1)
	for _, q := range []struct{ key, requestID string }{{key, ""}, {"", "r1"}} {
		data, err := w.Bus.Order(t.Context(), q.key, "", q.requestID)
		if err != nil {
			t.Fatal(err)
		}
		var v worker.OrderView
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		if v.Key != key || v.State != "completed" || len(v.History) == 0 || len(v.BandwidthOrders) != 1 {
			t.Errorf("view %+v", v)
		}
	}
	if _, err := w.Bus.Order(t.Context(), strings.Repeat("a", 20), "", ""); err == nil || !strings.Contains(err.Error(), bus.ErrNoOrder.Error()) {
		t.Errorf("an unknown order: %v", err)
	}
}
