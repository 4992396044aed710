package messages

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Limits of a request.
const (
	MaxNumbers       = 5000
	MaxQuantity      = 5000
	MaxMetadataBytes = 4 << 10
	// MaxReserved is how many numbers a provision may reserve first: each takes a call of its own.
	MaxReserved  = 100
	MaxRequestID = 128
)

var (
	requestIDShape = regexp.MustCompile(`^[A-Za-z0-9._:@/-]{1,128}$`)
	numberShape    = regexp.MustCompile(`^\+1[2-9]\d{2}[2-9]\d{6}$`)
	idShape        = regexp.MustCompile(`^[0-9]{1,20}$`)
	areaShape      = regexp.MustCompile(`^[2-9]\d{2}$`)
	npaNXXShape    = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{2}$`)
	npaNXXXShape   = regexp.MustCompile(`^[2-9]\d{2}[2-9]\d{3}$`)
	stateShape     = regexp.MustCompile(`^[A-Z]{2}$`)
	zipShape       = regexp.MustCompile(`^\d{5}(\d{4})?$`)
	lataShape      = regexp.MustCompile(`^\d{1,5}$`)
	vanityShape    = regexp.MustCompile(`^[A-Za-z0-9]{4,7}$`)
	freeVanity     = regexp.MustCompile(`^[A-Za-z0-9]{4,10}$`)
	wildcardShape  = regexp.MustCompile(`^8(\*\*|\d\*|\d\d)$`)
	placeShape     = regexp.MustCompile(`^[^\s\pC][^\pC]{0,63}$`)
	prefixShape    = regexp.MustCompile(`^\+1\d{1,10}$`)
)

// ValidNumber reports whether s has the shape of a telephone number of North America in E.164. Whether its area code
// is in use is not checked: lists of area codes are always behind.
func ValidNumber(s string) bool { return numberShape.MatchString(s) }

func invalid(field, format string, args ...any) *RequestError {
	for i, arg := range args {
		if s, ok := arg.(string); ok {
			args[i] = clip(s)
		}
	}
	return &RequestError{Reason: ReasonInvalid, Field: field, Text: field + ": " + fmt.Sprintf(format, args...)}
}

// Validate checks the rules of a kind. Its error is a [*RequestError] for the first rule that is broken, with the
// reason invalid; malformed for a kind that is not known.
func (r *Request) Validate(kind Kind) error {
	checks := []func() *RequestError{r.checkCommon}
	switch kind {
	case Provision:
		checks = append(checks, r.checkPlace, r.checkProvision)
	case Search:
		checks = append(checks, r.checkSearch)
	case Disconnect:
		checks = append(checks, func() *RequestError { return r.checkNumbers(true) }, r.checkDisconnect)
	case PortIn:
		checks = append(checks, r.checkPlace, func() *RequestError { return r.checkNumbers(true) }, r.checkPortIn)
	case Cancel:
		checks = append(checks, r.checkCancel)
	default:
		return malformed("", "the kind %q is not known", kind)
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Request) checkCommon() *RequestError {
	switch {
	case r.RequestID == "":
		return invalid("request_id", "it is missing; it is the key by which a repeated request is recognised")
	case !requestIDShape.MatchString(r.RequestID):
		return invalid("request_id", "use 1 to %d of the characters A-Z a-z 0-9 . _ : @ / -", MaxRequestID)
	case r.Tenant != "" && !ValidTenant(r.Tenant):
		return invalid("tenant", "use 1 to 32 letters, digits, - and _")
	}
	if size := MetadataSize(r.Metadata); size > MaxMetadataBytes {
		return invalid("metadata", "its keys and values take %d bytes; at most %d are taken", size, MaxMetadataBytes)
	}
	return nil
}

// MetadataSize returns how many bytes the keys and values of metadata take.
func MetadataSize(metadata map[string]string) int {
	size := 0
	for k, v := range metadata {
		size += len(k) + len(v)
	}
	return size
}

func (r *Request) checkPlace() *RequestError {
	switch {
	case r.SiteID != "" && !idShape.MatchString(r.SiteID):
		return invalid("site_id", "%q is not a number of at most 20 digits", r.SiteID)
	case r.SIPPeer != "" && !idShape.MatchString(r.SIPPeer):
		return invalid("sip_peer", "%q is not a number of at most 20 digits", r.SIPPeer)
	}
	return nil
}

func (r *Request) checkNumbers(required bool) *RequestError {
	if len(r.Numbers) == 0 {
		if required {
			return invalid("numbers", "name 1 to %d numbers", MaxNumbers)
		}
		return nil
	}
	if len(r.Numbers) > MaxNumbers {
		return invalid("numbers", "%d numbers are named; at most %d fit in one order", len(r.Numbers), MaxNumbers)
	}
	seen := make(map[string]int, len(r.Numbers))
	for i, n := range r.Numbers {
		if !ValidNumber(n) {
			return invalid("numbers", "the %s, %q, is not a telephone number in E.164 such as +19195551234", nth(i+1), n)
		}
		if first, ok := seen[n]; ok {
			return invalid("numbers", "%s stands twice, as the %s and the %s", n, nth(first), nth(i+1))
		}
		seen[n] = i + 1
	}
	return nil
}

func nth(i int) string {
	suffix := "th"
	switch {
	case i%100 >= 11 && i%100 <= 13:
	case i%10 == 1:
		suffix = "st"
	case i%10 == 2:
		suffix = "nd"
	case i%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", i, suffix)
}

func (r *Request) checkProvision() *RequestError {
	switch {
	case len(r.Numbers) > 0 && r.Criteria != nil:
		return invalid("criteria", "numbers and criteria are both given; name the numbers or say how to find them")
	case len(r.Numbers) == 0 && r.Criteria == nil && r.Numbers != nil:
		return invalid("numbers", "the list is empty; name 1 to %d numbers", MaxNumbers)
	case len(r.Numbers) == 0 && r.Criteria == nil:
		return invalid("numbers", "neither numbers nor criteria are given")
	case len(r.Numbers) > 0 && r.Quantity != nil:
		return invalid("quantity", "it goes with criteria; the numbers that are named are ordered")
	case r.Criteria != nil && r.Quantity == nil:
		return invalid("quantity", "it is missing; say how many numbers to order, 1 to %d", MaxQuantity)
	case len(r.Numbers) > 0 && r.WantsBackorder():
		return invalid("backorder", "numbers that are named cannot be backordered; give criteria")
	case r.WantsReserve() && r.WantsBackorder():
		return invalid("reserve", "it does not go with backorder, where Bandwidth chooses the numbers")
	}
	if err := r.checkNumbers(false); err != nil {
		return err
	}
	if err := r.checkFind(); err != nil {
		return err
	}
	if wanted := len(r.Numbers); r.WantsReserve() {
		if r.Quantity != nil {
			wanted = *r.Quantity
		}
		if wanted > MaxReserved {
			return invalid("reserve", "%d numbers are more than are reserved, with a call for each; at most %d: leave reserve out, or split the request", wanted, MaxReserved)
		}
	}
	if r.Criteria != nil && r.WantsBackorder() {
		return r.Criteria.checkBackorder()
	}
	return nil
}

// checkBackorder refuses what Bandwidth refuses to backorder (its code 5522: NPANXX, NPANXXX, and vanity numbers, local
// and toll-free), and prefixes that no type of order asks for.
func (c *Criteria) checkBackorder() *RequestError {
	plan := c.Plan()
	for _, f := range []struct{ name, value string }{{"npa_nxx", c.NPANXX}, {"npa_nxx_x", c.NPANXXX}, {"local_vanity", c.LocalVanity}, {"toll_free_vanity", c.TollFreeVanity}} {
		if f.value != "" {
			return invalid("criteria."+f.name, "%q cannot be waited for: Bandwidth takes no backorder of an exchange, of a block or of vanity numbers", f.value)
		}
	}
	if plan.Narrow || plan.Ask.NPANXX != "" || plan.Ask.NPANXXX != "" {
		return invalid("criteria.prefix", "%q cannot be waited for: Bandwidth takes a backorder of an area code, with 3 digits after +1, or of toll-free numbers", c.Prefix)
	}
	return nil
}

func (r *Request) checkSearch() *RequestError {
	if r.Criteria == nil {
		return invalid("criteria", "they are missing; say which numbers to find")
	}
	return r.checkFind()
}

func (r *Request) checkFind() *RequestError {
	if r.Quantity != nil && (*r.Quantity < 1 || *r.Quantity > MaxQuantity) {
		return invalid("quantity", "%d is not from 1 to %d", *r.Quantity, MaxQuantity)
	}
	if r.Criteria != nil {
		return r.Criteria.check()
	}
	return nil
}

// check keeps the shapes and the documented combinations of a search.
func (c *Criteria) check() *RequestError {
	for _, f := range []struct {
		name, value string
		shape       *regexp.Regexp
		want        string
	}{
		{"prefix", c.Prefix, prefixShape, "an E.164 prefix such as +1919555"},
		{"area_code", c.AreaCode, areaShape, "three digits, the first 2 to 9"},
		{"npa_nxx", c.NPANXX, npaNXXShape, "six digits, the first and the fourth 2 to 9"},
		{"npa_nxx_x", c.NPANXXX, npaNXXXShape, "seven digits, the first and the fourth 2 to 9"},
		{"state", c.State, stateShape, "two capital letters"},
		{"zip", c.Zip, zipShape, "five or nine digits"},
		{"lata", c.LATA, lataShape, "at most five digits"},
		{"local_vanity", c.LocalVanity, vanityShape, "4 to 7 letters and digits"},
		{"toll_free_vanity", c.TollFreeVanity, freeVanity, "4 to 10 letters and digits"},
		{"toll_free_wildcard", c.TollFreeWildcard, wildcardShape, "three characters such as 8**, 85* or 855"},
	} {
		if f.value != "" && !f.shape.MatchString(f.value) {
			return invalid("criteria."+f.name, "%q is not %s", f.value, f.want)
		}
	}
	for _, f := range []struct{ name, value string }{{"rate_center", c.RateCenter}, {"city", c.City}} {
		if f.value != "" && !placeShape.MatchString(f.value) {
			return invalid("criteria."+f.name, "%q is not a name of at most 64 characters", f.value)
		}
	}
	exact := count(c.AreaCode, c.NPANXX, c.NPANXXX, c.Prefix)
	place := count(c.RateCenter, c.City, c.State, c.Zip, c.LATA)
	switch {
	case exact+place+count(c.LocalVanity, c.TollFreeVanity, c.TollFreeWildcard) == 0:
		return invalid("criteria", "they are empty; say which numbers to find")
	case count(c.AreaCode, c.NPANXX, c.NPANXXX, c.Prefix) > 1:
		return invalid("criteria", "only one of prefix, area_code, npa_nxx and npa_nxx_x can be given")
	case count(c.TollFreeVanity, c.TollFreeWildcard) > 0 && exact+place+count(c.LocalVanity) > 0,
		count(c.TollFreeVanity, c.TollFreeWildcard) > 1:
		return invalid("criteria", "toll_free_vanity and toll_free_wildcard stand alone")
	case c.RateCenter != "" && c.State == "":
		return invalid("criteria.rate_center", "it needs state")
	case c.City != "" && c.State == "":
		return invalid("criteria.city", "it needs state")
	case c.LocalVanity != "" && (count(c.NPANXX, c.NPANXXX, c.Prefix, c.RateCenter, c.City, c.Zip, c.LATA) > 0):
		return invalid("criteria.local_vanity", "it goes with area_code or state only")
	case c.EndsIn != nil && c.LocalVanity == "":
		return invalid("criteria.ends_in", "it goes with local_vanity only")
	case c.LocalCallingArea != nil && *c.LocalCallingArea && !c.areaAlone():
		return invalid("criteria.local_calling_area", "it goes with npa_nxx, npa_nxx_x or rate_center only, each alone")
	}
	return c.checkPrefix()
}

// areaAlone reports whether the criteria are an exchange, a block or a rate center and nothing else, for which alone
// Bandwidth knows a local calling area.
func (c *Criteria) areaAlone() bool {
	if count(c.AreaCode, c.Prefix, c.City, c.Zip, c.LATA, c.LocalVanity) > 0 {
		return false
	}
	exchange := count(c.NPANXX, c.NPANXXX)
	return exchange == 1 && count(c.RateCenter, c.State) == 0 || exchange == 0 && c.RateCenter != ""
}

func count(values ...string) int {
	n := 0
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}

func (r *Request) checkDisconnect() *RequestError {
	switch {
	case r.Mode != "" && !slices.Contains([]string{"normal", "purge"}, r.Mode):
		return invalid("mode", "%q is neither normal nor purge", r.Mode)
	case r.Protected != "" && !slices.Contains([]string{"true", "false", "unchanged"}, r.Protected):
		return invalid("protected", "%q is none of true, false and unchanged", r.Protected)
	}
	return nil
}

func (r *Request) checkCancel() *RequestError {
	switch {
	case r.OrderRequestID == "":
		return invalid("order_request_id", "it is missing; name the request_id of the provision to close")
	case !requestIDShape.MatchString(r.OrderRequestID):
		return invalid("order_request_id", "use 1 to %d of the characters A-Z a-z 0-9 . _ : @ / -", MaxRequestID)
	case strings.TrimSpace(r.OrderRequestID) == r.RequestID:
		return invalid("order_request_id", "a cancel has a request_id of its own")
	}
	return nil
}
