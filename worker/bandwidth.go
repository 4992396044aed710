package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

const (
	// controlLife is how long a read of something that surely exists vouches for this client's other reads (P16).
	controlLife = time.Minute
	// maxProbes bounds the numbers that one look asks for (P17).
	maxProbes = 5
	// maxUnnamed bounds the orders without a customer order id in a list that one look reads.
	maxUnnamed = 20
	// codeLocked is Bandwidth's "account locked": a person has to unlock it.
	codeLocked = "5012"
)

// carrier adapts the Bandwidth client to [orders.Carrier]. It alone knows both.
type carrier struct {
	client  *bwclient.Client
	control *Control
	clock   *orders.ServerClock
	site    string
	sandbox bool
	writes  *pace
	reads   *pace
	metrics *Metrics
	// searcher finds numbers, picked remembers which of them this worker's own orders are after (P37).
	searcher *searcher
	picked   picked

	mu        sync.Mutex
	controlAt time.Time // when this client last read something that surely exists
}

var _ orders.Carrier = (*carrier)(nil)

// Prepare waits for pace and access token, and asks whether the fleet may order at all (P8).
func (c *carrier) Prepare(ctx context.Context) error {
	if c.sandbox {
		return errors.New("this worker is a sandbox: no purchase leaves it")
	}
	return c.prepare(ctx, GroupOrder)
}

func (c *carrier) prepare(ctx context.Context, group Group) error {
	if err := c.writes.wait(ctx, c.clock); err != nil {
		return err
	}
	if err := c.control.Enter(ctx, group); err != nil {
		return err
	}
	return c.authorize(ctx, group)
}

// authorize waits for the access token of a call of the group.
func (c *carrier) authorize(ctx context.Context, group Group) error {
	err := c.client.Authorize(ctx)
	if bwclient.IsCredentials(err) {
		why := fmt.Sprintf("Bandwidth refuses the credentials: %v", err)
		c.control.Refused(ctx, group, why)
		return &orders.HoldError{Until: c.clock.Now().Add(c.control.probeEvery), Why: why}
	}
	return err
}

// Place sends the POST once and classifies its answer.
func (c *carrier) Place(ctx context.Context, p orders.Purchase, sendBy time.Time) orders.PostFact {
	fact := c.post(ctx, p, sendBy)
	state := string(fact.State)
	if fact.State == orders.PostOpen {
		state = "put back"
	}
	c.metrics.posts.WithLabelValues(state).Inc()
	return fact
}

func (c *carrier) post(ctx context.Context, p orders.Purchase, sendBy time.Time) orders.PostFact {
	if c.sandbox {
		return orders.PostFact{Detail: "this worker is a sandbox: no purchase leaves it"}
	}
	if p.PortIn {
		return c.postPortIn(ctx, p, sendBy)
	}
	o, err := orderOf(p)
	if err != nil {
		return unsendable(err)
	}
	created, err := c.client.CreateOrder(ctx, o, sendBy)
	return c.answer(ctx, GroupOrder, created, err)
}

// unsendable is what becomes of a purchase that cannot be made an order of.
func unsendable(err error) orders.PostFact {
	return orders.PostFact{State: orders.PostRefused, Detail: err.Error(), Errors: []orders.VendorError{{Description: err.Error()}}}
}

// orderOf returns the order of a purchase.
func orderOf(p orders.Purchase) (bwclient.Order, error) {
	o := bwclient.Order{
		CustomerOrderID: p.CustomerOrderID, Name: p.Name, SiteID: p.SiteID, PeerID: p.PeerID,
		Numbers: p.Numbers, PartialAllowed: p.PartialAllowed, Reservations: reservationsOf(p),
	}
	if p.Criteria == nil {
		return o, nil
	}
	search, err := searchOrderOf(p.Criteria, p.Quantity)
	o.Search, o.BackOrderRequested = search, true
	return o, err
}

// answer classifies what a POST of a group gave. One that was taken, or refused for what it asks for, ends a pause of the
// group.
func (c *carrier) answer(ctx context.Context, group Group, created bwclient.Created, err error) orders.PostFact {
	fact := c.classify(ctx, group, created, err)
	answered := err == nil || bwclient.StatusOf(err) != 0 // an order that breaks a limit was never sent
	if answered && (fact.State == orders.PostCreated || fact.State == orders.PostRefused) {
		c.control.Passed(ctx, group)
	}
	return fact
}

// classify is answer, and ends no pause.
func (c *carrier) classify(ctx context.Context, group Group, created bwclient.Created, err error) orders.PostFact {
	if err == nil {
		return orders.PostFact{State: orders.PostCreated, OrderID: orders.OrderID(created.OrderID), Status: created.Status, Errors: details(created.Errors)}
	}
	fact := orders.PostFact{Detail: err.Error(), Errors: vendorErrors(err)}
	status := bwclient.StatusOf(err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.writes.slow()
	}
	if bwclient.CreationOf(err) != bwclient.NotCreated {
		fact.State = orders.PostUnknown
		return fact
	}
	locked := slices.ContainsFunc(fact.Errors, func(e orders.VendorError) bool { return e.Code == codeLocked })
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, locked, bwclient.IsCredentials(err):
		// These say nothing about this order and everything about the account: the fleet waits (P22).
		c.control.Refused(ctx, group, err.Error())
		fact.Paused, fact.RetryAt, fact.Errors = true, c.clock.Now().Add(c.control.probeEvery), nil
	case status == http.StatusTooManyRequests:
		c.limited(ctx, group, err)
		fact.Paused, fact.RetryAt, fact.Errors = true, c.control.HeldUntil(group), nil
	case bwclient.NotSent(err):
		// Nothing left this machine: the same intent is tried again (P13).
	default:
		fact.State = orders.PostRefused
		if len(fact.Errors) == 0 { // say at least what happened: 402 has no body, and what breaks a limit was never sent
			fact.Errors = []orders.VendorError{{Code: string(messages.ReasonRejected), Description: cut(fact.Detail, maxSearchText)}}
		}
	}
	return fact
}

// limited pauses a group after a 429.
func (c *carrier) limited(ctx context.Context, group Group, err error) {
	limited(ctx, c.control, group, err)
}

func limited(ctx context.Context, control *Control, group Group, err error) {
	wait := time.Minute
	if at, ok := bwclient.RetryAt(err); ok {
		wait = time.Until(at)
	}
	control.Limited(ctx, group, wait, err.Error())
}

// Poll reads an order, and its list of numbers where the order leaves them open (P24).
func (c *carrier) Poll(ctx context.Context, id orders.OrderID) orders.PollFact {
	failed := func(err error) orders.PollFact {
		return orders.PollFact{OrderID: id, Failed: true, Detail: err.Error()}
	}
	if err := c.enterRead(ctx); err != nil {
		return failed(err)
	}
	o, err := c.client.Order(ctx, bwclient.OrderID(id))
	if err != nil {
		c.readFailed(ctx, err)
		return failed(err)
	}
	c.vouch(ctx)
	f := orders.PollFact{
		OrderID: id, CustomerOrderID: o.CustomerOrderID, Status: o.Status, Completed: o.Completed,
		CompletedQuantity: o.CompletedQuantity, Errors: details(o.Errors),
	}
	for _, n := range o.Failed {
		f.FailedNumbers = append(f.FailedNumbers, orders.FailedNumber{Number: n.Number, Code: n.Code})
	}
	if phase, _ := orders.PhaseOf(f.Status, f.Errors); phase == orders.Done && orders.NumbersUnclear(f.Status, f.Completed, f.CompletedQuantity) {
		numbers, err := c.client.OrderNumbers(ctx, bwclient.OrderID(id))
		if err != nil {
			c.readFailed(ctx, err)
		} else if len(numbers) > len(f.Completed) || f.CompletedQuantity != nil && len(numbers) == *f.CompletedQuantity {
			f.Completed = numbers
		}
	}
	return f
}

// Look looks for the orders of an intent: the list by customer order id, and with probe also what Bandwidth says of
// some of the numbers (P16, P17). Of a port-in the numbers say nothing: the losing carrier holds them until it is done, and
// which order Bandwidth names for a number on its way here is not documented.
func (c *carrier) Look(ctx context.Context, p orders.Purchase, probe bool) orders.LookFact {
	fact := orders.LookFact{N: p.N}
	err := c.look(ctx, p, probe, &fact)
	var hold *orders.HoldError
	switch {
	case errors.As(err, &hold):
		fact.RetryAt, fact.Detail = hold.Until, err.Error()
	case err != nil:
		c.readFailed(ctx, err)
		fact.Detail = err.Error()
	}
	fact.Counted = err == nil
	return fact
}

func (c *carrier) look(ctx context.Context, p orders.Purchase, probe bool, fact *orders.LookFact) error {
	if err := c.enterRead(ctx); err != nil {
		return err
	}
	if !probe { // a first order waits for it
		if err := c.control.EnterRead(ctx, GroupOrder); err != nil {
			return err
		}
	}
	if err := c.positiveControl(ctx, p.SiteID); err != nil {
		return err
	}
	listed, err := c.listed(ctx, p)
	if err != nil {
		return err
	}
	unnamed := 0
	for _, o := range listed {
		switch {
		case o.CustomerOrderID == p.CustomerOrderID: // P17: exactly
			fact.Found = append(fact.Found, orders.FoundOrder{OrderID: orders.OrderID(o.OrderID), CustomerOrderID: o.CustomerOrderID, Status: o.Status})
		case o.CustomerOrderID == "":
			if unnamed++; unnamed > maxUnnamed {
				return fmt.Errorf("the list for customer order id %s holds more than %d orders that do not say whose they are", p.CustomerOrderID, maxUnnamed)
			}
			compare := c.compare
			if p.PortIn {
				compare = func(ctx context.Context, id bwclient.OrderID, fact *orders.LookFact) error {
					return c.comparePortIn(ctx, p, id, fact)
				}
			}
			if err := compare(ctx, o.OrderID, fact); err != nil {
				return err
			}
		}
	}
	if !probe || len(fact.Found) > 0 || p.PortIn {
		return nil
	}
	return c.probe(ctx, p, fact)
}

// enterRead waits for a read's turn, and asks whether the fleet may read at all: a pause may have begun meanwhile.
func (c *carrier) enterRead(ctx context.Context) error {
	if err := c.reads.wait(ctx, c.clock); err != nil {
		return err
	}
	return c.control.Enter(ctx, GroupHistory)
}

// probe asks who holds some of the intent's numbers.
func (c *carrier) probe(ctx context.Context, p orders.Purchase, fact *orders.LookFact) error {
	count := min(len(p.Numbers), maxProbes)
	for i := range count {
		number := p.Numbers[i*len(p.Numbers)/count]
		n, err := c.client.Number(ctx, number)
		switch bwclient.StatusOf(err) {
		case http.StatusNotFound:
			continue // nobody's
		case http.StatusForbidden:
			fact.NumbersForbidden = true // P16: the list alone counts, and P18 is forbidden
			return nil
		}
		if err != nil {
			return err
		}
		known := func(o orders.FoundOrder) bool { return o.OrderID == orders.OrderID(n.OrderID) }
		if n.OrderID == "" || slices.ContainsFunc(fact.Found, known) {
			continue
		}
		// P17: it may be another system's order, or an old one of ours.
		if err := c.compare(ctx, n.OrderID, fact); err != nil {
			return err
		}
	}
	return nil
}

// compare reads an order and adds it to the found ones with its customer order id, by which it is adopted or not.
func (c *carrier) compare(ctx context.Context, id bwclient.OrderID, fact *orders.LookFact) error {
	o, err := c.client.Order(ctx, id)
	if bwclient.StatusOf(err) == http.StatusNotFound {
		return nil // not on this account
	}
	if err != nil {
		return err
	}
	fact.Found = append(fact.Found, orders.FoundOrder{OrderID: orders.OrderID(id), CustomerOrderID: o.CustomerOrderID, Status: o.Status})
	return nil
}

// positiveControl makes sure that this client reads what surely exists, so that "nothing found" means something
// (P16): an order of ours within the last minute, otherwise the list of sites with the configured site in it.
func (c *carrier) positiveControl(ctx context.Context, site string) error {
	c.mu.Lock()
	fresh := !c.controlAt.IsZero() && time.Since(c.controlAt) < controlLife
	c.mu.Unlock()
	if fresh {
		return nil
	}
	if c.site != "" {
		site = c.site // the configured one: a request may name a site that the account lacks
	}
	sites, err := c.client.Sites(ctx)
	switch status := bwclient.StatusOf(err); {
	case status == http.StatusForbidden || status == http.StatusNotFound:
		return fmt.Errorf("%w: %w; check account_id, base_url and the user's roles", errNoControl, err)
	case err != nil:
		return fmt.Errorf("cannot tell whether lookups work here: %w", err)
	}
	if !slices.ContainsFunc(sites, func(s bwclient.Site) bool { return s.ID == site }) {
		return fmt.Errorf("cannot tell whether lookups work here: Bandwidth's list of sites lacks site %s; check account_id, base_url and site_id", site)
	}
	c.vouch(ctx)
	return nil
}

// errNoControl says that what surely exists is refused or not there.
var errNoControl = errors.New("lookups do not work here")

func (c *carrier) vouch(ctx context.Context) {
	c.mu.Lock()
	c.controlAt = time.Now()
	c.mu.Unlock()
	c.control.ReadPassed(ctx, GroupOrder)
}

// readFailed slows reads down where Bandwidth asks for it.
func (c *carrier) readFailed(ctx context.Context, err error) {
	switch status := bwclient.StatusOf(err); {
	case status == http.StatusTooManyRequests:
		c.reads.slow()
		c.limited(ctx, GroupHistory, err)
	case status == http.StatusServiceUnavailable:
		c.reads.slow()
	case bwclient.IsCredentials(err) && status != http.StatusForbidden, errors.Is(err, errNoControl):
		// With these no order could be placed either: the fleet waits, and /readyz says why (P22).
		c.control.ReadsRefused(ctx, GroupOrder, err.Error())
	}
}

// vendorErrors returns Bandwidth's own errors in err.
func vendorErrors(err error) []orders.VendorError {
	var e *bwclient.Error
	if !errors.As(err, &e) {
		return nil
	}
	return details(e.Details)
}

// details keeps each code and description once (P40).
func details(list []bwclient.Detail) []orders.VendorError {
	var out []orders.VendorError
	for _, d := range list {
		if e := (orders.VendorError{Code: d.Code, Description: d.Description}); !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}
