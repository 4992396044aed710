package bwclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bandwidthworker/bwclient"
)

const (
	clientID     = "client-77"
	clientSecret = "s3cret/with+signs"
)

// oauthClient returns a client with OAuth2 credentials.
func oauthClient(t testing.TB, url, tokenURL string, change ...func(*bwclient.Config)) *bwclient.Client {
	t.Helper()
	return client(t, url, append([]func(*bwclient.Config){func(c *bwclient.Config) {
		c.Auth = bwclient.OAuth2(clientID, clientSecret, tokenURL)
	}}, change...)...)
}

// tokens starts a token endpoint.
func tokens(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/oauth2/token"
}

// bearers is an API that counts the calls by their Authorization header.
type bearers struct {
	mu     sync.Mutex
	got    []string
	status int
}

func (b *bearers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	b.mu.Lock()
	b.got = append(b.got, r.Header.Get("Authorization"))
	status := b.status
	b.mu.Unlock()
	switch {
	case status != 0:
		w.WriteHeader(status)
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, createdBody)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (b *bearers) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.got) == 0 {
		return ""
	}
	return b.got[len(b.got)-1]
}

func TestTokenForMany(t *testing.T) {
	var fetches atomic.Int64
	called, release := make(chan struct{}, 100), make(chan struct{})
	api := &bearers{}
	c := oauthClient(t, serve(t, api.ServeHTTP), tokens(t, func(w http.ResponseWriter, r *http.Request) {
		fetches.Add(1)
		called <- struct{}{}
		<-release
		id, secret, _ := r.BasicAuth()
		if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" || id != clientID || secret != "s3cret%2Fwith%2Bsigns" {
			t.Errorf("the token is asked for with %q, %q and %v", id, secret, r.PostForm)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"the-token","token_type":"bearer","expires_in":3600}`)
	}))
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- c.Authorize(impatient) }()
	<-called // the fetch is the impatient one's
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := c.Authorize(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) || !bwclient.NotSent(err) || bwclient.IsCredentials(err) {
		t.Errorf("who gives up gets %v", err)
	}
	close(release)
	wg.Wait()
	if n := fetches.Load(); n != 1 {
		t.Errorf("51 callers fetched %d tokens", n)
	}
	if _, err := c.CreateOrder(t.Context(), order(), soon()); err != nil || api.last() != "Bearer the-token" {
		t.Errorf("%v with %q", err, api.last())
	}
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestPostFetchesNoToken(t *testing.T) {
	api := &bearers{}
	var fetches atomic.Int64
	c := oauthClient(t, serve(t, api.ServeHTTP), tokens(t, func(http.ResponseWriter, *http.Request) { fetches.Add(1) }))
	_, err := c.CreateOrder(t.Context(), order(), soon())
	if !bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.IsCredentials(err) {
		t.Errorf("without a token: NotSent %t, %v: %v", bwclient.NotSent(err), bwclient.CreationOf(err), err)
	}
	if fetches.Load() != 0 || len(api.got) != 0 {
		t.Errorf("%d tokens fetched, %d orders sent", fetches.Load(), len(api.got))
	}
}

// TestRefusedToken: a 401 makes the client forget its token; other refusals do not.
func TestRefusedToken(t *testing.T) {
	for _, call := range []string{"read", "post"} {
		for status, forgets := range map[int]bool{401: true, 403: false, 429: false, 500: false} {
			api := &bearers{status: status}
			var fetches atomic.Int64
			c := oauthClient(t, serve(t, api.ServeHTTP), tokens(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3600}`, fetches.Add(1))
			}))
			if err := c.Authorize(t.Context()); err != nil {
				t.Fatal(err)
			}
			var err error
			if call == "post" {
				_, err = c.CreateOrder(t.Context(), order(), soon())
			} else {
				_, err = c.Sites(t.Context())
			}
			if bwclient.StatusOf(err) != status || bwclient.IsCredentials(err) != (status == 401 || status == 403) {
				t.Errorf("%s: status %d, IsCredentials %t: %v", call, bwclient.StatusOf(err), bwclient.IsCredentials(err), err)
			}
			if err := c.Authorize(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := fetches.Load() == 2; got != forgets {
				t.Errorf("%s with HTTP %d: forgotten is %t; want %t", call, status, got, forgets)
			}
		}
	}
}

// TestTokenRefused lists what a token endpoint may do instead of giving a token.
func TestTokenRefused(t *testing.T) {
	json := []string{"Content-Type", "application/json"}
	cut := raw(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"access_token\":\"half")
		_ = conn.Close()
	})
	for _, c := range []struct {
		name        string
		url         string
		credentials bool
		status      int
		retry       bool
		holds       string
	}{
		{name: "400", url: tokens(t, answer(400, `{"error":"invalid_client","error_description":"who is that"}`, json...)), credentials: true, status: 400, holds: "invalid_client who is that"},
		{name: "401", url: tokens(t, answer(401, `{"error":"unauthorized"}`, json...)), credentials: true, status: 401},
		{name: "403 empty", url: tokens(t, answer(403, "")), credentials: true, status: 403},
		{name: "404", url: tokens(t, answer(404, "<html>no such page</html>", "Content-Type", "text/html")), status: 404},
		{name: "429", url: tokens(t, answer(429, "", "Retry-After", "30")), status: 429, retry: true},
		{name: "500", url: tokens(t, answer(500, "<html>"+clientSecret+"</html>")), status: 500},
		{name: "503", url: tokens(t, answer(503, "", "Retry-After", "7")), status: 503, retry: true},
		{name: "a redirect", url: tokens(t, answer(302, "", "Location", "http://127.0.0.1:1/")), status: 302},
		{name: "an echo of the secret", url: tokens(t, answer(400, `{"error":"invalid_client","error_description":"secret s3cret%2Fwith%2Bsigns or `+clientSecret+` is wrong"}`, json...)), credentials: true, status: 400},
		{name: "garbage", url: tokens(t, answer(200, "<html>welcome, "+clientSecret+"</html>", json...))},
		{name: "nothing", url: tokens(t, answer(200, ""))},
		{name: "no token", url: tokens(t, answer(200, `{"token_type":"Bearer"}`, json...))},
		{name: "an error with 200", url: tokens(t, answer(200, `{"error":"temporarily_unavailable"}`, json...)), status: 200},
		{name: "cut off", url: cut},
		{name: "nobody", url: "http://127.0.0.1:1/oauth2/token"},
	} {
		api := &bearers{}
		client := oauthClient(t, serve(t, api.ServeHTTP), c.url)
		err := client.Authorize(t.Context())
		_, readErr := client.Sites(t.Context())
		if bwclient.CreationOf(err) != bwclient.NotCreated || !bwclient.NotSent(err) || bwclient.StatusOf(err) != c.status {
			t.Errorf("%s: %v, NotSent %t, status %d: %v", c.name, bwclient.CreationOf(err), bwclient.NotSent(err), bwclient.StatusOf(err), err)
		}
		// P16: the token endpoint's 404 is not "no such order".
		if bwclient.StatusOf(readErr) != 0 || bwclient.CreationOf(readErr) != bwclient.NotCreated {
			t.Errorf("%s: a read without a token has status %d: %v", c.name, bwclient.StatusOf(readErr), readErr)
		}
		if _, err := client.OrdersByCustomerOrderID(t.Context(), "c-1"); err == nil {
			t.Errorf("%s: without a token the list counts as empty", c.name)
		}
		for what, e := range map[string]error{"Authorize": err, "a read": readErr} {
			if bwclient.IsCredentials(e) != c.credentials {
				t.Errorf("%s: IsCredentials of %s is %t", c.name, what, !c.credentials)
			}
			if _, ok := bwclient.RetryAt(e); ok != c.retry {
				t.Errorf("%s: RetryAt of %s is %t", c.name, what, ok)
			}
			if text := e.Error(); strings.Contains(text, clientSecret) || strings.Contains(text, "s3cret%2F") || strings.Contains(text, "half") {
				t.Errorf("%s: %s tells a secret: %s", c.name, what, text)
			}
			if !strings.Contains(e.Error(), c.holds) {
				t.Errorf("%s: %s does not say %q: %v", c.name, what, c.holds, e)
			}
		}
		if len(api.got) != 0 {
			t.Errorf("%s: %d calls without a token", c.name, len(api.got))
		}
	}
}

// vendorAPI is a token endpoint and an API without a network, so that it lives in a bubble of synctest.
type vendorAPI struct {
	life    string // the value of expires_in; empty for none
	delay   time.Duration
	fetches int
	auth    []string
}

func (v *vendorAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/token") {
		v.fetches++
		select {
		case <-time.After(v.delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		expires := ""
		if v.life != "" {
			expires = `,"expires_in":` + v.life
		}
		return stub{status: 200, header: http.Header{"Content-Type": {"application/json"}}, body: fmt.Sprintf(`{"access_token":"token-%d"%s}`, v.fetches, expires)}.RoundTrip(r)
	}
	v.auth = append(v.auth, r.Header.Get("Authorization"))
	if r.Method == http.MethodPost {
		return stub{status: 201, body: createdBody}.RoundTrip(r)
	}
	return stub{status: 204}.RoundTrip(r)
}

func newVendorAPI(t *testing.T, life string) (*vendorAPI, *bwclient.Client) {
	v := &vendorAPI{life: life}
	return v, oauthClient(t, "http://api.invalid", "http://api.invalid/token", func(c *bwclient.Config) { c.Transport = v })
}

// TestTokenRenewal: a token is renewed two minutes before its end, or at half its life if that is shorter; a POST uses
// it to its end.
func TestTokenRenewal(t *testing.T) {
	for _, c := range []struct {
		name         string
		life         string
		renewed, end time.Duration
	}{
		{"an hour", "3600", 58 * time.Minute, time.Hour},
		{"a word for the number", `"3600"`, 58 * time.Minute, time.Hour},
		{"no life named", "", 58 * time.Minute, time.Hour},
		{"three minutes", "180", 90 * time.Second, 3 * time.Minute},
		{"eight seconds", "8", 4 * time.Second, 8 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, client := newVendorAPI(t, c.life)
				authorize := func(want int) {
					t.Helper()
					if err := client.Authorize(t.Context()); err != nil || v.fetches != want {
						t.Errorf("after %s: %d fetches, %v; want %d", time.Since(began()), v.fetches, err, want)
					}
				}
				authorize(1)
				time.Sleep(c.renewed - time.Second)
				authorize(1)
				time.Sleep(time.Second)
				authorize(2)
			})
			synctest.Test(t, func(t *testing.T) {
				v, client := newVendorAPI(t, c.life)
				if err := client.Authorize(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.end - time.Millisecond)
				if _, err := client.CreateOrder(t.Context(), order(), soon()); err != nil || v.auth[0] != "Bearer token-1" {
					t.Errorf("a POST just before the token's end: %v, %q", err, v.auth)
				}
				time.Sleep(time.Millisecond)
				if _, err := client.CreateOrder(t.Context(), order(), soon()); !bwclient.NotSent(err) || len(v.auth) != 1 || v.fetches != 1 {
					t.Errorf("a POST at the token's end: NotSent %t, %d sent, %d fetches, %v", bwclient.NotSent(err), len(v.auth), v.fetches, err)
				}
			})
		})
	}
}

// began is when every bubble of synctest begins.
func began() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestTokenTimeout: a token endpoint that says nothing is given fifteen seconds; a read no longer than its own time.
func TestTokenTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client := newVendorAPI(t, "3600")
		v.delay = time.Hour
		err := client.Authorize(t.Context())
		if d := time.Since(began()); d != 15*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %s; want the deadline after 15s", err, d)
		}
		if !bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.NotCreated || bwclient.IsCredentials(err) {
			t.Errorf("NotSent %t, %v, IsCredentials %t", bwclient.NotSent(err), bwclient.CreationOf(err), bwclient.IsCredentials(err))
		}
		before := time.Now()
		if _, err := client.Sites(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 15*time.Second {
			t.Errorf("a read: %v after %s", err, time.Since(before))
		}
		synctest.Wait() // the fetch that the read gave up ends at the same moment
		v.delay = 0
		if err := client.Authorize(t.Context()); err != nil || v.fetches != 3 {
			t.Errorf("after the failures: %v with %d fetches", err, v.fetches)
		}
	})
}
