package worker

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

// searchGate is a fleet without pauses, but for the ones that are set.
type searchGate struct {
	hold    func() error
	pauses  map[Group]Pause
	limited []time.Duration
}

func (g *searchGate) Enter(_ context.Context, group Group) error {
	if group != GroupSearch {
		return errors.New("another group was asked for")
	}
	if g.hold == nil {
		return nil
	}
	return g.hold()
}

func (g *searchGate) Limited(_ context.Context, _ Group, wait time.Duration, _ string) {
	g.limited = append(g.limited, wait)
}

func (g *searchGate) Pauses() map[Group]Pause { return g.pauses }

func searchAPI(status int, details ...bwclient.Detail) error {
	return &bwclient.Error{Op: "search numbers", StatusCode: status, Details: details, Creation: bwclient.NotCreated}
}

// searchBubble runs a search in a bubble against a list of answers, of which the last stands for all further ones.
func searchBubble(t *testing.T, gate *searchGate, answers ...error) (found []bwclient.Found, calls []time.Duration, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := &searcher{gate: gate, clock: new(orders.ServerClock), pace: newPace(0), limit: 500, time: time.Minute}
		s.clock.Observe(begin)
		s.ask = func(ctx context.Context, q bwclient.Query) ([]bwclient.Found, error) {
			n := len(calls)
			calls = append(calls, time.Since(begin))
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if answer := answers[min(n, len(answers)-1)]; answer != nil {
				return nil, answer
			}
			return []bwclient.Found{{Number: "+19195550000"}}, nil
		}
		found, err = s.find(t.Context(), &messages.Request{RequestID: "a", Criteria: &messages.Criteria{AreaCode: "919"}})
		took = time.Since(begin)
	})
	return found, calls, took, err
}

// TestSearchRetries: a search tries again for a minute and no longer.
func TestSearchRetries(t *testing.T) {
	for name, first := range map[string]error{
		"500":          searchAPI(500),
		"502":          searchAPI(502),
		"503":          searchAPI(503),
		"408":          searchAPI(408),
		"system error": searchAPI(400, bwclient.Detail{Code: "4009"}),
		"a bare 400":   searchAPI(400),
		"no answer":    &bwclient.Error{Err: errors.New("connection refused")},
		"unreadable":   &bwclient.Error{StatusCode: 200, Err: bwclient.ErrUnreadable},
	} {
		found, calls, took, err := searchBubble(t, &searchGate{}, first, first, nil)
		if err != nil || len(found) != 1 || len(calls) != 3 {
			t.Errorf("%s: %d numbers after %d calls, %v; want one after three", name, len(found), len(calls), err)
		}
		if took < 2*time.Second || took > 4*time.Second {
			t.Errorf("%s: took %s; want about 1 s and 2 s", name, took)
		}
		_, calls, took, err = searchBubble(t, &searchGate{}, first)
		var failed *searchError
		if !errors.As(err, &failed) || failed.reason != messages.ReasonExhausted || failed.status != http.StatusGatewayTimeout {
			t.Errorf("%s for ever: %v; want exhausted", name, err)
			continue
		}
		if took < 45*time.Second || took > time.Minute || len(calls) < 6 || len(calls) > 10 {
			t.Errorf("%s for ever: %d calls in %s; want a minute", name, len(calls), took)
		}
	}
}

// TestSearchRefusals: what Bandwidth refuses is not asked again, and says what to do.
func TestSearchRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
		status int
		code   string
		advice string
	}{
		{"a code", searchAPI(400, bwclient.Detail{Code: "4001", Description: "no such rate center"}), 400, "4001", "rate_center"},
		{"a code under a 200", searchAPI(200, bwclient.Detail{Code: "4023", Description: "no coverage"}), 400, "4023", "somewhere else"},
		{"a code that is not known", searchAPI(400, bwclient.Detail{Code: "4999", Description: "?"}), 400, "4999", ""},
		{"wrong password", searchAPI(401), 502, "rejected", "refuses the credentials"},
		{"missing role", searchAPI(403), 502, "rejected", "roles"},
		{"wrong account or base URL", searchAPI(404), 502, "rejected", "account_id and base_url"},
		{"trial credit", searchAPI(402), 502, "rejected", ""},
		{"a redirect", searchAPI(303), 502, "rejected", ""},
	} {
		_, calls, _, err := searchBubble(t, &searchGate{}, c.answer)
		var failed *searchError
		if !errors.As(err, &failed) || failed.reason != messages.ReasonRejected || len(calls) != 1 {
			t.Errorf("%s: %v after %d calls; want rejected after one", c.name, err, len(calls))
			continue
		}
		if failed.status != c.status || len(failed.errors) != 1 || failed.errors[0].Code != c.code || !strings.Contains(failed.errors[0].Advice, c.advice) {
			t.Errorf("%s: status %d, errors %+v", c.name, failed.status, failed.errors)
		}
	}
}

// TestSearchPauses: a pause within the minute is waited for; a longer one, and one without an end, is not.
func TestSearchPauses(t *testing.T) {
	// A 429 that ends soon.
	gate := &searchGate{}
	limited := &bwclient.Error{StatusCode: http.StatusTooManyRequests}
	var soon time.Time
	synctest.Test(t, func(*testing.T) { soon = time.Now().Add(20 * time.Second) }) // the bubble's clock begins anew each time
	limited.RetryAt = soon
	found, calls, took, err := searchBubble(t, gate, limited, nil)
	if err != nil || len(found) != 1 || took != 20*time.Second {
		t.Errorf("a reset 20 s ahead: %v, %d numbers after %s", err, len(found), took)
	}
	if diff := cmp.Diff([]time.Duration{20 * time.Second}, gate.limited); diff != "" || len(calls) != 2 {
		t.Errorf("the fleet was told to wait (-want +got):\n%s\nafter %d calls", diff, len(calls))
	}
	// One that ends late.
	limited = &bwclient.Error{StatusCode: http.StatusTooManyRequests, RetryAt: soon.Add(time.Hour)}
	_, calls, took, err = searchBubble(t, &searchGate{}, limited)
	var failed *searchError
	if !errors.As(err, &failed) || failed.reason != messages.ReasonExhausted || failed.status != 429 || took != 0 || len(calls) != 1 || !strings.Contains(err.Error(), "held back for another 1h0m20s") {
		t.Errorf("a reset an hour ahead: %v after %s and %d calls; want exhausted at once", err, took, len(calls))
	}
	// A pause of another worker's, late in the minute.
	n := 0
	gate = &searchGate{hold: func() error {
		if n++; n < 3 {
			return nil
		}
		return &orders.HoldError{Until: time.Now().Add(58 * time.Second), Why: "HTTP 429"}
	}}
	_, _, took, err = searchBubble(t, gate, searchAPI(500))
	if !errors.As(err, &failed) || failed.status != 429 || took > 5*time.Second || !strings.Contains(err.Error(), "HTTP 429") {
		t.Errorf("a pause longer than what is left: %v after %s", err, took)
	}
	// An operator's.
	gate = &searchGate{pauses: map[Group]Pause{GroupSearch: {Kind: PauseOperator, Why: "maintenance"}}, hold: func() error {
		return &orders.HoldError{Until: time.Now().Add(10 * time.Second), Why: "maintenance"}
	}}
	_, calls, took, err = searchBubble(t, gate, nil)
	if !errors.As(err, &failed) || len(calls) != 0 || took != 0 || !strings.Contains(err.Error(), "until an operator resumes: maintenance") {
		t.Errorf("an operator's pause: %v after %s and %d calls; want exhausted at once, with why", err, took, len(calls))
	}
}

// TestSearchStops: a worker that stops is no failure of the search.
func TestSearchStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &searcher{gate: &searchGate{}, clock: new(orders.ServerClock), pace: newPace(0), limit: 500, time: time.Minute}
		s.ask = func(context.Context, bwclient.Query) ([]bwclient.Found, error) { cancel(); return nil, searchAPI(500) }
		_, err := s.find(ctx, &messages.Request{RequestID: "a", Criteria: &messages.Criteria{AreaCode: "919"}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want the context's error", err)
		}
	})
}

// TestSearchQuantity: the default, the limit, and what is asked where the filter is narrow.
func TestSearchQuantity(t *testing.T) {
	three, many := 3, 500
	for _, c := range []struct {
		name     string
		r        messages.Request
		limit    int
		asked    int
		returned int
	}{
		{"default", messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}}, 500, 10, 10},
		{"default above the limit", messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}}, 5, 5, 5},
		{"given", messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &three}, 500, 3, 3},
		{"at the limit", messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &many}, 500, 500, 500},
		{"narrow", messages.Request{Criteria: &messages.Criteria{Prefix: "+19195"}, Quantity: &three}, 500, 5000, 3},
		{"a block", messages.Request{Criteria: &messages.Criteria{Prefix: "+191955512"}, Quantity: &three}, 500, 1000, 3},
	} {
		asked := 0
		s := &searcher{gate: &searchGate{}, clock: new(orders.ServerClock), pace: newPace(0), limit: c.limit, time: time.Minute}
		s.ask = func(_ context.Context, q bwclient.Query) ([]bwclient.Found, error) {
			asked = q.Quantity
			out := make([]bwclient.Found, 0, 2*q.Quantity)
			for range q.Quantity {
				out = append(out, bwclient.Found{Number: "+19842345678"}, bwclient.Found{Number: "+19195551234"})
			}
			return out, nil
		}
		found, err := s.find(t.Context(), &c.r)
		if err != nil || asked != c.asked || len(found) != c.returned {
			t.Errorf("%s: asked for %d, returned %d, %v; want %d and %d", c.name, asked, len(found), err, c.asked, c.returned)
		}
		for _, f := range found {
			if f.Number != "+19195551234" {
				t.Errorf("%s: kept %s", c.name, f.Number)
			}
		}
	}
	s := &searcher{limit: 499}
	if refused := s.check(&messages.Request{Quantity: &many}); refused == nil || refused.Reason != messages.ReasonInvalid || !strings.Contains(refused.Text, "at most 499") {
		t.Errorf("500 above a limit of 499: %v; want invalid with the limit", refused)
	}
}
