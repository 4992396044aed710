package main

import (
	"context"
	"fmt"
	"strings"

	"bandwidthworker/messages"
)

// search publishes a search and checks that it finds the quantity, and that each number fits.
func (s samples) search(ctx context.Context, r *messages.Request, quantity int, fits func(messages.NumberDetail) bool) error {
	r.Quantity = &quantity
	_, e, err := s.bus.Request(ctx, messages.Search, r, s.show)
	if err != nil {
		return err
	}
	if err := expect(e, messages.Completed, ""); err != nil {
		return err
	}
	found := e.Results
	if found == nil {
		for _, n := range e.Numbers {
			found = append(found, messages.NumberDetail{Number: n})
		}
	}
	if len(found) != quantity {
		return fmt.Errorf("%d numbers were found, not %d", len(found), quantity)
	}
	for _, d := range found {
		s.out.printf("    %s\n", strings.Join(strings.Fields(strings.Join([]string{d.Number, d.City, d.State}, " ")), " "))
		if !fits(d) {
			return fmt.Errorf("%s does not fit the search", d.Number)
		}
	}
	return nil
}

func begins(prefix string) func(messages.NumberDetail) bool {
	return func(d messages.NumberDetail) bool { return strings.HasPrefix(d.Number, prefix) }
}

func (s samples) searchAreaCode(ctx context.Context) error {
	return s.search(ctx, &messages.Request{RequestID: "sample-5", Criteria: &messages.Criteria{AreaCode: "919"}}, 3, begins("+1919"))
}

func (s samples) searchRateCenter(ctx context.Context) error {
	detail := true
	return s.search(ctx, &messages.Request{RequestID: "sample-6", Criteria: &messages.Criteria{RateCenter: "DURHAM", State: "NC"}, Detail: &detail}, 3,
		func(d messages.NumberDetail) bool { return d.RateCenter == "DURHAM" && d.State == "NC" })
}

func (s samples) searchPrefix(ctx context.Context) error {
	return s.search(ctx, &messages.Request{RequestID: "sample-7", Criteria: &messages.Criteria{Prefix: "+191955"}}, 3, begins("+191955"))
}

func (s samples) searchTollFree(ctx context.Context) error {
	return s.search(ctx, &messages.Request{RequestID: "sample-8", Criteria: &messages.Criteria{Prefix: "+1855"}}, 3, begins("+1855"))
}
