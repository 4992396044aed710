package proof

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// httpWire is a worker's connection to Bandwidth. Requests that change something pass the same points as messages.
type httpWire struct {
	net.Conn
	w *mortal

	mu    sync.Mutex
	buf   []byte // of a request that is not whole yet
	post  *sentPost
	began bool // its answer
}

// sentPost is a POST that left a worker, and what came back.
type sentPost struct {
	key             string
	customerOrderID string
	answer          []byte
}

var (
	lengthShape = regexp.MustCompile(`(?i)\r\nContent-Length: (\d+)\r\n`)
	orderShape  = regexp.MustCompile(`<CustomerOrderId>([^<]*)</CustomerOrderId>`)
	keyShape    = regexp.MustCompile(`[a-z2-7]{20}`)
)

// Write takes what the client sends.
func (c *httpWire) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = append(c.buf, b...)
	head := bytes.Index(c.buf, []byte("\r\n\r\n"))
	if head < 0 {
		return len(b), nil
	}
	whole := head + 4
	if m := lengthShape.FindSubmatch(c.buf[:head+2]); m != nil {
		n, _ := strconv.Atoi(string(m[1]))
		whole += n
	}
	if len(c.buf) < whole {
		return len(b), nil
	}
	request := c.buf
	c.buf = nil
	c.post, c.began = nil, false
	changes := !bytes.HasPrefix(request, []byte("GET "))
	if !changes {
		return len(b), c.w.pass(c.Conn, request)
	}
	p := &sentPost{}
	if m := orderShape.FindSubmatch(request); m != nil {
		p.customerOrderID = string(m[1])
	}
	p.key = keyShape.FindString(string(request[head:]))
	a := action{point: pointPost, key: p.key}
	if c.w.run.step(c.w, a, before).kind == fateDies {
		c.w.die()
		return 0, io.ErrClosedPipe
	}
	c.w.run.postSent(c.w, p)
	if err := c.w.pass(c.Conn, request); err != nil {
		return 0, err
	}
	c.post = p
	if c.w.run.step(c.w, a, after).kind == fateDies {
		c.w.die()
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

// Read gives the client what Bandwidth answers.
func (c *httpWire) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	p, first := c.post, !c.began
	c.began = c.began || n > 0
	c.mu.Unlock()
	if p != nil && n > 0 {
		if first && c.w.run.step(c.w, action{point: pointReply, key: p.key}, before).kind == fateDies {
			c.w.die()
			return 0, io.EOF
		}
		c.w.run.postAnswered(p, b[:n])
	}
	if !c.w.alive() {
		return 0, io.EOF
	}
	return n, err
}

// decides reports whether an answer to a POST says for certain what the POST did, and that it may not be sent again
// unasked.
func decides(answer []byte) bool {
	head, body, whole := strings.Cut(string(answer), "\r\n\r\n")
	fields := strings.Fields(head)
	if !whole || len(fields) < 2 {
		return false
	}
	status, _ := strconv.Atoi(fields[1])
	if m := lengthShape.FindStringSubmatch(head + "\r\n"); m != nil {
		if n, _ := strconv.Atoi(m[1]); len(body) < n {
			return false
		}
	}
	switch status {
	case http.StatusOK, http.StatusCreated:
		return strings.Contains(strings.ToLower(head), "\r\nlocation:") || strings.Contains(body, "<id>") && strings.Contains(body, "</")
	case http.StatusPaymentRequired, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
		return true
	case http.StatusBadRequest:
		return strings.Contains(body, "<Code>") && !strings.Contains(body, ambiguousCode)
	}
	return false
}

// ambiguousCode is one of the codes of a 400 after which an order may exist all the same.
const ambiguousCode = "5015"
