package bwfake_test

import (
	"path"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

// reserve reserves a number, ten digits, and returns the answer and the reservation's path.
func (s *sim) reserve(number string) (reply, string) {
	s.t.Helper()
	r := s.call("POST", "/accounts/"+account+"/tnreservation", "<Reservation><ReservedTn>"+number+"</ReservedTn></Reservation>")
	return r, "/accounts/" + account + "/tnreservation/" + path.Base(r.header.Get("Location"))
}

// orderReserved orders a number with reservations.
func (s *sim) orderReserved(coid, number string, ids ...string) reply {
	s.t.Helper()
	list := "</TelephoneNumberList><ReservationIdList><ReservationId>" + strings.Join(ids, "</ReservationId><ReservationId>") + "</ReservationId></ReservationIdList>"
	return s.call("POST", "/accounts/"+account+"/orders", strings.Replace(orderXML(coid, number), "</TelephoneNumberList>", list, 1))
}

func refusedWith(r reply, status int, code string) bool {
	return r.status == status && strings.Contains(r.body, "<ReservationResponse><ResponseStatus><ErrorCode>"+code+"</ErrorCode>")
}

// TestReservation: a number is held for orders that name its reservation, for four hours, and for nobody else.
func TestReservation(t *testing.T) {
	clock := newClock()
	s := start(t, bwfake.Options{Now: clock.Now, Inventory: []bwfake.Stock{{Number: number}, {Number: "+19195551235"}}})
	r, at := s.reserve(digits)
	if r.status != 201 || r.body != "" || !strings.Contains(r.header.Get("Location"), "/tnreservation/") {
		t.Fatalf("%d %q, Location %q", r.status, r.body, r.header.Get("Location"))
	}
	clock.pass(time.Hour)
	if got := s.call("GET", at, ""); got.status != 200 || !strings.Contains(got.body, "<ReservationExpires>10800</ReservationExpires><ReservedTn>"+digits+"<") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if again, _ := s.reserve(digits); !refusedWith(again, 400, "5041") {
		t.Errorf("a second reservation: %d %s", again.status, again.body)
	}
	if found := s.call("GET", "/accounts/"+account+"/availableNumbers?areaCode=919", ""); !strings.Contains(found.body, ">9195551235<") || strings.Contains(found.body, digits) {
		t.Errorf("a search lists %s", found.body)
	}
	if s.SellElsewhere(number, "theirs") != "" {
		t.Error("it is sold elsewhere")
	}
	if got := s.get(s.buy("c-1", digits)); got.Status != "FAILED" {
		t.Errorf("an order that does not name it is %s", got.Status)
	}
	if got := s.orderReserved("c-2", digits, path.Base(at), "made-up"); got.status != 400 || !strings.Contains(got.body, "<Code>5043</Code>") {
		t.Errorf("an order with one that is made up: %d %s", got.status, got.body)
	}
	if n := len(s.Reservations()); n != 1 || s.Reservations()[0].Number != number {
		t.Errorf("%d reservations: %v", n, s.Reservations())
	}
	if got := s.orderReserved("c-3", digits, path.Base(at)); got.status != 201 {
		t.Errorf("the order that names it: %d %s", got.status, got.body)
	}
	if s.Bought(number) != 1 || len(s.Reservations()) != 0 {
		t.Errorf("bought %d times, and %v stands", s.Bought(number), s.Reservations())
	}
	if sold, _ := s.reserve(digits); !refusedWith(sold, 400, "5041") {
		t.Errorf("what is sold can be reserved: %d %s", sold.status, sold.body)
	}
	if n := s.Calls(bwfake.EndpointReserve); n != 3 {
		t.Errorf("%d calls are counted, want 3", n)
	}
}

// TestReservationEnds: by its time, by hand, and all at once; then the number is for sale again.
func TestReservationEnds(t *testing.T) {
	for name, end := range map[string]func(*sim, *clock, string){
		"by its time": func(_ *sim, c *clock, _ string) { c.pass(10 * time.Minute) },
		"by hand": func(s *sim, _ *clock, at string) {
			if got := s.call("DELETE", at, ""); got.status != 200 || !strings.Contains(got.body, digits) {
				s.t.Errorf("%d %s", got.status, got.body)
			}
		},
		"all at once": func(s *sim, _ *clock, _ string) { s.EndReservations() },
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := start(t, bwfake.Options{Now: clock.Now, ReservationLife: 10 * time.Minute})
			_, at := s.reserve(digits)
			end(s, clock, at)
			for _, method := range []string{"GET", "DELETE"} {
				if got := s.call(method, at, ""); !refusedWith(got, 404, "5043") {
					t.Errorf("%s: %d %s", method, got.status, got.body)
				}
			}
			if got := s.orderReserved("c-1", digits, path.Base(at)); got.status != 400 || !strings.Contains(got.body, "<Code>5043</Code>") {
				t.Errorf("an order that names it: %d %s", got.status, got.body)
			}
			if got := s.get(s.buy("c-2", digits)); got.Status != "COMPLETE" {
				t.Errorf("an order that does not is %s", got.Status)
			}
		})
	}
}

// TestReservationRefused: each refusal has its documented code.
func TestReservationRefused(t *testing.T) {
	s := start(t, bwfake.Options{})
	for number, code := range map[string]string{"9195550404": "5041", "9195550400": "5040", "91955512": "5045", "+19195551234": "5045"} {
		if r, _ := s.reserve(number); !refusedWith(r, 400, code) {
			t.Errorf("%s: %d %s, want %s", number, r.status, r.body, code)
		}
	}
	if r := s.call("POST", "/accounts/"+account+"/tnreservation", "<Order/>"); !refusedWith(r, 400, "5044") {
		t.Errorf("another document: %d %s", r.status, r.body)
	}
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointReserve, Kind: bwfake.LoseReplyAfter, Times: 1})
	if r, _ := s.reserve(digits); r.err == nil || len(s.Reservations()) != 1 {
		t.Errorf("a lost reply: %d, %v, and %v stands", r.status, r.err, s.Reservations())
	}
}
