package bwclient_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

// pages serves a list page by page, by the query's page.
func pages(t *testing.T, byName map[string]string) (*bwclient.Client, *[]string) {
	asked := &[]string{}
	return client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		*asked = append(*asked, q.Get("page"))
		if q.Get("customerOrderId") != "c-1" || q.Get("size") == "" {
			t.Errorf("the list is asked with %q", r.URL.RawQuery)
		}
		if body, ok := byName[q.Get("page")]; ok {
			answer(200, body)(w, r)
			return
		}
		http.NotFound(w, r)
	})), asked
}

func TestListPages(t *testing.T) {
	c, asked := pages(t, map[string]string{"1": own(t, "orders_list/page_1.xml"), "list-0003": own(t, "orders_list/page_2.xml")})
	got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1")
	want := []bwclient.OrderSummary{
		{OrderID: "list-0001", CustomerOrderID: "c-1", Status: "COMPLETE", CountOfTNs: 1, OrderedAt: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)},
		{OrderID: "list-0002", Status: "FAILED"},
		{OrderID: "list-0003", CustomerOrderID: "c-1", Status: "RECEIVED"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"1", "list-0003"}, *asked); diff != "" {
		t.Error(diff)
	}
}

// TestP16_NothingFound: three answers mean that there is no order; everything else is no look.
func TestP16_NothingFound(t *testing.T) {
	for name, s := range map[string]stub{
		"204": {status: 204}, "404": {status: 404}, "404 with a body": {status: 404, body: "<ErrorResponse><ResponseStatus><ErrorCode>1016</ErrorCode></ResponseStatus></ErrorResponse>"},
		"TotalCount 0": {status: 200, body: own(t, "orders_list/nothing.xml")}, "an empty wrapper": {status: 200, body: "<ResponseSelectWrapper/>"},
		"an empty list": {status: 200, body: "<ResponseSelectWrapper><ListOrderIdUserIdDate/></ResponseSelectWrapper>"},
	} {
		got, err := stubbed(t, s).OrdersByCustomerOrderID(t.Context(), "c-1")
		if err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	entry := "<OrderIdUserIdDate><orderId>o-1</orderId></OrderIdUserIdDate>"
	list := "<ResponseSelectWrapper><ListOrderIdUserIdDate>%s</ListOrderIdUserIdDate></ResponseSelectWrapper>"
	for name, s := range map[string]stub{
		"401": {status: 401}, "403": {status: 403}, "429": {status: 429}, "500": {status: 500}, "503": {status: 503}, "301": {status: 301}, "201": {status: 201}, "202": {status: 202},
		"an empty 200":                    {status: 200},
		"a page":                          {status: 200, body: own(t, "gateway.html")},
		"json":                            {status: 200, body: own(t, "gateway.json")},
		"another root":                    {status: 200, body: "<OrderResponse/>"},
		"another list":                    {status: 200, body: "<ResponseSelectWrapper><ListPortIns/></ResponseSelectWrapper>"},
		"an error in the wrapper":         {status: 200, body: "<ResponseSelectWrapper><ResponseStatus><ErrorCode>1010</ErrorCode></ResponseStatus></ResponseSelectWrapper>"},
		"cut off":                         {status: 200, body: own(t, "orders_list/one.xml")[:200]},
		"counts one and lists none":       {status: 200, body: fmt.Sprintf(list, "<TotalCount>1</TotalCount>")},
		"counts two and lists one":        {status: 200, body: fmt.Sprintf(list, "<TotalCount>2</TotalCount>"+entry)},
		"an entry without an id":          {status: 200, body: fmt.Sprintf(list, "<OrderIdUserIdDate><OrderStatus>COMPLETE</OrderStatus></OrderIdUserIdDate>")},
		"an entry with an id that is bad": {status: 200, body: fmt.Sprintf(list, "<OrderIdUserIdDate><orderId>../x</orderId></OrderIdUserIdDate>")},
		"a next link without a page":      {status: 200, body: fmt.Sprintf(list, "<Links><next>Link=&lt;https://x/orders?size=3&gt;</next></Links>"+entry)},
		"a next page that cannot be read": {status: 200, body: fmt.Sprintf(list, "<Links><next>Link=&lt;https://x/orders?page=%zz&amp;size=3&gt;</next></Links>"+entry)},
	} {
		got, err := stubbed(t, s).OrdersByCustomerOrderID(t.Context(), "c-1")
		if err == nil || got != nil || bwclient.CreationOf(err) != bwclient.NotCreated {
			t.Errorf("%s counts as a look: %v, %v", name, got, err)
		}
		if s.status == 200 && !errors.Is(err, bwclient.ErrUnreadable) {
			t.Errorf("%s: %v; want ErrUnreadable", name, err)
		}
	}
}

func TestListEntries(t *testing.T) {
	one, err := stubbed(t, stub{status: 200, body: own(t, "orders_list/one.xml")}).OrdersByCustomerOrderID(t.Context(), "c-1")
	if diff := cmp.Diff([]bwclient.OrderSummary{{OrderID: "list-0001", CustomerOrderID: "c-1", Status: "COMPLETE", CountOfTNs: 2}}, one); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// The next link in the forms that were seen, with a page whose name needs escaping.
	for name, link := range map[string]string{
		"escaped": `Link=&lt;https://dashboard.bandwidth.com/api/accounts/1/orders?page=p%2F2&amp;size=1&gt;;rel="next";`,
		"plain":   `Link=<https://dashboard.bandwidth.com 443/v1.0/accounts/1/orders?size=1&page=p%2F2>;rel="next";`,
		"comment": `<!-- Link=<https://dashboard.bandwidth.com 443/orders?page=p%2F2&size=1>;rel="next"; -->`,
		"short":   `/orders?PAGE=p%2F2`,
	} {
		body := func(id, links string) string {
			return "<ResponseSelectWrapper><ListOrderIdUserIdDate><TotalCount>2</TotalCount>" + links + "<OrderIdUserIdDate><orderId>" + id + "</orderId></OrderIdUserIdDate></ListOrderIdUserIdDate></ResponseSelectWrapper>"
		}
		c, asked := pages(t, map[string]string{"1": body("o-1", "<Links><first/><next>"+link+"</next></Links>"), "p/2": body("o-2", "<Links><next/></Links>")})
		got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1")
		if err != nil || len(got) != 2 || len(*asked) != 2 {
			t.Errorf("%s: %v, %v, pages %v", name, got, err, *asked)
		}
	}
}

// TestListThatCannotBeFollowed: what is looked for may stand in the rest.
func TestListThatCannotBeFollowed(t *testing.T) {
	body := func(id, next string) string {
		return "<ResponseSelectWrapper><ListOrderIdUserIdDate><Links><next>/orders?page=" + next + "</next></Links><OrderIdUserIdDate><orderId>" + id + "</orderId></OrderIdUserIdDate></ListOrderIdUserIdDate></ResponseSelectWrapper>"
	}
	c, asked := pages(t, map[string]string{"1": body("o-1", "2"), "2": body("o-2", "1")})
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); err == nil || len(*asked) > 20 {
		t.Errorf("a circle: %v after %d pages", got, len(*asked))
	}
	c, _ = pages(t, map[string]string{"1": body("o-1", "gone")})
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); !errors.Is(err, bwclient.ErrUnreadable) {
		t.Errorf("a page that is missing: %v, %v", got, err)
	}
	counted := strings.Replace(body("o-1", "2"), "<Links>", "<TotalCount>5</TotalCount><Links>", 1)
	c, _ = pages(t, map[string]string{"1": counted, "2": own(t, "orders_list/nothing.xml")})
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); !errors.Is(err, bwclient.ErrUnreadable) {
		t.Errorf("a count of 5 that a later page takes back: %v, %v", got, err)
	}
	endless := map[string]string{}
	for i := 1; i < 50; i++ {
		endless[fmt.Sprint(i)] = body(fmt.Sprintf("o-%d", i), fmt.Sprint(i+1))
	}
	c, asked = pages(t, endless)
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); err == nil || !strings.Contains(err.Error(), "filter") || len(*asked) != 10 {
		t.Errorf("a list without an end: %v, %v after %d pages", got, err, len(*asked))
	}
	c, _ = pages(t, map[string]string{"1": body("o-1", "1")}) // a link to itself is the last one
	if got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1"); err != nil || len(got) != 1 {
		t.Errorf("a page that names itself: %v, %v", got, err)
	}
}
