package proof

import (
	"fmt"
	"math/rand/v2"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// randomPlan throws together what the enumerated plans have one by one.
func randomPlan(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 0x70726f6f66))
	chance := func(p float64) bool { return r.Float64() < p }
	p := plan{
		Seed: seed, Name: "random", Workers: 2 + r.IntN(2), CompleteAfter: time.Duration(r.IntN(400)) * time.Millisecond, ListDelay: time.Duration(r.IntN(3)*300) * time.Millisecond,
		Sync: chance(0.2), Sandbox: chance(0.03), ReplayTwice: chance(0.3), Ticks: r.IntN(6),
	}
	all := outcomes()
	pick := func() outcome {
		o := all[r.IntN(len(all)-1)] // without 401, which takes half a minute
		return o
	}
	for i := range 1 + r.IntN(4) {
		o := planned{Kind: messages.Provision, RequestID: fmt.Sprintf("r-%d", i), Numbers: numbersOf(i, 1+r.IntN(3)), Late: time.Duration(r.IntN(500)) * time.Millisecond}
		if chance(0.6) {
			o.First = pick()
		}
		if chance(0.2) {
			o.Second = pick()
		}
		switch kind := r.IntN(20); {
		case kind < 3:
			o.Numbers, o.Quantity, o.AreaCode = nil, 1+r.IntN(4), []string{"919", "704", "973", "801"}[i] // an area of its own: see freeAll
			if chance(0.5) {
				o.First = outcome{"outbid", &bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.Outbid, Times: 1 + r.IntN(2)}}
			}
		case kind == 3:
			o.Numbers, o.Quantity, o.AreaCode, o.Backorder, o.Restock = nil, 1+r.IntN(2), "710", true, true
		case kind == 4:
			o.Kind, o.Taken = messages.Disconnect, o.Numbers
			o.First, o.Second = outcome{}, outcome{}
		case chance(0.4):
			o.Taken = o.Numbers[:r.IntN(len(o.Numbers)+1)]
		}
		if chance(0.2) {
			o.Duplicates = 1 + r.IntN(2)
		}
		o.AskAgain, o.Conflict = chance(0.2), chance(0.1)
		if chance(0.3) {
			o.Reads = append(o.Reads, bwfake.Fault{Endpoint: bwfake.EndpointGet, Times: 1 + r.IntN(3),
				Kind: []bwfake.FaultKind{bwfake.UnknownStatus, bwfake.EmptyNumbers, bwfake.WrongQuantity, bwfake.Pending5019, bwfake.Malformed, bwfake.Truncated, bwfake.LoseReplyBefore}[r.IntN(7)]})
		}
		p.Orders = append(p.Orders, o)
	}
	places := spots()
	for range r.IntN(5) {
		f := fate{spot: places[r.IntN(len(places))], nth: 1 + r.IntN(4), kind: fateDies}
		switch r.IntN(6) {
		case 0:
			f.kind, f.lasts, f.tick = fateFrozen, time.Duration(100+r.IntN(2500))*time.Millisecond, true
		case 1:
			if f.phase == after && f.point != pointAckReq && f.point != pointAckTick && f.point != pointPost {
				f.kind = fateUnanswered
			}
		}
		p.Fates = append(p.Fates, f)
	}
	if chance(0.15) {
		p.BrokerCrashes = append(p.BrokerCrashes, time.Duration(100+r.IntN(2500))*time.Millisecond)
	}
	if chance(0.1) {
		p.DiskFull = [2]time.Duration{time.Duration(r.IntN(1000)) * time.Millisecond, time.Duration(100+r.IntN(1000)) * time.Millisecond}
	}
	if chance(0.2) {
		p.TimerRaces = 1 + r.IntN(3)
	}
	if chance(0.2) {
		for range 1 + r.IntN(2) {
			p.Fates = append(p.Fates, fate{spot: spot{pointRead, before}, nth: 1 + r.IntN(8), kind: fateStale})
		}
	}
	return p
}
