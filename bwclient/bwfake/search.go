package bwfake

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// query is a search as it came in.
type query struct {
	quantity                           int
	detail, lca, endsIn                bool
	areaCode, npaNxx, npaNxxx          string
	rateCenter, city, state, zip, lata string
	localVanity                        string
	tollFreeVanity, tollFreeWildcard   string
	order                              string
}

// search serves GET /availableNumbers.
func (s *Server) search(x *exchange) {
	q, refused := readQuery(x.r.URL.Query())
	if refused != nil {
		x.write(http.StatusBadRequest, "application/xml", xmlHead+"<SearchResult><Error><Code>"+refused.code+"</Code><Description>"+esc(refused.description)+"</Description></Error></SearchResult>")
		return
	}
	x.reply(http.StatusOK, searchResult(s.look(q), q.detail))
}

var (
	npaForm      = regexp.MustCompile(`^[2-9]\d{2}$`)
	npaNxxForm   = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{2}$`)
	npaNxxxForm  = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{3}$`)
	stateForm    = regexp.MustCompile(`^[A-Za-z]{2}$`)
	zipForm      = regexp.MustCompile(`^\d{5}(\d{4})?$`)
	lataForm     = regexp.MustCompile(`^\d{1,5}$`)
	vanityForm   = regexp.MustCompile(`^[A-Za-z0-9]{3,7}$`)
	tfVanityForm = regexp.MustCompile(`^[A-Za-z0-9]{4,10}$`)
	wildcardForm = regexp.MustCompile(`^8(\*\*|[02-8]\*|00|22|33|44|55|66|77|88)$`)
)

// readQuery reads and checks the parameters as the vendor does. Parameters that it does not know are ignored, also
// misspelt ones. The codes are those of its table of errors (dev.bandwidth.com/numbers/error.html).
func readQuery(v url.Values) (query, *apiError) {
	q := query{
		quantity: 5000, lca: true, // the documented defaults
		areaCode: v.Get("areaCode"), npaNxx: v.Get("npaNxx"), npaNxxx: v.Get("npaNxxx"), rateCenter: v.Get("rateCenter"), city: v.Get("city"),
		state: v.Get("state"), zip: v.Get("zip"), lata: v.Get("lata"), localVanity: v.Get("localVanity"),
		tollFreeVanity: v.Get("tollFreeVanity"), tollFreeWildcard: v.Get("tollFreeWildCardPattern"), order: v.Get("orderBy"),
	}
	refuse := func(code, description string) (query, *apiError) {
		return query{}, &apiError{code: code, description: description}
	}
	if text := v.Get("quantity"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 5000 {
			return refuse("4010", "The quantity must be from 1 to 5000.")
		}
		q.quantity = n
	}
	for name, to := range map[string]*bool{"enableTNDetail": &q.detail, "LCA": &q.lca, "endsIn": &q.endsIn} {
		if text := v.Get(name); text != "" {
			b, err := strconv.ParseBool(text)
			if err != nil {
				return refuse("4010", name+" must be true or false.")
			}
			*to = b
		}
	}
	for _, f := range []struct {
		value, code, description string
		form                     *regexp.Regexp
	}{
		{q.areaCode, "4000", "The area code is not valid.", npaForm},
		{q.npaNxx, "4002", "The NPA-NXX is not valid.", npaNxxForm},
		{q.npaNxxx, "4002", "The NPA-NXX-X is not valid.", npaNxxxForm},
		{q.state, "4006", "The state is not valid.", stateForm},
		{q.zip, "4007", "The zip code is not valid.", zipForm},
		{q.lata, "4008", "The LATA is not valid.", lataForm},
		{q.localVanity, "4011", "The local vanity is not valid.", vanityForm},
		{q.tollFreeVanity, "4003", "The toll free vanity is not valid.", tfVanityForm},
		{q.tollFreeWildcard, "4004", "The toll free wild card is not valid.", wildcardForm},
	} {
		if f.value != "" && !f.form.MatchString(f.value) {
			return refuse(f.code, f.description)
		}
	}
	local := []string{q.areaCode, q.npaNxx, q.npaNxxx, q.rateCenter, q.city, q.state, q.zip, q.lata, q.localVanity}
	free := given(q.tollFreeVanity, q.tollFreeWildcard)
	switch {
	case given(local...)+free == 0:
		return refuse("4010", "One or more required search parameters are missing.")
	case given(q.areaCode, q.npaNxx, q.npaNxxx) > 1:
		return refuse("4010", "Only one of areaCode, npaNxx and npaNxxx can be given.")
	case free > 1 || free == 1 && given(local...) > 0:
		return refuse("4010", "A toll free search cannot be combined.")
	case tollFree(q.areaCode) || strings.HasSuffix(q.areaCode, "11"):
		return refuse("4000", "The area code "+q.areaCode+" is not a valid entry.")
	case q.npa() != "" && tollFree(q.npa()):
		return refuse("4002", "A toll free area code has no exchanges to search.")
	case q.rateCenter != "" && q.state == "":
		return refuse("4001", "A rate center needs a state.")
	case q.city != "" && q.state == "":
		return refuse("4005", "A city needs a state.")
	case q.localVanity != "" && given(q.npaNxx, q.npaNxxx, q.rateCenter, q.city, q.zip, q.lata) > 0:
		return refuse("4010", "A local vanity goes with area code and state only.")
	case q.endsIn && q.localVanity == "":
		return refuse("4010", "endsIn goes with localVanity only.")
	case q.order != "" && !slices.Contains([]string{"fullNumber", "npaNxxx", "npaNxx", "areaCode"}, q.order):
		return refuse("4020", "orderBy is not valid.")
	case q.order != "" && free > 0:
		return refuse("4021", "orderBy is not supported for this search.")
	case v.Get("protected") != "" && !slices.Contains([]string{"NONE", "ONLY", "MIXED"}, v.Get("protected")):
		return refuse("4022", "protected is not valid.")
	}
	return q, nil
}

func given(values ...string) int {
	n := 0
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}

// npa is the area code that the query is about; empty for any.
func (q query) npa() string {
	all := q.areaCode + q.npaNxx + q.npaNxxx // only one is given
	return all[:min(3, len(all))]
}

// exchange is the exchange that the query names, and its block of thousand; empty for none.
func (q query) exchange() (nxx, block string) {
	switch {
	case q.npaNxx != "":
		return q.npaNxx[3:], ""
	case q.npaNxxx != "":
		return q.npaNxxx[3:6], q.npaNxxx[6:]
	default:
		return "", ""
	}
}

// widened reports whether the local calling area counts: it works with an exchange or a rate center alone.
func (q query) widened() bool {
	if !q.lca || given(q.areaCode, q.city, q.zip, q.lata, q.localVanity) > 0 {
		return false
	}
	if nxx, _ := q.exchange(); nxx != "" {
		return q.rateCenter == "" && q.state == ""
	}
	return q.rateCenter != ""
}

// at reports whether a number is in the place that the query is about.
func (q query) at(st *Stock) bool {
	d := st.digits()
	if q.tollFreeWildcard != "" || q.tollFreeVanity != "" {
		return tollFree(d[:3]) && strings.HasPrefix(d, strings.TrimRight(q.tollFreeWildcard, "*"))
	}
	fits := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	return !tollFree(d[:3]) && strings.HasPrefix(d, q.areaCode+q.npaNxx+q.npaNxxx) &&
		fits(q.rateCenter, st.RateCenter) && fits(q.city, st.City) && fits(q.state, st.State) && fits(q.lata, st.LATA) &&
		(q.zip == "" || fits(q.zip[:5], st.Zip[:min(5, len(st.Zip))]))
}

// spells reports whether a number holds the word of the query.
func (q query) spells(st *Stock) bool {
	d := st.digits()
	switch {
	case q.tollFreeVanity != "":
		return strings.Contains(d, onKeypad(q.tollFreeVanity))
	case q.localVanity == "":
		return true
	case q.endsIn:
		return strings.HasSuffix(d, onKeypad(q.localVanity))
	default:
		return strings.Contains(d[3:], onKeypad(q.localVanity))
	}
}

// wanted returns what tells the places of a query: its own, and those of its local calling area where that counts.
func (s *Server) wanted(q query) func(*Stock) bool {
	if !q.widened() {
		return q.at
	}
	type area struct{ state, lata string }
	near := map[area]bool{}
	own := s.opts.Inventory
	if own == nil {
		for _, p := range places {
			own = append(own, Stock{Number: "+1" + p.npa + "2340000", RateCenter: p.rateCenter, State: p.state, LATA: p.lata})
		}
	}
	if nxx, _ := q.exchange(); nxx != "" && s.opts.Inventory == nil {
		p := placeOf(q.npa(), nxx)
		near[area{p.state, p.lata}], own = true, nil
	}
	for i := range own {
		if q.at(&own[i]) {
			near[area{own[i].State, own[i].LATA}] = true
		}
	}
	return func(st *Stock) bool { return q.at(st) || near[area{st.State, st.LATA}] && !tollFree(st.digits()[:3]) }
}

// look finds numbers that are for sale.
func (s *Server) look(q query) []*Stock {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := s.wanted(q)
	var out []*Stock
	for st := range s.stock(q, wanted) {
		if s.forSale(st.digits()) && wanted(st) && q.spells(st) {
			if out = append(out, st); len(out) == q.quantity {
				break
			}
		}
	}
	if q.order != "" {
		slices.SortStableFunc(out, func(a, b *Stock) int { return strings.Compare(a.Number, b.Number) })
	}
	return out
}

// searchResult is the answer: a list, or one with details; an empty element where nothing was found.
func searchResult(found []*Stock, detail bool) string {
	if len(found) == 0 {
		return xmlHead + "<SearchResult/>"
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<SearchResult>")
	tag(&b, "ResultCount", strconv.Itoa(len(found)))
	if !detail {
		b.WriteString("<TelephoneNumberList>")
		for _, st := range found {
			tag(&b, "TelephoneNumber", st.digits())
		}
		b.WriteString("</TelephoneNumberList></SearchResult>")
		return b.String()
	}
	b.WriteString("<TelephoneNumberDetailList>")
	for _, st := range found {
		b.WriteString("<TelephoneNumberDetail>")
		for _, e := range []struct{ name, value string }{{"City", st.City}, {"LATA", st.LATA}, {"RateCenter", st.RateCenter}, {"State", st.State}} {
			if e.value != "" {
				tag(&b, e.name, e.value)
			}
		}
		tag(&b, "FullNumber", st.digits())
		tag(&b, "Tier", st.Tier)
		tag(&b, "VendorId", "49")
		tag(&b, "VendorName", "Bandwidth CLEC")
		b.WriteString("</TelephoneNumberDetail>")
	}
	b.WriteString("</TelephoneNumberDetailList></SearchResult>")
	return b.String()
}
