package orders

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A port-in is a purchase of numbers that another carrier has: one POST with its own customer order id, then polls. What
// differs from an order of numbers:
//
//	the POST's reply is lost      it is looked for by its customer order id alone, under every status. Who holds a number
//	                              says nothing: until the port is done the losing carrier does, and which order Bandwidth
//	                              names for a number on its way here is not documented. Never is it sent again (P18).
//	never found                   outcome_unknown; its replay may order the port a second time, and needs the sender's
//	                              word for it (P21b)
//	EXCEPTION                     not final: a person mends the order at Bandwidth. It is announced with its errors, and
//	                              polled like the others
//	DRAFT                         a person submits it at Bandwidth, or Bandwidth drops it after a couple of days
//	CANCELLED, or a dropped draft the end: nothing was ported
//	COMPLETE                      the end: the numbers are those that the order lists then (P24). What an error on a number
//	                              means beside it is not documented: the number is not held, and the outcome unknown

// goneNeeded is how many reads in a row must say that a draft does not exist before it counts as dropped.
const goneNeeded = 5

// withFields returns the purchase n for the carrier, which sends the fields of a port-in, and keeps their secrets out of
// what it reads of it.
func (r *Record) withFields(n int) Purchase {
	p := *r.purchase(n)
	p.Fields = r.Ask.PortIn
	return p
}

// phase is what a status word means for an order of this purchase.
func (p *Purchase) phase(word string, errs []VendorError) (phase Phase, known bool) {
	if p.PortIn {
		return PortInPhase(word)
	}
	return PhaseOf(word, errs)
}

// soldOnce reports whether a second order of the same could not buy twice: named numbers that are for sale.
func (p *Purchase) soldOnce() bool { return p.Criteria == nil && !p.PortIn }

// unclear reports whether a final answer leaves open which numbers the order brought (P24).
func (p *Purchase) unclear(f PollFact) bool {
	if p.PortIn {
		sure := f.withoutFailed()
		return WholeOrder(f.Status) && (len(sure) == 0 || len(sure) < len(f.Completed))
	}
	return NumbersUnclear(f.Status, f.Completed, f.CompletedQuantity)
}

// withoutFailed returns the numbers that a port-in lists and that no error names.
func (f PollFact) withoutFailed() []string {
	failed := map[string]bool{}
	for _, n := range f.FailedNumbers {
		failed[n.Number] = true
	}
	var out []string
	for _, n := range f.Completed {
		if !failed[n] {
			out = append(out, n)
		}
	}
	return out
}

// sameCodes reports whether two lists of errors are about the same.
func sameCodes(a, b []VendorError) bool {
	return slices.EqualFunc(a, b, func(x, y VendorError) bool { return x.Code == y.Code })
}

// portInMoved makes an event of what a port-in's status, or its errors, have become.
func (r *Record) portInMoved(o *VendorOrder, now time.Time) {
	r.Submitted++
	if len(o.Errors) > 0 {
		var texts []string
		for _, e := range o.Errors {
			texts = append(texts, strings.TrimSpace(e.Code+" "+e.Description))
		}
		r.note(now, "errors", strings.Join(texts, "; "))
	}
}

// isDraft reports whether a port-in is a draft as far as is known: by what was last read of it, and before that by what
// was asked for.
func (r *Record) isDraft(p *Purchase, o *VendorOrder) bool {
	if o.Status == "" {
		return p.PortIn && r.Ask.Draft && p.Generation == r.Generation
	}
	return p.PortIn && isDraft(o.Status)
}

// dropped records a read by which a draft does not exist any more. Bandwidth deletes drafts that nobody submits, and
// people do; a moment's 404 must not pass for that. The reads are spaced by the longest poll interval.
func (r *Record) dropped(o *VendorOrder, s Settings, now time.Time) bool {
	o.Gone++
	o.NextPollAt = now.Add(s.PollMaxInterval)
	if o.Gone >= goneNeeded {
		o.Final = true
		r.note(now, "dropped", fmt.Sprintf("Bandwidth order %s does not exist any more; it was a draft", o.OrderID))
	}
	return true
}

// portInVerdict is the outcome of a port-in whose orders are over and did not bring everything.
func portInVerdict(r *Record, now time.Time) Action {
	outcome := r.ended()
	created, cancelled, gone, unclear := false, false, false, false
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			unclear = unclear || o.Unclear
			if p.Generation == r.Generation {
				created = true
				gone = gone || o.Gone >= goneNeeded
				cancelled = cancelled || strings.EqualFold(o.Status, "CANCELLED")
			}
		}
	}
	switch {
	case r.Unresolved(), r.waivedInTheDark():
		// P20: five looks since the settle window found nothing, and no further POST is allowed. P19: that a port-in was
		// sent beside one whose risk was taken decides nothing about that one, which may be what holds the numbers.
		return finish(now, outcome, ReasonOutcomeUnknown, "a POST was never answered and its port-in was not found; the missing numbers may be on their way here: compare with Bandwidth before porting them again")
	case unclear:
		return finish(now, outcome, ReasonOutcomeUnknown, "Bandwidth completed a port-in without making clear which numbers it brought (P24): compare with Bandwidth before porting them again")
	case cancelled:
		return finish(now, outcome, ReasonCancelled, "Bandwidth shows the port-in as CANCELLED: the missing numbers do not come")
	case gone:
		return finish(now, outcome, ReasonCancelled, "the draft is gone from Bandwidth: it was deleted there, or not submitted for a couple of days; nothing was ported")
	case outcome == Partial:
		return finish(now, Partial, ReasonIncomplete, "")
	case created:
		return finish(now, Failed, ReasonBandwidthFailed, "the port-in is complete with other numbers than those that were asked for")
	default:
		return finish(now, Failed, ReasonRejected, "")
	}
}
