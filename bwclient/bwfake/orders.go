package bwfake

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// order is an order at the vendor.
type order struct {
	id, coid, name, site, peer string
	asked                      []string // ten digits
	bought, lost               []string
	partial, backorder         bool
	created, final             time.Time
	status                     string // the word once final
	forced                     string // a word that stands in place of it
	foreign                    bool
	listed                     time.Time
}

// state returns the status word at a time.
func (o *order) state(now time.Time) string {
	switch {
	case o.forced != "":
		return o.forced
	case now.Before(o.final):
		return "RECEIVED"
	default:
		return o.status
	}
}

var (
	digits10     = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{6}$`)
	coidAllowed  = regexp.MustCompile(`^[A-Za-z0-9 -]*$`)
	orderTypes   = regexp.MustCompile(`OrderType$`)
	knownOrderEl = []string{"CustomerOrderId", "Name", "SiteId", "PeerId", "PartialAllowed", "BackOrderRequested", "TnAttributes", "ExistingTelephoneNumberOrderType"}
)

// element is an element of a request, read without a schema so that nothing goes by unseen.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func (e *element) get(name string) (string, bool) {
	for i := range e.Children {
		if e.Children[i].XMLName.Local == name {
			return strings.TrimSpace(e.Children[i].Text), true
		}
	}
	return "", false
}

func (e *element) child(name string) *element {
	for i := range e.Children {
		if e.Children[i].XMLName.Local == name {
			return &e.Children[i]
		}
	}
	return nil
}

// numbers returns what the element's TelephoneNumberList lists, and refuses what else stands there.
func (e *element) numbers(fail func(code, description, number string)) []string {
	list := e.child("TelephoneNumberList")
	if list == nil {
		return nil
	}
	var out []string
	for _, c := range list.Children {
		if name := c.XMLName.Local; name != "TelephoneNumber" {
			fail("5002", "The element "+name+" is not allowed here.", "")
			continue
		}
		out = append(out, strings.TrimSpace(c.Text))
	}
	return out
}

// apiError is an error of the vendor's.
type apiError struct{ code, description, number string }

// createOrder serves POST /orders.
func (s *Server) createOrder(x *exchange) {
	body, err := io.ReadAll(io.LimitReader(x.r.Body, 4<<20))
	if err != nil {
		x.drop() // the request did not come in whole
	}
	var root element
	if media := x.r.Header.Get("Content-Type"); !strings.HasPrefix(media, "application/xml") && !strings.HasPrefix(media, "text/xml") {
		x.empty(http.StatusUnsupportedMediaType)
		return
	}
	if err := xml.Unmarshal(body, &root); err != nil || root.XMLName.Local != "Order" {
		x.write(http.StatusInternalServerError, "text/html", "<html><body>Internal Server Error</body></html>")
		return
	}
	x.coid, _ = root.get("CustomerOrderId")
	x.fate = s.fault(x.r.Method, EndpointCreate, x.coid)
	if x.before(s) {
		return
	}
	o, refused, missing := s.readOrder(&root)
	if missing { // an order without a type's wrapper makes the vendor fail
		x.write(http.StatusInternalServerError, "text/html", "<html><body>Internal Server Error</body></html>")
		return
	}
	if len(refused) > 0 {
		x.write(http.StatusBadRequest, "application/xml", orderResponse(o, "", refused, false, x.now(s)))
		return
	}
	if fate := s.magic(o); fate != nil && x.fate == nil {
		x.fate = fate
		if x.before(s) {
			return
		}
	}
	s.place(o)
	x.after(s, o)
}

// now is the simulator's time.
func (x *exchange) now(s *Server) time.Time { return s.opts.Now() }

// magic is the one-time misbehaviour that a number in the order asks for.
func (s *Server) magic(o *order) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range o.asked {
		last := n[6:]
		if last != "0500" && last != "0599" || s.once[n] {
			continue
		}
		s.once[n] = true
		if last == "0500" {
			return &Fault{Kind: ErrorBefore, Status: http.StatusInternalServerError}
		}
		return &Fault{Kind: LoseReplyAfter}
	}
	return nil
}

// readOrder reads and checks an order as the vendor does.
func (s *Server) readOrder(root *element) (o *order, errs []apiError, missingType bool) {
	o = &order{partial: true}
	o.coid, _ = root.get("CustomerOrderId")
	o.name, _ = root.get("Name")
	o.site, _ = root.get("SiteId")
	o.peer, _ = root.get("PeerId")
	fail := func(code, description, number string) { errs = append(errs, apiError{code, description, number}) }
	for _, c := range root.Children {
		name := c.XMLName.Local
		if orderTypes.MatchString(name) && name != "ExistingTelephoneNumberOrderType" {
			fail("5002", "The simulator does not serve "+name+".", "")
		} else if !slices.Contains(knownOrderEl, name) && !orderTypes.MatchString(name) {
			if name == "TelephoneNumberList" {
				return o, nil, true
			}
			fail("5002", "The element "+name+" is not allowed here.", "")
		}
	}
	for _, flag := range []struct {
		name string
		to   *bool
	}{{"PartialAllowed", &o.partial}, {"BackOrderRequested", &o.backorder}} {
		if v, ok := root.get(flag.name); ok {
			b, err := strconv.ParseBool(v)
			if err != nil {
				fail("5217", flag.name+" must be true or false.", "")
			}
			*flag.to = b
		}
	}
	if existing := root.child("ExistingTelephoneNumberOrderType"); existing != nil {
		for _, c := range existing.Children {
			if name := c.XMLName.Local; name != "TelephoneNumberList" && name != "ReservationIdList" {
				fail("5002", "The element "+name+" is not allowed here.", "")
			}
		}
		o.asked = existing.numbers(fail)
		if len(o.asked) == 0 {
			fail("5001", "The telephone number list is empty.", "")
		}
	} else if len(errs) == 0 {
		return o, nil, true
	}
	s.check(o, fail)
	return o, errs, false
}

// check applies the rules of site, peer, names and numbers.
func (s *Server) check(o *order, fail func(code, description, number string)) {
	site := slices.IndexFunc(s.opts.Sites, func(x Site) bool { return x.ID == o.site })
	switch {
	case o.site == "":
		fail("5022", "SiteId is required.", "")
	case site < 0:
		fail("5016", "The SiteId submitted is invalid.", "")
	case o.peer == "":
		i := slices.IndexFunc(s.opts.Sites[site].Peers, func(p Peer) bool { return p.Default })
		if i < 0 {
			fail("5020", "The site has no default SIP peer.", "")
		} else {
			o.peer = s.opts.Sites[site].Peers[i].ID
		}
	case !slices.ContainsFunc(s.opts.Sites[site].Peers, func(p Peer) bool { return p.ID == o.peer }):
		fail("5023", "The SIP peer does not belong to the site.", "")
	}
	if len(o.coid) > 40 || !coidAllowed.MatchString(o.coid) {
		fail("5052", "The customer order id is invalid.", "")
	}
	if len([]rune(o.name)) > 50 {
		fail("5002", "The name is longer than 50 characters.", "")
	}
	if len(o.asked) > 5000 {
		fail("5095", "The quantity is over the limit of 5000.", "")
	}
	seen := make(map[string]bool, len(o.asked))
	for _, n := range o.asked {
		switch {
		case !digits10.MatchString(n) || strings.HasSuffix(n, "0400"):
			fail("5070", "Telephone number is invalid.", n)
		case seen[n]:
			fail("5093", "The number is twice in the order.", n)
		}
		seen[n] = true
	}
}

// place creates the order and sells it what is for sale, at once and as one.
func (s *Server) place(o *order) {
	now := s.opts.Now()
	o.id = newID()
	s.mu.Lock()
	defer s.mu.Unlock()
	o.created, o.final, o.listed = now, now.Add(s.opts.CompleteAfter), now.Add(s.opts.ListDelay)
	var free, taken []string
	for _, n := range o.asked {
		if strings.HasSuffix(n, "0777") {
			o.final = now.Add(max(s.opts.CompleteAfter, 10*time.Second))
		}
		if s.holders[n] != nil || strings.HasSuffix(n, "0404") {
			taken = append(taken, n)
		} else {
			free = append(free, n)
		}
	}
	switch {
	case len(taken) == 0:
		o.status, o.bought = "COMPLETE", free
	case len(free) > 0 && o.partial:
		o.status, o.bought, o.lost = "PARTIAL", free, taken
	default:
		o.status, o.lost = "FAILED", o.asked
		if len(free) > 0 {
			o.lost = taken
		}
	}
	for _, n := range o.bought {
		s.holders[n] = o
		s.sold[n]++
	}
	s.orders[o.id] = o
	s.byID[o.coid] = append(s.byID[o.coid], o)
	s.serial = append(s.serial, o)
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`

func esc(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func tag(b *strings.Builder, name, value string) {
	b.WriteString("<" + name + ">" + esc(value) + "</" + name + ">")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// orderResponse is the answer to a POST: the order echoed, with its id when it was created.
func orderResponse(o *order, id string, errs []apiError, status bool, now time.Time) string {
	var b strings.Builder
	b.WriteString(xmlHead + "<OrderResponse>")
	if len(errs) > 0 {
		writeErrors(&b, errs)
	}
	if o.created.IsZero() {
		o.created = now
	}
	writeOrder(&b, o, id)
	if status {
		tag(&b, "OrderStatus", "RECEIVED")
	}
	b.WriteString("</OrderResponse>")
	return b.String()
}

func writeErrors(b *strings.Builder, errs []apiError) {
	b.WriteString("<ErrorList>")
	for _, e := range errs {
		b.WriteString("<Error>")
		tag(b, "Code", e.code)
		tag(b, "Description", e.description)
		if e.number != "" {
			tag(b, "TelephoneNumber", e.number)
		}
		b.WriteString("</Error>")
	}
	b.WriteString("</ErrorList>")
}

func writeOrder(b *strings.Builder, o *order, id string) {
	b.WriteString("<Order>")
	if o.coid != "" {
		tag(b, "CustomerOrderId", o.coid)
	}
	if o.name != "" {
		tag(b, "Name", o.name)
	}
	tag(b, "OrderCreateDate", stamp(o.created))
	if o.peer != "" {
		tag(b, "PeerId", o.peer)
	}
	tag(b, "BackOrderRequested", strconv.FormatBool(o.backorder))
	if id != "" {
		tag(b, "id", id)
	}
	b.WriteString("<ExistingTelephoneNumberOrderType><TelephoneNumberList>")
	for _, n := range o.asked {
		tag(b, "TelephoneNumber", n)
	}
	b.WriteString("</TelephoneNumberList></ExistingTelephoneNumberOrderType>")
	tag(b, "PartialAllowed", strconv.FormatBool(o.partial))
	tag(b, "SiteId", o.site)
	b.WriteString("</Order>")
}

// getOrder serves GET /orders/{id}.
func (s *Server) getOrder(x *exchange) {
	o := s.find(x.r.PathValue("id"))
	if o == nil {
		x.notFound()
		return
	}
	x.coid = o.coid
	x.reply(http.StatusOK, s.orderStatus(o, x.fate))
}

func (x *exchange) notFound() {
	x.write(http.StatusNotFound, "application/xml", xmlHead+"<ErrorResponse><ResponseStatus><ErrorCode>1016</ErrorCode><Description>No such resource.</Description></ResponseStatus></ErrorResponse>")
}

func (s *Server) find(id string) *order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.orders[id]
}

// orderStatus is the body of GET /orders/{id}: without the order's id, with elements that are empty as recorded.
func (s *Server) orderStatus(o *order, fate *Fault) string {
	now := s.opts.Now()
	s.mu.Lock()
	word := o.state(now)
	s.mu.Unlock()
	kind := FaultKind("")
	if fate != nil {
		kind = fate.Kind
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<OrderResponse>")
	if kind == UnknownStatus {
		word = "PROCESSING"
	}
	var bought, lost []string
	if word == "COMPLETE" || word == "PARTIAL" || word == "FAILED" || word == "COMPLETED" {
		bought, lost = o.bought, o.lost
	}
	quantity := len(bought)
	if kind == WrongQuantity {
		quantity++
	}
	tag(&b, "CompletedQuantity", strconv.Itoa(quantity))
	tag(&b, "CreatedByUser", "simulator")
	switch {
	case kind == Pending5019:
		writeErrors(&b, []apiError{{"5019", "The order is pending.", ""}})
	case len(lost) > 0:
		errs := make([]apiError, 0, len(lost))
		for _, n := range lost {
			errs = append(errs, apiError{"5005", "The telephone number is unavailable for ordering", n})
		}
		writeErrors(&b, errs)
	default:
		b.WriteString("<ErrorList/>")
	}
	b.WriteString("<FailedNumbers>")
	for _, n := range lost {
		tag(&b, "FullNumber", n)
	}
	b.WriteString("</FailedNumbers>")
	tag(&b, "LastModifiedDate", stamp(now))
	if word != "RECEIVED" {
		tag(&b, "OrderCompleteDate", stamp(o.final))
	}
	writeOrder(&b, o, "")
	tag(&b, "OrderStatus", word)
	if kind == EmptyNumbers {
		bought = nil
	}
	b.WriteString("<CompletedNumbers>")
	for _, n := range bought {
		b.WriteString("<TelephoneNumber>")
		tag(&b, "FullNumber", n)
		b.WriteString("</TelephoneNumber>")
	}
	b.WriteString("</CompletedNumbers>")
	tag(&b, "FailedQuantity", strconv.Itoa(len(lost)))
	b.WriteString("</OrderResponse>")
	return b.String()
}

// getOrderNumbers serves GET /orders/{id}/tns.
func (s *Server) getOrderNumbers(x *exchange) {
	o := s.find(x.r.PathValue("id"))
	if o == nil {
		x.notFound()
		return
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<TelephoneNumbers>")
	tag(&b, "Count", strconv.Itoa(len(o.bought)))
	for _, n := range o.bought {
		tag(&b, "TelephoneNumber", n)
	}
	b.WriteString("</TelephoneNumbers>")
	x.reply(http.StatusOK, b.String())
}
