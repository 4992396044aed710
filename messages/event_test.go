package messages_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/messages"
)

var at = time.Date(2026, 3, 2, 15, 4, 5, 678_900_000, time.UTC)

// fullEvent has every field set.
func fullEvent() *messages.Event {
	return &messages.Event{
		EventID: key + ".2.partial", Sequence: 7, Type: "bandwidth.v1.provision.partial", OccurredAt: at, RequestID: "crm-1042", Key: key,
		Generation: 2, Kind: messages.Provision, Outcome: messages.Partial, Reason: messages.ReasonIncomplete, Tenant: "acme", Sandbox: true,
		OrderName: "East coast Kazoo-" + key, CustomerOrderID: "East-coast-Kazoo-" + key, BandwidthOrderID: "o-1", BandwidthStatus: "PARTIAL",
		BandwidthOrders: []messages.BandwidthOrder{{CustomerOrderID: "East-coast-Kazoo-" + key, OrderID: "o-1", Status: "PARTIAL"}},
		SiteID:          "1234", SIPPeer: "234222", CarrierModule: "knm_bandwidth2", Numbers: []string{"+19195551234"},
		FailedNumbers: []messages.FailedNumber{{Number: "+19195551235", Code: "5005"}},
		Errors:        []messages.EventError{{Code: "5005", Description: "The telephone number is unavailable for ordering", Advice: "choose another"}},
		Results:       []messages.NumberDetail{{Number: "+19195551236", City: "RALEIGH", RateCenter: "RALEIGH", State: "NC", LATA: "426", Tier: "0"}},
		Metadata:      map[string]string{"ticket": "77"},
	}
}

// fullLetter has every field set.
func fullLetter() *messages.DeadLetter {
	return &messages.DeadLetter{
		LetterID: key + ".2", Key: key, Generation: 2, Kind: messages.Provision, Tenant: "acme", Subject: "bandwidth.v1.request.provision.acme",
		Reason:        messages.ReasonIncomplete,
		Errors:        []messages.EventError{{Code: "5005", Description: "The telephone number is unavailable for ordering", Advice: "choose another"}},
		FailedNumbers: []messages.FailedNumber{{Number: "+19195551235", Code: "5005"}},
		Request:       json.RawMessage(`{"request_id":"crm-1042","numbers":["+19195551234","+19195551235"]}`),
		RawBase64:     "aGVsbG8=", RawSize: 5, RawSHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		Headers:         map[string]string{"Bandwidth-Replay-Of": key + ".1", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		History:         []messages.HistoryEntry{{At: at, What: "accepted", Detail: "generation 2"}},
		BandwidthOrders: []messages.BandwidthOrder{{CustomerOrderID: "East-coast-Kazoo-" + key, OrderID: "o-1", Status: "PARTIAL"}},
		Replay:          json.RawMessage(`{"request_id":"crm-1042","numbers":["+19195551235"]}`), DeadAt: at,
	}
}

// TestJSON: the bodies of events and dead letters are those of the files, to the byte. The names in them are the
// contract with other systems: within v1 they may be added to, and nothing else.
func TestJSON(t *testing.T) {
	for file, body := range map[string]any{
		"event-full.json":   fullEvent(),
		"event-least.json":  &messages.Event{OccurredAt: at, Numbers: []string{}},
		"letter-full.json":  fullLetter(),
		"letter-least.json": &messages.DeadLetter{DeadAt: at},
	} {
		want, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(body, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestJSONBack: what is read from the files is what was written.
func TestJSONBack(t *testing.T) {
	var e messages.Event
	if err := json.Unmarshal(files(t, "event-full.json")["event-full.json"], &e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullEvent(), &e); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, files(t, "letter-full.json")["letter-full.json"]); err != nil {
		t.Fatal(err)
	}
	var l messages.DeadLetter
	if err := json.Unmarshal(compact.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullLetter(), &l); diff != "" {
		t.Errorf("dead letter (-want +got):\n%s", diff)
	}
}

// TestHeaders: the CloudEvents attributes of the NATS binding in binary mode.
func TestHeaders(t *testing.T) {
	e := fullEvent()
	e.OccurredAt = at.In(time.FixedZone("", 3600))
	want := map[string]string{
		"ce-specversion": "1.0", "ce-id": key + ".2.partial", "ce-source": "/bandwidth/accounts/20902288", "ce-type": "bandwidth.v1.provision.partial",
		"ce-subject": key, "ce-time": "2026-03-02T15:04:05.6789Z", "ce-datacontenttype": "application/json",
	}
	if diff := cmp.Diff(want, e.Headers("20902288", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if diff := cmp.Diff(want, e.Headers("20902288", want["traceparent"])); diff != "" {
		t.Errorf("with a trace (-want +got):\n%s", diff)
	}
}

func TestHeadersAreEncoded(t *testing.T) {
	for account, want := range map[string]string{
		`plain-._~:/?#[]@!$&'()*+,;=<>\^{|}` + "`": `plain-._~:/?#[]@!$&'()*+,;=<>\^{|}` + "`",
		"a b":            "a%20b",
		`a"b`:            "a%22b",
		"100%":           "100%25",
		"a%20b":          "a%2520b",
		"Euro € 😀":       "Euro%20%E2%82%AC%20%F0%9F%98%80",
		"Zoë":            "Zo%C3%AB",
		"a\r\nce-id: 1":  "a%0D%0Ace-id:%201",
		"\x00\x1f\x7f~+": "%00%1F%7F~+",
	} {
		if got := (&messages.Event{}).Headers(account, "")["ce-source"]; got != "/bandwidth/accounts/"+want {
			t.Errorf("%q: %q, want …/%q", account, got, want)
		}
	}
	// Whatever it holds, a header is printable ASCII without the three characters, and decodes to what it was.
	decodes := func(id string) bool {
		h := (&messages.Event{EventID: id}).Headers("", "")["ce-id"]
		for _, c := range []byte(h) {
			if c <= ' ' || c >= 0x7f || c == '"' {
				return false
			}
		}
		back, err := url.PathUnescape(h)
		return err == nil && back == id
	}
	if err := quick.Check(decodes, nil); err != nil {
		t.Error(err)
	}
}

// TestLine: the line of each outcome.
func TestLine(t *testing.T) {
	const n = "+19195551234"
	event := func(outcome messages.Outcome, change func(*messages.Event)) *messages.Event {
		e := &messages.Event{OccurredAt: at, Outcome: outcome, Kind: messages.Provision, RequestID: "crm-1", Generation: 1}
		if change != nil {
			change(e)
		}
		return e
	}
	for _, c := range []struct {
		e    *messages.Event
		want string
	}{
		{event(messages.Accepted, nil), "15:04:05.678  accepted    provision crm-1: taken in"},
		{event(messages.Accepted, func(e *messages.Event) { e.Tenant, e.Generation = "acme", 3 }), "15:04:05.678  accepted    provision crm-1 of acme (replay 2): taken in"},
		{event(messages.Submitted, func(e *messages.Event) { e.Tenant, e.BandwidthOrderID = "_", "o-1" }), "15:04:05.678  submitted   provision crm-1: Bandwidth has it as order o-1"},
		{event(messages.Backordered, nil), "15:04:05.678  backordered provision crm-1: waits for stock at Bandwidth"},
		{event(messages.Completed, func(e *messages.Event) { e.Numbers = []string{n} }), "15:04:05.678  completed   provision crm-1: " + n},
		{event(messages.Completed, func(e *messages.Event) { e.Numbers = []string{n, n, n} }), "15:04:05.678  completed   provision crm-1: " + n + " " + n + " " + n},
		{event(messages.Completed, func(e *messages.Event) { e.Numbers = []string{n, n, n, n} }), "15:04:05.678  completed   provision crm-1: " + n + " and 3 more"},
		{event(messages.Completed, func(e *messages.Event) { e.Sandbox = true }), "15:04:05.678  completed   provision crm-1: no numbers (sandbox: nothing was bought)"},
		{event(messages.Partial, func(e *messages.Event) {
			e.Numbers, e.Reason = []string{n}, messages.ReasonIncomplete
			e.FailedNumbers = []messages.FailedNumber{{Number: "+19195551235", Code: "5005"}}
			e.Errors = []messages.EventError{{Code: "5005", Description: "unavailable"}}
		}), "15:04:05.678  partial     provision crm-1: " + n + ", incomplete, not +19195551235; 5005 unavailable"},
		{event(messages.Failed, func(e *messages.Event) {
			e.Reason, e.RequestID, e.Kind, e.Generation = messages.ReasonMalformed, "", messages.Unknown, 0
			e.Errors = []messages.EventError{{Code: "malformed", Description: "the body is empty"}}
		}), "15:04:05.678  failed      unknown: malformed; the body is empty"},
	} {
		if got := c.e.Line(); got != c.want {
			t.Errorf("\n%q, want\n%q", got, c.want)
		}
	}
}
