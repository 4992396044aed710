package orders

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// reply is what becomes of one POST.
type reply int

const (
	answered           reply = iota
	lostAfter                // created, no answer
	lostBefore               // not created, no answer
	refusedPost              // 400: nothing created
	unsent                   // no byte left
	limited                  // 429
	createdLate              // created a minute after the client gave up
	secondRejected           // answered 400 with 5005 where the number is taken
	refusedReservation       // answered 400 with 5043
)

// bandwidth models the vendor.
type bandwidth struct {
	w         *world
	script    []reply // one for each POST; answered beyond
	posts     []post
	orders    []*vorder
	foreign   map[string]bool
	listDelay time.Duration
	runFor    time.Duration // how long an order stays RECEIVED
	forbidden bool          // nobody may ask who holds a number
	blind     func() bool   // whether lookups work at all; nil: they do
	unclear   bool          // final orders leave out their numbers
	prepare   func() error
	looks     []bool     // for each look, whether it asked for numbers too
	stock     []string   // what a search lists
	grabs     int        // so many searches are followed by a rival who takes their first number
	finds     []FindFact // answers of the first searches, in place of the stock
	sold      []string   // listed, and not for sale all the same
	later     []string   // comes into stock after restock
	restock   time.Duration
	closes    []CloseFact        // answers of the first attempts to close
	owners    map[string]OrderID // who holds a number, for disconnects
	holders   []HoldersFact      // what the next readings of them give, in place of owners
	keeps     map[string]bool    // numbers that cannot be released
	silent    map[string]bool    // numbers of which a disconnect says nothing; true: that it releases all the same
	goneCode  string             // what is said of a number that nobody holds; empty: that it is not ours
	releases  []disconnect
	rebought  func() // happens after a release whose reply is lost
	rejects   bool   // every order loses all its numbers

	reservations map[string]reservation // that stand, by number
	reserveCalls int
	reserving    []reply       // one for each reservation; answered beyond
	reserveLife  time.Duration // 0: four hours
	noReserving  []VendorError // every reservation is refused with it
	expiresLate  bool          // an order with reservations that have ended is taken, and fails
	unreserved   int
	// keepsReserved reports whether nothing can be given back now; nil: all can be.
	keepsReserved func() bool
	onReserve     func() // happens between a reservation and its answer
	// course gives the word and the errors of a port-in, by its age; nil: SUBMITTED for runFor, then COMPLETE. An empty word
	// means that it does not exist any more.
	course func(o *vorder, age time.Duration) (word string, errs []VendorError)
}

type post struct {
	coid string
	at   time.Time
	sure bool // surely created nothing
}

type vorder struct {
	id      OrderID
	coid    string
	asked   []string
	got     []string
	gone    []string // of which the reservations had ended
	created time.Time
	wanted  int  // of a backorder: how many numbers it waits for; 0 for an order of exact ones
	partial bool // of a backorder: takes what there is
	closed  bool
}

// fill gives a backorder what is in stock by now.
func (b *bandwidth) fill(o *vorder) {
	stock := b.stock
	if b.restock > 0 && time.Since(o.created) >= b.restock {
		stock = append(slices.Clone(stock), b.later...)
	}
	var free []string
	for _, n := range stock {
		if len(o.got)+len(free) < o.wanted && b.holder(n) == "" {
			free = append(free, n)
		}
	}
	if !o.closed && (o.partial || len(o.got)+len(free) == o.wanted) {
		o.got = append(o.got, free...)
	}
}

func (b *bandwidth) holder(n string) string {
	if b.foreign[n] {
		return "foreign"
	}
	for _, o := range b.orders {
		if slices.Contains(o.got, n) && !time.Now().Before(o.created) {
			return o.coid
		}
	}
	return ""
}

func (b *bandwidth) create(p Purchase, at time.Time) *vorder {
	o := &vorder{id: OrderID(fmt.Sprintf("o%d", len(b.orders)+1)), coid: p.CustomerOrderID, asked: p.Numbers, created: at}
	o.gone = b.gone(p)
	for _, n := range p.Numbers {
		if by := b.reservedBy(n); !p.PortIn && b.holder(n) == "" && !b.rejects && !slices.Contains(b.sold, n) && !slices.Contains(o.gone, n) && (by == "" || by == p.Reservations[n]) {
			o.got = append(o.got, n)
			delete(b.reservations, n)
		}
	}
	if p.Criteria != nil {
		o.wanted, o.partial = p.Quantity, p.PartialAllowed
		if !time.Now().Before(at) {
			b.fill(o)
		}
	}
	if len(o.got) < len(p.Numbers) && !p.PartialAllowed && !p.PortIn {
		o.got = nil
	}
	b.orders = append(b.orders, o)
	return o
}

func (b *bandwidth) Prepare(context.Context) error {
	if b.prepare != nil {
		return b.prepare()
	}
	return nil
}

func (b *bandwidth) Place(_ context.Context, p Purchase, sendBy time.Time) PostFact {
	w := b.w
	if w.dies() {
		panic(crashed{})
	}
	if w.onPost != nil {
		w.onPost()
	}
	if !time.Now().Before(sendBy) {
		if w.overtaken {
			return PostFact{Detail: "it was too late to send it"}
		}
		w.violation("a POST after its time (P11)")
	}
	if p.PortIn && len(p.Fields) == 0 {
		w.violation("a port-in is sent without its fields")
	}
	kind := answered
	if len(b.posts) < len(b.script) {
		kind = b.script[len(b.posts)]
	}
	if w.reply != nil {
		kind = w.reply()
	}
	for _, earlier := range b.posts {
		if !earlier.sure && earlier.coid == p.CustomerOrderID && time.Since(earlier.at) < w.settings.SettleWindow {
			w.violation("POST of %s repeated within the settle window (P18)", p.CustomerOrderID)
		}
	}
	b.posts = append(b.posts, post{coid: p.CustomerOrderID, at: time.Now(), sure: kind == refusedPost || kind == unsent || kind == limited})
	if stored, err := w.store.Get(w.t.Context(), testKey); err == nil {
		if q := stored.purchase(p.N); q == nil || !maps.Equal(q.Reservations, p.Reservations) {
			w.violation("the POST of %s names other reservations than the record (P9)", p.CustomerOrderID)
		}
	}
	if len(b.gone(p)) > 0 && !b.expiresLate && (kind == answered || kind == lostAfter || kind == createdLate) {
		kind = refusedReservation
		b.posts[len(b.posts)-1].sure = true
	}
	var f PostFact
	switch kind {
	case refusedReservation:
		f = PostFact{State: PostRefused, Errors: []VendorError{{Code: "5043", Description: "reservation not found"}}, Detail: "400"}
	case answered:
		f = PostFact{State: PostCreated, OrderID: b.create(p, time.Now()).id, Status: "RECEIVED"}
	case lostAfter:
		b.create(p, time.Now())
		time.Sleep(time.Until(sendBy))
		f = PostFact{State: PostUnknown, Detail: "no answer"}
	case createdLate:
		b.create(p, time.Now().Add(w.settings.PostTimeout+time.Minute))
		time.Sleep(time.Until(sendBy))
		f = PostFact{State: PostUnknown, Detail: "no answer"}
	case lostBefore:
		f = PostFact{State: PostUnknown, Detail: "no answer"}
	case refusedPost:
		f = PostFact{State: PostRefused, Errors: []VendorError{{Code: "5016", Description: "bad site"}}, Detail: "400"}
	case secondRejected:
		f = PostFact{State: PostRefused, Errors: []VendorError{{Code: "5005", Description: "taken"}}, Detail: "400"}
	case unsent:
		f = PostFact{Detail: "dial: refused"}
	case limited:
		f = PostFact{Detail: "429", Paused: true, RetryAt: w.clock.Now().Add(time.Minute)}
	}
	if w.dies() {
		panic(crashed{})
	}
	return f
}

func (b *bandwidth) Poll(_ context.Context, id OrderID) PollFact {
	if b.w.dies() {
		panic(crashed{})
	}
	if b.w.onPoll != nil {
		b.w.onPoll()
	}
	if b.w.pollFails > 0 {
		b.w.pollFails--
		return PollFact{Failed: true, Detail: "500"}
	}
	i := slices.IndexFunc(b.orders, func(o *vorder) bool { return o.id == id })
	if i < 0 {
		return PollFact{Failed: true, Detail: "404"}
	}
	o := b.orders[i]
	f := PollFact{CustomerOrderID: o.coid, Status: "RECEIVED"}
	if time.Since(o.created) < b.runFor {
		return f
	}
	if o.wanted > 0 {
		b.fill(o)
		n := len(o.got)
		f.CompletedQuantity, f.Completed = &n, slices.Clone(o.got)
		switch {
		case n == o.wanted:
			f.Status = "COMPLETE"
		case !o.closed:
			f.Status = "BACKORDERED"
		case n > 0:
			f.Status = "PARTIAL"
		default:
			f.Status = "FAILED"
		}
		return f
	}
	n := len(o.got)
	f.CompletedQuantity, f.Completed = &n, slices.Clone(o.got)
	switch {
	case n == len(o.asked):
		f.Status = "COMPLETE"
	case n > 0:
		f.Status = "PARTIAL"
	default:
		f.Status = "FAILED"
	}
	if b.unclear && n > 0 {
		f.Completed = nil
	}
	for _, number := range o.asked {
		if !slices.Contains(o.got, number) {
			code := "5005"
			if slices.Contains(o.gone, number) {
				code = "5043"
			}
			f.FailedNumbers = append(f.FailedNumbers, FailedNumber{Number: number, Code: code})
			f.Errors = []VendorError{{Code: code, Description: "taken"}}
		}
	}
	return f
}

// Close closes a backorder; of another order Bandwidth says 5060, which means that it waits no more.
func (b *bandwidth) Close(_ context.Context, _ Purchase, id OrderID) CloseFact {
	if b.w.dies() {
		panic(crashed{})
	}
	if len(b.closes) > 0 {
		f := b.closes[0]
		b.closes = b.closes[1:]
		return f
	}
	for _, o := range b.orders {
		if o.id == id && o.wanted > len(o.got) {
			o.closed = true
		}
	}
	if b.w.dies() {
		panic(crashed{})
	}
	return CloseFact{Closed: true}
}

// Find sells what is in stock and nobody holds; a rival takes the first of them, as often as grabs says.
func (b *bandwidth) Find(_ context.Context, _ []byte, quantity int, tried []string) FindFact {
	if b.w.dies() {
		panic(crashed{})
	}
	if len(b.finds) > 0 {
		f := b.finds[0]
		b.finds = b.finds[1:]
		return f
	}
	var f FindFact
	for _, n := range b.stock {
		if len(f.Numbers) < quantity && b.holder(n) == "" && b.reservedBy(n) == "" && !slices.Contains(tried, n) {
			f.Numbers = append(f.Numbers, n)
		}
	}
	if b.grabs > 0 && len(f.Numbers) > 0 {
		b.grabs--
		b.foreign[f.Numbers[0]] = true
	}
	return f
}

func (b *bandwidth) Look(_ context.Context, p Purchase, probe bool) LookFact {
	if b.w.dies() {
		panic(crashed{})
	}
	b.looks = append(b.looks, probe)
	if b.blind != nil && b.blind() {
		return LookFact{Detail: "404 and no positive control"}
	}
	f := LookFact{Counted: true}
	for _, o := range b.orders {
		if o.coid == p.CustomerOrderID && time.Since(o.created) >= b.listDelay {
			f.Found = append(f.Found, FoundOrder{OrderID: o.id, CustomerOrderID: o.coid, Status: "RECEIVED"})
		}
	}
	if !probe || len(f.Found) > 0 || p.PortIn {
		return f
	}
	if b.forbidden {
		f.NumbersForbidden = true
		return f
	}
	for _, n := range p.Numbers {
		for _, o := range b.orders {
			if slices.Contains(o.got, n) && !time.Now().Before(o.created) {
				f.Found = append(f.Found, FoundOrder{OrderID: o.id, CustomerOrderID: o.coid})
			}
		}
		if b.foreign[n] {
			f.Found = append(f.Found, FoundOrder{OrderID: "foreign-" + OrderID(n), CustomerOrderID: "somebody else's"})
		}
	}
	return f
}
