package bwfake_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

// TestFaultsOfPosts injects each misbehaviour once: what the caller sees, and whether the order exists.
func TestFaultsOfPosts(t *testing.T) {
	c := newClock()
	for _, f := range []struct {
		name    string
		fault   bwfake.Fault
		broken  bool // the connection ends before a whole answer
		status  int
		created bool
		check   func(reply) bool
	}{
		{name: "the reply is lost after", fault: bwfake.Fault{Kind: bwfake.LoseReplyAfter}, broken: true, created: true},
		{name: "the reply is lost before", fault: bwfake.Fault{Kind: bwfake.LoseReplyBefore}, broken: true},
		{name: "an error after", fault: bwfake.Fault{Kind: bwfake.ErrorAfter, Status: 502, Body: "<html/>"}, status: 502, created: true,
			check: func(r reply) bool { return r.body == "<html/>" && r.header.Get("Content-Type") == "text/html" }},
		{name: "an error after without words", fault: bwfake.Fault{Kind: bwfake.ErrorAfter}, status: 500, created: true, check: func(r reply) bool { return r.body == "" }},
		{name: "an error before", fault: bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 400, Body: "{}", ContentType: "application/json", Header: map[string]string{"X-A": "b"}}, status: 400,
			check: func(r reply) bool {
				return r.header.Get("X-A") == "b" && r.header.Get("Content-Type") == "application/json"
			}},
		{name: "a rate limit", fault: bwfake.Fault{Kind: bwfake.RateLimit, Delay: 90 * time.Second}, status: 429,
			check: func(r reply) bool {
				return r.body == "" && r.header.Get("X-RateLimit-Reset") == strconv.FormatInt(c.now.Add(90*time.Second).Unix(), 10)
			}},
		{name: "slow", fault: bwfake.Fault{Kind: bwfake.Slow, Delay: time.Millisecond}, status: 201, created: true},
		{name: "slow before", fault: bwfake.Fault{Kind: bwfake.SlowBefore, Delay: time.Millisecond}, status: 201, created: true},
		{name: "truncated", fault: bwfake.Fault{Kind: bwfake.Truncated}, broken: true, status: 201, created: true,
			check: func(r reply) bool { return len(r.body) > 0 && r.header.Get("Location") != "" }},
		{name: "malformed", fault: bwfake.Fault{Kind: bwfake.Malformed}, status: 201, created: true,
			check: func(r reply) bool { return !strings.HasPrefix(r.body, "<") && r.header.Get("Location") == "" }},
		{name: "no id", fault: bwfake.Fault{Kind: bwfake.NoID}, status: 201, created: true,
			check: func(r reply) bool { return !strings.Contains(r.body, "<id>") && r.header.Get("Location") == "" }},
		{name: "the id in Location only", fault: bwfake.Fault{Kind: bwfake.LocationOnly}, status: 201, created: true,
			check: func(r reply) bool { return !strings.Contains(r.body, "<id>") && r.header.Get("Location") != "" }},
	} {
		s := start(t, bwfake.Options{Now: c.Now})
		f.fault.Endpoint, f.fault.Times = bwfake.EndpointCreate, 1
		s.Inject(f.fault)
		r := s.order("c-1", digits)
		if (r.err != nil) != f.broken || r.status != f.status {
			t.Errorf("%s: HTTP %d, %v", f.name, r.status, r.err)
		}
		if got := s.Bought(number) == 1; got != f.created {
			t.Errorf("%s: created is %t", f.name, got)
		}
		if f.check != nil && !f.check(r) {
			t.Errorf("%s: %+v", f.name, r)
		}
		wantStatus := f.status
		if got := s.Requests(); len(got) != 1 || got[0].Status != wantStatus || got[0].CustomerOrderID != "c-1" {
			t.Errorf("%s: recorded as %+v", f.name, got)
		}
		if r := s.order("c-2", "9195551235"); r.status != 201 || r.err != nil {
			t.Errorf("%s: it happened twice: %+v", f.name, r)
		}
	}
}

func TestFaultsOfReads(t *testing.T) {
	s := start(t, bwfake.Options{})
	id := s.buy("c-1", digits, "9195550404")
	path := "/accounts/" + account + "/orders/" + id
	for kind, check := range map[bwfake.FaultKind]func(orderAnswer) bool{
		bwfake.UnknownStatus: func(o orderAnswer) bool { return o.Status == "PROCESSING" && len(o.Completed) == 0 },
		bwfake.EmptyNumbers: func(o orderAnswer) bool {
			return o.Status == "PARTIAL" && len(o.Completed) == 0 && o.CompletedQuantity == "1"
		},
		bwfake.WrongQuantity: func(o orderAnswer) bool { return len(o.Completed) == 1 && o.CompletedQuantity == "2" },
		bwfake.Pending5019:   func(o orderAnswer) bool { return slices.Equal(o.Codes, []string{"5019"}) },
	} {
		s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointGet, Kind: kind, Times: 1})
		if got := s.get(id); !check(got) {
			t.Errorf("%s: %+v", kind, got)
		}
		if got := s.get(id); got.Status != "PARTIAL" || got.CompletedQuantity != "1" || !slices.Equal(got.Completed, []string{digits}) {
			t.Errorf("after %s: %+v", kind, got)
		}
	}
	for kind, check := range map[bwfake.FaultKind]func(reply) bool{
		bwfake.LoseReplyBefore: func(r reply) bool { return r.err != nil },
		bwfake.LoseReplyAfter:  func(r reply) bool { return r.err != nil },
		bwfake.ErrorBefore:     func(r reply) bool { return r.status == 503 },
		bwfake.ErrorAfter:      func(r reply) bool { return r.status == 503 },
		bwfake.RateLimit:       func(r reply) bool { return r.status == 429 },
		bwfake.Truncated:       func(r reply) bool { return r.status == 200 && r.err != nil },
		bwfake.Malformed:       func(r reply) bool { return r.status == 200 && r.body == "<OrderResponse><Order>" },
		bwfake.Slow:            func(r reply) bool { return r.status == 200 && r.err == nil },
		bwfake.SlowBefore:      func(r reply) bool { return r.status == 200 && r.err == nil },
	} {
		s.Inject(bwfake.Fault{Method: "GET", Endpoint: bwfake.EndpointGet, CustomerOrderID: "c-1", Kind: kind, Status: 503, Times: 1, Delay: time.Millisecond})
		if r := s.call("GET", path, ""); !check(r) {
			t.Errorf("%s: %+v", kind, r)
		}
		if r := s.call("GET", path, ""); r.status != http.StatusOK || r.err != nil {
			t.Errorf("after %s: %+v", kind, r)
		}
	}
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.NoCustomerOrderID, Times: 1})
	for _, want := range []string{"", "c-1"} {
		if got := s.list("customerOrderId=c-1&page=1&size=10"); len(got.Orders) != 1 || got.Orders[0].CustomerOrderID != want {
			t.Errorf("%+v; want the customer order id %q", got, want)
		}
	}
}

// TestFaultChoice: by endpoint, method, customer order id, number of times and chance.
func TestFaultChoice(t *testing.T) {
	s := start(t, bwfake.Options{})
	fault := func(f bwfake.Fault) {
		s.ClearFaults()
		f.Kind, f.Status = bwfake.ErrorBefore, 418
		s.Inject(f)
	}
	hit := func(r reply) bool { return r.status == 418 }
	id := s.buy("c-1", digits)
	read := func(path string) reply { return s.call("GET", "/accounts/"+account+path, "") }

	fault(bwfake.Fault{Endpoint: bwfake.EndpointSites})
	for range 3 {
		if !hit(read("/sites")) || hit(read("/orders/"+id)) {
			t.Error("by endpoint")
		}
	}
	fault(bwfake.Fault{Method: "POST"})
	if hit(read("/sites")) || !hit(s.order("c-2", "9195551240")) {
		t.Error("by method")
	}
	fault(bwfake.Fault{CustomerOrderID: "c-1"})
	if hit(read("/sites")) || hit(s.order("c-3", "9195551241")) || !hit(s.order("c-1", "9195551242")) || !hit(read("/orders/"+id)) || !hit(read("/orders/"+id+"/tns")) ||
		!hit(read("/orders?customerOrderId=c-1&page=1&size=1")) {
		t.Error("by customer order id")
	}
	fault(bwfake.Fault{Endpoint: bwfake.EndpointSites, Times: 2})
	for n := range 4 {
		if hit(read("/sites")) != (n < 2) {
			t.Errorf("by times: wrong at call %d", n)
		}
	}
	s.ClearFaults()
	if hit(read("/sites")) {
		t.Error("a fault is not cleared")
	}
	chances := func(seed uint64) string {
		s := start(t, bwfake.Options{Seed: seed})
		s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSites, Probability: 0.5, Kind: bwfake.ErrorBefore, Status: 418})
		var b strings.Builder
		for range 40 {
			if hit(s.call("GET", "/accounts/"+account+"/sites", "")) {
				b.WriteByte('x')
			} else {
				b.WriteByte('.')
			}
		}
		return b.String()
	}
	one := chances(1)
	if again, other := chances(1), chances(2); one != again || one == other || strings.Count(one, "x") < 8 || strings.Count(one, ".") < 8 {
		t.Errorf("by chance: %s, again %s, another seed %s", one, again, other)
	}
}

// TestSlowBeforeOutlivesTheClient: the vendor goes on with what it got, though nobody waits for the answer.
func TestSlowBeforeOutlivesTheClient(t *testing.T) {
	s := start(t, bwfake.Options{})
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.SlowBefore, Delay: 100 * time.Millisecond, Times: 1})
	impatient := *plain
	impatient.Timeout = 30 * time.Millisecond
	patient := plain
	plain = &impatient
	r := s.order("c-1", digits)
	plain = patient
	if r.err == nil || s.Bought(number) != 0 {
		t.Errorf("%+v, bought %d", r, s.Bought(number))
	}
	for end := time.Now().Add(10 * time.Second); s.Bought(number) == 0; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the order is not created")
		}
	}
}
