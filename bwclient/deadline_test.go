package bwclient_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"bandwidthworker/bwclient"
)

var discard = log.New(io.Discard, "", 0)

// stopped is a transport on a machine whose timers stand still: no context ends a call, and the time for sending is
// over before the connection is used.
type stopped struct {
	next   http.RoundTripper
	before func()
}

func (s stopped) RoundTrip(r *http.Request) (*http.Response, error) {
	s.before()
	return s.next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
}

// waitUntil waits until a moment has passed.
func waitUntil(at time.Time) { <-time.After(time.Until(at) + time.Millisecond) }

// TestP11_TooLateAtTheConnection: dialling, or a suspended machine, may use up the time after the client has looked at
// the clock. The connection looks again.
func TestP11_TooLateAtTheConnection(t *testing.T) {
	t.Parallel()
	var read atomic.Int64
	url := raw(t, func(conn net.Conn) {
		n, _ := io.Copy(io.Discard, conn)
		read.Add(n)
	})
	sendBy := time.Now().Add(time.Second)
	transport := bwclient.NewTransport()
	c := client(t, url, func(c *bwclient.Config) {
		c.Transport = stopped{next: transport, before: func() { waitUntil(sendBy) }}
	})
	_, err := c.CreateOrder(t.Context(), order(), sendBy)
	if !errors.Is(err, bwclient.ErrTooLate) || !bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.NotCreated {
		t.Errorf("NotSent %t, %v: %v; want ErrTooLate", bwclient.NotSent(err), bwclient.CreationOf(err), err)
	}
	transport.CloseIdleConnections()
	if n := read.Load(); n != 0 {
		t.Errorf("%d bytes of the order arrived too late", n)
	}
}

// slowConn writes one piece, and has used up the time after it.
type slowConn struct {
	net.Conn
	until  time.Time
	writes int
}

func (c *slowConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.writes++; c.writes == 1 {
		waitUntil(c.until)
	}
	return n, err
}

// TestP11_TooLateInTheBody: the rest of a long order does not follow once the time is over, whatever timers say.
func TestP11_TooLateInTheBody(t *testing.T) {
	t.Parallel()
	whole := make(chan bool, 1)
	url := raw(t, func(conn net.Conn) {
		_, _, ok := readRequest(bufio.NewReader(conn))
		whole <- ok
	})
	sendBy := time.Now().Add(time.Second)
	transport := bwclient.CountWrites(&http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &slowConn{Conn: conn, until: sendBy}, err
	}})
	c := client(t, url, func(c *bwclient.Config) { c.Transport = stopped{next: transport, before: func() {}} })
	_, err := c.CreateOrder(t.Context(), order(manyNumbers()...), sendBy)
	if !errors.Is(err, bwclient.ErrTooLate) || bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.CreationUnknown {
		t.Errorf("NotSent %t, %v: %v; want an unknown outcome by ErrTooLate", bwclient.NotSent(err), bwclient.CreationOf(err), err)
	}
	select {
	case ok := <-whole:
		if ok {
			t.Error("the order arrived whole after its time")
		}
	case <-time.After(10 * time.Second):
		t.Error("the connection was not closed")
	}
}

// TestP11_DeadlineLeavesTheConnection: a kept connection serves other calls after the deadline of the POST before.
func TestP11_DeadlineLeavesTheConnection(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	url := raw(t, func(conn net.Conn) {
		conns.Add(1)
		r := bufio.NewReader(conn)
		for {
			req, _, ok := readRequest(r)
			if !ok {
				return
			}
			if req.Method == http.MethodPost {
				_, _ = io.WriteString(conn, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: /orders/"+orderID+"\r\n\r\n")
			} else {
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		}
	})
	c := client(t, url)
	sendBy := time.Now().Add(time.Second)
	if _, err := c.CreateOrder(t.Context(), order(), sendBy); err != nil {
		t.Fatal(err)
	}
	waitUntil(sendBy)
	if _, err := c.Sites(t.Context()); err != nil {
		t.Errorf("a read on the connection of a past POST: %v", err)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections; the test means one that is kept", n)
	}
}

// seen is a transport that keeps the request and fails.
type seen struct{ request *http.Request }

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.request = r
	return nil, errors.New("not today")
}

// TestP11_RequestForm: what makes net/http send a POST again is not there.
func TestP11_RequestForm(t *testing.T) {
	for _, debug := range []bool{false, true} {
		s := &seen{}
		c := client(t, "http://api.invalid"+basePath, func(c *bwclient.Config) {
			c.Transport = s
			if debug {
				c.DebugLog = debugLog(t)
			}
		})
		_, err := c.CreateOrder(t.Context(), order(), soon())
		if bwclient.NotSent(err) || bwclient.CreationOf(err) != bwclient.CreationUnknown {
			t.Errorf("a transport that tells nothing of its connections: NotSent %t, %v", bwclient.NotSent(err), bwclient.CreationOf(err))
		}
		if s.request.GetBody != nil {
			t.Error("the request has GetBody")
		}
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key", "Expect"} {
			if _, ok := s.request.Header[name]; ok {
				t.Errorf("the request has the header %s", name)
			}
		}
		if s.request.ContentLength <= 0 {
			t.Errorf("content length %d", s.request.ContentLength)
		}
	}
}
