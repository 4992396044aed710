package bwclient

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
)

// SearchOrder says which numbers Bandwidth is to choose and order, by one of its search-and-order types
// (dev.bandwidth.com/docs/numbers/guides/searchingAndOrderingNumbers). The fields that are set choose the type, see
// [SearchOrder.Type]. Such an order can be told from another one only by its customer order id: sent again, it buys
// other numbers.
type SearchOrder struct {
	// Quantity is how many to order, 1 to 5000. Bandwidth takes 5000 where it is left out, so it is always sent.
	Quantity int

	// AreaCode, NPANXX and NPANXXX are the first 3, 6 or 7 digits; at most one of them.
	AreaCode, NPANXX, NPANXXX string
	// RateCenter is an abbreviation such as RALEIGH; it needs State.
	RateCenter string
	// City needs State.
	City string
	// State is two capital letters.
	State string
	// Zip is 5 or 9 digits, LATA at most 5.
	Zip, LATA string

	// LocalVanity is 4 to 7 letters and digits that the number holds, or ends in with EndsIn. It goes with AreaCode, and
	// with nothing else.
	LocalVanity string
	EndsIn      bool
	// TollFreeVanity is 4 to 10 letters and digits, TollFreeWildcard three characters such as 8**, 80* or 833. Each
	// stands alone.
	TollFreeVanity, TollFreeWildcard string

	// EnableLCA lets Bandwidth take numbers of other exchanges in the local calling area. It goes with NPANXX, NPANXXX or
	// RateCenter alone. Bandwidth's default is true, so it is sent wherever a type has it.
	EnableLCA bool
}

// criterion is an element of a search with its value.
type criterion struct{ name, value string }

// wireCriterion is a criterion's wire form.
type wireCriterion struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// wireSearch is a search-and-order type's wire form; its name is the type's.
type wireSearch struct {
	XMLName  xml.Name
	Criteria []wireCriterion
}

// searchBody is the wire form of an order by search, its elements in the documented order.
type searchBody struct {
	XMLName            xml.Name `xml:"Order"`
	CustomerOrderID    string   `xml:"CustomerOrderId"`
	Name               string   `xml:"Name"`
	BackOrderRequested bool     `xml:"BackOrderRequested"`
	Search             wireSearch
	PartialAllowed     bool   `xml:"PartialAllowed"`
	SiteID             string `xml:"SiteId"`
	PeerID             string `xml:"PeerId,omitempty"`
}

var (
	searchAreaCode = regexp.MustCompile(`^[2-9]\d{2}$`)
	searchNPANXX   = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{2}$`)
	searchNPANXXX  = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{3}$`)
	searchState    = regexp.MustCompile(`^[A-Z]{2}$`)
	searchZip      = regexp.MustCompile(`^(\d{5}|\d{9})$`)
	searchLATA     = regexp.MustCompile(`^\d{1,5}$`)
	searchVanity   = regexp.MustCompile(`^[A-Za-z0-9]{4,7}$`)
	searchFree     = regexp.MustCompile(`^[A-Za-z0-9]{4,10}$`)
	searchWildcard = regexp.MustCompile(`^8(\*\*|\d\*|\d\d)$`)
	searchPlace    = regexp.MustCompile(`^\S.{0,48}\S$`)
)

// check keeps the documented shapes and combinations.
func (s SearchOrder) check() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalidOrder}, args...)...)
	}
	if s.Quantity < 1 || s.Quantity > MaxNumbers {
		return invalid("Quantity %d is not 1 to %d", s.Quantity, MaxNumbers)
	}
	set := 0
	for _, f := range []struct {
		criterion
		shape *regexp.Regexp
		want  string
	}{
		{criterion{"AreaCode", s.AreaCode}, searchAreaCode, "three digits, the first 2 to 9"},
		{criterion{"NpaNxx", s.NPANXX}, searchNPANXX, "six digits, the first and the fourth 2 to 9"},
		{criterion{"NpaNxxX", s.NPANXXX}, searchNPANXXX, "seven digits, the first and the fourth 2 to 9"},
		{criterion{"RateCenter", s.RateCenter}, searchPlace, "2 to 50 characters"},
		{criterion{"City", s.City}, searchPlace, "2 to 50 characters"},
		{criterion{"State", s.State}, searchState, "two capital letters"},
		{criterion{"Zip", s.Zip}, searchZip, "five or nine digits"},
		{criterion{"Lata", s.LATA}, searchLATA, "at most five digits"},
		{criterion{"LocalVanity", s.LocalVanity}, searchVanity, "4 to 7 letters and digits"},
		{criterion{"TollFreeVanity", s.TollFreeVanity}, searchFree, "4 to 10 letters and digits"},
		{criterion{"TollFreeWildCardPattern", s.TollFreeWildcard}, searchWildcard, "three characters such as 8**, 80* or 833"},
	} {
		if f.value == "" {
			continue
		}
		set++
		if !f.shape.MatchString(f.value) || unprintable(f.value) {
			return invalid("%s %q is not %s", f.name, clip(f.value, 60), f.want)
		}
	}
	number := s.AreaCode + s.NPANXX + s.NPANXXX
	switch {
	case set == 0:
		return invalid("its search is empty")
	case s.AreaCode != "" && number != s.AreaCode, s.NPANXX != "" && number != s.NPANXX:
		return invalid("AreaCode, NpaNxx and NpaNxxX exclude one another")
	case s.RateCenter != "" && s.State == "":
		return invalid("RateCenter needs State")
	case s.City != "" && s.State == "":
		return invalid("City needs State")
	case s.TollFreeVanity+s.TollFreeWildcard != "" && set > 1:
		return invalid("TollFreeVanity and TollFreeWildCardPattern stand alone")
	case s.LocalVanity != "" && (s.AreaCode == "" || set > 2):
		return invalid("LocalVanity goes with AreaCode, and with nothing else")
	case s.EndsIn && s.LocalVanity == "":
		return invalid("EndsIn goes with LocalVanity")
	case s.EnableLCA && !(set == 1 && s.NPANXX+s.NPANXXX != "" || set == 2 && s.RateCenter != ""):
		return invalid("EnableLCA goes with NpaNxx, NpaNxxX or RateCenter and State, and with nothing else")
	}
	return nil
}

// Type returns the name of the search-and-order type that the search takes: the one that is made for its fields, and
// CombinedSearchAndOrderType where there is none.
func (s SearchOrder) Type() string {
	name, _ := s.wire()
	return name
}

// wire returns the search's type and its elements in the documented order.
func (s SearchOrder) wire() (name string, elements []criterion) {
	quantity := criterion{"Quantity", strconv.Itoa(s.Quantity)}
	lca := criterion{"EnableLCA", strconv.FormatBool(s.EnableLCA)}
	alone := s
	alone.Quantity, alone.EnableLCA = 0, false
	switch alone {
	case SearchOrder{AreaCode: s.AreaCode}:
		return "AreaCodeSearchAndOrderType", []criterion{{"AreaCode", s.AreaCode}, quantity}
	case SearchOrder{NPANXX: s.NPANXX}:
		return "NPANXXSearchAndOrderType", []criterion{{"NpaNxx", s.NPANXX}, lca, quantity}
	case SearchOrder{State: s.State}:
		return "StateSearchAndOrderType", []criterion{quantity, {"State", s.State}}
	case SearchOrder{RateCenter: s.RateCenter, State: s.State}:
		return "RateCenterSearchAndOrderType", []criterion{{"RateCenter", s.RateCenter}, {"State", s.State}, quantity, lca}
	case SearchOrder{City: s.City, State: s.State}:
		return "CitySearchAndOrderType", []criterion{quantity, {"City", s.City}, {"State", s.State}}
	case SearchOrder{Zip: s.Zip}:
		return "ZIPSearchAndOrderType", []criterion{quantity, {"Zip", s.Zip}}
	case SearchOrder{LATA: s.LATA}:
		return "LATASearchAndOrderType", []criterion{quantity, {"Lata", s.LATA}}
	case SearchOrder{TollFreeVanity: s.TollFreeVanity}:
		return "TollFreeVanitySearchAndOrderType", []criterion{quantity, {"TollFreeVanity", s.TollFreeVanity}}
	case SearchOrder{TollFreeWildcard: s.TollFreeWildcard}:
		return "TollFreeWildCharSearchAndOrderType", []criterion{quantity, {"TollFreeWildCardPattern", s.TollFreeWildcard}}
	}
	name = "CombinedSearchAndOrderType"
	if s.LocalVanity != "" {
		return name, []criterion{{"AreaCode", s.AreaCode}, {"LocalVanity", s.LocalVanity}, quantity, {"EndsIn", strconv.FormatBool(s.EndsIn)}}
	}
	elements = []criterion{quantity}
	for _, c := range []criterion{
		{"AreaCode", s.AreaCode}, {"RateCenter", s.RateCenter}, {"State", s.State}, {"NpaNxx", s.NPANXX}, {"NpaNxxX", s.NPANXXX},
		{"Lata", s.LATA}, {"City", s.City}, {"Zip", s.Zip},
	} {
		if c.value != "" {
			elements = append(elements, c)
		}
	}
	return name, append(elements, lca)
}

// encodeSearch checks the order's search and returns the order's wire form.
func (o Order) encodeSearch() ([]byte, error) {
	if err := o.Search.check(); err != nil {
		return nil, err
	}
	name, elements := o.Search.wire()
	body := searchBody{
		CustomerOrderID: o.CustomerOrderID, Name: o.Name, BackOrderRequested: o.BackOrderRequested, Search: wireSearch{XMLName: xml.Name{Local: name}},
		PartialAllowed: o.PartialAllowed, SiteID: o.SiteID, PeerID: o.PeerID,
	}
	for _, e := range elements {
		body.Search.Criteria = append(body.Search.Criteria, wireCriterion{XMLName: xml.Name{Local: e.name}, Value: e.value})
	}
	return document(body)
}
