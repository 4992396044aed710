package orders

import (
	"sync"
	"time"
)

// ServerClock tells a time that has surely passed on the server, whatever the clocks of the workers say (P38): the
// latest server time that was seen, plus what has passed since on this machine's monotonic clock. A suspended
// machine or a delayed message makes it late, which only makes a worker wait longer. The zero value is ready for use
// and tells the zero time until something was observed. It is safe for concurrent use.
type ServerClock struct {
	mu   sync.Mutex
	base time.Time // server's
	seen time.Time // ours, with monotonic reading
}

// Observe takes note of a server time, such as a message's in its stream.
func (c *ServerClock) Observe(server time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if server.After(c.now()) {
		c.base, c.seen = server, time.Now()
	}
}

// Now returns a server time that has surely passed.
func (c *ServerClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *ServerClock) now() time.Time {
	if c.base.IsZero() {
		return c.base
	}
	return c.base.Add(time.Since(c.seen)).UTC()
}
