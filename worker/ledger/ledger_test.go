package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/orders"
	"bandwidthworker/orders/storetest"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/ledger"
	"bandwidthworker/worker/workertest"
)

func TestLedger(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		w := workertest.Start(t, workertest.Options{})
		bucket := func(name string) jetstream.KeyValue {
			kv, err := w.JS.KeyValue(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return kv
		}
		return ledger.New(bucket(w.Names.OrdersBucket()), bucket(w.Names.OpenBucket()))
	})
}

// TestUnreachable: a broker that is away is neither "not found" nor "conflict": nothing may be concluded from it.
func TestUnreachable(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(kv, kv)
	w.Conn.Close()
	r := storetest.Example("unreachable000000000", 1)
	_, get := l.Get(t.Context(), r.Key)
	_, create := l.Create(t.Context(), r)
	_, update := l.Update(t.Context(), r)
	for name, err := range map[string]error{"Get": get, "Create": create, "Update": update} {
		if err == nil || errors.Is(err, orders.ErrNotFound) || errors.Is(err, orders.ErrConflict) {
			t.Errorf("%s without a broker: %v", name, err)
		}
	}
}

// TestP6_CloseIsFenced: an entry that is written between the reading and the removal of the old one stays.
func TestP6_CloseIsFenced(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OpenBucket())
	if err != nil {
		t.Fatal(err)
	}
	const key orders.ID = "f0000000000000000000"
	plain := ledger.New(kv, kv)
	if err := plain.Open(t.Context(), key, 1); err != nil {
		t.Fatal(err)
	}
	raced := ledger.New(kv, racedBucket{kv, func() {
		if err := plain.Open(t.Context(), key, 2); err != nil {
			t.Fatal(err)
		}
	}})
	if err := raced.Close(t.Context(), key, 1); err != nil {
		t.Fatal(err)
	}
	found := 0
	if err := plain.Entries(t.Context(), func(e orders.IndexEntry) bool { found = e.Generation; return true }); err != nil {
		t.Fatal(err)
	}
	if found != 2 {
		t.Errorf("the entry of generation 2 went with the end of generation 1: %d", found)
	}
}

// racedBucket is a bucket in which somebody writes right after a reading.
type racedBucket struct {
	jetstream.KeyValue
	after func()
}

func (b racedBucket) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	entry, err := b.KeyValue.Get(ctx, key)
	b.after()
	return entry, err
}

// TestRecordTooLarge: a record that the broker does not take is an error, and what was stored before stays.
func TestRecordTooLarge(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(kv, kv)
	r := storetest.Example("large000000000000000", 1)
	revision, err := l.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Revision, r.Body = revision, []byte(`"`+strings.Repeat("x", 2<<20)+`"`)
	if _, err := l.Update(t.Context(), r); err == nil || errors.Is(err, orders.ErrConflict) {
		t.Errorf("a record above the broker's limit: %v; want an error that is no conflict (P40)", err)
	}
	if got, err := l.Get(t.Context(), r.Key); err != nil || got.Revision != revision {
		t.Errorf("the record from before is lost: %v", err)
	}
}

// TestP33_ReplacedUnderAnIdleOne: a ledger that has written nothing sees by its first write that another bucket has taken
// the place of the one it knew, and without a write by the bucket's age, also where that has come further.
func TestP33_ReplacedUnderAnIdleOne(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	create := func(l *ledger.Ledger, key orders.ID) {
		t.Helper()
		if _, err := l.Create(t.Context(), storetest.Example(key, 1)); err != nil {
			t.Fatal(err)
		}
	}
	busy, writes, idle := ledger.New(kv, kv), ledger.New(kv, kv), ledger.New(kv, kv)
	for i := range 3 {
		create(busy, orders.ID(fmt.Sprintf("a%019d", i)))
	}
	for range 2 {
		for _, l := range []*ledger.Ledger{writes, idle} {
			if err := l.Recognize(t.Context()); err != nil || !l.Replaced().IsZero() {
				t.Fatalf("%v; replaced %s", err, l.Replaced())
			}
		}
	}
	if err := w.JS.DeleteKeyValue(t.Context(), w.Names.OrdersBucket()); err != nil {
		t.Fatal(err)
	}
	if err := idle.Recognize(t.Context()); err == nil {
		t.Error("a bucket that is gone is no error")
	}
	if err := broker.Ensure(t.Context(), w.JS, broker.Layout{Names: w.Names, EventsMaxAge: time.Hour, AckWait: time.Second, Manage: true}); err != nil {
		t.Fatal(err)
	}
	create(writes, "c0000000000000000000")
	if writes.Replaced().IsZero() {
		t.Error("the first write does not show it")
	}
	for i := range 9 {
		create(busy, orders.ID(fmt.Sprintf("d%019d", i)))
	}
	if err := idle.Recognize(t.Context()); err != nil || idle.Replaced().IsZero() {
		t.Errorf("the bucket's age does not show it: %v", err)
	}
	seen := idle.Replaced()
	if err := idle.Recognize(t.Context()); err != nil || !idle.Replaced().Equal(seen) {
		t.Errorf("it is seen again and again: %v", err)
	}
}

// TestP33_Replaced: a ledger sees that another bucket has taken the place of the one it wrote to, by revisions that begin
// anew, and takes nothing else for that.
func TestP33_Replaced(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(kv, kv)
	create := func(key orders.ID) *orders.Record {
		r := storetest.Example(key, 1)
		if r.Revision, err = l.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := create("a0000000000000000000")
	var writers sync.WaitGroup
	for i := range 50 { // answers that overtake each other are no sign
		writers.Go(func() {
			if _, err := l.Create(t.Context(), storetest.Example(orders.ID(fmt.Sprintf("b%019d", i)), 1)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if first.Revision, err = l.Update(t.Context(), first); err != nil || !l.Replaced().IsZero() {
		t.Fatalf("%v; replaced %s", err, l.Replaced())
	}
	if err := w.JS.DeleteKeyValue(t.Context(), w.Names.OrdersBucket()); err != nil {
		t.Fatal(err)
	}
	if err := broker.Ensure(t.Context(), w.JS, broker.Layout{Names: w.Names, EventsMaxAge: time.Hour, AckWait: time.Second, Manage: true}); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	create("c0000000000000000000")
	seen := l.Replaced()
	if seen.Before(before) {
		t.Fatalf("replaced %s", seen)
	}
	create("d0000000000000000000")
	if !l.Replaced().Equal(seen) {
		t.Error("it is seen again and again: orders would be held back for ever")
	}
}
