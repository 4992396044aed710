package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// atOnce is an audit for which everything has settled.
func atOnce(o *worker.AuditOptions) { o.Settings.PostTimeout, o.Settings.SettleWindow = 0, 0 }

// TestAudit_PortIn: a port-in has no order in Bandwidth's list, and is no difference for that.
func TestAudit_PortIn(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	w.Final(ask(t, w, messages.PortIn, bringIn("p1", "+19195550101")), 1)
	atRest(t, w)
	if s, found := audit(t, w, atOnce); s.Differences() != 0 || len(found) != 0 || s.Records != 0 {
		t.Errorf("%+v\n%+v", s, found)
	}
}

// TestAudit_EmptyList: a list that is refused with 404, as an empty one is, is no audit where the ledger's orders exist.
func TestAudit_EmptyList(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	w.Sim.SellElsewhere("+19195550109", "theirs")
	if s, _ := audit(t, w, atOnce); s.Differences() != 0 {
		t.Errorf("no order of ours, and none in the ledger: %+v", s)
	}
	w.Final(w.Provision("mine", "+19195550101"), 1)
	atRest(t, w)
	w.Sim.SellElsewhere("+19195550103", "East-coast-Kazoo-aaaaaaaaaaaaaaaaaaaa") // unknown to the ledger
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.ErrorBefore, Status: http.StatusNotFound, Times: 1})
	o, _ := auditing(w, atOnce)
	if s, err := worker.Audit(t.Context(), o); err == nil || !strings.Contains(err.Error(), "leaves out") {
		t.Errorf("%+v, %v", s, err)
	}
	if s, _ := audit(t, w, atOnce); s.BandwidthOnly != 1 || s.Differences() != 1 {
		t.Errorf("with the list: %+v", s)
	}
	// Another prefix finds none of them.
	o, _ = auditing(w, func(o *worker.AuditOptions) { atOnce(o); o.OrderNamePrefix = "West coast" })
	if s, err := worker.Audit(t.Context(), o); err == nil || !strings.Contains(err.Error(), "(West coast)") {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAudit_RebuildOfNothing: a rebuild that finds none of our orders says so, and is no success.
func TestAudit_RebuildOfNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prefix string
		fault  bool
		want   string
	}{
		"another prefix":     {prefix: "West coast", want: "West coast"},
		"a list that is 404": {prefix: "East coast Kazoo", fault: true, want: "no orders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Sim.SellElsewhere("+19195550103", "East-coast-Kazoo-aaaaaaaaaaaaaaaaaaaa")
			if c.fault {
				w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.ErrorBefore, Status: http.StatusNotFound, Times: 2})
			}
			o, _ := auditing(w, func(o *worker.AuditOptions) { atOnce(o); rebuild(o); o.OrderNamePrefix = c.prefix })
			if s, err := worker.Audit(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v; want an error with %q", s, err, c.want)
			}
			if s, _ := audit(t, w, func(o *worker.AuditOptions) { atOnce(o); rebuild(o) }); s.Restored != 1 {
				t.Errorf("again, as it should be: %+v", s)
			}
		})
	}
}

// TestAudit_RebuildThatWaits: the fleet is told of a rebuild also while that waits for Bandwidth, for longer than the
// fleet holds back its orders.
func TestAudit_RebuildThatWaits(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	o, _ := auditing(w, rebuild)
	hold := o.Settings.PostTimeout + o.Settings.SettleWindow
	w.Sim.SellElsewhere("+19195550101", "East-coast-Kazoo-aaaaaaaaaaaaaaaaaaaa")
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.RateLimit, Delay: hold.Truncate(time.Second) + time.Second, Times: 1})
	held := false
	o.Say = func(format string, _ ...any) { held = held || strings.Contains(format, "held back") }
	o.Report = func(worker.Difference) error { // the list has come
		kv, err := w.JS.KeyValue(t.Context(), w.Names.ControlBucket())
		if err != nil {
			return err
		}
		entry, err := kv.Get(t.Context(), "ledger.doubt")
		if err != nil {
			return err
		}
		var doubt struct{ Since time.Time }
		if err := json.Unmarshal(entry.Value(), &doubt); err != nil || time.Since(doubt.Since) > hold {
			t.Errorf("the fleet was told at %s, %s ago, and waits for %s: %v", doubt.Since, time.Since(doubt.Since), hold, err)
		}
		return nil
	}
	if s, err := worker.Audit(t.Context(), o); err != nil || s.Restored != 1 || !held {
		t.Errorf("held %t: %+v, %v", held, s, err)
	}
}

// TestAudit_SpoiltRecords: a record that cannot be read stops neither an audit nor a rebuild, and is no success; a key
// that was deleted by hand is restored.
func TestAudit_SpoiltRecords(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	stop := w.Work(hurried)
	var keys []string
	for i := range 4 {
		keys = append(keys, w.Provision(fmt.Sprint("r", i), fmt.Sprintf("+1919555010%d", i)))
		w.Final(keys[i], 1)
	}
	stop()
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range []string{`{"v":3,"key":"` + keys[0] + `"}`, "not JSON"} {
		if _, err := kv.Put(t.Context(), keys[i], []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range keys[2:] {
		if err := kv.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	o, found := auditing(w, func(o *worker.AuditOptions) { atOnce(o); rebuild(o) })
	var said []string
	o.Say = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	s, err := worker.Audit(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "2 records of the ledger cannot be read") {
		t.Errorf("%+v, %v", s, err)
	}
	if len(*found) != 2 || !(*found)[0].Restored || !(*found)[1].Restored {
		t.Errorf("the deleted ones: %+v", *found)
	}
	if text := strings.Join(said, "\n"); strings.Count(text, "not compared") != 2 || !strings.Contains(text, keys[0]) || !strings.Contains(text, keys[1]) {
		t.Errorf("it said %s", text)
	}
	w.Work(hurried)
	for i, key := range keys[2:] {
		w.Provision(fmt.Sprint("r", i+2), fmt.Sprintf("+1919555010%d", i+2))
		if v := outcomeOf(t, w, key); v.State != "completed" || len(w.Sim.OrdersOf(key)) != 1 {
			t.Errorf("%+v; Bandwidth has %+v", v, w.Sim.OrdersOf(key))
		}
	}
}
