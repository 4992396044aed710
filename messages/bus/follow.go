package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// errStop ends a follower without an error.
var errStop = errors.New("stop")

const (
	// setupTimeout bounds one question to JetStream.
	setupTimeout = 5 * time.Second
	// againMin and againMax bound how long a follower waits before it asks for a consumer again.
	againMin, againMax = 100 * time.Millisecond, 5 * time.Second
	// heartbeat is how often the server says that nothing came; after two that are missed the consumer is made anew.
	heartbeat = 5 * time.Second
	// idleLife is how long the server keeps a consumer whose follower has vanished.
	idleLife = time.Minute
)

// follower reads events in the order of the stream, each once. After a reconnect, and wherever the server lost the
// consumer, it goes on behind the last event that it has seen. nats.go's ordered consumer does not do: one that has
// seen nothing yet begins anew at the end of the stream, past what came meanwhile, and one that cannot be made again
// listens neither to a context nor to the end of the connection.
type follower struct {
	c        *Client
	subjects []string
	next     uint64 // the sequence from which on to read
	made     bool   // a consumer stood once: what fails after that may pass
}

// newest returns the sequence that the next event will have.
func (c *Client) newest(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.EventsStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, ErrNoStream
	}
	if err != nil {
		return 0, fmt.Errorf("follow the events: %w", err)
	}
	return stream.CachedInfo().State.LastSeq + 1, nil
}

// run calls f for each event, with the number of events that are there already behind it, until f returns an error,
// ctx is done or the connection is closed.
func (f *follower) run(ctx context.Context, each func(e messages.Event, behind uint64) error) error {
	// A change of the connection's status ends one reading; it is listened to before the first consumer is made.
	status := f.c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer f.c.nc.RemoveStatusListener(status)
	for wait := againMin; ; {
		began := f.next
		err := f.read(ctx, status, each)
		var own *eachError
		switch {
		case errors.As(err, &own):
			if errors.Is(own.err, errStop) {
				return nil
			}
			return own.err
		case ctx.Err() != nil:
			return ctx.Err()
		case f.c.nc.IsClosed():
			return fmt.Errorf("follow the events: %w", nats.ErrConnectionClosed)
		case errors.Is(err, errReconnected):
			wait = againMin
			continue
		case !f.made && errors.Is(err, jetstream.ErrStreamNotFound):
			return ErrNoStream
		case !f.made && f.c.nc.IsConnected():
			return fmt.Errorf("follow the events: %w", err)
		case f.next != began:
			wait = againMin
		}
		if err := f.pause(ctx, status, wait); err != nil {
			return err
		}
		wait = min(2*wait, againMax)
	}
}

// eachError is an error of the function that takes the events.
type eachError struct{ err error }

func (e *eachError) Error() string { return e.err.Error() }

// errReconnected and errGap end one reading: events may have been lost on the way.
var (
	errReconnected = errors.New("connected again")
	errGap         = errors.New("events were lost on the way")
)

// read makes a consumer and reads from it until something is wrong.
func (f *follower) read(ctx context.Context, status <-chan nats.Status, each func(messages.Event, uint64) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	defer func() { cancel(nil); <-ended }()
	go func() {
		defer close(ended)
		select {
		case s := <-status:
			if s == nats.CLOSED {
				cancel(nats.ErrConnectionClosed)
			} else {
				cancel(errReconnected)
			}
		case <-ctx.Done():
		}
	}()
	// The name is ours, so that a consumer whose making was cut off is removed as well.
	name := strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix)
	made := false
	defer func() { f.drop(name, made) }()
	consumer, err := f.consumer(ctx, name)
	if ctx.Err() != nil {
		return context.Cause(ctx) // a reconnect that cut it off is one all the same
	}
	if err != nil {
		return err
	}
	f.made, made = true, true
	iter, err := consumer.Messages(jetstream.PullHeartbeat(heartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer iter.Stop()
	for expect := uint64(1); ; expect++ {
		msg, err := iter.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != expect {
			return errGap
		}
		f.next = meta.Sequence.Stream + 1
		var e messages.Event
		if err := json.Unmarshal(msg.Data(), &e); err != nil {
			return &eachError{fmt.Errorf("the event on %s cannot be decoded: %w", msg.Subject(), err)}
		}
		if err := each(e, meta.NumPending); err != nil {
			return &eachError{err}
		}
	}
}

// consumer makes a consumer that begins where the follower stands.
func (f *follower) consumer(ctx context.Context, name string) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	config := jetstream.ConsumerConfig{
		Name:          name,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.next,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: idleLife,
	}
	if len(f.subjects) == 1 {
		config.FilterSubject = f.subjects[0] // the API's subject names it then, for permissions
	} else {
		config.FilterSubjects = f.subjects
	}
	return f.c.js.CreateConsumer(ctx, f.c.names.EventsStream(), config)
}

// dropTries is how often a consumer is removed whose making was cut off: the server may still be at it.
const dropTries = 4

// drop removes a consumer, if the server can be asked; otherwise the server does, after idleLife. made says that it
// surely stands.
func (f *follower) drop(name string, made bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for try := 1; f.c.nc.IsConnected(); try++ {
		err := f.c.js.DeleteConsumer(ctx, f.c.names.EventsStream(), name)
		if made || try == dropTries || !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// pause waits before the next try: for the time, or until the connection stands again.
func (f *follower) pause(ctx context.Context, status <-chan nats.Status, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case s := <-status:
		if s == nats.CLOSED {
			return fmt.Errorf("follow the events: %w", nats.ErrConnectionClosed)
		}
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
