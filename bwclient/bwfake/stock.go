package bwfake

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// DryAreaCode is an area code in which orders by search find nothing but what [Server.Restock] brought: a backorder
// there waits. It is the one of the government of the United States, of which nobody can buy numbers.
const DryAreaCode = "710"

// arrival is stock that comes later.
type arrival struct {
	at      time.Time
	numbers []string // ten digits
}

// Restock puts numbers in E.164 up for sale: searches and orders by search find them, and orders that wait take them, the oldest
// first. A number that somebody holds is for sale once it is released.
func (s *Server) Restock(numbers ...string) { s.RestockAfter(0, numbers...) }

// RestockAfter is [Server.Restock] after a time.
func (s *Server) RestockAfter(d time.Duration, numbers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := arrival{at: s.opts.Now().Add(d)}
	for _, n := range numbers {
		if n = strings.TrimPrefix(n, "+1"); digits10.MatchString(n) {
			a.numbers = append(a.numbers, n)
		}
	}
	s.arrivals = append(s.arrivals, a)
	s.settle()
}

// settle lets happen what the time has brought: disconnects take effect, numbers are ported, stock arrives, and waiting orders take it. The
// caller holds the lock.
func (s *Server) settle() {
	now := s.opts.Now()
	s.settleDisconnects(now)
	s.settleReservations(now)
	s.settlePortIns(now)
	s.arrivals = slices.DeleteFunc(s.arrivals, func(a arrival) bool {
		if now.Before(a.at) {
			return false
		}
		for _, n := range a.numbers {
			if !slices.Contains(s.restocked, n) {
				s.restocked = append(s.restocked, n)
			}
			if s.stocked != nil {
				s.stocked[n] = true
			}
		}
		return true
	})
	s.waiting = slices.DeleteFunc(s.waiting, func(o *order) bool {
		if o.status == "BACKORDERED" {
			s.fill(o, now)
		}
		return o.status != "BACKORDERED"
	})
}

// placeSearch buys what is for sale and fits. The caller holds the lock.
//
//	BackOrder  Partial  where too little is for sale
//	true       true     what there is is bought, and the order waits for the rest
//	true       false    nothing is bought until there is enough
//	false      true     PARTIAL, with what there is
//	false      false    FAILED
func (s *Server) placeSearch(o *order, now time.Time) {
	if o.backorder {
		o.status = "BACKORDERED"
		s.fill(o, now)
		if o.status == "BACKORDERED" {
			s.waiting = append(s.waiting, o)
		}
		return
	}
	free := s.free(o.search, now)
	if len(free) >= o.search.quantity || o.partial {
		s.sell(o, free)
	}
	o.end(o.final)
}

// fill gives a waiting order what has arrived for it. The caller holds the lock.
func (s *Server) fill(o *order, now time.Time) {
	free := s.free(o.search, now)
	if missing := o.search.quantity - len(o.bought); len(free) >= missing || o.partial {
		s.sell(o, free)
	}
	if len(o.bought) == o.search.quantity {
		o.end(maxTime(now, o.final))
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sell gives the first of the numbers to an order, as many as it misses. The caller holds the lock.
func (s *Server) sell(o *order, free []string) {
	bought := slices.Clone(o.bought) // a reader may hold the old list
	for _, n := range free[:min(len(free), o.search.quantity-len(o.bought))] {
		bought = append(bought, n)
		s.hold(n, o)
	}
	o.bought = bought
}

// hold gives a number to an order. The caller holds the lock.
func (s *Server) hold(n string, o *order) {
	delete(s.aging, n)
	s.holders[n] = o
	s.sold[n]++
}

// end gives an order by search its final word.
func (o *order) end(at time.Time) {
	o.final = at
	switch len(o.bought) {
	case o.search.quantity:
		o.status = "COMPLETE"
	case 0:
		o.status = "FAILED"
	default:
		o.status = "PARTIAL"
	}
}

// free lists the numbers that fit a search and that nobody holds. Those that age are only for whoever had them, by
// their name. The caller holds the lock.
func (s *Server) free(q *searchOrder, now time.Time) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range s.candidates(q) {
		if s.holders[n] == nil && !seen[n] && !now.Before(s.aging[n]) && !s.isReserved(n) {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// candidates lists the numbers, ten digits each, that a search can find, sold ones as well: what was restocked and fits,
// and unless the area is dry those that are always there. The caller holds the lock.
func (s *Server) candidates(q *searchOrder) []string {
	var out []string
	for _, n := range s.restocked {
		if slices.ContainsFunc(q.areas(), func(prefix string) bool { return strings.HasPrefix(n, prefix) }) && q.spells(n) {
			out = append(out, n)
		}
	}
	for _, prefix := range q.areas() {
		switch {
		case s.stocked != nil: // a given inventory
			for _, st := range s.opts.Inventory {
				if n := st.digits(); strings.HasPrefix(n, prefix) && q.spells(n) {
					out = append(out, n)
				}
			}
		case !strings.HasPrefix(prefix, DryAreaCode):
			out = append(out, q.generate(prefix)...)
		}
	}
	return out
}

// areaOfState is an area code of each state that the simulator knows; in others nothing is for sale.
var areaOfState = map[string]string{
	"CA": "415", "CO": "303", "DC": DryAreaCode, "FL": "305", "GA": "404", "IL": "312", "MA": "617", "NC": "919", "NJ": "201", "NY": "212", "TX": "214",
	"UT": "435", "VA": "540", "WA": "206",
}

// areas returns the prefixes of the numbers that fit a search, 3 to 7 digits each. Every ZIP code and LATA lies in North
// Carolina.
func (q *searchOrder) areas() []string {
	v := q.values
	switch {
	case q.lca && v["NpaNxx"]+v["NpaNxxX"] != "": // the whole area is local
		return []string{(v["NpaNxx"] + v["NpaNxxX"])[:3]}
	case v["AreaCode"]+v["NpaNxx"]+v["NpaNxxX"] != "":
		return []string{v["AreaCode"] + v["NpaNxx"] + v["NpaNxxX"]}
	case v["TollFreeVanity"] != "":
		return tollFreeCodes
	case v["TollFreeWildCardPattern"] != "":
		prefix := strings.TrimRight(v["TollFreeWildCardPattern"], "*")
		return slices.DeleteFunc(slices.Clone(tollFreeCodes), func(a string) bool { return !strings.HasPrefix(a, prefix) })
	case v["State"] != "" && areaOfState[v["State"]] == "":
		return nil
	case v["State"] != "":
		return []string{areaOfState[v["State"]]}
	default:
		return []string{areaOfState["NC"]}
	}
}

// spells reports whether a number holds the word that a search wants.
func (q *searchOrder) spells(n string) bool {
	local := onKeypad(q.values["LocalVanity"])
	switch free := onKeypad(q.values["TollFreeVanity"]); {
	case free != "":
		return strings.Contains(n, free)
	case q.values["EndsIn"] == "true":
		return strings.HasSuffix(n, local)
	default:
		return strings.Contains(n[3:], local)
	}
}

// generate returns the numbers below a prefix that are always there: at most 10,000, and none that is magic.
func (q *searchOrder) generate(prefix string) []string {
	word := onKeypad(q.values["LocalVanity"] + q.values["TollFreeVanity"])
	var out []string
	add := func(n string) {
		if digits10.MatchString(n) && !slices.Contains(oddEndings, n[6:]) && q.spells(n) {
			out = append(out, n)
		}
	}
	switch {
	case len(word) > 7:
		if strings.HasPrefix(word, prefix) {
			add(word)
		}
		return out
	case word != "":
		width, count := 7-len(word), 1
		for range width {
			count *= 10
		}
		for i := range count {
			add(prefix + fmt.Sprintf("%0*d", width, i)[:width] + word)
		}
		return out
	case len(prefix) == 3: // ten exchanges
		for i := range 10_000 {
			add(fmt.Sprintf("%s%d%04d", prefix, 220+i/1000, 1000+i%1000))
		}
		return out
	}
	width := 10 - len(prefix)
	for i := range map[int]int{4: 10_000, 3: 1000}[width] {
		add(fmt.Sprintf("%s%0*d", prefix, width, i))
	}
	return out
}
