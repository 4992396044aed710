package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

func TestNew(t *testing.T) {
	t.Parallel()
	w := startEmpty(t)
	if got := w.names.Prefix(); got != "bandwidth" {
		t.Errorf("the prefix is %q where none is given, want bandwidth", got)
	}
	c, err := bus.New(w.nc, "east-1")
	if err != nil || c.Names().RequestsStream() != "EAST-1_REQUESTS" {
		t.Errorf("another prefix: %v", err)
	}
	if _, err := bus.New(w.nc, "a.b"); err == nil {
		t.Error("a bad prefix was taken")
	}
}

func TestP30a_Receipt(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i, c := range []struct {
		kind    messages.Kind
		request messages.Request
		subject string
		body    string
	}{
		{messages.Provision, messages.Request{RequestID: "r1", Numbers: []string{number}}, "bandwidth.v1.request.provision", `{"request_id":"r1","numbers":["+19195551234"]}`},
		{messages.Provision, messages.Request{RequestID: "r1", Tenant: "acme", Numbers: []string{number}}, "bandwidth.v1.request.provision.acme",
			`{"request_id":"r1","tenant":"acme","numbers":["+19195551234"]}`},
		{messages.Cancel, messages.Request{RequestID: "r2", OrderRequestID: "r1"}, "bandwidth.v1.request.cancel", `{"request_id":"r2","order_request_id":"r1"}`},
	} {
		got, err := w.bus.Publish(t.Context(), c.kind, &c.request)
		if err != nil {
			t.Fatal(err)
		}
		want := bus.Receipt{Key: w.names.Key(c.request.Tenant, c.request.RequestID), Sequence: uint64(i + 1), Subject: c.subject, RequestID: c.request.RequestID}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("receipt (-want +got):\n%s", diff)
		}
		// The receipt came after the server had stored it.
		s, err := w.js.Stream(t.Context(), w.names.RequestsStream())
		if err != nil {
			t.Fatal(err)
		}
		msg, err := s.GetMsg(t.Context(), got.Sequence)
		if err != nil || msg.Subject != c.subject || string(msg.Data) != c.body || len(msg.Header) != 0 {
			t.Errorf("stored: %+v, %v; want %s", msg, err, c.body)
		}
	}
}

// TestRefusedBeforeSending: a bad request never reaches the queue.
func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, c := range []struct {
		name    string
		kind    messages.Kind
		request messages.Request
		reason  messages.Reason
		field   string
	}{
		{"no request id", messages.Provision, messages.Request{Numbers: []string{number}}, messages.ReasonInvalid, "request_id"},
		{"a bad number", messages.Provision, messages.Request{RequestID: "r", Numbers: []string{"919"}}, messages.ReasonInvalid, "numbers"},
		{"a tenant of two tokens", messages.Provision, messages.Request{RequestID: "r", Tenant: "a.b", Numbers: []string{number}}, messages.ReasonInvalid, "tenant"},
		{"a wildcard as tenant", messages.Provision, messages.Request{RequestID: "r", Tenant: ">", Numbers: []string{number}}, messages.ReasonInvalid, "tenant"},
		{"a field of another kind", messages.Cancel, messages.Request{RequestID: "r", OrderRequestID: "o", Numbers: []string{number}}, messages.ReasonMalformed, "numbers"},
		{"an unknown kind", "rent", messages.Request{RequestID: "r"}, messages.ReasonMalformed, ""},
		{"too large", messages.PortIn, messages.Request{RequestID: "r", Numbers: []string{number}, OrderRequestID: strings.Repeat("x", messages.MaxBody)}, messages.ReasonMalformed, ""},
		{"a long name", messages.PortIn, messages.Request{RequestID: "r", Numbers: []string{number},
			PortInFields: messages.PortInFields{LOAAuthorizingPerson: strings.Repeat("x", 16)}}, messages.ReasonInvalid, "loa_authorizing_person"},
	} {
		for name, send := range map[string]func() (bus.Receipt, error){
			"publish": func() (bus.Receipt, error) { return w.bus.Publish(t.Context(), c.kind, &c.request) },
			"request": func() (bus.Receipt, error) {
				r, _, err := w.bus.Request(t.Context(), c.kind, &c.request, nil)
				return r, err
			},
		} {
			receipt, err := send()
			var refused *messages.RequestError
			if !errors.As(err, &refused) || refused.Reason != c.reason || refused.Field != c.field || receipt != (bus.Receipt{}) {
				t.Errorf("%s %s: %+v, %v; want it refused as %s for %q", name, c.name, receipt, err, c.reason, c.field)
			}
		}
	}
	if state := w.state(w.names.RequestsStream()); state.LastSeq != 0 {
		t.Errorf("%d refused requests were sent", state.LastSeq)
	}
}

// TestP30a_FullQueue: a queue that takes no more says so, and holds what it held.
func TestP30a_FullQueue(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(*jetstream.StreamConfig){
		"messages":             func(c *jetstream.StreamConfig) { c.MaxMsgs = 2 },
		"bytes":                func(c *jetstream.StreamConfig) { c.MaxBytes = 300 },
		"messages per subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject, c.DiscardNewPerSubject = 2, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			s, err := w.js.Stream(t.Context(), w.names.RequestsStream())
			if err != nil {
				t.Fatal(err)
			}
			config := s.CachedInfo().Config
			fill(&config)
			if _, err := w.js.UpdateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			stored := uint64(0)
			for id := byte('a'); ; id++ {
				r := &messages.Request{RequestID: string(id), Numbers: []string{number}}
				receipt, err := w.bus.Publish(t.Context(), messages.Provision, r)
				if err == nil && stored < 10 {
					stored++
					continue
				}
				if !errors.Is(err, bus.ErrQueueFull) || receipt != (bus.Receipt{}) || !strings.Contains(err.Error(), "maximum") {
					t.Errorf("request %d: %+v, %v; want %v with the server's reason", stored+1, receipt, err, bus.ErrQueueFull)
				}
				if _, _, err := w.bus.Request(t.Context(), messages.Provision, r, nil); !errors.Is(err, bus.ErrQueueFull) {
					t.Errorf("Request: %v, want %v", err, bus.ErrQueueFull)
				}
				break
			}
			if got := w.state(w.names.RequestsStream()).Msgs; stored == 0 || got != stored {
				t.Errorf("the queue holds %d, of %d that were acknowledged", got, stored)
			}
		})
	}
}

// TestNoStreams: without the workers' streams each call says so.
func TestNoStreams(t *testing.T) {
	t.Parallel()
	w := startEmpty(t)
	request := &messages.Request{RequestID: "r", Numbers: []string{number}}
	key := w.names.Key("", "r")
	letter := bus.Letter{DeadLetter: messages.DeadLetter{LetterID: key + ".1", Key: key, Generation: 1, Subject: "bandwidth.v1.request.provision", Replay: []byte(`{"request_id":"r"}`)}}
	for name, call := range map[string]func() error{
		"Publish": func() error { _, err := w.bus.Publish(t.Context(), messages.Provision, request); return err },
		"Request": func() error { _, _, err := w.bus.Request(t.Context(), messages.Provision, request, nil); return err },
		"Replay":  func() error { _, err := w.bus.Replay(t.Context(), letter, false); return err },
		"Wait":    func() error { _, err := w.bus.Wait(t.Context(), key, nil); return err },
		"Watch":   func() error { return w.bus.Watch(t.Context(), bus.Filter{}, func(messages.Event) {}) },
		"Letter":  func() error { _, err := w.bus.Letter(t.Context(), key); return err },
		"Letters": func() error {
			for _, err := range w.bus.Letters(t.Context(), bus.Filter{}) {
				return err
			}
			return nil
		},
	} {
		if err := call(); !errors.Is(err, bus.ErrNoStream) {
			t.Errorf("%s: %v, want %v", name, err, bus.ErrNoStream)
		}
	}
}

// TestPublishGivesUp: a publish that cannot end returns with its context, or with the connection.
func TestPublishGivesUp(t *testing.T) {
	t.Parallel()
	w := start(t)
	request := &messages.Request{RequestID: "r", Numbers: []string{number}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if receipt, err := w.bus.Publish(ctx, messages.Provision, request); !errors.Is(err, context.Canceled) || receipt != (bus.Receipt{}) {
		t.Errorf("with a context that is done: %+v, %v", receipt, err)
	}
	w.stop()
	await(t, "the connection to be lost", func() bool { return !w.nc.IsConnected() })
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if receipt, err := w.bus.Publish(ctx, messages.Provision, request); !errors.Is(err, context.DeadlineExceeded) || receipt != (bus.Receipt{}) {
		t.Errorf("without a server: %+v, %v", receipt, err)
	}
	w.nc.Close()
	if receipt, err := w.bus.Publish(t.Context(), messages.Provision, request); !errors.Is(err, nats.ErrConnectionClosed) || receipt != (bus.Receipt{}) {
		t.Errorf("on a closed connection: %+v, %v", receipt, err)
	}
}
