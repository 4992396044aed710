package bwclient_test

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

var update = flag.Bool("update", false, "write the golden requests anew")

// TestGoldenRequests compares the bodies of orders byte for byte.
func TestGoldenRequests(t *testing.T) {
	var got []byte
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		answer(http.StatusCreated, createdBody)(w, r)
	}))
	for name, o := range map[string]bwclient.Order{
		"one":      order(),
		"no_peer":  {CustomerOrderID: "c", Name: "", SiteID: "1", Numbers: []string{number}},
		"several":  order("+19195551234", "+18042105666", "+12012035013"),
		"escaping": {CustomerOrderID: "A b-1", Name: `Müller & Söhne <"東京'>`, SiteID: "<1>", PeerID: "a&b", Numbers: []string{number}, PartialAllowed: true},
		"limits":   {CustomerOrderID: strings.Repeat("c", 40), Name: strings.Repeat("ü", 50), SiteID: "743", Numbers: []string{number}},
	} {
		if _, err := c.CreateOrder(t.Context(), o, soon()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "golden", name+".xml")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// TestGoldenFollowsTheDocument: an order's elements are those of the documented request, in its order.
func TestGoldenFollowsTheDocument(t *testing.T) {
	documented := elementPaths(t, recorded(t, "openapi-v1/orders__post__request__ExistingTelephoneNumberOrderType.xml"))
	ours := elementPaths(t, own(t, "golden/several.xml"))
	known := map[string]int{}
	for i, p := range documented {
		known[p] = i
	}
	// Documented for POST /orders beside the example: PeerId, PartialAllowed, BackOrderRequested.
	optional := map[string]bool{"Order/PeerId": true, "Order/PartialAllowed": true, "Order/BackOrderRequested": true}
	last := -1
	for _, p := range ours {
		i, ok := known[p]
		switch {
		case ok && i < last:
			t.Errorf("%s stands too late", p)
		case ok:
			last = i
		case !optional[p]:
			t.Errorf("%s is not documented", p)
		}
	}
}

func TestOrderLimits(t *testing.T) {
	var calls atomic.Int64
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(http.StatusCreated, createdBody)(w, r)
	}))
	for name, change := range map[string]func(*bwclient.Order){
		"no customer order id":               func(o *bwclient.Order) { o.CustomerOrderID = "" },
		"a long one":                         func(o *bwclient.Order) { o.CustomerOrderID = strings.Repeat("c", 41) },
		"an underscore in it":                func(o *bwclient.Order) { o.CustomerOrderID = "a_b" },
		"a space at its end":                 func(o *bwclient.Order) { o.CustomerOrderID = "a " },
		"a space at its beginning":           func(o *bwclient.Order) { o.CustomerOrderID = " a" },
		"a line's end after it":              func(o *bwclient.Order) { o.CustomerOrderID = "a\n" },
		"a letter of another script in it":   func(o *bwclient.Order) { o.CustomerOrderID = "ä" },
		"a long name":                        func(o *bwclient.Order) { o.Name = strings.Repeat("n", 51) },
		"a line's end in the name":           func(o *bwclient.Order) { o.Name = "a\nb" },
		"a name that is not UTF-8":           func(o *bwclient.Order) { o.Name = "a\xff" },
		"no site":                            func(o *bwclient.Order) { o.SiteID = "" },
		"no number":                          func(o *bwclient.Order) { o.Numbers = nil },
		"too many numbers":                   func(o *bwclient.Order) { o.Numbers = append(manyNumbers(), "+19195560000") },
		"a number twice":                     func(o *bwclient.Order) { o.Numbers = []string{number, "+18042105666", number} },
		"a number without a plus":            func(o *bwclient.Order) { o.Numbers = []string{"9195551234"} },
		"a short number":                     func(o *bwclient.Order) { o.Numbers = []string{"+1919555123"} },
		"a number of another country":        func(o *bwclient.Order) { o.Numbers = []string{"+442071838750"} },
		"a number with a line's end":         func(o *bwclient.Order) { o.Numbers = []string{number + "\n"} },
		"a number whose area begins with 1":  func(o *bwclient.Order) { o.Numbers = []string{"+11195551234"} },
		"a number with letters in its place": func(o *bwclient.Order) { o.Numbers = []string{"+1919555CALL"} },
	} {
		o := order()
		change(&o)
		_, err := c.CreateOrder(t.Context(), o, soon())
		if !errors.Is(err, bwclient.ErrInvalidOrder) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.NotSent(err) {
			t.Errorf("%s: %v, NotSent %t: %v", name, bwclient.CreationOf(err), bwclient.NotSent(err), err)
		}
	}
	if calls.Load() != 0 {
		t.Errorf("%d were sent", calls.Load())
	}
	if _, err := c.CreateOrder(t.Context(), order(manyNumbers()...), soon()); err != nil || calls.Load() != 1 {
		t.Errorf("an order of %d numbers: %v, %d calls", bwclient.MaxNumbers, err, calls.Load())
	}
}
