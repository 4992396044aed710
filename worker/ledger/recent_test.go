package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"bandwidthworker/orders"
	"bandwidthworker/orders/storetest"
	"bandwidthworker/worker/ledger"
	"bandwidthworker/worker/workertest"
)

// TestRecent: the records come the last written first, each once, over more revisions than one step takes in; who
// stops early gets no more; and what cannot be decoded is told.
func TestRecent(t *testing.T) {
	w := workertest.Start(t, workertest.Options{NoEvents: true})
	kv, err := w.JS.KeyValue(t.Context(), w.Names.OrdersBucket())
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(kv, kv)
	recent := func(limit int) (keys []string, broken int) {
		t.Helper()
		err := l.Recent(t.Context(), func(r *orders.Record, err error) bool {
			if err != nil {
				broken++
				return true
			}
			if r.Revision == 0 || r.WrittenAt.IsZero() {
				t.Errorf("record %s has revision %d, written at %s", r.Key, r.Revision, r.WrittenAt)
			}
			keys = append(keys, string(r.Key))
			return len(keys) < limit
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys, broken
	}
	if keys, _ := recent(1); len(keys) != 0 {
		t.Errorf("an empty ledger gives %v", keys)
	}
	var want []string
	for i := range 1500 {
		r := storetest.Example(orders.ID(fmt.Sprintf("k%019d", i)), 1)
		if r.Revision, err = l.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		want = append(want, string(r.Key))
		if i%3 == 0 { // written again later, which leaves a gap
			if _, err := l.Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	again, err := l.Get(t.Context(), orders.ID(want[7]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Update(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	want = append(slices.Delete(want, 7, 8), string(again.Key))
	slices.Reverse(want)
	if keys, _ := recent(1 << 20); !slices.Equal(keys, want) {
		t.Errorf("%d records came, want %d; the first are %v, want %v", len(keys), len(want), keys[:min(3, len(keys))], want[:3])
	}
	if keys, _ := recent(2); !slices.Equal(keys, want[:2]) {
		t.Errorf("the two last written are %v, want %v", keys, want[:2])
	}
	if _, err := kv.Put(t.Context(), "spoilt", []byte("not JSON")); err != nil {
		t.Fatal(err)
	}
	if keys, broken := recent(3); broken != 1 || !slices.Equal(keys, want[:3]) {
		t.Errorf("with a spoilt record: %v, %d cannot be read", keys, broken)
	}
}
