package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
)

const (
	// rescueEvery is how often one worker of the fleet looks for orders without a timer.
	rescueEvery = time.Minute
	// rescueKey is the key in the control bucket by which the workers agree on who does it.
	rescueKey = "lease.rescuer"
)

// rescuer finds unfinished orders whose timer is lost or overdue and sends each a tick (P6).
type rescuer struct {
	names   messages.Names
	js      jetstream.JetStream
	index   orders.Index
	control jetstream.KeyValue
	clock   *orders.ServerClock
	// grace is how long an order may be without a timer, or its timer overdue, before it is rescued.
	grace   time.Duration
	name    string
	log     *logrus.Entry
	rescued prometheus.Counter
}

// run rescues until ctx is done.
func (r *rescuer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if r.elected(ctx) {
			rescued, err := r.runOnce(ctx)
			switch {
			case err != nil && ctx.Err() == nil:
				r.log.WithError(err).Warn("cannot look for orders without a timer; trying again")
			case rescued > 0:
				r.rescued.Add(float64(rescued))
				r.log.WithField("orders", rescued).Warn("sent ticks to orders whose timers were lost or overdue")
			}
		}
		pause(ctx, rescueEvery)
	}
}

// elected reports whether this worker is the one to do this round.
func (r *rescuer) elected(ctx context.Context) bool {
	revision := uint64(0)
	entry, err := r.control.Get(ctx, rescueKey)
	switch {
	case err == nil:
		revision = entry.Revision()
		r.clock.Observe(entry.Created())
		if string(entry.Value()) != r.name && r.clock.Now().Sub(entry.Created()) < 2*rescueEvery {
			return false
		}
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return false
	}
	if revision == 0 { // nobody has done it yet, or somebody deleted the key
		_, err = r.control.Create(ctx, rescueKey, []byte(r.name))
	} else {
		_, err = r.control.Update(ctx, rescueKey, []byte(r.name), revision)
	}
	return err == nil
}

// runOnce looks at every open order once and returns how many ticks it sent.
func (r *rescuer) runOnce(ctx context.Context) (int, error) {
	var open []orders.IndexEntry
	err := r.index.Entries(ctx, func(e orders.IndexEntry) bool {
		if r.clock.Now().Sub(e.At) >= r.grace {
			open = append(open, e)
		}
		return true
	})
	if err != nil || len(open) == 0 {
		return 0, err
	}
	stream, err := r.js.Stream(ctx, r.names.TimersStream())
	if err != nil {
		return 0, fmt.Errorf("look up the stream of timers: %w", err)
	}
	// Timers before ticks: an order between the two then shows at least once, and a needless tick is harmless.
	timers, err := subjects(ctx, stream, r.names.Timer("*"))
	if err != nil {
		return 0, err
	}
	ticks, err := subjects(ctx, stream, r.names.Due("*"))
	if err != nil {
		return 0, err
	}
	rescued := 0
	for _, e := range open {
		key := string(e.Key)
		if ticks[r.names.Due(key)] > 0 {
			continue
		}
		if timers[r.names.Timer(key)] > 0 {
			overdue, err := r.overdue(ctx, stream, key)
			if err != nil {
				return rescued, err
			}
			if !overdue {
				continue
			}
		}
		if err := broker.Tick(ctx, r.js, r.names, key); err != nil {
			return rescued, fmt.Errorf("send a tick to order %s: %w", key, err)
		}
		r.log.WithField("order", key).Warn("this order had no timer; it is looked at now")
		rescued++
	}
	return rescued, nil
}

// wakeAtOnce bounds the ticks under way while orders are woken.
const wakeAtOnce = 64

// wake sends every open order a tick that has none on its way, and returns how many it sent. An order that has nothing
// to do yet sets its timer again (P3).
func (r *rescuer) wake(ctx context.Context) (int, error) {
	stream, err := r.js.Stream(ctx, r.names.TimersStream())
	if err != nil {
		return 0, fmt.Errorf("look up the stream of timers: %w", err)
	}
	ticks, err := subjects(ctx, stream, r.names.Due("*"))
	if err != nil {
		return 0, err
	}
	var keys []string
	err = r.index.Entries(ctx, func(e orders.IndexEntry) bool {
		if key := string(e.Key); ticks[r.names.Due(key)] == 0 {
			keys = append(keys, key)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	var sending sync.WaitGroup
	var mu sync.Mutex
	free, woken := make(chan struct{}, wakeAtOnce), 0
	for _, key := range keys {
		free <- struct{}{}
		sending.Go(func() {
			tickErr := broker.Tick(ctx, r.js, r.names, key)
			mu.Lock()
			defer mu.Unlock()
			if tickErr != nil {
				err = tickErr
			} else {
				woken++
			}
			<-free
		})
	}
	sending.Wait()
	return woken, err
}

// overdue reports whether an order's timer should have fired long ago.
func (r *rescuer) overdue(ctx context.Context, stream jetstream.Stream, key string) (bool, error) {
	msg, err := stream.GetLastMsgForSubject(ctx, r.names.Timer(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil // it has fired meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("read the timer of order %s: %w", key, err)
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(msg.Header.Get("Nats-Schedule"), "@at "))
	if err != nil {
		return true, nil // no time that a server could keep
	}
	return r.clock.Now().Sub(at) >= r.grace, nil
}

// subjects returns the subjects below a filter that hold messages.
func subjects(ctx context.Context, stream jetstream.Stream, filter string) (map[string]uint64, error) {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("list the subjects of %s: %w", filter, err)
	}
	return info.State.Subjects, nil
}

// tickBody is what a timer carries (P5).
type tickBody struct {
	Revision uint64 `json:"revision"`
}

// revisionOf reads a tick's body; a missing or unreadable one counts as 0 (P5).
func revisionOf(data []byte) uint64 {
	var b tickBody
	if json.Unmarshal(data, &b) != nil {
		return 0
	}
	return b.Revision
}
