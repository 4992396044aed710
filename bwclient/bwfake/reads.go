package bwfake

import (
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listOrders serves GET /orders, with page and size as version 1 wants them.
func (s *Server) listOrders(x *exchange) {
	q := x.r.URL.Query()
	size, err := strconv.Atoi(q.Get("size"))
	page := q.Get("page")
	if err != nil || size < 1 || size > 1000 || page == "" {
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<ResponseSelectWrapper><ResponseStatus><ErrorCode>1003</ErrorCode><Description>page and size are required; size is at most 1000.</Description></ResponseStatus></ResponseSelectWrapper>")
		return
	}
	now := s.opts.Now()
	s.mu.Lock()
	from := s.serial
	if coid := q.Get("customerOrderId"); coid != "" {
		x.coid = coid
		from = s.byID[coid]
	}
	var visible []*order
	for _, o := range from {
		if !now.Before(o.listed) {
			visible = append(visible, o)
		}
	}
	words := make(map[*order]string, len(visible))
	for _, o := range visible {
		words[o] = o.state(now)
	}
	s.mu.Unlock()
	if len(visible) == 0 {
		switch s.opts.EmptyList {
		case http.StatusNoContent:
			x.empty(http.StatusNoContent)
			return
		case http.StatusNotFound:
			x.notFound()
			return
		}
	}
	start := 0
	if page != "1" {
		if start = slices.IndexFunc(visible, func(o *order) bool { return o.id == page }); start < 0 {
			start = len(visible)
		}
	}
	end := min(start+size, len(visible))
	var b strings.Builder
	b.WriteString(xmlHead + "<ResponseSelectWrapper><ListOrderIdUserIdDate>")
	tag(&b, "TotalCount", strconv.Itoa(len(visible)))
	if end < len(visible) {
		link := func(name, page string) {
			tag(&b, name, "Link=<https://dashboard.bandwidth.com 443/v1.0/accounts/"+s.opts.AccountID+"/orders?page="+page+"&size="+strconv.Itoa(size)+`>;rel="`+name+`";`)
		}
		b.WriteString("<Links>")
		link("first", "1")
		link("next", visible[end].id)
		b.WriteString("</Links>")
	}
	for _, o := range visible[start:end] {
		b.WriteString("<OrderIdUserIdDate>")
		tag(&b, "CountOfTNs", strconv.Itoa(len(o.bought)))
		if o.coid != "" && (x.fate == nil || x.fate.Kind != NoCustomerOrderID) {
			tag(&b, "CustomerOrderId", o.coid)
		}
		tag(&b, "userId", "simulator")
		tag(&b, "lastModifiedDate", o.created.UTC().Format("2006-01-02T15"))
		tag(&b, "OrderDate", stamp(o.created))
		tag(&b, "OrderType", "new_number")
		tag(&b, "orderId", o.id)
		tag(&b, "OrderStatus", words[o])
		b.WriteString("</OrderIdUserIdDate>")
	}
	b.WriteString("</ListOrderIdUserIdDate></ResponseSelectWrapper>")
	x.reply(http.StatusOK, b.String())
}

func (s *Server) listSites(x *exchange) {
	var b strings.Builder
	b.WriteString(xmlHead + "<SitesResponse><Sites>")
	for _, site := range s.opts.Sites {
		b.WriteString("<Site>")
		tag(&b, "Id", site.ID)
		tag(&b, "Name", site.Name)
		if site.Description != "" {
			tag(&b, "Description", site.Description)
		}
		b.WriteString("</Site>")
	}
	b.WriteString("</Sites></SitesResponse>")
	x.reply(http.StatusOK, b.String())
}

func (s *Server) listPeers(x *exchange) {
	i := slices.IndexFunc(s.opts.Sites, func(site Site) bool { return site.ID == x.r.PathValue("site") })
	if i < 0 {
		x.write(http.StatusNotFound, "application/xml", xmlHead+"<TNSipPeersResponse><ResponseStatus><ErrorCode>12016</ErrorCode><Description>Site '"+esc(x.r.PathValue("site"))+"' does not exist</Description></ResponseStatus></TNSipPeersResponse>")
		return
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<TNSipPeersResponse><SipPeers>")
	for _, p := range s.opts.Sites[i].Peers {
		b.WriteString("<SipPeer>")
		tag(&b, "PeerId", p.ID)
		tag(&b, "PeerName", p.Name)
		tag(&b, "IsDefaultPeer", strconv.FormatBool(p.Default))
		b.WriteString("<VoiceHosts/></SipPeer>")
	}
	b.WriteString("</SipPeers></TNSipPeersResponse>")
	x.reply(http.StatusOK, b.String())
}

// getNumber serves GET /tns/{tn}.
func (s *Server) getNumber(x *exchange) {
	tn := x.r.PathValue("tn")
	s.mu.Lock()
	o := s.holders[tn]
	s.mu.Unlock()
	if o == nil {
		x.notFound()
		return
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<TelephoneNumberResponse>")
	tag(&b, "TelephoneNumber", tn)
	tag(&b, "Status", "Inservice")
	tag(&b, "LastModifiedDate", o.created.UTC().Format("2006-01-02 15:04:05.0"))
	tag(&b, "OrderCreateDate", stamp(o.created))
	tag(&b, "OrderId", o.id)
	tag(&b, "OrderType", "NEW_NUMBER_ORDER")
	tag(&b, "InServiceDate", stamp(o.final))
	tag(&b, "SiteId", o.site)
	tag(&b, "AccountId", s.opts.AccountID)
	b.WriteString("</TelephoneNumberResponse>")
	x.reply(http.StatusOK, b.String())
}

func (s *Server) inService(x *exchange) {
	s.mu.Lock()
	held := s.holders[x.r.PathValue("tn")] != nil
	s.mu.Unlock()
	if held {
		x.empty(http.StatusOK)
		return
	}
	x.notFound()
}

// disconnect is an order to release numbers.
type disconnect struct {
	id             string
	released, lost []string
	created        time.Time
}

// createDisconnect serves POST /disconnects: the numbers go back at once.
func (s *Server) createDisconnect(x *exchange) {
	var root element
	body, err := io.ReadAll(io.LimitReader(x.r.Body, 4<<20))
	if err != nil || xml.Unmarshal(body, &root) != nil || root.XMLName.Local != "DisconnectTelephoneNumberOrder" {
		x.write(http.StatusInternalServerError, "text/html", "<html><body>Internal Server Error</body></html>")
		return
	}
	var errs []apiError
	var numbers []string
	if kind := root.child("DisconnectTelephoneNumberOrderType"); kind != nil {
		numbers = kind.numbers(func(code, description, number string) { errs = append(errs, apiError{code, description, number}) })
	}
	if len(errs) == 0 && len(numbers) == 0 {
		errs = []apiError{{"5001", "The telephone number list is empty.", ""}}
	}
	if len(errs) > 0 {
		var b strings.Builder
		writeErrors(&b, errs)
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<DisconnectTelephoneNumberOrderResponse>"+b.String()+"</DisconnectTelephoneNumberOrderResponse>")
		return
	}
	d := &disconnect{id: newID(), created: s.opts.Now()}
	s.mu.Lock()
	for _, n := range numbers {
		if s.holders[n] == nil {
			d.lost = append(d.lost, n)
			continue
		}
		delete(s.holders, n)
		s.sold[n] = 0
		d.released = append(d.released, n)
	}
	s.disc[d.id] = d
	s.mu.Unlock()
	x.w.Header().Set("Location", s.location(x.r, "disconnects/"+d.id))
	x.reply(http.StatusCreated, xmlHead+"<DisconnectTelephoneNumberOrderResponse><orderRequest><OrderCreateDate>"+stamp(d.created)+"</OrderCreateDate><id>"+d.id+"</id></orderRequest><OrderStatus>RECEIVED</OrderStatus></DisconnectTelephoneNumberOrderResponse>")
}

func (s *Server) getDisconnect(x *exchange) {
	s.mu.Lock()
	d := s.disc[x.r.PathValue("id")]
	s.mu.Unlock()
	if d == nil {
		x.notFound()
		return
	}
	word := "COMPLETE"
	switch {
	case len(d.released) == 0:
		word = "FAILED"
	case len(d.lost) > 0:
		word = "PARTIAL"
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<DisconnectTelephoneNumberOrderResponse>")
	errs := make([]apiError, 0, len(d.lost))
	for _, n := range d.lost {
		errs = append(errs, apiError{"5006", "The number is not on this account.", n})
	}
	writeErrors(&b, errs)
	b.WriteString("<orderRequest>")
	tag(&b, "id", d.id)
	b.WriteString("<DisconnectTelephoneNumberOrderType><TelephoneNumberList>")
	for _, n := range append(slices.Clone(d.released), d.lost...) {
		tag(&b, "TelephoneNumber", n)
	}
	b.WriteString("</TelephoneNumberList></DisconnectTelephoneNumberOrderType></orderRequest>")
	tag(&b, "OrderStatus", word)
	b.WriteString("</DisconnectTelephoneNumberOrderResponse>")
	x.reply(http.StatusOK, b.String())
}

func (s *Server) location(r *http.Request, path string) string {
	return "http://" + r.Host + "/v1.0/accounts/" + s.opts.AccountID + "/" + path
}
