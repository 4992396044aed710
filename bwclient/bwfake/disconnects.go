package bwfake

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// disconnect is an order to release numbers.
type disconnect struct {
	id, coid, name  string
	mode, protected string // as they were sent; empty where they were left out
	asked           []string
	created, final  time.Time
	released        []string
	lost            []apiError
	done            bool
}

// Release is a disconnect that released numbers.
type Release struct {
	DisconnectID    string   `json:"disconnect_id"`
	CustomerOrderID string   `json:"customer_order_id,omitempty"`
	Name            string   `json:"name,omitempty"`
	Numbers         []string `json:"numbers"` // E.164
	// Holders are the orders that had held the numbers, by number.
	Holders map[string]string `json:"holders"`
	At      time.Time         `json:"at"`
}

// Releases returns every disconnect that released numbers, in the order in which they took effect.
func (s *Server) Releases() []Release {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	out := make([]Release, 0, len(s.releases))
	for _, r := range s.releases {
		r.Numbers, r.Holders = slices.Clone(r.Numbers), maps.Clone(r.Holders)
		out = append(out, r)
	}
	return out
}

// createDisconnect serves POST /disconnects.
func (s *Server) createDisconnect(x *exchange) {
	root, ok := s.posted(x, EndpointDisconnect, "DisconnectTelephoneNumberOrder")
	if !ok {
		return
	}
	d, errs := readDisconnect(&root)
	if len(errs) > 0 {
		var b strings.Builder
		writeErrors(&b, errs)
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<DisconnectTelephoneNumberOrderResponse>"+b.String()+"</DisconnectTelephoneNumberOrderResponse>")
		return
	}
	s.mu.Lock()
	now := s.opts.Now()
	d.id, d.created, d.final = newID(), now, now.Add(s.opts.CompleteAfter)
	s.disc[d.id] = d
	s.pending = append(s.pending, d)
	s.settle()
	status := s.opts.DisconnectStatus
	s.mu.Unlock()
	if status == 0 {
		status = http.StatusCreated
	}
	answer := func(id string) string {
		var b strings.Builder
		b.WriteString(xmlHead + "<DisconnectTelephoneNumberOrderResponse>")
		d.write(&b, id)
		tag(&b, "OrderStatus", "RECEIVED")
		b.WriteString("</DisconnectTelephoneNumberOrderResponse>")
		return b.String()
	}
	x.created(s.location(x.r, "disconnects/"+d.id), status, answer(d.id), answer(""))
}

// readDisconnect reads and checks a disconnect as the vendor does. The guides' samples spell Name in lower case.
func readDisconnect(root *element) (d *disconnect, errs []apiError) {
	d = &disconnect{}
	fail := func(code, description, number string) { errs = append(errs, apiError{code, description, number}) }
	only := func(e *element, names ...string) {
		for _, c := range e.Children {
			if name := c.XMLName.Local; !slices.Contains(names, name) {
				fail("5002", "The element "+name+" is not allowed here.", "")
			}
		}
	}
	only(root, "Name", "name", "CustomerOrderId", "DisconnectTelephoneNumberOrderType")
	d.coid, _ = root.get("CustomerOrderId")
	var named bool
	if d.name, named = root.get("Name"); !named {
		d.name, _ = root.get("name")
	}
	if len(d.coid) > 40 || !coidAllowed.MatchString(d.coid) {
		fail("5052", "The customer order id is invalid.", "")
	}
	if len([]rune(d.name)) > 50 {
		fail("5002", "The name is longer than 50 characters.", "")
	}
	if kind := root.child("DisconnectTelephoneNumberOrderType"); kind != nil {
		only(kind, "TelephoneNumberList", "DisconnectMode", "Protected")
		d.asked = kind.numbers(fail)
		d.mode, _ = kind.get("DisconnectMode")
		d.protected, _ = kind.get("Protected")
	}
	switch strings.ToLower(d.mode) {
	case "", "normal", "purge":
	case "soft-remove":
		fail("5085", "Insufficient permissions for this DisconnectMode", "")
	default:
		fail("5084", "DisconnectMode '"+d.mode+"' is invalid. Valid values are: normal, soft-remove, purge", "")
	}
	switch d.protected {
	case "", "FALSE", "UNCHANGED":
	case "TRUE":
		if strings.EqualFold(d.mode, "purge") {
			fail("5109", textProtected, "")
		}
	default:
		fail("5108", "Protected attribute '"+d.protected+"' is invalid. Valid values: TRUE, FALSE, UNCHANGED", "")
	}
	if len(errs) > 0 {
		return d, errs
	}
	switch {
	case len(d.asked) == 0:
		fail("5001", "The telephone number list is empty.", "")
	case len(d.asked) > maxQuantity:
		fail("5095", "The count of telephone numbers in order exceeds the maximum size of 5000", "")
	}
	seen := make(map[string]bool, len(d.asked))
	for _, n := range d.asked {
		switch {
		case !digits10.MatchString(n):
			fail("5070", "Telephone number is invalid.", n)
		case seen[n]:
			fail("5072", "Duplicate telephone number.", n)
		}
		seen[n] = true
	}
	return d, errs
}

const textProtected = "The Protected Telephone Numbers setting is incompatible with an obsolete or purge disconnect"

// settleDisconnects releases what disconnects have come to release, whichever order holds it. The caller holds the lock.
func (s *Server) settleDisconnects(now time.Time) {
	s.pending = slices.DeleteFunc(s.pending, func(d *disconnect) bool {
		if now.Before(d.final) {
			return false
		}
		purge := strings.EqualFold(d.mode, "purge")
		r := Release{DisconnectID: d.id, CustomerOrderID: d.coid, Name: d.name, Holders: map[string]string{}, At: d.final}
		for _, n := range d.asked {
			holder := s.holders[n]
			switch {
			case holder == nil:
				d.lost = append(d.lost, apiError{"5006", "Telephone number could not be disconnected since it is not associated with your account", n})
				continue
			case holder.protected && purge && d.protected != "FALSE":
				d.lost = append(d.lost, apiError{"5109", textProtected, n})
				continue
			}
			r.Numbers, r.Holders["+1"+n] = append(r.Numbers, "+1"+n), holder.id
			d.released = append(d.released, n)
			delete(s.holders, n)
			s.sold[n] = 0
			if !purge && s.opts.Aging > 0 {
				s.aging[n] = d.final.Add(s.opts.Aging)
			}
		}
		if len(r.Numbers) > 0 {
			s.releases = append(s.releases, r)
		}
		d.done = true
		return true
	})
}

// write writes the disconnect as it is echoed, with its id unless that is empty.
func (d *disconnect) write(b *strings.Builder, id string) {
	b.WriteString("<orderRequest>")
	for _, e := range []struct{ name, value string }{{"Name", d.name}, {"CustomerOrderId", d.coid}, {"OrderCreateDate", stamp(d.created)}, {"id", id}} {
		if e.value != "" {
			tag(b, e.name, e.value)
		}
	}
	b.WriteString("<DisconnectTelephoneNumberOrderType><TelephoneNumberList>")
	for _, n := range d.asked {
		tag(b, "TelephoneNumber", n)
	}
	b.WriteString("</TelephoneNumberList>")
	mode := d.mode
	if mode == "" {
		mode = "normal"
	}
	tag(b, "DisconnectMode", mode)
	if d.protected != "" {
		tag(b, "Protected", d.protected)
	}
	b.WriteString("</DisconnectTelephoneNumberOrderType></orderRequest>")
}

// getDisconnect serves GET /disconnects/{id}.
func (s *Server) getDisconnect(x *exchange) {
	s.mu.Lock()
	known := s.disc[x.r.PathValue("id")]
	var d disconnect
	if known != nil {
		d = *known
	}
	s.mu.Unlock()
	if known == nil {
		x.notFound()
		return
	}
	x.coid = d.coid
	word := "COMPLETE"
	switch {
	case !d.done:
		word = "RECEIVED"
	case len(d.released) == 0:
		word = "FAILED"
	case len(d.lost) > 0:
		word = "PARTIAL"
	}
	released, lost := d.released, d.lost
	if x.fate != nil {
		switch x.fate.Kind {
		case UnknownStatus:
			word, released, lost = "PROCESSING", nil, nil
		case EmptyNumbers:
			released = nil
		case Pending5019:
			lost = []apiError{{"5019", "The order is pending.", ""}}
		}
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<DisconnectTelephoneNumberOrderResponse>")
	if len(released) > 0 {
		b.WriteString("<DisconnectedTelephoneNumberList>")
		for _, n := range released {
			tag(&b, "TelephoneNumber", n)
		}
		b.WriteString("</DisconnectedTelephoneNumberList>")
	}
	writeErrors(&b, lost)
	d.write(&b, d.id)
	tag(&b, "OrderStatus", word)
	b.WriteString("</DisconnectTelephoneNumberOrderResponse>")
	x.reply(http.StatusOK, b.String())
}

// agingNumber is the answer to GET /tns/{tn} for a number that was released not long ago.
func agingNumber(tn, account string) string {
	var b strings.Builder
	b.WriteString(xmlHead + "<TelephoneNumberResponse>")
	tag(&b, "TelephoneNumber", tn)
	tag(&b, "Status", "Aging")
	tag(&b, "AccountId", account)
	b.WriteString("</TelephoneNumberResponse>")
	return b.String()
}
