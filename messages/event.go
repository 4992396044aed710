package messages

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// Event is the body of an event.
type Event struct {
	// EventID names the event; a repeat of it carries the same (P23).
	EventID string `json:"event_id"`
	// Sequence orders the events of one order (P29); 0 where no order was touched.
	Sequence   uint64    `json:"sequence"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurred_at"`
	RequestID  string    `json:"request_id"`
	Key        string    `json:"key"`
	// Generation is 1, then one more for each replay; 0 where no order was touched.
	Generation int     `json:"generation"`
	Kind       Kind    `json:"kind"`
	Outcome    Outcome `json:"outcome"`
	Reason     Reason  `json:"reason"`
	Tenant     string  `json:"tenant"`
	// Sandbox says that nothing was bought.
	Sandbox          bool             `json:"sandbox"`
	OrderName        string           `json:"order_name,omitempty"`
	CustomerOrderID  string           `json:"customer_order_id,omitempty"`
	BandwidthOrderID string           `json:"bandwidth_order_id,omitempty"`
	BandwidthStatus  string           `json:"bandwidth_status,omitempty"`
	BandwidthOrders  []BandwidthOrder `json:"bandwidth_orders,omitempty"`
	SiteID           string           `json:"site_id,omitempty"`
	SIPPeer          string           `json:"sip_peer,omitempty"`
	CarrierModule    string           `json:"carrier_module,omitempty"`
	// Numbers are those now held (provision, portin: over all generations), released (disconnect) or found (search).
	Numbers       []string          `json:"numbers"`
	FailedNumbers []FailedNumber    `json:"failed_numbers,omitempty"`
	Errors        []EventError      `json:"errors,omitempty"`
	Results       []NumberDetail    `json:"results,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
}

// BandwidthOrder is one of the orders at Bandwidth that a request led to.
type BandwidthOrder struct {
	CustomerOrderID string `json:"customer_order_id"`
	OrderID         string `json:"order_id"`
	Status          string `json:"status"`
}

// FailedNumber is a number that was not got, with Bandwidth's code; the code's description stands among the errors.
type FailedNumber struct {
	Number string `json:"number"`
	Code   string `json:"code,omitempty"`
}

// EventError is an error with a code, Bandwidth's or one of our reasons, and what to do about it.
type EventError struct {
	Code        string `json:"code"`
	Description string `json:"description"`
	Advice      string `json:"advice,omitempty"`
}

// NumberDetail is a number that a search found.
type NumberDetail struct {
	Number     string `json:"number"`
	City       string `json:"city,omitempty"`
	RateCenter string `json:"rate_center,omitempty"`
	State      string `json:"state,omitempty"`
	LATA       string `json:"lata,omitempty"`
	Tier       string `json:"tier,omitempty"`
}

// Headers returns the event's CloudEvents attributes in binary mode, as message headers: names in lower case, values
// percent-encoded as the NATS binding asks. traceparent is carried on where it is not empty.
func (e *Event) Headers(accountID, traceparent string) map[string]string {
	h := map[string]string{
		"ce-specversion":     "1.0",
		"ce-id":              e.EventID,
		"ce-source":          "/bandwidth/accounts/" + accountID,
		"ce-type":            e.Type,
		"ce-subject":         e.Key,
		"ce-time":            e.OccurredAt.UTC().Format(time.RFC3339Nano),
		"ce-datacontenttype": "application/json",
	}
	for name, value := range h {
		h[name] = encodeAttribute(value)
	}
	if traceparent != "" {
		h["traceparent"] = traceparent
	}
	return h
}

// encodeAttribute percent-encodes what the CloudEvents HTTP and NATS bindings ask for: space, double quote, percent
// and everything outside printable ASCII.
func encodeAttribute(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			b.WriteString(strings.ReplaceAll(url.QueryEscape(string([]byte{c})), "+", "%20"))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// DeadLetter is a request that ended without full success, with the reason and what a replay would order.
type DeadLetter struct {
	// LetterID is "<key>.<generation>".
	LetterID   string `json:"letter_id"`
	Key        string `json:"key"`
	Generation int    `json:"generation"`
	Kind       Kind   `json:"kind"`
	Tenant     string `json:"tenant"`
	// Subject is the request's own; replays go there.
	Subject       string         `json:"subject"`
	Reason        Reason         `json:"reason"`
	Errors        []EventError   `json:"errors"`
	FailedNumbers []FailedNumber `json:"failed_numbers"`
	// Request is the request as it was published; null where it could not be decoded.
	Request json.RawMessage `json:"request"`
	// RawBase64 holds the first 64 KiB of a request that could not be decoded.
	RawBase64 string `json:"raw_base64,omitempty"`
	// RawSize and RawSHA256 are of the request's body as it came in.
	RawSize   int    `json:"raw_size"`
	RawSHA256 string `json:"raw_sha256"`
	// Headers are the request's that matter for a replay.
	Headers         map[string]string `json:"headers"`
	History         []HistoryEntry    `json:"history"`
	BandwidthOrders []BandwidthOrder  `json:"bandwidth_orders"`
	// Replay is the request that a replay would publish; null where it has to be edited first.
	Replay json.RawMessage `json:"replay"`
	DeadAt time.Time       `json:"dead_at"`
}

// HistoryEntry is a line of an order's history.
type HistoryEntry struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitempty"`
}
