package bwfake

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// changeOrder serves PUT /orders/{id}: of an order that waits for stock it changes the names, and with CloseOrder ends
// the waiting.
func (s *Server) changeOrder(x *exchange) {
	root, readable := x.document("Order", maxChange)
	switch {
	case !x.isXML():
		x.empty(http.StatusUnsupportedMediaType)
		return
	case !readable:
		x.broken()
		return
	}
	if e := s.change(x.r.PathValue("id"), &root); e != nil {
		var b strings.Builder
		writeErrors(&b, []apiError{*e})
		x.reply(http.StatusBadRequest, xmlHead+"<OrderResponse>"+b.String()+"</OrderResponse>")
		return
	}
	x.reply(http.StatusOK, xmlHead+"<OrderResponse/>")
}

func (s *Server) change(id string, root *element) *apiError {
	for _, c := range root.Children {
		if name := c.XMLName.Local; !slices.Contains([]string{"Name", "CustomerOrderId", "CloseOrder"}, name) {
			return &apiError{"5002", "The element " + name + " is not allowed here.", ""}
		}
	}
	name, renamed := root.get("Name")
	coid, changed := root.get("CustomerOrderId")
	flag, asked := root.get("CloseOrder")
	closes, err := strconv.ParseBool(flag)
	switch {
	case asked && err != nil:
		return &apiError{"5002", "CloseOrder must be true or false.", ""}
	case len(coid) > 40 || !coidAllowed.MatchString(coid):
		return &apiError{"5052", "The customer order id is invalid.", ""}
	case len([]rune(name)) > 50:
		return &apiError{"5002", "The name is longer than 50 characters.", ""}
	}
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[id]
	switch {
	case o == nil:
		return &apiError{"5061", "Order ID is invalid.", ""}
	case o.state(now) != "BACKORDERED":
		return &apiError{"5060", "Only Backordered order can be closed.", ""}
	}
	if renamed {
		o.name = name
	}
	if changed && coid != o.coid {
		s.byID[o.coid] = slices.DeleteFunc(slices.Clone(s.byID[o.coid]), func(other *order) bool { return other == o })
		o.coid = coid
		s.byID[coid] = append(s.byID[coid], o)
	}
	if closes {
		o.forced = ""
		if o.status == "BACKORDERED" {
			o.end(now) // it waits no more: the next look at the waiting ones drops it
		}
	}
	return nil
}

// customerOrderID reads an order's, which a PUT may change.
func (s *Server) customerOrderID(o *order) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return o.coid
}
