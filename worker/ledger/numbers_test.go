package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/orders"
	"bandwidthworker/orders/storetest"
	"bandwidthworker/worker/ledger"
	"bandwidthworker/worker/workertest"
)

func openNumbers(t *testing.T, o workertest.Options) (*ledger.Numbers, jetstream.KeyValue) {
	t.Helper()
	w := workertest.Start(t, o)
	kv, err := w.JS.KeyValue(t.Context(), w.Names.NumbersBucket())
	if err != nil {
		t.Fatal(err)
	}
	return ledger.NewNumbers(kv), kv
}

func TestNumbers(t *testing.T) {
	storetest.RunRegistry(t, func(t *testing.T) orders.Registry {
		numbers, _ := openNumbers(t, workertest.Options{})
		return numbers
	})
}

// TestNumbersSynced: 5000 numbers are registered in reasonable time also where each write is synced to disk.
func TestNumbersSynced(t *testing.T) {
	numbers, _ := openNumbers(t, workertest.Options{Sync: -1})
	all := make([]orders.Holding, 5000)
	for i := range all {
		all[i] = storetest.HoldingAt(fmt.Sprintf("+1919%07d", 2000000+i), "a", 1)
	}
	start := time.Now()
	if err := numbers.Register(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("5000 numbers took %s", took)
	}
	for i := 0; i < len(all); i += 499 {
		if got, err := numbers.Number(t.Context(), all[i].Number); err != nil || got != all[i] {
			t.Errorf("Number = %+v, %v", got, err)
		}
	}
}

// TestNumbersByHand: an entry that was deleted or spoilt by hand does not stop an order's end.
func TestNumbersByHand(t *testing.T) {
	numbers, kv := openNumbers(t, workertest.Options{})
	h := storetest.HoldingAt("+19195551234", "a", 1)
	if err := numbers.Register(t.Context(), []orders.Holding{h}); err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), "19195551234"); err != nil {
		t.Fatal(err)
	}
	if _, err := numbers.Number(t.Context(), h.Number); !errors.Is(err, orders.ErrNoNumber) {
		t.Errorf("a deleted number: %v, want ErrNoNumber", err)
	}
	if err := numbers.Register(t.Context(), []orders.Holding{h}); err != nil {
		t.Errorf("after it was deleted: %v", err)
	}
	if _, err := kv.Put(t.Context(), "19195551234", []byte("not JSON")); err != nil {
		t.Fatal(err)
	}
	if _, err := numbers.Number(t.Context(), h.Number); err == nil || errors.Is(err, orders.ErrNoNumber) {
		t.Errorf("a spoilt number: %v, want an error that says so", err)
	}
	if err := numbers.Register(t.Context(), []orders.Holding{h}); err != nil {
		t.Errorf("after it was spoilt: %v", err)
	}
	if got, err := numbers.Number(t.Context(), h.Number); err != nil || got != h {
		t.Errorf("Number = %+v, %v", got, err)
	}
}

// TestNumbersUnreachable: without a broker a registration is an error, in bounded time, and nothing is concluded.
func TestNumbersUnreachable(t *testing.T) {
	w := workertest.Start(t, workertest.Options{NoEvents: true})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.NumbersBucket())
	if err != nil {
		t.Fatal(err)
	}
	numbers := ledger.NewNumbers(kv)
	w.NATS.Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var all []orders.Holding
	for i := range 200 {
		all = append(all, storetest.HoldingAt("+1919555"+string(rune('0'+i%10))+"000", "a", i%60))
	}
	if err := numbers.Register(ctx, all); err == nil || errors.Is(err, orders.ErrConflict) || errors.Is(err, orders.ErrNoNumber) {
		t.Errorf("Register without a broker: %v", err)
	}
	if _, err := numbers.Number(ctx, "+19195551234"); err == nil || errors.Is(err, orders.ErrNoNumber) {
		t.Errorf("Number without a broker: %v", err)
	}
}
