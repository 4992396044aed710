package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/workertest"
)

// auditing returns the options of an audit, and where its report goes.
func auditing(w *workertest.World, change func(*worker.AuditOptions)) (worker.AuditOptions, *[]worker.Difference) {
	o, found := w.WorkerOptions(), &[]worker.Difference{}
	hurried(&o)
	a := worker.AuditOptions{
		Conn: w.Conn, Client: w.Client(), Prefix: messages.DefaultPrefix, OrderNamePrefix: o.OrderNamePrefix, Site: o.Site, Keep: true, Settings: o.Settings,
		Layout: broker.Layout{EventsMaxAge: o.EventsMaxAge, AckWait: o.AckWait, Manage: true}, Log: w.Log,
		Report: func(d worker.Difference) error { *found = append(*found, d); return nil }, Say: func(string, ...any) {},
	}
	if change != nil {
		change(&a)
	}
	return a, found
}

// audit runs an audit to its end.
func audit(t *testing.T, w *workertest.World, change func(*worker.AuditOptions)) (worker.AuditSummary, []worker.Difference) {
	t.Helper()
	o, found := auditing(w, change)
	s, err := worker.Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, *found
}

func rebuild(o *worker.AuditOptions) { o.Rebuild = true }

// atRest waits until no order is open: a record that is written while the ledger is read may be missed by the audit.
func atRest(t *testing.T, w *workertest.World) {
	t.Helper()
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OpenBucket())
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		_, err := kv.Keys(t.Context())
		return errors.Is(err, jetstream.ErrNoKeysFound)
	})
}

// loseLedger deletes the ledger and the index under whoever uses them.
func loseLedger(t *testing.T, w *workertest.World) {
	t.Helper()
	for _, bucket := range []string{w.Names.OrdersBucket(), w.Names.OpenBucket()} {
		if err := w.JS.DeleteKeyValue(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
	}
}

// outcomeOf waits until an order of that key has ended, by the ledger.
func outcomeOf(t *testing.T, w *workertest.World, key string) (v messages.OrderView) {
	t.Helper()
	await(t, func() bool {
		data, err := w.Bus.Order(t.Context(), key, "", "")
		return err == nil && json.Unmarshal(data, &v) == nil && slices.Contains([]string{"completed", "partial", "failed"}, v.State)
	})
	return v
}

// TestAudit_LedgerLostInMidFlight: the ledger is deleted while orders of every kind are under way, rebuilt from the vendor
// while the workers run on, and the same requests are published again: no second purchase, and each outcome is the
// vendor's.
func TestAudit_LedgerLostInMidFlight(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{CompleteAfter: 1500 * time.Millisecond, ListDelay: 700 * time.Millisecond}})
	stopFirst := w.Work(hurried)
	w.Work(hurried)
	w.Sim.SellElsewhere("+19195550802", "theirs")
	requests := map[string]messages.Request{
		"completed 2":          {RequestID: "exact", Numbers: []string{"+19195550701", "+19195550702"}},
		"partial 1":            {RequestID: "partial", Numbers: []string{"+19195550801", "+19195550802"}},
		"completed 3":          byArea("area", "919", 3),
		"completed 1 finished": {RequestID: "finished", Numbers: []string{"+19195550901"}},
	}
	keys := map[string]string{}
	requests["completed 3 waiting"] = waitingFor("waiting", bwfake.DryAreaCode, 3)
	w.Final(ask(t, w, messages.Provision, requests["completed 1 finished"]), 1)
	for want, r := range requests {
		keys[want] = ask(t, w, messages.Provision, r)
	}
	await(t, func() bool { return len(w.Sim.OrdersOf("East-coast")) >= len(requests) }) // each is sent, none but one has ended
	loseLedger(t, w)
	stopFirst() // one worker goes with it, the other runs on
	s, found := audit(t, w, rebuild)
	if s.Restored != len(requests) || s.Differences() != 0 || s.BandwidthOnly != 0 {
		t.Errorf("%+v\n%+v", s, found)
	}
	calls := w.Sim.Calls(bwfake.EndpointCreate)
	for _, r := range requests {
		ask(t, w, messages.Provision, r)
	}
	w.Work(hurried)
	w.Sim.Restock(firstToCome, secondToCome, thirdToCome)
	for want, key := range keys {
		v := outcomeOf(t, w, key)
		if got := fmt.Sprintf("%s %d", v.State, len(v.Numbers)); got != strings.Join(strings.Fields(want)[:2], " ") {
			t.Errorf("%s ended as %s with %v; want %s", key, v.State, v.Numbers, want)
		}
		if bought := boughtFor(w, key); !slices.Equal(bought, sorted(v.Numbers)) {
			t.Errorf("%s: Bandwidth sold %v, the outcome says %v", key, bought, v.Numbers)
		}
	}
	if got := w.Sim.Calls(bwfake.EndpointCreate); got != calls {
		t.Errorf("%d orders were sent after the rebuild: %+v", got-calls, w.Sim.OrdersOf("East-coast"))
	}
	for _, p := range w.Sim.Purchases() {
		for _, n := range p.Numbers {
			if w.Sim.Bought(n) > 1 {
				t.Errorf("%s was bought %d times", n, w.Sim.Bought(n))
			}
		}
	}
	// Once more: nothing is left to restore, and an audit agrees.
	atRest(t, w)
	if s, found := audit(t, w, nil); s.Differences() != 0 || len(found) != 0 || s.Orders != len(requests) || s.Records != len(requests) {
		t.Errorf("afterwards %+v\n%+v", s, found)
	}
}

// TestAudit_Differences: what an audit finds, each kind once, and nothing of what agrees.
func TestAudit_Differences(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	stop := w.Work(hurried)
	lost := w.Provision("lost", "+19195550101")
	w.Final(lost, 1)
	stop()
	loseLedger(t, w)
	w.Work(hurried)
	w.Final(w.Provision("known", "+19195550102"), 1)
	failed := w.Provision("failed", "+19195550400") // refused
	w.Final(failed, 1)
	names := func(key, n string) string { return "East-coast-Kazoo-" + key + n }
	w.Sim.SellElsewhere("+19195550103", names(failed, "-2")) // shows itself after the outcome
	w.Sim.SellElsewhere("+19195550104", "East-coast-Kazoo-by-hand")
	w.Sim.SellElsewhere("+19195550105", "somebody else's")
	w.Sim.SellElsewhere("+19195550106", "")
	ghost := w.Provision("ghost", "+19195550107")
	e := w.Final(ghost, 1)
	w.Sim.Forget(e.BandwidthOrderID)
	atRest(t, w)

	s, found := audit(t, w, func(o *worker.AuditOptions) { o.Settings.PostTimeout, o.Settings.SettleWindow = 0, 0 })
	got := map[worker.DifferenceKind]worker.Difference{}
	for _, d := range found {
		got[d.Kind] = d
		if d.Text == "" || d.Advice == "" || d.CustomerOrderID == "" {
			t.Errorf("it does not say what, or what to do: %+v", d)
		}
	}
	if len(found) != 4 || s.BandwidthOnly != 1 || s.AfterOutcome != 1 || s.LedgerOnly != 1 || s.Foreign != 1 || s.Differences() != 3 || s.Orders != 3 {
		t.Errorf("%+v\n%+v", s, found)
	}
	for kind, want := range map[worker.DifferenceKind]struct{ key, number, advice string }{
		worker.BandwidthOnly: {lost, "+19195550101", "billed every month"},
		worker.AfterOutcome:  {failed, "+19195550103", "publish replay " + failed},
		worker.LedgerOnly:    {ghost, "+19195550107", "dashboard"},
	} {
		d := got[kind]
		if d.Key != want.key || !slices.Equal(d.Numbers, []string{want.number}) || !strings.Contains(d.Advice, want.advice) {
			t.Errorf("%s: %+v", kind, d)
		}
	}
	if got[worker.BandwidthOnly].Status != "COMPLETE" || got[worker.BandwidthOnly].Count != 1 || got[worker.BandwidthOnly].OrderedAt == nil {
		t.Errorf("%+v", got[worker.BandwidthOnly])
	}
	// With dates before all of it there is nothing to compare.
	old, none := audit(t, w, func(o *worker.AuditOptions) {
		o.Since, o.Until = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -7)
	})
	if len(none) != 0 || old.Orders != 0 {
		t.Errorf("a week ago: %+v %+v", old, none)
	}

	s, found = audit(t, w, rebuild)
	if s.Restored != 2 || s.BandwidthOnly != 0 || s.AfterOutcome != 1 || s.Foreign != 1 {
		t.Errorf("rebuilt: %+v\n%+v", s, found)
	}
	s, found = audit(t, w, nil)
	if s.Unasked != 1 || s.BandwidthOnly != 0 || s.AfterOutcome != 1 {
		t.Errorf("after the rebuild: %+v\n%+v", s, found)
	}
	// The replay takes the order that showed itself, and buys nothing.
	calls := w.Sim.Calls(bwfake.EndpointCreate)
	replay(t, w, letter(t, w, failed), false)
	if e := w.Final(failed, 2); len(e.BandwidthOrders) != 2 && w.Sim.Calls(bwfake.EndpointCreate)-calls > 1 {
		t.Errorf("%+v", e)
	}
}

// TestAudit_ManyPages: the list is read to its end, an entry that leaves out whose order it is is asked for, and what
// Bandwidth asks for is kept.
func TestAudit_ManyPages(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	key := w.Provision("mine", "+19195550101")
	w.Final(key, 1)
	for i := range 1005 {
		w.Sim.SellElsewhere(fmt.Sprintf("+1919666%04d", i), fmt.Sprintf("theirs-%d", i))
	}
	w.Final(w.Provision("last", "+19195550102"), 1)
	lists := w.Sim.Calls(bwfake.EndpointList)
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.RateLimit, Delay: time.Second, Times: 1})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.ErrorBefore, Status: http.StatusServiceUnavailable, Times: 1})
	s, found := audit(t, w, nil)
	if s.Orders != 2 || s.Differences() != 0 || len(found) != 0 {
		t.Errorf("%+v %+v", s, found)
	}
	if got := w.Sim.Calls(bwfake.EndpointList) - lists; got != 4 {
		t.Errorf("the list was asked for %d times; want two pages, and two that were refused", got)
	}
	two := workertest.Start(t, workertest.Options{})
	two.Work(hurried)
	two.Final(two.Provision("mine", "+19195550101"), 1)
	two.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.NoCustomerOrderID, Times: 1})
	if s, found := audit(t, two, nil); s.Orders != 1 || s.Differences() != 0 {
		t.Errorf("a list without customer order ids: %+v %+v", s, found)
	}
}

// TestAudit_Incomplete: what could not be read to its end is an error, and leaves no summary.
func TestAudit_Incomplete(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	w.Final(w.Provision("mine", "+19195550101"), 1)
	wrong, err := bwclient.New(bwclient.Config{AccountID: "20902288", BaseURL: w.Sim.URL, Auth: bwclient.Basic("apiuser", "wrong")})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := bwclient.New(bwclient.Config{AccountID: "20902288", BaseURL: w.Sim.URL + "/nowhere", Auth: bwclient.Basic(workertest.Username, workertest.Password)})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*worker.AuditOptions){
		"wrong credentials": func(o *worker.AuditOptions) { o.Client = wrong },
		"a wrong base_url":  func(o *worker.AuditOptions) { o.Client = elsewhere },
		"another account":   func(o *worker.AuditOptions) { o.Site = "99" },
		"no ledger":         func(o *worker.AuditOptions) { o.Prefix = "other" },
		"a report that cannot be written": func(o *worker.AuditOptions) {
			o.OrderNamePrefix = "East coast Kazoo"
			o.Report = func(worker.Difference) error { return errors.New("no space") }
			w.Sim.SellElsewhere("+19195550109", "East-coast-Kazoo-by-hand")
		},
	} {
		o, found := auditing(w, change)
		if s, err := worker.Audit(t.Context(), o); err == nil || len(*found) != 0 {
			t.Errorf("%s: %+v, %v, %v", name, s, *found, err)
		}
	}
	if kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket()); err != nil {
		t.Fatal(err)
	} else if _, err := kv.Get(t.Context(), "audit.last"); err == nil {
		t.Error("a summary of an audit that was not complete")
	} else if _, err := kv.Get(t.Context(), "pause.ORDER"); err == nil {
		t.Error("an audit's wrong credentials have paused the fleet")
	}
}

// observed starts a worker and returns what its /metrics serves.
func observed(t *testing.T, w *workertest.World) func() string {
	t.Helper()
	registry := prometheus.NewRegistry()
	running, _ := w.Worker(func(o *worker.Options) { o.Metrics = worker.NewMetrics(registry) })
	return func() string {
		rec := httptest.NewRecorder()
		running.Handler(registry).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return rec.Body.String()
	}
}

// TestAudit_Metric: every worker serves what the last audit found; before the first there is nothing to serve.
func TestAudit_Metric(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	gather := observed(t, w)
	if text := gather(); strings.Contains(text, "audit") {
		t.Errorf("before the first audit: %s", text)
	}
	w.Sim.SellElsewhere("+19195550101", "East-coast-Kazoo-aaaaaaaaaaaaaaaaaaaa")
	audit(t, w, func(o *worker.AuditOptions) { o.Keep = false })
	if kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket()); err != nil {
		t.Fatal(err)
	} else if _, err := kv.Get(t.Context(), "audit.last"); err == nil {
		t.Error("a summary that was not to be kept")
	}
	audit(t, w, nil)
	await(t, func() bool {
		text := gather()
		return strings.Contains(text, `bandwidth_worker_audit_differences{kind="bandwidth_only"} 1`) &&
			strings.Contains(text, `bandwidth_worker_audit_differences{kind="ledger_only"} 0`) && strings.Contains(text, "bandwidth_worker_audit_timestamp_seconds 1.") &&
			strings.Contains(text, "bandwidth_worker_audit_orders 1")
	})
}

// TestP33_LedgerReplacedUnderTheWorker: a worker that runs on while its ledger is deleted and made anew, by whomever, looks
// before it buys, and only after what was on its way has settled.
func TestP33_LedgerReplacedUnderTheWorker(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{ListDelay: 700 * time.Millisecond}})
	w.Work(hurried)
	for i := range 3 {
		w.Final(w.Provision(fmt.Sprintf("before-%d", i), fmt.Sprintf("+1919555010%d", i)), 1)
	}
	key := ask(t, w, messages.Provision, byArea("r1", "919", 2))
	w.Final(key, 1)
	loseLedger(t, w)
	if err := broker.Ensure(t.Context(), w.JS, broker.Layout{Names: w.Names, EventsMaxAge: time.Hour, AckWait: time.Second, Manage: true}); err != nil {
		t.Fatal(err)
	}
	again := time.Now()
	ask(t, w, messages.Provision, byArea("r1", "919", 2))
	v := outcomeOf(t, w, key)
	if len(w.Sim.OrdersOf(key)) != 1 || v.State != "completed" || len(v.Numbers) != 2 {
		t.Errorf("%s with %v; Bandwidth has %+v", v.State, v.Numbers, w.Sim.OrdersOf(key))
	}
	o := w.WorkerOptions()
	hurried(&o)
	if took := time.Since(again); took < o.Settings.SettleWindow {
		t.Errorf("it looked after %s; what was on its way has settled after %s", took, o.Settings.PostTimeout+o.Settings.SettleWindow)
	}
}

// TestP33_LedgerReplacedUnderAnIdleWorker: so does one that has written nothing before.
func TestP33_LedgerReplacedUnderAnIdleWorker(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	stop := w.Work(hurried)
	key := ask(t, w, messages.Provision, byArea("r1", "919", 2))
	w.Final(key, 1)
	stop()
	w.Work(hurried)
	loseLedger(t, w)
	if err := broker.Ensure(t.Context(), w.JS, broker.Layout{Names: w.Names, EventsMaxAge: time.Hour, AckWait: time.Second, Manage: true}); err != nil {
		t.Fatal(err)
	}
	ask(t, w, messages.Provision, byArea("r1", "919", 2))
	if v := outcomeOf(t, w, key); len(w.Sim.OrdersOf(key)) != 1 || v.State != "completed" || len(v.Numbers) != 2 {
		t.Errorf("%s with %v; Bandwidth has %+v", v.State, v.Numbers, w.Sim.OrdersOf(key))
	}
}

// TestAudit_SecondPass: what shows itself only once it has settled is restored as well, and until then the fleet buys
// nothing for a request that it may belong to.
func TestAudit_SecondPass(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	key := w.Names.Key("", "r1")
	said := false
	s, found := audit(t, w, func(o *worker.AuditOptions) {
		o.Rebuild = true
		o.Say = func(string, ...any) { // the first pass is over
			if said {
				return
			}
			said = true
			ask(t, w, messages.Provision, byArea("r1", "919", 1))
			w.Await(1, "the request taken in", func(e messages.Event) bool { return e.Key == key })
			w.Sim.SellElsewhere("+19195550101", "East-coast-Kazoo-"+key+"-2")
		}
	})
	if s.Restored != 1 || len(found) != 1 || !said {
		t.Errorf("%+v %+v", s, found)
	}
	if v := outcomeOf(t, w, key); v.State != "completed" || !slices.Equal(v.Numbers, []string{"+19195550101"}) || w.Sim.Calls(bwfake.EndpointCreate) != 0 {
		t.Errorf("%s with %v after %d POSTs", v.State, v.Numbers, w.Sim.Calls(bwfake.EndpointCreate))
	}
}
