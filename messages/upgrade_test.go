package messages_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/messages"
)

var update = flag.Bool("update", false, "write the golden hashes")

// TestGoldenHashes: the content hash of each request is what it always was, and so is its order's key. The hash stands in
// the records of other versions: with another one a repeated request would be a conflict, and with another key it would be
// a new order.
func TestGoldenHashes(t *testing.T) {
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	requests := files(t, filepath.Join("requests", "*.json"))
	for _, file := range slices.Sorted(maps.Keys(requests)) {
		kind := messages.Kind(strings.FieldsFunc(file, func(r rune) bool { return r == '-' || r == '.' })[0])
		r, err := messages.Decode(kind, requests[file])
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		fmt.Fprintf(&b, "%s %s %s\n", file, names.Key(r.Tenant, r.RequestID), messages.ContentHash(kind, r))
	}
	path := filepath.Join("testdata", "hashes.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A request may be added, with -update; no line may change.
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLaterFields: what a later version adds to an event or a dead letter disturbs nobody who reads it with this one; an
// unknown field of a request is refused, since it may say what is to be bought.
func TestLaterFields(t *testing.T) {
	for file, into := range map[string]any{"event-full.json": new(messages.Event), "letter-full.json": new(messages.DeadLetter)} {
		var fields map[string]any
		if err := json.Unmarshal(files(t, file)[file], &fields); err != nil {
			t.Fatal(err)
		}
		fields["zz_later"] = map[string]any{"a": []int{1}}
		for _, list := range []string{"errors", "bandwidth_orders", "failed_numbers"} {
			fields[list].([]any)[0].(map[string]any)["zz_later"] = true
		}
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Errorf("%s with fields of a later version: %v", file, err)
		}
		again, err := json.Marshal(into)
		if err != nil {
			t.Fatal(err)
		}
		var compact, want any
		if json.Unmarshal(again, &compact) != nil || json.Unmarshal(files(t, file)[file], &want) != nil {
			t.Fatal("the bodies are no JSON")
		}
		if diff := cmp.Diff(want, compact); diff != "" {
			t.Errorf("%s with fields of a later version reads as another one (-want +got):\n%s", file, diff)
		}
	}
	_, err := messages.Decode(messages.Provision, []byte(`{"request_id":"a","numbers":["+19195551234"],"zz_later":1}`))
	if err == nil || !strings.Contains(err.Error(), "zz_later") {
		t.Errorf("a request with a field of a later version: %v; want that it names the field", err)
	}
}
