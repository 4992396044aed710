package bwclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// OrderSummary is an order, or a port-in, in a list.
type OrderSummary struct {
	OrderID OrderID
	// CustomerOrderID may be missing: read the order to learn it.
	CustomerOrderID string
	// Status is Bandwidth's word as it stands.
	Status string
	// CountOfTNs is how many numbers the order holds; 0 where the list does not say.
	CountOfTNs int
	// OrderedAt is when it was ordered, at times to the hour only; zero where the list does not say, or in a form that is
	// not documented.
	OrderedAt time.Time
}

// MaxListSize is how many orders one page of a list may hold, as documented for GET /orders.
const MaxListSize = 1000

// OrderPage is a page of the list of all orders.
type OrderPage struct {
	Orders []OrderSummary
	// Next names the next page; empty on the last.
	Next string
	// Total is Bandwidth's own count of the whole list; -1 where the page has none.
	Total int
}

// OrdersPage reads a page of the list of the account's orders (GET /orders). The first is named "1", and each names the
// next. from and to bound the days on which they were ordered, both inclusive; zero for none, and Bandwidth then lists
// those of the last two years. Whether an order that was just received is listed is not documented. An empty list is an
// empty page, whether the answer is 200, 204 or 404 (Bandwidth's own sources give all three); a page after the first
// that is not there is an error. It blocks for [Config.GetTimeout] at the most.
func (c *Client) OrdersPage(ctx context.Context, page string, from, to time.Time) (OrderPage, error) {
	k := call{op: "list the orders", path: "orders"}
	query := url.Values{"page": {page}, "size": {strconv.Itoa(MaxListSize)}}
	if !from.IsZero() || !to.IsZero() { // Bandwidth wants both or none (15508, 15509)
		if to.IsZero() {
			to = time.Now()
		}
		query.Set("startdate", from.UTC().Format(time.DateOnly))
		query.Set("enddate", to.UTC().Format(time.DateOnly))
	}
	body, err := c.read(ctx, k, query)
	var e *Error
	if err == nil && body == nil || errors.As(err, &e) && e.StatusCode == http.StatusNotFound {
		if page == "1" {
			return OrderPage{Total: 0}, nil
		}
		return OrderPage{}, k.unreadable(fmt.Errorf("%w: its page %s is missing", ErrUnreadable, clip(page, maxText)))
	}
	if err != nil {
		return OrderPage{}, err
	}
	list := orderList{form: orderListForm, seen: map[OrderID]bool{}}
	next, err := list.add(body)
	if err != nil {
		return OrderPage{}, k.unreadable(err)
	}
	p := OrderPage{Orders: list.orders, Next: next, Total: -1}
	if list.total != nil {
		p.Total = *list.total
	}
	return p, nil
}

const (
	listSize     = 100
	maxListPages = 10
)

// listForm is how a resource answers a list.
type listForm struct {
	root, list, entry string // the entries stand in list; empty: right under the root
	status            string // the element of an entry's status word
}

// orderListForm is the answer to GET /orders.
var orderListForm = listForm{root: "ResponseSelectWrapper", list: "ListOrderIdUserIdDate", entry: "OrderIdUserIdDate", status: "OrderStatus"}

// OrdersByCustomerOrderID lists the orders that Bandwidth finds by a customer order id. Compare each one's: a filter
// that is not understood is ignored, and then every order is listed. No order at all is an empty list, whether the
// answer is 200, 204 or 404 (Bandwidth's own sources give all three). It follows the list's pages; a list that it
// cannot follow to its end is an error, since the order that is looked for may stand in the rest.
func (c *Client) OrdersByCustomerOrderID(ctx context.Context, customerOrderID string) ([]OrderSummary, error) {
	k := call{op: "list the orders with customer order id " + clip(customerOrderID, maxText), path: "orders", customerOrderID: customerOrderID}
	return c.list(ctx, k, orderListForm, url.Values{"customerOrderId": {customerOrderID}})
}

// list reads a list to its end.
func (c *Client) list(ctx context.Context, k call, form listForm, query url.Values) ([]OrderSummary, error) {
	list := orderList{form: form, seen: map[OrderID]bool{}}
	page := "1"
	query.Set("size", strconv.Itoa(listSize))
	for n := 1; n <= maxListPages; n++ {
		query.Set("page", page)
		body, err := c.read(ctx, k, query)
		var e *Error
		nothing := err == nil && body == nil || errors.As(err, &e) && e.StatusCode == http.StatusNotFound
		if nothing && n == 1 {
			return nil, nil
		}
		if nothing {
			return nil, k.unreadable(fmt.Errorf("%w: page %d of the list is missing", ErrUnreadable, n))
		}
		if err != nil {
			return nil, err
		}
		next, err := list.add(body)
		if err != nil {
			return nil, k.unreadable(err)
		}
		if next == "" || next == page {
			return list.whole(k)
		}
		page = next
	}
	return nil, k.unreadable(fmt.Errorf("the list goes beyond %d pages of %d: its filter was not understood", maxListPages, listSize))
}

// orderList gathers the pages of a list.
type orderList struct {
	form   listForm
	orders []OrderSummary
	seen   map[OrderID]bool
	total  *int // Bandwidth's count, the greatest of the pages'; nil where the list has none
}

// add takes a page and returns the name of the next one; empty for none.
func (l *orderList) add(body []byte) (next string, err error) {
	body, links := cutLinks(body)
	root, err := parseAs(body, l.form.root)
	if err != nil {
		return "", err
	}
	list := root
	if l.form.list != "" {
		list = root.child(l.form.list)
	}
	if len(root.children) > 0 && (list == nil || list == root && list.child("TotalCount", l.form.entry) == nil) {
		return "", fmt.Errorf("%w: it holds no list of orders", ErrUnreadable)
	}
	if total := quantity(list.value("TotalCount")); total != nil && (l.total == nil || *total > *l.total) {
		l.total = total
	}
	for _, e := range list.all(l.form.entry) {
		id := OrderID(e.childText("orderId", "id"))
		if !validID(string(id)) {
			return "", fmt.Errorf("%w: an entry has no order id", ErrUnreadable)
		}
		if l.seen[id] {
			continue
		}
		l.seen[id] = true
		s := OrderSummary{
			OrderID: id, CustomerOrderID: e.childText("CustomerOrderId"), Status: e.childText(l.form.status),
			OrderedAt: orderedAt(e.childText("OrderDate")),
		}
		if count := quantity(e.childText("CountOfTNs")); count != nil {
			s.CountOfTNs = *count
		}
		l.orders = append(l.orders, s)
	}
	return nextPage(links)
}

// whole returns the list once there is no further page.
func (l *orderList) whole(k call) ([]OrderSummary, error) {
	if l.total != nil && *l.total > len(l.orders) {
		return nil, k.unreadable(fmt.Errorf("%w: it counts %d orders and lists %d", ErrUnreadable, *l.total, len(l.orders)))
	}
	return l.orders, nil
}

var (
	linksElement = regexp.MustCompile(`(?is)<Links(?:\s[^>]*)?>(.*?)</Links\s*>`)
	nextElement  = regexp.MustCompile(`(?is)<next(?:\s[^>]*)?>(.*?)</next\s*>`)
	pageInLink   = regexp.MustCompile(`(?i)[?&;]page=([^&;>\s"'<]+)`)
)

// cutLinks takes the element Links out of a list: what stands in it is not always XML, be it text, escaped or not, or
// a comment.
func cutLinks(body []byte) (rest, links []byte) {
	at := linksElement.FindSubmatchIndex(body)
	if at == nil {
		return body, nil
	}
	rest = append(append([]byte(nil), body[:at[0]]...), body[at[1]:]...)
	return rest, body[at[2]:at[3]]
}

// nextPage returns the page that a list's next link names; empty for none. Only its page is taken: the links' hosts
// are often malformed.
func nextPage(links []byte) (string, error) {
	next := nextElement.FindSubmatch(links)
	if next == nil || strings.TrimSpace(string(next[1])) == "" {
		return "", nil
	}
	m := pageInLink.FindSubmatch(next[1])
	if m == nil {
		return "", fmt.Errorf("%w: its link to the next page names none", ErrUnreadable)
	}
	page, err := url.QueryUnescape(string(m[1]))
	if err != nil {
		return "", fmt.Errorf("%w: its link to the next page cannot be read", ErrUnreadable)
	}
	return page, nil
}
