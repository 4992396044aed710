package proof

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// reader reads a stream from its beginning.
type reader struct {
	stream string
	next   uint64
}

// look reads what is new on the streams of events and dead letters.
func (s *scene) look(ctx context.Context) error {
	err := s.events.read(ctx, s.r.js, func(m *jetstream.RawStreamMsg) error {
		var e messages.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return err
		}
		s.seen = append(s.seen, e)
		return nil
	})
	return errors.Join(err, s.letters.read(ctx, s.r.js, func(m *jetstream.RawStreamMsg) error {
		var l messages.DeadLetter
		if err := json.Unmarshal(m.Data, &l); err != nil {
			return err
		}
		if string(l.Replay) == "null" {
			l.Replay = nil
		}
		s.dead = append(s.dead, l)
		return nil
	}))
}

// read calls f for each message that came since.
func (r *reader) read(ctx context.Context, js jetstream.JetStream, f func(*jetstream.RawStreamMsg) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, r.stream)
	if err != nil {
		return err
	}
	for last := stream.CachedInfo().State.LastSeq; r.next <= last; r.next++ {
		m, err := stream.GetMsg(ctx, r.next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

// outcomes counts the planned outcomes of POSTs that happened.
func (s *scene) outcomes() map[string]int {
	out := map[string]int{}
	for key, o := range s.keys {
		posts := 0
		for _, q := range s.r.sim.Requests() {
			if q.Endpoint == bwfake.EndpointCreate && keyShape.FindString(q.CustomerOrderID) == key {
				posts++
			}
		}
		if posts > 0 && o.First.fault != nil {
			out[o.First.name]++
		}
		if posts > 1 && o.Second.fault != nil {
			out[o.Second.name]++
		}
	}
	return out
}

// lookups counts the questions for the orders of each customer order id.
func (s *scene) lookups() map[string]int {
	out := map[string]int{}
	for _, q := range s.r.sim.Requests() {
		if q.Endpoint != bwfake.EndpointList {
			continue
		}
		if values, err := url.ParseQuery(q.Query); err == nil && values.Get("customerOrderId") != "" {
			out[values.Get("customerOrderId")]++
		}
	}
	return out
}
