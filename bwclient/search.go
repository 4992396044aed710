package bwclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
)

// MaxSearchQuantity is how many numbers one search can ask for. A search that asks for no quantity gets as many.
const MaxSearchQuantity = 5000

// ErrInvalidQuery: the search breaks a documented limit and was not sent.
var ErrInvalidQuery = errors.New("the search cannot be sent")

// Query says which of the numbers for sale to list, in Bandwidth's terms. Which of them go together is documented in
// its guide to searching numbers (dev.bandwidth.com/docs/numbers/guides/searchingForNumbers); Bandwidth refuses the
// rest.
type Query struct {
	// Quantity is how many numbers to list at the most: 1 to [MaxSearchQuantity].
	Quantity int
	// Detail asks for where the numbers are.
	Detail bool
	// AreaCode, NPANXX and NPANXXX are 3, 6 and 7 digits; only one of them can be given.
	AreaCode, NPANXX, NPANXXX string
	// RateCenter is an exchange's abbreviation; it needs State.
	RateCenter string
	// City needs State.
	City string
	// State is two letters.
	State string
	// Zip is 5 or 9 digits.
	Zip string
	// LATA is up to 5 digits.
	LATA string
	// LocalVanity is letters and digits that the number holds; EndsIn: at its end.
	LocalVanity string
	EndsIn      bool
	// TollFreeVanity is letters and digits that a toll-free number holds; TollFreeWildcard an area code such as 8**,
	// 85* or 855. Each stands alone.
	TollFreeVanity, TollFreeWildcard string
	// LocalCallingArea also lists numbers of other exchanges that are a local call away. Bandwidth does so unless it
	// is told not to, so it is always told.
	LocalCallingArea bool
}

// values are the parameters of GET /availableNumbers.
func (q Query) values() url.Values {
	v := url.Values{
		"quantity": {strconv.Itoa(q.Quantity)},               // left out it means 5000
		"LCA":      {strconv.FormatBool(q.LocalCallingArea)}, // left out it means true
	}
	for name, value := range map[string]string{
		"areaCode": q.AreaCode, "npaNxx": q.NPANXX, "npaNxxx": q.NPANXXX, "rateCenter": q.RateCenter, "city": q.City, "state": q.State,
		"zip": q.Zip, "lata": q.LATA, "localVanity": q.LocalVanity, "tollFreeVanity": q.TollFreeVanity, "tollFreeWildCardPattern": q.TollFreeWildcard,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Detail {
		v.Set("enableTNDetail", "true")
	}
	if q.EndsIn {
		v.Set("endsIn", "true")
	}
	return v
}

// Found is a number that is for sale. Only Number is set where no detail was asked for. A number that was found is
// not held: it may be gone when it is ordered.
type Found struct {
	Number     string // E.164
	City       string
	RateCenter string
	State      string
	LATA       string
	Tier       string
	VendorID   string
	VendorName string
}

// Search lists numbers that are for sale (GET /availableNumbers), each once, in Bandwidth's order. Nothing found is an
// empty list and no error; everything that is not an answer to the search is an error. It blocks for
// [Config.GetTimeout] at the most.
func (c *Client) Search(ctx context.Context, q Query) ([]Found, error) {
	k := call{op: "search numbers", method: http.MethodGet, path: "availableNumbers"}
	if q.Quantity < 1 || q.Quantity > MaxSearchQuantity {
		e := k.failed(fmt.Errorf("%w: its quantity %d is not from 1 to %d", ErrInvalidQuery, q.Quantity, MaxSearchQuantity))
		e.Creation = NotCreated
		return nil, e
	}
	root, err := c.readAs(ctx, k, q.values(), "SearchResult")
	if err != nil {
		return nil, err
	}
	if refusals := root.all("Error"); len(refusals) > 0 {
		// An error under a 200 must not be taken for "nothing found".
		e := k.failed(nil)
		e.StatusCode, e.Creation = http.StatusOK, NotCreated
		for _, r := range refusals {
			e.Details = append(e.Details, Detail{Code: r.childText("Code"), Description: mask(r.childText("Description"), c.auth.secrets())})
		}
		return nil, e
	}
	found, err := decodeFound(root)
	if err != nil {
		return nil, k.unreadable(err)
	}
	return found, nil
}

// e164Shape is what counts as a number that was found.
var e164Shape = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)

// decodeFound reads both forms of the answer: a list of numbers, or one with details. Nothing found is an empty
// SearchResult, or none at all (204).
func decodeFound(root *node) ([]Found, error) {
	if root == nil {
		return nil, nil
	}
	plain, detailed := root.child("TelephoneNumberList"), root.child("TelephoneNumberDetailList")
	count := quantity(root.value("ResultCount"))
	if plain == nil && detailed == nil && count == nil && (len(root.children) > 0 || root.text != "") {
		return nil, fmt.Errorf("%w: it holds no list of numbers", ErrUnreadable)
	}
	var out []Found
	seen := map[string]bool{}
	add := func(text string, n *node) error {
		f := Found{Number: toE164(text)}
		if !e164Shape.MatchString(f.Number) {
			return fmt.Errorf("%w: it lists %q as a number", ErrUnreadable, clip(text, 40))
		}
		if seen[f.Number] {
			return nil
		}
		seen[f.Number] = true
		if n != nil {
			f.City, f.RateCenter, f.State = n.childText("City"), n.childText("RateCenter"), n.childText("State")
			f.LATA, f.Tier = n.childText("LATA"), n.childText("Tier")
			f.VendorID, f.VendorName = n.childText("VendorId"), n.childText("VendorName")
		}
		out = append(out, f)
		return nil
	}
	for _, n := range plain.all("TelephoneNumber") {
		for _, text := range leaves(n) {
			if err := add(text, nil); err != nil {
				return nil, err
			}
		}
	}
	for _, n := range detailed.all("TelephoneNumberDetail") {
		if err := add(n.childText("FullNumber", "TelephoneNumber"), n); err != nil {
			return nil, err
		}
	}
	// The count is not compared further: it has been seen to say how many there are, not how many are listed.
	if len(out) == 0 && count != nil && *count > 0 {
		return nil, fmt.Errorf("%w: it counts %d numbers and lists none", ErrUnreadable, *count)
	}
	return slices.Clip(out), nil
}
