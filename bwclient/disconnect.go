package bwclient

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Disconnect is an order to release numbers (POST /disconnects, dev.bandwidth.com/docs/numbers/guides/disconnectNumbers).
type Disconnect struct {
	// Name is shown in the dashboard; 50 characters at most.
	Name string
	// CustomerOrderID is ours, under the rules of an order's; empty for none. Bandwidth does not find disconnects by it.
	CustomerOrderID string
	// Numbers are 1 to 5000, E.164, without duplicates.
	Numbers []string
	// Mode is normal or purge, in any case; empty means Bandwidth's default, normal.
	Mode string
	// Protected is true, false or unchanged, in any case; empty leaves it out.
	Protected string
}

// disconnectBody is the wire form of a disconnect, its elements in the documented order.
type disconnectBody struct {
	XMLName         xml.Name       `xml:"DisconnectTelephoneNumberOrder"`
	Name            string         `xml:"Name,omitempty"`
	CustomerOrderID string         `xml:"CustomerOrderId,omitempty"`
	Type            disconnectType `xml:"DisconnectTelephoneNumberOrderType"`
}

type disconnectType struct {
	Numbers   []string `xml:"TelephoneNumberList>TelephoneNumber"`
	Mode      string   `xml:"DisconnectMode,omitempty"`
	Protected string   `xml:"Protected,omitempty"`
}

// encode checks the disconnect and returns its wire form.
func (d Disconnect) encode() ([]byte, error) {
	if err := checkOptionalNames(d.CustomerOrderID, d.Name); err != nil {
		return nil, err
	}
	digits, err := wireNumbers(d.Numbers)
	if err != nil {
		return nil, err
	}
	kind := disconnectType{Numbers: digits, Mode: strings.ToLower(d.Mode), Protected: strings.ToUpper(d.Protected)}
	switch {
	case kind.Mode != "" && !slices.Contains([]string{"normal", "purge"}, kind.Mode):
		return nil, fmt.Errorf("%w: DisconnectMode %q is neither normal nor purge", ErrInvalidOrder, clip(d.Mode, 40))
	case kind.Protected != "" && !slices.Contains([]string{"TRUE", "FALSE", "UNCHANGED"}, kind.Protected):
		return nil, fmt.Errorf("%w: Protected %q is none of true, false and unchanged", ErrInvalidOrder, clip(d.Protected, 40))
	}
	return document(disconnectBody{Name: d.Name, CustomerOrderID: d.CustomerOrderID, Type: kind})
}

// disconnectForm is the answer to POST /disconnects. Recordings have 200 as well as 201.
var disconnectForm = form{
	root: "DisconnectTelephoneNumberOrderResponse", echo: "orderRequest", below: "disconnects", taken: []int{http.StatusCreated, http.StatusOK},
}

// CreateDisconnect sends a disconnect, once, under the rules of [Client.CreateOrder]: ask [CreationOf] of its error
// whether one may exist. Bandwidth has no list in which it could be looked up; what became of the numbers is asked of
// them ([Client.Number]).
func (c *Client) CreateDisconnect(ctx context.Context, d Disconnect, sendBy time.Time) (Created, error) {
	k := call{op: fmt.Sprintf("disconnect %d numbers", len(d.Numbers)), method: http.MethodPost, path: "disconnects", customerOrderID: d.CustomerOrderID}
	data, err := d.encode()
	if err != nil {
		return Created{}, k.invalid(err)
	}
	return c.create(ctx, k, disconnectForm, data, sendBy)
}

// DisconnectStatus is a disconnect as GET /disconnects/{id} tells of it. Any of its fields may be empty.
type DisconnectStatus struct {
	OrderID         OrderID
	CustomerOrderID string
	Name            string
	// Status is Bandwidth's word as it stands: RECEIVED, then COMPLETE, PARTIAL or FAILED.
	Status string
	// Disconnected are the numbers that were released, Failed those that were not, with the codes of the errors that
	// name them (5006: not on this account). Both are E.164. A number that the answer says nothing about is in neither.
	Disconnected []string
	Failed       []Detail
	// Errors are the disconnect's errors, each code and description once.
	Errors []Detail
	// Asked are the numbers that were to be released.
	Asked []string
	// Mode and Protected are Bandwidth's words.
	Mode, Protected string
}

// Disconnect reads a disconnect (GET /disconnects/{id}). It blocks for [Config.GetTimeout] at the most. An answer that
// is about another disconnect, or is none, is [ErrUnreadable].
func (c *Client) Disconnect(ctx context.Context, id OrderID) (DisconnectStatus, error) {
	k := call{op: "read disconnect " + clip(string(id), maxText), path: "disconnects/" + string(id), order: id}
	if err := k.checkID(); err != nil {
		return DisconnectStatus{}, err
	}
	root, err := c.readAs(ctx, k, url.Values{"tndetail": {"true"}}, disconnectForm.root)
	if err != nil {
		return DisconnectStatus{}, err
	}
	s, err := decodeDisconnect(root, id)
	if err != nil {
		return DisconnectStatus{}, k.unreadable(err)
	}
	return s, nil
}

func decodeDisconnect(root *node, id OrderID) (DisconnectStatus, error) {
	if root == nil {
		return DisconnectStatus{}, fmt.Errorf("%w: it is empty", ErrUnreadable)
	}
	request := root.child(disconnectForm.echo)
	if got := request.childText("id", "OrderId"); got != "" && !strings.EqualFold(got, string(id)) {
		return DisconnectStatus{}, fmt.Errorf("%w: it is about disconnect %q", ErrUnreadable, clip(got, 64))
	}
	kind := request.child("DisconnectTelephoneNumberOrderType")
	s := DisconnectStatus{
		OrderID: id, CustomerOrderID: request.childText("CustomerOrderId"), Name: request.childText("Name"), Status: root.value("OrderStatus"),
		Disconnected: numbersIn(root.child("DisconnectedTelephoneNumberList")), Asked: numbersIn(kind.child("TelephoneNumberList")),
		Mode: kind.childText("DisconnectMode"), Protected: kind.childText("Protected"),
	}
	errs := decodeErrors(root.child("ErrorList"))
	s.Errors = errs.list
	released := make(map[string]bool, len(s.Disconnected))
	for _, n := range s.Disconnected {
		released[n] = true
	}
	for _, n := range errs.numbers {
		if numberShape.MatchString(n) && !released[n] {
			d := errs.named[n]
			d.Number = n
			s.Failed = append(s.Failed, d)
		}
	}
	// An error that names no number is certain to be about the one that was asked for only where that is the only one.
	if len(s.Disconnected) == 0 && len(s.Failed) == 0 && len(errs.unnamed) == 1 && len(s.Asked) == 1 {
		d := errs.unnamed[0]
		d.Number = s.Asked[0]
		s.Failed = []Detail{d}
	}
	return s, nil
}
