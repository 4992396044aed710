package bwclient_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bandwidthworker/bwclient"
)

// reset closes a connection so that the other side gets a reset.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// head is an answer's head with a body of 500 bytes to come.
func head(status string, header ...string) string {
	return "HTTP/1.1 " + status + "\r\n" + strings.Join(append(header, "Content-Type: application/xml", "Content-Length: 500"), "\r\n") + "\r\n\r\n"
}

// TestConnectionBreaks breaks the connection at every place, by closing it, by a reset, and by silence until the time
// is up.
func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	const location = "Location: https://dashboard.bandwidth.com/v1.0/accounts/1/orders/" + orderID
	var wg sync.WaitGroup
	defer wg.Wait()
	full := createdBody + strings.Repeat(" ", 500-len(createdBody))
	for _, c := range []struct {
		name string
		// reads is how much the server reads of the request: 0 nothing, -1 all of it.
		reads int
		says  string
		want  bwclient.Creation
		// status is the answer's, once its head is there.
		status int
		large  bool
	}{
		{name: "before a byte is read"},
		{name: "while the body is sent", reads: 300, large: true},
		{name: "while a short body is sent", reads: 40},
		{name: "before the reply", reads: -1},
		{name: "in the reply's status line", reads: -1, says: "HTTP/1.1 201 Crea"},
		{name: "in the reply's head", reads: -1, says: "HTTP/1.1 201 Created\r\n" + location + "\r\nContent-Ty"},
		{name: "in the reply's body", reads: -1, says: head("201 Created") + createdBody[:100], status: 201},
		{name: "in the reply's body after the id", reads: -1, says: head("201 Created") + createdBody, status: 201},
		{name: "in the reply's body with Location", reads: -1, says: head("201 Created", location) + createdBody[:20], want: bwclient.WasCreated},
		{name: "before the reply's body with Location", reads: -1, says: head("201 Created", location), want: bwclient.WasCreated},
		{name: "after the reply", reads: -1, says: head("201 Created") + full, want: bwclient.WasCreated},
		{name: "in a refusal's body", reads: -1, says: head("400 Bad Request") + refusal("5016"), status: 400},
		{name: "in the body of a 401", reads: -1, says: head("401 Unauthorized") + "<html>", want: bwclient.NotCreated, status: 401},
		{name: "in the body of a 500", reads: -1, says: head("500 Internal Server Error") + "<html>", status: 500},
		{name: "an interim answer and no other", reads: -1, says: "HTTP/1.1 100 Continue\r\n\r\n"},
		{name: "an answer that is no HTTP", reads: -1, says: "220 smtp.example.com ESMTP\r\n"},
	} {
		for how, end := range map[string]func(net.Conn){"closed": func(c net.Conn) { _ = c.Close() }, "reset": reset, "silent": func(net.Conn) {}} {
			if how == "reset" && c.says != "" {
				continue // it would overtake what was said
			}
			name := c.name + ", " + how
			cl := client(t, raw(t, func(conn net.Conn) {
				r := bufio.NewReader(conn)
				switch {
				case c.reads < 0:
					if _, _, ok := readRequest(r); !ok {
						return
					}
				case c.reads > 0:
					_, _ = io.ReadFull(r, make([]byte, c.reads))
				}
				_, _ = io.WriteString(conn, c.says)
				end(conn)
			}))
			o, sendBy := order(), soon()
			if c.large {
				o.Numbers = manyNumbers()
			}
			if how == "silent" {
				sendBy = time.Now().Add(time.Second)
			}
			wg.Go(func() {
				created, err := cl.CreateOrder(t.Context(), o, sendBy)
				if time.Now().After(sendBy.Add(10 * time.Second)) {
					t.Errorf("%s: the call went on long after its deadline", name)
				}
				if c.want == bwclient.WasCreated {
					if err != nil || created.OrderID != orderID {
						t.Errorf("%s: %+v, %v; want order %s", name, created, err, orderID)
					}
					return
				}
				if bwclient.NotSent(err) {
					// A reset that comes before the first write is seen by that write.
					if bwclient.CreationOf(err) != bwclient.NotCreated || c.reads != 0 {
						t.Errorf("%s: not sent, although the server read it: %v", name, err)
					}
					return
				}
				if got := bwclient.CreationOf(err); got != c.want {
					t.Errorf("%s: %v; want %v (%v)", name, got, c.want, err)
				}
				if got := bwclient.StatusOf(err); got != c.status {
					t.Errorf("%s: status %d; want %d", name, got, c.status)
				}
				if how == "silent" && !strings.Contains(c.name, "no HTTP") && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v; want that the time was up", name, err)
				}
			})
		}
	}
}

// TestNotSent lists the failures before a byte of the request has left.
func TestNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	plain := raw(t, func(conn net.Conn) { _, _ = bufio.NewReader(conn).ReadByte(); _ = conn.Close() })
	mute := raw(t, func(net.Conn) {})
	untrusted := httptest.NewUnstartedServer(answer(http.StatusCreated, createdBody))
	untrusted.Config.ErrorLog = discard
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	tooOld := httptest.NewUnstartedServer(answer(http.StatusCreated, createdBody))
	tooOld.TLS, tooOld.Config.ErrorLog = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, discard
	tooOld.StartTLS()
	t.Cleanup(tooOld.Close)
	hanging := func(c *bwclient.Config) {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		c.Transport = bwclient.CountWrites(transport)
	}
	nameless := func(c *bwclient.Config) {
		c.Transport = bwclient.CountWrites(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "api.invalid", IsNotFound: true}
		}})
	}
	none := func(*bwclient.Config) {}
	for _, c := range []struct {
		name, url string
		change    func(*bwclient.Config)
		sendBy    time.Duration
		is        error
	}{
		{name: "refused", url: "http://" + closed.Addr().String(), change: none, sendBy: time.Minute},
		{name: "no such host", url: plain, change: nameless, sendBy: time.Minute},
		{name: "no TLS there", url: strings.Replace(plain, "http", "https", 1), change: none, sendBy: time.Minute},
		{name: "TLS that never comes", url: strings.Replace(mute, "http", "https", 1), change: none, sendBy: 100 * time.Millisecond, is: context.DeadlineExceeded},
		{name: "an unknown certificate", url: untrusted.URL, change: none, sendBy: time.Minute},
		{name: "an old TLS", url: tooOld.URL, change: none, sendBy: time.Minute},
		{name: "dialling takes too long", url: plain, change: hanging, sendBy: 50 * time.Millisecond, is: context.DeadlineExceeded},
		{name: "too late", url: plain, change: none, sendBy: -1, is: bwclient.ErrTooLate},
	} {
		_, err := client(t, c.url, c.change).CreateOrder(t.Context(), order(), time.Now().Add(c.sendBy))
		if !bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.NotCreated {
			t.Errorf("%s: NotSent %t, %v (%v)", c.name, bwclient.NotSent(err), bwclient.CreationOf(err), err)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v; want %v", c.name, err, c.is)
		}
	}
}

func TestCancelled(t *testing.T) {
	arrived := make(chan struct{}, 2)
	url := raw(t, func(conn net.Conn) {
		if _, _, ok := readRequest(bufio.NewReader(conn)); ok {
			arrived <- struct{}{}
		}
	})
	c := client(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.CreateOrder(ctx, order(), soon()); !bwclient.NotSent(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: NotSent %t, %v", bwclient.NotSent(err), err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := c.CreateOrder(ctx, order(), soon())
	if bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.CreationUnknown || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while the answer is awaited: NotSent %t, %v (%v)", bwclient.NotSent(err), bwclient.CreationOf(err), err)
	}
	if len(arrived) != 0 {
		t.Error("the cancelled request was sent")
	}
}

// TestSwitchedProtocol: a server that hands over its connection unasked gives a body that never ends.
func TestSwitchedProtocol(t *testing.T) {
	url := raw(t, func(conn net.Conn) {
		if _, _, ok := readRequest(bufio.NewReader(conn)); ok {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
		}
	})
	c := client(t, url, func(c *bwclient.Config) { c.GetTimeout = time.Second })
	ended := make(chan error, 2)
	go func() {
		_, err := c.CreateOrder(t.Context(), order(), time.Now().Add(time.Second))
		ended <- err
		_, err = c.Sites(t.Context())
		ended <- err
	}()
	for _, want := range []bwclient.Creation{bwclient.CreationUnknown, bwclient.NotCreated} {
		select {
		case err := <-ended:
			if bwclient.CreationOf(err) != want || bwclient.StatusOf(err) != 101 {
				t.Errorf("%v, status %d; want %v", bwclient.CreationOf(err), bwclient.StatusOf(err), want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the call goes on, ten times longer than its deadline")
		}
	}
}

// TestP11_NothingIsSentAgain: a kept connection that the server closes as the POST comes in is net/http's reason to
// send a request again.
func TestP11_NothingIsSentAgain(t *testing.T) {
	var mu sync.Mutex
	posts := 0
	url := raw(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			req, _, ok := readRequest(r)
			if !ok {
				return
			}
			if req.Method == http.MethodPost {
				mu.Lock()
				posts++
				mu.Unlock()
				_ = conn.Close()
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	c := client(t, url)
	for i := range 50 {
		if _, err := c.Sites(t.Context()); err != nil { // opens the connection, which is kept
			t.Fatal(err)
		}
		_, err := c.CreateOrder(t.Context(), order(), soon())
		if bwclient.CreationOf(err) != bwclient.CreationUnknown || bwclient.NotSent(err) {
			t.Fatalf("%v, NotSent %t: %v", bwclient.CreationOf(err), bwclient.NotSent(err), err)
		}
		mu.Lock()
		if posts != i+1 {
			t.Fatalf("%d orders were sent as %d requests", i+1, posts)
		}
		mu.Unlock()
	}
}

// TestP11_ClosedWhileIdle: a kept connection is closed by the server before the POST. Whether the client notices in
// time is a race; in each of its ends the order arrives once, or the error says what is sure.
func TestP11_ClosedWhileIdle(t *testing.T) {
	for i := range 100 {
		var mu sync.Mutex
		posts, first := 0, true
		url := raw(t, func(conn net.Conn) {
			mu.Lock()
			closes := first
			first = false
			mu.Unlock()
			r := bufio.NewReader(conn)
			for {
				req, _, ok := readRequest(r)
				if !ok {
					return
				}
				if req.Method == http.MethodPost {
					mu.Lock()
					posts++
					mu.Unlock()
					fmt.Fprintf(conn, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(createdBody), createdBody)
					continue
				}
				fmt.Fprint(conn, "HTTP/1.1 204 No Content\r\n\r\n")
				if closes && i%2 == 0 {
					reset(conn)
					return
				} else if closes {
					_ = conn.Close()
					return
				}
			}
		})
		c := client(t, url)
		_, _ = c.Sites(t.Context()) // a reset may overtake the answer
		_, err := c.CreateOrder(t.Context(), order(), soon())
		mu.Lock()
		got := posts
		mu.Unlock()
		switch {
		case err == nil && got == 1:
		case err != nil && got == 0 && bwclient.CreationOf(err) != bwclient.WasCreated:
		default:
			t.Fatalf("%d requests arrived, and the client says %v", got, err)
		}
	}
}
