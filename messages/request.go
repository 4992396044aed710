package messages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// MaxBody is the size of the largest request body, in bytes (P40).
const MaxBody = 256 << 10

// Request is a request's body, of any kind. Which fields a kind takes is checked by [Decode]; what they may hold by
// [Request.Validate].
type Request struct {
	// RequestID is the idempotency key within the tenant: 1 to 128 of A-Za-z0-9._:@/-.
	RequestID string `json:"request_id"`
	// Tenant is [A-Za-z0-9_-]{1,32}; the tenant in the subject wins.
	Tenant string `json:"tenant,omitempty"`
	// Metadata comes back in every event; 4 KiB in all.
	Metadata map[string]string `json:"metadata,omitempty"`
	// SiteID and SIPPeer default to the worker's configuration.
	SiteID  string `json:"site_id,omitempty"`
	SIPPeer string `json:"sip_peer,omitempty"`
	// Numbers are E.164, 1 to 5000 without duplicates (provision, disconnect, portin).
	Numbers []string `json:"numbers,omitempty"`
	// Criteria say which numbers to find (search, provision).
	Criteria *Criteria `json:"criteria,omitempty"`
	// Quantity is how many numbers to find: 1 to 5000; for a search 10 if left out.
	Quantity *int `json:"quantity,omitempty"`
	// PartialAllowed takes less than was asked for; true if left out (provision).
	PartialAllowed *bool `json:"partial_allowed,omitempty"`
	// Backorder waits for stock with Bandwidth's own search-and-order types; false if left out (provision).
	Backorder *bool `json:"backorder,omitempty"`
	// Reserve reserves the numbers before they are ordered; false if left out (provision).
	Reserve *bool `json:"reserve,omitempty"`
	// Detail asks for where the numbers are (search).
	Detail *bool `json:"detail,omitempty"`
	// Mode is normal (the default) or purge (disconnect).
	Mode string `json:"mode,omitempty"`
	// Protected is true, false or unchanged (disconnect).
	Protected string `json:"protected,omitempty"`
	// OrderRequestID is the request id of the backordered provision to close (cancel).
	OrderRequestID string `json:"order_request_id,omitempty"`
	PortInFields
}

// Criteria say which numbers are wanted, in Bandwidth's terms.
type Criteria struct {
	// Prefix is an E.164 prefix such as +1919555.
	Prefix           string `json:"prefix,omitempty"`
	AreaCode         string `json:"area_code,omitempty"`
	NPANXX           string `json:"npa_nxx,omitempty"`
	NPANXXX          string `json:"npa_nxx_x,omitempty"`
	RateCenter       string `json:"rate_center,omitempty"`
	City             string `json:"city,omitempty"`
	State            string `json:"state,omitempty"`
	Zip              string `json:"zip,omitempty"`
	LATA             string `json:"lata,omitempty"`
	LocalVanity      string `json:"local_vanity,omitempty"`
	EndsIn           *bool  `json:"ends_in,omitempty"`
	TollFreeVanity   string `json:"toll_free_vanity,omitempty"`
	TollFreeWildcard string `json:"toll_free_wildcard,omitempty"`
	LocalCallingArea *bool  `json:"local_calling_area,omitempty"`
}

// AllowsPartial reports whether less than was asked for is taken; true where it was left out.
func (r *Request) AllowsPartial() bool { return r.PartialAllowed == nil || *r.PartialAllowed }

// WantsBackorder reports whether to wait for stock.
func (r *Request) WantsBackorder() bool { return r.Backorder != nil && *r.Backorder }

// WantsReserve reports whether to reserve first.
func (r *Request) WantsReserve() bool { return r.Reserve != nil && *r.Reserve }

// RequestError says what is wrong with a request.
type RequestError struct {
	// Reason is malformed or invalid.
	Reason Reason
	// Field is the field's name as it stands in the body; empty where it is about the whole.
	Field string
	// Text is a sentence that names the field and the rule.
	Text string
}

func (e *RequestError) Error() string { return e.Text }

func malformed(field, format string, args ...any) *RequestError {
	return &RequestError{Reason: ReasonMalformed, Field: field, Text: fmt.Sprintf(format, args...)}
}

// common are the fields of every kind; fieldsOf those of each.
var common = []string{"request_id", "tenant", "metadata"}

var fieldsOf = map[Kind][]string{
	Search:     {"criteria", "quantity", "detail"},
	Provision:  {"site_id", "sip_peer", "numbers", "criteria", "quantity", "partial_allowed", "backorder", "reserve"},
	Disconnect: {"numbers", "mode", "protected"},
	Cancel:     {"order_request_id"},
	PortIn: {"site_id", "sip_peer", "numbers", "billing_telephone_number", "new_billing_telephone_number", "requested_foc_date",
		"loa_authorizing_person", "subscriber", "wireless_info", "tn_attributes", "triggered", "partial_port", "alternate_spid", "target_resp_org_id", "draft"},
}

// ContentHash returns the hash by which two requests with one request id are compared: SHA-256, in hex, over the
// kind and the canonical JSON of the decoded body without metadata and tenant, before any default is applied.
func ContentHash(kind Kind, r *Request) string {
	c := *r
	c.Metadata, c.Tenant = nil, ""
	data, err := json.Marshal(&c)
	if err != nil {
		data = []byte(err.Error()) // raw fields come from a decoded body, so they encode
	}
	var canonical any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // a float would make large numbers in raw fields equal that are not
	if dec.Decode(&canonical) == nil {
		data, _ = json.Marshal(canonical) // keys sorted, raw fields compacted
	}
	sum := sha256.Sum256(append([]byte(string(kind)+"\n"), data...))
	return hex.EncodeToString(sum[:])
}
