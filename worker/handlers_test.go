package worker

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
)

// TestP1_P5_NotAckedUnlessStored: while the ledger cannot be written a request comes again; a taken one has its timer,
// with the record's revision.
func TestP1_P5_NotAckedUnlessStored(t *testing.T) {
	b := newBed(t, nil)
	key := b.names.Key("", "r1")
	if err := b.js.DeleteKeyValue(t.Context(), b.names.OrdersBucket()); err != nil {
		t.Fatal(err)
	}
	if d := b.requested(bedBody, ""); d.verb != nak || d.then != nil {
		t.Errorf("without a ledger the request is answered with %s", d.verb)
	}
	b = newBed(t, nil)
	if d := b.requested(bedBody, ""); d.verb != ack {
		t.Fatalf("the request is answered with %s", d.verb)
	}
	r, err := b.store.Get(t.Context(), orders.ID(key))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"revision":%d}`, r.Revision); b.timer(key) != want {
		t.Errorf("the timer carries %q, want %q", b.timer(key), want)
	}
}

// TestP3_P28_UndecodableRecord: a record that this program cannot read, a later version's or a damaged one, is no
// verdict: ticks and requests come again until it can be read.
func TestP3_P28_UndecodableRecord(t *testing.T) {
	for name, damaged := range map[string]string{"no JSON": "{", "a later version": `{"v":99}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			key := b.names.Key("", "r1")
			kv, err := b.js.KeyValue(t.Context(), b.names.OrdersBucket())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kv.Put(t.Context(), key, []byte(damaged)); err != nil {
				t.Fatal(err)
			}
			if d := b.ticked(key, ""); d.verb != nak {
				t.Errorf("a tick is answered with %s", d.verb)
			}
			if d := b.requested(bedBody, ""); d.verb != nak {
				t.Errorf("a request is answered with %s", d.verb)
			}
			if entry, err := kv.Get(t.Context(), key); err != nil || string(entry.Value()) != damaged {
				t.Errorf("the record was touched: %v", err)
			}
			if n := len(b.sim.Requests()); n != 0 {
				t.Errorf("%d calls to Bandwidth", n)
			}
		})
	}
}

// TestP5_TickOfALaterRevision: a tick that knows of a later revision than the ledger holds, because the ledger was lost,
// does not come for ever; one without a body counts as 0.
func TestP5_TickOfALaterRevision(t *testing.T) {
	b := newBed(t, nil)
	r := orders.NewRecord(orders.Arrival{Key: "abcdefghijklmnopqrst", RequestID: "r1", Kind: orders.Provision}, time.Now())
	r.Outcome = &orders.Outcome{Outcome: orders.Completed, Published: true}
	if _, err := b.store.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "nonsense", `{"revision":0}`, `{"revision":1}`} {
		if d := b.ticked(string(r.Key), body); d.verb != ack || b.timer(string(r.Key)) != "" {
			t.Errorf("a tick %q of a finished order: %s, timer %q", body, d.verb, b.timer(string(r.Key)))
		}
	}
	if d := b.ticked(string(r.Key), `{"revision":999}`); d.verb != ack || b.timer(string(r.Key)) != "" {
		t.Errorf("a tick of a lost ledger: %s, timer %q", d.verb, b.timer(string(r.Key)))
	}
	if d := b.ticked("bcdefghijklmnopqrsta", `{"revision":999}`); d.verb != ack || b.timer("bcdefghijklmnopqrsta") != `{"revision":999}` {
		t.Errorf("a tick of a record that is not there: %s, timer %q", d.verb, b.timer("bcdefghijklmnopqrsta"))
	}
}

// TestP25_EarlyReplayWaits: a replay of a generation that has not ended, or whose outcome is not published, waits.
func TestP25_EarlyReplayWaits(t *testing.T) {
	b := newBed(t, nil)
	key := b.names.Key("", "r1")
	r := orders.NewRecord(orders.Arrival{Key: orders.ID(key), RequestID: "r1", Kind: orders.Provision, Hash: "h"}, time.Now())
	revision, err := b.store.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if d := b.requested(bedBody, key+".1"); d.verb != nak || d.delay != earlyWait {
		t.Errorf("while it is on its way: %s after %s", d.verb, d.delay)
	}
	r.Revision, r.Outcome = revision, &orders.Outcome{Outcome: orders.Failed, At: time.Now()}
	if _, err := b.store.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if d := b.requested(bedBody, key+".1"); d.verb != nak || d.delay != endingWait {
		t.Errorf("while it is being published: %s after %s", d.verb, d.delay)
	}
}

// TestP23_P27_LetterOrComeAgain: event, then letter, then the mark, each only after the one before is stored; a request
// that touches no order stays until both are.
func TestP23_P27_LetterOrComeAgain(t *testing.T) {
	b := newBed(t, nil)
	stored := func(stream, filter string) int {
		s, err := b.js.Stream(t.Context(), stream)
		if err != nil {
			return 0
		}
		info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(filter))
		if err != nil {
			t.Fatal(err)
		}
		return len(info.State.Subjects)
	}
	r := orders.NewRecord(orders.Arrival{Key: "abcdefghijklmnopqrst", RequestID: "r1", Kind: orders.Provision, Body: []byte(bedBody)}, time.Now())
	r.Outcome = &orders.Outcome{Outcome: orders.Failed, Reason: orders.ReasonRejected, At: time.Now()}
	key := string(r.Key)
	if _, err := b.store.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	published := func() bool {
		got, err := b.store.Get(t.Context(), r.Key)
		if err != nil {
			t.Fatal(err)
		}
		return got.Outcome.Published
	}
	for _, missing := range []string{b.names.EventsStream(), b.names.DLQStream()} {
		if err := b.js.DeleteStream(t.Context(), missing); err != nil {
			t.Fatal(err)
		}
		if d := b.ticked(key, ""); d.verb != nak || published() {
			t.Errorf("without %s a tick is answered with %s, published %t", missing, d.verb, published())
		}
		if n := stored(b.names.DLQStream(), ">"); n != 0 {
			t.Errorf("without %s there are letters", missing)
		}
		if d := b.requested("nonsense", ""); d.verb != nak {
			t.Errorf("without %s a bad request is answered with %s", missing, d.verb)
		}
		layout := broker.Layout{Names: b.names, EventsMaxAge: time.Hour, AckWait: 2 * time.Second, Manage: true}
		if err := broker.Ensure(t.Context(), b.js, layout); err != nil {
			t.Fatal(err)
		}
	}
	if n := stored(b.names.EventsStream(), "bandwidth.v1.event.provision.failed._."+key); n != 1 {
		t.Error("the event did not come before the letter")
	}
	if d := b.ticked(key, ""); d.verb != ack || !published() || stored(b.names.DLQStream(), "bandwidth.v1.dlq.provision.rejected._."+key) != 1 {
		t.Errorf("with all streams: %s, published %t", d.verb, published())
	}
	if d := b.requested("nonsense", ""); d.verb != term {
		t.Errorf("a bad request is answered with %s", d.verb)
	}
}

// TestP27_NoOrder: requests that touch no order each have a key of their own, and the tenant and kind as far as they
// can be told; the order that they are in conflict with stays as it is.
func TestP27_NoOrder(t *testing.T) {
	b := newBed(t, nil)
	if d := b.requested(bedBody, ""); d.verb != ack {
		t.Fatal(d.verb)
	}
	before, err := b.store.Get(t.Context(), orders.ID(b.names.Key("", "r1")))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for i, c := range []struct{ body, tenant, kind string }{
		{"nonsense", messages.NoTenant, "provision"}, {"nonsense", messages.NoTenant, "provision"},
		{`{"request_id":"r2","tenant":"acme","numbers":["1"]}`, "acme", "provision"},
		{`{"request_id":"r1","numbers":["+19195559999"]}`, messages.NoTenant, "provision"},
		{`{"request_id":"r1","numbers":["+19195559999"]}`, messages.NoTenant, "provision"},
	} {
		if d := b.requested(c.body, ""); d.verb != term {
			t.Fatalf("%s: %s", c.body, d.verb)
		}
		s, err := b.js.Stream(t.Context(), b.names.DLQStream())
		if err != nil {
			t.Fatal(err)
		}
		msg, err := s.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatalf("%s: %v", c.body, err)
		}
		var l messages.DeadLetter
		if err := json.Unmarshal(msg.Data, &l); err != nil {
			t.Fatal(err)
		}
		if l.Generation != 0 || keys[l.Key] || l.Key == string(before.Key) || l.LetterID != l.Key+".0" {
			t.Errorf("%s: letter %s of key %s", c.body, l.LetterID, l.Key)
		}
		keys[l.Key] = true
		if e := b.event(messages.Failed, c.tenant, l.Key); e.EventID != l.Key+".0.failed" || e.Generation != 0 || e.Sequence != 0 {
			t.Errorf("%s: event %s, generation %d, sequence %d; want %s.0.failed, 0, 0", c.body, e.EventID, e.Generation, e.Sequence, l.Key)
		}
		if tokens := strings.Split(msg.Subject, "."); tokens[3] != c.kind || tokens[5] != c.tenant {
			t.Errorf("%s: the letter is on %s", c.body, msg.Subject)
		}
	}
	after, err := b.store.Get(t.Context(), before.Key)
	if err != nil || after.Revision != before.Revision {
		t.Errorf("the order was written: revision %d, then %d (%v)", before.Revision, after.Revision, err)
	}
}

// TestP26_LettersGoBySequence: a letter is removed by its own sequence, never with others of its subject, and one that
// is gone is no error; a letter that touched no order is replayed as a new request.
func TestP26_LettersGoBySequence(t *testing.T) {
	b := newBed(t, nil)
	subject := b.names.DeadLetter(messages.Provision, messages.ReasonRejected, "", "abcdefghijklmnopqrst")
	for range 2 {
		if _, err := b.js.Publish(t.Context(), subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.js.Stream(t.Context(), b.names.DLQStream())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.DropLetter(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.GetMsg(t.Context(), 1); err == nil {
		t.Error("the letter is still there")
	}
	if _, err := s.GetMsg(t.Context(), 2); err != nil {
		t.Errorf("the later letter on the same subject went too: %v", err)
	}
	if d := b.requested(bedBody, strings.Repeat("z", 20)+".0"); d.verb != ack {
		t.Errorf("an edited letter that touched no order is answered with %s (%s)", d.verb, d.reason)
	}
	if r, err := b.store.Get(t.Context(), orders.ID(b.names.Key("", "r1"))); err != nil || r.Generation != 1 {
		t.Errorf("it is no new order: %v", err)
	}
}

// TestP23_P29_Repeats: an outcome that is published again is the same event and the same letter, under the sequence of
// the write that made it; intermediate events carry theirs and their number.
func TestP23_P29_Repeats(t *testing.T) {
	b := newBed(t, nil)
	ctx := t.Context()
	r := orders.NewRecord(orders.Arrival{Key: "abcdefghijklmnopqrst", RequestID: "r1", Kind: orders.Provision, Body: []byte(bedBody)}, time.Now())
	r.Revision = 7
	event := func(outcome messages.Outcome) messages.Event { return b.event(outcome, "", string(r.Key)) }
	b.Announce(ctx, r, orders.Submitted, 2)
	select {
	case <-b.js.PublishAsyncComplete():
	case <-time.After(bedTimeout):
		t.Fatal("the event was not published")
	}
	if e := event(messages.Submitted); e.Sequence != 7 || e.EventID != "abcdefghijklmnopqrst.1.submitted.2" {
		t.Errorf("event %s of sequence %d, want submitted.2 of 7", e.EventID, e.Sequence)
	}
	r.Revision, r.Outcome = 9, &orders.Outcome{Outcome: orders.Failed, Reason: orders.ReasonRejected, At: time.Now().Add(-time.Hour), Sequence: 8}
	first, err := b.PublishOutcome(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	e := event(messages.Failed)
	if e.Sequence != 8 || e.EventID != "abcdefghijklmnopqrst.1.failed" || !e.OccurredAt.Equal(r.Outcome.At) {
		t.Errorf("event %s of sequence %d at %s, want failed of 8 at %s", e.EventID, e.Sequence, e.OccurredAt, r.Outcome.At)
	}
	r.Revision = 12 // others have written since
	again, err := b.PublishOutcome(ctx, r)
	if err != nil || first == 0 || again != first {
		t.Errorf("the letter is stored as %d, then as %d: %v", first, again, err)
	}
	if repeated := event(messages.Failed); fmt.Sprint(repeated) != fmt.Sprint(e) {
		t.Errorf("the repeat differs: %v, then %v", e, repeated)
	}
}

// TestP25_DuplicateAfterTheEnd: a repeated request is answered with the event it has, and makes no dead letter.
func TestP25_DuplicateAfterTheEnd(t *testing.T) {
	b := newBed(t, nil)
	d := b.requested(bedBody, "")
	if d.then == nil {
		t.Fatal(d.verb)
	}
	d.then(t.Context())
	key := b.names.Key("", "r1")
	limit := time.Now().Add(bedTimeout)
	for state := ""; state != orders.Completed; {
		if time.Now().After(limit) {
			t.Fatalf("the order is %s", state)
		}
		b.ticked(key, "")
		r, err := b.store.Get(t.Context(), orders.ID(key))
		if err != nil {
			t.Fatal(err)
		}
		state = string(orders.StateOf(r))
	}
	count := func(stream, filter string) uint64 {
		s, err := b.js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(filter))
		if err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for _, n := range info.State.Subjects {
			sum += n
		}
		return sum
	}
	for repeat := range uint64(3) {
		if n := count(b.names.EventsStream(), b.names.Event(messages.Provision, messages.Completed, "", key)); n != 1+repeat {
			t.Errorf("%d answers after %d repeats", n, repeat)
		}
		if d := b.requested(bedBody, ""); d.verb != ack || d.then != nil {
			t.Errorf("a repeat is answered with %s", d.verb)
		}
	}
	if n := count(b.names.DLQStream(), ">"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if n := b.sim.Calls(bwfake.EndpointCreate); n != 1 {
		t.Errorf("%d POSTs", n)
	}
}
