package bwfake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

const byID = "customerOrderId=c-1&page=1&size=10"

func TestListDelay(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now, ListDelay: time.Minute})
	id := s.buy("c-1", digits)
	c.pass(time.Minute - 1)
	if got := s.list(byID); len(got.Orders) != 0 || got.Total != "0" {
		t.Errorf("just before: %+v", got)
	}
	if got := s.get(id); got.Status != "COMPLETE" {
		t.Errorf("the order itself is delayed: %+v", got)
	}
	if r := s.call("GET", "/tns/"+digits, ""); !strings.Contains(r.body, "<OrderId>"+id+"</OrderId>") {
		t.Errorf("the number is delayed: %+v", r)
	}
	c.pass(1)
	if got := s.list(byID); len(got.Orders) != 1 || got.Orders[0].ID != id || got.Orders[0].CustomerOrderID != "c-1" || got.Orders[0].Status != "COMPLETE" || got.Orders[0].Count != "1" {
		t.Errorf("one tick later: %+v", got)
	}
}

func TestEmptyList(t *testing.T) {
	for option, want := range map[int]int{0: 200, 200: 200, 204: 204, 404: 404} {
		s := start(t, bwfake.Options{EmptyList: option})
		r := s.call("GET", "/accounts/"+account+"/orders?"+byID, "")
		if r.status != want || want == http.StatusNoContent && r.body != "" || want == 200 && !strings.Contains(r.body, "<TotalCount>0<") {
			t.Errorf("%d: %+v", option, r)
		}
		s.buy("c-1", digits)
		if got := s.list(byID); len(got.Orders) != 1 {
			t.Errorf("%d: %+v", option, got)
		}
	}
}

// TestListPages follows the list as it is documented: by page and size, the next page by its first order's id.
func TestListPages(t *testing.T) {
	s := start(t, bwfake.Options{})
	var want []string
	for i := range 5 {
		want = append(want, s.buy("c-1", fmt.Sprintf("919555%04d", 1000+i)))
	}
	s.buy("c-10", digits)
	s.buy("C-1", "9195551235")
	var got []string
	page := "1"
	for n := 0; page != "" && n < 5; n++ {
		l := s.list("customerOrderId=c-1&size=2&page=" + page)
		if l.Total != "5" {
			t.Errorf("page %s counts %s", page, l.Total)
		}
		for _, o := range l.Orders {
			got = append(got, o.ID)
		}
		_, after, _ := strings.Cut(l.Next, "page=")
		page, _, _ = strings.Cut(after, "&")
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%v; want %v", got, want)
	}
	if all := s.list("page=1&size=100"); len(all.Orders) != 7 || all.Next != "" {
		t.Errorf("without a filter: %+v", all)
	}
	if all := s.list("page=1&size=100&customerorderid=c-1"); len(all.Orders) != 7 {
		t.Errorf("a filter that nobody knows is not ignored: %+v", all)
	}
	if none := s.list("page=no-such-order&size=100"); len(none.Orders) != 0 {
		t.Errorf("%+v", none)
	}
	for _, query := range []string{"", "page=1", "size=10", "page=1&size=0", "page=1&size=1001", "page=1&size=x"} {
		if r := s.call("GET", "/accounts/"+account+"/orders?"+query, ""); r.status != 400 || !strings.Contains(r.body, "<ErrorCode>1003<") {
			t.Errorf("%q: %+v", query, r)
		}
	}
}

// TestListDates: the list is bounded by days, both inclusive, and the two dates come together.
func TestListDates(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{Now: c.Now})
	for i := range 5 {
		s.buy(fmt.Sprintf("c-%d", i), fmt.Sprintf("919555%04d", i))
		c.pass(24 * time.Hour)
	}
	for query, want := range map[string]int{
		"": 5,
		"&startdate=2026-03-05&enddate=2026-03-06": 2,
		"&startdate=26-03-05&enddate=26-03-06":     2,
		"&startdate=2026-03-04&enddate=2026-03-04": 1,
		"&startdate=2025-01-01&enddate=2025-12-31": 0,
	} {
		if got := s.list("page=1&size=10" + query); len(got.Orders) != want || got.Total != fmt.Sprint(want) {
			t.Errorf("%q lists %d orders of %s; want %d", query, len(got.Orders), got.Total, want)
		}
	}
	for query, code := range map[string]string{
		"&startdate=2026-03-05": "15509", "&enddate=2026-03-05": "15508", "&startdate=5.3.2026&enddate=2026-03-05": "15501", "&startdate=2026-03-05&enddate=x": "15503",
	} {
		if r := s.call("GET", "/accounts/"+account+"/orders?page=1&size=10"+query, ""); r.status != http.StatusBadRequest || !strings.Contains(r.body, "<ErrorCode>"+code+"<") {
			t.Errorf("%q: %+v; want 400 with %s", query, r, code)
		}
	}
}
