package messages_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"bandwidthworker/messages"
)

func hashOf(t *testing.T, kind messages.Kind, body string) string {
	t.Helper()
	r, err := messages.Decode(kind, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return messages.ContentHash(kind, r)
}

// TestContentHash: what makes two requests under one id the same, and what another.
func TestContentHash(t *testing.T) {
	const plain = `{"request_id":"a","site_id":"1","numbers":["+19195551234","+19195551235"]}`
	const port = `{"request_id":"a","numbers":["+19195551234"],"subscriber":{"last_name":"A","service_address":{"zip":"1","city":"B"}},"tn_attributes":["Protected","External"]}`
	const find = `{"request_id":"a","criteria":{"city":"RALEIGH","state":"NC"},"quantity":3}`
	for _, c := range []struct {
		name  string
		kind  messages.Kind
		a, b  string
		equal bool
	}{
		{"the same", messages.Provision, plain, plain, true},
		{"fields in another order", messages.Provision, plain, `{"numbers":["+19195551234","+19195551235"],"site_id":"1","request_id":"a"}`, true},
		{"white space", messages.Provision, plain, " {\n\"request_id\" : \"a\",\"site_id\":\"1\", \"numbers\":[ \"+19195551234\",\"+19195551235\" ] }\n", true},
		{"escapes", messages.Provision, plain, `{"request_id":"\u0061","site_id":"1","numbers":["\u002b19195551234","+19195551235"]}`, true},
		{"metadata", messages.Provision, plain, `{"request_id":"a","metadata":{"k":"v"},"site_id":"1","numbers":["+19195551234","+19195551235"]}`, true},
		{"tenant", messages.Provision, plain, `{"request_id":"a","tenant":"acme","site_id":"1","numbers":["+19195551234","+19195551235"]}`, true},
		{"numbers in another order", messages.Provision, plain, `{"request_id":"a","site_id":"1","numbers":["+19195551235","+19195551234"]}`, false},
		{"a number less", messages.Provision, plain, `{"request_id":"a","site_id":"1","numbers":["+19195551234"]}`, false},
		{"another site", messages.Provision, plain, `{"request_id":"a","site_id":"2","numbers":["+19195551234","+19195551235"]}`, false},
		{"no site", messages.Provision, plain, `{"request_id":"a","numbers":["+19195551234","+19195551235"]}`, false},
		{"a default written out", messages.Provision, plain, `{"request_id":"a","site_id":"1","numbers":["+19195551234","+19195551235"],"partial_allowed":true}`, false},
		{"false written out", messages.Provision, plain, `{"request_id":"a","site_id":"1","numbers":["+19195551234","+19195551235"],"backorder":false}`, false},
		{"true and false", messages.Provision, `{"request_id":"a","partial_allowed":true}`, `{"request_id":"a","partial_allowed":false}`, false},
		{"another request id", messages.Provision, plain, `{"request_id":"b","site_id":"1","numbers":["+19195551234","+19195551235"]}`, false},
		{"criteria in another order", messages.Provision, find, `{"request_id":"a","quantity":3,"criteria":{"state":"NC","city":"RALEIGH"}}`, true},
		{"quantity", messages.Provision, find, `{"request_id":"a","criteria":{"city":"RALEIGH","state":"NC"},"quantity":4}`, false},
		{"other criteria", messages.Provision, find, `{"request_id":"a","criteria":{"city":"DURHAM","state":"NC"},"quantity":3}`, false},
		{"a search's default quantity", messages.Search, `{"request_id":"a","criteria":{"area_code":"919"}}`, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":10}`, false},
		{"keys of nested objects in another order", messages.PortIn, port,
			`{"request_id":"a","subscriber":{"service_address":{"city":"B","zip":"1"},"last_name":"\u0041"},"tn_attributes":["Protected", "External"],"numbers":["+19195551234"]}`, true},
		{"a list in another order", messages.PortIn, port,
			`{"request_id":"a","numbers":["+19195551234"],"subscriber":{"last_name":"A","service_address":{"zip":"1","city":"B"}},"tn_attributes":["External","Protected"]}`, false},
		{"another name", messages.PortIn, `{"request_id":"a","subscriber":{"first_name":"A"}}`, `{"request_id":"a","subscriber":{"last_name":"A"}}`, false},
		{"another secret", messages.PortIn, `{"request_id":"a","wireless_info":{"pin_number":"1234"}}`, `{"request_id":"a","wireless_info":{"pin_number":"1235"}}`, false},
		{"a draft", messages.PortIn, `{"request_id":"a","draft":true}`, `{"request_id":"a"}`, false},
	} {
		a, b := hashOf(t, c.kind, c.a), hashOf(t, c.kind, c.b)
		if (a == b) != c.equal {
			t.Errorf("%s: equal %v, want %v", c.name, a == b, c.equal)
		}
	}
	const both = `{"request_id":"a","numbers":["+19195551234"]}`
	if hashOf(t, messages.Provision, both) == hashOf(t, messages.Disconnect, both) {
		t.Error("two kinds with one body have one hash")
	}
}

// TestContentHashIsStable: records in the ledger hold hashes, so the computation must not change.
func TestContentHashIsStable(t *testing.T) {
	sum := sha256.Sum256([]byte("provision\n" + `{"numbers":["+19195551234"],"partial_allowed":true,"request_id":"a"}`))
	got := hashOf(t, messages.Provision, `{"request_id":"a","tenant":"acme","metadata":{"k":"v"},"partial_allowed":true,"numbers":["+19195551234"]}`)
	if got != hex.EncodeToString(sum[:]) {
		t.Errorf("the hash is %s, want that of the canonical JSON, %x", got, sum)
	}
	const golden = "73e1f75cda63ce4673ccf86f3fc6620cb3e3f846d65c0e2f9e732d3c0d339640"
	if got != golden {
		t.Errorf("the hash is %s, want %s", got, golden)
	}
}

// TestContentHashLeavesTheRequest: the request that is hashed keeps what is left out of the hash.
func TestContentHashLeavesTheRequest(t *testing.T) {
	r := &messages.Request{RequestID: "a", Tenant: "acme", Metadata: map[string]string{"k": "v"}}
	messages.ContentHash(messages.Cancel, r)
	if r.Tenant != "acme" || r.Metadata["k"] != "v" {
		t.Errorf("the request was changed: %+v", r)
	}
}
