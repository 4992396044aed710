package proof

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// plan is everything that happens in a run. It follows from the seed alone.
type plan struct {
	Seed  uint64
	Name  string
	Cells []cell // of the matrix that this run visits
	// Workers is how many run at once; who dies is replaced.
	Workers int
	Sandbox bool
	Polls   time.Duration // between polls; zero for short ones
	Lease   time.Duration // until a new order's first tick; zero for a short one
	Orders  []planned
	Fates   []fate

	CompleteAfter, ListDelay time.Duration
	Sync                     bool            // the broker syncs each write
	BrokerCrashes            []time.Duration // when, from the beginning
	PowerCut                 bool            // the broker crashes while a worker stands still
	DiskFull                 [2]time.Duration
	TimerRaces               int  // so often an unfinished order's timer is deleted, and a tick is sent
	Rescue                   bool // the rescuer looks, without waiting for its minute
	Ticks                    int  // so many ticks come twice
	ReplayTwice              bool // by a second operator
	ReplayAtOnce             bool // also of orders that still run
	ClearReads               time.Duration
	Slow                     bool // it takes longer than others: the worker waits for half a minute
}

// planned is a request of a run.
type planned struct {
	Kind      messages.Kind
	RequestID string
	Numbers   []string
	Quantity  int
	AreaCode  string
	Backorder bool
	Restock   bool   // what a backorder waits for arrives
	Target    string // of a cancel
	// First and Second are what becomes of the order's first two POSTs.
	First, Second outcome
	// Taken are numbers that another system holds, until somebody replays.
	Taken []string
	// Bystander gives the first number to another system once the first POST was sent, until somebody replays.
	Bystander bool
	// Hidden: no read finds the order until ClearReads, or until somebody replays. Blind: Bandwidth does not say who holds
	// a number. Deaf: reads fail until ClearReads.
	Hidden, Blind, Deaf bool
	// Reads are what goes wrong with reads of the order.
	Reads []bwfake.Fault
	// Duplicates is how often the request is published beyond the first time, AskAgain that it is once more at the end.
	Duplicates int
	AskAgain   bool
	// Conflict publishes other content under the same request id.
	Conflict bool
	// Late publishes it so much later than the beginning.
	Late time.Duration
}

func (p planned) mayBeLate() bool {
	return p.Hidden || p.First.fault != nil && p.First.fault.Kind == bwfake.SlowBefore || p.Second.fault != nil && p.Second.fault.Kind == bwfake.SlowBefore
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s; %d workers", p.Seed, p.Name, p.Workers)
	for _, o := range p.Orders {
		fmt.Fprintf(&b, "; %s %s", o.Kind, o.RequestID)
		if o.First.name != "" {
			fmt.Fprintf(&b, " (%s", o.First.name)
			if o.Second.name != "" {
				fmt.Fprintf(&b, ", %s", o.Second.name)
			}
			b.WriteString(")")
		}
		if len(o.Taken) > 0 {
			fmt.Fprintf(&b, " %d of %d taken", len(o.Taken), len(o.Numbers))
		}
	}
	for _, f := range p.Fates {
		fmt.Fprintf(&b, "; %s", f)
	}
	if len(p.BrokerCrashes) > 0 {
		fmt.Fprintf(&b, "; the broker crashes at %v", p.BrokerCrashes)
	}
	if p.DiskFull[1] > 0 {
		fmt.Fprintf(&b, "; its disk is full from %s for %s", p.DiskFull[0], p.DiskFull[1])
	}
	return b.String()
}

// outcome is what becomes of a POST.
type outcome struct {
	name  string
	fault *bwfake.Fault // nil: it is created
}

// cell is a spot and an outcome: what the matrix visits.
type cell struct {
	spot    spot
	outcome string
}

const xmlType = "application/xml"

func errorList(code string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><OrderResponse><ErrorList><Error><Code>` + code + `</Code><Description>told by the test</Description></Error></ErrorList></OrderResponse>`
}

// tooLate is a delay after which the worker has given up waiting.
const tooLate = postTimeout + 300*time.Millisecond

// outcomes are those of the matrix.
func outcomes() []outcome {
	fault := func(name string, f bwfake.Fault) outcome {
		f.Endpoint, f.Times = bwfake.EndpointCreate, 1
		return outcome{name, &f}
	}
	return []outcome{
		{name: "created"},
		fault("refused 400", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusBadRequest, Body: errorList("5079"), ContentType: xmlType}),
		fault("refused 402", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusPaymentRequired}),
		fault("lost before creation", bwfake.Fault{Kind: bwfake.LoseReplyBefore}),
		fault("lost after creation", bwfake.Fault{Kind: bwfake.LoseReplyAfter}),
		fault("500 not created", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusInternalServerError}),
		fault("500 created", bwfake.Fault{Kind: bwfake.ErrorAfter, Status: http.StatusInternalServerError}),
		fault("502 HTML created", bwfake.Fault{Kind: bwfake.ErrorAfter, Status: http.StatusBadGateway, Body: "<html><body>Bad Gateway</body></html>"}),
		fault("503 not created", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusServiceUnavailable}),
		fault("timeout created", bwfake.Fault{Kind: bwfake.Slow, Delay: tooLate}),
		fault("timeout created late", bwfake.Fault{Kind: bwfake.SlowBefore, Delay: tooLate}),
		fault("201 without id", bwfake.Fault{Kind: bwfake.NoID}),
		fault("201 id in Location", bwfake.Fault{Kind: bwfake.LocationOnly}),
		fault("201 cut off", bwfake.Fault{Kind: bwfake.Truncated}),
		fault("201 not XML", bwfake.Fault{Kind: bwfake.Malformed}),
		fault("400 ambiguous created", bwfake.Fault{Kind: bwfake.ErrorAfter, Status: http.StatusBadRequest, Body: errorList(ambiguousCode), ContentType: xmlType}),
		fault("429", bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Second}),
		fault("401", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusUnauthorized}),
	}
}

func outcomeNamed(name string) outcome {
	for _, o := range outcomes() {
		if o.name == name {
			return o
		}
	}
	panic("no outcome " + name)
}

// cells is the matrix: each spot with each outcome.
func cells() []cell {
	var out []cell
	for _, o := range outcomes() {
		for _, s := range spots() {
			out = append(out, cell{s, o.name})
		}
	}
	return out
}

// numbersOf returns n numbers that belong to the i-th order of a run.
func numbersOf(i, n int) []string {
	out := make([]string, n)
	for j := range out {
		out[j] = fmt.Sprintf("+1919555%02d%02d", 10+i, 11+j)
	}
	return out
}

// together is how many cells one run visits: each is a death of its own.
const together = 2

// planOf returns the plan of a seed: first the special ones, then the matrix, then random ones for ever.
func planOf(seed uint64) plan {
	s := specials()
	if seed < uint64(len(s)) {
		p := s[seed]
		p.Seed = seed
		return p
	}
	if seed < enumerated() {
		return matrixPlan(seed, int(seed)-len(s))
	}
	return randomPlan(seed)
}

// runsPerOutcome is how many runs visit all spots.
func runsPerOutcome() int { return (len(spots()) + together - 1) / together }

// enumerated is the first seed whose plan is random.
func enumerated() uint64 { return uint64(len(specials()) + len(outcomes())*runsPerOutcome()) }

// matrixPlan visits some cells: an order of two numbers, one of which another system holds, so that every run has a dead
// letter and its replay. Both cells have the same outcome of the first POST, and lie half of the spots apart.
func matrixPlan(seed uint64, i int) plan {
	all, n := cells(), len(spots())
	o, k := i/runsPerOutcome(), i%runsPerOutcome()
	p := plan{Seed: seed, Name: "matrix", Workers: 2, CompleteAfter: 60 * time.Millisecond}
	for c := k; c < n; c += runsPerOutcome() {
		cell := all[o*n+c]
		p.Cells = append(p.Cells, cell)
		p.Fates = append(p.Fates, fate{spot: cell.spot, nth: 1, kind: fateDies})
	}
	numbers := numbersOf(0, 2)
	p.Orders = []planned{{Kind: messages.Provision, RequestID: "matrix", Numbers: numbers, Taken: numbers[1:], First: outcomeNamed(p.Cells[0].outcome)}}
	p.Slow = p.Cells[0].outcome == "401"
	return p
}
