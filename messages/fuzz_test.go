package messages_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"bandwidthworker/messages"
)

// fuzzDecode fuzzes the decoder of one kind, with every request in testdata as a seed. Whatever comes in: a refused
// body says why in a sentence that fits into an event, and an accepted one that is encoded again is accepted again
// as the same content.
func fuzzDecode(f *testing.F, kind messages.Kind) {
	for _, pattern := range []string{"requests/*.json", "bad/*.json"} {
		for _, body := range files(f, pattern) {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := messages.Decode(kind, body)
		if err != nil {
			checkRefusal(t, err, messages.ReasonMalformed)
			return
		}
		if err := r.Validate(kind); err != nil {
			checkRefusal(t, err, messages.ReasonInvalid)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("%q was accepted and cannot be encoded: %v", body, err)
		}
		if len(again) > messages.MaxBody {
			return // escapes may make it longer
		}
		back, err := messages.Decode(kind, again)
		if err != nil {
			t.Fatalf("%q was accepted, and then refused as %q: %v", body, again, err)
		}
		if a, b := messages.ContentHash(kind, r), messages.ContentHash(kind, back); a != b {
			t.Fatalf("%q has the hash %s, and encoded again as %q %s", body, a, again, b)
		}
	})
}

func checkRefusal(t *testing.T, err error, reason messages.Reason) {
	t.Helper()
	var refused *messages.RequestError
	if !errors.As(err, &refused) || refused.Reason != reason {
		t.Fatalf("refused with %v, want the reason %s", err, reason)
	}
	if text := refused.Error(); text == "" || len(text) > 1000 || !utf8.ValidString(text) || !strings.Contains(text, refused.Field) {
		t.Fatalf("the sentence is empty, long, not UTF-8, or without the field %q: %q", refused.Field, text)
	}
}

func FuzzDecodeSearch(f *testing.F)     { fuzzDecode(f, messages.Search) }
func FuzzDecodeProvision(f *testing.F)  { fuzzDecode(f, messages.Provision) }
func FuzzDecodeDisconnect(f *testing.F) { fuzzDecode(f, messages.Disconnect) }
func FuzzDecodePortIn(f *testing.F)     { fuzzDecode(f, messages.PortIn) }
func FuzzDecodeCancel(f *testing.F)     { fuzzDecode(f, messages.Cancel) }

// FuzzParseRequest: a subject that is taken apart without an error is put together again the same.
func FuzzParseRequest(f *testing.F) {
	for _, line := range lines(f, "subjects.txt") {
		f.Add(line)
	}
	n := mustNames(f, messages.DefaultPrefix)
	f.Fuzz(func(t *testing.T, subject string) {
		kind, text, tenant, err := n.ParseRequest(subject)
		if err != nil {
			if tenant != "" || err.Error() == "" {
				t.Fatalf("%q: tenant %q with the error %q", subject, tenant, err)
			}
			return
		}
		if tenant != "" && !messages.ValidTenant(tenant) {
			t.Fatalf("%q: the tenant %q", subject, tenant)
		}
		if kind != messages.Unknown && string(kind) != text {
			t.Fatalf("%q: kind %q of %q", subject, kind, text)
		}
		if back := n.Request(messages.Kind(text), tenant); back != subject && back+"."+messages.NoTenant != subject {
			t.Fatalf("%q came back as %q", subject, back)
		}
	})
}

// FuzzParseReplayOf: there is one way to write each letter's id.
func FuzzParseReplayOf(f *testing.F) {
	for _, line := range lines(f, "replays.txt") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, value string) {
		k, generation, err := messages.ParseReplayOf(value)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("the sentence has %d bytes", len(err.Error()))
			}
			return
		}
		if generation < 0 || !messages.ValidKey(k) || messages.LetterID(k, generation) != value {
			t.Fatalf("%q: key %q, generation %d", value, k, generation)
		}
	})
}

// lines returns the lines of a file under testdata; there have to be some.
func lines(t testing.TB, name string) []string {
	t.Helper()
	out := strings.Split(strings.TrimRight(string(files(t, name)[name]), "\n"), "\n")
	if len(out) < 2 {
		t.Fatalf("testdata/%s holds no seeds", name)
	}
	return out
}
