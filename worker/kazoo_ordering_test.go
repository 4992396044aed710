package worker_test

import (
	"strings"
	"testing"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// TestKazooCarrierDisabled: where carrier_modules lacks this carrier, everything that changes something fails and says
// which line to add; searches work.
func TestKazooCarrierDisabled(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(func(o *worker.Options) { brisk(o); o.CarrierDisabled = true })
	for _, key := range []string{
		w.Provision("r1", number), ask(t, w, messages.Provision, byArea("r2", "919", 1)), ask(t, w, messages.Disconnect, giveBack("r3", number)),
		ask(t, w, messages.Cancel, messages.Request{RequestID: "r4", OrderRequestID: "r1"}),
	} {
		e := w.Final(key, 1)
		if ended(e) != "failed carrier_disabled" || len(e.Errors) == 0 || !strings.Contains(e.Errors[0].Advice, "knm_bandwidth2") {
			t.Errorf("%s ended %q with %v", e.RequestID, ended(e), e.Errors)
		}
	}
	if posts(w) != 0 {
		t.Errorf("%d calls that change something", posts(w))
	}
	if e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}}); e.Outcome != messages.Completed || len(e.Numbers) == 0 {
		t.Errorf("the search ended %q", ended(*e))
	}
}

// TestKazooOrdering: many numbers are one order, with a name of its own; its id, its error texts and its partial result
// come out.
func TestKazooOrdering(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	w.Sim.SellElsewhere(numberTwo, "another-system")
	first := w.Final(w.Provision("r1", number, numberTwo), 1)
	second := w.Final(w.Provision("r2", "+19195551236"), 1)
	if ended(first) != "partial incomplete" || len(first.Numbers) != 1 || len(first.Errors) == 0 || first.Errors[0].Code != "5005" || first.Errors[0].Description == "" {
		t.Errorf("ended %q with %v, errors %v", ended(first), first.Numbers, first.Errors)
	}
	if n := w.Sim.Calls(bwfake.EndpointCreate); n != 2 {
		t.Errorf("%d POSTs for two requests", n)
	}
	orders := map[string]bwfake.Purchase{}
	for _, o := range w.Sim.Orders() {
		orders[o.OrderID] = o
	}
	for _, e := range []messages.Event{first, second} {
		o, ok := orders[e.BandwidthOrderID]
		if !ok || o.Name != e.OrderName || o.CustomerOrderID != e.CustomerOrderID || !strings.HasSuffix(o.Name, e.Key) || !strings.Contains(o.CustomerOrderID, e.Key) {
			t.Errorf("the event names order %q, %q, %q; Bandwidth has %+v", e.BandwidthOrderID, e.OrderName, e.CustomerOrderID, o)
		}
	}
	if first.OrderName == second.OrderName || first.CustomerOrderID == second.CustomerOrderID {
		t.Error("two orders share a name")
	}
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
		Body: "<OrderResponse><ErrorList><Error><Code>5016</Code><Description>The SiteId submitted is invalid.</Description></Error></ErrorList></OrderResponse>"})
	if e := w.Final(w.Provision("r3", "+19195551237"), 1); ended(e) != "failed rejected" || len(e.Errors) != 1 || e.Errors[0].Code != "5016" || e.Errors[0].Advice == "" {
		t.Errorf("a 400 ended %q with %v", ended(e), e.Errors)
	}
}
