package orders

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// PostFact is what came of a POST. Exactly one of the cases holds.
type PostFact struct {
	// State is created, refused or unknown; empty means that nothing was created and the same intent may be sent
	// again: put the claim back (P13).
	State PostState
	// OrderID is Bandwidth's id of the created order.
	OrderID OrderID
	// Status is Bandwidth's word in the answer to the POST, if any.
	Status string
	// Errors are Bandwidth's own. A port-in that was created may carry some: it can be mended.
	Errors []VendorError
	// Detail says in a sentence what happened.
	Detail string
	// Paused says that the whole fleet's purchases are held back (401, 403, 404, 429, account locked): time spent so
	// does not count towards giving up (P22).
	Paused bool
	// RetryAt is when the same intent may be sent again; zero: by backoff.
	RetryAt time.Time
}

// PollFact is what one poll of a Bandwidth order gave.
type PollFact struct {
	// ID names this poll, so that it is never counted twice.
	ID      string
	OrderID OrderID
	// Failed says that the poll could not read the order: nothing changes but the next time.
	Failed bool
	// Gone says that the order does not exist, by a client that reads what surely exists (P16).
	Gone   bool
	Detail string
	// CustomerOrderID is the order's own, empty where the answer left it out.
	CustomerOrderID   string
	Status            string
	Completed         []string
	CompletedQuantity *int
	FailedNumbers     []FailedNumber
	Errors            []VendorError
}

// LookFact is what one look for an intent's orders gave (P16, P17).
type LookFact struct {
	// ID names this look, so that it is never counted twice.
	ID string
	N  int
	// Counted says that Bandwidth was truly asked: each question was answered, under a positive control.
	Counted bool
	// NumbersForbidden says that Bandwidth does not let us ask who holds a number.
	NumbersForbidden bool
	// RetryAt is when Bandwidth may be asked again; zero: by backoff.
	RetryAt time.Time
	// Found are the orders that the look came upon, ours or not.
	Found  []FoundOrder
	Detail string
}

// FindFact is what a search by an order's criteria gave.
type FindFact struct {
	// Numbers are for sale, as far as is known; at most as many as were asked for.
	Numbers []string
	// Refused says that Bandwidth refuses the search, with its Errors: the same search would be refused again.
	Refused bool
	Errors  []VendorError
	// Failed says that Bandwidth could not be asked; it is asked again at RetryAt, or by backoff.
	Failed  bool
	RetryAt time.Time
	// Paused says that the time until then does not count towards giving up (P22).
	Paused bool
	Detail string
}

// FoundOrder is an order that a look came upon.
type FoundOrder struct {
	OrderID         OrderID
	CustomerOrderID string
	Status          string
}

// claim adds a POST to purchase n; the caller writes the record by compare-and-set before it sends anything (P9).
func (r *Record) claim(n int, token string, at, now time.Time) {
	p := r.purchase(n)
	p.Posts = append(p.Posts, Post{Token: token, At: at.UTC().Round(0), Generation: r.Generation, ClaimedAt: now.UTC().Round(0)})
	r.note(now, "submitting", p.CustomerOrderID)
}

// plan adds the next purchase, of the numbers given.
func (r *Record) plan(names Namer, numbers []string) *Purchase {
	n := r.LastN + 1
	for _, p := range r.Purchases {
		n = max(n, p.N+1)
	}
	// P14: each intent has its own customer order id, counted over all generations.
	p := Purchase{
		N: n, Generation: r.Generation, CustomerOrderID: names.CustomerOrderID(r.Key, n), Name: names.Name(r.Key),
		Numbers: numbers, SiteID: r.Ask.SiteID, PeerID: r.Ask.PeerID, PartialAllowed: r.Ask.PartialAllowed, Reserve: r.reserves(),
	}
	if r.Ask.Backorder && len(numbers) == 0 {
		p.Criteria, p.Quantity = r.Ask.Criteria, r.Short()
	}
	if r.Kind == PortIn {
		p.PortIn, p.CarrierModule, p.Name = true, r.Ask.CarrierModule, "" // a port-in has no name at Bandwidth
	}
	r.Purchases = append(r.Purchases, p)
	return &r.Purchases[len(r.Purchases)-1]
}

// settle records what came of the POST that was claimed with token. It may come late, after others have written: it
// is merged as a fact (P15). It reports whether the record changed.
func (r *Record) settle(n int, token string, f PostFact, s Settings, now time.Time) bool {
	p := r.purchase(n)
	if p == nil {
		return false
	}
	post := p.post(token)
	if post == nil || post.State == f.State && post.State != PostOpen || post.State == PostCreated || post.State == PostRefused {
		return false
	}
	if r.Outcome != nil {
		// The outcome is written and may be published: it stays. The next generation takes this up.
		if f.State != PostCreated || slices.ContainsFunc(r.Late, func(l LateFact) bool { return l.Token == token }) {
			return false
		}
		r.Late = append(r.Late, LateFact{N: n, Token: token, OrderID: f.OrderID})
		r.note(now, "late", fmt.Sprintf("Bandwidth order %s became known after the outcome", f.OrderID))
		return true
	}
	switch f.State {
	case PostOpen:
		// P13: surely not sent, or surely not created and free to be sent again. That is certain even where someone
		// took the claim for lost meanwhile.
		p.Posts = slices.DeleteFunc(p.Posts, func(x Post) bool { return x.Token == token })
		r.postponed(f, s, now)
	case PostUnknown:
		post.State = PostUnknown
		p.restartLooks(now)
		r.note(now, "unknown", f.Detail)
	case PostRefused:
		post.State, post.Errors = PostRefused, keep(f.Errors)
		r.note(now, "refused", f.Detail)
		r.spaceTopUps(s, now)
		r.distrust(now)
	case PostCreated:
		post.State, post.OrderID = PostCreated, f.OrderID
		if p.adopt(f.OrderID, f.Status, s, now) && p.PortIn {
			p.Orders[len(p.Orders)-1].Errors = keep(f.Errors)
		}
		r.Submitted++
		r.note(now, "submitted", string(f.OrderID))
	}
	return true
}

// postponed counts a try that surely bought nothing.
func (r *Record) postponed(f PostFact, s Settings, now time.Time) {
	r.Retries++
	wait := s.retryDelay(r.Retries)
	switch {
	case f.Paused:
		wait = s.PollMinInterval
	case !r.Unresolved():
		// P22: only time spent trying counts, not pauses in between: an interval counts at most twice its plan. While a
		// POST is unresolved nothing counts.
		if !r.RetriedAt.IsZero() {
			r.RetryFor += min(max(0, now.Sub(r.RetriedAt)), 2*wait)
		}
		r.RetriedAt = now
	}
	r.NotBefore = now.Add(wait)
	if f.RetryAt.After(r.NotBefore) {
		r.NotBefore = f.RetryAt
	}
	// A fleet that is held back tries each order again and again; one line of history is enough.
	if len(r.History) == 0 || r.History[len(r.History)-1].Detail != f.Detail {
		r.note(now, "postponed", f.Detail)
	}
}

// enough reports whether a search found numbers to order.
func (f FindFact) enough(wanted int, partial bool) bool {
	return !f.Refused && !f.Failed && len(f.Numbers) > 0 && (partial || len(f.Numbers) >= wanted)
}

// searched records a search that found too little to order.
func (r *Record) searched(f FindFact, s Settings, now time.Time) bool {
	if r.Outcome != nil {
		return false
	}
	switch {
	case f.Refused:
		r.SearchErrors = keep(f.Errors)
		r.note(now, "search refused", f.Detail)
	case f.Failed:
		r.postponed(PostFact{Detail: f.Detail, Paused: f.Paused, RetryAt: f.RetryAt}, s, now)
	default:
		r.Dry = true
		r.note(now, "searched", fmt.Sprintf("found %d numbers, with %d missing", len(f.Numbers), r.Short()))
	}
	return true
}

// pretended records what a sandbox order found by its criteria.
func (r *Record) pretended(f FindFact, s Settings, now time.Time) bool {
	if r.Outcome != nil || !f.enough(r.Short(), r.Ask.PartialAllowed) {
		return r.searched(f, s, now)
	}
	r.Pretended = append(slices.Clone(r.Pretended), f.Numbers...)
	r.Dry = r.Short() > 0
	return true
}

// expire marks a claim whose time has passed without an answer as unknown (P12).
func (r *Record) expire(n int, token string, now time.Time) bool {
	p := r.purchase(n)
	if p == nil {
		return false
	}
	post := p.post(token)
	if post == nil || post.State != PostOpen {
		return false
	}
	post.State = PostUnknown
	p.restartLooks(now)
	p.UnknownSince = r.WrittenAt // the server's time of the claim's write, or of a later one
	r.note(now, "unknown", "the worker that placed the order did not record an answer in time")
	return true
}

// restartLooks begins to look anew after a claim of unknown outcome.
func (p *Purchase) restartLooks(now time.Time) {
	p.UnknownSince, p.NumbersForbidden = time.Time{}, false
	p.Looks, p.LateLooks, p.LookTries, p.NextLookAt = 0, 0, 0, now
}

// distrust asks for fresh looks after something failed at Bandwidth: an unavailable number may be held by our own
// earlier POST (P19), so what was looked at before does not count for the verdict.
func (r *Record) distrust(now time.Time) {
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.unresolved() > 0 {
			p.LateLooks, p.LookTries, p.NextLookAt = 0, 0, now
		}
	}
}

// adopt adds a Bandwidth order to the purchase. An order that is known already stays as it is.
func (p *Purchase) adopt(id OrderID, status string, s Settings, now time.Time) bool {
	if slices.ContainsFunc(p.Orders, func(o VendorOrder) bool { return o.OrderID == id }) {
		return false
	}
	next := now.Add(s.PollMinInterval)
	if phase, _ := p.phase(status, nil); phase == Done {
		next = now // there is something to read at once
	}
	p.Orders = append(p.Orders, VendorOrder{OrderID: id, Status: clip(status, maxWord), NextPollAt: next})
	return true
}

// looked records a look that began at a time of the server's that had surely passed (P16). Only an order whose customer
// order id equals the intent's, exactly, is adopted (P17). A look counts for what was unknown when it began: others may
// have sent a second POST since.
func (r *Record) looked(f LookFact, s Settings, began, now time.Time) bool {
	p := r.purchase(f.N)
	if p == nil || p.LastLook == f.ID || r.Outcome != nil {
		return false
	}
	p.LastLook = f.ID
	if p.UnknownSince.IsZero() {
		p.UnknownSince = r.WrittenAt // server time of the write that made it unknown, or of a later one (P38)
	}
	p.LookTries++
	p.NextLookAt = now.Add(s.lookDelay(p.LookTries))
	p.NumbersForbidden = p.NumbersForbidden || f.NumbersForbidden // P18 needs five looks that could ask for the numbers
	found := false
	for _, o := range f.Found {
		if o.CustomerOrderID == p.CustomerOrderID && p.adopt(o.OrderID, o.Status, s, now) {
			found = true
			r.Submitted++
			r.note(now, "found", string(o.OrderID))
		}
	}
	if f.Counted && !found && !p.UnknownSince.IsZero() && !began.Before(p.UnknownSince) {
		p.Looks++
		if !began.Before(p.UnknownSince.Add(s.SettleWindow)) {
			p.LateLooks++
		}
	}
	return true
}

// preLooked records the look before a first POST (P33): a look that truly looked and found nothing frees the POST.
func (r *Record) preLooked(f LookFact, s Settings, now time.Time) bool {
	p := r.purchase(f.N)
	if p == nil || p.LastLook == f.ID || r.Outcome != nil || len(p.Posts) > 0 {
		return false
	}
	p.LastLook = f.ID
	for _, o := range f.Found {
		if o.CustomerOrderID == p.CustomerOrderID && p.adopt(o.OrderID, o.Status, s, now) {
			r.Submitted++
			r.note(now, "found", string(o.OrderID)+", though this ledger had no record of it")
		}
	}
	if f.Counted {
		p.PreLooked = true
		return true
	}
	r.postponed(PostFact{Detail: f.Detail, Paused: true}, s, now)
	if r.NotBefore = now.Add(s.retryDelay(r.Retries)); f.RetryAt.After(r.NotBefore) {
		r.NotBefore = f.RetryAt
	}
	return true
}

// polled records a poll. Nothing but a final status with its numbers ends an order (P24).
func (r *Record) polled(f PollFact, s Settings, now time.Time) bool {
	p, o := r.order(f.OrderID)
	if o == nil || o.Final || o.LastPoll == f.ID || r.Outcome != nil {
		return false
	}
	o.LastPoll = f.ID
	if f.Gone && r.isDraft(p, o) {
		return r.dropped(o, s, now)
	}
	if f.Failed || f.Gone || f.CustomerOrderID != "" && f.CustomerOrderID != p.CustomerOrderID {
		o.PollErrors++
		o.NextPollAt = now.Add(s.pollDelay(o.Polls+o.PollErrors, Pending))
		return true
	}
	o.PollErrors, o.Gone = 0, 0
	f.Status, f.Errors = clip(f.Status, maxWord), keep(f.Errors)
	if o.Status != f.Status {
		r.note(now, "status", f.Status)
	}
	before, _ := p.phase(o.Status, o.Errors)
	if o.Polls == 0 {
		before = Pending // the word came with a look or a POST's answer, and nobody was told yet
	}
	unclear := p.unclear(f)
	if p.PortIn {
		f.Completed = f.withoutFailed()
	}
	had := len(o.Completed)
	o.Polls++
	moved := p.PortIn && (o.Status != f.Status || !sameCodes(o.Errors, f.Errors))
	o.Status, o.Errors = f.Status, f.Errors
	phase, _ := p.phase(f.Status, f.Errors)
	if len(f.Completed) > 0 {
		o.Completed = f.Completed
	}
	if p.Criteria != nil {
		o.arrived(f.Completed, now)
	}
	o.NextPollAt = now.Add(s.pollDelay(o.Polls, phase))
	if phase == Waiting && (before != Waiting || len(o.Completed) > had) {
		r.Backordered++ // it waits now, or some numbers have come
	}
	if phase != Done {
		if moved {
			r.portInMoved(o, now)
		}
		return true
	}
	if unclear {
		if o.Rereads++; o.Rereads <= rereadsAllowed {
			return true
		}
		o.Unclear = true
		r.note(now, "unclear", fmt.Sprintf("Bandwidth order %s is %s, but not which numbers it bought", o.OrderID, f.Status))
	}
	o.Final = true
	if !o.Unclear {
		o.Completed = f.Completed // the final word counts, whatever the order listed on its way (P24)
	}
	got := map[string]bool{}
	for _, n := range o.Completed {
		got[n] = true
	}
	codes := map[string]string{}
	for _, n := range f.FailedNumbers {
		codes[n.Number] = clip(n.Code, maxWord)
	}
	o.Failed = nil
	for _, n := range p.Numbers {
		if code := codes[n]; !got[n] && code != "" {
			if o.Failed == nil {
				o.Failed = map[string][]string{}
			}
			o.Failed[code] = append(o.Failed[code], n)
		}
	}
	if len(got) < len(p.Numbers) || o.Unclear {
		r.distrust(now)
	}
	r.spaceTopUps(s, now)
	return true
}

// spaceTopUps puts a wait between orders by criteria that bring nothing.
func (r *Record) spaceTopUps(s Settings, now time.Time) {
	if n := r.barren(); r.Ask.Criteria != nil && n > 0 {
		r.NotBefore = now.Add(s.retryDelay(n))
	}
}

// finish writes the outcome of this generation.
func (r *Record) finish(o Outcome) bool {
	if r.Outcome != nil {
		return false
	}
	r.Outcome = &o
	r.note(o.At, o.Outcome, o.Reason)
	return true
}

// published marks the outcome's event and letter as on the bus, and lets go of what only they needed (P23).
func (r *Record) published(letter uint64) bool {
	if r.Outcome == nil || r.Outcome.Published {
		return false
	}
	r.Outcome.Published, r.Outcome.LetterSequence = true, letter
	r.Body, r.Ask.PortIn = nil, nil // both may hold secrets
	return true
}

// arrived notes when a backorder's numbers were first listed. The map is never changed in place: copies of the record
// share it.
func (o *VendorOrder) arrived(numbers []string, now time.Time) {
	arrived := maps.Clone(o.Arrived)
	for _, n := range numbers {
		if _, known := arrived[n]; !known {
			if arrived == nil {
				arrived = map[string]int64{}
			}
			arrived[n] = now.Unix()
		}
	}
	o.Arrived = arrived
}
