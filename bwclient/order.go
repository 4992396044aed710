package bwclient

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
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

// Order is an order of exact numbers (POST /orders with ExistingTelephoneNumberOrderType,
// dev.bandwidth.com/docs/numbers/guides/searchingAndOrderingNumbers).
type Order struct {
	// CustomerOrderID is ours: 1 to 40 letters, digits, dashes, and spaces between them (5052). Bandwidth does not
	// check that it is unique, and finds orders by it.
	CustomerOrderID string
	// Name is shown in the dashboard; 50 characters at most.
	Name   string
	SiteID string
	// PeerID is the SIP peer; empty means the site's default.
	PeerID string
	// Numbers are 1 to 5000, E.164, without duplicates.
	Numbers []string
	// PartialAllowed takes what is there where some are gone. Bandwidth's default is not clear, so it is always sent.
	PartialAllowed bool
}

// Created is the answer to an order that was taken.
type Created struct {
	OrderID OrderID
	// Status is Bandwidth's word, usually RECEIVED; it may be missing.
	Status string
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
	Numbers []string `xml:"TelephoneNumberList>TelephoneNumber"`
}

var (
	// A space at an end would be lost on the way, and the order not be found again by its id.
	customerOrderIDShape = regexp.MustCompile(`^[A-Za-z0-9-]([A-Za-z0-9 -]*[A-Za-z0-9-])?$`)
	orderIDShape         = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// encode checks the order and returns its wire form.
func (o Order) encode() ([]byte, error) {
	body := orderBody{CustomerOrderID: o.CustomerOrderID, Name: o.Name, SiteID: o.SiteID, PeerID: o.PeerID, PartialAllowed: o.PartialAllowed}
	switch {
	case len(o.CustomerOrderID) > maxCustomerOrderID || !customerOrderIDShape.MatchString(o.CustomerOrderID):
		return nil, fmt.Errorf("%w: CustomerOrderId %q is not 1 to %d letters, digits, dashes and spaces between them", ErrInvalidOrder, clip(o.CustomerOrderID, 2*maxCustomerOrderID), maxCustomerOrderID)
	case utf8.RuneCountInString(o.Name) > maxName:
		return nil, fmt.Errorf("%w: Name %q is longer than %d characters", ErrInvalidOrder, clip(o.Name, 4*maxName), maxName)
	case strings.ContainsFunc(o.Name, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }):
		return nil, fmt.Errorf("%w: Name %q holds a character that cannot be shown", ErrInvalidOrder, o.Name)
	case o.SiteID == "":
		return nil, fmt.Errorf("%w: SiteId is missing", ErrInvalidOrder)
	case len(o.Numbers) == 0 || len(o.Numbers) > MaxNumbers:
		return nil, fmt.Errorf("%w: it names %d numbers; 1 to %d are taken", ErrInvalidOrder, len(o.Numbers), MaxNumbers)
	}
	seen := make(map[string]bool, len(o.Numbers))
	for _, n := range o.Numbers {
		digits, err := fromE164(n)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidOrder, err)
		}
		if seen[digits] {
			return nil, fmt.Errorf("%w: %s stands twice", ErrInvalidOrder, n)
		}
		seen[digits] = true
		body.Existing.Numbers = append(body.Existing.Numbers, digits)
	}
	data, err := xml.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidOrder, err)
	}
	return append([]byte(xml.Header), data...), nil
}

// CreateOrder sends an order, once. It uses the access token that [Client.Authorize] has fetched and never fetches
// one. Right before the first byte leaves it makes sure that sendBy has passed neither on the monotonic nor on the
// wall clock, and sendBy is the call's deadline as well (P11). It blocks until sendBy at the most. Its errors are
// [*Error]s: ask [CreationOf] whether an order may exist.
func (c *Client) CreateOrder(ctx context.Context, o Order, sendBy time.Time) (Created, error) {
	ctx, cancel := context.WithDeadline(ctx, sendBy)
	defer cancel()
	k := call{op: "create order " + clip(o.CustomerOrderID, 2*maxCustomerOrderID), method: http.MethodPost, path: "orders", customerOrderID: o.CustomerOrderID}
	notCreated := func(err error, notSent bool) (Created, error) {
		e := k.failed(err)
		e.Creation, e.notSent = NotCreated, notSent
		return Created{}, e
	}
	data, err := o.encode()
	if err != nil {
		return notCreated(err, false) // sending the same again would end the same
	}
	req, err := c.newRequest(ctx, k, nil)
	if err != nil {
		return notCreated(err, true)
	}
	// P11: a body without GetBody and a request without an Idempotency-Key are never sent again by the transport. The
	// reader is one that the transport knows to be in memory, so that head and body leave together.
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	req.Header.Set("Content-Type", "application/xml; charset=utf-8")
	if err := c.auth.sign(req); err != nil {
		return notCreated(err, true)
	}
	watch := writeWatch{sendBy: sendBy}
	req = req.WithContext(httptrace.WithClientTrace(ctx, watch.trace()))
	if passed(sendBy) { // P11
		return notCreated(ErrTooLate, true)
	}
	if err := ctx.Err(); err != nil {
		return notCreated(err, true)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = contextFirst(ctx, err)
		if watch.nothingSent() {
			return notCreated(err, true)
		}
		return Created{}, k.failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBody(resp.Body)
	return c.created(k, resp, body, contextFirst(ctx, err))
}

// created reads the answer to a POST. The body's reading may have failed: Location can still name the order.
func (c *Client) created(k call, resp *http.Response, body []byte, readErr error) (Created, error) {
	var root *node
	if readErr == nil {
		root, _ = parseAs(body, "OrderResponse")
	}
	if resp.StatusCode == http.StatusCreated {
		id := root.child("Order").childText("id", "OrderId")
		if id == "" {
			id = root.childText("OrderId", "id")
		}
		if !validID(id) {
			id = idInLocation(resp.Header.Get("Location"))
		}
		if id != "" {
			return Created{OrderID: OrderID(id), Status: root.value("OrderStatus")}, nil
		}
	}
	c.auth.refused(resp.StatusCode)
	if readErr != nil {
		body = nil // what came before the end may be cut off anywhere: only the status decides
	}
	e := c.answerError(k, resp, body)
	if readErr != nil {
		e.Err = readErr
	}
	refusal := e.Details
	if !listsErrors(body) {
		refusal = nil // somebody else's 400: a gateway's, or a form that no document gives for orders
	}
	e.Creation = creationOf(resp.StatusCode, refusal, resp.Header.Get("Location") != "" || namesOrder(body))
	if resp.StatusCode == http.StatusCreated && e.Err == nil {
		e.Err = errors.New("the answer names no order")
	}
	return Created{}, e
}

// listsErrors reports whether an answer refuses an order in the documented form: an ErrorList that holds errors.
func listsErrors(body []byte) bool {
	root, err := parse(body)
	if err != nil {
		return false
	}
	return root.child("ErrorList").child("Error").childText("Code") != ""
}

// namesOrder reports whether an order's id stands anywhere in an answer.
func namesOrder(body []byte) bool {
	root, err := parse(body)
	if err != nil {
		return false
	}
	found := false
	root.walk(func(n *node) {
		switch strings.ToLower(n.name) {
		case "id", "orderid":
			found = found || n.text != ""
		}
	})
	return found
}

// validID reports whether a text can be the id of an order: it becomes a part of URLs.
func validID(id string) bool { return orderIDShape.MatchString(id) }

// idInLocation returns the order's id in a Location header: the last part of a path below orders.
func idInLocation(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[len(parts)-2], "orders") {
		return ""
	}
	if id := parts[len(parts)-1]; validID(id) {
		return id
	}
	return ""
}
