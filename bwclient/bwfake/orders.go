package bwfake

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
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
	asked                      []string     // ten digits
	reservations               []string     // the ids that it names
	search                     *searchOrder // in place of exact numbers; nil for those
	bought, lost               []string
	partial, backorder         bool
	protected                  bool
	created, final             time.Time
	status                     string // the word once final
	forced                     string // a word that stands in place of it
	foreign                    bool
	portIn                     bool // it stands for a port-in
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
	root, readable := x.document("Order", maxPosted)
	switch {
	case !x.isXML():
		x.empty(http.StatusUnsupportedMediaType)
		return
	case !readable:
		x.broken()
		return
	}
	x.coid, _ = root.get("CustomerOrderId")
	x.fate = s.fault(x.r.Method, EndpointCreate, x.coid)
	if x.before(s) {
		return
	}
	o, refused, missing := s.readOrder(&root)
	if missing { // an order without a type's wrapper makes the vendor fail
		x.broken()
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
	if x.fate != nil && x.fate.Kind == Outbid && len(o.asked) > 0 {
		s.SellElsewhere("+1"+o.asked[0], OutbidBy)
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
	types := 0
	for i := range root.Children {
		c := &root.Children[i]
		name := c.XMLName.Local
		_, search := searchTypes[name]
		if search || name == "ExistingTelephoneNumberOrderType" {
			types++
		}
		if types > 1 {
			fail("5002", "An order has one type.", "")
		} else if search {
			o.search = readSearch(c, fail)
		} else if orderTypes.MatchString(name) && name != "ExistingTelephoneNumberOrderType" {
			fail("5087", "The input order type is not a valid entry.", "")
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
	if attributes := root.child("TnAttributes"); attributes != nil {
		for _, a := range attributes.Children {
			o.protected = o.protected || strings.TrimSpace(a.Text) == "Protected"
		}
	}
	if o.search != nil {
		if o.backorder && !o.search.backorders() {
			fail(codeNoBackorder, textNoBackorder, "")
		}
	} else if existing := root.child("ExistingTelephoneNumberOrderType"); existing != nil {
		if o.backorder {
			fail(codeNoBackorder, textNoBackorder, "")
		}
		for _, c := range existing.Children {
			if name := c.XMLName.Local; name != "TelephoneNumberList" && name != "ReservationIdList" {
				fail("5002", "The element "+name+" is not allowed here.", "")
			}
		}
		o.asked = existing.numbers(fail)
		o.reservations = s.readReservations(existing, fail)
		if len(o.asked) == 0 {
			fail("5001", "The telephone number list is empty.", "")
		}
	} else if len(errs) == 0 {
		return o, nil, true
	}
	s.check(o, fail)
	return o, errs, false
}

// The refusal of a backorder.
const (
	codeNoBackorder = "5522"
	textNoBackorder = "Backorders are not compatible with Specific TN, NPANXX, NPANXXX, TollFree Vanity or Local Vanity orders"
)

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
	s.settle()
	o.created, o.final, o.listed = now, now.Add(s.opts.CompleteAfter), now.Add(s.opts.ListDelay)
	if o.search != nil {
		s.placeSearch(o, now)
		s.enter(o)
		return
	}
	for _, id := range o.reservations { // they are used up
		delete(s.reservations, id)
	}
	var free, taken []string
	for _, n := range o.asked {
		if strings.HasSuffix(n, "0777") {
			o.final = now.Add(max(s.opts.CompleteAfter, 10*time.Second))
		}
		if !s.forSale(n) {
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
		s.hold(n, o)
	}
	s.enter(o)
}

// enter puts an order into the books. The caller holds the lock.
func (s *Server) enter(o *order) {
	s.orders[o.id] = o
	s.byID[o.coid] = append(s.byID[o.coid], o)
	s.serial = append(s.serial, o)
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// getOrder serves GET /orders/{id}.
func (s *Server) getOrder(x *exchange) {
	o := s.find(x.r.PathValue("id"))
	if o == nil {
		x.notFound()
		return
	}
	x.coid = s.customerOrderID(o)
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
	snapshot := *o // a waiting order changes
	s.mu.Unlock()
	o = &snapshot
	word := o.state(now)
	waits := word == "BACKORDERED" && o.forced == ""
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
	if waits || word == "COMPLETE" || word == "PARTIAL" || word == "FAILED" || word == "COMPLETED" {
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
	case o.search != nil && o.shortfall(word) != nil:
		writeErrors(&b, o.shortfall(word))
	default:
		b.WriteString("<ErrorList/>")
	}
	b.WriteString("<FailedNumbers>")
	for _, n := range lost {
		tag(&b, "FullNumber", n)
	}
	b.WriteString("</FailedNumbers>")
	tag(&b, "LastModifiedDate", stamp(now))
	if word != "RECEIVED" && !waits {
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
	failed := len(lost)
	if o.search != nil && (word == "PARTIAL" || word == "FAILED") {
		failed = o.search.quantity - len(o.bought)
	}
	tag(&b, "FailedQuantity", strconv.Itoa(failed))
	b.WriteString("</OrderResponse>")
	return b.String()
}

// shortfall is what an order by search says where it has too few numbers.
func (o *order) shortfall(word string) []apiError {
	switch {
	case word == "BACKORDERED" && len(o.bought) > 0:
		return []apiError{{"5520", "Order backordered - awaiting additional numbers", ""}}
	case word == "BACKORDERED":
		return []apiError{{"5521", "Order Backordered - no numbers allocated, awaiting available inventory to completely fulfill order", ""}}
	case word == "PARTIAL":
		return []apiError{{"5017", "Only a partial quantity of the total telephone numbers ordered could be fulfilled", ""}}
	case word == "FAILED":
		return []apiError{{"5018", "The entire quantity of telephone numbers ordered is unavailable", ""}}
	}
	return nil
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
	s.mu.Lock()
	bought := o.bought
	s.mu.Unlock()
	tag(&b, "Count", strconv.Itoa(len(bought)))
	for _, n := range bought {
		tag(&b, "TelephoneNumber", n)
	}
	b.WriteString("</TelephoneNumbers>")
	x.reply(http.StatusOK, b.String())
}
