package proof

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Keys of the orders of the clean history.
const (
	keyReplayed = "aaaaaaaaaaaaaaaaaaaa" // partial, replayed, completed
	keyPlain    = "bbbbbbbbbbbbbbbbbbbb"
	keySandbox  = "cccccccccccccccccccc"
	keyRelease  = "dddddddddddddddddddd"
	keyCriteria = "eeeeeeeeeeeeeeeeeeee"
	keyConflict = "ffffffffffffffffffff" // the conflict's own
)

func event(key string, generation int, kind messages.Kind, outcome messages.Outcome, reason messages.Reason, sequence uint64, at time.Duration, numbers ...string) messages.Event {
	return messages.Event{
		EventID: messages.EventID(key, generation, outcome, 0), Sequence: sequence, OccurredAt: noon.Add(at), Key: key, Generation: generation,
		Kind: kind, Outcome: outcome, Reason: reason, Numbers: numbers,
	}
}

func bought(id, customerOrderID string, at time.Duration, numbers ...string) bwfake.Purchase {
	return bwfake.Purchase{OrderID: id, CustomerOrderID: customerOrderID, Status: "COMPLETE", Numbers: numbers, At: noon.Add(at)}
}

// clean is a history in which nothing is wrong.
func clean() History {
	letter := messages.DeadLetter{LetterID: keyReplayed + ".1", Key: keyReplayed, Generation: 1, Reason: messages.ReasonIncomplete, Replay: json.RawMessage(`{}`)}
	conflict := messages.DeadLetter{LetterID: keyConflict + ".0", Key: keyConflict, Reason: messages.ReasonConflict}
	return History{
		Orders: []Order{
			{Key: keyReplayed, Kind: messages.Provision, Numbers: []string{"+1", "+2"}},
			{Key: keyPlain, Kind: messages.Provision, Numbers: []string{"+3"}, Doubts: []string{"no answer"}},
			{Key: keySandbox, Kind: messages.Provision, Numbers: []string{"+4"}, Sandbox: true},
			{Key: keyRelease, Kind: messages.Disconnect, Numbers: []string{"+5"}},
			{Key: keyCriteria, Kind: messages.Provision, Quantity: 2},
		},
		Refused:  map[messages.Reason]int{messages.ReasonConflict: 1},
		Replayed: []string{keyReplayed + ".1"},
		Events: []messages.Event{
			event(keyReplayed, 1, messages.Provision, messages.Partial, messages.ReasonIncomplete, 4, time.Second, "+1"),
			event(keyPlain, 1, messages.Provision, messages.Completed, "", 3, time.Second, "+3"),
			func() messages.Event {
				e := event(keySandbox, 1, messages.Provision, messages.Completed, "", 2, time.Second, "+4")
				e.Sandbox = true
				return e
			}(),
			event(keyConflict, 0, messages.Provision, messages.Failed, messages.ReasonConflict, 0, time.Second),
			event(keyRelease, 1, messages.Disconnect, messages.Completed, "", 5, time.Second, "+5"),
			event(keyCriteria, 1, messages.Provision, messages.Completed, "", 6, time.Second, "+6", "+7"),
			event(keyReplayed, 2, messages.Provision, messages.Completed, "", 9, 3*time.Second, "+1", "+2"),
			event(keyPlain, 1, messages.Provision, messages.Completed, "", 3, time.Second, "+3"), // a repeat
		},
		Letters: []messages.DeadLetter{letter, conflict},
		Left:    []messages.DeadLetter{conflict},
		Bandwidth: []bwfake.Purchase{
			bought("o1", "P-"+keyReplayed, 0, "+1"), bought("o2", "P-"+keyReplayed+"-2", 2*time.Second, "+2"), bought("o3", "P-"+keyPlain, 0, "+3"),
			bought("o4", "P-"+keyCriteria, 0, "+6", "+7"), {OrderID: "o5", CustomerOrderID: "another", Foreign: true, Numbers: []string{"+9"}},
		},
		Released: []bwfake.Release{{DisconnectID: "d1", Name: "Proof-" + keyRelease, Numbers: []string{"+5"}}},
		Lookups:  map[string]int{"P-" + keyPlain: 3},
	}
}

// TestCheck: the checker finds nothing in a clean history, and in each that breaks one thing finds that.
func TestCheck(t *testing.T) {
	figures, violations := Check(clean())
	if len(violations) > 0 {
		t.Fatalf("a clean history: %v", violations)
	}
	if figures.Orders != 5 || figures.Generations != 6 || figures.NumbersBought != 5 || figures.NumbersReported != 5 || figures.Replays != 1 {
		t.Errorf("figures of a clean history: %+v", figures)
	}
	drop := func(h *History, id string) {
		h.Events = slices.DeleteFunc(h.Events, func(e messages.Event) bool { return e.EventID == id })
	}
	change := func(h *History, id string, f func(*messages.Event)) {
		for i := range h.Events {
			if h.Events[i].EventID == id {
				f(&h.Events[i])
			}
		}
	}
	unknown := func(h *History) {
		change(h, keyReplayed+".1.partial", func(e *messages.Event) { e.Reason = messages.ReasonOutcomeUnknown })
		h.Letters[0].Reason = messages.ReasonOutcomeUnknown
	}
	for _, c := range []struct {
		name  string
		rule  Rule
		spoil func(*History)
	}{
		{"a number is bought again for the same request", BoughtTwice, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keyPlain+"-2", 0, "+3")) }},
		{"an order is placed twice under one id", BoughtTwice, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keyPlain, 0)) }},
		{"a number that nobody asked for", BoughtTwice, func(h *History) { h.Bandwidth[2].Numbers = []string{"+3", "+8"} }},
		{"more numbers than asked for by criteria", BoughtTwice, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keyCriteria+"-2", 0, "+8")) }},
		{"an order of nobody", BoughtTwice, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-gggggggggggggggggggg", 0, "+8")) }},
		{"a disconnect that buys", BoughtTwice, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keyRelease, 0, "+5")) }},
		{"a number is released twice", BoughtTwice, func(h *History) { h.Released = append(h.Released, h.Released[0]) }},
		{"a purchase in the sandbox", Sandbox, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keySandbox, 0, "+4")) }},
		{"a purchase in the sandbox that fails", Sandbox, func(h *History) { h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keySandbox, 0)) }},
		{"no outcome", Lost, func(h *History) { drop(h, keyPlain+".1.completed") }},
		{"no outcome of a replay", Lost, func(h *History) { drop(h, keyReplayed+".2.completed") }},
		{"no dead letter", Lost, func(h *History) { h.Letters = h.Letters[1:] }},
		{"a dead letter that is gone without a replay", Lost, func(h *History) { h.Left, h.Replayed = nil, nil; drop(h, keyReplayed+".2.completed") }},
		{"a refused request without an event", Lost, func(h *History) { drop(h, keyConflict+".0.failed") }},
		{"a refused request without a dead letter", Lost, func(h *History) { h.Letters = h.Letters[:1] }},
		{"a request is refused that should not be", Lost, func(h *History) { h.Refused = nil }},
		{"an order is given up", Lost, func(h *History) {
			change(h, keyReplayed+".1.partial", func(e *messages.Event) { e.Reason = messages.ReasonExhausted })
			h.Letters[0].Reason = messages.ReasonExhausted
		}},
		{"two outcomes", TwoOutcomes, func(h *History) {
			h.Events = append(h.Events, event(keyPlain, 1, messages.Provision, messages.Failed, messages.ReasonRejected, 3, time.Second))
		}},
		{"an outcome of a generation that nobody asked for", TwoOutcomes, func(h *History) {
			h.Events = append(h.Events, event(keyPlain, 2, messages.Provision, messages.Completed, "", 8, time.Second, "+3"))
		}},
		{"a failure under an order's key that touches no order", TwoOutcomes, func(h *History) {
			h.Events = append(h.Events, event(keyPlain, 0, messages.Provision, messages.Failed, messages.ReasonConflict, 0, time.Second))
		}},
		{"a repeat with another sequence", TwoOutcomes, func(h *History) { h.Events[len(h.Events)-1].Sequence++ }},
		{"a repeat with other numbers", TwoOutcomes, func(h *History) { h.Events[len(h.Events)-1].Numbers = nil }},
		{"an event of no order", TwoOutcomes, func(h *History) {
			h.Events = append(h.Events, event("gggggggggggggggggggg", 1, messages.Provision, messages.Completed, "", 3, time.Second))
		}},
		{"completed, and Bandwidth sold nothing", Disagrees, func(h *History) { h.Bandwidth[2].Numbers = nil }},
		{"completed without all numbers", Disagrees, func(h *History) {
			change(h, keyReplayed+".2.completed", func(e *messages.Event) { e.Numbers = []string{"+1"} })
		}},
		{"failed, and Bandwidth sold", Disagrees, func(h *History) {
			change(h, keyReplayed+".1.partial", func(e *messages.Event) { e.Numbers = nil })
		}},
		{"a number that is named twice", Disagrees, func(h *History) {
			change(h, keyCriteria+".1.completed", func(e *messages.Event) { e.Numbers = []string{"+6", "+6"} })
		}},
		{"fewer numbers than asked for by criteria", Disagrees, func(h *History) {
			change(h, keyCriteria+".1.completed", func(e *messages.Event) { e.Numbers = []string{"+6"} })
			h.Bandwidth[3].Numbers = []string{"+6"}
		}},
		{"a disconnect that released nothing", Disagrees, func(h *History) { h.Released = nil }},
		{"an event that denies the sandbox", Disagrees, func(h *History) {
			change(h, keySandbox+".1.completed", func(e *messages.Event) { e.Sandbox = false })
		}},
		{"outcome_unknown without need", NeedlessUnknown, unknown},
		{"a lookup without need", NeedlessUnknown, func(h *History) { h.Lookups["P-"+keyReplayed] = 1 }},
		{"a letter that stays after its replay", Letter, func(h *History) { h.Left = append(h.Left, h.Letters[0]) }},
		{"a letter that is stored twice", Letter, func(h *History) { h.Letters = append(h.Letters, h.Letters[0]) }},
		{"a letter with another reason", Letter, func(h *History) { h.Letters[0].Reason = messages.ReasonRejected }},
		{"a letter without a replay", Letter, func(h *History) { h.Letters[0].Replay = nil }},
		{"a letter of a completed order", Letter, func(h *History) {
			h.Letters = append(h.Letters, messages.DeadLetter{LetterID: keyPlain + ".1", Key: keyPlain, Generation: 1, Replay: json.RawMessage(`{}`)})
		}},
		{"a replay without success", Stuck, func(h *History) {
			change(h, keyReplayed+".2.completed", func(e *messages.Event) {
				e.EventID, e.Outcome, e.Reason = keyReplayed+".2.failed", messages.Failed, messages.ReasonBandwidthFailed
			})
		}},
		{"a later outcome with an earlier sequence", Sequence, func(h *History) {
			change(h, keyReplayed+".2.completed", func(e *messages.Event) { e.Sequence = 4 })
		}},
	} {
		h := clean()
		c.spoil(&h)
		_, violations := Check(h)
		if !slices.ContainsFunc(violations, func(v Violation) bool { return v.Rule == c.rule }) {
			t.Errorf("%s: the checker says %v, want %q", c.name, violations, c.rule)
		}
	}
}

// TestCheckAllows: what a schedule makes undecidable, or what Bandwidth does late, is no violation.
func TestCheckAllows(t *testing.T) {
	h := clean()
	h.Orders[0].Doubts, h.Orders[0].Undecidable = []string{"no answer"}, "both POSTs were lost"
	h.Events[0].Reason, h.Letters[0].Reason = messages.ReasonOutcomeUnknown, messages.ReasonOutcomeUnknown
	h.Events[0].Numbers = nil
	h.Orders[1].LateCreation = "an order was created after the settle window"
	h.Bandwidth = append(h.Bandwidth, bought("o9", "P-"+keyPlain, time.Minute))
	figures, violations := Check(h)
	if len(violations) > 0 {
		t.Errorf("violations: %v", violations)
	}
	if figures.Undecidable["both POSTs were lost"] != 1 {
		t.Errorf("undecidable: %v", figures.Undecidable)
	}
}
