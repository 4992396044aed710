package proof

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// Check judges a run. It is pure.
func Check(h History) (Figures, []Violation) {
	c := &checker{h: h, figures: Figures{Runs: 1, Orders: len(h.Orders), Published: len(h.Events), Replays: len(h.Replayed), Undecidable: map[string]int{}}}
	known := map[string]bool{}
	for _, o := range h.Orders {
		known[o.Key] = true
		c.order(o)
	}
	c.refused(known)
	c.unclaimed(known)
	for _, v := range c.violations {
		switch v.Rule {
		case BoughtTwice, Sandbox:
			c.figures.BoughtTwice++
		case Lost, Stuck:
			c.figures.Lost++
		case Disagrees:
			c.figures.Disagreements++
		default:
			c.figures.Others++
		}
	}
	return c.figures, c.violations
}

type checker struct {
	h          History
	figures    Figures
	violations []Violation
}

func (c *checker) broken(rule Rule, key, format string, args ...any) {
	c.violations = append(c.violations, Violation{rule, key, fmt.Sprintf(format, args...)})
}

// generation is one generation of an order as it was published.
type generation struct {
	number int
	end    *messages.Event
	letter *messages.DeadLetter
}

// order judges one order.
func (c *checker) order(o Order) {
	if o.Ends == nil {
		o.Ends = []messages.Outcome{messages.Completed}
	}
	bandwidth := c.bandwidth(o.Key)
	c.purchases(o, bandwidth)
	c.lookups(o, bandwidth)
	generations := c.generations(o)
	c.figures.Generations += len(generations)
	for i, g := range generations {
		if g.end == nil {
			c.broken(Lost, o.Key, "generation %d has no final outcome", g.number)
			continue
		}
		c.outcome(o, g, bandwidth, i == len(generations)-1)
		c.letter(o, g)
		if i > 0 && generations[i-1].end != nil && generations[i-1].end.Sequence >= g.end.Sequence {
			c.broken(Sequence, o.Key, "generation %d ends with sequence %d, the one before with %d", g.number, g.end.Sequence, generations[i-1].end.Sequence)
		}
	}
	last := generations[len(generations)-1]
	if last.end != nil && !slices.Contains(o.Ends, last.end.Outcome) {
		c.broken(Stuck, o.Key, "generation %d, the last, is %s (%s), want %v", last.number, last.end.Outcome, last.end.Reason, o.Ends)
	}
	if last.end != nil && o.Kind == messages.Provision && !o.Sandbox {
		c.figures.NumbersReported += len(last.end.Numbers)
	}
}

// bandwidth returns the orders at Bandwidth whose customer order id names the order's key.
func (c *checker) bandwidth(key string) []bwfake.Purchase {
	var out []bwfake.Purchase
	for _, p := range c.h.Bandwidth {
		if !p.Foreign && strings.Contains(p.CustomerOrderID, key) {
			out = append(out, p)
		}
	}
	return out
}

// purchases judges what was bought for an order.
func (c *checker) purchases(o Order, bandwidth []bwfake.Purchase) {
	placed, bought := map[string][]bwfake.Purchase{}, map[string]int{}
	for _, p := range bandwidth {
		placed[p.CustomerOrderID] = append(placed[p.CustomerOrderID], p)
		for _, n := range p.Numbers {
			bought[n]++
			c.figures.NumbersBought++
		}
	}
	if o.Sandbox && len(bandwidth) > 0 {
		c.broken(Sandbox, o.Key, "%d orders at Bandwidth", len(bandwidth))
	}
	if o.Kind != messages.Provision && len(bandwidth) > 0 {
		c.broken(BoughtTwice, o.Key, "a %s placed %d orders", o.Kind, len(bandwidth))
	}
	for n, times := range bought {
		if times > 1 {
			c.broken(BoughtTwice, o.Key, "number %s was bought %d times", n, times)
		}
		if len(o.Numbers) > 0 && !slices.Contains(o.Numbers, n) {
			c.broken(BoughtTwice, o.Key, "number %s was bought, and nobody asked for it", n)
		}
	}
	if len(o.Numbers) == 0 && len(bought) > o.Quantity {
		c.broken(BoughtTwice, o.Key, "%d numbers were bought, %d were asked for", len(bought), o.Quantity)
	}
	for id, list := range placed {
		if len(list) > 1 && o.LateCreation == "" {
			c.broken(BoughtTwice, o.Key, "%d orders exist under the customer order id %s, placed %s apart", len(list), id, list[len(list)-1].At.Sub(list[0].At))
		}
	}
}

// lookups judges whether the order was looked for without need.
func (c *checker) lookups(o Order, bandwidth []bwfake.Purchase) {
	if len(o.Doubts) > 0 {
		return
	}
	n := 0
	for id, times := range c.h.Lookups {
		if strings.Contains(id, o.Key) {
			n += times
		}
	}
	if n > 0 {
		c.broken(NeedlessUnknown, o.Key, "it was looked for %d times, though every POST was answered (%d orders at Bandwidth)", n, len(bandwidth))
	}
}

// generations gathers what was published of an order, and judges its repeats.
func (c *checker) generations(o Order) []generation {
	count := 1
	for _, id := range c.h.Replayed {
		if key, _, _ := strings.Cut(id, "."); key == o.Key {
			count++
		}
	}
	out := make([]generation, count)
	for i := range out {
		out[i].number = i + 1
	}
	at := func(n int) *generation {
		if n < 1 || n > count {
			return nil
		}
		return &out[n-1]
	}
	for i := range c.h.Events {
		e := &c.h.Events[i]
		if e.Key != o.Key {
			continue
		}
		g := at(e.Generation)
		switch {
		case g == nil:
			c.broken(TwoOutcomes, o.Key, "event %s is of generation %d; there are %d", e.EventID, e.Generation, count)
		case e.Kind != o.Kind:
			c.broken(TwoOutcomes, o.Key, "event %s is of the kind %s, want %s", e.EventID, e.Kind, o.Kind)
		case !e.Outcome.Final():
		case g.end == nil:
			g.end = e
		case g.end.EventID != e.EventID:
			c.broken(TwoOutcomes, o.Key, "generation %d ended as %s (%s) and as %s (%s)", e.Generation, g.end.Outcome, g.end.Reason, e.Outcome, e.Reason)
		case g.end.Sequence != e.Sequence:
			c.broken(TwoOutcomes, o.Key, "event %s came again with sequence %d, first with %d", e.EventID, e.Sequence, g.end.Sequence)
		case !sameEvent(*g.end, *e):
			c.broken(TwoOutcomes, o.Key, "event %s came again as another: %+v, first %+v", e.EventID, *e, *g.end)
		}
	}
	for i := range c.h.Letters {
		l := &c.h.Letters[i]
		if l.Key != o.Key {
			continue
		}
		g := at(l.Generation)
		switch {
		case g == nil:
			c.broken(Letter, o.Key, "letter %s is of generation %d; there are %d", l.LetterID, l.Generation, count)
		case g.letter != nil:
			c.broken(Letter, o.Key, "letter %s was stored twice", l.LetterID)
		default:
			g.letter = l
		}
	}
	return out
}

// sameEvent compares an event with its repeat: after a replay the numbers held may be more, and nothing else differs.
func sameEvent(first, again messages.Event) bool {
	first.OccurredAt, again.OccurredAt = first.OccurredAt.UTC(), again.OccurredAt.UTC()
	return reflect.DeepEqual(first, again)
}

// refused judges the requests that touch no order: each has one event and one letter, under a key of its own.
func (c *checker) refused(known map[string]bool) {
	events, letters := map[messages.Reason]map[string]bool{}, map[messages.Reason]int{}
	for _, e := range c.h.Events {
		if known[e.Key] {
			continue
		}
		if e.Generation != 0 || e.Sequence != 0 || e.Outcome != messages.Failed || len(e.Numbers) > 0 {
			c.broken(TwoOutcomes, e.Key, "event %s belongs to no order: %+v", e.EventID, e)
			continue
		}
		if events[e.Reason] == nil {
			events[e.Reason] = map[string]bool{}
		}
		events[e.Reason][e.Key] = true
	}
	for _, l := range c.h.Letters {
		if known[l.Key] {
			continue
		}
		if l.Generation != 0 || l.Replay != nil {
			c.broken(Letter, l.Key, "letter %s belongs to no order", l.LetterID)
		}
		letters[l.Reason]++
	}
	reasons := map[messages.Reason]bool{}
	for r := range c.h.Refused {
		reasons[r] = true
	}
	for r := range events {
		reasons[r] = true
	}
	for r := range letters {
		reasons[r] = true
	}
	for r := range reasons {
		if want := c.h.Refused[r]; len(events[r]) != want || letters[r] != want {
			c.broken(Lost, "", "%d requests were to be refused as %s: %d have an event, %d a dead letter", want, r, len(events[r]), letters[r])
		}
	}
}

// unclaimed finds what was bought for nobody.
func (c *checker) unclaimed(known map[string]bool) {
	for _, p := range c.h.Bandwidth {
		ours := p.Foreign
		for key := range known {
			ours = ours || strings.Contains(p.CustomerOrderID, key)
		}
		if !ours {
			c.broken(BoughtTwice, "", "Bandwidth order %s (%s) belongs to no request", p.OrderID, p.CustomerOrderID)
		}
	}
}
