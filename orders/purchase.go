package orders

import (
	"encoding/json"
	"slices"
	"time"
)

// Purchase is one intent: a Bandwidth order that we mean to place, with its own customer order id (P14).
type Purchase struct {
	// N counts the Bandwidth orders of this request from 1, over all generations.
	N               int      `json:"n"`
	Generation      int      `json:"generation"`
	CustomerOrderID string   `json:"customer_order_id"`
	Name            string   `json:"name"`
	Numbers         []string `json:"numbers,omitempty"`
	SiteID          string   `json:"site_id,omitempty"`
	PeerID          string   `json:"peer_id,omitempty"`
	PartialAllowed  bool     `json:"partial_allowed"`
	// Criteria and Quantity stand in place of Numbers where Bandwidth chooses them: a backorder. Such an order can be
	// found by its customer order id alone, and must never be sent a second time (P18).
	Criteria json.RawMessage `json:"criteria,omitempty"`
	Quantity int             `json:"quantity,omitempty"`
	// Reserve says that the numbers are reserved before the order is sent (P35). Reservations are Bandwidth's ids by
	// number, empty for one that is ordered without; Taken are the numbers that were left out for it.
	Reserve      bool              `json:"reserve,omitempty"`
	Reservations map[string]string `json:"reservations,omitempty"`
	Taken        []string          `json:"taken,omitempty"`
	// Unanswered counts the reservations that were not answered.
	Unanswered int `json:"unanswered,omitempty"`
	// Reserving is the claim under which a number is being reserved; nil for none.
	Reserving *Reserving `json:"reserving,omitempty"`
	// PortIn says that it is a port-in of Numbers. It can be found by its customer order id alone, and must never be sent a
	// second time (P18). CarrierModule is whom its numbers are registered with.
	PortIn        bool   `json:"port_in,omitempty"`
	CarrierModule string `json:"carrier_module,omitempty"`
	// Fields are the port-in's of [Ask], for the carrier that sends it. They are not stored a second time.
	Fields json.RawMessage `json:"-"`
	// AllNumbers stands in a stored record in place of Numbers that are just what its last generation asks for (P40).
	AllNumbers bool `json:"all_numbers,omitempty"`

	// Posts are the POSTs of this intent: at most two (P18). One that was surely not sent is taken out again (P13).
	Posts []Post `json:"posts,omitempty"`
	// Orders are the Bandwidth orders known to carry this intent's customer order id.
	Orders []VendorOrder `json:"orders,omitempty"`

	// PreLooked says that Bandwidth was asked for this customer order id before the first POST (P33).
	PreLooked bool `json:"pre_looked,omitempty"`
	// UnknownSince is the server's time of the last claim whose outcome is unknown, or a later time.
	UnknownSince time.Time `json:"unknown_since,omitzero"`
	// Looks counts the looks since then that truly looked (P16); LateLooks those after the settle window.
	Looks     int `json:"looks,omitempty"`
	LateLooks int `json:"late_looks,omitempty"`
	// LookTries counts all looks, also those that could not look; it spaces them.
	LookTries  int       `json:"look_tries,omitempty"`
	NextLookAt time.Time `json:"next_look_at,omitzero"`
	// LastLook names the last look, so that one look is never counted twice.
	LastLook string `json:"last_look,omitempty"`
	// Waived says that the sender of a replay takes the risk that this purchase, never found, bought all the same; it
	// counts once it was looked for again (P21b).
	Waived bool `json:"waived,omitempty"`
	// NumbersForbidden says that Bandwidth does not let us ask who holds a number: no second POST then (P16).
	NumbersForbidden bool `json:"numbers_forbidden,omitempty"`
	// HeldSince is the time of the outcome of the last generation that sent a POST of this intent; zero until one
	// has ended.
	HeldSince time.Time `json:"held_since,omitzero"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// Reserving is the claim of a reservation that is on its way. A second one of the same number would be refused for the
// first.
type Reserving struct {
	Number string `json:"number"`
	// Token tells this claim from every other one.
	Token string `json:"token"`
	// Timeout is the claimer's own time for the call: a worker that has a shorter one waits for it.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// PostState says what became of one POST.
type PostState string

// The states of a POST.
const (
	// PostOpen: the claim was written; nothing else is known. The POST may be on its way.
	PostOpen PostState = ""
	// PostUnknown: the POST may or may not have created an order.
	PostUnknown PostState = "unknown"
	// PostCreated: Bandwidth answered with an order id.
	PostCreated PostState = "created"
	// PostRefused: Bandwidth refused it and created nothing.
	PostRefused PostState = "refused"
)

// Post is one claim and what became of its POST.
type Post struct {
	// Token tells this claim from every other one (P9, P10).
	Token string `json:"token"`
	// ClaimedAt is the server's time of the claim, or an earlier one.
	ClaimedAt time.Time `json:"claimed_at,omitzero"`
	// Timeout is the claimer's own time for the POST: a worker that has a shorter one waits for it (P12).
	Timeout time.Duration `json:"timeout,omitempty"`
	// At is the claimer's clock at the claim, taken before the claim was written.
	At time.Time `json:"at"`
	// Generation is the one that sent it.
	Generation int           `json:"generation,omitempty"`
	State      PostState     `json:"state,omitempty"`
	OrderID    OrderID       `json:"order_id,omitempty"`
	Errors     []VendorError `json:"errors,omitempty"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// VendorOrder is an order at Bandwidth and what was last read of it.
type VendorOrder struct {
	OrderID OrderID `json:"order_id"`
	// Status is Bandwidth's own word, as last read.
	Status string `json:"status,omitempty"`
	// Final says that Status is terminal and its numbers are settled.
	Final bool `json:"final,omitempty"`
	// Unclear says that the order is final, but which numbers it bought could not be read (P24).
	Unclear   bool     `json:"unclear,omitempty"`
	Completed []string `json:"completed,omitempty"`
	// Arrived tells of a backorder when each number was first listed, in seconds since 1970 by the server's clock.
	Arrived map[string]int64 `json:"arrived,omitempty"`
	// Gone counts the reads in a row by which a port-in that was a draft does not exist any more.
	Gone int `json:"gone,omitempty"`
	// Failed holds the numbers that this order did not get, by Bandwidth's code (P40: a code stands once).
	Failed map[string][]string `json:"failed,omitempty"`
	Errors []VendorError       `json:"errors,omitempty"`
	// Polls counts answered polls, PollErrors those that failed, Rereads final answers without their numbers.
	Polls      int       `json:"polls,omitempty"`
	PollErrors int       `json:"poll_errors,omitempty"`
	Rereads    int       `json:"rereads,omitempty"`
	NextPollAt time.Time `json:"next_poll_at,omitzero"`
	LastPoll   string    `json:"last_poll,omitempty"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// FailedNumber is a number that an order did not get, with Bandwidth's code. The code's description stands once,
// among the order's errors (P40).
type FailedNumber struct {
	Number string `json:"number"`
	Code   string `json:"code,omitempty"`
}

// VendorError is an error of Bandwidth's with its own code and description.
type VendorError struct {
	Code        string `json:"code"`
	Description string `json:"description,omitempty"`
}

// purchase returns the purchase n, or nil.
func (r *Record) purchase(n int) *Purchase {
	for i := range r.Purchases {
		if r.Purchases[i].N == n {
			return &r.Purchases[i]
		}
	}
	return nil
}

// order returns the Bandwidth order with this id and its purchase, or nil.
func (r *Record) order(id OrderID) (*Purchase, *VendorOrder) {
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for j := range p.Orders {
			if p.Orders[j].OrderID == id {
				return p, &p.Orders[j]
			}
		}
	}
	return nil, nil
}

// openPost returns the POST that was claimed and not settled, with its purchase, or nil.
func (r *Record) openPost() (*Purchase, *Post) {
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for j := range p.Posts {
			if p.Posts[j].State == PostOpen {
				return p, &p.Posts[j]
			}
		}
	}
	return nil, nil
}

// post returns the POST with this token, or nil.
func (p *Purchase) post(token string) *Post {
	for i := range p.Posts {
		if p.Posts[i].Token == token {
			return &p.Posts[i]
		}
	}
	return nil
}

// unresolved counts the POSTs of which it is not known whether they created an order: those without an answer,
// less the orders found that no answer named.
func (p *Purchase) unresolved() int {
	unknown, named := 0, 0
	for _, post := range p.Posts {
		switch post.State {
		case PostOpen, PostUnknown:
			unknown++
		case PostCreated:
			named++
		}
	}
	return max(0, unknown-(len(p.Orders)-named))
}

// Unresolved reports whether some POST of this order may have bought numbers without our knowing (P20).
func (r *Record) Unresolved() bool {
	for i := range r.Purchases {
		if r.unresolved(&r.Purchases[i]) {
			return true
		}
	}
	return false
}

// unresolved reports whether a POST of this purchase may have bought numbers without our knowing. Where all its
// numbers are held there is nothing left to know: exact numbers are sold once.
func (r *Record) unresolved(p *Purchase) bool {
	return r.inTheDark(p) && !(p.Waived && p.LateLooks >= looksNeeded)
}

// inTheDark is unresolved whether or not somebody took the risk.
func (r *Record) inTheDark(p *Purchase) bool {
	if p.unresolved() == 0 {
		return false
	}
	held := map[string]bool{}
	for _, n := range r.Held() {
		held[n] = true
	}
	return len(p.Numbers) == 0 || slices.ContainsFunc(p.Numbers, func(n string) bool { return !held[n] })
}
