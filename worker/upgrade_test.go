package worker

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/orders"
)

// small are the small bodies that workers write for each other, as this version writes them.
var small = map[string]string{
	"timer":   `{"revision":7}`,
	"open":    `{"generation":2}`,
	"pause":   `{"kind":"operator","until":"0001-01-01T00:00:00Z","why":"new SIP peer","by":"ops","since":"2026-11-24T08:00:00Z"}`,
	"doubt":   `{"since":"2026-11-24T08:00:00Z"}`,
	"holding": `{"number":"+19195551234","state":"in_service","carrier_module":"knm_bandwidth2","site_id":"1234","sip_peer":"234222","key":"abcdefghijklmnopqrst","bandwidth_order_id":"o-1","since":"2026-11-24T08:00:00Z"}`,
}

// later is a body to which a later version has added a field.
func later(body string) []byte {
	return []byte(strings.TrimSuffix(body, "}") + `,"zz_later":{"a":[1]}}`)
}

// TestGoldenSmall: the small bodies are written as they always were, and read with and without what a later version adds.
func TestGoldenSmall(t *testing.T) {
	b := newBed(t, nil)
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	bucket := func(name string) jetstream.KeyValue {
		kv, err := b.js.KeyValue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}
	put := func(name, key string, data []byte) {
		if _, err := bucket(name).Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	stored := func(name, key string) string {
		entry, err := bucket(name).Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(entry.Value())
	}
	seen := func(what string, f func() bool) {
		t.Helper()
		for limit := time.Now().Add(bedTimeout); !f(); pause(t.Context(), 5*time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s is not seen", what)
			}
		}
	}
	const key = "abcdefghijklmnopqrst"

	if err := b.SetTimer(t.Context(), key, time.Now().Add(time.Hour), 7); err != nil {
		t.Fatal(err)
	}
	if got := b.timer(key); got != small["timer"] {
		t.Errorf("a timer is written as %s", got)
	}
	if got := revisionOf(later(small["timer"])); got != 7 {
		t.Errorf("a later timer carries revision %d", got)
	}

	if err := b.store.Open(t.Context(), key, 2); err != nil {
		t.Fatal(err)
	}
	if got := stored(b.names.OpenBucket(), key); got != small["open"] {
		t.Errorf("an open order is written as %s", got)
	}
	put(b.names.OpenBucket(), key, later(small["open"]))
	generation := 0
	if err := b.store.Entries(t.Context(), func(e orders.IndexEntry) bool { generation = e.Generation; return true }); err != nil || generation != 2 {
		t.Errorf("a later entry names generation %d: %v", generation, err)
	}

	var want Pause
	if err := json.Unmarshal([]byte(small["pause"]), &want); err != nil {
		t.Fatal(err)
	}
	if data, err := json.Marshal(want); err != nil || string(data) != small["pause"] {
		t.Errorf("a pause is written as %s: %v", data, err)
	}
	put(b.names.ControlBucket(), pausePrefix+string(GroupOrder), later(small["pause"]))
	seen("a later pause", func() bool { return b.control.Pauses()[GroupOrder].Why == want.Why })

	if err := b.control.Settle(t.Context(), "audit-1", at); err != nil {
		t.Fatal(err)
	}
	if got := stored(b.names.ControlBucket(), doubtKey); got != small["doubt"] {
		t.Errorf("a doubt is written as %s", got)
	}
	seen("a doubt", func() bool { return b.control.Doubted().Equal(at) })
	put(b.names.ControlBucket(), doubtKey, later(strings.Replace(small["doubt"], "08:00", "09:00", 1)))
	seen("a later doubt", func() bool { return b.control.Doubted().Equal(at.Add(time.Hour)) })
	put(b.names.ControlBucket(), doubtKey, []byte("nonsense"))
	seen("a doubt that cannot be read", func() bool { return b.control.Doubted().After(at.Add(2 * time.Hour)) })

	holding := orders.Holding{
		Number: "+19195551234", State: orders.NumberInService, CarrierModule: orders.CarrierModule, SiteID: "1234", PeerID: "234222",
		Key: key, OrderID: "o-1", Since: at,
	}
	if err := b.numbers.Register(t.Context(), []orders.Holding{holding}); err != nil {
		t.Fatal(err)
	}
	if got := stored(b.names.NumbersBucket(), "19195551234"); got != small["holding"] {
		t.Errorf("a number is written as %s", got)
	}
	put(b.names.NumbersBucket(), "19195551234", later(small["holding"]))
	got, err := b.numbers.Number(t.Context(), holding.Number)
	if diff := cmp.Diff(holding, got); err != nil || diff != "" {
		t.Errorf("a later entry of a number: %v\n%s", err, diff)
	}
}
