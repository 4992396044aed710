package bwfake

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// draftWords are the statuses that a list leaves out unless it asks for them.
var draftWords = []string{wordDraft, "VALIDATE_DRAFT_TFNS", "VALID_DRAFT_TFNS", "INVALID_DRAFT_TFNS"}

// portInWords are the statuses that a list can ask for.
var portInWords = append(slices.Clone(draftWords), "VALIDATE_TFNS", "INVALID_TFNS", "PENDING_DOCUMENTS", wordSubmitted, "REQUESTED_SUPP", wordFOC, wordComplete,
	wordException, "SNAPBACK", "REQUESTED_CANCEL", wordCancelled)

// portIn returns a port-in as it is now; nil for none.
func (s *Server) portIn(id string) *portIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.portins, func(p *portIn) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	p := *s.portins[i]
	return &p
}

// getPortIn serves GET /portins/{id}: without the order's id.
func (s *Server) getPortIn(x *exchange) {
	p := s.portIn(x.r.PathValue("id"))
	if p == nil {
		x.notFound()
		return
	}
	s.mu.Lock()
	word := s.portInWord(p, s.opts.Now())
	s.mu.Unlock()
	x.coid = p.coid
	if word == wordCancelled && len(p.errs) == 0 {
		p.errs = []apiError{{"7205", "Telephone number is already being processed on another order", ""}}
	}
	if x.fate != nil {
		switch x.fate.Kind {
		case UnknownStatus:
			word = "PONDERING"
		case EmptyNumbers:
			p.echo = slices.DeleteFunc(slices.Clone(p.echo), func(e element) bool { return e.XMLName.Local == "ListOfPhoneNumbers" })
		}
	}
	x.reply(http.StatusOK, p.answer("", 0, "", word, p.errs))
}

// listPortIns serves GET /portins. Without page and size it is 404; without a status it leaves drafts out.
func (s *Server) listPortIns(x *exchange) {
	q := x.r.URL.Query()
	size, err := strconv.Atoi(q.Get("size"))
	page := q.Get("page")
	if err != nil || size < 1 || size > 1000 || page == "" {
		x.notFound()
		return
	}
	status := strings.ToUpper(q.Get("status"))
	if status != "" && !slices.Contains(portInWords, status) {
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<LNPResponseWrapper><Errors><Code>15518</Code><Description>The status is unknown.</Description></Errors></LNPResponseWrapper>")
		return
	}
	x.coid = q.Get("customerOrderId")
	type entry struct {
		p    *portIn
		word string
	}
	var visible []entry
	s.mu.Lock()
	now := s.opts.Now()
	for _, p := range s.portins {
		word := s.portInWord(p, now)
		switch {
		case now.Before(p.listed), x.coid != "" && p.coid != x.coid:
		case status == word, status == "" && !slices.Contains(draftWords, word):
			visible = append(visible, entry{p, word})
		}
	}
	s.mu.Unlock()
	part, next, ok := paged(s, x, visible, func(e entry) string { return e.p.id }, page, size)
	if !ok {
		return
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<LNPResponseWrapper>")
	tag(&b, "TotalCount", strconv.Itoa(len(visible)))
	if next != "" {
		b.WriteString("<Links>")
		tag(&b, "next", "Link=<https://dashboard.bandwidth.com:443/v1.0/accounts/"+s.opts.AccountID+"/portins?page="+next+"&size="+strconv.Itoa(size)+`>;rel="next";`)
		b.WriteString("</Links>")
	}
	for _, e := range part {
		b.WriteString("<lnpPortInfoForGivenStatus>")
		tag(&b, "accountId", s.opts.AccountID)
		tag(&b, "CountOfTNs", strconv.Itoa(len(e.p.asked)))
		if e.p.coid != "" && (x.fate == nil || x.fate.Kind != NoCustomerOrderID) {
			tag(&b, "CustomerOrderId", e.p.coid)
		}
		tag(&b, "OrderDate", stamp(e.p.created))
		tag(&b, "OrderId", e.p.id)
		tag(&b, "OrderType", "port_in")
		tag(&b, "ProcessingStatus", e.word)
		b.WriteString("</lnpPortInfoForGivenStatus>")
	}
	b.WriteString("</LNPResponseWrapper>")
	x.reply(http.StatusOK, b.String())
}
