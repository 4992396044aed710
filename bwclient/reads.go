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

// OrderStatus is an order as GET /orders/{id} tells of it. Any of its fields may be empty: an answer may leave out
// what it is not about, and an element that is there says nothing by being there.
type OrderStatus struct {
	OrderID OrderID
	// CustomerOrderID is ours, as it was sent.
	CustomerOrderID string
	Name            string
	// Status is Bandwidth's word as it stands.
	Status string
	// Completed are the numbers that the order holds, Failed those it did not get, with the codes of the errors that
	// name them. Both are E.164.
	Completed []string
	Failed    []Detail
	// Errors are the order's errors, each code and description once.
	Errors []Detail
	// CompletedQuantity and FailedQuantity are Bandwidth's own counts; nil where the answer has none.
	CompletedQuantity *int
	FailedQuantity    *int
	// Asked are the numbers that were asked for; empty where the answer leaves them out.
	Asked  []string
	SiteID string
	PeerID string
}

// Order reads an order (GET /orders/{id}). It blocks for [Config.GetTimeout] at the most. An answer that is about
// another order, or is no order, is [ErrUnreadable].
func (c *Client) Order(ctx context.Context, id OrderID) (OrderStatus, error) {
	k := call{op: "read order " + clip(string(id), maxText), path: "orders/" + string(id), order: id}
	if err := k.checkID(); err != nil {
		return OrderStatus{}, err
	}
	root, err := c.readAs(ctx, k, url.Values{"tndetail": {"true"}}, "OrderResponse")
	if err != nil {
		return OrderStatus{}, err
	}
	s, err := decodeOrder(root, id)
	if err != nil {
		return OrderStatus{}, k.unreadable(err)
	}
	return s, nil
}

// checkID makes sure that the order's id is one, before it becomes a part of a path.
func (k call) checkID() error {
	if validID(string(k.order)) {
		return nil
	}
	if k.method == "" {
		k.method = http.MethodGet
	}
	e := k.failed(errors.New("that is not the id of an order; nothing was asked"))
	e.Creation, e.notSent = NotCreated, true
	return e
}

func decodeOrder(root *node, id OrderID) (OrderStatus, error) {
	if root == nil {
		return OrderStatus{}, fmt.Errorf("%w: it is empty", ErrUnreadable)
	}
	order := root.child("Order")
	// A read normally leaves the id out.
	if got := order.childText("id", "OrderId"); got != "" && !strings.EqualFold(got, string(id)) {
		return OrderStatus{}, fmt.Errorf("%w: it is about order %q", ErrUnreadable, clip(got, 64))
	}
	s := OrderStatus{
		OrderID: id, CustomerOrderID: order.value("CustomerOrderId"), Name: order.value("Name"), Status: root.value("OrderStatus"),
		CompletedQuantity: quantity(root.value("CompletedQuantity")), FailedQuantity: quantity(root.value("FailedQuantity")),
		SiteID: order.value("SiteId"), PeerID: order.value("PeerId"),
	}
	s.Completed = numbersIn(root.child("CompletedNumbers"))
	s.Asked = numbersIn(order.child("ExistingTelephoneNumberOrderType").child("TelephoneNumberList"))
	errs := decodeErrors(root.child("ErrorList"))
	s.Errors = errs.list
	for _, n := range numbersIn(root.child("FailedNumbers")) {
		d, ok := errs.named[n]
		if !ok && len(errs.unnamed) == 1 {
			d = errs.unnamed[0] // the order's own error, which names no number
		}
		d.Number = n
		s.Failed = append(s.Failed, d)
	}
	return s, nil
}

// errorList is an ErrorList.
type errorList struct {
	list    []Detail          // each code and description once
	unnamed []Detail          // those of them that name no number
	named   map[string]Detail // by number
	numbers []string          // that are named, each once
}

// decodeErrors reads an ErrorList. An error names its numbers as TelephoneNumber, bare or around FullNumber, or in a
// list of them.
func decodeErrors(list *node) errorList {
	out := errorList{named: map[string]Detail{}}
	known := map[Detail]bool{}
	for _, e := range list.all("Error") {
		d := Detail{Code: e.childText("Code"), Description: e.childText("Description")}
		if d.Code == "" && d.Description == "" {
			continue
		}
		numbers := e.all("TelephoneNumber")
		for _, name := range []string{"TelephoneNumberList", "TelephoneNumbers"} {
			numbers = append(append(numbers, e.child(name).all("TelephoneNumber")...), e.child(name).all("Tn")...)
		}
		for _, number := range numbers {
			for _, n := range leaves(number) {
				n = toE164(n)
				if _, ok := out.named[n]; !ok {
					out.numbers = append(out.numbers, n)
				}
				out.named[n] = d
			}
		}
		if known[d] {
			continue
		}
		known[d] = true
		out.list = append(out.list, d)
		if len(numbers) == 0 {
			out.unnamed = append(out.unnamed, d)
		}
	}
	return out
}

// numberShape is what counts as a telephone number in a list: those that were asked for may be malformed, but "none"
// is no number.
var numberShape = regexp.MustCompile(`^\+?\d{3,15}$`)

// numbersIn returns the numbers below a list, each once, in whichever nesting: TelephoneNumber/FullNumber, FullNumber,
// TelephoneNumber, PhoneNumber or Tn with the number as its text, or bare text.
func numbersIn(list *node) []string {
	if list == nil {
		return nil
	}
	var texts []string
	for _, c := range list.children {
		switch strings.ToLower(c.name) {
		case "telephonenumber", "fullnumber", "phonenumber", "tn":
			texts = append(texts, leaves(c)...)
		}
	}
	if len(texts) == 0 {
		texts = strings.FieldsFunc(list.text, func(r rune) bool { return r == ',' || r == ';' || r <= ' ' })
	}
	var out []string
	seen := make(map[string]bool, len(texts))
	for _, text := range texts {
		if n := toE164(text); numberShape.MatchString(n) && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

func quantity(text string) *int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// OrderNumbers reads the numbers that an order holds (GET /orders/{id}/tns), in E.164. A list that counts other than
// it lists is [ErrUnreadable].
func (c *Client) OrderNumbers(ctx context.Context, id OrderID) ([]string, error) {
	k := call{op: "read the numbers of order " + clip(string(id), maxText), path: "orders/" + string(id) + "/tns", order: id}
	if err := k.checkID(); err != nil {
		return nil, err
	}
	root, err := c.readAs(ctx, k, nil, "TelephoneNumbers")
	if err != nil {
		return nil, err
	}
	numbers := numbersIn(root)
	if count := quantity(root.value("Count")); count != nil && *count != len(numbers) {
		return nil, k.unreadable(fmt.Errorf("%w: it counts %d numbers and lists %d", ErrUnreadable, *count, len(numbers)))
	}
	return numbers, nil
}

// Number is what Bandwidth says of a telephone number.
type Number struct {
	Number string
	// Status is such as Inservice, Aging or Available.
	Status string
	// OrderID is the order that brought the number to its account; empty where the answer has none.
	OrderID OrderID
	// OrderedAt is when that order was made; zero where the answer does not say, or in a form that is not documented.
	OrderedAt time.Time
	OrderType string
	SiteID    string
	AccountID string
}

// Number reads what Bandwidth says of a telephone number (GET /tns/{tn}). A number that it does not know is an error
// with status 404; without the role Numbers the error's status is 403.
func (c *Client) Number(ctx context.Context, number string) (Number, error) {
	k := call{op: "read number " + clip(number, maxText)}
	digits, err := fromE164(number)
	if err != nil {
		k.method = http.MethodGet
		e := k.failed(err)
		e.Creation, e.notSent = NotCreated, true
		return Number{}, e
	}
	k.path = "/tns/" + digits
	root, err := c.readAs(ctx, k, nil, "TelephoneNumberResponse")
	if err != nil {
		return Number{}, err
	}
	if got := toE164(root.value("TelephoneNumber")); got != number {
		return Number{}, k.unreadable(fmt.Errorf("%w: it is about number %q", ErrUnreadable, clip(got, 40)))
	}
	return Number{
		Number: number, Status: root.value("Status"), OrderID: OrderID(root.value("OrderId")), OrderedAt: orderedAt(root.value("OrderCreateDate")), OrderType: root.value("OrderType"),
		SiteID: root.value("SiteId"), AccountID: root.value("AccountId"),
	}, nil
}

// Site is a site, or sub-account, of the account.
type Site struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Sites lists the account's sites (GET /sites).
func (c *Client) Sites(ctx context.Context) ([]Site, error) {
	root, err := c.readAs(ctx, call{op: "list the sites", path: "sites"}, nil, "SitesResponse")
	if err != nil {
		return nil, err
	}
	var out []Site
	for _, s := range root.child("Sites").all("Site") {
		out = append(out, Site{ID: s.childText("Id"), Name: s.childText("Name"), Description: s.childText("Description")})
	}
	return out, nil
}

// Peer is a SIP peer, or location, of a site.
type Peer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Default bool   `json:"default"`
}

// Peers lists the SIP peers of a site (GET /sites/{id}/sippeers).
func (c *Client) Peers(ctx context.Context, siteID string) ([]Peer, error) {
	k := call{op: "list the SIP peers of site " + clip(siteID, maxText), path: "sites/" + siteID + "/sippeers"}
	if !validID(siteID) {
		k.method = http.MethodGet
		e := k.failed(errors.New("that is not the id of a site; nothing was asked"))
		e.Creation, e.notSent = NotCreated, true
		return nil, e
	}
	root, err := c.readAs(ctx, k, nil, "TNSipPeersResponse")
	if err != nil {
		return nil, err
	}
	var out []Peer
	for _, p := range root.child("SipPeers").all("SipPeer") {
		out = append(out, Peer{ID: p.childText("PeerId"), Name: p.childText("PeerName"), Default: strings.EqualFold(p.childText("IsDefaultPeer"), "true")})
	}
	return out, nil
}

// orderedAt reads a time as Bandwidth writes it; zero where it cannot: a date never makes an answer unreadable.
func orderedAt(text string) time.Time {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15-04-05.999Z", "2006-01-02 15:04:05.999", "2006-01-02T15", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	return time.Time{}
}
