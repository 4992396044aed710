package orders

import (
	"encoding/json"
	"errors"
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
	// LookedN says of a rebuilt record that Bandwidth was asked for each of its orders up to that n which the rebuild left
	// out.
	LookedN int `json:"looked_n,omitempty"`

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
		if p.Reserving != nil {
			claim := *p.Reserving
			p.Reserving = &claim
		}
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

// ErrUnreadable says of a stored record that this program cannot decode it, or must not act on it.
var ErrUnreadable = errors.New("it is left as it is")

// Unmarshal decodes a stored record. Fields that a later version has written are kept, and written back. An error of its
// is an [ErrUnreadable].
func Unmarshal(data []byte) (*Record, error) {
	r := new(Record)
	if err := decodeKeeping(data, r); err != nil {
		return nil, fmt.Errorf("decode order record: %w; %w", err, ErrUnreadable)
	}
	if err := r.checkVersion(); err != nil {
		return nil, fmt.Errorf("%w; %w", err, ErrUnreadable)
	}
	for i := range r.Purchases {
		if p := &r.Purchases[i]; p.AllNumbers {
			p.Numbers, p.AllNumbers = slices.Clone(r.Ask.Numbers), false
		}
	}
	return r, nil
}
