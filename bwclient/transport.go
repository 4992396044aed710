package bwclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// NewTransport returns a transport for [Config.Transport]: HTTP/1.1, TLS 1.2 or later with certificates verified,
// the proxy of the environment, and connections kept alive. It knows of each connection whether a byte was written,
// which is what [NotSent] rests on. Closing a connection of its own discards what has not left yet, so that a POST
// that was given up does not arrive later.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return CountWrites(&http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if tcp, ok := conn.(*net.TCPConn); ok {
				// P11: without this the kernel goes on sending, for minutes, what a closed connection has left.
				_ = tcp.SetLinger(0)
			}
			return conn, err
		},
		// HTTP/2 would share one connection between calls, and has its own rules for sending again.
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       60 * time.Second,
		ResponseHeaderTimeout: 0, // each call has its own deadline
		ExpectContinueTimeout: time.Second,
	})
}

// CountWrites makes the connections of a transport count their writes, for [NotSent], and returns the transport.
func CountWrites(t *http.Transport) *http.Transport {
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: conn}, nil
	}
	return t
}

// countedConn counts the writes to a connection, and holds those of a POST to its deadline.
type countedConn struct {
	net.Conn
	writes atomic.Int64
	// sendBy is the deadline of the writes, from the moment the connection is taken for a POST until its answer
	// begins; nil for none.
	sendBy atomic.Pointer[time.Time]
}

// Write counts a write of which at least a byte left. It is counted before it begins: whoever reads the count
// meanwhile must not take the request for unsent.
func (c *countedConn) Write(b []byte) (int, error) {
	// P11: this is the last moment at which a POST, or the rest of a long one, can be held back. Dialling may have taken
	// its time, and a machine that was suspended meanwhile has stopped the clock of the context's deadline.
	if by := c.sendBy.Load(); by != nil && passed(*by) {
		return 0, ErrTooLate
	}
	c.writes.Add(1)
	n, err := c.Conn.Write(b)
	if n == 0 && err != nil {
		c.writes.Add(-1)
	}
	return n, err
}

// countedConnOf returns the counted connection below one that a trace hands out; nil where there is none.
func countedConnOf(conn net.Conn) *countedConn {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, _ := conn.(*countedConn)
	return c
}

// passed reports whether a time has passed, on the monotonic or on the wall clock.
func passed(t time.Time) bool {
	now := time.Now()
	return !now.Before(t) || !now.Round(0).Before(t.Round(0))
}

// writeWatch finds out whether a byte of a POST was written. It counts the writes of the connection from the moment
// the transport took it for the request.
//
// net/http's transport waits for its writer to end before it returns an error, so that the count is final by then. On
// TLS the farewell of a connection that was found dead counts as a write: that makes the answer "perhaps", not wrong.
type writeWatch struct {
	sendBy time.Time

	asked  atomic.Bool // the transport looked for a connection, so it tells what it does
	got    atomic.Bool
	conn   atomic.Pointer[countedConn] // nil where its writes are not known
	held   atomic.Pointer[countedConn] // whose writes the deadline holds
	before atomic.Int64
}

func (w *writeWatch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			conn := countedConnOf(info.Conn)
			if conn != nil {
				w.before.Store(conn.writes.Load())
				conn.sendBy.Store(&w.sendBy)
				w.held.Store(conn)
			}
			if w.got.Swap(true) {
				// A second connection: what was counted belongs to the first, so be careful.
				conn = nil
			}
			w.conn.Store(conn)
		},
		// An answer has begun: the connection may serve other calls once that has been read.
		GotFirstResponseByte: func() {
			if conn := w.held.Load(); conn != nil {
				conn.sendBy.CompareAndSwap(&w.sendBy, nil)
			}
		},
	}
}

// finalAnswers takes the body away from answers that are none: a server that switches protocols unasked (101) hands
// over its connection, whose reading would never end, whatever the deadline.
type finalAnswers struct{ next http.RoundTripper }

// RoundTrip sends the request on.
func (f *finalAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.next.RoundTrip(req)
	if err == nil && resp.StatusCode < http.StatusOK {
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	return resp, err
}

// nothingSent reports whether surely nothing was written: no connection was had, or nothing was written to it.
func (w *writeWatch) nothingSent() bool {
	switch conn := w.conn.Load(); {
	case !w.asked.Load():
		return false // a transport that tells nothing
	case !w.got.Load():
		return true
	case conn == nil:
		return false
	default:
		return conn.writes.Load() == w.before.Load()
	}
}
