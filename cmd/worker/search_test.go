package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker/workertest"
)

// TestDevShowsSearches: the samples of `worker dev` search by area code, rate center, prefix and toll-free, and each
// is checked.
func TestDevShowsSearches(t *testing.T) {
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if code := run(ctx, []string{"dev", "--once", "--nats-listen", "127.0.0.1:0", "--http-listen", ""}, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	for title, wants := range map[string][]string{
		"A search by area code":        {"completed   search sample-5", "    +1919"},
		"A search by rate center":      {"completed   search sample-6", " DURHAM NC"},
		"A search by prefix":           {"completed   search sample-7", "    +191955"},
		"A search for toll-free numbe": {"completed   search sample-8", "    +1855"},
	} {
		_, rest, ok := strings.Cut(out.String(), "— "+title)
		sample, _, whole := strings.Cut(rest, "as expected")
		if !ok || !whole || strings.Contains(sample, "— ") {
			t.Errorf("%s: not shown to its end:\n%s", title, rest)
		}
		for _, want := range wants {
			if !strings.Contains(sample, want) {
				t.Errorf("%s: does not show %q:\n%s", title, want, sample)
			}
		}
	}
}

// TestMaxSearchQuantityReachesTheWorker: kazoo-parity, `max_search_quantity`, 500 where it is not set.
func TestMaxSearchQuantityReachesTheWorker(t *testing.T) {
	for _, c := range []struct {
		args  []string
		limit int
		text  string
	}{
		{nil, 500, "at most 500 (max_search_quantity)"},
		{[]string{"--max-search-quantity", "7"}, 7, "at most 7 (max_search_quantity)"},
	} {
		w := workertest.Start(t, workertest.Options{})
		serveWith(t, w, c.args...)
		for quantity, fits := range map[int]bool{c.limit: true, c.limit + 1: false} {
			_, e, err := w.Bus.Search(t.Context(), &messages.Request{RequestID: "a", Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &quantity})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case fits && (e.Outcome != messages.Completed || len(e.Numbers) != quantity):
				t.Errorf("quantity %d: %s %s with %d numbers", quantity, e.Outcome, e.Reason, len(e.Numbers))
			case !fits && (e.Reason != messages.ReasonInvalid || !strings.Contains(e.Errors[0].Description, c.text)):
				t.Errorf("quantity %d: %s %s %v; want invalid with %q", quantity, e.Outcome, e.Reason, e.Errors, c.text)
			}
		}
		above := c.limit + 1
		_, err := w.Bus.AskSearch(t.Context(), &messages.Request{RequestID: "a", Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &above})
		var refused *bus.ServiceError
		if !errors.As(err, &refused) || refused.Code != 400 || !strings.Contains(refused.Text, c.text) {
			t.Errorf("asked for %d: %v; want 400 with %q", above, err, c.text)
		}
	}
}

// serveWith runs a worker in a world as the command line sets it up; the test ends it.
func serveWith(t *testing.T, w *workertest.World, args ...string) {
	t.Helper()
	settings, _, err := parse(append([]string{"--account-id", "20902288", "--site-id", "1234", "--sip-peer", "234222", "--order-name-prefix", "test",
		"--api-username", workertest.Username, "--api-password", workertest.Password, "--base-url", w.Sim.URL, "--http-listen", ""}, args...), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := settings.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := newServing(t.Context(), &settings.Config, w.Conn, w.Log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.worker.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
		s.close()
	})
}

// TestPortInModuleNameReachesTheWorker: kazoo-parity, `port_in_module_name`, knm_local where it is not set, and from Kazoo's
// number_manager document.
func TestPortInModuleNameReachesTheWorker(t *testing.T) {
	document := filepath.Join(t.TempDir(), "number_manager.json")
	if err := os.WriteFile(document, []byte(`{"_id": "number_manager", "default": {"carrier_modules": ["knm_bandwidth2"], "port_in_module_name": "knm_from_document"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for module, args := range map[string][]string{
		"knm_local": nil, "knm_other": {"--port-in-module-name", "knm_other"}, "knm_from_document": {"--config", document},
	} {
		t.Run(module, func(t *testing.T) {
			w := workertest.Start(t, workertest.Options{})
			serveWith(t, w, append(args, "--poll-min-interval", "50ms")...)
			const number = "+19195551234"
			_, e, err := w.Bus.Request(t.Context(), messages.PortIn, &messages.Request{
				RequestID: "p1", Numbers: []string{number}, PortInFields: messages.PortInFields{LOAAuthorizingPerson: "Zoë Müller"},
			}, nil)
			if err != nil || e.Outcome != messages.Completed || e.CarrierModule != module {
				t.Fatalf("%+v, %v", e, err)
			}
			if entry, err := w.Bus.Number(t.Context(), number); err != nil || entry.State != "port_in" || entry.CarrierModule != module {
				t.Errorf("the registry holds %+v, %v", entry, err)
			}
		})
	}
}
