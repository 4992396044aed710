package bwclient_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bandwidthworker/bwclient"
)

func TestNewRefuses(t *testing.T) {
	basic := bwclient.Basic(user, password)
	for _, c := range []struct {
		config bwclient.Config
		says   string
	}{
		{bwclient.Config{Auth: basic}, "account_id"},
		{bwclient.Config{AccountID: "12/34", Auth: basic}, "account_id"},
		{bwclient.Config{AccountID: account}, "credentials are missing"},
		{bwclient.Config{AccountID: account, Auth: bwclient.Basic("", password)}, "api_username"},
		{bwclient.Config{AccountID: account, Auth: bwclient.Basic(user, "")}, "api_password"},
		{bwclient.Config{AccountID: account, Auth: bwclient.Basic("a:b", password)}, "colon"},
		{bwclient.Config{AccountID: account, Auth: bwclient.OAuth2("", clientSecret, "")}, "client_id"},
		{bwclient.Config{AccountID: account, Auth: bwclient.OAuth2(clientID, "", "")}, "client_secret"},
		{bwclient.Config{AccountID: account, Auth: bwclient.OAuth2(clientID, clientSecret, "api.bandwidth.com")}, "token_url"},
		{bwclient.Config{AccountID: account, Auth: basic, BaseURL: "dashboard.bandwidth.com/api"}, "base_url"},
		{bwclient.Config{AccountID: account, Auth: basic, BaseURL: "ftp://dashboard.bandwidth.com"}, "base_url"},
		{bwclient.Config{AccountID: account, Auth: basic, BaseURL: "https://me:" + password + "@dashboard.bandwidth.com"}, "base_url holds a user or password"},
		{bwclient.Config{AccountID: account, Auth: basic, BaseURL: "https://me:" + password + "@dashboard.bandwidth.com:port"}, "base_url"},
		{bwclient.Config{AccountID: account, Auth: basic, BaseURL: "https://dashboard.bandwidth.com/api?x=1"}, "base_url"},
		{bwclient.Config{AccountID: account, Auth: basic, GetTimeout: -time.Second}, "get_timeout"},
	} {
		_, err := bwclient.New(c.config)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v; want an error that names %s", err, c.says)
			continue
		}
		if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), clientSecret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	if _, err := bwclient.New(bwclient.Config{AccountID: account, Auth: basic}); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// TestRequests: each call's method, path, query and headers.
func TestRequests(t *testing.T) {
	var got *http.Request
	c := client(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(http.StatusNoContent)
	})+"/") // a slash at the end changes nothing
	const accountPath = "/accounts/" + account
	for _, k := range []struct {
		name, method, uri string
		call              func()
	}{
		{"create", "POST", accountPath + "/orders", func() { _, _ = c.CreateOrder(t.Context(), order(), soon()) }},
		{"order", "GET", accountPath + "/orders/" + orderID + "?tndetail=true", func() { _, _ = c.Order(t.Context(), orderID) }},
		{"order's numbers", "GET", accountPath + "/orders/" + orderID + "/tns", func() { _, _ = c.OrderNumbers(t.Context(), orderID) }},
		{"list", "GET", accountPath + "/orders?customerOrderId=c+1%261&page=1&size=100", func() { _, _ = c.OrdersByCustomerOrderID(t.Context(), "c 1&1") }},
		{"number", "GET", "/tns/9195551234", func() { _, _ = c.Number(t.Context(), number) }},
		{"sites", "GET", accountPath + "/sites", func() { _, _ = c.Sites(t.Context()) }},
		{"reservation", "POST", accountPath + "/tnreservation", func() { _, _ = c.Reserve(t.Context(), number, soon()) }},
		{"reservation's end", "DELETE", accountPath + "/tnreservation/" + reservationID, func() { _ = c.Unreserve(t.Context(), reservationID) }},
		{"reservation read", "GET", accountPath + "/tnreservation/" + reservationID, func() { _, _ = c.Reservation(t.Context(), reservationID) }},
		{"peers", "GET", accountPath + "/sites/743/sippeers", func() { _, _ = c.Peers(t.Context(), "743") }},
	} {
		got = nil
		k.call()
		if got == nil || got.Method != k.method || got.URL.RequestURI() != k.uri {
			t.Errorf("%s: %v; want %s %s", k.name, got, k.method, k.uri)
			continue
		}
		u, p, _ := got.BasicAuth()
		if u != user || p != password || got.Header.Get("Accept") != "application/xml" || got.Header.Get("User-Agent") == "" {
			t.Errorf("%s: headers %v", k.name, got.Header)
		}
		if media := got.Header.Get("Content-Type"); (k.method == "POST") != strings.HasPrefix(media, "application/xml") {
			t.Errorf("%s: content type %q", k.name, media)
		}
	}
}

// TestBadArguments: what would become another path is refused before anything is asked.
func TestBadArguments(t *testing.T) {
	var calls atomic.Int64
	c := client(t, serve(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	for _, id := range []string{"", ".", "..", "../sites", "a/b", "a b", "a?b", "%2e%2e", "ä", strings.Repeat("a", 65)} {
		_, err := c.Order(t.Context(), bwclient.OrderID(id))
		_, err2 := c.OrderNumbers(t.Context(), bwclient.OrderID(id))
		_, err3 := c.Peers(t.Context(), id)
		_, err4 := c.Number(t.Context(), "+1"+id)
		for _, err := range []error{err, err2, err3, err4} {
			if err == nil || !bwclient.NotSent(err) || bwclient.StatusOf(err) != 0 || bwclient.CreationOf(err) != bwclient.NotCreated {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	if calls.Load() != 0 {
		t.Errorf("%d calls were made", calls.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var calls atomic.Int64
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) > 1 {
				t.Errorf("HTTP %d was followed to %s %s", status, r.Method, r.URL)
			}
			w.Header().Set("Location", basePath+"/accounts/1/orders/"+orderID)
			w.WriteHeader(status)
		})
		c := client(t, url)
		_, err := c.CreateOrder(t.Context(), order(), soon())
		if bwclient.CreationOf(err) != bwclient.CreationUnknown || bwclient.StatusOf(err) != status {
			t.Errorf("POST with HTTP %d: %v (%v)", status, bwclient.CreationOf(err), err)
		}
		calls.Store(0)
		if _, err := c.Number(t.Context(), number); bwclient.StatusOf(err) != status || bwclient.CreationOf(err) != bwclient.NotCreated {
			t.Errorf("GET with HTTP %d: %v", status, err)
		}
	}
}

// TestBodiesAreBounded: a body over the limit is unreadable, and is not read to its end.
func TestBodiesAreBounded(t *testing.T) {
	const limit = 8 << 20
	for status, want := range map[int]bwclient.Creation{201: bwclient.CreationUnknown, 400: bwclient.CreationUnknown} {
		text := refusal("5016")
		if status == 201 {
			text = createdBody
		}
		var long atomic.Bool
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			if filler := strings.Repeat(" ", 1<<20); long.Load() {
				for n := 0; n < 64; n++ {
					if _, err := io.WriteString(w, filler); err != nil {
						return // the client has enough
					}
				}
				t.Error("the client read 64 MiB")
			}
		})
		c := client(t, url)
		long.Store(true)
		_, err := c.CreateOrder(t.Context(), order(), soon())
		if bwclient.CreationOf(err) != want || !errors.Is(err, bwclient.ErrUnreadable) || bwclient.StatusOf(err) != status {
			t.Errorf("HTTP %d: %v, status %d: %v", status, bwclient.CreationOf(err), bwclient.StatusOf(err), err)
		}
	}
	for size, ok := range map[int]bool{limit: true, limit + 1: false} {
		body := "</not-xml>" + strings.Repeat(" ", size-len("</not-xml>"))
		_, err := client(t, serve(t, answer(500, body))).Sites(t.Context())
		if errors.Is(err, bwclient.ErrUnreadable) == ok || (bwclient.StatusOf(err) == 500) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	bomb := strings.Repeat("<a>", 100)
	if _, err := client(t, serve(t, answer(200, bomb))).Sites(t.Context()); !errors.Is(err, bwclient.ErrUnreadable) {
		t.Errorf("elements a hundred deep: %v", err)
	}
}

// TestGetTimeout: a read ends when its time is up, wherever it is.
func TestGetTimeout(t *testing.T) {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	for _, before := range []string{"the head", "the body's end"} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if before == "the body's end" {
				_, _ = io.WriteString(w, "<SitesResponse>")
				w.(http.Flusher).Flush()
			}
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		})
		c := client(t, url, func(c *bwclient.Config) { c.GetTimeout = 50 * time.Millisecond })
		_, err := c.Sites(t.Context())
		if !strings.Contains(fmt.Sprint(err), "deadline exceeded") || bwclient.StatusOf(err) != 0 || bwclient.CreationOf(err) != bwclient.NotCreated {
			t.Errorf("before %s: %v", before, err)
		}
	}
}

func TestRetryAt(t *testing.T) {
	now := time.Now()
	reset := now.Add(90 * time.Second).Truncate(time.Second)
	seconds, milliseconds := strconv.FormatInt(reset.Unix(), 10), strconv.FormatInt(reset.UnixMilli()+250, 10)
	date := reset.UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		name   string
		status int
		header []string
		at     time.Time     // exactly
		in     time.Duration // from the answer; 0 for none
	}{
		{name: "reset in seconds", status: 429, header: []string{"X-RateLimit-Reset", seconds}, at: reset},
		{name: "reset in milliseconds", status: 429, header: []string{"X-RateLimit-Reset", milliseconds}, at: reset.Add(250 * time.Millisecond)},
		{name: "reset in space", status: 429, header: []string{"X-Ratelimit-Reset", " " + seconds + " "}, at: reset},
		{name: "reset wins", status: 429, header: []string{"X-RateLimit-Reset", seconds, "Retry-After", "7"}, at: reset},
		{name: "reset in the past", status: 429, header: []string{"X-RateLimit-Reset", "1400000000"}, in: time.Minute},
		{name: "reset in the past and Retry-After", status: 429, header: []string{"X-RateLimit-Reset", "1400000000", "Retry-After", "7"}, in: 7 * time.Second},
		{name: "reset that is no number", status: 429, header: []string{"X-RateLimit-Reset", "soon"}, in: time.Minute},
		{name: "Retry-After in seconds", status: 429, header: []string{"Retry-After", "120"}, in: 2 * time.Minute},
		{name: "Retry-After 0", status: 429, header: []string{"Retry-After", "0"}, in: time.Nanosecond},
		{name: "Retry-After as a date", status: 429, header: []string{"Retry-After", date}, at: reset},
		{name: "Retry-After in the past", status: 429, header: []string{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"}, in: time.Minute},
		{name: "Retry-After negative", status: 429, header: []string{"Retry-After", "-5"}, in: time.Minute},
		{name: "neither", status: 429, in: time.Minute},
		{name: "503 with Retry-After", status: 503, header: []string{"Retry-After", "30"}, in: 30 * time.Second},
		{name: "503 without", status: 503},
		{name: "400", status: 400},
	} {
		cl := client(t, serve(t, answer(c.status, "", c.header...)))
		_, posted := cl.CreateOrder(t.Context(), order(), soon())
		_, read := cl.Sites(t.Context())
		for what, err := range map[string]error{"POST": posted, "GET": read} {
			at, ok := bwclient.RetryAt(err)
			switch {
			case c.at.IsZero() && c.in == 0:
				if ok {
					t.Errorf("%s %s: %s; want none", what, c.name, at)
				}
			case !c.at.IsZero():
				if !ok || !at.Equal(c.at) {
					t.Errorf("%s %s: %s; want %s", what, c.name, at, c.at)
				}
			default:
				if early, late := now.Add(c.in), time.Now().Add(c.in); !ok || at.Before(early) || at.After(late) {
					t.Errorf("%s %s: %s; want %s to %s", what, c.name, at, early, late)
				}
			}
			if what == "POST" && c.status == 429 && bwclient.CreationOf(err) != bwclient.NotCreated {
				t.Errorf("%s: a rate limit counts as %v", c.name, bwclient.CreationOf(err))
			}
		}
	}
}
