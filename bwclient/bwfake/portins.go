package bwfake

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Endings of numbers that steer a port-in.
const (
	endException = "0720" // its port-in is an EXCEPTION until it is mended ([Server.SetPortIn])
	endCancelled = "0730" // the losing carrier lets nothing go: CANCELLED in place of FOC
)

// Words of a port-in.
const (
	wordDraft     = "DRAFT"
	wordSubmitted = "SUBMITTED"
	wordFOC       = "FOC"
	wordComplete  = "COMPLETE"
	wordException = "EXCEPTION"
	wordCancelled = "CANCELLED"
)

// portIn is an order to bring numbers from another carrier.
type portIn struct {
	id, coid, site, peer string
	asked                []string // ten digits
	draft                bool
	echo                 []element // what the vendor repeats, in its order
	created, listed      time.Time
	began                time.Time // when it was submitted
	forced               string    // a word that stands in place of its own
	errs                 []apiError
	ported               []string // ten digits; none before it is complete
}

// PortIn is a port-in as the ledger has it.
type PortIn struct {
	OrderID         string    `json:"order_id"`
	CustomerOrderID string    `json:"customer_order_id"`
	Status          string    `json:"status"`
	Asked           []string  `json:"asked"`   // E.164
	Numbers         []string  `json:"numbers"` // E.164; those that have come
	At              time.Time `json:"at"`
}

// PortIns returns every port-in that was created, drafts included, in the order of their creation.
func (s *Server) PortIns() []PortIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	now := s.opts.Now()
	out := make([]PortIn, 0, len(s.portins))
	for _, p := range s.portins {
		out = append(out, PortIn{OrderID: p.id, CustomerOrderID: p.coid, Status: s.portInWord(p, now), Asked: e164(p.asked), Numbers: e164(p.ported), At: p.created})
	}
	return out
}

func e164(digits []string) []string {
	out := make([]string, len(digits))
	for i, n := range digits {
		out[i] = "+1" + n
	}
	return out
}

// SetPortIn puts a port-in into a status, with errors as "code description"; an empty status lets it go its way from
// now on, as if it had just been submitted.
func (s *Server) SetPortIn(orderID, status string, errs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.portins {
		if p.id != orderID {
			continue
		}
		p.forced, p.errs, p.draft = status, nil, false
		for _, e := range errs {
			code, description, _ := strings.Cut(e, " ")
			p.errs = append(p.errs, apiError{code, description, ""})
		}
		if status == "" {
			p.began = s.opts.Now()
		}
	}
	s.settle()
}

// DropPortIn deletes a draft, as the vendor does with one that nobody submits.
func (s *Server) DropPortIn(orderID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.portins = slices.DeleteFunc(s.portins, func(p *portIn) bool { return p.id == orderID })
}

// portInWord returns the status of a port-in. The caller holds the lock.
func (s *Server) portInWord(p *portIn, now time.Time) string {
	passed := now.Sub(p.began)
	ends := func(ending string) bool {
		return slices.ContainsFunc(p.asked, func(n string) bool { return strings.HasSuffix(n, ending) })
	}
	switch {
	case p.forced != "":
		return p.forced
	case len(p.ported) > 0:
		return wordComplete
	case p.draft:
		return wordDraft
	case passed < s.opts.PortInStep:
		return wordSubmitted
	case ends(endCancelled):
		return wordCancelled
	case passed < 2*s.opts.PortInStep:
		return wordFOC
	default:
		return wordComplete
	}
}

// settlePortIns lets drafts go that nobody submits, and numbers come whose time has come. The caller holds the lock.
func (s *Server) settlePortIns(now time.Time) {
	life := s.opts.DraftLife
	if life == 0 {
		life = 48 * time.Hour
	}
	s.portins = slices.DeleteFunc(s.portins, func(p *portIn) bool {
		return p.draft && p.forced == "" && now.Sub(p.created) >= life
	})
	for _, p := range s.portins {
		if len(p.ported) > 0 || s.portInWord(p, now) != wordComplete {
			continue
		}
		p.ported, p.errs = slices.Clone(p.asked), nil
		held := &order{ // stands for it where numbers name what brought them
			id: p.id, coid: p.coid, site: p.site, peer: p.peer, asked: p.asked, bought: p.asked, created: p.created, final: now, portIn: true,
		}
		for _, n := range p.asked {
			delete(s.aging, n)
			s.holders[n] = held
		}
	}
}

// createPortIn serves POST /portins.
func (s *Server) createPortIn(x *exchange) {
	root, ok := s.posted(x, EndpointPortIn, "LnpOrder")
	if !ok {
		return
	}
	p, errs := s.readPortIn(&root)
	if len(errs) > 0 {
		x.write(http.StatusBadRequest, "application/xml", p.answer("", http.StatusBadRequest, "Validation Failed. Please check your input parameters.", wordException, errs))
		return
	}
	if fate := s.magic(&order{asked: p.asked}); fate != nil && x.fate == nil {
		x.fate = fate
		if x.before(s) {
			return
		}
	}
	s.mu.Lock()
	now := s.opts.Now()
	p.id, p.created, p.began, p.listed = newID(), now, now, now.Add(s.opts.ListDelay)
	if slices.ContainsFunc(p.asked, func(n string) bool { return strings.HasSuffix(n, endException) }) && !p.draft {
		p.forced, p.errs = wordException, []apiError{{"7331", "Rate Center Not Present in Bandwidth Dashboard", ""}}
	}
	s.portins = append(s.portins, p)
	word := wordSubmitted
	if p.draft {
		word = wordDraft
	}
	if p.forced != "" {
		word = p.forced
	}
	given := p.errs
	s.settle()
	s.mu.Unlock()
	const taken = "Order request received. Please use the order id to check the status of your order later."
	answer := func(id string) string { return p.answer(id, http.StatusCreated, taken, word, given) }
	x.created(s.location(x.r, "portins/"+p.id), http.StatusCreated, answer(p.id), answer(""))
}

// knownPortInEl are the elements of a port-in, and addressEl those of its address.
var (
	knownPortInEl = []string{"CustomerOrderId", "RequestedFocDate", "AlternateSpid", "BillingTelephoneNumber", "NewBillingTelephoneNumber", "SiteId", "PeerId", "Subscriber",
		"LoaAuthorizingPerson", "WirelessInfo", "TnAttributes", "ListOfPhoneNumbers", "Triggered", "PartialPort", "TargetRespOrgId", "ProcessingStatus"}
	subscriberEl = []string{"SubscriberType", "BusinessName", "FirstName", "LastName", "ServiceAddress"}
	addressEl    = []string{"HousePrefix", "HouseNumber", "HouseSuffix", "PreDirectional", "StreetName", "StreetSuffix", "PostDirectional", "AddressLine2", "City", "StateCode",
		"Zip", "PlusFour", "County", "Country", "AddressType"}
	wirelessEl = []string{"AccountNumber", "PinNumber"}
)

// readPortIn reads and checks a port-in as the vendor does. Where no code of the vendor's is known, it is 1003 for what
// is missing and 1008 for what is wrong.
func (s *Server) readPortIn(root *element) (p *portIn, errs []apiError) {
	p = &portIn{echo: root.Children}
	fail := func(code, description, number string) { errs = append(errs, apiError{code, description, number}) }
	only := func(e *element, names []string) {
		if e == nil {
			return
		}
		for _, c := range e.Children {
			if name := c.XMLName.Local; !slices.Contains(names, name) {
				fail("1008", "The element "+name+" is not allowed here.", "")
			}
		}
	}
	limit := func(e *element, name string, n int) {
		if e == nil {
			return
		}
		if v, _ := e.get(name); len([]rune(v)) > n {
			fail("1008", name+" is longer than "+strconv.Itoa(n)+" characters.", "")
		}
	}
	only(root, knownPortInEl)
	subscriber := root.child("Subscriber")
	only(subscriber, subscriberEl)
	if subscriber != nil {
		only(subscriber.child("ServiceAddress"), addressEl)
	}
	only(root.child("WirelessInfo"), wirelessEl)
	for _, name := range []string{"BusinessName", "FirstName", "LastName"} {
		limit(subscriber, name, 25)
	}
	limit(root, "LoaAuthorizingPerson", 15)
	p.coid, _ = root.get("CustomerOrderId")
	p.site, _ = root.get("SiteId")
	p.peer, _ = root.get("PeerId")
	if len(p.coid) > 40 || !coidAllowed.MatchString(p.coid) {
		fail("7318", "The customer order id is invalid.", "")
	}
	if word, given := root.get("ProcessingStatus"); given {
		if p.draft = word == wordDraft; !p.draft {
			fail("1008", "ProcessingStatus can only be DRAFT.", "")
		}
	}
	if person, _ := root.get("LoaAuthorizingPerson"); person == "" && !p.draft {
		fail("1003", "LoaAuthorizingPerson is missing.", "")
	}
	for _, name := range []string{"Triggered", "PartialPort"} {
		if v, given := root.get(name); given {
			if _, err := strconv.ParseBool(v); err != nil {
				fail("1008", name+" must be true or false.", "")
			}
		}
	}
	site := slices.IndexFunc(s.opts.Sites, func(x Site) bool { return x.ID == p.site })
	switch {
	case site < 0:
		fail("7309", "The site id was not supplied or is invalid.", "")
	case p.peer == "":
		if i := slices.IndexFunc(s.opts.Sites[site].Peers, func(x Peer) bool { return x.Default }); i >= 0 {
			p.peer = s.opts.Sites[site].Peers[i].ID
		}
	case !slices.ContainsFunc(s.opts.Sites[site].Peers, func(x Peer) bool { return x.ID == p.peer }):
		fail("7312", "The sippeer id is invalid.", "")
	}
	list := root.child("ListOfPhoneNumbers")
	only(list, []string{"PhoneNumber"})
	if list != nil {
		for _, c := range list.Children {
			p.asked = append(p.asked, strings.TrimSpace(c.Text))
		}
	}
	s.checkPortedNumbers(p, fail)
	return p, errs
}

// checkPortedNumbers refuses numbers that are none, stand twice, are here already, or are on their way here.
func (s *Server) checkPortedNumbers(p *portIn, fail func(code, description, number string)) {
	if len(p.asked) == 0 || len(p.asked) > maxQuantity {
		fail("1008", "A port-in has 1 to 5000 telephone numbers.", "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	now := s.opts.Now()
	coming := map[string]bool{}
	for _, other := range s.portins {
		if word := s.portInWord(other, now); word != wordCancelled && word != wordComplete {
			for _, n := range other.asked {
				coming[n] = true
			}
		}
	}
	seen := map[string]bool{}
	for _, n := range p.asked {
		holder := s.holders[n]
		switch {
		case !digits10.MatchString(n) || strings.HasSuffix(n, "0400"):
			fail("1008", "Telephone number is invalid.", n)
		case seen[n]:
			fail("1008", "The number is twice in the order.", n)
		case coming[n]:
			fail("7205", "Telephone number is already being processed on another order", n)
		case holder != nil && !holder.foreign:
			fail("7206", "Telephone number is already in service on this account", n)
		}
		seen[n] = true
	}
}

// answer is the body about a port-in: its id unless that is empty, the general status where code is not 0, the errors
// repeated right under the root, and what was asked for.
func (p *portIn) answer(id string, code int, text, word string, errs []apiError) string {
	var b strings.Builder
	b.WriteString(xmlHead + "<LnpOrderResponse>")
	if id != "" {
		tag(&b, "OrderId", id)
	}
	if code != 0 {
		b.WriteString("<Status>")
		tag(&b, "Code", strconv.Itoa(code))
		tag(&b, "Description", text)
		b.WriteString("</Status>")
	}
	for _, e := range errs {
		b.WriteString("<Errors>")
		tag(&b, "Code", e.code)
		tag(&b, "Description", e.description)
		if e.number != "" {
			b.WriteString("<TelephoneNumbers>")
			tag(&b, "Tn", e.number)
			b.WriteString("</TelephoneNumbers>")
		}
		b.WriteString("</Errors>")
	}
	tag(&b, "ProcessingStatus", word)
	for i := range p.echo {
		if name := p.echo[i].XMLName.Local; name != "ProcessingStatus" {
			echoElement(&b, &p.echo[i])
		}
	}
	b.WriteString("</LnpOrderResponse>")
	return b.String()
}
