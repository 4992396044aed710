package worker_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

const numberTwo = "+19195551235"

// bought provisions numbers and returns the id of their Bandwidth order.
func bought(t *testing.T, w *workertest.World, requestID string, numbers ...string) string {
	t.Helper()
	e := w.Final(w.Provision(requestID, numbers...), 1)
	if e.Outcome != messages.Completed {
		t.Fatalf("the provision ended %q", ended(e))
	}
	return e.BandwidthOrderID
}

// giveBack is a disconnect.
func giveBack(requestID string, numbers ...string) messages.Request {
	return messages.Request{RequestID: requestID, Numbers: numbers}
}

// releasedTimes counts how often a number was released.
func releasedTimes(w *workertest.World, number string) int {
	n := 0
	for _, r := range w.Sim.Releases() {
		for _, released := range r.Numbers {
			if released == number {
				n++
			}
		}
	}
	return n
}

// state returns what the registry holds of a number.
func state(t *testing.T, w *workertest.World, number string) messages.NumberEntry {
	t.Helper()
	n, err := w.Bus.Number(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDisconnect: numbers are given back, whatever goes wrong once, and the registry says so.
func TestDisconnect(t *testing.T) {
	post := func(f bwfake.Fault) []bwfake.Fault {
		f.Endpoint, f.Times = bwfake.EndpointDisconnect, 1
		return []bwfake.Fault{f}
	}
	for _, c := range []struct {
		name   string
		sim    bwfake.Options
		faults []bwfake.Fault
		posts  int
	}{
		{name: "no fault", posts: 1},
		{name: "it takes a while, and answers 200", sim: bwfake.Options{CompleteAfter: 300 * time.Millisecond, DisconnectStatus: http.StatusOK}, posts: 1},
		{name: "the number ages", sim: bwfake.Options{Aging: time.Hour}, faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 1},
		{name: "the reply is lost after", faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 1},
		{name: "the reply is lost after, and it takes a while", sim: bwfake.Options{CompleteAfter: 700 * time.Millisecond}, faults: post(bwfake.Fault{Kind: bwfake.LoseReplyAfter}), posts: 2},
		{name: "the reply is lost before", faults: post(bwfake.Fault{Kind: bwfake.LoseReplyBefore}), posts: 2},
		{name: "a 500 with it", faults: post(bwfake.Fault{Kind: bwfake.ErrorAfter, Status: 500}), posts: 1},
		{name: "a 500 without", faults: post(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 500}), posts: 2},
		{name: "the id only in Location", faults: post(bwfake.Fault{Kind: bwfake.LocationOnly}), posts: 1},
		{name: "no id", faults: post(bwfake.Fault{Kind: bwfake.NoID}), posts: 1},
		{name: "a rate limit", faults: post(bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Second}), posts: 2},
		{name: "reads fail", faults: []bwfake.Fault{
			{Endpoint: bwfake.EndpointDisconnectGet, Times: 1, Kind: bwfake.ErrorBefore, Status: 500},
			{Endpoint: bwfake.EndpointDisconnectGet, Times: 1, Kind: bwfake.ErrorBefore, Status: 404},
			{Endpoint: bwfake.EndpointDisconnectGet, Times: 1, Kind: bwfake.Malformed},
			{Endpoint: bwfake.EndpointDisconnectGet, Times: 1, Kind: bwfake.UnknownStatus},
			{Endpoint: bwfake.EndpointDisconnectGet, Times: 1, Kind: bwfake.Pending5019},
			{Endpoint: bwfake.EndpointDisconnectGet, Times: 1, Kind: bwfake.EmptyNumbers},
			{Endpoint: bwfake.EndpointNumber, Times: 1, Kind: bwfake.ErrorBefore, Status: 500},
			{Endpoint: bwfake.EndpointNumber, Times: 1, Kind: bwfake.Malformed},
			{Endpoint: bwfake.EndpointNumber, Times: 1, Kind: bwfake.RateLimit, Delay: time.Second},
		}, posts: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: c.sim})
			w.Work(brisk)
			order := bought(t, w, "r1", number, numberTwo)
			for _, f := range c.faults {
				w.Sim.Inject(f)
			}
			key := ask(t, w, messages.Disconnect, giveBack("d1", number, numberTwo))
			e := w.Final(key, 1)
			if diff := cmp.Diff([]string{number, numberTwo}, sorted(e.Numbers)); ended(e) != "completed" || diff != "" {
				t.Errorf("ended %q (-want +got):\n%s", ended(e), diff)
			}
			for _, n := range []string{number, numberTwo} {
				if got := releasedTimes(w, n); got != 1 {
					t.Errorf("%s was released %d times", n, got)
				}
				if got := state(t, w, n); got.State != "released" || got.Key != key || got.SiteID != "1234" || got.CarrierModule != "knm_bandwidth2" {
					t.Errorf("the registry holds %+v", got)
				}
			}
			if n := w.Sim.Calls(bwfake.EndpointDisconnect); n != c.posts {
				t.Errorf("%d POSTs, want %d", n, c.posts)
			}
			if got := w.Sim.Releases()[0].Holders[number]; got != order {
				t.Errorf("it was released from order %s, want %s", got, order)
			}
			// The same request again is answered with the same event, and sends nothing.
			ask(t, w, messages.Disconnect, giveBack("d1", number, numberTwo))
			again := w.Await(2, "the repeated answer", func(e messages.Event) bool { return e.Key == key && e.Outcome.Final() })
			if diff := cmp.Diff(e, again[1]); diff != "" || w.Sim.Calls(bwfake.EndpointDisconnect) != c.posts {
				t.Errorf("the repeat differs, or sent something (-first +repeat):\n%s", diff)
			}
			// What is bought again afterwards is in service, and the old disconnect leaves it so.
			w.Sim.ClearFaults()
			if c.sim.Aging == 0 {
				bought(t, w, "r2", number)
				if got := state(t, w, number); got.State != "in_service" {
					t.Errorf("bought again, the registry holds %+v (P36)", got)
				}
			}
		})
	}
}

// TestDisconnectFails: what cannot be released is named with its reason, and stays as it is.
func TestDisconnectFails(t *testing.T) {
	protect := func(t *testing.T, w *workertest.World) { // at Bandwidth, which refuses to purge it
		w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointDisconnect, Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
			Body: "<DisconnectTelephoneNumberOrderResponse><ErrorList><Error><Code>5109</Code><Description>The number is protected.</Description></Error></ErrorList></DisconnectTelephoneNumberOrderResponse>"})
	}
	for _, c := range []struct {
		name    string
		setup   func(*testing.T, *workertest.World)
		request func() messages.Request
		want    string
		numbers []string
		code    string
		posts   int
	}{
		{name: "not on the account", request: func() messages.Request { return giveBack("d1", number) }, want: "failed rejected", code: "5006"},
		{name: "one of two is not", setup: func(t *testing.T, w *workertest.World) { bought(t, w, "r1", numberTwo) },
			request: func() messages.Request { return giveBack("d1", number, numberTwo) }, want: "partial incomplete", numbers: []string{numberTwo}, code: "5006", posts: 1},
		{name: "protected with purge", setup: func(t *testing.T, w *workertest.World) { bought(t, w, "r1", number); protect(t, w) },
			request: func() messages.Request { r := giveBack("d1", number); r.Mode = "purge"; return r }, want: "failed rejected", code: "5109", posts: 1},
		{name: "protected and purged at once", setup: func(t *testing.T, w *workertest.World) { bought(t, w, "r1", number) },
			request: func() messages.Request { r := giveBack("d1", number); r.Mode, r.Protected = "purge", "true"; return r }, want: "failed rejected", code: "5109", posts: 1},
		{name: "its holder is not named", setup: func(t *testing.T, w *workertest.World) {
			bought(t, w, "r1", number)
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointNumber, Kind: bwfake.ErrorBefore, Status: 200, ContentType: "application/xml",
				Body: "<TelephoneNumberResponse><TelephoneNumber>9195551234</TelephoneNumber><Status>Inservice</Status></TelephoneNumberResponse>"})
		}, request: func() messages.Request { return giveBack("d1", number) }, want: "failed rejected", code: "unclear"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(brisk)
			if c.setup != nil {
				c.setup(t, w)
			}
			key := ask(t, w, messages.Disconnect, c.request())
			e := w.Final(key, 1)
			if ended(e) != c.want || len(e.Numbers) != len(c.numbers) || len(e.Numbers) > 0 && !cmp.Equal(e.Numbers, c.numbers) {
				t.Errorf("ended %q with %v, want %q with %v", ended(e), e.Numbers, c.want, c.numbers)
			}
			if len(e.FailedNumbers) != 1 || e.FailedNumbers[0] != (messages.FailedNumber{Number: number, Code: c.code}) {
				t.Errorf("failed numbers %v, want %s with %s", e.FailedNumbers, number, c.code)
			}
			if len(e.Errors) == 0 || e.Errors[0].Code != c.code || e.Errors[0].Description == "" || e.Errors[0].Advice == "" {
				t.Errorf("the errors %+v do not explain %s", e.Errors, c.code)
			}
			if n := w.Sim.Calls(bwfake.EndpointDisconnect); n != c.posts {
				t.Errorf("%d POSTs, want %d", n, c.posts)
			}
			if releasedTimes(w, number) != 0 {
				t.Error("the number was released")
			}
			if got := string(replayFields(t, letter(t, w, key))["numbers"]); got != `["`+number+`"]` {
				t.Errorf("the replay names %s, want what is not released", got)
			}
		})
	}
}

// TestP16_DisconnectUnderAWrongURL: where everything is answered 404 no number is said not to be ours, and nothing is
// given up.
func TestP16_DisconnectUnderAWrongURL(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	stop := w.Work(brisk)
	bought(t, w, "r1", number)
	stop()
	w.Sim.Inject(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusNotFound, Body: "<html>no such page</html>"})
	w.Work(func(o *worker.Options) { brisk(o); o.Settings.GiveUpAfter = 50 * time.Millisecond })
	key := ask(t, w, messages.Disconnect, giveBack("d1", number))
	await(t, func() bool { return w.Sim.Calls(bwfake.EndpointSites) >= 1 })
	w.Sim.ClearFaults()
	if e := w.Final(key, 1); ended(e) != "completed" || releasedTimes(w, number) != 1 || len(w.Letters()) != 0 {
		t.Errorf("ended %q, released %d times, %d letters", ended(e), releasedTimes(w, number), len(w.Letters()))
	}
}

// TestP34_DisconnectLeavesNewerOrdersAlone: a disconnect that is replayed after the number was bought again does not
// release it.
func TestP34_DisconnectLeavesNewerOrdersAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		held bool // when the disconnect first came
	}{{"released by hand meanwhile", true}, {"nobody's before", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(brisk)
			posts := 0
			if c.held {
				bought(t, w, "r1", number)
				w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointDisconnect, Times: 1, Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
					Body: "<DisconnectTelephoneNumberOrderResponse><ErrorList><Error><Code>5109</Code><Description>The number is protected.</Description></Error></ErrorList></DisconnectTelephoneNumberOrderResponse>"})
				posts = 1
			}
			key := ask(t, w, messages.Disconnect, giveBack("d1", number))
			if e := w.Final(key, 1); ended(e) != "failed rejected" {
				t.Fatalf("ended %q", ended(e))
			}
			l := letter(t, w, key)
			w.Sim.Release(number)
			bought(t, w, "r2", number)
			replay(t, w, l, false)
			e := w.Final(key, 2)
			if ended(e) != "failed rejected" || len(e.FailedNumbers) != 1 || e.FailedNumbers[0].Code != "changed" || len(e.Errors) == 0 || e.Errors[0].Code != "changed" {
				t.Errorf("the replay ended %q, failed %v, errors %v", ended(e), e.FailedNumbers, e.Errors)
			}
			if releasedTimes(w, number) != 0 || w.Sim.Calls(bwfake.EndpointDisconnect) != posts {
				t.Errorf("released %d times, %d POSTs, want none and %d", releasedTimes(w, number), w.Sim.Calls(bwfake.EndpointDisconnect), posts)
			}
			if got := state(t, w, number); got.State != "in_service" {
				t.Errorf("the registry holds %+v", got)
			}
			// A request of its own releases it.
			if e := w.Final(ask(t, w, messages.Disconnect, giveBack("d2", number)), 1); ended(e) != "completed" {
				t.Errorf("the new disconnect ended %q", ended(e))
			}
		})
	}
}

// TestP40_DisconnectFiveThousand: 5000 numbers are released by one disconnect, and each is registered so.
func TestP40_DisconnectFiveThousand(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(nil)
	numbers := make([]string, 5000)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1919%07d", 2015000+i)
		if i%2 == 0 {
			w.Sim.SellElsewhere(numbers[i], fmt.Sprintf("another-%d", i)) // an order of its own each
		}
	}
	bought(t, w, "many", numbers[1], numbers[3])
	for i := 5; i < len(numbers); i += 2 {
		w.Sim.SellElsewhere(numbers[i], fmt.Sprintf("another-%d", i))
	}
	key := ask(t, w, messages.Disconnect, giveBack("d1", numbers...))
	e := w.Final(key, 1)
	if ended(e) != "completed" || len(e.Numbers) != 5000 || w.Sim.Calls(bwfake.EndpointDisconnect) != 1 {
		t.Errorf("ended %q with %d numbers after %d POSTs", ended(e), len(e.Numbers), w.Sim.Calls(bwfake.EndpointDisconnect))
	}
	status, err := registered(t, w).Status(t.Context())
	if err != nil || status.Values() != 5000 {
		t.Errorf("%d numbers are registered, %v", status.Values(), err)
	}
	for _, i := range []int{0, 1, 4999} {
		if got := state(t, w, numbers[i]); got.State != "released" {
			t.Errorf("the registry holds %+v", got)
		}
	}
}

// TestDisconnectWhileReadsArePaused: a pause of reads holds the reading of holders, and does not count towards giving up.
func TestDisconnectWhileReadsArePaused(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	running, _ := w.Worker(func(o *worker.Options) { brisk(o); o.Settings.GiveUpAfter = 50 * time.Millisecond })
	bought(t, w, "r1", number)
	if err := running.Hold(t.Context(), worker.GroupHistory, "a test", "test"); err != nil {
		t.Fatal(err)
	}
	sees(t, worker.GroupHistory, true, running)
	key := ask(t, w, messages.Disconnect, giveBack("d1", number))
	w.Await(1, "accepted", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Accepted })
	stream, err := w.JS.Stream(t.Context(), w.Names.TimersStream())
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return sleepsLong(t, stream, w.Names.Timer(key)) })
	if n := w.Sim.Calls(bwfake.EndpointNumber); n != 0 {
		t.Errorf("%d reads of numbers while reads are paused", n)
	}
	if err := running.Resume(t.Context(), worker.GroupHistory); err != nil {
		t.Fatal(err)
	}
	if e := w.Final(key, 1); ended(e) != "completed" {
		t.Errorf("ended %q", ended(e))
	}
}
