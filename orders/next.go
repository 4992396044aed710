package orders

import (
	"fmt"
	"time"
)

// Conditions are what a decision depends on beside the record: this worker's switches and the fleet's pauses.
type Conditions struct {
	// Sandbox: this worker pretends; it buys nothing for anybody (P31).
	Sandbox bool
	// Provisioning: purchases are enabled.
	Provisioning bool
	// CarrierDisabled: Kazoo's carrier_modules lacks this carrier.
	CarrierDisabled bool
	// OrdersHeldUntil and ReadsHeldUntil are fleet-wide pauses of the groups ORDER and HISTORY; zero: none.
	OrdersHeldUntil time.Time
	ReadsHeldUntil  time.Time
	// YoungLedger: the ledger may have lost what an older one knew; look before a first POST (P33).
	YoungLedger bool
}

// ActionKind names what is to be done next.
type ActionKind int

// The actions.
const (
	// ActWait: nothing to do before Until.
	ActWait ActionKind = iota
	// ActReload: the record must be read again before anything can be decided.
	ActReload
	// ActDropLetters: remove the dead letters that a replay made obsolete (P26).
	ActDropLetters
	// ActExpire: a claim's time has passed; its POST's outcome is unknown (P12).
	ActExpire
	// ActPoll: read the Bandwidth order OrderID.
	ActPoll
	// ActLook: look for the orders of purchase N (P16).
	ActLook
	// ActPreLook: look for the orders of the purchase N that is about to be made (P33).
	ActPreLook
	// ActPlace: claim and send the POST of purchase N; N 0 means a new purchase of Numbers.
	ActPlace
	// ActFinish: write Outcome.
	ActFinish
	// ActPublish: put the outcome on the bus.
	ActPublish
	// ActDone: nothing is left to do.
	ActDone
)

// Action is one step of an order.
type Action struct {
	Kind    ActionKind
	Until   time.Time
	Why     string
	N       int
	Token   string
	OrderID OrderID
	Numbers []string
	Outcome Outcome
}

// Next decides what to do next for an order. It is pure: the same record, conditions and time give the same action.
// now is a time of the server's that has surely passed (P38).
func Next(r *Record, c Conditions, s Settings, now time.Time) Action {
	if len(r.StaleLetters) > 0 {
		return Action{Kind: ActDropLetters}
	}
	if r.Outcome != nil {
		if !r.Outcome.Published {
			return Action{Kind: ActPublish}
		}
		return Action{Kind: ActDone}
	}
	if r.Sandbox {
		// P31: whoever meets a sandbox record finishes it as sandbox.
		return finish(now, Completed, "", "sandbox: nothing was bought")
	}
	if p, post := r.openPost(); post != nil {
		return nextOfClaim(r, p, post, s, now)
	}
	if a, ok := nextRead(r, c, s, now); ok {
		return a
	}
	if len(r.Missing()) == 0 {
		return finish(now, Completed, "", "")
	}
	if a, ok := nextRepeat(r, c, s, now); ok {
		return a
	}
	return nextPurchase(r, c, s, now)
}

func finish(now time.Time, outcome, reason, detail string) Action {
	return Action{Kind: ActFinish, Outcome: Outcome{Outcome: outcome, Reason: reason, At: now.UTC().Round(0), Detail: detail}}
}

func wait(until time.Time, why string) Action { return Action{Kind: ActWait, Until: until, Why: why} }

// nextOfClaim waits for a claim in flight, and after its time takes its POST's outcome for unknown. It never posts
// under another's claim (P12).
func nextOfClaim(r *Record, p *Purchase, post *Post, s Settings, now time.Time) Action {
	if r.WrittenAt.IsZero() {
		return Action{Kind: ActReload, Why: "the claim's server time is not known"}
	}
	// The claim was written at WrittenAt or before, by the server's clock, and its moment was taken before that.
	if until := r.WrittenAt.Add(s.PostTimeout); now.Before(until) {
		return wait(until, "a POST is in flight")
	}
	return Action{Kind: ActExpire, N: p.N, Token: post.Token}
}

// nextRead decides on polls and looks. While an order runs at Bandwidth there is nothing else to decide (P21a).
func nextRead(r *Record, c Conditions, s Settings, now time.Time) (Action, bool) {
	var first time.Time
	earliest := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	running := false
	missing := len(r.Missing()) > 0
	var due *Action
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			if o.Final {
				continue
			}
			running = true
			earliest(o.NextPollAt)
			if due == nil && !now.Before(o.NextPollAt) {
				due = &Action{Kind: ActPoll, N: p.N, OrderID: o.OrderID}
			}
		}
		// A POST without an answer matters only while something is missing: exact numbers are sold once.
		if missing && p.unresolved() > 0 && p.LateLooks < looksNeeded {
			if p.UnknownSince.IsZero() && r.WrittenAt.IsZero() {
				return Action{Kind: ActReload, Why: "the server time of the unanswered POST is not known"}, true
			}
			if p.mayRepeat() {
				continue // enough was looked: nextRepeat decides
			}
			earliest(p.NextLookAt)
			if due == nil && !now.Before(p.NextLookAt) {
				due = &Action{Kind: ActLook, N: p.N}
			}
			running = true
		}
	}
	if due != nil {
		if c.ReadsHeldUntil.After(now) {
			return wait(c.ReadsHeldUntil, "reads are paused"), true
		}
		return *due, true
	}
	if running {
		return wait(first, "Bandwidth is asked again then"), true
	}
	return Action{}, false
}

// mayRepeat reports whether the purchase's one POST, of unknown outcome, may be sent a second time (P18): exact
// numbers only, after the settle window and five looks, and only where Bandwidth lets us ask who holds a number.
func (p *Purchase) mayRepeat() bool {
	return len(p.Posts) == 1 && p.Posts[0].State == PostUnknown && len(p.Orders) == 0 && len(p.Numbers) > 0 &&
		p.Looks >= looksNeeded && p.LateLooks >= 1 && !p.NumbersForbidden
}

// nextRepeat decides on the second POST of an intent (P18).
func nextRepeat(r *Record, c Conditions, s Settings, now time.Time) (Action, bool) {
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if !p.mayRepeat() {
			continue
		}
		if a, held := heldBack(r, c, s, now); held {
			return a, true
		}
		return Action{Kind: ActPlace, N: p.N}, true
	}
	return Action{}, false
}

// heldBack decides whether purchases have to wait. Waiting is never a verdict (P20, P22).
func heldBack(r *Record, c Conditions, s Settings, now time.Time) (Action, bool) {
	switch {
	case c.Sandbox:
		return wait(now.Add(5*s.PollMinInterval), "this worker is a sandbox and buys nothing for real orders"), true
	case !c.Provisioning || c.CarrierDisabled:
		return wait(now.Add(s.PollMaxInterval), "provisioning is switched off here while the outcome of a POST is unknown"), true
	case c.OrdersHeldUntil.After(now):
		return wait(c.OrdersHeldUntil, "purchases are paused"), true
	case r.NotBefore.After(now):
		return wait(r.NotBefore, "the last try could not be sent"), true
	}
	return Action{}, false
}

// nextPurchase decides on the purchase of this generation, and on the verdict once it is over.
func nextPurchase(r *Record, c Conditions, s Settings, now time.Time) Action {
	unresolved := r.Unresolved()
	var mine *Purchase
	for i := range r.Purchases {
		if r.Purchases[i].Generation == r.Generation {
			mine = &r.Purchases[i]
		}
	}
	if mine == nil || len(mine.Posts) == 0 && len(mine.Orders) == 0 {
		if !unresolved && !c.Sandbox {
			switch {
			case c.CarrierDisabled:
				return finish(now, Failed, ReasonCarrierDisabled, "carrier_modules does not list knm_bandwidth2")
			case !c.Provisioning:
				return finish(now, Failed, ReasonProvisioningDisabled, "enable_provisioning is false")
			case r.RetryFor >= s.GiveUpAfter:
				// Nothing was bought: every try was surely not sent or refused (P20, P22).
				return finish(now, Failed, ReasonExhausted, fmt.Sprintf("could not be placed within %s of trying", s.GiveUpAfter))
			}
		}
		if a, held := heldBack(r, c, s, now); held {
			return a
		}
		if c.YoungLedger && (mine == nil || !mine.PreLooked) {
			if c.ReadsHeldUntil.After(now) {
				return wait(c.ReadsHeldUntil, "reads are paused")
			}
			return Action{Kind: ActPreLook, N: number(mine), Numbers: r.Missing()}
		}
		return Action{Kind: ActPlace, N: number(mine), Numbers: r.Missing()}
	}
	return verdict(r, now)
}

func number(p *Purchase) int {
	if p == nil {
		return 0
	}
	return p.N
}

// verdict is the outcome of a generation whose purchases are over and did not bring everything.
func verdict(r *Record, now time.Time) Action {
	held := len(r.Ask.Numbers) - len(r.Missing())
	outcome := Failed
	if held > 0 {
		outcome = Partial
	}
	created, unclear := false, false
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			created = created || p.Generation == r.Generation
			unclear = unclear || o.Unclear
		}
	}
	switch {
	case r.Unresolved():
		// P20: five looks since the settle window found nothing, and no further POST is allowed.
		return finish(now, outcome, ReasonOutcomeUnknown, "a POST was never answered and its order was not found; the missing numbers may have been bought: compare with Bandwidth before ordering again")
	case unclear:
		return finish(now, outcome, ReasonOutcomeUnknown, "Bandwidth ended an order without saying which numbers it bought (P24): compare with Bandwidth before ordering again")
	case outcome == Partial:
		return finish(now, Partial, ReasonIncomplete, "")
	case created:
		return finish(now, Failed, ReasonBandwidthFailed, "")
	default:
		return finish(now, Failed, ReasonRejected, "")
	}
}
