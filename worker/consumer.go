package worker

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"
)

// consumer takes messages from one durable consumer and hands each to a handler, never more than it has slots for:
// a message waits on the server, not in a buffer where its lease runs. It is the one place that acks.
type consumer struct {
	name     string
	source   jetstream.Consumer
	slots    int
	ackWait  time.Duration
	handle   func(context.Context, jetstream.Msg) disposition
	log      *logrus.Entry
	observed func(disposition)

	working sync.WaitGroup
}

// fetchWait is how long one pull stays open on the server. A worker that stops waits for its end: what the server has
// sent by then would wait for its lease otherwise. The end is the server's word, which comes after the last message on
// the same connection; a clock of our own would now and then be ahead of a message that is under way.
const fetchWait = 500 * time.Millisecond

// run takes messages until ctx is done, and returns when the handlers have finished their steps.
func (c *consumer) run(ctx context.Context) {
	free := make(chan struct{}, c.slots)
	for range c.slots {
		free <- struct{}{}
	}
	defer c.working.Wait()
	for ctx.Err() == nil {
		// Wait for one slot, and take what else is free.
		select {
		case <-free:
		case <-ctx.Done():
			return
		}
		n := 1
		for n < c.slots && len(free) > 0 {
			<-free
			n++
		}
		used, err := c.pull(ctx, n, free)
		for range n - used {
			free <- struct{}{}
		}
		if err != nil && ctx.Err() == nil {
			c.log.WithError(err).WithField("consumer", c.name).Warn("cannot take messages; trying again")
			pause(ctx, time.Second)
		}
	}
}

// pull asks for up to n messages and starts a handler for each; it returns how many it started.
func (c *consumer) pull(ctx context.Context, n int, free chan<- struct{}) (int, error) {
	batch, err := c.source.Fetch(n, jetstream.FetchMaxWait(fetchWait))
	if err != nil {
		return 0, quiet(err)
	}
	used := 0
	for msg := range batch.Messages() {
		used++
		c.working.Go(func() {
			defer func() { free <- struct{}{} }()
			c.serve(ctx, msg)
		})
	}
	return used, quiet(batch.Error())
}

// quiet drops the errors that only say that nothing came.
func quiet(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, jetstream.ErrNoMessages) {
		return nil
	}
	return err
}

// serve handles one message: it keeps the lease while the handler works, and then acks as the disposition says.
func (c *consumer) serve(ctx context.Context, msg jetstream.Msg) {
	if ctx.Err() != nil {
		c.settle(msg, again(0)) // stopping: another worker takes it at once
		return
	}
	stop := c.keepLease(msg)
	d := c.guarded(ctx, msg)
	stop()
	if c.observed != nil {
		c.observed(d)
	}
	c.settle(msg, d)
	if d.then != nil {
		defer c.caught(nil)
		d.then(ctx)
	}
}

// panicWait is how long a message waits over which a handler has panicked.
const panicWait = 30 * time.Second

// guarded calls the handler. A panic in it is a fault of this program's, not a verdict on the message (P28): it is
// logged with its stack, and the message comes again. Without this one bad message would take down one worker of the
// fleet after the other.
func (c *consumer) guarded(ctx context.Context, msg jetstream.Msg) (d disposition) {
	defer c.caught(&d)
	return c.handle(ctx, msg)
}

// caught recovers from a panic, which leaves behind what a crash does, and asks for the message again.
func (c *consumer) caught(d *disposition) {
	p := recover()
	if p == nil {
		return
	}
	c.log.WithField("consumer", c.name).WithField("stack", string(debug.Stack())).Errorf("a fault in this program, please report it: %v", p)
	if d != nil {
		*d = again(panicWait)
	}
}

// keepLease tells the server that the message is being worked on, three times in each lease, until stop is called. An
// ack is no fence: what protects money is the compare-and-set on the order's record.
func (c *consumer) keepLease(msg jetstream.Msg) (stop func()) {
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	stopped := false
	var timer *time.Timer
	timer = time.AfterFunc(c.ackWait/3, func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		if err := msg.InProgress(); err != nil {
			c.log.WithError(err).WithField("consumer", c.name).Debug("cannot extend the lease")
		}
		timer.Reset(c.ackWait / 3)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// settle turns a disposition into the ack verb. Nothing else in the program acks.
func (c *consumer) settle(msg jetstream.Msg, d disposition) {
	var err error
	switch d.verb {
	case ack:
		err = msg.Ack()
	case nak:
		err = msg.NakWithDelay(d.delay)
	case term:
		err = msg.TermWithReason(d.reason)
	}
	if err != nil {
		c.log.WithError(err).WithField("consumer", c.name).Debug("cannot answer the server; the message comes again")
	}
}

// pause blocks for a duration or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
