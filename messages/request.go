package messages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
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

// PortInFields are the port-in order's fields, by the vendor's names in snake case.
type PortInFields struct {
	BillingTelephoneNumber    string          `json:"billing_telephone_number,omitempty"`
	NewBillingTelephoneNumber string          `json:"new_billing_telephone_number,omitempty"`
	RequestedFOCDate          string          `json:"requested_foc_date,omitempty"`
	LOAAuthorizingPerson      string          `json:"loa_authorizing_person,omitempty"`
	Subscriber                json.RawMessage `json:"subscriber,omitempty"`
	WirelessInfo              json.RawMessage `json:"wireless_info,omitempty"`
	Triggered                 *bool           `json:"triggered,omitempty"`
	PartialPort               *bool           `json:"partial_port,omitempty"`
	AlternateSPID             string          `json:"alternate_spid,omitempty"`
	TargetRespOrgID           string          `json:"target_resp_org_id,omitempty"`
	// Draft holds the order at Bandwidth until it is submitted.
	Draft *bool `json:"draft,omitempty"`
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
		"loa_authorizing_person", "subscriber", "wireless_info", "triggered", "partial_port", "alternate_spid", "target_resp_org_id", "draft"},
}

// Decode decodes the body of a request of a kind. It is strict: an unknown field, a field of another kind, one that
// stands twice, a wrong type or anything after the object is a [*RequestError] with the reason malformed that names
// the field.
func Decode(kind Kind, body []byte) (*Request, error) {
	fields, ok := fieldsOf[kind]
	switch {
	case !ok:
		return nil, malformed("", "the kind %q is not known", kind)
	case len(body) > MaxBody:
		return nil, malformed("", "the body is %d bytes long; at most %d are taken", len(body), MaxBody)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, malformed("", "the body is empty; a JSON object is wanted")
	}
	if err := checkKeys(body); err != nil {
		return nil, err
	}
	r := new(Request)
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil {
		return nil, decodeError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, malformed("", "there is something after the JSON object")
	}
	var present map[string]json.RawMessage
	if err := json.Unmarshal(body, &present); err != nil {
		return nil, decodeError(err)
	}
	for name, value := range present {
		if !slices.Contains(common, name) && !slices.Contains(fields, name) {
			return nil, malformed(name, "%s: a %s request has no such field", name, kind)
		}
		if string(value) == "null" {
			return nil, malformed(name, "%s: null is no value; leave the field out", name)
		}
	}
	return r, nil
}

// decodeError turns the decoder's error into a sentence.
func decodeError(err error) *RequestError {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ):
		field := typ.Field
		if field == "" {
			return malformed("", "the body is a JSON %s; an object is wanted", typ.Value)
		}
		field = strings.TrimPrefix(field, "PortInFields.") // the embedded struct is no part of the contract
		return malformed(field, "%s: a %s stands where %s is wanted", field, typ.Value, typeName(typ.Type))
	case errors.As(err, &syntax):
		return malformed("", "the body is not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("", "the body is not JSON: it ends too early")
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		field = strings.Trim(field, `"`)
		return malformed(field, "%s: there is no such field", field)
	}
	return malformed("", "the body cannot be decoded: %v", err)
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// maxDepth bounds how deep a body may nest.
const maxDepth = 16

// checkKeys refuses a field that stands twice in one object, one in other letter case than documented, and bodies
// that nest too deep: the decoder would take the last, match without case, or recurse.
func checkKeys(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	type level struct {
		object bool
		key    bool // the next token is a key
		seen   map[string]bool
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return decodeError(err)
		}
		if top := len(stack) - 1; top >= 0 && stack[top].object && stack[top].key {
			if key, ok := tok.(string); ok {
				if stack[top].seen[key] {
					return malformed(key, "%s: the field stands twice", key)
				}
				if top == 0 && key != strings.ToLower(key) {
					return malformed(key, "%s: there is no such field", key)
				}
				stack[top].seen[key] = true
				stack[top].key = false
				continue
			}
		}
		switch tok {
		case json.Delim('{'):
			stack = append(stack, level{object: true, key: true, seen: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			if len(stack) > 0 && stack[len(stack)-1].object {
				stack[len(stack)-1].key = true
			}
			if len(stack) == 0 {
				return nil // what follows is Decode's business
			}
		default:
			if len(stack) > 0 && stack[len(stack)-1].object {
				stack[len(stack)-1].key = true
			}
		}
		if len(stack) > maxDepth {
			return malformed("", "the body nests more than %d levels deep", maxDepth)
		}
		if len(stack) == 0 {
			return nil
		}
	}
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
	if json.Unmarshal(data, &canonical) == nil {
		data, _ = json.Marshal(canonical) // keys sorted, raw fields compacted
	}
	sum := sha256.Sum256(append([]byte(string(kind)+"\n"), data...))
	return hex.EncodeToString(sum[:])
}
