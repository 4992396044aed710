package bwfake

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// searchOrder is what an order asks for in place of exact numbers: any that fit.
type searchOrder struct {
	kind     string // the type's element
	values   map[string]string
	quantity int
	lca      bool    // numbers of other exchanges will do as well
	echo     element // as it was sent
}

// The criteria of the combined type, and the shapes of all.
var (
	combinedCriteria = []string{"AreaCode", "NpaNxx", "NpaNxxX", "RateCenter", "State", "City", "Zip", "Lata", "EnableLCA", "LocalVanity", "EndsIn"}

	criterionShapes = map[string]*regexp.Regexp{
		"AreaCode": regexp.MustCompile(`^[2-9]\d{2}$`), "NpaNxx": regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{2}$`), "NpaNxxX": regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{3}$`),
		"State": regexp.MustCompile(`^[A-Z]{2}$`), "Zip": regexp.MustCompile(`^(\d{5}|\d{9})$`), "Lata": regexp.MustCompile(`^\d{1,5}$`),
		"LocalVanity": regexp.MustCompile(`^[A-Za-z0-9]{3,7}$`), "TollFreeVanity": regexp.MustCompile(`^[A-Za-z0-9]{4,10}$`),
		"TollFreeWildCardPattern": regexp.MustCompile(`^8(\*\*|\d\*|\d\d)$`),
		"EnableLCA":               regexp.MustCompile(`^(true|false)$`), "EnableTNDetail": regexp.MustCompile(`^(true|false)$`), "EndsIn": regexp.MustCompile(`^(true|false)$`),
	}
)

// searchType is a documented type: what it must have, and what it may have.
type searchType struct{ required, optional []string }

// searchTypes are the documented search-and-order types. Quantity is not listed: it may stand in each.
var searchTypes = map[string]searchType{
	"AreaCodeSearchAndOrderType":         {required: []string{"AreaCode"}},
	"RateCenterSearchAndOrderType":       {required: []string{"RateCenter", "State"}, optional: []string{"EnableLCA"}},
	"NPANXXSearchAndOrderType":           {required: []string{"NpaNxx"}, optional: []string{"EnableTNDetail", "EnableLCA"}},
	"StateSearchAndOrderType":            {required: []string{"State"}},
	"CitySearchAndOrderType":             {required: []string{"City", "State"}},
	"ZIPSearchAndOrderType":              {required: []string{"Zip"}},
	"LATASearchAndOrderType":             {required: []string{"Lata"}},
	"TollFreeVanitySearchAndOrderType":   {required: []string{"TollFreeVanity"}},
	"TollFreeWildCharSearchAndOrderType": {required: []string{"TollFreeWildCardPattern"}},
	"CombinedSearchAndOrderType":         {optional: combinedCriteria},
}

// maxQuantity is the greatest quantity of an order, and what it takes where none is given.
const maxQuantity = 5000

// readSearch reads and checks the search of an order as the vendor does.
func readSearch(e *element, fail func(code, description, number string)) *searchOrder {
	kind := e.XMLName.Local
	q := &searchOrder{kind: kind, values: map[string]string{}, quantity: maxQuantity, lca: true, echo: *e}
	known := searchTypes[kind]
	refused := false
	refuse := func(code, description string) {
		fail(code, description, "")
		refused = true
	}
	for i := range e.Children {
		c := &e.Children[i]
		name, value := c.XMLName.Local, strings.TrimSpace(c.Text)
		_, twice := q.values[name]
		switch {
		case twice:
			refuse("5002", "The element "+name+" stands twice.")
		case name != "Quantity" && !slices.Contains(known.required, name) && !slices.Contains(known.optional, name), len(c.Children) > 0:
			refuse("5002", "The element "+name+" is not allowed here.")
		case value == "":
			refuse("5224", "The search criteria '"+name+"' cannot be empty")
		case criterionShapes[name] != nil && !criterionShapes[name].MatchString(value):
			refuse("5002", "The value specified for the search criteria '"+name+"' cannot be parsed.")
		}
		q.values[name] = value
	}
	if refused {
		return q
	}
	_, counted := q.values["Quantity"]
	for _, name := range known.required {
		if q.values[name] == "" || !counted && kind == "AreaCodeSearchAndOrderType" || !counted && kind == "TollFreeVanitySearchAndOrderType" {
			switch kind {
			case "AreaCodeSearchAndOrderType":
				refuse("5198", "AreaCodeSearchAndOrderType requires both AreaCode and Quantity values.")
			case "TollFreeVanitySearchAndOrderType":
				refuse("5199", "TollFreeVanitySearchAndOrderType requires both TollFreeVanity and Quantity values.")
			default:
				refuse("5224", "The search criteria '"+name+"' cannot be empty")
			}
			return q
		}
	}
	if counted {
		n, err := strconv.Atoi(q.values["Quantity"])
		if err != nil || n < 1 || n > maxQuantity {
			refuse("5215", "The quantity specified in the order is not valid or exceeds the maximum value of 5000")
		}
		q.quantity = n
	}
	if kind == "CombinedSearchAndOrderType" {
		q.checkCombined(refuse)
	}
	alone := q.values["NpaNxx"]+q.values["NpaNxxX"] != "" && q.criteria() == 1 || q.values["RateCenter"] != "" && q.criteria() == 2
	switch wish, said := q.values["EnableLCA"]; {
	case said && wish == "true" && !alone:
		refuse("5002", "LCA search is not supported for specified search criteria")
	case said && wish == "false", !alone:
		q.lca = false
	}
	return q
}

// criteria counts what the search goes by.
func (q *searchOrder) criteria() int {
	n := 0
	for name := range q.values {
		switch name {
		case "Quantity", "EnableLCA", "EnableTNDetail", "EndsIn":
		default:
			n++
		}
	}
	return n
}

// checkCombined keeps the documented combinations.
func (q *searchOrder) checkCombined(refuse func(code, description string)) {
	has := func(name string) bool { return q.values[name] != "" }
	exact := 0
	for _, name := range []string{"AreaCode", "NpaNxx", "NpaNxxX"} {
		if has(name) {
			exact++
		}
	}
	switch {
	case q.criteria() == 0:
		refuse("5002", "Unable to perform search. Please, provide some search criteria")
	case exact > 1, has("LocalVanity") && (!has("AreaCode") || q.criteria() > 2):
		refuse("5002", "The combination of search criteria is unsupported.")
	case (has("RateCenter") || has("City")) && !has("State"):
		refuse("5002", "Please also specify State to search by current criteria.")
	case has("EndsIn") && !has("LocalVanity"):
		refuse("5002", "Ends In is meaningless without Local Vanity")
	}
}

// backorders reports whether an order of this search may wait for stock.
func (q *searchOrder) backorders() bool {
	for _, name := range []string{"NpaNxx", "NpaNxxX", "TollFreeVanity", "LocalVanity"} {
		if q.values[name] != "" {
			return false
		}
	}
	return true
}

// echoElement writes an element as it was sent.
func echoElement(b *strings.Builder, e *element) {
	name := e.XMLName.Local
	b.WriteString("<" + name + ">")
	if len(e.Children) == 0 {
		b.WriteString(esc(strings.TrimSpace(e.Text)))
	}
	for i := range e.Children {
		echoElement(b, &e.Children[i])
	}
	b.WriteString("</" + name + ">")
}
