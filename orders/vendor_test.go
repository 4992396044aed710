package orders

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// reply is what becomes of one POST.
type reply int

const (
	answered       reply = iota
	lostAfter            // created, no answer
	lostBefore           // not created, no answer
	refusedPost          // 400: nothing created
	unsent               // no byte left
	limited              // 429
	createdLate          // created a minute after the client gave up
	secondRejected       // answered 400 with 5005 where the number is taken
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
	looks     []bool // for each look, whether it asked for numbers too
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
	created time.Time
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
	for _, n := range p.Numbers {
		if b.holder(n) == "" {
			o.got = append(o.got, n)
		}
	}
	if len(o.got) < len(p.Numbers) && !p.PartialAllowed {
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
	var f PostFact
	switch kind {
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
			f.FailedNumbers = append(f.FailedNumbers, FailedNumber{Number: number, Code: "5005"})
			f.Errors = []VendorError{{Code: "5005", Description: "taken"}}
		}
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
	if !probe || len(f.Found) > 0 {
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
