package proof

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is a worker's connection to NATS. It passes on one frame after the other, and asks at each what becomes of the
// worker.
type wire struct {
	net.Conn
	w     *mortal
	epoch int64 // the life of the broker that it reaches

	out sync.Mutex
	buf []byte // sent by the client, and no whole frame yet

	mu      sync.Mutex
	more    *sync.Cond
	in      []byte            // for the client
	err     error             // how the connection ended
	inboxes map[string]string // the subscriptions that take replies, by the beginning of their subjects
	waiting map[string]asked
}

// asked is an action whose answer has not come.
type asked struct {
	action
	subject string
	fate    fate
}

func newWire(conn net.Conn, w *mortal, epoch int64) *wire {
	c := &wire{Conn: conn, w: w, epoch: epoch, inboxes: map[string]string{}, waiting: map[string]asked{}}
	c.more = sync.NewCond(&c.mu)
	go c.pump()
	return c
}

// SetReadDeadline does nothing: a read ends with the connection.
func (c *wire) SetReadDeadline(time.Time) error { return nil }

// SetDeadline does nothing.
func (c *wire) SetDeadline(time.Time) error { return nil }

// Close ends the connection. What was passed on before still arrives.
func (c *wire) Close() error {
	c.end(net.ErrClosed)
	return c.Conn.Close()
}

func (c *wire) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.more.Broadcast()
}

// Read gives the client what has come for it.
func (c *wire) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 && c.err == nil {
		c.more.Wait()
	}
	if len(c.in) == 0 {
		return 0, c.err
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *wire) deliver(raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, raw...)
	c.more.Broadcast()
}

// Write takes what the client sends.
func (c *wire) Write(b []byte) (int, error) {
	c.out.Lock()
	defer c.out.Unlock()
	c.buf = append(c.buf, b...)
	for {
		f, rest, ok := nextFrame(c.buf)
		if !ok {
			return len(b), nil
		}
		if err := c.send(f); err != nil {
			return 0, err
		}
		c.buf = append([]byte(nil), rest...)
	}
}

// send passes a frame on to the server, or does to the worker what is planned.
func (c *wire) send(f frame) error {
	run := c.w.run
	switch f.verb {
	case "SUB":
		if prefix, ok := strings.CutSuffix(f.subject, "*"); ok {
			c.mu.Lock()
			c.inboxes[prefix] = f.sid
			c.mu.Unlock()
		}
	case "PUB", "HPUB":
		a := actionOf(f, run.record, run.claimed)
		fate := run.step(c.w, a, before)
		if fate.kind == fateDies {
			c.w.die()
			return io.ErrClosedPipe
		}
		if a.point != pointOther && a.point != pointRead && f.reply != "" && fate.kind == fateNone && run.full() {
			fate.kind = fateRefused
		}
		switch fate.kind {
		case fateRefused:
			c.reply(f, nil, diskFull)
			return nil
		case fateSwallowed:
			c.reply(f, nil, taken)
			return nil
		case fateStale:
			if header, payload, ok := run.staleRead(f.subject); ok {
				c.reply(f, header, payload)
				return nil
			}
		}
		if a.point != pointOther && f.reply != "" {
			c.mu.Lock()
			c.waiting[f.reply] = asked{a, f.subject, fate}
			c.mu.Unlock()
		}
		if err := c.pass(f.raw); err != nil {
			return err
		}
		run.sent(c.w, a)
		if f.reply == "" && a.point != pointOther && run.step(c.w, a, after).kind == fateDies {
			c.w.die()
			return io.ErrClosedPipe
		}
		return nil
	}
	return c.pass(f.raw)
}

// reply answers the client in the server's place.
func (c *wire) reply(f frame, header, payload []byte) {
	c.mu.Lock()
	sid := c.inboxes[f.reply[:strings.LastIndex(f.reply, ".")+1]]
	c.mu.Unlock()
	c.deliver(answerFrame(f.reply, sid, header, payload))
}

// pass sends bytes to the server, unless that has crashed.
func (c *wire) pass(raw []byte) error {
	if c.epoch != c.w.run.epoch.Load() {
		return io.ErrClosedPipe
	}
	return c.w.pass(c.Conn, raw)
}

// pump takes what the server sends.
func (c *wire) pump() {
	var buf []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := c.Conn.Read(chunk)
		buf = append(buf, chunk[:n]...)
		for {
			f, rest, ok := nextFrame(buf)
			if !ok {
				break
			}
			if !c.take(f) {
				return
			}
			buf = append([]byte(nil), rest...)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// take passes a frame on to the client; it reports false once the worker is dead.
func (c *wire) take(f frame) bool {
	if c.epoch != c.w.run.epoch.Load() {
		c.end(io.EOF) // what a broker says after the moment of its crash was never said
		return false
	}
	if c.w.deaf.Load() && strings.HasPrefix(f.reply, "$JS.ACK.") {
		return true
	}
	c.mu.Lock()
	a, known := c.waiting[f.subject]
	lost := false
	delete(c.waiting, f.subject)
	c.mu.Unlock()
	if known {
		run := c.w.run
		if a.point == pointRead {
			run.noteRead(a.subject, f)
		}
		if !refused(f.payload) {
			run.written(a.action)
		}
		fate := run.step(c.w, a.action, after)
		switch {
		case fate.kind == fateDies:
			c.w.die()
			return false
		case fate.kind == fateUnanswered:
			f.raw, lost = answerFrame(f.subject, f.sid, nil, noAnswer), true
		}
	}
	if !c.w.alive() {
		c.end(io.EOF)
		return false
	}
	if known && !refused(f.payload) {
		c.w.run.noteAck(f.payload)
	}
	if c.epoch != c.w.run.epoch.Load() {
		c.end(io.EOF)
		return false
	}
	if known && !lost && !refused(f.payload) {
		c.w.run.heard(c.w, a.action)
	}
	c.deliver(f.raw)
	return true
}
