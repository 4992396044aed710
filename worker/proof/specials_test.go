package proof

import (
	"net/http"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// specials are the plans that a matrix of deaths does not reach: two workers at one order, standing still, reads that
// lie, timers that vanish, replays at the wrong moment. Each is here because a rule of the protocol needs it.
func specials() []plan {
	dies := func(p string, ph phase, n int) fate { return fate{spot: spot{p, ph}, nth: n, kind: fateDies} }
	var out []plan
	add := func(name string, change func(*plan, *planned)) {
		p := plan{Name: name, Workers: 2, CompleteAfter: 60 * time.Millisecond}
		o := planned{Kind: messages.Provision, RequestID: "special", Numbers: numbersOf(0, 2)}
		change(&p, &o)
		p.Orders = append([]planned{o}, p.Orders...)
		out = append(out, p)
	}
	partial := func(o *planned) { o.Taken = o.Numbers[1:] }

	add("P10 P12: a rival claims first", func(p *plan, o *planned) {
		p.Fates = []fate{{spot: spot{pointIntent, before}, nth: 1, kind: fateFrozen, lasts: 500 * time.Millisecond, until: spot{pointPost, after}, tick: true}}
	})
	add("P11: stands still between intent and POST", func(p *plan, o *planned) {
		p.Fates = []fate{{spot: spot{pointPost, before}, nth: 1, kind: fateFrozen, lasts: 8 * time.Second, until: spot{pointFinal, after}, tick: true}}
	})
	add("P15: stands still with the answer in hand", func(p *plan, o *planned) {
		p.Fates = []fate{{spot: spot{pointReply, before}, nth: 1, kind: fateFrozen, lasts: postTimeout + settleWindow/2, tick: true}}
	})
	add("P15: the answer comes after the claim has expired, and no read finds the order", func(p *plan, o *planned) {
		o.Hidden = true
		p.Fates = []fate{{spot: spot{pointAnswer, before}, nth: 1, kind: fateFrozen, lasts: 8 * time.Second, until: spot{pointAnswer, after}, tick: true}}
	})
	add("P6: timers are lost", func(p *plan, o *planned) {
		p.Rescue, p.CompleteAfter = true, 300*time.Millisecond
		for n := 1; n <= 3; n++ {
			p.Fates = append(p.Fates, fate{spot: spot{pointTimer, before}, nth: n, kind: fateSwallowed})
		}
	})
	add("P6: the worker dies, and its timer is lost", func(p *plan, o *planned) {
		p.Rescue = true
		p.Fates = []fate{{spot: spot{pointTimer, before}, nth: 1, kind: fateSwallowed}, dies(pointAckReq, after, 1)}
	})
	add("P3 P7: timers vanish as their ticks come", func(p *plan, o *planned) {
		p.TimerRaces, p.Polls = 3, 1500*time.Millisecond // so that these ticks are early
	})
	add("P5: the tick finds no record", func(p *plan, o *planned) {
		p.Fates = []fate{dies(pointAckReq, after, 1), {spot: spot{pointRead, before}, nth: 2, kind: fateStale}}
	})
	add("P5: ticks find old records", func(p *plan, o *planned) {
		partial(o)
		for n := 3; n <= 9; n += 2 {
			p.Fates = append(p.Fates, fate{spot: spot{pointRead, before}, nth: n, kind: fateStale})
		}
	})
	add("P4: a replay starts while a tick is at the finished order", func(p *plan, o *planned) {
		partial(o)
		p.Lease = 3 * time.Second // until the replay's first tick, which the other one is to clear before
		p.Fates = []fate{
			{spot: spot{pointClose, before}, nth: 1, kind: fateFrozen, lasts: 6 * time.Second, until: spot{pointAckReq, after}, deaf: true},
			dies(pointAckReq, after, 2),
		}
	})
	add("P16: lookups fail", func(p *plan, o *planned) {
		o.First, o.Deaf, p.ClearReads = outcomeNamed("lost after creation"), true, 4500*time.Millisecond
	})
	add("P17: another system holds the number", func(p *plan, o *planned) {
		o.First, o.Bystander = outcomeNamed("lost before creation"), true
	})
	add("P18: the order is created late", func(p *plan, o *planned) {
		o.First = outcomeNamed("timeout created late")
	})
	add("P19: the second POST is refused, for the first holds the numbers", func(p *plan, o *planned) {
		o.First, o.Hidden = outcomeNamed("lost after creation"), true
		o.Second = outcomeNamed("refused 400")
	})
	add("P20 P21: the order exists, and no read finds it", func(p *plan, o *planned) {
		o.First, o.Second, o.Hidden, o.Blind = outcomeNamed("lost after creation"), outcomeNamed("created"), true, true
	})
	add("P20: nothing is known of either POST", func(p *plan, o *planned) {
		o.First, o.Second = outcomeNamed("lost before creation"), outcomeNamed("500 not created")
	})
	add("P16: Bandwidth does not say who holds a number", func(p *plan, o *planned) {
		o.First, o.Blind = outcomeNamed("lost before creation"), true
	})
	add("P14 P21a: a partial order, its replay, and a lost answer to that", func(p *plan, o *planned) {
		partial(o)
		o.Second = outcomeNamed("lost before creation")
	})
	add("P24: a final word without its numbers", func(p *plan, o *planned) {
		o.Reads = []bwfake.Fault{
			{Endpoint: bwfake.EndpointGet, Kind: bwfake.EmptyNumbers, Times: 3},
			{Endpoint: bwfake.EndpointOrderNumbers, Kind: bwfake.ErrorBefore, Status: http.StatusInternalServerError, Times: 3},
		}
	})
	add("P24: odd answers to polls", func(p *plan, o *planned) {
		partial(o)
		for _, k := range []bwfake.FaultKind{bwfake.UnknownStatus, bwfake.WrongQuantity, bwfake.Pending5019, bwfake.Malformed, bwfake.LoseReplyBefore, bwfake.Truncated} {
			o.Reads = append(o.Reads, bwfake.Fault{Endpoint: bwfake.EndpointGet, Kind: k, Times: 1})
		}
	})
	add("P25: two operators replay", func(p *plan, o *planned) { partial(o); p.ReplayTwice = true })
	add("P25: replays of an order that still runs", func(p *plan, o *planned) {
		partial(o)
		p.ReplayAtOnce, p.CompleteAfter, p.Slow = true, time.Second, true
	})
	add("P27 P29: duplicates, another content, and the question again", func(p *plan, o *planned) {
		partial(o)
		o.Duplicates, o.Conflict, o.AskAgain = 2, true, true
	})
	add("P22: purchases are refused for half a minute", func(p *plan, o *planned) {
		o.First, p.Slow = outcomeNamed("401"), true
	})
	add("sandbox", func(p *plan, o *planned) { p.Sandbox = true; o.Duplicates = 1 })
	add("P31: criteria in the sandbox", func(p *plan, o *planned) {
		p.Sandbox = true
		o.Numbers, o.Quantity, o.AreaCode = nil, 3, "919"
	})
	add("criteria with a top-up", func(p *plan, o *planned) {
		o.Numbers, o.Quantity, o.AreaCode = nil, 3, "919"
		o.First = outcome{"outbid", &bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.Outbid, Times: 1}}
	})
	add("criteria, and the answer is lost", func(p *plan, o *planned) {
		o.Numbers, o.Quantity, o.AreaCode = nil, 3, "704"
		o.First = outcomeNamed("lost before creation")
	})
	add("a backorder, and its stock", func(p *plan, o *planned) {
		o.Numbers, o.Quantity, o.AreaCode, o.Backorder, o.Restock = nil, 2, "710", true, true
		p.Fates = []fate{dies(pointRecord, after, 2)}
	})
	add("P21b: a backorder of which nobody knows", func(p *plan, o *planned) {
		o.Numbers, o.Quantity, o.AreaCode, o.Backorder, o.Restock = nil, 2, "710", true, true
		o.First = outcomeNamed("lost before creation")
	})
	add("a backorder is cancelled", func(p *plan, o *planned) {
		o.Numbers, o.Quantity, o.AreaCode, o.Backorder = nil, 2, "710", true
		p.Orders = []planned{{Kind: messages.Cancel, RequestID: "cancel", Target: "special", Late: 600 * time.Millisecond}}
		p.Fates = []fate{dies(pointPost, after, 2)}
	})
	add("a disconnect, and its answer is lost", func(p *plan, o *planned) {
		o.Kind, o.Taken = messages.Disconnect, o.Numbers
		p.Fates = []fate{dies(pointReply, before, 1)}
	})
	add("a disconnect, and the worker dies with its intent", func(p *plan, o *planned) {
		o.Kind, o.Taken = messages.Disconnect, o.Numbers
		p.Fates = []fate{dies(pointIntent, after, 1), dies(pointFinal, after, 1)}
	})
	for _, sync := range []bool{false, true} {
		name := "the broker crashes"
		if sync {
			name += ", and everything unsynced is cut off"
		}
		add(name, func(p *plan, o *planned) {
			partial(o)
			p.Sync, p.CompleteAfter = sync, 300*time.Millisecond
			p.BrokerCrashes = []time.Duration{150 * time.Millisecond, 900 * time.Millisecond, 1800 * time.Millisecond}
			o.First = outcomeNamed("lost after creation")
			if sync { // what a worker waits to hear of is what a power cut takes
				p.Fates = []fate{
					{spot: spot{pointIntent, after}, nth: 1, kind: fateFrozen, lasts: time.Second},
					{spot: spot{pointOutcome, after}, nth: 1, kind: fateFrozen, lasts: 700 * time.Millisecond},
				}
			}
		})
	}
	for _, point := range []string{pointNew, pointIntent, pointAnswer, pointOutcome, pointFinal, pointLetter, pointMark, pointReplay} {
		add("P30: a power cut takes "+point, func(p *plan, o *planned) {
			partial(o)
			p.Sync, p.PowerCut = true, true
			p.Fates = []fate{{spot: spot{point, after}, nth: 1, kind: fateFrozen, lasts: time.Second}}
		})
	}
	add("the broker's disk is full", func(p *plan, o *planned) {
		partial(o)
		p.DiskFull, p.CompleteAfter = [2]time.Duration{60 * time.Millisecond, time.Second}, 300*time.Millisecond
	})
	add("the broker's disk is full when the answer comes", func(p *plan, o *planned) {
		partial(o)
		for n := range 4 {
			p.Fates = append(p.Fates, fate{spot: spot{pointAnswer, before}, nth: n + 1, kind: fateRefused})
		}
	})
	for _, s := range spots() {
		if s.phase != after || s.point == pointAckReq || s.point == pointAckTick || s.point == pointPost {
			continue
		}
		add("P10 P23: the answer to "+s.point+" is lost", func(p *plan, o *planned) {
			partial(o)
			p.Fates = []fate{{spot: s, nth: 1, kind: fateUnanswered}, {spot: s, nth: 2, kind: fateUnanswered}}
		})
		add("a lease ends at "+s.point, func(p *plan, o *planned) {
			partial(o)
			p.Fates = []fate{{spot: spot{s.point, before}, nth: 1, kind: fateFrozen, lasts: ackWait + 400*time.Millisecond, tick: true}}
		})
	}
	return out
}
