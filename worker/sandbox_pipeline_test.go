package worker_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// TestSwitchesOfEveryKind: for each kind, all combinations of both switches. Nothing that changes anything leaves a
// sandbox, and nothing is registered; a disabled worker says so and does nothing (P31).
func TestSwitchesOfEveryKind(t *testing.T) {
	type kind struct {
		name    string
		kind    messages.Kind
		request messages.Request
		numbers int
		// real is how it ends without a sandbox and enabled; empty where it waits.
		real string
	}
	kinds := []kind{
		{"numbers", messages.Provision, messages.Request{RequestID: "r1", Numbers: []string{number}}, 1, "completed"},
		{"criteria", messages.Provision, byArea("r1", "919", 3), 3, "completed"},
		{"reserve", messages.Provision, reserved(messages.Request{RequestID: "r1", Numbers: []string{number}}), 1, "completed"},
		{"backorder", messages.Provision, waitingFor("r1", "919", 3), 3, "completed"},
		{"disconnect", messages.Disconnect, giveBack("r1", numberTwo), 1, "completed"},
		{"portin", messages.PortIn, bringIn("r1", number), 1, "completed"},
		{"cancel", messages.Cancel, messages.Request{RequestID: "r1", OrderRequestID: "waits"}, 0, "completed"},
	}
	for _, k := range kinds {
		for _, c := range []struct{ enable, sandbox bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
			t.Run(fmt.Sprintf("%s, enable %t, sandbox %t", k.name, c.enable, c.sandbox), func(t *testing.T) {
				t.Parallel()
				w := workertest.Start(t, workertest.Options{})
				// A number to release and an order to cancel, of a worker with neither switch.
				stop := w.Work(hurried)
				bought(t, w, "mine", numberTwo)
				waits := ask(t, w, messages.Provision, waitingFor("waits", bwfake.DryAreaCode, 1))
				backordered(t, w, waits, 1)
				stop()
				before := posts(w)
				w.Work(func(o *worker.Options) { hurried(o); o.Provisioning, o.Sandbox = c.enable, c.sandbox })
				key := ask(t, w, k.kind, k.request)
				e := w.Final(key, 1)
				want := k.real
				switch {
				case c.sandbox:
					want = "completed"
				case !c.enable:
					want = "failed provisioning_disabled"
				}
				numbers := k.numbers
				if want != "completed" {
					numbers = 0
				}
				if ended(e) != want || len(e.Numbers) != numbers || e.Sandbox != c.sandbox {
					t.Errorf("ended %q with %v, sandbox %t; want %q with %d numbers", ended(e), e.Numbers, e.Sandbox, want, numbers)
				}
				for _, e := range w.Events() {
					if e.Key == key && e.Sandbox != c.sandbox {
						t.Errorf("the event %s has sandbox %t", e.EventID, e.Sandbox)
					}
				}
				if c.sandbox || !c.enable {
					if n := posts(w); n != before {
						t.Errorf("%d calls that change something left the process", n-before)
					}
					if len(w.Sim.OrdersOf(key)) != 0 || releasedTimes(w, numberTwo) != 0 || len(e.BandwidthOrders) != 0 || e.BandwidthOrderID != "" {
						t.Errorf("Bandwidth has orders %v, releases %v; the event names %v", w.Sim.OrdersOf(key), w.Sim.Releases(), e.BandwidthOrders)
					}
					for _, n := range e.Numbers {
						if n == numberTwo {
							continue // held for real
						}
						if _, err := w.Bus.Number(t.Context(), n); !errors.Is(err, bus.ErrNoNumber) {
							t.Errorf("%s is registered: %v", n, err)
						}
					}
					if got := state(t, w, numberTwo); got.State != "in_service" {
						t.Errorf("the registry holds %+v", got)
					}
					if s := w.Sim.OrdersOf(waits)[0].Status; s != "BACKORDERED" {
						t.Errorf("the order that waits is %s", s)
					}
				} else if posts(w) == before {
					t.Error("nothing was sent")
				}
			})
		}
	}
}

// TestSandboxByCriteria: a sandbox searches for real, and pretends to buy what it found: too little, nothing, and a
// search that is refused end as they would.
func TestSandboxByCriteria(t *testing.T) {
	for _, c := range []struct {
		name   string
		stock  int
		refuse bool
		want   string
	}{{"enough", 10, false, "completed"}, {"too little", 2, false, "partial incomplete"}, {"nothing", 0, false, "failed no_numbers"}, {"refused", 10, true, "failed rejected"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: shelf(c.stock)}})
			if c.refuse {
				w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSearch, Kind: bwfake.ErrorBefore, Status: http.StatusBadRequest, ContentType: "application/xml",
					Body: "<SearchResult><Error><Code>4000</Code><Description>The area code is not valid.</Description></Error></SearchResult>"})
			}
			w.Work(func(o *worker.Options) { brisk(o); o.Sandbox = true })
			e := w.Final(ask(t, w, messages.Provision, byArea("r1", "919", 3)), 1)
			if ended(e) != c.want || !e.Sandbox {
				t.Errorf("ended %q, sandbox %t; want %q", ended(e), e.Sandbox, c.want)
			}
			if posts(w) != 0 || w.Sim.Calls(bwfake.EndpointSearch) == 0 {
				t.Errorf("%d calls that change something, %d searches", posts(w), w.Sim.Calls(bwfake.EndpointSearch))
			}
		})
	}
}

// TestP31_SandboxLeavesRealOrders: a sandbox worker buys, releases and closes nothing for real orders, and goes on
// reading those that run.
func TestP31_SandboxLeavesRealOrders(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	running, stop := w.Worker(hurried)
	bought(t, w, "mine", numberTwo)
	waits := ask(t, w, messages.Provision, waitingFor("waits", bwfake.DryAreaCode, 1))
	backordered(t, w, waits, 1)
	for _, group := range []worker.Group{worker.GroupOrder, worker.GroupDisconnect} {
		if err := running.Hold(t.Context(), group, "a test", "test"); err != nil {
			t.Fatal(err)
		}
		sees(t, group, true, running)
	}
	held := []string{
		w.Provision("r1", number), ask(t, w, messages.Provision, byArea("r2", "919", 2)), ask(t, w, messages.Disconnect, giveBack("d1", numberTwo)),
	}
	for _, key := range held {
		w.Await(1, "accepted", func(e messages.Event) bool { return e.Key == key })
	}
	before := posts(w)
	stop()
	sandbox, stopSandbox := w.Worker(func(o *worker.Options) { hurried(o); o.Sandbox = true })
	for _, group := range []worker.Group{worker.GroupOrder, worker.GroupDisconnect} {
		if err := sandbox.Resume(t.Context(), group); err != nil { // every order is looked at
			t.Fatal(err)
		}
	}
	polls := w.Sim.Calls(bwfake.EndpointGet)
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointGet) >= polls+5 })
	if n := posts(w); n != before {
		t.Errorf("a sandbox sent %d calls that change something", n-before)
	}
	stopSandbox()
	w.Work(hurried)
	for _, key := range held {
		if e := w.Final(key, 1); ended(e) != "completed" || e.Sandbox {
			t.Errorf("%s ended %q, sandbox %t", e.RequestID, ended(e), e.Sandbox)
		}
	}
}
