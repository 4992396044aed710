// Package storetest is the conformance suite of [orders.Store] and [orders.Index]: every implementation passes it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/orders"
)

// Backend is an implementation of both interfaces.
type Backend interface {
	orders.Store
	orders.Index
}

// Run runs the suite. open returns an empty backend, whose end is t's own business.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context, Backend)
	}{
		{"a missing record is ErrNotFound", missing},
		{"a record comes back as it was stored", roundTrip},
		{"creating twice is a conflict", createTwice},
		{"updating an old revision is a conflict", updateOld},
		{"of concurrent creators one wins", raceCreate},
		{"of concurrent updates one wins", raceUpdate},
		{"the index names the open orders", index},
		{"an entry of a later generation stays", indexGeneration},
		{"an entry is never put back to an earlier generation", indexRaised},
		{"5000 failed numbers fit (P40)", large},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c.test(t, ctx, open(t))
		})
	}
}

// Example returns a record with every field in use, of count numbers.
func Example(key orders.ID, count int) *orders.Record {
	numbers := make([]string, count)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1919555%04d", i)
	}
	at := time.Date(2026, 11, 24, 8, 0, 0, 123456789, time.UTC)
	r := orders.NewRecord(orders.Arrival{
		Key: key, RequestID: "crm-1", Tenant: "acme", Kind: orders.Provision, Subject: "bandwidth.v1.request.provision",
		Hash: "h1", Body: []byte(`{"request_id":"crm-1"}`), Metadata: map[string]string{"ticket": "77"},
		Headers: map[string]string{"traceparent": "00-1-2-01"},
		Ask:     orders.Ask{Numbers: numbers, SiteID: "1234", PeerID: "234222", PartialAllowed: true},
	}, at)
	r.Purchases = []orders.Purchase{{
		N: 1, Generation: 1, CustomerOrderID: "East-" + string(key), Name: "East " + string(key), Numbers: numbers,
		SiteID: "1234", PeerID: "234222", PartialAllowed: true,
		Posts:  []orders.Post{{Token: "t1", At: at, State: orders.PostCreated, OrderID: "o1"}},
		Orders: []orders.VendorOrder{{OrderID: "o1", Status: "FAILED", Final: true, Failed: map[string][]string{"5005": numbers}, Errors: []orders.VendorError{{Code: "5005", Description: "unavailable"}}}},
	}}
	r.Outcome = &orders.Outcome{Outcome: orders.Failed, Reason: orders.ReasonBandwidthFailed, At: at}
	return r
}

func missing(t *testing.T, ctx context.Context, b Backend) {
	if _, err := b.Get(ctx, "nosuchorder000000000"); !errors.Is(err, orders.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	r := Example("nosuchorder000000000", 1)
	r.Revision = 7
	if _, err := b.Update(ctx, r); !errors.Is(err, orders.ErrConflict) {
		t.Errorf("Update of a missing record = %v, want ErrConflict", err)
	}
}

func roundTrip(t *testing.T, ctx context.Context, b Backend) {
	want := Example("roundtrip00000000000", 3)
	revision := mustCreate(t, ctx, b, want)
	got, err := b.Get(ctx, want.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got.Revision != revision || got.WrittenAt.IsZero() {
		t.Errorf("revision %d, written at %v; want revision %d and a time", got.Revision, got.WrittenAt, revision)
	}
	got.Revision, got.WrittenAt, got.Version = 0, time.Time{}, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record differs (-want +got):\n%s", diff)
	}
}

func mustCreate(t *testing.T, ctx context.Context, b Backend, r *orders.Record) uint64 {
	t.Helper()
	revision, err := b.Create(ctx, r)
	if err != nil || revision == 0 {
		t.Fatalf("Create = %d, %v", revision, err)
	}
	return revision
}

func createTwice(t *testing.T, ctx context.Context, b Backend) {
	r := Example("twice000000000000000", 1)
	mustCreate(t, ctx, b, r)
	if _, err := b.Create(ctx, r); !errors.Is(err, orders.ErrConflict) {
		t.Errorf("second Create = %v, want ErrConflict", err)
	}
}

func updateOld(t *testing.T, ctx context.Context, b Backend) {
	r := Example("old00000000000000000", 1)
	first := mustCreate(t, ctx, b, r)
	r.Revision = first
	second, err := b.Update(ctx, r)
	if err != nil || second <= first {
		t.Fatalf("Update = %d, %v; want a revision above %d", second, err, first)
	}
	if _, err := b.Update(ctx, r); !errors.Is(err, orders.ErrConflict) {
		t.Errorf("Update of revision %d = %v, want ErrConflict", first, err)
	}
	got, err := b.Get(ctx, r.Key)
	if err != nil || got.Revision != second {
		t.Errorf("Get = revision %d, %v; want %d", got.Revision, err, second)
	}
}

// race runs f in eight goroutines and returns how many succeeded; the others must have met a conflict.
func race(t *testing.T, f func(i int) error) int {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, orders.ErrConflict):
			t.Errorf("a loser got %v, want ErrConflict", err)
		}
	}
	return won
}

func raceCreate(t *testing.T, ctx context.Context, b Backend) {
	if won := race(t, func(int) error { _, err := b.Create(ctx, Example("racecreate0000000000", 1)); return err }); won != 1 {
		t.Errorf("%d creators won, want 1", won)
	}
}

func raceUpdate(t *testing.T, ctx context.Context, b Backend) {
	r := Example("raceupdate0000000000", 1)
	revision := mustCreate(t, ctx, b, r)
	if won := race(t, func(int) error { c := r.Clone(); c.Revision = revision; _, err := b.Update(ctx, c); return err }); won != 1 {
		t.Errorf("%d updates won, want 1", won)
	}
}

func entries(t *testing.T, ctx context.Context, b Backend) map[orders.ID]int {
	t.Helper()
	got := map[orders.ID]int{}
	err := b.Entries(ctx, func(e orders.IndexEntry) bool {
		if e.At.IsZero() {
			t.Errorf("entry %s has no time", e.Key)
		}
		got[e.Key] = e.Generation
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func index(t *testing.T, ctx context.Context, b Backend) {
	for _, key := range []orders.ID{"a0000000000000000000", "b0000000000000000000"} {
		if err := b.Open(ctx, key, 1); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[orders.ID]int{"a0000000000000000000": 1, "b0000000000000000000": 1}, entries(t, ctx, b)); diff != "" {
		t.Errorf("entries differ (-want +got):\n%s", diff)
	}
	for range 2 { // the second time it is gone already
		if err := b.Close(ctx, "a0000000000000000000", 1); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[orders.ID]int{"b0000000000000000000": 1}, entries(t, ctx, b)); diff != "" {
		t.Errorf("entries differ (-want +got):\n%s", diff)
	}
	if err := b.Open(ctx, "a0000000000000000000", 2); err != nil {
		t.Fatalf("opening an order again: %v", err)
	}
}

func indexGeneration(t *testing.T, ctx context.Context, b Backend) {
	if err := b.Open(ctx, "g0000000000000000000", 2); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(ctx, "g0000000000000000000", 1); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, ctx, b); got["g0000000000000000000"] != 2 {
		t.Errorf("closing generation 1 took generation 2 out: %v", got)
	}
}

func indexRaised(t *testing.T, ctx context.Context, b Backend) {
	const key orders.ID = "r0000000000000000000"
	for _, step := range []struct{ generation, want int }{{2, 2}, {1, 2}, {2, 2}, {3, 3}, {1, 3}} {
		if err := b.Open(ctx, key, step.generation); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, ctx, b)[key]; got != step.want {
			t.Errorf("opened for generation %d the entry names %d, want %d", step.generation, got, step.want)
		}
	}
	// A worker that stood still opened generation 1 after generation 2 had ended: the end of 2 takes it out.
	if err := b.Close(ctx, key, 3); err != nil {
		t.Fatal(err)
	}
	if err := b.Open(ctx, key, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(ctx, key, 3); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, ctx, b); len(got) != 0 {
		t.Errorf("%v is left", got)
	}
}

func large(t *testing.T, ctx context.Context, b Backend) {
	r := Example("large000000000000000", 5000)
	data, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 512*1024 {
		t.Errorf("the record takes %d bytes, want at most 512 KiB", len(data))
	}
	mustCreate(t, ctx, b, r)
	got, err := b.Get(ctx, r.Key)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Unplaced()); n != 5000 {
		t.Errorf("%d unplaced numbers came back, want 5000", n)
	}
	if n := strings.Count(string(data), r.Ask.Numbers[0]); n > 2 { // asked for, and failed
		t.Errorf("a number stands %d times in the record", n)
	}
}
