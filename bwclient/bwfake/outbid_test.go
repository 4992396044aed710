package bwfake_test

import (
	"slices"
	"strings"
	"testing"

	"bandwidthworker/bwclient/bwfake"
)

// TestOutbid: another system takes the first of an order's numbers at the last moment, once, and the order goes on with
// the others.
func TestOutbid(t *testing.T) {
	s := start(t, bwfake.Options{})
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.Outbid, Times: 1})
	if r := s.order("c-1", "9195550001", "9195550002"); r.status != 201 || r.header.Get("Location") == "" || !strings.Contains(r.body, "<id>") {
		t.Errorf("HTTP %d %s", r.status, r.body)
	}
	if r := s.order("c-2", "9195550003"); r.status != 201 {
		t.Errorf("HTTP %d", r.status)
	}
	for coid, want := range map[string]struct {
		status  string
		numbers []string
		foreign bool
	}{
		bwfake.OutbidBy: {"COMPLETE", []string{"+19195550001"}, true},
		"c-1":           {"PARTIAL", []string{"+19195550002"}, false},
		"c-2":           {"COMPLETE", []string{"+19195550003"}, false},
	} {
		got := s.OrdersOf(coid)
		if len(got) != 1 || got[0].Status != want.status || !slices.Equal(got[0].Numbers, want.numbers) || got[0].Foreign != want.foreign {
			t.Errorf("%s: %+v; want %+v", coid, got, want)
		}
	}
	if n := s.Bought("+19195550001"); n != 0 {
		t.Errorf("the lost number was bought %d times", n)
	}
}
