package proof

import (
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// History is what is known of a run once nothing is left to do in it. The zero value is a run in which nothing
// happened.
type History struct {
	// Orders are the requests that touch the ledger, each once, however often it was published.
	Orders []Order
	// Refused counts the requests that were to be refused without touching any order, by reason.
	Refused map[messages.Reason]int
	// Replayed are the ids of the dead letters that were replayed, each once.
	Replayed []string

	// Events are those of the stream, in its order, repeats included.
	Events []messages.Event
	// Letters are all dead letters that were ever there, each once; Left are those that are there at the end.
	Letters []messages.DeadLetter
	Left    []messages.DeadLetter

	// Bandwidth are the simulator's orders, also those that bought nothing, and Released its disconnects.
	Bandwidth []bwfake.Purchase
	Released  []bwfake.Release
	// Lookups counts the questions for the orders of a customer order id.
	Lookups map[string]int
}

// Order is a request that leads to an order.
type Order struct {
	Key  string
	Kind messages.Kind
	// Numbers are the ones that were named; empty where Quantity numbers were asked for by criteria.
	Numbers  []string
	Quantity int
	Sandbox  bool
	// Ends are the outcomes that the last generation may have; nil means completed alone, because every cause of a
	// failure goes away in a run.
	Ends []messages.Outcome
	// Doubts are the POSTs of which the fleet could not know what they did: nobody got an answer that decides it, or
	// nobody lived to write it down. Each is a sentence.
	Doubts []string
	// Undecidable says why nobody could find out what was bought; empty where it could be found out.
	Undecidable string
	// LateCreation says that Bandwidth created an order after the settle window, so that two may exist; empty where
	// it did not.
	LateCreation string
}

// Figures are what a run, or many of them, came to.
type Figures struct {
	Runs, Orders, Generations, Published, Replays int
	NumbersBought, NumbersReported                int
	BoughtTwice, Lost, Disagreements, Others      int
	// Undecidable counts the generations that ended as outcome_unknown, by the reason that the schedule gives for it.
	Undecidable map[string]int
}

// Add adds the figures of another run.
func (f *Figures) Add(g Figures) {
	f.Runs += g.Runs
	f.Orders += g.Orders
	f.Generations += g.Generations
	f.Published += g.Published
	f.Replays += g.Replays
	f.NumbersBought += g.NumbersBought
	f.NumbersReported += g.NumbersReported
	f.BoughtTwice += g.BoughtTwice
	f.Lost += g.Lost
	f.Disagreements += g.Disagreements
	f.Others += g.Others
	for why, n := range g.Undecidable {
		if f.Undecidable == nil {
			f.Undecidable = map[string]int{}
		}
		f.Undecidable[why] += n
	}
}

// Rule names what a violation breaks.
type Rule string

// The rules of the checker.
const (
	// BoughtTwice: a request bought a number twice, more numbers than it asks for, or placed an order a second time
	// whose first exists.
	BoughtTwice Rule = "bought twice"
	// Lost: a request without a final outcome, or a dead letter that was not stored.
	Lost Rule = "lost"
	// TwoOutcomes: a generation with two outcomes, one of a generation that never was, or a repeat that differs.
	TwoOutcomes Rule = "two outcomes"
	// Disagrees: an outcome that says something else than Bandwidth does.
	Disagrees Rule = "disagrees"
	// NeedlessUnknown: outcome_unknown, or a lookup, where every POST was answered and the answer written down.
	NeedlessUnknown Rule = "needless unknown"
	// Sandbox: a purchase for a sandbox order.
	Sandbox Rule = "bought in sandbox"
	// Letter: a dead letter that is wrong, still there after its replay, or without a replay.
	Letter Rule = "dead letter"
	// Stuck: a replay did not lead to success though its cause was gone.
	Stuck Rule = "replay without success"
	// Sequence: a later outcome with a sequence that is not greater.
	Sequence Rule = "sequence"
)

// Violation is a rule that a run broke.
type Violation struct {
	Rule Rule
	// Key is the order's; empty where none can be told.
	Key  string
	Text string
}

func (v Violation) String() string {
	if v.Key == "" {
		return string(v.Rule) + ": " + v.Text
	}
	return string(v.Rule) + ": order " + v.Key + ": " + v.Text
}

// clockSlack is how much earlier a worker's idea of the server's time may be than the simulator's clock.
const clockSlack = time.Millisecond
