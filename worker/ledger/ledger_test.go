package ledger_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/orders"
	"bandwidthworker/orders/storetest"
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
