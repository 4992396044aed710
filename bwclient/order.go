package bwclient

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of an order, as documented for POST /orders.
const (
	MaxNumbers         = 5000
	maxName            = 50
	maxCustomerOrderID = 40
)

// OrderID is Bandwidth's id of an order.
type OrderID string

// Order is an order of numbers (POST /orders, dev.bandwidth.com/docs/numbers/guides/searchingAndOrderingNumbers): either
// of exact ones, or of any that Bandwidth finds by Search.
type Order struct {
	// CustomerOrderID is ours: 1 to 40 letters, digits, dashes, and spaces between them (5052). Bandwidth does not
	// check that it is unique, and finds orders by it.
	CustomerOrderID string
	// Name is shown in the dashboard; 50 characters at most.
	Name   string
	SiteID string
	// PeerID is the SIP peer; empty means the site's default.
	PeerID string
	// Numbers are 1 to 5000, E.164, without duplicates (ExistingTelephoneNumberOrderType).
	Numbers []string
	// Reservations are those of the numbers that were reserved: without its own a reserved number is not sold. Bandwidth's
	// table of errors has 5042 and 5043 for one that has ended.
	Reservations []ReservationID
	// Search lets Bandwidth choose the numbers; nil where they are named. A repeated order buys other numbers.
	Search *SearchOrder
	// PartialAllowed takes what is there where some are gone. Bandwidth's default is not clear, so it is always sent.
	PartialAllowed bool
	// BackOrderRequested lets the order wait for stock where there is too little. Bandwidth refuses it (5522) for exact
	// numbers, an NPA-NXX, an NPA-NXX-X and vanity numbers.
	BackOrderRequested bool
}

// Created is the answer to an order, a disconnect or a port-in that was taken.
type Created struct {
	OrderID OrderID
	// Status is Bandwidth's word, usually RECEIVED; it may be missing.
	Status string
	// Errors are those of a port-in that was taken all the same, each code and description once: its status is EXCEPTION
	// then, and it can be mended at Bandwidth.
	Errors []Detail
}

// orderBody is the wire form of an order, its elements in the documented order.
type orderBody struct {
	XMLName            xml.Name    `xml:"Order"`
	CustomerOrderID    string      `xml:"CustomerOrderId"`
	Name               string      `xml:"Name"`
	Existing           existingTNs `xml:"ExistingTelephoneNumberOrderType"`
	SiteID             string      `xml:"SiteId"`
	PeerID             string      `xml:"PeerId,omitempty"`
	PartialAllowed     bool        `xml:"PartialAllowed"`
	BackOrderRequested bool        `xml:"BackOrderRequested"`
}

type existingTNs struct {
	Numbers      []string         `xml:"TelephoneNumberList>TelephoneNumber"`
	Reservations *reservationList `xml:"ReservationIdList"` // nil where there are none: an empty list is not documented
}

type reservationList struct {
	IDs []ReservationID `xml:"ReservationId"`
}

var (
	// A space at an end would be lost on the way, and the order not be found again by its id.
	customerOrderIDShape = regexp.MustCompile(`^[A-Za-z0-9-]([A-Za-z0-9 -]*[A-Za-z0-9-])?$`)
	orderIDShape         = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// encode checks the order and returns its wire form.
func (o Order) encode() ([]byte, error) {
	if err := checkNames(o.CustomerOrderID, o.Name); err != nil {
		return nil, err
	}
	switch {
	case o.SiteID == "":
		return nil, fmt.Errorf("%w: SiteId is missing", ErrInvalidOrder)
	case o.Search != nil && len(o.Numbers) > 0:
		return nil, fmt.Errorf("%w: it names %d numbers and a search; Bandwidth takes one of them", ErrInvalidOrder, len(o.Numbers))
	case o.Search != nil && len(o.Reservations) > 0:
		return nil, fmt.Errorf("%w: it gives %d reservations to a search; they go with numbers that are named", ErrInvalidOrder, len(o.Reservations))
	case o.Search != nil:
		return o.encodeSearch()
	}
	for _, id := range o.Reservations {
		if !validID(string(id)) {
			return nil, fmt.Errorf("%w: %q is not the id of a reservation", ErrInvalidOrder, clip(string(id), maxText))
		}
	}
	digits, err := wireNumbers(o.Numbers)
	if err != nil {
		return nil, err
	}
	existing := existingTNs{Numbers: digits}
	if len(o.Reservations) > 0 {
		existing.Reservations = &reservationList{o.Reservations}
	}
	return document(orderBody{
		CustomerOrderID: o.CustomerOrderID, Name: o.Name, Existing: existing, SiteID: o.SiteID, PeerID: o.PeerID,
		PartialAllowed: o.PartialAllowed, BackOrderRequested: o.BackOrderRequested,
	})
}

// checkNames checks what an order is called by.
func checkNames(customerOrderID, name string) error {
	switch {
	case len(customerOrderID) > maxCustomerOrderID || !customerOrderIDShape.MatchString(customerOrderID):
		return fmt.Errorf("%w: CustomerOrderId %q is not 1 to %d letters, digits, dashes and spaces between them", ErrInvalidOrder, clip(customerOrderID, 2*maxCustomerOrderID), maxCustomerOrderID)
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("%w: Name %q is longer than %d characters", ErrInvalidOrder, clip(name, 4*maxName), maxName)
	case unprintable(name):
		return fmt.Errorf("%w: Name %q holds a character that cannot be shown", ErrInvalidOrder, name)
	}
	return nil
}

// checkOptionalNames is checkNames where the customer order id may be left out.
func checkOptionalNames(customerOrderID, name string) error {
	if customerOrderID == "" {
		customerOrderID = "none"
	}
	return checkNames(customerOrderID, name)
}

// unprintable reports whether a text holds a character that XML may not carry, or would change.
func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) })
}

// wireNumbers checks the numbers of an order and returns their ten digits.
func wireNumbers(numbers []string) ([]string, error) {
	if len(numbers) == 0 || len(numbers) > MaxNumbers {
		return nil, fmt.Errorf("%w: it names %d numbers; 1 to %d are taken", ErrInvalidOrder, len(numbers), MaxNumbers)
	}
	out := make([]string, 0, len(numbers))
	seen := make(map[string]bool, len(numbers))
	for _, n := range numbers {
		digits, err := fromE164(n)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidOrder, err)
		}
		if seen[digits] {
			return nil, fmt.Errorf("%w: %s stands twice", ErrInvalidOrder, n)
		}
		seen[digits] = true
		out = append(out, digits)
	}
	return out, nil
}

// document returns the wire form of a request's body.
func document(body any) ([]byte, error) {
	data, err := xml.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidOrder, err)
	}
	return append([]byte(xml.Header), data...), nil
}

// orderForm is the answer to POST /orders.
var orderForm = form{root: "OrderResponse", echo: "Order", below: "orders", taken: []int{http.StatusCreated}}

// CreateOrder sends an order, once. It uses the access token that [Client.Authorize] has fetched and never fetches
// one. Right before the first byte leaves it makes sure that sendBy has passed neither on the monotonic nor on the
// wall clock, and sendBy is the call's deadline as well (P11). It blocks until sendBy at the most. Its errors are
// [*Error]s: ask [CreationOf] whether an order may exist.
func (c *Client) CreateOrder(ctx context.Context, o Order, sendBy time.Time) (Created, error) {
	k := call{op: "create order " + clip(o.CustomerOrderID, 2*maxCustomerOrderID), method: http.MethodPost, path: "orders", customerOrderID: o.CustomerOrderID}
	data, err := o.encode()
	if err != nil {
		return Created{}, k.invalid(err)
	}
	return c.create(ctx, k, orderForm, data, sendBy)
}
