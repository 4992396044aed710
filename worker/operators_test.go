package worker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/orders"
	"bandwidthworker/worker"
	"bandwidthworker/worker/ledger"
	"bandwidthworker/worker/workertest"
)

// registered opens the bucket of numbers.
func registered(t *testing.T, w *workertest.World) jetstream.KeyValue {
	t.Helper()
	kv, err := w.JS.KeyValue(t.Context(), w.Names.NumbersBucket())
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// serves waits until the endpoints are up.
func serves(t *testing.T, w *workertest.World) {
	t.Helper()
	await(t, func() bool {
		_, err := w.Bus.Orders(t.Context(), messages.OrdersQuestion{})
		return err == nil
	})
}

// TestNumbersAreRegistered: what an event names, the registry holds by then; a replay adds to it and undoes nothing.
func TestNumbersAreRegistered(t *testing.T) {
	const first, second = "+19195550001", "+19195550002"
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	w.Sim.SellElsewhere(second, "another")
	key := w.Provision("r1", first, second)
	e := w.Final(key, 1)
	got, err := w.Bus.Number(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	want := messages.NumberEntry{
		Number: first, State: "in_service", CarrierModule: "knm_bandwidth2", SiteID: "1234", SIPPeer: "234222",
		Key: key, BandwidthOrderID: e.BandwidthOrderID, Since: got.Since, // that of the claim
	}
	if got.Since.IsZero() || got.Since.After(e.OccurredAt) {
		t.Errorf("held since %s, and the order ended at %s", got.Since, e.OccurredAt)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the number differs (-want +got):\n%s", diff)
	}
	entry, err := registered(t, w).Get(t.Context(), "19195550001")
	if err != nil {
		t.Fatalf("the bucket has no entry under the digits: %v", err)
	}
	var stored messages.NumberEntry // the entry is part of the contract, as the answer is
	dec := json.NewDecoder(bytes.NewReader(entry.Value()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&stored); err != nil || stored != got {
		t.Errorf("the bucket's entry is %s, %v", entry.Value(), err)
	}
	if _, err := w.Bus.Number(t.Context(), second); !errors.Is(err, bus.ErrNoNumber) || !strings.Contains(err.Error(), second) {
		t.Errorf("a number that was not bought: %v", err)
	}
	// The first number is released before the replay brings the second.
	release := orders.Releases("releasereleaserelease", "d1", e.OccurredAt.Add(time.Millisecond), first)
	if err := ledger.NewNumbers(registered(t, w)).Register(t.Context(), release); err != nil {
		t.Fatal(err)
	}
	w.Sim.Release(second)
	await(t, func() bool { return len(w.Letters()) == 1 })
	if _, err := w.Bus.Replay(t.Context(), w.Letters()[0], false); err != nil {
		t.Fatal(err)
	}
	replayed := w.Final(key, 2)
	if got, err := w.Bus.Number(t.Context(), second); err != nil || got.Key != key || !got.Since.After(e.OccurredAt) || got.Since.After(replayed.OccurredAt) {
		t.Errorf("the replayed number is %+v, %v", got, err)
	}
	if got, err := w.Bus.Number(t.Context(), first); err != nil || got.State != "released" || got.SiteID != "1234" {
		t.Errorf("the released number is %+v, %v (P36)", got, err)
	}
	for _, bad := range []string{"", "9195550001", "+1919555000x", "+1*", "+1>"} {
		if _, err := w.Bus.Number(t.Context(), bad); !errors.Is(err, bus.ErrQuestion) || !strings.Contains(err.Error(), "E.164") {
			t.Errorf("the number %q: %v", bad, err)
		}
	}
}

// TestSandboxRegistersNothing (P31).
func TestSandboxRegistersNothing(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(func(o *worker.Options) { brisk(o); o.Sandbox = true })
	if e := w.Final(w.Provision("r1", number), 1); e.Outcome != messages.Completed || len(e.Numbers) != 1 {
		t.Fatalf("ended %s", e.Outcome)
	}
	if _, err := w.Bus.Number(t.Context(), number); !errors.Is(err, bus.ErrNoNumber) {
		t.Errorf("a sandbox number: %v", err)
	}
}

// TestFiveThousandRegistered: an order of 5000 numbers ends, with each of them registered.
func TestFiveThousandRegistered(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(nil)
	numbers := make([]string, 5000)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1919%07d", 2005000+i)
	}
	e := w.Final(w.Provision("many", numbers...), 1)
	status, err := registered(t, w).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Numbers) == 0 || status.Values() != uint64(len(e.Numbers)) {
		t.Errorf("ended %s with %d numbers, %d are registered", e.Outcome, len(e.Numbers), status.Values())
	}
}

// TestOrdersEndpoint lists orders by what is asked.
func TestOrdersEndpoint(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	serves(t, w)
	ask := func(q messages.OrdersQuestion) (ids string, more bool) {
		t.Helper()
		answer, err := w.Bus.Orders(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range answer.Orders {
			names = append(names, o.RequestID)
		}
		return strings.Join(names, " "), answer.More
	}
	if ids, more := ask(messages.OrdersQuestion{}); ids != "" || more {
		t.Errorf("an empty ledger lists %q, more %t", ids, more)
	}
	ended := func(id, tenant string, n string) messages.Event {
		receipt, err := w.Bus.Publish(t.Context(), messages.Provision, &messages.Request{RequestID: id, Tenant: tenant, Numbers: []string{n}})
		if err != nil {
			t.Fatal(err)
		}
		e := w.Final(receipt.Key, 1)
		await(t, func() bool {
			ids, _ := ask(messages.OrdersQuestion{Open: true, Limit: 1000})
			return !strings.Contains(ids, id)
		})
		return e
	}
	w.Sim.SellElsewhere("+19195550009", "another")
	ended("done-1", "", "+19195550001")
	failed := ended("failed-1", "acme", "+19195550009")
	ended("done-2", "acme", "+19195550002")
	w.Sim.SetCompleteAfter(time.Hour)
	for i := range 3 {
		key := w.Provision(fmt.Sprintf("open-%d", i), fmt.Sprintf("+1919555101%d", i))
		w.Await(1, "submitted", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Submitted })
	}
	for _, c := range []struct {
		q    messages.OrdersQuestion
		want string
		more bool
	}{
		{messages.OrdersQuestion{}, "open-2 open-1 open-0 done-2 failed-1 done-1", false},
		{messages.OrdersQuestion{Open: true}, "open-2 open-1 open-0", false},
		{messages.OrdersQuestion{Limit: 4}, "open-2 open-1 open-0 done-2", true},
		{messages.OrdersQuestion{Limit: 3}, "open-2 open-1 open-0", true},
		{messages.OrdersQuestion{Limit: 2}, "open-2 open-1", true},
		{messages.OrdersQuestion{Limit: 6}, "open-2 open-1 open-0 done-2 failed-1 done-1", false},
		{messages.OrdersQuestion{Open: true, Limit: 3}, "open-2 open-1 open-0", false},
		{messages.OrdersQuestion{State: "submitted"}, "open-2 open-1 open-0", false},
		{messages.OrdersQuestion{State: "accepted"}, "", false},
		{messages.OrdersQuestion{State: "completed"}, "done-2 done-1", false},
		{messages.OrdersQuestion{State: "completed", Limit: 1}, "done-2", true},
		{messages.OrdersQuestion{State: "completed", Open: true}, "", false},
		{messages.OrdersQuestion{State: "failed"}, "failed-1", false},
		{messages.OrdersQuestion{Tenant: "acme"}, "done-2 failed-1", false},
		{messages.OrdersQuestion{Tenant: "_"}, "open-2 open-1 open-0 done-1", false},
		{messages.OrdersQuestion{Kind: messages.Disconnect}, "", false},
		{messages.OrdersQuestion{Kind: messages.Provision, Tenant: "acme", State: "completed"}, "done-2", false},
	} {
		if ids, more := ask(c.q); ids != c.want || more != c.more {
			t.Errorf("%+v lists %q, more %t; want %q, %t", c.q, ids, more, c.want, c.more)
		}
	}
	answer, err := w.Bus.Orders(t.Context(), messages.OrdersQuestion{State: "failed"})
	if err != nil {
		t.Fatal(err)
	}
	got := answer.Orders[0]
	want := messages.OrderSummary{
		Key: failed.Key, RequestID: "failed-1", Tenant: "acme", Kind: messages.Provision, State: "failed", Reason: messages.ReasonBandwidthFailed,
		Generation: 1, Asked: 1, AcceptedAt: got.AcceptedAt, EndedAt: &failed.OccurredAt,
	}
	if diff := cmp.Diff(want, got); diff != "" || got.AcceptedAt.IsZero() {
		t.Errorf("the summary differs (-want +got):\n%s", diff)
	}
	for q, wrong := range map[messages.OrdersQuestion]string{
		{State: "lost"}: "submitted", {Kind: "rent"}: "provision", {Limit: 1001}: "1000", {Limit: -1}: "1000", {Tenant: "a b"}: "tenant",
	} {
		if _, err := w.Bus.Orders(t.Context(), q); !errors.Is(err, bus.ErrQuestion) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%+v: %v, want a refusal that names %q", q, err, wrong)
		}
	}
}

// sees waits until every worker sees that a group is paused, or is not.
func sees(t *testing.T, group worker.Group, paused bool, workers ...*worker.Worker) {
	t.Helper()
	for _, w := range workers {
		await(t, func() bool {
			return strings.Contains(w.WhyNotReady(), "group "+string(group)+" ") == paused
		})
	}
}

// TestPauseHoldsTheFleet: while purchases are paused no worker orders and none of the orders dies; after the resume
// they go on within seconds, long before their own timers.
func TestPauseHoldsTheFleet(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	one, _ := w.Worker(brisk)
	other, _ := w.Worker(brisk)
	serves(t, w)
	answer, err := w.Bus.Pause(t.Context(), "order", "new SIP peer", "alice")
	if err != nil || answer != (messages.PauseAnswer{Group: "ORDER", Paused: true, Why: "new SIP peer", By: "alice"}) {
		t.Fatalf("Pause = %+v, %v", answer, err)
	}
	sees(t, worker.GroupOrder, true, one, other)
	for _, running := range []*worker.Worker{one, other} {
		rec := httptest.NewRecorder()
		running.Handler(prometheus.NewRegistry()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "ORDER") || !strings.Contains(rec.Body.String(), "new SIP peer") {
			t.Errorf("/readyz answers %d %s", rec.Code, rec.Body)
		}
	}
	var keys []string
	for i := range 20 {
		keys = append(keys, w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i)))
	}
	// Each order has been looked at, and waits.
	timers, err := w.JS.Stream(t.Context(), w.Names.TimersStream())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		await(t, func() bool { return sleepsLong(t, timers, w.Names.Timer(key)) })
	}
	waiting, err := w.Bus.Orders(t.Context(), messages.OrdersQuestion{State: "accepted"})
	if err != nil || len(waiting.Orders) != len(keys) {
		t.Errorf("%d orders wait as accepted, %v; want %d", len(waiting.Orders), err, len(keys))
	}
	for _, r := range w.Sim.Requests() {
		if r.Endpoint == bwfake.EndpointCreate {
			t.Errorf("a POST at %s while purchases are paused", r.At)
		}
	}
	begin := time.Now()
	lifted, err := w.Bus.Resume(t.Context(), "ORDER")
	if err != nil || lifted != (messages.PauseAnswer{Group: "ORDER", WasPaused: true, Why: "new SIP peer", By: "alice"}) {
		t.Errorf("Resume = %+v, %v", lifted, err)
	}
	for _, key := range keys {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the orders went on %s after the resume", took)
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
	sees(t, worker.GroupOrder, false, one, other)
	if again, err := w.Bus.Resume(t.Context(), "ORDER"); err != nil || again != (messages.PauseAnswer{Group: "ORDER"}) {
		t.Errorf("a second Resume = %+v, %v", again, err)
	}
}

// TestPauseHoldsReads: while reads are paused nothing is polled or looked for; orders are taken in all the same.
func TestPauseHoldsReads(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: 300 * time.Millisecond}})
	one, _ := w.Worker(brisk)
	other, _ := w.Worker(brisk)
	serves(t, w)
	if _, err := w.Bus.Pause(t.Context(), "HISTORY", "", ""); err != nil {
		t.Fatal(err)
	}
	sees(t, worker.GroupHistory, true, one, other)
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.LoseReplyAfter})
	lost := w.Provision("lost", "+19195550001") // it has to be looked for
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointCreate) == 1 })
	polled := w.Provision("polled", "+19195550002")
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointCreate) == 2 })
	await(t, func() bool {
		answer, err := w.Bus.Orders(t.Context(), messages.OrdersQuestion{Open: true})
		return err == nil && len(answer.Orders) == 2 && answer.Orders[0].State == "submitted" && answer.Orders[1].State == "unknown"
	})
	for _, r := range w.Sim.Requests() {
		if r.Method == http.MethodGet {
			t.Errorf("GET %s while reads are paused", r.Path)
		}
	}
	if _, err := w.Bus.Resume(t.Context(), "HISTORY"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{lost, polled} {
		if e := w.Final(key, 1); e.Outcome != messages.Completed {
			t.Errorf("ended %s %s", e.Outcome, e.Reason)
		}
	}
}

// TestPauseRefusesUnknownGroups with the list of those there are.
func TestPauseRefusesUnknownGroups(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	running, _ := w.Worker(brisk)
	serves(t, w)
	for _, group := range []string{"", "ORDERS", "ORDER.X", "*"} {
		for name, ask := range map[string]func() error{
			"pause":  func() error { _, err := w.Bus.Pause(t.Context(), group, "", ""); return err },
			"resume": func() error { _, err := w.Bus.Resume(t.Context(), group); return err },
		} {
			err := ask()
			if !errors.Is(err, bus.ErrQuestion) {
				t.Errorf("%s %q: %v", name, group, err)
				continue
			}
			for _, known := range worker.Groups() {
				if !strings.Contains(err.Error(), string(known)) {
					t.Errorf("%s %q: %v does not name %s", name, group, err, known)
				}
			}
		}
	}
	reply, err := w.Conn.Request(w.Names.API("pause"), []byte(`{"group":"ORDER","until":"tomorrow"}`), 10*time.Second)
	if err != nil || reply.Header.Get("Nats-Service-Error-Code") != "400" || !strings.Contains(reply.Header.Get("Nats-Service-Error"), "until") {
		t.Errorf("an unknown field: %v, %v", reply.Header, err)
	}
	if !running.Ready() {
		t.Errorf("a refused pause holds the fleet: %s", running.WhyNotReady())
	}
}

// TestPauseStopsAWaitingRead: a poll that waits for its turn when a pause begins does not leave any more.
func TestPauseStopsAWaitingRead(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: time.Hour}})
	running, _ := w.Worker(func(o *worker.Options) { brisk(o); o.RequestsPerSecond = 2 })
	var keys []string
	for i := range 4 { // their polls come faster than their turns: some wait at any time
		keys = append(keys, w.Provision(fmt.Sprintf("r%d", i), fmt.Sprintf("+1919555%04d", 1000+i)))
	}
	for _, key := range keys {
		w.Await(1, "submitted", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Submitted })
	}
	polls := w.Sim.Calls(bwfake.EndpointGet)
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointGet) >= polls+2 })
	if _, err := w.Bus.Pause(t.Context(), "HISTORY", "", ""); err != nil {
		t.Fatal(err)
	}
	sees(t, worker.GroupHistory, true, running)
	polls = w.Sim.Calls(bwfake.EndpointGet)
	timers, err := w.JS.Stream(t.Context(), w.Names.TimersStream())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		await(t, func() bool { return sleepsLong(t, timers, w.Names.Timer(key)) })
	}
	if n := w.Sim.Calls(bwfake.EndpointGet); n != polls {
		t.Errorf("%d polls left while reads were paused", n-polls)
	}
}

// sleepsLong reports whether an order's timer is set as far ahead as an operator's pause lets it sleep.
func sleepsLong(t *testing.T, timers jetstream.Stream, subject string) bool {
	t.Helper()
	msg, err := timers.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(msg.Header.Get("Nats-Schedule"), "@at "))
	return err == nil && time.Until(at) > time.Second // brisk workers look every 200 ms, and every 2 s while an operator holds purchases
}

// TestReplayOfADiscardedLetter: a replay whose letter was discarded meanwhile goes its way all the same (P26).
func TestReplayOfADiscardedLetter(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	w.Sim.SellElsewhere(number, "another")
	key := w.Provision("r1", number)
	w.Final(key, 1)
	await(t, func() bool { return len(w.Letters()) == 1 })
	letter := w.Letters()[0]
	w.Sim.Release(number)
	if err := w.Bus.Discard(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Bus.Replay(t.Context(), letter, false); err != nil {
		t.Fatal(err)
	}
	if e := w.Final(key, 2); e.Outcome != messages.Completed {
		t.Errorf("ended %s %s", e.Outcome, e.Reason)
	}
}
