package orders

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPhaseOf(t *testing.T) {
	pending := []VendorError{{Code: "5019"}}
	for _, c := range []struct {
		word  string
		errs  []VendorError
		phase Phase
		known bool
	}{
		{"RECEIVED", nil, Pending, true},
		{"received", nil, Pending, true},
		{" RECEIVED ", nil, Pending, true},
		{"BACKORDERED", nil, Waiting, true},
		{"COMPLETE", nil, Done, true},
		{"COMPLETED", nil, Done, true},
		{"PARTIAL", nil, Done, true},
		{"FAILED", nil, Done, true},
		{"FAILED", []VendorError{{Code: "5005"}}, Done, true},
		{"FAILED", pending, Pending, false},
		{"COMPLETE", pending, Pending, false},
		{"RECEIVED", pending, Pending, true},
		{"PROCESSING", nil, Pending, false},
		{"CANCELLED", nil, Pending, false},
		{"", nil, Pending, false},
	} {
		if phase, known := PhaseOf(c.word, c.errs); phase != c.phase || known != c.known {
			t.Errorf("PhaseOf(%q, %v) = %v, %t; want %v, %t", c.word, c.errs, phase, known, c.phase, c.known)
		}
	}
}

func TestPortInPhase(t *testing.T) {
	for word, want := range map[string]struct {
		phase Phase
		known bool
	}{
		"COMPLETE": {Done, true}, " complete ": {Done, true}, "COMPLETED": {Done, true}, "CANCELLED": {Done, true},
		"EXCEPTION": {Porting, true}, "SUBMITTED": {Porting, true}, "FOC": {Porting, true}, "DRAFT": {Porting, true}, "valid_draft_tfns": {Porting, true},
		"INVALID_TFNS": {Porting, true}, "INVALID_DRAFT_TFNS": {Porting, true}, "VALIDATE_TFNS": {Porting, true}, "VALIDATE_DRAFT_TFNS": {Porting, true},
		"PENDING_DOCUMENTS": {Porting, true}, "REQUESTED_SUPP": {Porting, true}, "SNAPBACK": {Porting, true}, "REQUESTED_CANCEL": {Porting, true},
		"PENDING_CARRIER_APPROVAL": {Porting, true}, "MISSING_REQUIREMENTS": {Porting, true},
		"FAILED": {Porting, false}, "PARTIAL": {Porting, false}, "PONDERING": {Porting, false}, "": {Porting, false},
	} {
		if phase, known := PortInPhase(word); phase != want.phase || known != want.known {
			t.Errorf("PortInPhase(%q) = %v, %t; want %v, %t", word, phase, known, want.phase, want.known)
		}
	}
}

// TestP24_NumbersUnclear: a final word counts only with its numbers.
func TestP24_NumbersUnclear(t *testing.T) {
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		word      string
		completed []string
		quantity  *int
		want      bool
	}{
		{"COMPLETE", []string{"a"}, nil, false},
		{"COMPLETE", []string{"a"}, n(1), false},
		{"COMPLETE", []string{"a"}, n(2), true},
		{"COMPLETE", nil, nil, true},
		{"COMPLETE", nil, n(0), true},
		{"PARTIAL", nil, nil, true},
		{"PARTIAL", []string{"a"}, n(1), false},
		{"FAILED", nil, nil, false},
		{"FAILED", nil, n(0), false},
		{"FAILED", nil, n(1), true},
		{"FAILED", []string{"a"}, n(1), true},
	} {
		if got := NumbersUnclear(c.word, c.completed, c.quantity); got != c.want {
			t.Errorf("NumbersUnclear(%s, %v, %v) = %t, want %t", c.word, c.completed, c.quantity, got, c.want)
		}
	}
}

// TestStateOf computes the state for every combination of facts.
func TestStateOf(t *testing.T) {
	count := 0
	for _, outcome := range []string{"", Completed, Partial, Failed} {
		for _, open := range []bool{false, true} {
			for _, unknown := range []bool{false, true} {
				for _, refused := range []bool{false, true} {
					for _, order := range []string{"", "RECEIVED", "BACKORDERED", "PROCESSING", "final"} {
						for _, mine := range []bool{false, true} {
							r := combination(outcome, open, unknown, refused, order, mine)
							want := Accepted
							switch {
							case outcome != "":
								want = State(outcome)
							case open:
								want = Submitting
							case unknown:
								want = Unknown
							case order == "BACKORDERED":
								want = Backordered
							case order == "RECEIVED" || order == "PROCESSING":
								want = Submitted
							case mine && len(r.Purchases) > 0:
								want = Resolving
							}
							if got := StateOf(r); got != want {
								t.Errorf("outcome %q open %t unknown %t refused %t order %q mine %t: %s, want %s", outcome, open, unknown, refused, order, mine, got, want)
							}
							count++
						}
					}
				}
			}
		}
	}
	if count != 4*2*2*2*5*2 {
		t.Errorf("%d combinations", count)
	}
}

func combination(outcome string, open, unknown, refused bool, order string, mine bool) *Record {
	r := &Record{Generation: 2}
	if outcome != "" {
		r.Outcome = &Outcome{Outcome: outcome}
	}
	generation := 1
	if mine {
		generation = 2
	}
	add := func(p Purchase) {
		p.N, p.Generation = len(r.Purchases)+1, generation
		r.Purchases = append(r.Purchases, p)
	}
	if open {
		add(Purchase{Posts: []Post{{Token: "a"}}})
	}
	if unknown {
		add(Purchase{Posts: []Post{{Token: "b", State: PostUnknown}}})
	}
	if refused {
		add(Purchase{Posts: []Post{{Token: "c", State: PostRefused}}})
	}
	if order != "" {
		o := VendorOrder{OrderID: "o", Status: order}
		if order == "final" {
			o.Status, o.Final = "FAILED", true
		}
		add(Purchase{Posts: []Post{{Token: "d", State: PostCreated, OrderID: "o"}}, Orders: []VendorOrder{o}})
	}
	return r
}

// TestDrawing: the package's drawing names every state, and none that there is not.
func TestDrawing(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, drawing, _ := strings.Cut(string(source), "The life of an order:")
	drawing, _, found := strings.Cut(drawing, "What a crash leaves behind")
	if !found {
		t.Fatal("doc.go has no drawing")
	}
	words := regexp.MustCompile(`[a-z_]+`).FindAllString(drawing, -1)
	for _, s := range States() {
		if !slices.Contains(words, string(s)) {
			t.Errorf("the drawing lacks %s", s)
		}
	}
	other := []string{"request", "dead", "letter", "nothing", "to", "buy", "may", "also", "end", "as", "outcome_unknown"}
	for _, word := range words {
		if !slices.Contains(States(), State(word)) && !slices.Contains(other, word) {
			t.Errorf("the drawing names %q, which is no state", word)
		}
	}
}
