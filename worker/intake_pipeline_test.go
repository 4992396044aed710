package worker_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

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
		{"a reservation in a backorder", provision, `{"request_id":"x","criteria":{"area_code":"919"},"quantity":1,"backorder":true,"reserve":true}`, messages.ReasonInvalid, "reserve"},
		{"a port-in of a long name", w.Names.Request(messages.PortIn, ""), `{"request_id":"x","numbers":["+19195551234"],"subscriber":{"last_name":"` + strings.Repeat("a", 26) + `"}}`, messages.ReasonInvalid, "subscriber.last_name"},
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
