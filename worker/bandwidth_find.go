package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

const (
	// findFactor and findMore say how many candidates are searched for: a few times what is needed, so that our own
	// orders choose different ones (P37).
	findFactor = 4
	findMore   = 20
	// pickedLife is how long a number that one of this worker's orders is after is left to it.
	pickedLife = 10 * time.Minute
	// maxPicked bounds how many are remembered.
	maxPicked = 50_000
)

// Find searches for numbers that fit the criteria of an order, and chooses at random among them (P37).
func (c *carrier) Find(ctx context.Context, criteria []byte, quantity int, tried []string) orders.FindFact {
	var want messages.Criteria
	if err := json.Unmarshal(criteria, &want); err != nil {
		return refusedSearch(fmt.Sprintf("the criteria cannot be read: %v", err))
	}
	plan := want.Plan()
	ask := plan.Quantity(min(quantity*findFactor+findMore+len(tried), messages.MaxQuantity))
	found, err := c.searcher.once(ctx, queryOf(plan.Ask, ask, false))
	var hold *orders.HoldError
	switch {
	case errors.As(err, &hold):
		return orders.FindFact{Failed: true, Paused: true, RetryAt: hold.Until, Detail: hold.Error()}
	case err != nil:
		if status := bwclient.StatusOf(err); status != http.StatusForbidden && bwclient.IsCredentials(err) {
			// Whoever may not search may not buy: the fleet waits, and says so. A 403 may be about searches alone.
			c.control.Refused(ctx, GroupOrder, err.Error())
		}
		return c.searchFailed(err)
	}
	leave := make(map[string]bool, len(tried))
	for _, n := range tried {
		leave[n] = true
	}
	var candidates []string
	for _, f := range found {
		if plan.Keep(f.Number) && !leave[f.Number] && messages.ValidNumber(f.Number) {
			candidates = append(candidates, f.Number)
		}
	}
	rand.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	return orders.FindFact{Numbers: c.picked.pick(candidates, quantity)}
}

// searchFailed says what a failed search means for an order. Only what Bandwidth says of the search itself ends it:
// refused credentials and a wrong path say nothing about the order, which waits (P22).
func (c *carrier) searchFailed(err error) orders.FindFact {
	fact := orders.FindFact{Failed: true, Detail: err.Error()}
	switch status := bwclient.StatusOf(err); {
	case bwclient.IsCredentials(err), status == http.StatusPaymentRequired, status == http.StatusNotFound:
		fact.Paused, fact.RetryAt = true, c.clock.Now().Add(c.control.probeEvery)
	case refusal(err) != nil:
		fact = orders.FindFact{Refused: true, Errors: vendorErrors(err), Detail: err.Error()}
		if len(fact.Errors) == 0 {
			return refusedSearch(err.Error())
		}
	}
	return fact
}

func refusedSearch(why string) orders.FindFact {
	return orders.FindFact{Refused: true, Errors: []orders.VendorError{{Code: string(messages.ReasonRejected), Description: why}}, Detail: why}
}

// searchOrderOf returns the search of an order that lets Bandwidth choose.
func searchOrderOf(criteria []byte, quantity int) (*bwclient.SearchOrder, error) {
	var want messages.Criteria
	if err := json.Unmarshal(criteria, &want); err != nil {
		return nil, fmt.Errorf("the criteria cannot be read: %w", err)
	}
	k := want.Plan().Ask
	return &bwclient.SearchOrder{
		Quantity: quantity, AreaCode: k.AreaCode, NPANXX: k.NPANXX, NPANXXX: k.NPANXXX, RateCenter: k.RateCenter, City: k.City, State: k.State,
		Zip: k.Zip, LATA: k.LATA, LocalVanity: k.LocalVanity, EndsIn: k.EndsIn != nil && *k.EndsIn, TollFreeVanity: k.TollFreeVanity,
		TollFreeWildcard: k.TollFreeWildcard, EnableLCA: k.LocalCallingArea != nil && *k.LocalCallingArea,
	}, nil
}

// picked remembers which numbers this worker's orders are after, so that they do not race for the same ones. The zero
// value is empty. It is safe for concurrent use.
type picked struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// pick takes the first quantity numbers that nobody is after; where there are too few, also others: whoever has them
// may have failed to buy them.
func (p *picked) pick(candidates []string, quantity int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.until == nil || len(p.until) > maxPicked {
		p.until = map[string]time.Time{}
	}
	var out, rest []string
	for _, n := range candidates {
		switch until, taken := p.until[n]; {
		case len(out) == quantity:
		case taken && now.Before(until):
			rest = append(rest, n)
		default:
			out = append(out, n)
		}
	}
	out = append(out, rest[:min(len(rest), quantity-len(out))]...)
	for _, n := range out {
		p.until[n] = now.Add(pickedLife)
	}
	return out
}
