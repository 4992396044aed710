package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// operator is the tool beside a real worker.
type operator struct {
	*workertest.World
	t      *testing.T
	worker *worker.Worker
}

// operate starts a worker, and waits until it answers.
func operate(t *testing.T) *operator {
	t.Helper()
	o := &operator{World: workertest.Start(t, workertest.Options{}), t: t}
	o.worker, _ = o.Worker(func(w *worker.Options) {
		w.Settings.PostTimeout, w.Settings.SettleWindow = 400*time.Millisecond, 800*time.Millisecond
		w.Settings.PollMinInterval, w.Settings.PollMaxInterval = 20*time.Millisecond, 200*time.Millisecond
	})
	o.until("the worker answers", func() bool {
		_, err := o.Bus.Orders(t.Context(), messages.OrdersQuestion{})
		return err == nil
	})
	return o
}

// until waits for a condition.
func (o *operator) until(what string, ready func() bool) {
	o.t.Helper()
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-limit.C:
			o.t.Fatalf("within a minute it did not happen that %s", what)
		}
	}
}

// publish runs the tool and returns its exit code and what it printed.
func (o *operator) publish(args ...string) (code int, stdout, stderr string) {
	o.t.Helper()
	var out, errs bytes.Buffer
	code = run(o.t.Context(), append([]string{"--nats-url", o.NATS.URL}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// want runs the tool and compares its exit code; each text must stand in what it printed.
func (o *operator) want(code int, texts []string, args ...string) (stdout string) {
	o.t.Helper()
	got, stdout, stderr := o.publish(args...)
	if got != code {
		o.t.Errorf("publish %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	for _, text := range texts {
		if !strings.Contains(stdout+stderr, text) {
			o.t.Errorf("publish %s does not say %q:\n%s%s", strings.Join(args, " "), text, stdout, stderr)
		}
	}
	return stdout
}

// letters waits until there are so many dead letters, and returns their ids.
func (o *operator) letters(n int) []string {
	o.t.Helper()
	o.until(fmt.Sprintf("there are %d dead letters", n), func() bool { return len(o.Letters()) == n })
	var ids []string
	for _, l := range o.Letters() {
		ids = append(ids, l.LetterID)
	}
	return ids
}

// failing leaves n orders behind that failed, because their numbers are another's, and returns their keys.
func (o *operator) failing(n int) (keys, numbers []string) {
	o.t.Helper()
	for i := range n {
		number := fmt.Sprintf("+1919555%04d", 2000+i)
		o.Sim.SellElsewhere(number, "another")
		key := o.Provision(fmt.Sprintf("f%d", i), number)
		if e := o.Final(key, 1); e.Outcome != messages.Failed {
			o.t.Fatalf("ended %s", e.Outcome)
		}
		keys, numbers = append(keys, key), append(numbers, number)
	}
	o.letters(n)
	return keys, numbers
}

func (o *operator) file(body string) string {
	o.t.Helper()
	name := filepath.Join(o.t.TempDir(), "edited.json")
	if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
		o.t.Fatal(err)
	}
	return name
}

func TestNumberCommand(t *testing.T) {
	o := operate(t)
	key := o.Provision("r1", "+19195551234")
	e := o.Final(key, 1)
	o.want(exitCompleted, []string{"+19195551234", "in_service", "knm_bandwidth2", "site 1234", "peer 234222", key, e.BandwidthOrderID}, "number", "+19195551234")
	var entry messages.NumberEntry
	if err := json.Unmarshal([]byte(o.want(exitCompleted, nil, "--json", "number", "+19195551234")), &entry); err != nil || entry.Key != key || entry.Since.IsZero() || entry.Since.After(e.OccurredAt) {
		t.Errorf("as JSON it is %+v, %v", entry, err)
	}
	if out := o.want(exitFailed, []string{"the number +19195559999 did not come through these workers"}, "number", "+19195559999"); out != "" {
		t.Errorf("an unknown number prints %q", out)
	}
	o.want(exitUsage, []string{"did you mean +19195551234"}, "number", "9195551234")
	o.want(exitUsage, []string{"E.164"}, "number", "hello")
}

func TestOrdersCommand(t *testing.T) {
	o := operate(t)
	o.want(exitCompleted, []string{"there are no such orders"}, "orders")
	failed, _ := o.failing(1)
	done := o.Provision("done", "+19195551234")
	o.Final(done, 1)
	o.Sim.SetCompleteAfter(time.Hour)
	open := o.Provision("open", "+19195551235")
	o.Await(1, "submitted", func(e messages.Event) bool { return e.Key == open && e.Outcome == messages.Submitted })
	o.until("one order is open", func() bool {
		answer, err := o.Bus.Orders(t.Context(), messages.OrdersQuestion{Open: true})
		return err == nil && len(answer.Orders) == 1
	})
	lines := strings.Split(strings.TrimSpace(o.want(exitCompleted, nil, "orders")), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], open) || !strings.HasPrefix(lines[1], done) || !strings.HasPrefix(lines[2], failed[0]) {
		t.Errorf("the orders are listed as\n%s", strings.Join(lines, "\n"))
	}
	if !strings.Contains(lines[2], "failed") || !strings.Contains(lines[2], "0 of 1") || !strings.Contains(lines[2], "bandwidth_failed") {
		t.Errorf("the failed order is shown as %s", lines[2])
	}
	for _, c := range []struct{ args, key string }{
		{"orders --open", open}, {"orders --state completed", done}, {"orders --state submitted", open},
		{"orders --tenant _ --state failed --kind provision", failed[0]},
	} {
		if out := o.want(exitCompleted, nil, strings.Fields(c.args)...); !strings.HasPrefix(out, c.key) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s prints\n%s", c.args, out)
		}
	}
	if out := o.want(exitCompleted, []string{"there are more"}, "orders", "--limit", "2", "--json"); strings.Count(out, "\n") != 2 {
		t.Errorf("two of three are\n%s", out)
	}
	o.want(exitUsage, []string{"submitted"}, "orders", "--state", "lost")
	o.want(exitUsage, []string{"1000"}, "orders", "--limit", "0")
}

func TestPauseCommands(t *testing.T) {
	o := operate(t)
	o.want(exitCompleted, []string{"ORDER is paused: new SIP peer"}, "pause", "order", "--why", "new SIP peer", "--by", "alice")
	o.until("the worker sees it", func() bool { return strings.Contains(o.worker.WhyNotReady(), "new SIP peer") })
	key := o.Provision("r1", "+19195551234")
	o.Await(1, "accepted", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Accepted })
	o.want(exitCompleted, []string{`"paused":false,"was_paused":true,"why":"new SIP peer","by":"alice"`}, "--json", "resume", "ORDER")
	if e := o.Final(key, 1); e.Outcome != messages.Completed {
		t.Errorf("ended %s %s", e.Outcome, e.Reason)
	}
	o.want(exitCompleted, []string{"ORDER was not paused"}, "resume", "ORDER")
	o.want(exitUsage, []string{"ORDERS", "PORT_IN", "HISTORY"}, "pause", "ORDERS", "--why", "x")
	o.want(exitUsage, []string{"PORT_IN"}, "resume", "x")
}

func TestDiscard(t *testing.T) {
	o := operate(t)
	keys, _ := o.failing(3)
	o.Send(o.Names.Request(messages.Provision, ""), []byte(`{"request_id":"x"}`), nil)
	o.letters(4)
	o.want(exitUsage, []string{"none was", "--yes", keys[0], keys[1]}, "dlq", "discard", keys[0], keys[1])
	o.want(exitFailed, []string{"nothing was discarded"}, "dlq", "discard", keys[0], strings.Repeat("a", 20), "--yes")
	o.want(exitUsage, []string{"key"}, "dlq", "discard", "*")
	o.want(exitUsage, []string{"reason"}, "dlq", "discard", "--reason", "bad_luck")
	o.want(exitUsage, []string{"one way"}, "dlq", "discard")
	o.letters(4)
	if out := o.want(exitCompleted, []string{"discarded: 1"}, "dlq", "discard", keys[1]); !strings.HasPrefix(out, keys[1]) {
		t.Errorf("what was discarded is shown as %q", out)
	}
	if ids := o.letters(3); slices.Contains(ids, keys[1]+".1") {
		t.Errorf("the letters left are %v", ids)
	}
	o.want(exitFailed, []string{"no dead letter"}, "dlq", "discard", keys[1])
	o.want(exitCompleted, []string{keys[1], "failed"}, "order", keys[1]) // the record stays
	out := o.want(exitCompleted, []string{"discarded: 2"}, "--json", "dlq", "discard", "--reason", "bandwidth_failed", "--yes")
	for line := range strings.Lines(out) {
		var l messages.DeadLetter
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Reason != messages.ReasonBandwidthFailed {
			t.Errorf("discarded %s", line)
		}
	}
	if l := o.Letters(); len(l) != 1 || l[0].Reason != messages.ReasonInvalid {
		t.Errorf("the letters left are %v", l)
	}
}

// TestEditRefused: a request that was refused is corrected and becomes an order; its letter goes, and nothing is
// bought twice.
func TestEditRefused(t *testing.T) {
	o := operate(t)
	o.Send(o.Names.Request(messages.Provision, "acme"), []byte(`{"request_id":"r1","numbers":["9195551234"]}`), nil)
	o.letters(1)
	letter := o.Letters()[0]
	for _, bad := range []struct{ body, says string }{
		{`{"request_id":"r1","numbers":["9195551234"]}`, "numbers"},
		{`{"request_id":"r1","number":["+19195551234"]}`, "number"},
		{`{"request_id":"r1","numbers":["+19195551234"]`, "JSON"},
		{``, "empty"},
	} {
		o.want(exitUsage, []string{"nothing was published", bad.says}, "dlq", "edit", letter.Key, "--file", o.file(bad.body))
	}
	o.letters(1)
	o.want(exitUsage, []string{"--file"}, "dlq", "edit", letter.Key, "--file", filepath.Join(t.TempDir(), "none"))
	o.want(exitUsage, []string{"stays so"}, "dlq", "edit", letter.Key, "--kind", "search", "--file", o.file(`{"request_id":"r1","numbers":["+19195551234"]}`))

	good := o.file(`{"request_id":"r1","numbers":["+19195551234"]}`)
	o.want(exitCompleted, []string{"its dead letter was removed"}, "dlq", "edit", letter.Key, "--file", good)
	key := o.Names.Key("acme", "r1")
	if e := o.Final(key, 1); e.Outcome != messages.Completed || e.Tenant != "acme" {
		t.Errorf("the edited request ended %s %s, of %s", e.Outcome, e.Reason, e.Tenant)
	}
	o.letters(0)
	o.want(exitFailed, []string{"no dead letter"}, "dlq", "edit", letter.Key, "--file", good)
	if n := o.Sim.Bought("+19195551234"); n != 1 || o.Sim.Calls(bwfake.EndpointCreate) != 1 {
		t.Errorf("bought %d times by %d POSTs", n, o.Sim.Calls(bwfake.EndpointCreate))
	}
}

// TestEditUnknownKind: where the subject itself was wrong, the kind has to be said.
func TestEditUnknownKind(t *testing.T) {
	o := operate(t)
	o.Send("bandwidth.v1.request.rent.acme", []byte(`{"request_id":"r1","numbers":["+19195551234"]}`), nil)
	o.letters(1)
	letter := o.Letters()[0]
	good := o.file(`{"request_id":"r1","numbers":["+19195551234"]}`)
	o.want(exitUsage, []string{"say which one"}, "dlq", "edit", letter.Key, "--file", good)
	o.want(exitCompleted, []string{o.Names.Key("acme", "r1")}, "dlq", "edit", letter.Key, "--kind", "provision", "--file", good)
	if e := o.Final(o.Names.Key("acme", "r1"), 1); e.Outcome != messages.Completed {
		t.Errorf("ended %s %s", e.Outcome, e.Reason)
	}
	o.letters(0)
}

// TestEditor: the letter's text is put before a person, also one that could not be decoded; what was not changed is
// not sent; and what is wrong is kept for another try.
func TestEditor(t *testing.T) {
	o := operate(t)
	editor := func(script string) {
		name := filepath.Join(t.TempDir(), "editor")
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("VISUAL", "")
		t.Setenv("EDITOR", name+" -x")
	}
	t.Setenv("TMPDIR", t.TempDir())
	o.Send(o.Names.Request(messages.Provision, ""), []byte(`{"request_id":"r1","numbers":["+19195551234"]`), nil) // cut off
	o.letters(1)
	key := o.Letters()[0].Key
	editor(`true`)
	o.want(exitFailed, []string{"nothing was changed, and nothing was published"}, "dlq", "edit", key)
	editor(`exit 3`)
	o.want(exitFailed, []string{"nothing was published"}, "dlq", "edit", key)
	editor(`: >"$2"`)
	o.want(exitFailed, []string{"nothing was published"}, "dlq", "edit", key)
	editor(`printf ',' >>"$2"`)
	_, _, stderr := o.publish("dlq", "edit", key)
	_, kept, found := strings.Cut(strings.TrimSpace(stderr), "--file ")
	if data, err := os.ReadFile(kept); !found || err != nil || !strings.HasSuffix(string(data), `],`) {
		t.Errorf("the text is not kept: %s", stderr)
	}
	o.letters(1)
	editor(`test "$1" = -x && printf '}' >>"$2"`)
	o.want(exitCompleted, []string{"its dead letter was removed"}, "dlq", "edit", key)
	if e := o.Final(o.Names.Key("", "r1"), 1); e.Outcome != messages.Completed {
		t.Errorf("ended %s %s", e.Outcome, e.Reason)
	}
	if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "dead-letter-*")); err != nil || len(left) != 1 {
		t.Errorf("files left behind: %v, %v; want the one that was kept", left, err)
	}
}

// TestEditOrder: the edited letter of an order is a replay of it; the worker removes the letter; numbers that the
// order holds stay.
func TestEditOrder(t *testing.T) {
	o := operate(t)
	o.Sim.SellElsewhere("+19195550002", "another")
	key := o.Provision("r1", "+19195550001", "+19195550002")
	if e := o.Final(key, 1); e.Outcome != messages.Partial {
		t.Fatalf("ended %s", e.Outcome)
	}
	o.letters(1)
	o.want(exitUsage, []string{"request_id"}, "dlq", "edit", key, "--file", o.file(`{"request_id":"r2","numbers":["+19195550003"]}`))
	o.want(exitUsage, []string{"request_id"}, "dlq", "edit", key, "--file", o.file(`{"request_id":"r1","tenant":"acme","numbers":["+19195550003"]}`))
	o.letters(1)
	o.want(exitCompleted, []string{"as a replay of " + key + ".1"}, "dlq", "edit", key, "--file", o.file(`{"request_id":"r1","numbers":["+19195550003"]}`))
	e := o.Final(key, 2)
	if e.Outcome != messages.Completed || !slices.Equal(e.Numbers, []string{"+19195550001", "+19195550003"}) {
		t.Errorf("the edited replay ended %s with %v", e.Outcome, e.Numbers)
	}
	o.letters(0)
	if n := len(o.Sim.OrdersOf(key)); n != 2 {
		t.Errorf("%d orders at Bandwidth, want 2", n)
	}
}

func TestReplayRate(t *testing.T) {
	o := operate(t)
	keys, numbers := o.failing(5)
	for _, n := range numbers {
		o.Sim.Release(n)
	}
	o.want(exitUsage, []string{"negative"}, "replay", "--all", "--rate=-1")
	begin := time.Now()
	o.want(exitCompleted, nil, "replay", "--all", "--rate", "20")
	if took := time.Since(begin); took < 4*50*time.Millisecond {
		t.Errorf("5 replays at 20 in a second took %s", took)
	}
	for _, key := range keys {
		if e := o.Final(key, 2); e.Outcome != messages.Completed {
			t.Errorf("ended %s", e.Outcome)
		}
	}
}

func TestReplayStopAfter(t *testing.T) {
	o := operate(t)
	_, numbers := o.failing(6)
	posts := o.Sim.Calls(bwfake.EndpointCreate)
	o.want(exitCompleted, []string{"would be replayed: 6"}, "replay", "--all", "--stop-after", "2", "--dry-run")
	o.want(exitFailed, []string{"stopped after 2 replays that failed again", "4 dead letters were left"}, "replay", "--all", "--stop-after", "2")
	if n := o.Sim.Calls(bwfake.EndpointCreate) - posts; n != 2 {
		t.Errorf("%d orders were placed, want 2", n)
	}
	var again int
	for _, id := range o.letters(6) {
		if strings.HasSuffix(id, ".2") {
			again++
		}
	}
	if again != 2 {
		t.Errorf("%d letters are of a second generation, want 2: %v", again, o.letters(6))
	}
	for _, n := range numbers[1:] { // one will fail again
		o.Sim.Release(n)
	}
	out := o.want(exitFailed, []string{"replayed: 6 of 6; completed: 5, failed again: 1"}, "replay", "--all", "--stop-after", "2", "--rate", "100")
	if n := strings.Count(out, "completed"); n != 5 {
		t.Errorf("the outcomes are shown as\n%s", out)
	}
	o.letters(1)
	o.Sim.Release(numbers[0])
	if out := o.want(exitCompleted, []string{"completed: 1, failed again: 0"}, "--json", "replay", "--reason", "bandwidth_failed", "--stop-after", "1"); !strings.Contains(out, `"outcome":"completed"`) {
		t.Errorf("as JSON: %s", out)
	}
	o.letters(0)
}

// TestReplayDouble: a letter whose replay may buy twice is skipped in a batch, and refused by its key until the risk is
// taken (P21b). The letter is put there as a worker would write it of a backorder whose order was never found.
func TestReplayDouble(t *testing.T) {
	o := operate(t)
	key := o.Names.Key("", "b1")
	body := json.RawMessage(`{"request_id":"b1","criteria":{"area_code":"919"},"quantity":1,"backorder":true}`)
	letter, err := json.Marshal(messages.DeadLetter{
		LetterID: key + ".1", Key: key, Generation: 1, Kind: messages.Provision, Subject: o.Names.Request(messages.Provision, ""),
		Reason: messages.ReasonOutcomeUnknown, Request: body, Replay: body,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Send(o.Names.DeadLetter(messages.Provision, messages.ReasonOutcomeUnknown, "", key), letter, nil)
	for _, args := range []string{"replay --all", "replay --reason outcome_unknown", "replay --all --accept-double", "replay --all --stop-after 1"} {
		o.want(exitCompleted, []string{"skipped " + key + ".1", "may buy twice"}, strings.Fields(args)...)
	}
	o.want(exitFailed, []string{"--accept-double", "nothing was replayed"}, "replay", key)
	stream, err := o.JS.Stream(t.Context(), o.Names.RequestsStream())
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.LastSeq != 0 {
		t.Errorf("%d requests were published, %v; want none", info.State.LastSeq, err)
	}
	o.want(exitCompleted, []string{key}, "replay", key, "--accept-double", "--dry-run")
	o.want(exitCompleted, []string{key}, "replay", key, "--accept-double")
}
