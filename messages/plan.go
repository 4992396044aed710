package messages

import "strings"

// Plan is how the numbers of some criteria are found: what to ask Bandwidth for, and which of the numbers that it
// lists to keep.
type Plan struct {
	// Ask are the criteria to ask with; they hold no prefix.
	Ask Criteria
	// Filter is what a number must begin with, in E.164; empty for nothing.
	Filter string
	// Narrow says that the filter keeps fewer numbers than are asked for, so that more have to be asked for than are
	// wanted.
	Narrow bool
}

// Plan returns how the numbers of valid criteria are found. Bandwidth knows no prefixes. One of 3, 6 or 7 digits is an
// area code, an exchange or a block of a thousand numbers; 4 and 5 digits are looked for in their area code, 8 to 10 in
// their block. A toll-free one is a wildcard: +18 is 8**, +185 is 85*, +1855 and what is longer is 855.
//
// Numbers outside the digits that were asked for are never kept, unless the local calling area is wanted.
func (c *Criteria) Plan() Plan {
	p := Plan{Ask: *c}
	digits := strings.TrimPrefix(c.Prefix, "+1")
	p.Ask.Prefix = ""
	asked := 0 // how many of the prefix's digits Bandwidth is asked for
	switch n := len(digits); {
	case n == 0:
	case tollFreePrefix(digits):
		asked = min(n, 3)
		p.Ask.TollFreeWildcard = digits[:asked] + "***"[asked:]
	case n >= 7:
		asked, p.Ask.NPANXXX = 7, digits[:7]
	case n == 6:
		asked, p.Ask.NPANXX = 6, digits
	default: // 3 to 5: fewer are refused
		asked = min(n, 3)
		p.Ask.AreaCode = digits[:asked]
	}
	p.Narrow = asked < len(digits)
	if c.LocalCallingArea != nil && *c.LocalCallingArea {
		return p
	}
	switch {
	case digits != "":
		p.Filter = "+1" + digits
	case c.AreaCode+c.NPANXX+c.NPANXXX != "": // only one is given
		p.Filter = "+1" + c.AreaCode + c.NPANXX + c.NPANXXX
	case c.TollFreeWildcard != "":
		p.Filter = "+1" + strings.TrimRight(c.TollFreeWildcard, "*")
	}
	return p
}

// Quantity returns how many numbers to ask for when want are wanted: as many, and with a narrow filter all that there
// can be, up to what one search lists.
func (p Plan) Quantity(want int) int {
	const block = 1000 // numbers with the same seven digits
	switch {
	case !p.Narrow:
		return want
	case p.Ask.NPANXXX != "":
		return block
	default:
		return MaxQuantity
	}
}

// Keep reports whether a number that was listed is one of those that are wanted.
func (p Plan) Keep(number string) bool { return strings.HasPrefix(number, p.Filter) }

// tollFreePrefix reports whether digits, without the country code, are the beginning of a toll-free number: 8, 80, 83,
// 855 and so on. Toll-free area codes are 8 and twice the same digit, but for 811 and 899.
func tollFreePrefix(digits string) bool {
	switch {
	case digits == "" || digits[0] != '8':
		return false
	case len(digits) == 1:
		return true
	case digits[1] == '1' || digits[1] == '9':
		return false
	default:
		return len(digits) == 2 || digits[1] == digits[2]
	}
}

// checkPrefix refuses prefixes that no number has, or that Bandwidth cannot be asked for.
func (c *Criteria) checkPrefix() *RequestError {
	digits := strings.TrimPrefix(c.Prefix, "+1")
	refuse := func(why string) *RequestError { return invalid("criteria.prefix", "%q %s", c.Prefix, why) }
	switch {
	case digits == "":
		return nil
	case len(digits) > 3 && (digits[3] == '0' || digits[3] == '1'):
		return refuse("is no number's: the fourth digit after +1 is 2 to 9")
	case digits[0] == '0' || digits[0] == '1':
		return refuse("is no number's: the first digit after +1 is 2 to 9")
	case tollFreePrefix(digits):
		if count(c.RateCenter, c.City, c.State, c.Zip, c.LATA) > 0 {
			return refuse("is a toll-free one and stands alone")
		}
	case len(digits) < 3:
		return refuse("is too short: give three digits after +1 at the least, or a toll-free one such as +18, +185 or +1855")
	}
	return nil
}
