package orders

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// limit is what a record may take (P40); the broker's payload limit is twice that.
const limit = 512 << 10

func fiveThousand() []string {
	numbers := make([]string, 5000)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1919%07d", 2000000+i)
	}
	return numbers
}

func size(t *testing.T, r *Record) int {
	t.Helper()
	data, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Unmarshal(data); err != nil {
		t.Fatal(err)
	} else if len(back.Purchases) > 0 && len(back.Purchases[0].Numbers) != len(r.Purchases[0].Numbers) {
		t.Errorf("%d numbers of a purchase came back, want %d", len(back.Purchases[0].Numbers), len(r.Purchases[0].Numbers))
	}
	return len(data)
}

// TestP40_EachNumberItsOwnSentence: Bandwidth may give an error for each number, each with the number in its words. A
// code's description stands once, and no text is longer than a person reads: the record stays writable after its POST.
func TestP40_EachNumberItsOwnSentence(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		sentences := func(codes int) []VendorError {
			var list []VendorError
			for i, n := range fiveThousand() {
				list = append(list, VendorError{Code: fmt.Sprint(5000 + i%codes), Description: n + " is not available. " + strings.Repeat("Choose another. ", 20)})
			}
			return list
		}
		for _, codes := range []int{1, 7, 5000} {
			for name, fact := range map[string]func(r *Record){
				"refused": func(r *Record) {
					r.claim(1, "t", time.Now(), time.Now())
					r.settle(1, "t", PostFact{State: PostRefused, Errors: sentences(codes), Detail: strings.Repeat("x", 1<<20)}, w.settings, time.Now())
				},
				"failed": func(r *Record) {
					r.claim(1, "t", time.Now(), time.Now())
					r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1"}, w.settings, time.Now())
					none := 0
					r.polled(PollFact{ID: "p", OrderID: "o1", Status: "FAILED", CompletedQuantity: &none, Errors: sentences(codes)}, w.settings, time.Now())
				},
			} {
				r := NewRecord(arrivalOf(fiveThousand()...), time.Now())
				namer, _ := NewNamer("East coast Kazoo")
				r.plan(namer, r.Ask.Numbers)
				fact(r)
				if n := size(t, r); n > limit {
					t.Errorf("%s with %d codes: the record takes %d bytes", name, codes, n)
				}
				errs := r.Errors()
				if len(errs) == 0 || len(errs) > codes || errs[0].Code != "5000" || !strings.HasPrefix(errs[0].Description, "+1919") {
					t.Errorf("%s with %d codes: %d errors are kept", name, codes, len(errs))
				}
			}
		}
	})
}

// TestP40_PollNotes: whatever words Bandwidth gives for a status, the history stays short.
func TestP40_PollNotes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		for i := range 100 {
			r.polled(PollFact{ID: fmt.Sprint(i), OrderID: "o1", Status: fmt.Sprint(i) + strings.Repeat("W", 100<<10)}, w.settings, time.Now())
		}
		if n := size(t, r); n > limit {
			t.Errorf("the record takes %d bytes", n)
		}
		if n := len(r.History); n > maxHistory || r.History[0].What != "accepted" {
			t.Errorf("%d lines of history, the first is %q", n, r.History[0].What)
		}
	})
}

// TestP40_UnknownGenerations: replays of an order that stays in the dark name the same numbers again and again; they
// stand once.
func TestP40_UnknownGenerations(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(arrivalOf(fiveThousand()...), time.Now())
		namer, _ := NewNamer("East coast Kazoo")
		for g := 1; g <= 10; g++ {
			p := r.plan(namer, r.Ask.Numbers)
			r.claim(p.N, "t", time.Now(), time.Now())
			r.settle(p.N, "t", PostFact{State: PostUnknown}, w.settings, time.Now())
			if n := size(t, r); n > limit {
				t.Fatalf("the record takes %d bytes in generation %d", n, g)
			}
			r.finish(Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, At: time.Now()})
			r.published(uint64(g))
			a := replay(g, r.Missing()...)
			if g == 1 && admit(r, a) != AdmitNew {
				t.Fatal("a replay that names the same numbers is refused")
			}
			r = r.nextGeneration(a, w.settings, time.Now())
			r.StaleLetters = nil
		}
		if n := len(r.Purchases[0].Numbers); n != 5000 || !r.Unresolved() {
			t.Errorf("%d numbers of the first POST are known, unresolved %t", n, r.Unresolved())
		}
	})
}

// TestP40_OwnNumbersStay: a purchase that names other numbers than its generation keeps its own list.
func TestP40_OwnNumbersStay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.unknown()
		r.Ask.Numbers = []string{"+19195550001", "+19195550002"}
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmarshal(data)
		if err != nil || len(back.Purchases[0].Numbers) != 1 {
			t.Errorf("%v, %v: want the one number of the purchase", back.Purchases, err)
		}
	})
}
