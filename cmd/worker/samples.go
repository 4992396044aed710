package main

import (
	"context"
	"fmt"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// samples are orders that show what the program does, each with the outcome that it must reach.
type samples struct {
	ctx context.Context
	bus *bus.Client
	sim *bwfake.Running
	out *lines
	// pretend starts a sandbox worker.
	pretend func(context.Context) (client *bus.Client, stop func(), err error)
}

// sampleTime bounds one sample.
const sampleTime = 60 * time.Second

func (s samples) run() error {
	for _, sample := range []struct {
		title string
		show  func(context.Context) error
	}{
		{"A provision completes", s.completes},
		{"One number of two is taken: PARTIAL, a dead letter, and its replay", s.partial},
		{"The only number is taken: FAILED, a dead letter, and its replay", s.failed},
		{"The same request again is answered with the outcome it has", s.duplicate},
		{"The same request id with another content is a conflict", s.conflict},
		{"A search by area code", s.searchAreaCode},
		{"A search by rate center, with details", s.searchRateCenter},
		{"A search by prefix: Bandwidth is asked for the area code, the worker keeps what fits", s.searchPrefix},
		{"A search for toll-free numbers", s.searchTollFree},
		{"Bandwidth's reply is lost after it created the order: one purchase", s.lostReply},
		{"Three numbers by criteria, one of them lost to another buyer between search and order", s.criteria},
		{"A backorder waits for stock, and is cancelled with what it has", s.backorder},
		{"Numbers that were bought are given back", s.disconnect},
		{"A port-in that Bandwidth finds fault with is mended, and its number comes", s.portIn},
		{"A sandbox pretends: no purchase leaves the worker", s.sandbox},
	} {
		s.out.printf("— %s\n", sample.title)
		ctx, cancel := context.WithTimeout(s.ctx, sampleTime)
		err := sample.show(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("sample %q: %w", sample.title, err)
		}
		s.out.printf("  as expected\n\n")
	}
	return nil
}

// order publishes a provision request and waits for its end, which must be as wanted.
func (s samples) order(ctx context.Context, want messages.Outcome, reason messages.Reason, requestID string, numbers ...string) (*messages.Event, error) {
	_, e, err := s.bus.Request(ctx, messages.Provision, &messages.Request{RequestID: requestID, Numbers: numbers}, s.show)
	if err != nil {
		return nil, err
	}
	return e, expect(e, want, reason)
}

func expect(e *messages.Event, want messages.Outcome, reason messages.Reason) error {
	if e.Outcome != want || e.Reason != reason {
		return fmt.Errorf("it ended %s %s, not %s %s", e.Outcome, e.Reason, want, reason)
	}
	return nil
}

func (s samples) show(e messages.Event) { s.out.printf("  %s\n", line(e)) }

func (s samples) completes(ctx context.Context) error {
	_, err := s.order(ctx, messages.Completed, "", "sample-1", "+19195550101", "+19195550102")
	return err
}

func (s samples) partial(ctx context.Context) error {
	s.sim.SellElsewhere("+19195550202", "another-system")
	e, err := s.order(ctx, messages.Partial, messages.ReasonIncomplete, "sample-2", "+19195550201", "+19195550202")
	if err != nil {
		return err
	}
	s.sim.Release("+19195550202")
	return s.replay(ctx, e.Key, "+19195550202")
}

func (s samples) failed(ctx context.Context) error {
	s.sim.SellElsewhere("+19195550301", "another-system")
	e, err := s.order(ctx, messages.Failed, messages.ReasonBandwidthFailed, "sample-3", "+19195550301")
	if err != nil {
		return err
	}
	s.sim.Release("+19195550301")
	return s.replay(ctx, e.Key, "+19195550301")
}

// replay shows the order's dead letter, and replays it now that the number is free again.
func (s samples) replay(ctx context.Context, key, number string) error {
	letter, err := s.letter(ctx, key)
	if err != nil {
		return err
	}
	s.out.printf("  dead letter %s: %s\n", letter.LetterID, letter.Reason)
	for _, e := range letter.Errors {
		s.out.printf("    Bandwidth says %s %s\n", e.Code, e.Description)
	}
	s.out.printf("    a replay orders %s\n", letter.DeadLetter.Replay)
	s.out.printf("  %s is for sale again; replaying\n", number)
	_, e, err := s.bus.RequestReplay(ctx, letter, false, s.show)
	if err != nil {
		return err
	}
	return expect(e, messages.Completed, "")
}

// letter waits for an order's dead letter, which is stored right after its event.
func (s samples) letter(ctx context.Context, key string) (bus.Letter, error) {
	for {
		letter, err := s.bus.Letter(ctx, key)
		if err == nil || ctx.Err() != nil {
			return letter, err
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (s samples) duplicate(ctx context.Context) error {
	first, err := s.order(ctx, messages.Completed, "", "sample-1", "+19195550101", "+19195550102")
	if err != nil {
		return err
	}
	s.out.printf("  the event's id is the first one's: %s\n", first.EventID)
	if n := len(s.sim.OrdersOf(first.Key)); n != 1 {
		return fmt.Errorf("there are %d orders at Bandwidth, not 1", n)
	}
	return nil
}

func (s samples) conflict(ctx context.Context) error {
	_, err := s.order(ctx, messages.Failed, messages.ReasonConflict, "sample-1", "+19195550999")
	return err
}

func (s samples) lostReply(ctx context.Context) error {
	e, err := s.order(ctx, messages.Completed, "", "sample-4", "+19195550599")
	if err != nil {
		return err
	}
	orders := s.sim.OrdersOf(e.Key)
	s.out.printf("  the simulator's ledger shows %d purchase\n", len(orders))
	if len(orders) != 1 || s.sim.Bought("+19195550599") != 1 {
		return fmt.Errorf("the number was bought %d times by %d orders", s.sim.Bought("+19195550599"), len(orders))
	}
	return nil
}
