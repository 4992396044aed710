package proof

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// maxReplays bounds the replays of an order: every cause of a failure is gone long before.
const maxReplays = 12

// operate does what an operator does about dead letters: it takes the cause away, and replays.
func (s *scene) operate(ctx context.Context) {
	if s.r.plan.ReplayAtOnce {
		s.early(ctx)
	}
	for _, l := range s.dead {
		o, ours := s.keys[l.Key]
		if !ours || l.Replay == nil || slices.Contains(s.replayed, l.LetterID) || l.Generation > maxReplays {
			continue
		}
		if o.Kind == messages.Provision {
			// Also where the order names none: what an unanswered POST by criteria may have bought is ordered again by its
			// numbers (P21), so that whoever took one of them is the cause.
			s.freeAll()
		}
		if l.Reason == messages.ReasonOutcomeUnknown && (o.Hidden || o.Blind || o.Deaf) && !s.cleared {
			s.clear()
		}
		headers := []nats.Header{{messages.HeaderReplayOf: []string{l.LetterID}}}
		if o.Backorder && l.Reason == messages.ReasonOutcomeUnknown {
			if !s.bold[l.LetterID] { // P21b: the first replay does not accept the risk
				s.bold[l.LetterID] = true
				s.refused[messages.ReasonInvalid]++
				_ = s.send(ctx, l.Subject, l.Replay, headers[0])
				continue
			}
			headers[0] = nats.Header{messages.HeaderReplayOf: []string{l.LetterID}, messages.HeaderAcceptDouble: []string{"true"}}
		}
		if s.r.plan.ReplayTwice {
			headers = append(headers, headers[0])
		}
		for _, h := range headers {
			if err := s.send(ctx, l.Subject, l.Replay, h); err != nil {
				return
			}
		}
		s.replayed = append(s.replayed, l.LetterID)
	}
}

// early replays orders that have not ended: such a replay waits (P25).
func (s *scene) early(ctx context.Context) {
	for key, o := range s.keys {
		record := s.r.record(key)
		if record == nil || record.Outcome != nil || s.asked[key] || len(o.Taken) == 0 {
			continue
		}
		s.asked[key] = true
		again := o
		again.Numbers = o.Taken
		id := messages.LetterID(key, 1)
		if s.send(ctx, s.r.names.Request(o.Kind, ""), bodyOf(again), nats.Header{messages.HeaderReplayOf: []string{id}}) == nil {
			s.replayed = append(s.replayed, id)
			for _, n := range o.Taken {
				go func() {
					<-time.After(2 * time.Second) // once the first generation has ended
					s.r.sim.Release(n)
				}()
			}
		}
	}
}

// freeAll puts up for sale again what other systems have bought, but for what a disconnect is to release. An order by
// criteria needs that too: the numbers of a POST that was never answered are ordered again and no others (P21), however
// often it is replayed, so that it ends as outcome_unknown until they are for sale or its own.
func (s *scene) freeAll() {
	keep := map[string]bool{}
	for _, o := range s.keys {
		if o.Kind == messages.Disconnect {
			for _, n := range o.Numbers {
				keep[n] = true
			}
		}
	}
	for _, p := range s.r.sim.Purchases() {
		for _, n := range p.Numbers {
			if p.Foreign && !keep[n] && !s.freed[p.OrderID+n] {
				s.freed[p.OrderID+n] = true
				s.r.sim.Release(n)
			}
		}
	}
}

// final returns the last final event of an order's generation.
func (s *scene) final(key string, generation int) *messages.Event {
	for i := range s.seen {
		if e := &s.seen[i]; e.Key == key && e.Generation == generation && e.Outcome.Final() {
			return e
		}
	}
	return nil
}

// generations returns how many generations an order is to have by now.
func (s *scene) generations(key string) int {
	n := 1
	for _, id := range s.replayed {
		if k, _, _ := strings.Cut(id, "."); k == key {
			n++
		}
	}
	return n
}

// unfinished says what is left to do.
func (s *scene) unfinished(ctx context.Context) (left []string) {
	for key, o := range s.keys {
		n := s.generations(key)
		e := s.final(key, n)
		switch {
		case e == nil:
			left = append(left, fmt.Sprintf("order %s has no final outcome of generation %d", key, n))
		case !slices.Contains(ends(o), e.Outcome) && n <= maxReplays:
			if !slices.ContainsFunc(s.dead, func(l messages.DeadLetter) bool { return l.Key == key && l.Generation == n && l.Replay == nil }) {
				left = append(left, fmt.Sprintf("order %s ended as %s in generation %d, and was not replayed", key, e.Outcome, n))
			}
		}
	}
	want := map[messages.Reason]int{}
	for _, o := range s.keys {
		if o.Conflict {
			want[messages.ReasonConflict]++
		}
	}
	for reason, n := range s.refused {
		want[reason] += n
	}
	for reason, n := range want {
		have := 0
		for _, l := range s.dead {
			if _, ours := s.keys[l.Key]; !ours && l.Reason == reason {
				have++
			}
		}
		if have < n {
			left = append(left, fmt.Sprintf("%d of %d requests were refused as %s", have, n, reason))
		}
	}
	if len(left) > 0 {
		return left
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	requests, err := s.r.js.Stream(ctx, s.r.names.RequestsStream())
	if err != nil {
		return []string{"the stream of requests: " + err.Error()}
	}
	if n := requests.CachedInfo().State.Msgs; n > 0 {
		left = append(left, fmt.Sprintf("%d requests wait", n))
	}
	open, err := s.r.js.KeyValue(ctx, s.r.names.OpenBucket())
	if err != nil {
		return []string{"the index of open orders: " + err.Error()}
	}
	keys, err := open.ListKeys(ctx)
	if err != nil {
		return []string{"the index of open orders: " + err.Error()}
	}
	n := 0
	for range keys.Keys() {
		n++
	}
	if n > 0 {
		left = append(left, fmt.Sprintf("%d orders are open", n))
		// A worker that stood still before it entered an order can do so after the order's end. The rescuer finds it.
		s.rescue()
	}
	return left
}

// ends are the outcomes that an order's last generation may have.
func ends(o planned) []messages.Outcome {
	switch {
	case o.Kind == messages.Cancel:
		return []messages.Outcome{messages.Completed, messages.Failed}
	case o.Backorder && !o.Restock:
		return []messages.Outcome{messages.Failed, messages.Partial}
	}
	return []messages.Outcome{messages.Completed}
}

// askAgain publishes finished requests once more, and reports whether all are answered.
func (s *scene) askAgain(ctx context.Context) bool {
	done := true
	for key, o := range s.keys {
		if !o.AskAgain {
			continue
		}
		n := 0
		for _, e := range s.seen {
			if e.Key == key && e.Generation == s.generations(key) && e.Outcome.Final() {
				n++
			}
		}
		if !s.asked["again "+key] {
			s.asked["again "+key] = true
			_ = s.send(ctx, s.r.names.Request(o.Kind, ""), bodyOf(o), nil)
			done = false
		} else if n < 2 {
			done = false
		}
	}
	return done
}

// history gathers what the checker judges.
func (s *scene) history(ctx context.Context) History {
	h := History{
		Refused: map[messages.Reason]int{}, Replayed: s.replayed, Events: s.seen, Letters: s.dead,
		Bandwidth: s.r.sim.Orders(), Released: s.r.sim.Releases(), Lookups: s.lookups(),
	}
	for reason, n := range s.refused {
		h.Refused[reason] = n
	}
	for key, o := range s.keys {
		if o.Conflict {
			h.Refused[messages.ReasonConflict]++
		}
		order := Order{Key: key, Kind: o.Kind, Numbers: o.Numbers, Quantity: o.Quantity, Sandbox: s.r.plan.Sandbox, Ends: ends(o)}
		var unknown *messages.Event
		for i := range s.seen {
			if e := &s.seen[i]; unknown == nil && e.Key == key && e.Reason == messages.ReasonOutcomeUnknown {
				unknown = e
			}
		}
		s.r.judge(&order, o, h.Bandwidth, unknown)
		h.Orders = append(h.Orders, order)
	}
	// What is left at the end is read anew.
	left := reader{s.r.names.DLQStream(), 1}
	_ = left.read(ctx, s.r.js, func(m *jetstream.RawStreamMsg) error {
		for _, l := range s.dead {
			if strings.HasSuffix(m.Subject, "."+l.Key) && strings.Contains(string(m.Data), `"`+l.LetterID+`"`) {
				h.Left = append(h.Left, l)
			}
		}
		return nil
	})
	return h
}
