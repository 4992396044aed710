package orders

import (
	"fmt"
	"slices"
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
	// OrdersRefused: Bandwidth refuses orders, and the next one is the probe. Nothing is reserved before it is through.
	OrdersRefused bool
	// ReleasesHeldUntil is that of the group DISCONNECT, PortInsHeldUntil that of PORT_IN.
	ReleasesHeldUntil time.Time
	PortInsHeldUntil  time.Time
	// YoungLedger: the ledger may have lost what an older one knew; look before a first POST (P33).
	YoungLedger bool
	// DoubtedAt is when the ledger was last known to lack orders: it was replaced, or is being rebuilt. Nothing is bought,
	// and no order ends without all it asks for, before what was on its way then has settled. Zero: no such doubt.
	DoubtedAt time.Time
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
	// ActExpire: a claim's time has passed; its POST's outcome, or its reservation's, is unknown (P12).
	ActExpire
	// ActPoll: read the Bandwidth order OrderID.
	ActPoll
	// ActLook: look for the orders of purchase N (P16).
	ActLook
	// ActPreLook: look for the orders of the purchase N that is about to be made, 0 for a new one, or that a rebuild may
	// have left out (P33).
	ActPreLook
	// ActPlace: claim and send the POST of purchase N; N 0 means a new purchase of Numbers.
	// With Find, its numbers are searched for first, by the criteria.
	ActPlace
	// ActChoose: write down the numbers of purchase N, which are to be reserved: Numbers, or Find searched for by the
	// criteria.
	ActChoose
	// ActReserve: reserve the number in Numbers for purchase N.
	ActReserve
	// ActPretend: a sandbox order finds Find numbers by its criteria and pretends to have bought them.
	ActPretend
	// ActClose: close the Bandwidth order OrderID, which waits for stock.
	ActClose
	// ActRelease: read who holds Numbers, and send a disconnect of those that are still the ones meant (P34).
	ActRelease
	// ActPollRelease: read the disconnect OrderID of release N.
	ActPollRelease
	// ActCancel: see to the order that this one cancels.
	ActCancel
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
	// Find is how many numbers to search for; 0 where Numbers are named.
	Find    int
	Outcome Outcome
}

// Next decides what to do next for an order. It is pure: the same record, conditions and time give the same action.
// now is a time of the server's that has surely passed (P38).
func Next(r *Record, c Conditions, s Settings, now time.Time) Action {
	if !r.Kind.known() {
		// A later version took it in while workers are being replaced: taken for a provision, it would be bought.
		return wait(now.Add(5*s.PollMinInterval), "this version knows no orders of the kind "+string(r.Kind))
	}
	if len(r.StaleLetters) > 0 {
		return Action{Kind: ActDropLetters}
	}
	if r.Outcome != nil {
		if !r.Outcome.Published {
			return Action{Kind: ActPublish}
		}
		return Action{Kind: ActDone}
	}
	if r.Unasked() {
		return wait(now.Add(s.PollMaxInterval), "nobody has asked for it since the ledger was rebuilt")
	}
	if r.Kind == Cancel {
		return nextCancel(r, c, s, now)
	}
	if r.Sandbox {
		// P31: whoever meets a sandbox record finishes it as sandbox.
		return nextPretended(r, s, now)
	}
	if r.Kind == Disconnect {
		return nextRelease(r, c, s, now)
	}
	if p, post := r.openPost(); post != nil {
		return nextOfClaim(r, p.N, post.Token, post.Timeout, "a POST is in flight", s, now)
	}
	if a, ok := nextClose(r, c, now); ok {
		return a
	}
	if a, ok := nextRead(r, c, s, now); ok {
		return a
	}
	if r.Short() == 0 {
		return finish(now, Completed, "", "")
	}
	if a, ok := nextRepeat(r, c, s, now); ok {
		return a
	}
	return nextPurchase(r, c, s, now)
}

// What an order says that a switch ended.
const (
	carrierDisabled      = "carrier_modules does not list knm_bandwidth2"
	provisioningDisabled = "enable_provisioning is false"
)

func finish(now time.Time, outcome, reason, detail string) Action {
	return Action{Kind: ActFinish, Outcome: Outcome{Outcome: outcome, Reason: reason, At: now.UTC().Round(0), Detail: detail}}
}

func wait(until time.Time, why string) Action { return Action{Kind: ActWait, Until: until, Why: why} }

// nextOfClaim waits for the n-th claim in flight, of an order, a disconnect or a reservation, and after its time takes
// its outcome for unknown. It never posts under another's claim (P12).
func nextOfClaim(r *Record, n int, token string, timeout time.Duration, why string, s Settings, now time.Time) Action {
	if r.WrittenAt.IsZero() {
		return Action{Kind: ActReload, Why: "the claim's server time is not known"}
	}
	// The claim was written at WrittenAt or before, by the server's clock, and its moment was taken before that.
	if until := r.WrittenAt.Add(max(s.PostTimeout, timeout)); now.Before(until) {
		return wait(until, why)
	}
	return Action{Kind: ActExpire, N: n, Token: token}
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
	missing := r.Short() > 0
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
		if missing && p.LateLooks < looksNeeded && r.unresolved(p) {
			if p.UnknownSince.IsZero() && r.WrittenAt.IsZero() {
				return Action{Kind: ActReload, Why: "the server time of the unanswered POST is not known"}, true
			}
			if r.mayRepeat(p) {
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
	return len(p.Posts) == 1 && p.Posts[0].State == PostUnknown && len(p.Orders) == 0 && len(p.Numbers) > 0 && !p.PortIn &&
		p.Looks >= looksNeeded && p.LateLooks >= 1 && !p.NumbersForbidden
}

// mayRepeat is [Purchase.mayRepeat] for an order that still wants all that the POST would buy.
func (r *Record) mayRepeat(p *Purchase) bool {
	return p.mayRepeat() && r.unresolved(p) && !r.cancelled() && (r.Ask.Criteria == nil || len(p.Numbers) <= r.Short())
}

// nextRepeat decides on the second POST of an intent (P18).
func nextRepeat(r *Record, c Conditions, s Settings, now time.Time) (Action, bool) {
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if !r.mayRepeat(p) {
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
	held, what := c.OrdersHeldUntil, "purchases"
	if r.Kind == PortIn {
		held, what = c.PortInsHeldUntil, "port-ins"
	}
	switch {
	case c.Sandbox:
		return wait(now.Add(5*s.PollMinInterval), "this worker is a sandbox and buys nothing for real orders"), true
	case !c.Provisioning || c.CarrierDisabled:
		return wait(now.Add(s.PollMaxInterval), "provisioning is switched off here while the outcome of a POST is unknown"), true
	case held.After(now):
		return wait(held, what+" are paused"), true
	case r.NotBefore.After(now):
		return wait(r.NotBefore, "the last try could not be sent"), true
	}
	return Action{}, false
}

// nextPurchase decides on the purchase of this generation, on those that top it up, and on the verdict once they are
// over.
func nextPurchase(r *Record, c Conditions, s Settings, now time.Time) Action {
	if until := c.settled(s); until.After(now) {
		// P33: what was on its way when the ledger was lost belongs to the verdict, and comes before another order.
		return wait(until, "orders of the lost ledger may still show themselves")
	}
	if n := r.gap(); n > 0 {
		return lookFirst(r, c, now, Action{Kind: ActPreLook, N: n})
	}
	unresolved := r.Unresolved()
	var mine *Purchase // planned, and not placed yet
	begun := false
	for i := range r.Purchases {
		if p := &r.Purchases[i]; p.Generation == r.Generation {
			if begun = len(p.Posts) > 0 || len(p.Orders) > 0; !begun {
				mine = p
			}
		}
	}
	unclear, expired := r.unclear(), r.expired()
	over := r.Dry || len(r.SearchErrors) > 0
	if len(expired) > 0 || mine != nil && len(mine.Numbers) > 0 && r.Ask.PartialAllowed {
		over = false // what is known is ordered, though others were not found: what could be reserved, or was once (P35)
	}
	preLook := c.YoungLedger && !begun && (mine == nil || !mine.PreLooked)
	switch {
	case r.cancelled() && preLook && !unresolved:
		// P33: what a lost ledger had ordered is closed as well; it is looked for before the verdict.
		return lookFirst(r, c, now, Action{Kind: ActPreLook, N: number(mine), Numbers: r.Missing()})
	case r.cancelled(), (r.Ask.Backorder || r.Kind == PortIn) && unresolved, r.Kind == PortIn && unclear, r.Ask.Criteria != nil && unclear, // P24: it may hold what is missing
		begun && len(expired) == 0 && !r.mayTopUp(), over:
		return verdict(r, now)
	}
	if !unresolved && !unclear && !c.Sandbox {
		switch {
		case c.CarrierDisabled:
			return finish(now, r.ended(), ReasonCarrierDisabled, carrierDisabled)
		case !c.Provisioning:
			return finish(now, r.ended(), ReasonProvisioningDisabled, provisioningDisabled)
		case r.RetryFor >= s.GiveUpAfter:
			return exhausted(r, s, now)
		}
	}
	if mine != nil && mine.Reserving != nil {
		return nextOfClaim(r, mine.N, mine.Reserving.Token, mine.Reserving.Timeout, "a reservation is in flight", s, now)
	}
	if a, held := heldBack(r, c, s, now); held {
		return a
	}
	a := Action{Kind: ActPlace, N: number(mine), Numbers: r.Missing()}
	if len(expired) > 0 {
		a.Numbers = expired // P35
	} else if r.Ask.Criteria != nil && !r.Ask.Backorder {
		switch {
		case mine != nil && len(mine.Numbers) > 0 && !r.wantsMore(mine, c):
			a.Numbers = mine.Numbers // P13: the same intent, sent again
		case unresolved:
			// P21: the same numbers and no others, which are sold once.
			if a.Numbers = r.unresolvedNumbers(); len(a.Numbers) == 0 {
				return verdict(r, now)
			}
		default:
			a.Find = r.Short()
			if mine != nil {
				a.Find -= len(mine.Numbers)
			}
		}
	}
	switch reserve := mine == nil && r.reserves() || mine != nil && mine.Reserve; {
	case reserve && (mine == nil || a.Find > 0):
		a.Kind = ActChoose
	case reserve && mine.unreserved() != "" && !c.OrdersRefused:
		a.Kind, a.Numbers = ActReserve, []string{mine.unreserved()}
	}
	if c.YoungLedger && (mine == nil || !mine.PreLooked) {
		if c.ReadsHeldUntil.After(now) {
			return wait(c.ReadsHeldUntil, "reads are paused")
		}
		a.Kind = ActPreLook
	}
	return a
}

// lookFirst is a look that comes before a purchase or a verdict, when it may be made.
func lookFirst(r *Record, c Conditions, now time.Time, a Action) Action {
	switch {
	case c.ReadsHeldUntil.After(now):
		return wait(c.ReadsHeldUntil, "reads are paused")
	case r.NotBefore.After(now):
		return wait(r.NotBefore, "the last look could not be made")
	}
	return a
}

// settled is when every POST that was on its way when the ledger was doubted shows itself to a look (P33): its time is
// over, and the settle window after it. Zero where there is no doubt.
func (c Conditions) settled(s Settings) time.Time {
	if c.DoubtedAt.IsZero() {
		return time.Time{}
	}
	return c.DoubtedAt.Add(s.PostTimeout + s.SettleWindow)
}

// exhausted ends an order that could not be placed. What it bought before stays bought (P20, P22).
func exhausted(r *Record, s Settings, now time.Time) Action {
	return finish(now, r.ended(), ReasonExhausted, fmt.Sprintf("what is missing could not be ordered within %s of trying", s.GiveUpAfter))
}

const (
	// maxBarren is how many orders in a row may bring nothing before the search for others ends: Bandwidth then lists
	// what it does not sell.
	maxBarren = 10
	// maxTopUps bounds the orders of one generation (P40).
	maxTopUps = 200
	// maxLost bounds the numbers that a generation's orders lost to others (P40).
	maxLost = 5000
)

// mayTopUp reports whether what is missing may be searched for again: only by criteria, not beside a backorder, with every POST of every
// generation resolved (P20), and while that leads somewhere.
func (r *Record) mayTopUp() bool {
	if r.Ask.Criteria == nil || r.Ask.Backorder || r.Unresolved() || r.unclear() {
		return false
	}
	lost, bought := 0, 0
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if p.Generation != r.Generation {
			continue
		}
		lost += len(p.lost())
		if post := p.refused(); post != nil && !takenByOthers(post.Errors) && len(p.expired()) == 0 {
			return false
		}
		bought++
	}
	return r.barren() < maxBarren && lost < maxLost && bought < maxTopUps
}

// barren counts this generation's last orders in a row that brought nothing.
func (r *Record) barren() int {
	n := 0
	for i := len(r.Purchases) - 1; i >= 0 && r.Purchases[i].Generation == r.Generation; i-- {
		p := &r.Purchases[i]
		if slices.ContainsFunc(p.Orders, func(o VendorOrder) bool { return len(o.Completed) > 0 }) {
			break
		}
		if len(p.Posts) > 0 || len(p.Orders) > 0 {
			n++
		}
	}
	return n
}

// unresolvedNumbers returns the numbers that unanswered POSTs may have bought, as many as are missing.
func (r *Record) unresolvedNumbers() []string {
	held := r.Held()
	var out []string
	for i := range r.Purchases {
		p := &r.Purchases[i]
		if !r.unresolved(p) {
			continue
		}
		for _, n := range p.Numbers {
			if len(out) < r.Short() && !slices.Contains(held, n) && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// nextPretended decides for a sandbox order.
func nextPretended(r *Record, s Settings, now time.Time) Action {
	nothing := "sandbox: nothing was bought"
	if r.Kind == PortIn {
		nothing = "sandbox: nothing was ported"
	}
	if r.Ask.Criteria == nil || r.Short() == 0 {
		return finish(now, Completed, "", nothing)
	}
	if r.NotBefore.After(now) {
		return wait(r.NotBefore, "the search could not be sent")
	}
	switch {
	case len(r.SearchErrors) > 0:
		return finish(now, Failed, ReasonRejected, nothing)
	case r.RetryFor >= s.GiveUpAfter:
		return exhausted(r, s, now)
	case r.Dry && r.ended() == Partial:
		return finish(now, Partial, ReasonIncomplete, nothing)
	case r.Dry:
		return finish(now, Failed, ReasonNoNumbers, nothing)
	}
	return Action{Kind: ActPretend, Find: r.Short()}
}

func number(p *Purchase) int {
	if p == nil {
		return 0
	}
	return p.N
}

// verdict is the outcome of a generation whose purchases are over and did not bring everything.
func verdict(r *Record, now time.Time) Action {
	if r.Kind == PortIn {
		return portInVerdict(r, now)
	}
	outcome := r.ended()
	created, unclear := false, false
	for i := range r.Purchases {
		p := &r.Purchases[i]
		for _, o := range p.Orders {
			created = created || p.Generation == r.Generation
			unclear = unclear || o.Unclear && !p.Waived
		}
	}
	switch {
	case r.Unresolved(), r.cancelled() && r.waivedInTheDark():
		// P20: five looks since the settle window found nothing, and no further POST is allowed.
		return finish(now, outcome, ReasonOutcomeUnknown, "a POST was never answered and its order was not found; the missing numbers may have been bought: compare with Bandwidth before ordering again")
	case unclear:
		return finish(now, outcome, ReasonOutcomeUnknown, "Bandwidth ended an order without saying which numbers it bought (P24): compare with Bandwidth before ordering again")
	case r.cancelled():
		return finish(now, outcome, ReasonCancelled, "it was cancelled")
	case outcome == Partial:
		return finish(now, Partial, ReasonIncomplete, "")
	case len(r.SearchErrors) > 0:
		return finish(now, Failed, ReasonRejected, "")
	case r.Ask.Criteria != nil && (r.Dry || created):
		return finish(now, Failed, ReasonNoNumbers, "no numbers that fit the criteria could be bought")
	case created:
		return finish(now, Failed, ReasonBandwidthFailed, "")
	default:
		return finish(now, Failed, ReasonRejected, "")
	}
}
