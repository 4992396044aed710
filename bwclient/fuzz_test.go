package bwclient_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bandwidthworker/bwclient"
)

// seeds adds the payloads of testdata whose path fits, and the recorded ones that hold the word where they are at hand.
// It fails when testdata has none.
func seeds(f *testing.F, fits, holds string, add func(body string)) {
	f.Helper()
	shape := regexp.MustCompile(fits)
	found := 0
	for _, root := range []string{"testdata", filepath.Join("..", "..", "shared", "fixtures")} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.Contains(path, filepath.Join("testdata", "fuzz")) || root == "testdata" && !shape.MatchString(path) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil || root != "testdata" && !strings.Contains(string(data), holds) {
				return err
			}
			add(string(data))
			if root == "testdata" {
				found++
			}
			return nil
		})
		if err != nil && root == "testdata" {
			f.Fatal(err)
		}
	}
	if found == 0 {
		f.Fatalf("testdata holds no payload like %s", fits)
	}
}

var (
	idShape     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	numberShape = regexp.MustCompile(`^\+?\d{3,15}$`)
)

// answerFuzz puts every answer to a POST that creates something: only one of the taken statuses with a usable id created
// it, and only the documented refusals surely created nothing.
type answerFuzz struct {
	fits, holds string // see seeds
	resource    string
	statuses    []int // of the seeds
	taken       []int
	send        func(*testing.T, *bwclient.Client) (bwclient.Created, error)
	// refusal are words of which a body that surely refuses holds one; refused, unless nil, looks at the error of a 400.
	refusal []string
	refused func(*testing.T, *bwclient.Error)
}

func (a answerFuzz) run(f *testing.F) {
	seeds(f, a.fits, a.holds, func(body string) {
		for _, status := range a.statuses {
			f.Add(status, "", body)
		}
		f.Add(a.taken[0], "https://dashboard.bandwidth.com/v1.0/accounts/1/"+a.resource+"/"+orderID, body)
	})
	f.Fuzz(func(t *testing.T, status int, location, body string) {
		if status < 100 || status > 999 {
			return
		}
		header := http.Header{}
		if location != "" {
			header.Set("Location", location)
		}
		created, err := a.send(t, stubbed(t, stub{status: status, header: header, body: body}))
		if err == nil {
			if !slices.Contains(a.taken, status) || !idShape.MatchString(string(created.OrderID)) || len(created.OrderID) > 64 || strings.Contains(string(created.OrderID), "/") {
				t.Fatalf("HTTP %d, %q, %q created %q", status, location, body, created.OrderID)
			}
			return
		}
		var e *bwclient.Error
		if !errors.As(err, &e) || e.Creation == bwclient.WasCreated || bwclient.NotSent(err) || created.OrderID != "" {
			t.Fatalf("%+v, %v", created, err)
		}
		if e.Creation == bwclient.NotCreated && !slices.Contains([]int{400, 401, 402, 403, 404, 429}, status) {
			t.Fatalf("HTTP %d counts as not created: %v", status, err)
		}
		if e.Creation == bwclient.NotCreated && status == 400 {
			if location != "" || !slices.ContainsFunc(a.refusal, func(word string) bool { return strings.Contains(strings.ToLower(body), word) }) {
				t.Fatalf("a 400 with Location %q and %q counts as not created", location, body)
			}
			if a.refused != nil {
				a.refused(t, e)
			}
		}
		tellsNothing(t, err)
	})
}

func FuzzCreateAnswer(f *testing.F) {
	answerFuzz{
		fits: `orders_post|gateway`, holds: "<OrderResponse>", resource: "orders", statuses: []int{200, 201, 400, 404, 500}, taken: []int{http.StatusCreated},
		send: func(t *testing.T, c *bwclient.Client) (bwclient.Created, error) {
			return c.CreateOrder(t.Context(), order(), soon())
		},
		refusal: []string{"errorlist"},
		refused: func(t *testing.T, e *bwclient.Error) {
			for _, d := range e.Details {
				if slices.Contains([]string{"1000", "1010", "5003", "5014", "5015", "5086", ""}, d.Code) {
					t.Fatalf("a 400 with code %q counts as not created", d.Code)
				}
			}
		},
	}.run(f)
}

// distinct fails where numbers are not telephone numbers, each once.
func distinct(t *testing.T, numbers []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, n := range numbers {
		if !numberShape.MatchString(n) || seen[n] {
			t.Fatalf("numbers %q", numbers)
		}
		seen[n] = true
	}
}

// tellsNothing fails when the error's text holds the password, or is long.
func tellsNothing(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); strings.Contains(text, password) || len(text) > 4000 {
		t.Fatalf("%d bytes: %s", len(text), text)
	}
}

func FuzzOrder(f *testing.F) {
	seeds(f, `orders_get|gateway`, "<OrderResponse>", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		got, err := stubbed(t, stub{status: 200, body: body}).Order(t.Context(), orderID)
		if err != nil {
			if !errors.Is(err, bwclient.ErrUnreadable) || got.Status != "" || got.Completed != nil {
				t.Fatalf("%+v, %v", got, err)
			}
			tellsNothing(t, err)
			return
		}
		if got.OrderID != orderID {
			t.Fatalf("it is about %q", got.OrderID)
		}
		distinct(t, got.Completed)
		for _, d := range got.Failed {
			if !numberShape.MatchString(d.Number) {
				t.Fatalf("failed numbers %+v", got.Failed)
			}
		}
		for _, q := range []*int{got.CompletedQuantity, got.FailedQuantity} {
			if q != nil && *q < 0 {
				t.Fatalf("a quantity of %d", *q)
			}
		}
		if got.Status != strings.TrimSpace(got.Status) {
			t.Fatalf("status %q", got.Status)
		}
	})
}

func FuzzList(f *testing.F) {
	seeds(f, `orders_list|gateway`, "ResponseSelectWrapper", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		c := stubbed(t, stub{status: 200, body: body})
		got, err := c.OrdersByCustomerOrderID(t.Context(), "c-1")
		if err != nil {
			if bwclient.StatusOf(err) != 200 || got != nil {
				t.Fatalf("%v, %v", got, err)
			}
			tellsNothing(t, err)
			return
		}
		seen := map[bwclient.OrderID]bool{}
		for _, o := range got {
			if !idShape.MatchString(string(o.OrderID)) || seen[o.OrderID] || o.CountOfTNs < 0 {
				t.Fatalf("%+v", got)
			}
			seen[o.OrderID] = true
			if _, err := c.Order(t.Context(), o.OrderID); bwclient.NotSent(err) {
				t.Fatalf("order %q of the list cannot be asked for", o.OrderID)
			}
		}
		if len(got) == 0 && strings.Contains(body, "<OrderIdUserIdDate><orderId>") && strings.Count(body, "<") < 12 && !strings.Contains(body, "<!") {
			t.Fatalf("no order in %q", body)
		}
	})
}

// FuzzDetails: an error's details come from any body without harm.
func FuzzDetails(f *testing.F) {
	seeds(f, `.`, "<Description>", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		_, err := stubbed(t, stub{status: 409, body: body}).Number(t.Context(), number)
		var e *bwclient.Error
		if !errors.As(err, &e) || e.StatusCode != 409 || e.Creation != bwclient.NotCreated {
			t.Fatalf("%v", err)
		}
		for _, d := range e.Details {
			if d.Code == "" && d.Description == "" {
				t.Fatalf("an empty detail in %+v", e.Details)
			}
		}
		tellsNothing(t, err)
	})
}

func FuzzLocation(f *testing.F) {
	for _, l := range []string{
		"https://dashboard.bandwidth.com/v1.0/accounts/1/orders/" + orderID, "/orders/a", "/orders/..", "/orders/%2e%2e", "/orders/a%2Fb", "/orders/a?b#c", "//orders/a", "/accounts/1/orders", ":", "",
	} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, location string) {
		if strings.ContainsAny(location, "\r\n\x00") {
			return // no header
		}
		created, err := stubbed(t, stub{status: 201, header: http.Header{"Location": {location}}}).CreateOrder(t.Context(), order(), soon())
		if err == nil && (!idShape.MatchString(string(created.OrderID)) || !strings.Contains(strings.ToLower(location), "orders")) {
			t.Fatalf("%q gives order %q", location, created.OrderID)
		}
		if err != nil && bwclient.CreationOf(err) != bwclient.CreationUnknown {
			t.Fatalf("%v", err)
		}
	})
}
