package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

const replayBody = `{"request_id":"r","numbers":["+19195551234"]}`

// letter returns a dead letter of a provision that can be replayed.
func letter(key string, generation int, reason messages.Reason) messages.DeadLetter {
	return messages.DeadLetter{
		LetterID: messages.LetterID(key, generation), Key: key, Generation: generation, Kind: messages.Provision,
		Subject: "bandwidth.v1.request.provision", Reason: reason, Request: json.RawMessage(replayBody), Replay: json.RawMessage(replayBody),
	}
}

func TestLetters(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, err := range w.bus.Letters(t.Context(), bus.Filter{}) {
		t.Errorf("a letter, or %v, came out of an empty stream", err)
	}
	a, b := w.names.Key("", "a"), w.names.Key("acme", "b")
	of := func(l messages.DeadLetter, kind messages.Kind, tenant string) messages.DeadLetter {
		l.Kind, l.Tenant = kind, tenant
		return l
	}
	garbled := w.names.DeadLetter(messages.Provision, messages.ReasonRejected, "acme", b)
	w.post(letter(a, 1, messages.ReasonRejected))                                   // 1
	w.post(of(letter(b, 1, messages.ReasonRejected), messages.Provision, "acme"))   // 2
	w.publish(garbled, []byte("hello"))                                             // 3
	removed := w.post(letter(a, 2, messages.ReasonRejected))                        // 4
	w.post(of(letter(a, 3, messages.ReasonMalformed), messages.Unknown, ""))        // 5
	w.post(of(letter(b, 2, messages.ReasonIncomplete), messages.Provision, "acme")) // 6
	s, err := w.js.Stream(t.Context(), w.names.DLQStream())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), removed); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter bus.Filter
		want   string
	}{
		{bus.Filter{}, "1 2 3! 5 6"},
		{bus.Filter{Outcome: messages.Failed}, "1 2 3! 5 6"}, // outcomes choose events
		{bus.Filter{Kind: messages.Provision}, "1 2 3! 6"},
		{bus.Filter{Kind: messages.Unknown}, "5"},
		{bus.Filter{Reason: messages.ReasonRejected}, "1 2 3!"},
		{bus.Filter{Tenant: "acme"}, "2 3! 6"},
		{bus.Filter{Tenant: messages.NoTenant}, "1 5"},
		{bus.Filter{Key: a}, "1 5"},
		{bus.Filter{Kind: messages.Provision, Reason: messages.ReasonIncomplete, Tenant: "acme", Key: b}, "6"},
		{bus.Filter{Reason: messages.ReasonPoison}, ""},
	} {
		var got []string
		for l, err := range w.bus.Letters(t.Context(), c.filter) {
			mark := ""
			switch {
			case err != nil && (!strings.Contains(err.Error(), "cannot be decoded") || !strings.Contains(err.Error(), garbled)):
				t.Errorf("%+v: %v", c.filter, err)
			case err != nil:
				mark = "!"
			case l.LetterID == "" || l.Key == "" || !l.Replayable():
				t.Errorf("%+v: the letter %d is empty: %+v", c.filter, l.Sequence, l)
			}
			got = append(got, fmt.Sprint(l.Sequence)+mark)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %v, want %s", c.filter, got, c.want)
		}
	}
	n := 0
	for range w.bus.Letters(t.Context(), bus.Filter{}) {
		if n++; n == 3 {
			break // at the one with the error, too
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var ends []error
	for _, err := range w.bus.Letters(ctx, bus.Filter{}) {
		ends = append(ends, err)
	}
	if len(ends) != 1 || !errors.Is(ends[0], context.Canceled) {
		t.Errorf("with a context that is done: %v, want one %v", ends, context.Canceled)
	}
}

func TestLetter(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, none := w.names.Key("", "a"), w.names.Key("", "b"), w.names.Key("", "c")
	w.publish(w.names.DeadLetter(messages.Provision, messages.ReasonRejected, "", a), []byte("hello"))
	w.post(letter(a, 1, messages.ReasonRejected))
	newest := w.post(letter(a, 2, messages.ReasonIncomplete))
	w.post(letter(b, 1, messages.ReasonRejected))
	w.publish(w.names.DeadLetter(messages.Provision, messages.ReasonRejected, "", b), []byte("{"))
	want := bus.Letter{DeadLetter: letter(a, 2, messages.ReasonIncomplete), Sequence: newest}
	if got, err := w.bus.Letter(t.Context(), a); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if got, err := w.bus.Letter(t.Context(), b); err == nil || errors.Is(err, bus.ErrNoLetter) || got.Sequence != 0 {
		t.Errorf("the newest cannot be decoded: %+v, %v", got, err)
	}
	for _, key := range []string{none, "", "*", ">", "a.b"} {
		if got, err := w.bus.Letter(t.Context(), key); !errors.Is(err, bus.ErrNoLetter) || got.Sequence != 0 {
			t.Errorf("%q: %+v, %v; want %v", key, got, err, bus.ErrNoLetter)
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := start(t)
	key, zero := w.names.Key("", "r"), w.names.LetterlessKey("s", nil, 1)
	inTenant := letter(zero, 0, messages.ReasonCarrierDisabled)
	inTenant.Subject = "bandwidth.v1.request.provision.acme"
	inBody := letter(zero, 0, messages.ReasonCarrierDisabled)
	inBody.Replay = json.RawMessage(`{"request_id":"r","tenant":"acme"}`)
	for i, c := range []struct {
		name         string
		letter       messages.DeadLetter
		acceptDouble bool
		key          string
	}{
		{"a letter", letter(key, 2, messages.ReasonRejected), false, key},
		{"a risk taken", letter(key, 1, messages.ReasonOutcomeUnknown), true, key},
		{"no order yet", letter(zero, 0, messages.ReasonCarrierDisabled), false, key},
		{"no order yet, a tenant in the subject", inTenant, false, w.names.Key("acme", "r")},
		{"no order yet, a tenant in the body", inBody, false, w.names.Key("acme", "r")},
	} {
		got, err := w.bus.Replay(t.Context(), bus.Letter{DeadLetter: c.letter}, c.acceptDouble)
		want := bus.Receipt{Key: c.key, Sequence: uint64(i + 1), Subject: c.letter.Subject, RequestID: "r"}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, want)
			continue
		}
		s, err := w.js.Stream(t.Context(), w.names.RequestsStream())
		if err != nil {
			t.Fatal(err)
		}
		msg, err := s.GetMsg(t.Context(), got.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		header := map[string][]string{"Bandwidth-Replay-Of": {c.letter.LetterID}}
		if c.acceptDouble {
			header["Bandwidth-Accept-Double"] = []string{"true"}
		}
		if msg.Subject != c.letter.Subject || string(msg.Data) != string(c.letter.Replay) || !cmp.Equal(map[string][]string(msg.Header), header) {
			t.Errorf("%s: %s %s %v, want %s %s %v", c.name, msg.Subject, msg.Data, msg.Header, c.letter.Subject, c.letter.Replay, header)
		}
	}
}

// TestReplayRefused: what has to be edited first is not sent, and neither is what no worker would take.
func TestReplayRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.names.Key("", "r")
	with := func(change func(*messages.DeadLetter)) messages.DeadLetter {
		l := letter(key, 1, messages.ReasonInvalid)
		change(&l)
		return l
	}
	for _, c := range []struct {
		name   string
		letter messages.DeadLetter
		is     error // nil for any
	}{
		{"null", with(func(l *messages.DeadLetter) { l.Replay = json.RawMessage("null") }), bus.ErrNotReplayable},
		{"none", with(func(l *messages.DeadLetter) { l.Replay = nil }), bus.ErrNotReplayable},
		{"not an object", with(func(l *messages.DeadLetter) { l.Replay = json.RawMessage(`"r"`) }), nil},
		{"another subject", with(func(l *messages.DeadLetter) { l.Subject = "bandwidth.v1.due." + key }), nil},
		{"no subject", with(func(l *messages.DeadLetter) { l.Subject = "" }), nil},
	} {
		receipt, err := w.bus.Replay(t.Context(), bus.Letter{DeadLetter: c.letter}, false)
		waited, e, errWaited := w.bus.RequestReplay(t.Context(), bus.Letter{DeadLetter: c.letter}, false, nil)
		for _, err := range []error{err, errWaited} {
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.letter.LetterID) {
				t.Errorf("%s: %v, want %v with the letter's id", c.name, err, c.is)
			}
		}
		if receipt != (bus.Receipt{}) || waited != (bus.Receipt{}) || e != nil {
			t.Errorf("%s: %+v, %+v, %+v", c.name, receipt, waited, e)
		}
	}
	if n := w.state(w.names.RequestsStream()).LastSeq + w.state(w.names.TimersStream()).LastSeq; n != 0 {
		t.Errorf("%d were sent", n)
	}
}

// TestRequestReplay: the end of the new generation, whatever is said about the old one meanwhile.
func TestRequestReplay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		of     int // the letter's generation
		answer func(w *world, key string, msg jetstream.Msg, sequence uint64)
		want   string // after the key
		seen   int
	}{
		{"the next generation", 1, func(w *world, key string, _ jetstream.Msg, _ uint64) {
			w.emit(event(key, 1, messages.Failed)) // repeated for another requester
			w.emit(event(key, 2, messages.Accepted))
			w.emit(event(key, 1, messages.Failed))
			w.emit(event(key, 2, messages.Completed))
		}, ".2.completed", 2},
		{"a later one, for a replay that came twice", 1, func(w *world, key string, _ jetstream.Msg, _ uint64) {
			w.emit(event(key, 1, messages.Failed))
			w.emit(event(key, 3, messages.Partial))
		}, ".3.partial", 1},
		{"a new order", 0, func(w *world, key string, _ jetstream.Msg, _ uint64) {
			w.emit(event(key, 1, messages.Completed))
		}, ".1.completed", 1},
		{"refused", 2, func(w *world, key string, msg jetstream.Msg, sequence uint64) {
			w.emit(event(key, 2, messages.Failed))
			w.emit(w.refusal(msg, sequence+7, "r", messages.ReasonConflict)) // another's
			w.emit(w.refusal(msg, sequence, "r", messages.ReasonInvalid))
		}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			key := w.names.Key("", "r")
			l := letter(key, c.of, messages.ReasonRejected)
			if c.of == 0 {
				l.Key = w.names.LetterlessKey(l.Subject, []byte(replayBody), 99)
			}
			w.answer(func(msg jetstream.Msg, sequence uint64) { c.answer(w, key, msg, sequence) })
			got := take(t, "the outcome", background(func(onEvent func(messages.Event)) (bus.Receipt, *messages.Event, error) {
				return w.bus.RequestReplay(t.Context(), bus.Letter{DeadLetter: l}, false, onEvent)
			}))
			want := key + c.want
			if c.want == "" {
				want = w.names.LetterlessKey(l.Subject, []byte(replayBody), got.receipt.Sequence) + ".0.failed"
			}
			if got.err != nil || got.event.EventID != want || len(got.seen) != c.seen || got.receipt.Key != key {
				t.Errorf("%+v, want %s after %d events", got, want, c.seen)
			}
		})
	}
}
