package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

const (
	// searchTime is how long a search is tried: it is a read, and whoever asked can ask again.
	searchTime = time.Minute
	// defaultSearchQuantity is how many numbers a search finds that does not say.
	defaultSearchQuantity = 10
	// defaultMaxSearchQuantity is the most that a search may ask for where nothing is configured.
	defaultMaxSearchQuantity = 500
	// searchFirstWait and searchLongestWait bound the time between two tries.
	searchFirstWait   = time.Second
	searchLongestWait = 10 * time.Second
)

// gate is the fleet's pauses as a search sees them; [*Control] is one.
type gate interface {
	Enter(ctx context.Context, group Group) error
	Limited(ctx context.Context, group Group, wait time.Duration, why string)
	Pauses() map[Group]Pause
}

// searcher asks Bandwidth for numbers that are for sale. It is safe for concurrent use.
type searcher struct {
	ask   func(context.Context, bwclient.Query) ([]bwclient.Found, error)
	gate  gate
	clock *orders.ServerClock
	pace  *pace
	// limit is the most that a search may ask for.
	limit int
	// time bounds a search with its tries.
	time time.Duration
	// slots bound how many searches go on at once, so that those that wait do not keep orders waiting.
	slots chan struct{}
}

// newSearcher returns the searcher of a worker.
func newSearcher(o Options, control *Control, clock *orders.ServerClock) *searcher {
	s := &searcher{ask: o.Client.Search, gate: control, clock: clock, pace: newPace(o.RequestsPerSecond), limit: o.MaxSearchQuantity, time: o.SearchTime}
	if s.limit == 0 {
		s.limit = defaultMaxSearchQuantity
	}
	if s.time == 0 {
		s.time = searchTime
	}
	s.slots = make(chan struct{}, max(1, o.Concurrency/2))
	return s
}

// searchError is a search that did not get an answer.
type searchError struct {
	reason messages.Reason
	// status is the code of an endpoint's answer.
	status int
	errors []messages.EventError
}

func (e *searchError) Error() string {
	var texts []string
	for _, err := range e.errors {
		texts = append(texts, err.Description)
	}
	return strings.Join(texts, "; ")
}

// check refuses what is valid on the bus and goes beyond this fleet's limit.
func (s *searcher) check(r *messages.Request) *messages.RequestError {
	if r.Quantity != nil && *r.Quantity > s.limit {
		return &messages.RequestError{
			Reason: messages.ReasonInvalid, Field: "quantity",
			Text: fmt.Sprintf("quantity: %d is more than a search may ask for here; at most %d (max_search_quantity)", *r.Quantity, s.limit),
		}
	}
	return nil
}

// queryOf turns criteria, without a prefix, into Bandwidth's parameters.
func queryOf(c messages.Criteria, quantity int, detail bool) bwclient.Query {
	return bwclient.Query{
		Quantity: quantity, Detail: detail, AreaCode: c.AreaCode, NPANXX: c.NPANXX, NPANXXX: c.NPANXXX, RateCenter: c.RateCenter,
		City: c.City, State: c.State, Zip: c.Zip, LATA: c.LATA, LocalVanity: c.LocalVanity, EndsIn: c.EndsIn != nil && *c.EndsIn,
		TollFreeVanity: c.TollFreeVanity, TollFreeWildcard: c.TollFreeWildcard,
		LocalCallingArea: c.LocalCallingArea != nil && *c.LocalCallingArea,
	}
}

// find returns the numbers that a valid request searches for. Its error is a [*searchError], or that of ctx.
func (s *searcher) find(ctx context.Context, r *messages.Request) ([]bwclient.Found, error) {
	want := min(defaultSearchQuantity, s.limit)
	if r.Quantity != nil {
		want = *r.Quantity
	}
	plan := r.Criteria.Plan()
	found, err := s.try(ctx, queryOf(plan.Ask, plan.Quantity(want), r.Detail != nil && *r.Detail))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f bwclient.Found) bool { return !plan.Keep(f.Number) })
	return found[:min(want, len(found))], nil
}

// try asks until there is an answer, Bandwidth refuses, or the time is over. At least one try is made.
func (s *searcher) try(ctx context.Context, q bwclient.Query) ([]bwclient.Found, error) {
	end := time.Now().Add(s.time)
	within, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(searchFirstWait), backoff.WithMaxInterval(searchLongestWait),
		backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.1), backoff.WithMaxElapsedTime(0))
	var last error // of the last call that was sent
	for {
		found, err := s.once(within, q)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var hold *orders.HoldError
		if !errors.As(err, &hold) {
			if refused := refusal(err); refused != nil {
				return nil, refused
			}
			last = err
		}
		wait := waits.NextBackOff()
		if at, ok := bwclient.RetryAt(err); ok {
			wait = max(wait, time.Until(at))
		}
		if hold != nil {
			if p, ok := s.gate.Pauses()[GroupSearch]; ok && p.Kind != PauseRate {
				return nil, held(hold, "until "+untilText(p)) // its end is not known
			}
			wait = max(hold.Until.Sub(s.clock.Now()), 0)
		}
		if left := time.Until(end); wait >= left {
			if hold != nil {
				return nil, held(hold, fmt.Sprintf("for another %s, and a search waits for %s at the most", wait.Round(time.Second), s.time))
			}
			return nil, exhausted(last, s.time)
		}
		pause(within, wait)
	}
}

// once asks once, if the fleet's pauses and this worker's pace let it.
func (s *searcher) once(ctx context.Context, q bwclient.Query) ([]bwclient.Found, error) {
	if err := s.pace.wait(ctx, s.clock); err != nil {
		return nil, err
	}
	if err := s.gate.Enter(ctx, GroupSearch); err != nil {
		return nil, err
	}
	found, err := s.ask(ctx, q)
	switch bwclient.StatusOf(err) {
	case http.StatusTooManyRequests:
		s.pace.slow()
		wait := time.Minute
		if at, ok := bwclient.RetryAt(err); ok {
			wait = time.Until(at)
		}
		s.gate.Limited(ctx, GroupSearch, wait, err.Error())
		return nil, &orders.HoldError{Until: s.clock.Now().Add(wait), Why: err.Error()}
	case http.StatusServiceUnavailable:
		s.pace.slow()
	}
	return found, err
}

// codeSystemError is the one code of a search that says nothing about the search: try again.
const codeSystemError = "4009"

// refusal returns the error of an answer that asking again would not change; nil for any other.
func refusal(err error) *searchError {
	refused := func(status int, advice string) *searchError {
		return &searchError{reason: messages.ReasonRejected, status: status, errors: []messages.EventError{
			{Code: string(messages.ReasonRejected), Description: err.Error(), Advice: advice},
		}}
	}
	status := bwclient.StatusOf(err)
	if bwclient.IsCredentials(err) {
		if status == http.StatusForbidden {
			return refused(http.StatusBadGateway, "the credentials may not search on this account: check account_id and the user's roles")
		}
		return refused(http.StatusBadGateway, "Bandwidth refuses the credentials: check client_id and client_secret, or api_username and api_password")
	}
	var e *bwclient.Error
	switch {
	case !errors.As(err, &e):
		return nil
	case errors.Is(err, bwclient.ErrInvalidQuery):
		return refused(http.StatusBadRequest, "correct the request and publish it again")
	case status == http.StatusBadRequest || status == http.StatusOK:
		codes := bwclient.Codes(err)
		if len(codes) == 0 || slices.Contains(codes, codeSystemError) {
			return nil // not about the criteria: a gateway's, or unreadable
		}
		return &searchError{reason: messages.ReasonRejected, status: http.StatusBadRequest, errors: searchErrors(e)}
	case status == http.StatusRequestTimeout, status == 0, status >= 500:
		return nil
	case status == http.StatusNotFound:
		return refused(http.StatusBadGateway, "Bandwidth knows no such account or path: check account_id and base_url")
	default:
		return refused(http.StatusBadGateway, "")
	}
}

// held is a search that meets a pause which it cannot wait for.
func held(h *orders.HoldError, howLong string) *searchError {
	return &searchError{reason: messages.ReasonExhausted, status: http.StatusTooManyRequests, errors: []messages.EventError{{
		Code: string(messages.ReasonExhausted), Description: fmt.Sprintf("searches are held back %s: %s", howLong, h.Why), Advice: searchAgain,
	}}}
}

// searchAgain is the advice of every search that could not be asked.
const searchAgain = "search again later, or replay the dead letter"

// exhausted is a search whose time is over.
func exhausted(last error, after time.Duration) *searchError {
	out := &searchError{reason: messages.ReasonExhausted, status: http.StatusGatewayTimeout}
	text := "nobody answered"
	if last != nil {
		text = last.Error()
	}
	var e *bwclient.Error
	if errors.As(last, &e) {
		out.errors = searchErrors(e)
	}
	out.errors = append(out.errors, messages.EventError{
		Code: string(messages.ReasonExhausted), Description: fmt.Sprintf("Bandwidth could not be asked within %s: %s", after, text), Advice: searchAgain,
	})
	return out
}

// searchAdvice says what to do about Bandwidth's codes of a search; in other calls the same codes mean other things.
// The meanings are those of Bandwidth's table of errors (docs/numbers/errors).
var searchAdvice = map[string]string{
	"4000": "correct area_code, or the prefix",
	"4001": "correct rate_center and state: a rate center goes by its abbreviation",
	"4002": "correct npa_nxx, npa_nxx_x or the prefix",
	"4003": "correct toll_free_vanity",
	"4004": "correct toll_free_wildcard",
	"4005": "correct city and state",
	"4006": "correct state",
	"4007": "correct zip",
	"4008": "correct lata",
	"4009": "a failure on Bandwidth's side: search again later",
	"4010": "Bandwidth does not search for these criteria together: leave some out",
	"4014": "the credentials may not search for this: check the user's roles",
	"4023": "Bandwidth sells no new numbers there: search somewhere else",
	"4024": "the account may not buy these: ask Bandwidth's support for their tier",
}

const (
	// maxSearchErrors bounds the errors in a search's event, maxSearchText each text of Bandwidth's in it (P40).
	maxSearchErrors = 20
	maxSearchText   = 300
)

// searchErrors returns Bandwidth's own errors, each once.
func searchErrors(e *bwclient.Error) []messages.EventError {
	var out []messages.EventError
	for _, d := range details(e.Details) {
		if len(out) == maxSearchErrors {
			break
		}
		out = append(out, messages.EventError{Code: cut(d.Code, 40), Description: cut(d.Description, maxSearchText), Advice: searchAdvice[d.Code]})
	}
	return out
}

// cut shortens a text of somebody else's.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
