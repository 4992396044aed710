package worker_test

import (
	"encoding/json"
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
		var v messages.OrderView
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
