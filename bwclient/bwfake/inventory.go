package bwfake

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Stock is a number that the vendor has for sale, and where it is. Numbers of one LATA and state are a local call
// apart.
type Stock struct {
	// Number is E.164.
	Number     string
	City       string
	RateCenter string
	State      string
	LATA       string
	Zip        string
	Tier       string
}

// digits are the ten digits of the number.
func (s *Stock) digits() string { return strings.TrimPrefix(s.Number, "+1") }

// place is where an exchange of the generated inventory is.
type place struct{ npa, city, rateCenter, state, lata, zip string }

// places are those of the generated inventory. An area code that is not among them has elsewhere's.
var places = []place{
	{"919", "RALEIGH", "RALEIGH", "NC", "426", "27601"},
	{"919", "DURHAM", "DURHAM", "NC", "426", "27701"},
	{"919", "CARY", "CARY", "NC", "426", "27511"},
	{"704", "CHARLOTTE", "CHARLOTTE", "NC", "422", "28202"},
	{"973", "MENDHAM", "MENDHAM", "NJ", "224", "07945"},
	{"973", "NEWARK", "NEWARK", "NJ", "224", "07102"},
	{"801", "SALT LAKE CITY", "SALT LAKE", "UT", "660", "84101"},
	{"303", "DENVER", "DENVER", "CO", "656", "80202"},
	{"415", "SAN FRANCISCO", "SNFC CNTRL", "CA", "722", "94103"},
	{"212", "NEW YORK", "NWYRCYZN01", "NY", "132", "10001"},
}

// elsewhere are the places of every other area code.
var elsewhere = []place{
	{"", "ANYTOWN", "ANYTOWN", "KS", "532", "67501"},
	{"", "OTHERTOWN", "OTHERTOWN", "KS", "532", "67502"},
}

// exchanges are those that a search by anything but an exchange goes through, in every area code.
var exchanges = []string{"234", "340", "455", "556", "671"}

// tollFreeCodes are the area codes of the generated toll-free numbers.
var tollFreeCodes = []string{"800", "833", "844", "855", "866", "877", "888"}

// tollFree reports whether an area code is a toll-free one: 8 and twice the same digit.
func tollFree(code string) bool {
	return len(code) == 3 && code[0] == '8' && code[1] == code[2] && code[1] != '1' && code[1] != '9'
}

// placeOf returns where an exchange is.
func placeOf(npa, nxx string) place {
	if tollFree(npa) {
		return place{npa: npa}
	}
	var in []place
	for _, p := range places {
		if p.npa == npa {
			in = append(in, p)
		}
	}
	if in == nil {
		in = elsewhere
	}
	n, _ := strconv.Atoi(nxx)
	return in[n%len(in)]
}

// nxxBlock is an area code with an exchange, and the block of thousand that is wanted of it; empty for all.
type nxxBlock struct{ npa, nxx, block string }

// generated are the exchanges of the generated inventory that a query is about.
func generated(q query) []nxxBlock {
	if q.tollFreeWildcard != "" || q.tollFreeVanity != "" {
		codes := exchanges
		if v := onKeypad(q.tollFreeVanity); len(v) >= 7 && v[len(v)-7] >= '2' {
			codes = []string{v[len(v)-7 : len(v)-4]} // the vanity leaves no other
		}
		return combine(tollFreeCodes, codes)
	}
	npas := []string{q.npa()}
	if npas[0] == "" {
		npas = npas[:0]
		for _, p := range append(slices.Clone(places), place{npa: "620"}) {
			if !slices.Contains(npas, p.npa) {
				npas = append(npas, p.npa)
			}
		}
	}
	nxx, block := q.exchange()
	if nxx == "" {
		return combine(npas, exchanges)
	}
	out := []nxxBlock{{npas[0], nxx, block}}
	if q.widened() {
		for _, e := range combine(npas, exchanges) {
			if e.nxx != nxx {
				e.block = block
				out = append(out, e)
			}
		}
	}
	return out
}

func combine(npas, nxxs []string) []nxxBlock {
	var out []nxxBlock
	for _, npa := range npas {
		for _, nxx := range nxxs {
			out = append(out, nxxBlock{npa: npa, nxx: nxx})
		}
	}
	return out
}

// stock goes through the numbers that a query may be about: what was restocked, and then the given inventory in its
// order, or the generated one, a number of each exchange in turn. The caller holds the lock.
func (s *Server) stock(q query, wanted func(*Stock) bool) iter.Seq[*Stock] {
	return func(yield func(*Stock) bool) {
		had := make(map[string]bool, len(s.restocked))
		for _, n := range s.restocked {
			had[n] = true
			if !yield(s.stockOf(n)) {
				return
			}
		}
		if s.opts.Inventory != nil {
			for i := range s.opts.Inventory {
				if st := &s.opts.Inventory[i]; !had[st.digits()] && !yield(st) {
					return
				}
			}
			return
		}
		var at []nxxBlock
		for _, e := range generated(q) {
			p := placeOf(e.npa, e.nxx)
			if wanted(&Stock{Number: "+1" + e.npa + e.nxx + (e.block + "0000")[:4], City: p.city, RateCenter: p.rateCenter, State: p.state, LATA: p.lata, Zip: p.zip}) {
				at = append(at, e)
			}
		}
		for line := range 10_000 {
			for _, e := range at {
				digits := strconv.Itoa(10_000 + line)[1:]
				if !strings.HasPrefix(digits, e.block) || slices.Contains(oddEndings, digits) {
					continue
				}
				if n := e.npa + e.nxx + digits; !had[n] && !yield(generatedStock(n)) {
					return
				}
			}
		}
	}
}

// generatedStock is a number of the generated inventory, ten digits.
func generatedStock(n string) *Stock {
	p := placeOf(n[:3], n[3:6])
	return &Stock{Number: "+1" + n, City: p.city, RateCenter: p.rateCenter, State: p.state, LATA: p.lata, Zip: p.zip, Tier: "0"}
}

// stockOf is a number, ten digits, as the given inventory has it, or where its exchange generates it.
func (s *Server) stockOf(n string) *Stock {
	for i := range s.opts.Inventory {
		if s.opts.Inventory[i].digits() == n {
			return &s.opts.Inventory[i]
		}
	}
	return generatedStock(n)
}

// oddEndings are the endings of numbers that the simulator treats in a way of their own; the generated inventory
// leaves them out.
var oddEndings = []string{"0400", "0404", "0500", "0599", "0777"}

// forSale reports whether the vendor has a number and nobody holds or has reserved it. The caller holds the lock.
func (s *Server) forSale(digits string) bool {
	if s.holders[digits] != nil || strings.HasSuffix(digits, "0404") || s.isReserved(digits) {
		return false
	}
	return s.stocked == nil || s.stocked[digits]
}

// onKeypad writes letters as the digits of a telephone's keypad.
func onKeypad(s string) string {
	const keys = "22233344455566677778889999" // A to Z
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return rune(keys[r-'a'])
		case r >= 'A' && r <= 'Z':
			return rune(keys[r-'A'])
		default:
			return r
		}
	}, s)
}
