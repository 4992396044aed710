package proof

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/worker/broker"
)

// staff keeps as many workers as are planned.
func (s *scene) staff(ctx context.Context) {
	s.r.mu.Lock()
	missing := s.r.plan.Workers - len(s.r.workers)
	s.r.mu.Unlock()
	for range missing {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		w, err := s.r.startWorker(try)
		cancel()
		if err != nil {
			s.r.log.WithError(err).Warn("PROOF: a worker did not start")
			return
		}
		s.r.mu.Lock()
		if w.dead.Load() {
			s.r.mu.Unlock()
			continue
		}
		s.r.workers = append(s.r.workers, w)
		s.r.mu.Unlock()
	}
}

// meddle does what is planned for this time, outside the workers.
func (s *scene) meddle(at time.Duration) {
	p := s.r.plan
	if p.ClearReads > 0 && at > p.ClearReads && !s.cleared {
		s.clear()
	}
	for key, o := range s.keys {
		posts := 0
		for _, q := range s.r.sim.Requests() {
			if q.Endpoint == bwfake.EndpointCreate && q.CustomerOrderID != "" && keyShape.FindString(q.CustomerOrderID) == key {
				posts++
			}
		}
		if o.Bystander && posts > 0 && !s.sold[key] {
			s.sold[key] = true
			s.r.sim.SellElsewhere(o.Numbers[0], "another system")
		}
		if o.Hidden && !o.Blind && posts > 1 && !s.cleared {
			s.clear()
		}
		if o.Restock && at > 700*time.Millisecond && !s.sold[key] {
			s.sold[key] = true
			for i := range 8 {
				s.r.sim.Restock(fmt.Sprintf("+17105550%03d", 100+i))
			}
		}
		if record := s.r.record(key); record != nil && record.Outcome == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if s.raced < p.TimerRaces && at > time.Duration(s.raced+1)*170*time.Millisecond { // the server fires each quarter of a second
				s.raced++
				if stream, err := s.r.js.Stream(ctx, s.r.names.TimersStream()); err == nil {
					// What a race in the server can leave behind (P7): the new timer is gone, and a tick was stored.
					_ = stream.Purge(ctx, jetstream.WithPurgeSubject(s.r.names.Timer(key)))
					s.r.tick(key)
				}
			}
			if s.ticked < p.Ticks && at > time.Duration(s.ticked+1)*100*time.Millisecond {
				s.ticked++
				s.r.tick(key)
			}
			cancel()
		}
	}
	if p.Rescue {
		s.rescue()
	}
}

// stillness is for how long no worker has come to any point.
func (s *scene) stillness() time.Duration {
	s.r.mu.Lock()
	steps := s.r.steps
	s.r.mu.Unlock()
	if steps != s.steps || s.moved.IsZero() {
		s.steps, s.moved, s.looked = steps, time.Now(), false
	}
	return time.Since(s.moved)
}

// awaitTimers looks for timers that the server holds and has not fired, once nothing happens any more: under load the
// server now and then forgets one. The rescuer exists for that (P6); it may do its work early then. An order whose timer
// was never set, or was lost, is not helped: it counts as lost.
func (s *scene) awaitTimers(ctx context.Context, overdue time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	stream, err := s.r.js.Stream(ctx, s.r.names.TimersStream())
	if err != nil {
		return
	}
	for key := range s.keys {
		msg, err := stream.GetLastMsgForSubject(ctx, s.r.names.Timer(key))
		if err != nil {
			s.r.log.WithError(err).Warnf("PROOF: order %s has no timer", key)
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(msg.Header.Get(broker.HeaderSchedule), "@at "))
		s.r.log.Warnf("PROOF: order %s has a timer at %s", key, at)
		if err == nil && time.Since(at) > overdue {
			s.forgotten++
			s.rescue()
		}
	}
}

// rescue lets the workers look for orders without a timer now, and not at their next minute.
func (s *scene) rescue() {
	s.r.mu.Lock()
	workers := slices.Clone(s.r.workers)
	s.r.mu.Unlock()
	for _, w := range workers {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _ = w.worker.Rescue(ctx)
		cancel()
	}
}

// clear mends what was wrong with Bandwidth's reads.
func (s *scene) clear() {
	s.cleared = true
	s.r.sim.ClearFaults()
	s.r.log.Warn("PROOF: Bandwidth's reads work again")
}
