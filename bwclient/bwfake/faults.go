package bwfake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind names a misbehaviour.
type FaultKind string

// The misbehaviours. "Created" means that the order exists afterwards.
const (
	// LoseReplyAfter: created, and the connection is dropped without an answer.
	LoseReplyAfter FaultKind = "lose_reply_after"
	// LoseReplyBefore: the connection is dropped; nothing was created.
	LoseReplyBefore FaultKind = "lose_reply_before"
	// ErrorAfter: created, and answered with Status and Body.
	ErrorAfter FaultKind = "error_after"
	// ErrorBefore: answered with Status and Body; nothing was created.
	ErrorBefore FaultKind = "error_before"
	// RateLimit: 429 without a body, with X-RateLimit-Reset Delay ahead, in seconds.
	RateLimit FaultKind = "rate_limit"
	// Slow: created at once, answered after Delay.
	Slow FaultKind = "slow"
	// SlowBefore: created after Delay, even if the client has gone, and then answered.
	SlowBefore FaultKind = "slow_before"
	// Truncated: created, and the answer's body ends in the middle.
	Truncated FaultKind = "truncated"
	// Malformed: created, and answered with the right status and a body that is not XML.
	Malformed FaultKind = "malformed"
	// NoID: created, and answered 201 without an id and without Location.
	NoID FaultKind = "no_id"
	// LocationOnly: created, and answered 201 with the id only in Location.
	LocationOnly FaultKind = "location_only"
	// Outbid: another system buys the first of an order's named numbers, right before the order takes effect.
	Outbid FaultKind = "outbid"
	// UnknownStatus: a read of an order gives a word that nobody knows.
	UnknownStatus FaultKind = "unknown_status"
	// EmptyNumbers: a read of an order leaves out the numbers it holds.
	EmptyNumbers FaultKind = "empty_numbers"
	// WrongQuantity: a read of an order counts one number more than it lists.
	WrongQuantity FaultKind = "wrong_quantity"
	// Pending5019: a read of an order carries the error 5019.
	Pending5019 FaultKind = "pending_5019"
	// NoCustomerOrderID: a list of orders or port-ins leaves out the customer order ids.
	NoCustomerOrderID FaultKind = "no_customer_order_id"
)

// OutbidBy is the customer order id of what [Outbid] buys.
const OutbidBy = "outbid"

// Fault is a misbehaviour and where it happens.
type Fault struct {
	// Method and Endpoint choose the requests; empty means any.
	Method   string `json:"method,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	// CustomerOrderID chooses orders by a part of their customer order id; empty means any.
	CustomerOrderID string `json:"customer_order_id,omitempty"`
	// Times is for how many requests; 0 means every one.
	Times int `json:"times,omitempty"`
	// Probability is from 0 to 1; 0 means always.
	Probability float64           `json:"probability,omitempty"`
	Kind        FaultKind         `json:"kind"`
	Status      int               `json:"status,omitempty"`
	Body        string            `json:"body,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	Delay       time.Duration     `json:"delay,omitempty"`

	left int
}

// kinds and endpoints are what a fault may name.
var (
	kinds = []FaultKind{LoseReplyAfter, LoseReplyBefore, ErrorAfter, ErrorBefore, RateLimit, Slow, SlowBefore, Truncated, Malformed, NoID, LocationOnly, Outbid, UnknownStatus, EmptyNumbers, WrongQuantity, Pending5019, NoCustomerOrderID}

	endpoints = []string{EndpointCreate, EndpointList, EndpointGet, EndpointClose, EndpointOrderNumbers, EndpointSites, EndpointPeers, EndpointNumber,
		EndpointToken, EndpointDisconnect, EndpointDisconnectGet, EndpointInService, EndpointSearch, EndpointReserve, EndpointReservation, EndpointUnreserve,
		EndpointPortIn, EndpointPortInList, EndpointPortInGet}
)

// check refuses a fault that could never happen.
func (f *Fault) check() error {
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("there is no fault of the kind %q; kinds: %q", f.Kind, kinds)
	case f.Endpoint != "" && !slices.Contains(endpoints, f.Endpoint):
		return fmt.Errorf("there is no endpoint %q; endpoints: %q", f.Endpoint, endpoints)
	}
	return nil
}

// Inject adds a fault. Faults are tried in the order in which they were added; the first that fits happens.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.left = f.Times
	s.faults = append(s.faults, &f)
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault chooses what goes wrong with a request; nil for nothing.
func (s *Server) fault(method, endpoint, coid string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != method || f.Endpoint != "" && f.Endpoint != endpoint ||
			f.CustomerOrderID != "" && !strings.Contains(coid, f.CustomerOrderID) {
			continue
		}
		if f.Probability > 0 && s.random.Float64() >= f.Probability {
			continue
		}
		if f.Times > 0 {
			if f.left--; f.left == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		chosen := *f
		return &chosen
	}
	return nil
}

// drop ends the connection without an answer.
func (x *exchange) drop() {
	x.code = 0
	panic(http.ErrAbortHandler)
}

// before carries out the faults that come before the request takes effect; it reports whether the answer was given.
func (x *exchange) before(s *Server) bool {
	f := x.fate
	if f == nil {
		return false
	}
	for name, value := range f.Header {
		x.w.Header().Set(name, value)
	}
	switch f.Kind {
	case LoseReplyBefore:
		x.drop()
	case ErrorBefore:
		x.fail(f)
		return true
	case RateLimit:
		x.w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(s.opts.Now().Add(f.Delay).Unix(), 10))
		x.empty(http.StatusTooManyRequests)
		return true
	case SlowBefore:
		x.sleep(f.Delay, false)
	}
	return false
}

func (x *exchange) fail(f *Fault) {
	status, media := f.Status, f.ContentType
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if media == "" {
		media = "text/html"
	}
	if f.Body == "" {
		x.empty(status)
		return
	}
	x.write(status, media, f.Body)
}

// sleep waits; with follow it stops waiting when the client has gone.
func (x *exchange) sleep(d time.Duration, follow bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	if !follow {
		<-timer.C
		return
	}
	select {
	case <-timer.C:
	case <-x.r.Context().Done():
	}
}

// after answers the POST of an order that was created, with the faults that come after.
func (x *exchange) after(s *Server, o *order) {
	now := s.opts.Now()
	x.created(s.location(x.r, "orders/"+o.id), http.StatusCreated, orderResponse(o, o.id, nil, true, now), orderResponse(o, "", nil, true, now))
}

// created answers a POST that created something: body names it, and unnamed does not.
func (x *exchange) created(location string, status int, body, unnamed string) {
	if x.fate == nil {
		x.w.Header().Set("Location", location)
		x.write(status, "application/xml", body)
		return
	}
	switch f := x.fate; f.Kind {
	case LoseReplyAfter:
		x.drop()
	case ErrorAfter:
		x.fail(f)
	case Malformed:
		x.write(status, "application/xml", "created, and that is all we say")
	case NoID:
		x.write(status, "application/xml", unnamed)
	case LocationOnly:
		x.w.Header().Set("Location", location)
		x.write(status, "application/xml", unnamed)
	case Slow:
		x.sleep(f.Delay, true)
		x.w.Header().Set("Location", location)
		x.write(status, "application/xml", body)
	default:
		x.w.Header().Set("Location", location)
		x.reply(status, body)
	}
}

// reply answers a read, with the faults that spoil a body.
func (x *exchange) reply(status int, body string) {
	if x.fate == nil {
		x.write(status, "application/xml", body)
		return
	}
	switch f := x.fate; f.Kind {
	case Truncated:
		x.code = status
		x.w.Header().Set("Content-Type", "application/xml")
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		x.w.WriteHeader(status)
		_, _ = x.w.Write([]byte(body[:len(body)/2]))
		if flusher, ok := x.w.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler)
	case Malformed:
		x.write(status, "application/xml", "<OrderResponse><Order>")
	case ErrorAfter:
		x.fail(f)
	case LoseReplyAfter:
		x.drop()
	case Slow:
		x.sleep(f.Delay, true)
		x.write(status, "application/xml", body)
	default:
		x.write(status, "application/xml", body)
	}
}
