package proof

import (
	"maps"
	"slices"
	"strings"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// outcome judges the outcome of a generation against Bandwidth.
func (c *checker) outcome(o Order, g generation, bandwidth []bwfake.Purchase, last bool) {
	e := g.end
	if e.Sandbox != o.Sandbox {
		c.broken(Disagrees, o.Key, "event %s says sandbox %t", e.EventID, e.Sandbox)
	}
	switch e.Reason {
	case messages.ReasonOutcomeUnknown:
		c.unknown(o, g)
	case messages.ReasonExhausted:
		c.broken(Lost, o.Key, "generation %d was given up; no schedule lasts that long", g.number)
	}
	switch {
	case o.Sandbox:
		return
	case o.Kind == messages.Disconnect:
		c.released(o, g, last)
		return
	case o.Kind != messages.Provision:
		return
	}
	reported := map[string]bool{}
	for _, n := range e.Numbers {
		if reported[n] {
			c.broken(Disagrees, o.Key, "event %s names %s twice", e.EventID, n)
		}
		reported[n] = true
	}
	bought, before := map[string]bool{}, map[string]bool{}
	for _, p := range bandwidth {
		for _, n := range p.Numbers {
			bought[n] = true
			if !p.At.After(e.OccurredAt.Add(-clockSlack)) {
				before[n] = true
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(reported)) {
		if !bought[n] {
			c.broken(Disagrees, o.Key, "event %s names %s, which Bandwidth has not sold to it", e.EventID, n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(before)) {
		// What may have been bought without anybody's knowledge is not certain to be missing.
		if !reported[n] && e.Reason != messages.ReasonOutcomeUnknown {
			c.broken(Disagrees, o.Key, "event %s (%s) leaves out %s, which Bandwidth had sold to it", e.EventID, e.Reason, n)
		}
	}
	if last && e.Outcome == messages.Completed && o.LateCreation == "" && len(reported) != len(bought) {
		c.broken(Disagrees, o.Key, "event %s names %d numbers, Bandwidth has sold %d", e.EventID, len(reported), len(bought))
	}
	if e.Outcome != messages.Completed {
		return
	}
	if len(o.Numbers) == 0 && len(reported) != o.Quantity && last {
		c.broken(Disagrees, o.Key, "event %s names %d numbers, %d were asked for", e.EventID, len(reported), o.Quantity)
	}
	for _, n := range o.Numbers {
		if !reported[n] {
			c.broken(Disagrees, o.Key, "event %s leaves out %s, which was asked for", e.EventID, n)
		}
	}
}

// unknown judges an outcome_unknown.
func (c *checker) unknown(o Order, g generation) {
	why := o.Undecidable
	if why == "" {
		why = "no reason"
		c.broken(NeedlessUnknown, o.Key, "generation %d ended as outcome_unknown, though it could be found out; POSTs in doubt: %q", g.number, o.Doubts)
	}
	c.figures.Undecidable[why]++
}

// released judges the outcome of a disconnect.
func (c *checker) released(o Order, g generation, last bool) {
	gone := map[string]bool{}
	for _, r := range c.h.Released {
		if strings.HasSuffix(r.Name, o.Key) {
			for _, n := range r.Numbers {
				if gone[n] {
					c.broken(BoughtTwice, o.Key, "number %s was released twice", n)
				}
				gone[n] = true
			}
		}
	}
	for _, n := range g.end.Numbers {
		if !gone[n] {
			c.broken(Disagrees, o.Key, "event %s names %s, which it has not released", g.end.EventID, n)
		}
	}
	if last && len(g.end.Numbers) != len(gone) && g.end.Reason != messages.ReasonOutcomeUnknown {
		c.broken(Disagrees, o.Key, "event %s names %d numbers, %d were released", g.end.EventID, len(g.end.Numbers), len(gone))
	}
}

// letter judges the dead letter of a generation that has ended.
func (c *checker) letter(o Order, g generation) {
	id := messages.LetterID(o.Key, g.number)
	left := slices.ContainsFunc(c.h.Left, func(l messages.DeadLetter) bool { return l.LetterID == id })
	replayed := slices.Contains(c.h.Replayed, id)
	switch {
	case g.end.Outcome == messages.Completed && g.letter != nil:
		c.broken(Letter, o.Key, "generation %d is completed, and has a dead letter", g.number)
	case g.end.Outcome == messages.Completed:
	case g.letter == nil:
		c.broken(Lost, o.Key, "generation %d is %s (%s), and has no dead letter", g.number, g.end.Outcome, g.end.Reason)
	case g.letter.Reason != g.end.Reason:
		c.broken(Letter, o.Key, "letter %s says %s, its event %s", id, g.letter.Reason, g.end.Reason)
	case replayed && left:
		c.broken(Letter, o.Key, "letter %s was replayed, and is still there", id)
	case !replayed && !left:
		c.broken(Lost, o.Key, "letter %s is gone, and nobody replayed it", id)
	case g.letter.Replay == nil && g.end.Reason != messages.ReasonCancelled:
		c.broken(Letter, o.Key, "letter %s (%s) has no replay", id, g.end.Reason)
	}
}
