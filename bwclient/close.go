package bwclient

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
)

// Closing is what an order is called when it is closed. Give both as they are: what is left out is not sent, and the
// documents do not say whether Bandwidth then keeps it.
type Closing struct {
	Name            string
	CustomerOrderID string
}

// closeBody is the wire form of a closing, its elements in the documented order.
type closeBody struct {
	XMLName         xml.Name `xml:"Order"`
	Name            string   `xml:"Name,omitempty"`
	CustomerOrderID string   `xml:"CustomerOrderId,omitempty"`
	CloseOrder      bool     `xml:"CloseOrder"`
}

// CloseOrder closes an order that waits for stock (PUT /orders/{id} with CloseOrder): it keeps what it has, and ends
// PARTIAL or FAILED. No other way to cancel an order exists. It blocks for [Config.GetTimeout] at the most, and may be
// repeated after any error: an order that waits no more is refused with 5060 (see [Codes]), an unknown one with 5061.
// Read the order to learn how it ended.
func (c *Client) CloseOrder(ctx context.Context, id OrderID, o Closing) error {
	k := call{op: "close order " + clip(string(id), maxText), method: http.MethodPut, path: "orders/" + string(id), order: id, customerOrderID: o.CustomerOrderID}
	if err := k.checkID(); err != nil {
		return err
	}
	if err := checkOptionalNames(o.CustomerOrderID, o.Name); err != nil {
		return k.invalid(err)
	}
	data, err := document(closeBody{Name: o.Name, CustomerOrderID: o.CustomerOrderID, CloseOrder: true})
	if err != nil {
		return k.invalid(err)
	}
	a, err := c.alter(ctx, k, data)
	if err != nil {
		return err
	}
	ok := (a.StatusCode == http.StatusOK || a.StatusCode == http.StatusNoContent) && a.readErr == nil
	_, unreadable := parseAs(a.body, orderForm.root)
	if ok && (len(bytes.TrimSpace(a.body)) == 0 || unreadable == nil && !listsErrors(a.body)) {
		return nil
	}
	e := c.notAltered(k, a)
	if ok && len(e.Details) == 0 {
		e.Err = unreadable
	}
	return e
}
