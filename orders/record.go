package orders

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// ID is an order's key: 20 characters of lower-case base32, derived from the subject prefix, tenant and request id.
type ID string

// OrderID is the id that Bandwidth gave to one of its orders.
type OrderID string

// Kind is what a request asks for, by its name on the bus.
type Kind string

// The kinds that have a record. Searches have none.
const (
	Provision Kind = "provision"
	// Disconnect gives numbers back.
	Disconnect Kind = "disconnect"
	// Cancel closes another order; it buys nothing itself.
	Cancel Kind = "cancel"
	// PortIn brings numbers here from another carrier.
	PortIn Kind = "portin"
)

// known reports whether this version knows what to do with orders of the kind.
func (k Kind) known() bool { return k == Provision || k == Disconnect || k == Cancel || k == PortIn }

// Record is everything we know about one request, over all its generations: facts, from which [StateOf] computes
// the state and [Next] the next step. It is stored as JSON and changed only by compare-and-set. The zero value is
// not a usable record; [NewRecord] makes one.
type Record struct {
	// Version is the least version that a program must know to act on the record.
	Version   int    `json:"v"`
	Key       ID     `json:"key"`
	RequestID string `json:"request_id"`
	Tenant    string `json:"tenant,omitempty"`
	Kind      Kind   `json:"kind"`
	// Subject is the subject the request came in on; replays go there.
	Subject string `json:"subject"`
	// Sandbox is stamped at intake and never changes: a sandbox record pretends for ever (P31).
	Sandbox    bool      `json:"sandbox,omitempty"`
	AcceptedAt time.Time `json:"accepted_at"`
	// Metadata comes back in every event.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Headers of the request that travel on, such as traceparent.
	Headers map[string]string `json:"headers,omitempty"`

	// Generation is 1, then one more for each replay.
	Generation int `json:"generation"`
	// Hashes holds the content hash of each generation's request, the first generation's first (P25).
	Hashes    []string  `json:"hashes"`
	StartedAt time.Time `json:"started_at"`
	// Ask is what this generation asks for.
	Ask Ask `json:"ask"`
	// HeldBefore counts the numbers that were held when this generation began; criteria ask for more than those.
	HeldBefore int `json:"held_before,omitempty"`
	// Dry says that this generation's last search found too little to order.
	Dry bool `json:"dry,omitempty"`
	// SearchErrors are Bandwidth's where it refuses this generation's search.
	SearchErrors []VendorError `json:"search_errors,omitempty"`
	// Pretended are the numbers that a sandbox order found by its criteria and pretends to have bought, over all
	// generations.
	Pretended []string `json:"pretended,omitempty"`
	// Body is this generation's request as it was published. It is dropped once the outcome is published.
	Body json.RawMessage `json:"body,omitempty"`

	// Purchases are the Bandwidth orders of this request over all generations, by their n (P14, P21a).
	Purchases []Purchase `json:"purchases,omitempty"`
	// Releases are the disconnects of this request, over all generations (P34). Pins tell, by number, which Bandwidth
	// order held it when it was first meant; Released are the numbers that were given back, over all generations, and
	// Refused those of this generation that were not, by code.
	Releases []Release           `json:"releases,omitempty"`
	Pins     map[string]string   `json:"pins,omitempty"`
	Released []string            `json:"released,omitempty"`
	Refused  map[string][]string `json:"refused,omitempty"`
	// LastN is the greatest n of the purchases that were dropped from the record (P14).
	LastN int `json:"last_n,omitempty"`
	// Late holds facts that came in after the outcome was written; the next generation takes them up (P15).
	Late []LateFact `json:"late,omitempty"`
	// RebuiltAt is when Bandwidth orders of this request were taken from the vendor's own list, because the ledger did
	// not know them; zero for never.
	RebuiltAt time.Time `json:"rebuilt_at,omitzero"`

	// Cancel is the wish to close this order; nil for none. CancelledBy names the cancels that ended earlier
	// generations.
	Cancel      *CancelWish `json:"cancel,omitempty"`
	CancelledBy []ID        `json:"cancelled_by,omitempty"`

	// Retries counts transport failures that surely bought nothing; RetryFor is how long they have lasted (P22).
	Retries   int           `json:"retries,omitempty"`
	RetryFor  time.Duration `json:"retry_for,omitempty"`
	RetriedAt time.Time     `json:"retried_at,omitzero"`
	// NotBefore holds back the next POST.
	NotBefore time.Time `json:"not_before,omitzero"`

	// Submitted and Backordered count the intermediate events of this generation (P23).
	Submitted   int `json:"submitted,omitempty"`
	Backordered int `json:"backordered,omitempty"`

	// Outcome is nil until this generation has ended.
	Outcome *Outcome `json:"outcome,omitempty"`
	// StaleLetters are stream sequences of dead letters that a replay has made obsolete (P26).
	StaleLetters []uint64 `json:"stale_letters,omitempty"`
	History      []Entry  `json:"history,omitempty"`

	// Revision is the store's revision that this record was read at or written as.
	Revision uint64 `json:"-"`
	// WrittenAt is the server's time of that write; zero when it was not read back since.
	WrittenAt time.Time `json:"-"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// Ask is what one generation asks for.
type Ask struct {
	// Numbers are the ones that are named; empty where Criteria say which are wanted.
	Numbers []string `json:"numbers,omitempty"`
	// Criteria say which numbers are wanted; nil where they are named. Only the carrier looks into them.
	Criteria json.RawMessage `json:"criteria,omitempty"`
	// Quantity is how many are wanted, with Criteria.
	Quantity int `json:"quantity,omitempty"`
	// Backorder waits for stock at Bandwidth, with Criteria: Bandwidth chooses the numbers.
	Backorder bool `json:"backorder,omitempty"`
	// Reserve holds the numbers by reservations before they are ordered.
	Reserve bool `json:"reserve,omitempty"`
	// Mode and Protected are a disconnect's, in the request's words; empty where it does not say.
	Mode      string `json:"mode,omitempty"`
	Protected string `json:"protected,omitempty"`
	// PortIn are the fields of a port-in's order beside its numbers, site and peer. Only the carrier looks into them. They
	// hold secrets, and are dropped with Body once the outcome is published.
	PortIn json.RawMessage `json:"port_in,omitempty"`
	// Draft holds a port-in at Bandwidth until it is submitted there.
	Draft bool `json:"draft,omitempty"`
	// CarrierModule is whom the numbers of a port-in are registered with.
	CarrierModule string `json:"carrier_module,omitempty"`
	// Target is the order that a cancel closes, TargetGeneration the one that it found it in.
	Target           ID  `json:"target,omitempty"`
	TargetGeneration int `json:"target_generation,omitempty"`

	SiteID         string `json:"site_id,omitempty"`
	PeerID         string `json:"peer_id,omitempty"`
	PartialAllowed bool   `json:"partial_allowed"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

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
	// ArrivedAt is when a port-in was first read as complete, by the server's clock.
	ArrivedAt time.Time `json:"arrived_at,omitzero"`
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

// LateFact is a Bandwidth order that became known after the generation's outcome was written.
type LateFact struct {
	N int `json:"n"`
	// Token names the claim whose answer this is; empty where the vendor's list showed the order.
	Token   string  `json:"token"`
	OrderID OrderID `json:"order_id"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// Outcome is how a generation ended.
type Outcome struct {
	// Outcome is completed, partial or failed.
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
	// Detail is a sentence for the person who reads it.
	Detail string `json:"detail,omitempty"`
	// Sequence is the revision of the write that made this outcome; 0 until the next write, when it is the
	// record's revision (P29).
	Sequence uint64 `json:"sequence,omitempty"`
	// Published says that the event and the dead letter, if any, are on the bus (P23).
	Published bool `json:"published,omitempty"`
	// LetterSequence is the dead letter's own stream sequence; 0 where there is none (P26).
	LetterSequence uint64 `json:"letter_sequence,omitempty"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// Entry is a line of an order's history.
type Entry struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitempty"`
	// Later holds the fields of a later version, as they were read.
	Later map[string]json.RawMessage `json:"-"`
}

// maxHistory bounds the history; the oldest entries but the first are dropped.
const maxHistory = 60

func (r *Record) note(at time.Time, what, detail string) {
	r.History = append(r.History, Entry{At: at.UTC(), What: what, Detail: clip(detail, maxDetail)})
	if len(r.History) > maxHistory {
		r.History = slices.Delete(r.History, 1, 1+len(r.History)-maxHistory)
	}
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
	if p.unresolved() == 0 || p.Waived && p.LateLooks >= looksNeeded {
		return false
	}
	held := map[string]bool{}
	for _, n := range r.Held() {
		held[n] = true
	}
	return len(p.Numbers) == 0 || slices.ContainsFunc(p.Numbers, func(n string) bool { return !held[n] })
}

// OutcomeSequence returns the revision of the write that made the outcome (P29), 0 while there is none.
func (r *Record) OutcomeSequence() uint64 {
	switch {
	case r.Outcome == nil:
		return 0
	case r.Outcome.Sequence != 0:
		return r.Outcome.Sequence
	default:
		return r.Revision
	}
}

// keepSequence notes the revision of the write that made the outcome before the next write (P29).
func (r *Record) keepSequence() {
	if r.Outcome != nil && r.Outcome.Sequence == 0 {
		r.Outcome.Sequence = r.Revision
	}
}

// Clone returns a deep copy.
func (r *Record) Clone() *Record {
	c := *r
	c.Hashes = slices.Clone(r.Hashes)
	c.Purchases = slices.Clone(r.Purchases)
	for i := range c.Purchases {
		p := &c.Purchases[i]
		p.Posts = slices.Clone(p.Posts)
		p.Orders = slices.Clone(p.Orders)
		p.Reservations, p.Taken = maps.Clone(p.Reservations), slices.Clone(p.Taken)
	}
	c.Late = slices.Clone(r.Late)
	c.StaleLetters = slices.Clone(r.StaleLetters)
	c.History = slices.Clone(r.History)
	c.Releases, c.Released = slices.Clone(r.Releases), slices.Clone(r.Released)
	c.Pins, c.Refused = maps.Clone(r.Pins), maps.Clone(r.Refused)
	for code, numbers := range c.Refused {
		c.Refused[code] = slices.Clone(numbers)
	}
	c.CancelledBy = slices.Clone(r.CancelledBy)
	if r.Cancel != nil {
		wish := *r.Cancel
		c.Cancel = &wish
	}
	if r.Outcome != nil {
		o := *r.Outcome
		c.Outcome = &o
	}
	return &c
}

// Marshal encodes the record for the store.
func (r *Record) Marshal() ([]byte, error) {
	c := *r
	c.Version = r.version()
	c.Purchases = slices.Clone(r.Purchases)
	for i := range c.Purchases {
		p := &c.Purchases[i]
		if len(p.Numbers) > 0 && slices.Equal(p.Numbers, c.Ask.Numbers) { // P40
			p.Numbers, p.AllNumbers = nil, true
		}
	}
	data, err := json.Marshal(&c)
	if err != nil || !r.keepsLater() {
		return data, err
	}
	return withLater(reflect.ValueOf(&c), data)
}

// Unmarshal decodes a stored record. Fields that a later version has written are kept, and written back.
func Unmarshal(data []byte) (*Record, error) {
	r := new(Record)
	if err := decodeKeeping(data, r); err != nil {
		return nil, fmt.Errorf("decode order record: %w", err)
	}
	if err := r.checkVersion(); err != nil {
		return nil, err
	}
	for i := range r.Purchases {
		if p := &r.Purchases[i]; p.AllNumbers {
			p.Numbers, p.AllNumbers = slices.Clone(r.Ask.Numbers), false
		}
	}
	return r, nil
}
