package bwclient_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
)

// TestErrorContract matches every sentinel bare, wrapped, and through an Error, and asks every question of each.
func TestErrorContract(t *testing.T) {
	sentinels := []error{bwclient.ErrUnreadable, bwclient.ErrInvalidOrder, bwclient.ErrTooLate}
	for _, s := range sentinels {
		for how, err := range map[string]error{
			"bare": s, "wrapped": fmt.Errorf("ordering: %w", s), "in an Error": &bwclient.Error{Op: "order", Err: s},
			"in a wrapped Error": fmt.Errorf("ordering: %w", &bwclient.Error{Op: "order", Err: fmt.Errorf("why: %w", s)}),
			"joined":             errors.Join(errors.New("other"), s),
		} {
			for _, other := range sentinels {
				if got := errors.Is(err, other); got != (s == other) {
					t.Errorf("%q %s is %q: %t", s, how, other, got)
				}
			}
			var e *bwclient.Error
			if got, want := errors.As(err, &e), strings.Contains(how, "Error"); got != want {
				t.Errorf("%q %s: As gives %t", s, how, got)
			}
			if bwclient.CreationOf(err) != bwclient.CreationUnknown || bwclient.NotSent(err) || bwclient.StatusOf(err) != 0 || bwclient.IsCredentials(err) || bwclient.Codes(err) != nil {
				t.Errorf("%q %s: more is told than is known", s, how)
			}
		}
	}
	full := &bwclient.Error{Op: "order", StatusCode: 403, Creation: bwclient.NotCreated, RetryAt: time.Unix(9, 0), Details: []bwclient.Detail{{Code: "1"}, {Code: "2"}, {Code: "1"}, {Description: "x"}}}
	for _, err := range []error{full, fmt.Errorf("a: %w", fmt.Errorf("b: %w", full)), errors.Join(io.EOF, full)} {
		if at, ok := bwclient.RetryAt(err); !ok || !at.Equal(time.Unix(9, 0)) {
			t.Errorf("%v: RetryAt %s, %t", err, at, ok)
		}
		if bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.StatusOf(err) != 403 || !bwclient.IsCredentials(err) || !slices.Equal(bwclient.Codes(err), []string{"1", "2"}) {
			t.Errorf("%v: %v, %d, %v", err, bwclient.CreationOf(err), bwclient.StatusOf(err), bwclient.Codes(err))
		}
	}
	for _, err := range []error{nil, io.EOF} {
		if _, ok := bwclient.RetryAt(err); ok || bwclient.NotSent(err) || bwclient.StatusOf(err) != 0 || bwclient.IsCredentials(err) || bwclient.Codes(err) != nil {
			t.Errorf("%v: something is told", err)
		}
	}
	if bwclient.CreationOf(nil) != bwclient.WasCreated || bwclient.CreationOf(io.EOF) != bwclient.CreationUnknown {
		t.Error("CreationOf of nil and of another error")
	}
	words := []string{bwclient.CreationUnknown.String(), bwclient.NotCreated.String(), bwclient.WasCreated.String(), bwclient.Creation(99).String()}
	if diff := cmp.Diff([]string{"unknown", "not created", "created", "unknown"}, words); diff != "" {
		t.Error(diff)
	}
	if got := new(bwclient.Error); got.Creation != bwclient.CreationUnknown {
		t.Errorf("the zero value says %v", got.Creation)
	}
}

// TestErrorFields: what an error of a call tells of it.
func TestErrorFields(t *testing.T) {
	c := client(t, serve(t, answer(http.StatusBadRequest, own(t, "orders_post/400_numbers.xml"))))
	_, err := c.CreateOrder(t.Context(), order(), soon())
	var e *bwclient.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T", err)
	}
	want := []bwclient.Detail{
		{Code: "5070", Description: "Telephone number is invalid.", Number: "1195551234"},
		{Code: "5005", Description: "The telephone number is unavailable for ordering", Number: "+19195551235"},
		{Code: "5005", Description: "The telephone number is unavailable for ordering", Number: "+19195551236"},
	}
	if diff := cmp.Diff(want, e.Details); diff != "" {
		t.Error(diff)
	}
	if e.CustomerOrderID != "East-coast-kq3" || e.OrderID != "" || e.Method != "POST" || e.Path != "orders" {
		t.Errorf("%+v", e)
	}
	const text = "create order East-coast-kq3: HTTP 400 Bad Request: 5070 Telephone number is invalid. (1195551234); " +
		"5005 The telephone number is unavailable for ordering (+19195551235); 5005 The telephone number is unavailable for ordering (+19195551236)"
	for range 2 { // printing changes nothing
		if err.Error() != text {
			t.Errorf("%q", err)
		}
	}
	_, err = c.Order(t.Context(), orderID)
	if !errors.As(err, &e) || e.OrderID != orderID || e.Method != "GET" || e.Creation != bwclient.NotCreated {
		t.Errorf("%+v", e)
	}
}

// TestErrorTextIsShort: a vendor's essay, many errors and control characters make one line.
func TestErrorTextIsShort(t *testing.T) {
	var b strings.Builder
	b.WriteString("<OrderResponse><ErrorList>")
	for range 50 {
		b.WriteString("<Error><Code>5005</Code><Description>" + strings.Repeat("long\nlines\x7f and ümlauts ", 100) + "</Description></Error>")
	}
	b.WriteString("</ErrorList></OrderResponse>")
	for _, body := range []string{b.String(), strings.Repeat("<html>\n\x00\x1b[31m", 5000)} {
		_, err := creates(t, answer(http.StatusBadRequest, body))
		if text := err.Error(); len(text) > 2000 || strings.ContainsAny(text, "\n\x00\x1b\x7f") {
			t.Errorf("%d bytes: %q", len(text), text[:min(len(text), 300)])
		}
	}
}

// TestErrorsHoldNoSecret: an answer that repeats the credentials, in every form, does not bring them into a text.
func TestErrorsHoldNoSecret(t *testing.T) {
	const basic = "YXBpLXVzZXI6aHVudGVyMi1pcy1zZWNyZXQ=" // user:password
	echoes := []string{
		"<html>wrong password " + password + " of " + user + "</html>",
		"Authorization: Basic " + basic,
		"Authorization: Bearer abcdefgh.ijklmnop.qrstuvwx",
		refusal(password), strings.ReplaceAll(refusal("5016"), "no</D", password+"</D"),
		`{"password":"` + password + `","access_token":"abcdefgh.ijklmnop.qrstuvwx"}`,
		"<OrderResponse><ErrorList><Error><Code>5070</Code><TelephoneNumber>" + password + "</TelephoneNumber></Error></ErrorList></OrderResponse>",
		strings.Repeat("x", 150) + password, // a secret that the excerpt cuts
	}
	for _, body := range echoes {
		for _, status := range []int{200, 201, 400, 401, 500} {
			c := client(t, serve(t, answer(status, body)))
			_, posted := c.CreateOrder(t.Context(), order(), soon())
			_, read := c.Order(t.Context(), orderID)
			_, listed := c.OrdersByCustomerOrderID(t.Context(), "c-1")
			for _, err := range []error{posted, read, listed} {
				if err == nil && status != 200 {
					t.Errorf("HTTP %d with %s is no error", status, body)
				}
				for _, secret := range []string{password, password[:10], basic, "abcdefgh.ijklmnop"} {
					if strings.Contains(fmt.Sprintf("%v", err), secret) {
						t.Errorf("HTTP %d: the error tells %q: %v", status, secret, err)
					}
				}
			}
		}
	}
}
