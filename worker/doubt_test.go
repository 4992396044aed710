package worker

import (
	"testing"
	"time"
)

// TestDoubt_TwoRebuilds: of two rebuilds the one that ends first does not let the fleet go on, in whichever order they
// began and speak; and what somebody else has set stays.
func TestDoubt_TwoRebuilds(t *testing.T) {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	type word struct {
		by   string
		at   int
		ends bool
	}
	for name, c := range map[string]struct {
		words []word
		want  int
	}{
		"one alone":                {[]word{{"a", 0, false}, {"a", 5, false}, {"a", 0, true}}, 0},
		"the other spoke last":     {[]word{{"a", 0, false}, {"b", 1, false}, {"a", 5, false}, {"b", 6, false}, {"a", 0, true}}, 6},
		"the first spoke last":     {[]word{{"a", 0, false}, {"b", 1, false}, {"b", 6, false}, {"a", 7, false}, {"a", 0, true}}, 6},
		"both have ended":          {[]word{{"a", 0, false}, {"b", 1, false}, {"a", 7, false}, {"a", 0, true}, {"b", 8, false}, {"b", 1, true}}, 1},
		"somebody else's is later": {[]word{{"a", 0, false}, {"hand", 9, true}, {"a", 5, false}, {"a", 0, true}}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			for _, w := range c.words {
				say := b.control.Doubt
				if w.ends {
					say = b.control.Settle
				}
				if err := say(t.Context(), w.by, at.Add(time.Duration(w.at)*time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			want := at.Add(time.Duration(c.want) * time.Minute)
			for limit := time.Now().Add(bedTimeout); !b.control.Doubted().Equal(want); pause(t.Context(), 5*time.Millisecond) {
				if time.Now().After(limit) {
					t.Fatalf("the fleet waits since %s, want %s", b.control.Doubted(), want)
				}
			}
		})
	}
}
