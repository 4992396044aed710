package worker_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

const (
	portPIN     = "pin-4711"
	portAccount = "771297665AABC"
)

// bringIn is a port-in with everything that a wireless carrier asks for.
func bringIn(requestID string, numbers ...string) messages.Request {
	return messages.Request{RequestID: requestID, Numbers: numbers, PortInFields: messages.PortInFields{
		BillingTelephoneNumber: numbers[0], LOAAuthorizingPerson: "The Authguy", RequestedFOCDate: "2026-12-01",
		Subscriber: &messages.Subscriber{SubscriberType: "RESIDENTIAL", FirstName: "First", LastName: "Last", ServiceAddress: &messages.ServiceAddress{
			HouseNumber: "11235", StreetName: "Back", City: "Denver", StateCode: "CO", Zip: "27541",
		}},
		WirelessInfo: &messages.WirelessInfo{AccountNumber: portAccount, PinNumber: portPIN},
	}}
}

// draft is [bringIn] that is held at Bandwidth.
func draft(requestID string, numbers ...string) messages.Request {
	r, yes := bringIn(requestID, numbers...), true
	r.Draft = &yes
	return r
}

// told waits for a submitted event of a port-in with a status.
func told(t *testing.T, w *workertest.World, key, status string) messages.Event {
	t.Helper()
	return w.Await(1, "a port-in as "+status, func(e messages.Event) bool {
		return e.Key == key && e.Outcome == messages.Submitted && e.BandwidthStatus == status
	})[0]
}

// ported makes a worker register ported numbers with a module of their own.
func ported(o *worker.Options) {
	hurried(o)
	o.PortInModule = "knm_ported"
}

// TestPortIn: numbers come here with one POST, whatever goes wrong once, and the registry says so.
func TestPortIn(t *testing.T) {
	post := func(f bwfake.Fault) []bwfake.Fault {
		f.Endpoint, f.Times = bwfake.EndpointPortIn, 1
		return []bwfake.Fault{f}
	}
	for _, c := range []struct {
		name   string
		sim    bwfake.Options
		faults []bwfake.Fault
		posts  int
	}{
		{name: "no fault", posts: 1},
		{name: "it takes a while", sim: bwfake.Options{PortInStep: 300 * time.Millisecond}, posts: 1},
		{name: "the reply is lost after", faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 1},
		{name: "the reply is lost after, and lists lag", sim: bwfake.Options{ListDelay: 500 * time.Millisecond, EmptyList: 404}, faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 1},
		{name: "a 500 with it", sim: bwfake.Options{EmptyList: 204}, faults: post(bwfake.Fault{Kind: bwfake.ErrorAfter, Status: 500}), posts: 1},
		{name: "the id only in Location", faults: post(bwfake.Fault{Kind: bwfake.LocationOnly}), posts: 1},
		{name: "no id, and a list without customer order ids", faults: append(post(bwfake.Fault{Kind: bwfake.NoID}),
			bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Kind: bwfake.NoCustomerOrderID}), posts: 1},
		{name: "a rate limit", faults: post(bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Second}), posts: 2},
		{name: "refused credentials", faults: post(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 403}), posts: 2},
		{name: "looks fail", faults: append(post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}),
			bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Times: 1, Kind: bwfake.ErrorBefore, Status: 500},
			bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Times: 1, Kind: bwfake.ErrorBefore, Status: 403},
			bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Times: 1, Kind: bwfake.Malformed}), posts: 1},
		{name: "reads fail", faults: []bwfake.Fault{
			{Endpoint: bwfake.EndpointPortInGet, Times: 1, Kind: bwfake.ErrorBefore, Status: 500},
			{Endpoint: bwfake.EndpointPortInGet, Times: 1, Kind: bwfake.ErrorBefore, Status: 404},
			{Endpoint: bwfake.EndpointPortInGet, Times: 1, Kind: bwfake.Malformed},
			{Endpoint: bwfake.EndpointPortInGet, Times: 1, Kind: bwfake.UnknownStatus},
			{Endpoint: bwfake.EndpointPortInGet, Times: 1, Kind: bwfake.EmptyNumbers},
			{Endpoint: bwfake.EndpointPortInGet, Times: 1, Kind: bwfake.RateLimit, Delay: time.Second},
		}, posts: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: c.sim})
			for _, f := range c.faults {
				w.Sim.Inject(f)
			}
			w.Work(func(o *worker.Options) { ported(o); o.ProbeEvery = 500 * time.Millisecond })
			key := ask(t, w, messages.PortIn, bringIn("p1", number, numberTwo))
			e := w.Final(key, 1)
			if diff := cmp.Diff([]string{number, numberTwo}, sorted(e.Numbers)); ended(e) != "completed" || diff != "" || e.CarrierModule != "knm_ported" || e.BandwidthStatus != "COMPLETE" || e.OrderName != "" {
				t.Errorf("ended %q, %+v (-want +got):\n%s", ended(e), e, diff)
			}
			ledger := w.Sim.PortIns()
			if len(ledger) != 1 || ledger[0].OrderID != e.BandwidthOrderID || ledger[0].CustomerOrderID != e.CustomerOrderID || len(ledger[0].Numbers) != 2 {
				t.Fatalf("Bandwidth has the port-ins %+v, the event names %s", ledger, e.BandwidthOrderID)
			}
			if n := w.Sim.Calls(bwfake.EndpointPortIn); n != c.posts {
				t.Errorf("%d POSTs, want %d", n, c.posts)
			}
			for _, n := range []string{number, numberTwo} {
				if got := state(t, w, n); got.State != "port_in" || got.Key != key || got.SiteID != "1234" || got.SIPPeer != "234222" || got.CarrierModule != "knm_ported" || got.BandwidthOrderID != e.BandwidthOrderID || got.Since.After(e.OccurredAt) {
					t.Errorf("the registry holds %+v", got)
				}
			}
			if w.Sim.Calls(bwfake.EndpointNumber) != 0 {
				t.Error("somebody was asked who holds the numbers")
			}
			// The same request again is answered with the same event, and sends nothing.
			ask(t, w, messages.PortIn, bringIn("p1", number, numberTwo))
			again := w.Await(2, "the repeated answer", func(e messages.Event) bool { return e.Key == key && e.Outcome.Final() })
			if diff := cmp.Diff(e, again[1]); diff != "" || w.Sim.Calls(bwfake.EndpointPortIn) != c.posts {
				t.Errorf("the repeat differs, or sent something (-first +repeat):\n%s", diff)
			}
		})
	}
}

// TestPortInModuleName: ported numbers are registered with Kazoo's own module unless port_in_module_name says another, in
// the event as well, and only once Bandwidth has completed the port.
func TestPortInModuleName(t *testing.T) {
	for _, module := range []string{"", "knm_bandwidth2"} {
		t.Run("module "+module, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{PortInStep: time.Hour}})
			w.Work(func(o *worker.Options) { hurried(o); o.PortInModule = module })
			key := ask(t, w, messages.PortIn, bringIn("p1", number))
			told(t, w, key, "SUBMITTED")
			if _, err := w.Bus.Number(t.Context(), number); err == nil {
				t.Error("the number is registered before it has come")
			}
			w.Sim.SetPortIn(w.Sim.PortIns()[0].OrderID, "COMPLETE")
			want := module
			if want == "" {
				want = "knm_local"
			}
			e := w.Final(key, 1)
			if got := state(t, w, number); got.State != "port_in" || got.CarrierModule != want || e.CarrierModule != want {
				t.Errorf("the registry holds %+v, the event says %s", got, e.CarrierModule)
			}
			// A disconnect of it is known to the registry too, and leaves the module.
			w.Final(ask(t, w, messages.Disconnect, giveBack("d1", number)), 1)
			if got := state(t, w, number); got.State != "released" || got.CarrierModule != want {
				t.Errorf("released, the registry holds %+v", got)
			}
		})
	}
}

// TestP18_PortInNotFound: a port-in that was never answered and is not found is sent no second time; its outcome is
// unknown. A replay needs the sender's word (P21b), and is looked for again first.
func TestP18_PortInNotFound(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortIn, Times: 1, Kind: bwfake.LoseReplyBefore})
	w.Work(ported)
	key := ask(t, w, messages.PortIn, bringIn("p1", number))
	if e := w.Final(key, 1); ended(e) != "failed outcome_unknown" || !strings.Contains(e.Errors[0].Description, "may be on their way here") {
		t.Fatalf("ended %q: %+v", ended(e), e.Errors)
	}
	if n := w.Sim.Calls(bwfake.EndpointPortIn); n != 1 {
		t.Errorf("%d POSTs, want 1", n)
	}
	if n := w.Sim.Calls(bwfake.EndpointPortInList); n < 5*16 {
		t.Errorf("%d lists were read; five looks walk every status", n)
	}
	l := letter(t, w, key)
	if !l.NeedsAcceptDouble() {
		t.Error("the letter does not say that its replay may order twice")
	}
	replay(t, w, l, false)
	refused := w.Await(1, "the refusal", func(e messages.Event) bool { return e.Reason == messages.ReasonInvalid })[0]
	if text := refused.Errors[0].Description; !strings.Contains(text, "--accept-double") || !strings.Contains(text, "the port-in "+key) || w.Sim.Calls(bwfake.EndpointPortIn) != 1 {
		t.Errorf("%q after %d POSTs", text, w.Sim.Calls(bwfake.EndpointPortIn))
	}
	if got := letter(t, w, key); got.Sequence != l.Sequence {
		t.Error("the letter of the order was touched")
	}
	lists := w.Sim.Calls(bwfake.EndpointPortInList)
	replay(t, w, l, true)
	e := w.Final(key, 2)
	if ended(e) != "completed" || !slices.Equal(e.Numbers, []string{number}) || w.Sim.Calls(bwfake.EndpointPortIn) != 2 || !strings.HasSuffix(e.CustomerOrderID, "-2") {
		t.Errorf("the replay ended %q as %s after %d POSTs", ended(e), e.CustomerOrderID, w.Sim.Calls(bwfake.EndpointPortIn))
	}
	if n := w.Sim.Calls(bwfake.EndpointPortInList) - lists; n < 5*16 {
		t.Errorf("%d lists were read before the second order (P21)", n)
	}
}

// TestPortInException: an order that Bandwidth takes and finds fault with does not end. It is told with its errors, and
// goes on once somebody has mended it.
func TestPortInException(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(ported)
	key := ask(t, w, messages.PortIn, bringIn("p1", "+19195550720"))
	e := told(t, w, key, "EXCEPTION")
	if len(e.Errors) != 1 || e.Errors[0].Code != "7331" || e.Outcome.Final() {
		t.Errorf("the event is %+v", e)
	}
	id := w.Sim.PortIns()[0].OrderID
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointPortInGet) > 2 })
	view := orderView(t, w, key)
	if view.State != "submitted" || len(view.Errors) != 1 || view.Errors[0].Code != "7331" {
		t.Errorf("the order shows as %+v", view)
	}
	w.Sim.SetPortIn(id, "EXCEPTION", "7300 The supplement was not taken.")
	w.Await(1, "the other error", func(e messages.Event) bool { return len(e.Errors) == 1 && e.Errors[0].Code == "7300" })
	w.Sim.SetPortIn(id, "FOC")
	if e := told(t, w, key, "FOC"); len(e.Errors) != 0 {
		t.Errorf("mended, the event still names %+v", e.Errors)
	}
	w.Sim.SetPortIn(id, "")
	if e := w.Final(key, 1); ended(e) != "completed" || len(e.Errors) != 0 || w.Sim.Calls(bwfake.EndpointPortIn) != 1 {
		t.Errorf("ended %q with %+v after %d POSTs", ended(e), e.Errors, w.Sim.Calls(bwfake.EndpointPortIn))
	}
}

// orderView reads an order at the endpoint.
func orderView(t *testing.T, w *workertest.World, key string) messages.OrderView {
	t.Helper()
	data, err := w.Bus.Order(t.Context(), key, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var v messages.OrderView
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPortInDraft: a draft whose reply was lost is found though lists leave drafts out, is held until somebody submits it
// at Bandwidth, and then completes.
func TestPortInDraft(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortIn, Times: 1, Kind: bwfake.LoseReplyAfter})
	w.Work(ported)
	key := ask(t, w, messages.PortIn, draft("p1", number))
	told(t, w, key, "DRAFT")
	if v := orderView(t, w, key); !v.Draft || v.State != "submitted" {
		t.Errorf("the order shows as %+v", v)
	}
	w.Sim.SetPortIn(w.Sim.PortIns()[0].OrderID, "")
	if e := w.Final(key, 1); ended(e) != "completed" || w.Sim.Calls(bwfake.EndpointPortIn) != 1 || len(w.Sim.PortIns()) != 1 {
		t.Errorf("ended %q after %d POSTs", ended(e), w.Sim.Calls(bwfake.EndpointPortIn))
	}
}

// TestPortInEndsWithoutNumbers: a draft that is dropped, and a port-in that is cancelled, end as cancelled: nothing was
// ported, and nothing is ordered again as it is.
func TestPortInEndsWithoutNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		request messages.Request
		drop    bool
		says    string
		code    string
	}{
		"dropped":   {draft("p1", number), true, "the draft is gone from Bandwidth", ""},
		"cancelled": {bringIn("p1", "+19195550730"), false, "Bandwidth shows the port-in as CANCELLED", "7205"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(func(o *worker.Options) { ported(o); o.Settings.PollMaxInterval = 200 * time.Millisecond })
			key := ask(t, w, messages.PortIn, c.request)
			if c.drop {
				told(t, w, key, "DRAFT")
				w.Sim.DropPortIn(w.Sim.PortIns()[0].OrderID)
			}
			e := w.Final(key, 1)
			if ended(e) != "failed cancelled" || len(e.Numbers) != 0 || !strings.Contains(e.Errors[len(e.Errors)-1].Description, c.says) || e.FailedNumbers[0].Code != c.code {
				t.Errorf("ended %q: %+v, %+v", ended(e), e.Errors, e.FailedNumbers)
			}
			l := letter(t, w, key)
			if l.Replayable() || !json.Valid(l.Request) || !bytes.Contains(l.Request, []byte(portPIN)) {
				t.Errorf("the letter is %+v", l.DeadLetter)
			}
			if _, err := w.Bus.Number(t.Context(), c.request.Numbers[0]); err == nil {
				t.Error("the number is registered")
			}
		})
	}
}

// TestPortInRefused: what Bandwidth refuses ends as rejected with its reasons, and its replay is an order of its own.
func TestPortInRefused(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{PortInStep: time.Hour}})
	w.Work(ported)
	first := ask(t, w, messages.PortIn, bringIn("p1", number))
	told(t, w, first, "SUBMITTED")
	key := ask(t, w, messages.PortIn, bringIn("p2", number, numberTwo))
	e := w.Final(key, 1)
	if ended(e) != "failed rejected" || e.Errors[0].Code != "7205" || e.Errors[0].Advice == "" || len(e.Errors) != 1 || len(e.BandwidthOrders) != 0 {
		t.Errorf("ended %q: %+v", ended(e), e.Errors)
	}
	w.Sim.SetPortIn(w.Sim.PortIns()[0].OrderID, "CANCELLED")
	w.Final(first, 1)
	replay(t, w, letter(t, w, key), false)
	again := w.Await(1, "the replay at Bandwidth", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Submitted })[0]
	if !strings.HasSuffix(again.CustomerOrderID, "-2") || len(w.Sim.PortIns()) != 2 {
		t.Errorf("%s, %d port-ins", again.CustomerOrderID, len(w.Sim.PortIns()))
	}
}

// TestPortInPause: what Bandwidth counts for port-ins holds back port-ins, and no order.
func TestPortInPause(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	running, _ := w.Worker(ported)
	if err := running.Hold(t.Context(), worker.GroupPortIn, "a test", ""); err != nil {
		t.Fatal(err)
	}
	key := ask(t, w, messages.PortIn, bringIn("p1", number))
	bought(t, w, "r1", numberTwo)
	if n := w.Sim.Calls(bwfake.EndpointPortIn); n != 0 {
		t.Errorf("%d POSTs while port-ins are paused", n)
	}
	if err := running.Resume(t.Context(), worker.GroupPortIn); err != nil {
		t.Fatal(err)
	}
	if e := w.Final(key, 1); ended(e) != "completed" {
		t.Errorf("ended %q", ended(e))
	}
}

// TestPortInWorkerDies: a worker that breaks off while Bandwidth answers leaves a claim; another finds the order.
func TestPortInWorkerDies(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortIn, Times: 1, Kind: bwfake.Slow, Delay: time.Second})
	_, kill := mortal(t, w, ported)
	key := ask(t, w, messages.PortIn, bringIn("p1", number))
	await(t, func() bool { return len(w.Sim.PortIns()) == 1 })
	kill()
	w.Work(ported)
	if e := w.Final(key, 1); ended(e) != "completed" || w.Sim.Calls(bwfake.EndpointPortIn) != 1 || len(w.Sim.PortIns()) != 1 {
		t.Errorf("ended %q after %d POSTs, %d port-ins", ended(e), w.Sim.Calls(bwfake.EndpointPortIn), len(w.Sim.PortIns()))
	}
}

// TestPortInSecretsStayInside: PIN and account number stand in the request and its dead letter, and nowhere else: in no
// event, log or view, and in no record once it has ended.
func TestPortInSecretsStayInside(t *testing.T) {
	t.Parallel()
	var log guardedBuffer
	w := workertest.Start(t, workertest.Options{Log: &log, Sim: bwfake.Options{PortInStep: 100 * time.Millisecond}})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortIn, CustomerOrderID: w.Names.Key("", "p2"), Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
		Body: "<LnpOrderResponse><Errors><Code>7331</Code><Description>The PIN " + portPIN + " does not fit account " + portAccount + "</Description></Errors></LnpOrderResponse>"})
	w.Work(ported)
	good := ask(t, w, messages.PortIn, bringIn("p1", number))
	bad := ask(t, w, messages.PortIn, bringIn("p2", numberTwo))
	w.Send(w.Names.Request(messages.PortIn, ""), []byte(`{"request_id":"p3","numbers":["+19195550001"],"wireless_info":{"pin_number":" `+portPIN+`","account_number":"`+portAccount+`"}}`), nil)
	w.Final(good, 1)
	if e := w.Final(bad, 1); !strings.Contains(e.Errors[0].Description, "The PIN *** does not fit account ***") {
		t.Errorf("%+v", e.Errors)
	}
	w.Await(1, "the refusal", func(e messages.Event) bool { return e.Reason == messages.ReasonInvalid })
	letter(t, w, bad)
	var seen strings.Builder
	seen.WriteString(log.String())
	for _, e := range w.Events() {
		data, _ := json.Marshal(e)
		seen.Write(data)
	}
	records, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{good, bad} {
		view, _ := json.Marshal(orderView(t, w, key))
		seen.Write(view)
		await(t, func() bool { // until the outcome is marked as published
			entry, err := records.Get(t.Context(), key)
			return err == nil && !bytes.Contains(entry.Value(), []byte(portPIN)) && !bytes.Contains(entry.Value(), []byte(portAccount))
		})
	}
	for _, secret := range []string{portPIN, portAccount} {
		if i := strings.Index(seen.String(), secret); i >= 0 {
			t.Errorf("%s is told: …%s", secret, seen.String()[max(0, i-300):i])
		}
	}
	if !strings.Contains(log.String(), good) {
		t.Error("the log was not caught")
	}
}

// guardedBuffer is a buffer that many may write to.
type guardedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *guardedBuffer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *guardedBuffer) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}
