package bwfake

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ordered returns what tells the orders of a range of days, both inclusive. The dates come as a pair or not at all.
func ordered(start, end string) (func(time.Time) bool, *apiError) {
	if start == "" && end == "" {
		return func(time.Time) bool { return true }, nil
	}
	var days [2]time.Time
	for i, text := range []string{start, end} {
		if text == "" {
			return nil, &apiError{code: []string{"15508", "15509"}[i], description: "startdate and enddate are given together."}
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			if day, err = time.Parse("06-01-02", text); err != nil {
				return nil, &apiError{code: []string{"15501", "15503"}[i], description: "A date is written YYYY-MM-DD."}
			}
		}
		days[i] = day
	}
	return func(t time.Time) bool { return !t.Before(days[0]) && t.Before(days[1].AddDate(0, 0, 1)) }, nil
}

// listOrders serves GET /orders, with page and size as version 1 wants them.
func (s *Server) listOrders(x *exchange) {
	q := x.r.URL.Query()
	size, err := strconv.Atoi(q.Get("size"))
	page := q.Get("page")
	if err != nil || size < 1 || size > 1000 || page == "" {
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<ResponseSelectWrapper><ResponseStatus><ErrorCode>1003</ErrorCode><Description>page and size are required; size is at most 1000.</Description></ResponseStatus></ResponseSelectWrapper>")
		return
	}
	within, wrong := ordered(q.Get("startdate"), q.Get("enddate"))
	if wrong != nil {
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<ResponseSelectWrapper><ResponseStatus><ErrorCode>"+wrong.code+"</ErrorCode><Description>"+wrong.description+"</Description></ResponseStatus></ResponseSelectWrapper>")
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
		if !now.Before(o.listed) && within(o.created) {
			visible = append(visible, o)
		}
	}
	words := make(map[*order]string, len(visible))
	for i, o := range visible {
		snapshot := *o // a waiting order changes
		visible[i], words[&snapshot] = &snapshot, o.state(now)
	}
	s.mu.Unlock()
	part, next, ok := paged(s, x, visible, func(o *order) string { return o.id }, page, size)
	if !ok {
		return
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<ResponseSelectWrapper><ListOrderIdUserIdDate>")
	tag(&b, "TotalCount", strconv.Itoa(len(visible)))
	if next != "" {
		link := func(name, page string) {
			tag(&b, name, "Link=<https://dashboard.bandwidth.com 443/v1.0/accounts/"+s.opts.AccountID+"/orders?page="+page+"&size="+strconv.Itoa(size)+`>;rel="`+name+`";`)
		}
		b.WriteString("<Links>")
		link("first", "1")
		link("next", next)
		b.WriteString("</Links>")
	}
	for _, o := range part {
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
	o, until := s.holders[tn], s.aging[tn]
	s.mu.Unlock()
	if o == nil && s.opts.Now().Before(until) {
		x.reply(http.StatusOK, agingNumber(tn, s.opts.AccountID))
		return
	}
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
	kind := "NEW_NUMBER_ORDER"
	if o.portIn {
		kind = "PORT_IN"
	}
	tag(&b, "OrderType", kind)
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

func (s *Server) location(r *http.Request, path string) string {
	return "http://" + r.Host + "/v1.0/accounts/" + s.opts.AccountID + "/" + path
}
