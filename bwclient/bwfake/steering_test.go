package bwfake_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"bandwidthworker/bwclient/bwfake"
)

// TestFaultsAreChecked: a fault that could never happen is refused with what there is.
func TestFaultsAreChecked(t *testing.T) {
	s, err := bwfake.Start(bwfake.Options{Control: true}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	root := strings.TrimSuffix(s.URL, "/api")
	for body, want := range map[string]string{
		`{"kind":"nonsense"}`:                        "lose_reply_after",
		`{"kind":"lose_reply_after","endpoint":"x"}`: "orders.create",
		`{"kind":"lose_reply_after","times":"1"}`:    "times",
		`{"kind":"lose_reply_after"}`:                "",
	} {
		resp, err := http.Post(root+"/_sim/faults", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if refused := resp.StatusCode == http.StatusBadRequest; refused != (want != "") || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s %s, want a word of %q", body, resp.Status, text, want)
		}
	}
}
