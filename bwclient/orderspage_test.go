package bwclient_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

// TestOrdersPage: a page is asked for with its size, the dates as a pair or not at all, and no customer order id.
func TestOrdersPage(t *testing.T) {
	day := time.Date(2026, 3, 4, 23, 0, 0, 0, time.FixedZone("west", -5*3600))
	today := time.Now().UTC().Format(time.DateOnly)
	for _, c := range []struct {
		name     string
		from, to time.Time
		want     url.Values
	}{
		{name: "no dates", want: url.Values{}},
		{name: "both", from: day, to: day.AddDate(0, 0, 1), want: url.Values{"startdate": {"2026-03-05"}, "enddate": {"2026-03-06"}}},
		{name: "since", from: day, want: url.Values{"startdate": {"2026-03-05"}, "enddate": {today}}},
	} {
		var asked url.Values
		cl := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Query()
			answer(200, own(t, "orders_list/page_1.xml"))(w, r)
		}))
		p, err := cl.OrdersPage(t.Context(), "1", c.from, c.to)
		if err != nil || p.Next != "list-0003" || len(p.Orders) != 2 || p.Orders[0].CustomerOrderID != "c-1" || p.Total != 3 {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
		c.want.Set("page", "1")
		c.want.Set("size", "1000")
		if diff := cmp.Diff(c.want, asked); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestOrdersPage_Nothing: an empty list is one in each of the three forms, a page in the middle is not.
func TestOrdersPage_Nothing(t *testing.T) {
	for name, s := range map[string]stub{"204": {status: 204}, "404": {status: 404}, "200": {status: 200, body: own(t, "orders_list/nothing.xml")}} {
		if p, err := stubbed(t, s).OrdersPage(t.Context(), "1", time.Time{}, time.Time{}); err != nil || len(p.Orders) != 0 || p.Next != "" || p.Total > 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if _, err := stubbed(t, s).OrdersPage(t.Context(), "o-7", time.Time{}, time.Time{}); name != "200" && !errors.Is(err, bwclient.ErrUnreadable) {
			t.Errorf("page o-7, %s: %v", name, err)
		}
	}
	for _, status := range []int{401, 403, 429, 500} {
		if p, err := stubbed(t, stub{status: status}).OrdersPage(t.Context(), "1", time.Time{}, time.Time{}); err == nil {
			t.Errorf("%d: %+v", status, p)
		}
	}
}

// TestOrdersPage_Dates: the list's dates are read in every form that was seen; another form is no error.
func TestOrdersPage_Dates(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2013-12-20T06":            time.Date(2013, 12, 20, 6, 0, 0, 0, time.UTC),
		"2014-07-11T17:13:57.788Z": time.Date(2014, 7, 11, 17, 13, 57, 788e6, time.UTC),
		"2014-01-10T17-34-15Z":     time.Date(2014, 1, 10, 17, 34, 15, 0, time.UTC),
		"0001-01-01T00:00:00":      {},
		"yesterday":                {},
		"":                         {},
	} {
		body := strings.Replace(own(t, "orders_list/one.xml"), "<orderId>", "<OrderDate>"+text+"</OrderDate><orderId>", 1)
		p, err := stubbed(t, stub{status: 200, body: body}).OrdersPage(t.Context(), "1", time.Time{}, time.Time{})
		if err != nil || len(p.Orders) != 1 || !p.Orders[0].OrderedAt.Equal(want) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}
