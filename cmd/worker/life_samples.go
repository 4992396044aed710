package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// criteria orders three numbers of an area code. Another system buys one of them after the search and before the order;
// the worker searches again and orders one more.
func (s samples) criteria(ctx context.Context) error {
	s.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.Outbid, Times: 1})
	quantity := 3
	_, e, err := s.bus.Request(ctx, messages.Provision, &messages.Request{
		RequestID: "sample-9", Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &quantity,
	}, s.show)
	if err != nil {
		return err
	}
	if err := expect(e, messages.Completed, ""); err != nil {
		return err
	}
	rivals := s.sim.OrdersOf(bwfake.OutbidBy)
	if len(rivals) != 1 || len(rivals[0].Numbers) != 1 {
		return fmt.Errorf("another buyer has bought %d times, not once", len(rivals))
	}
	lost := rivals[0].Numbers[0]
	s.out.printf("  %s went to another buyer\n", lost)
	bought := 0
	for _, o := range s.sim.OrdersOf(e.Key) {
		s.out.printf("  the simulator's ledger: order %s is %s with %s\n", o.CustomerOrderID, o.Status, strings.Join(o.Numbers, " "))
		bought += len(o.Numbers)
	}
	switch orders := len(s.sim.OrdersOf(e.Key)); {
	case orders != 2 || bought != quantity || len(e.Numbers) != quantity:
		return fmt.Errorf("%d orders bought %d numbers, and the event names %d; want 2, 3 and 3", orders, bought, len(e.Numbers))
	case slices.Contains(e.Numbers, lost):
		return fmt.Errorf("the event names %s, which another buyer has", lost)
	}
	for _, n := range e.Numbers {
		if s.sim.Bought(n) != 1 || !strings.HasPrefix(n, "+1919") {
			return fmt.Errorf("%s was bought %d times", n, s.sim.Bought(n))
		}
	}
	return nil
}

// backorder orders two numbers where one is for sale, and cancels once the order waits for the other.
func (s samples) backorder(ctx context.Context) error {
	only := "+1" + bwfake.DryAreaCode + "2340001"
	s.sim.Restock(only)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quantity, wait := 2, true
	waits := make(chan struct{}, 1)
	type end struct {
		event *messages.Event
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		_, e, err := s.bus.Request(ctx, messages.Provision, &messages.Request{
			RequestID: "sample-10", Criteria: &messages.Criteria{AreaCode: bwfake.DryAreaCode}, Quantity: &quantity, Backorder: &wait,
		}, func(e messages.Event) {
			s.show(e)
			if e.Outcome == messages.Backordered {
				select {
				case waits <- struct{}{}:
				default:
				}
			}
		})
		ended <- end{e, err}
	}()
	select {
	case <-waits:
	case e := <-ended:
		if e.err != nil {
			return e.err
		}
		return fmt.Errorf("it ended %s %s and was never seen backordered", e.event.Outcome, e.event.Reason)
	}
	_, e, err := s.bus.Request(ctx, messages.Cancel, &messages.Request{RequestID: "sample-11", OrderRequestID: "sample-10"}, s.show)
	if err != nil {
		return err
	}
	if err := expect(e, messages.Completed, ""); err != nil {
		return fmt.Errorf("the cancel: %w", err)
	}
	provision := <-ended
	if provision.err != nil {
		return provision.err
	}
	if err := expect(provision.event, messages.Partial, messages.ReasonCancelled); err != nil {
		return err
	}
	s.sim.Restock("+1" + bwfake.DryAreaCode + "2340002")
	if n := len(s.sim.OrdersOf(provision.event.Key)); !slices.Equal(provision.event.Numbers, []string{only}) || n != 1 || s.sim.Bought("+1"+bwfake.DryAreaCode+"2340002") != 0 {
		return fmt.Errorf("%d orders brought %v, not 1 that brought %s", n, provision.event.Numbers, only)
	}
	s.out.printf("  new stock in area code %s is not bought any more\n", bwfake.DryAreaCode)
	return nil
}

// disconnect gives back what the first sample bought.
func (s samples) disconnect(ctx context.Context) error {
	numbers := []string{"+19195550101", "+19195550102"}
	_, e, err := s.bus.Request(ctx, messages.Disconnect, &messages.Request{RequestID: "sample-12", Numbers: numbers}, s.show)
	if err != nil {
		return err
	}
	if err := expect(e, messages.Completed, ""); err != nil {
		return err
	}
	for _, n := range numbers {
		entry, err := s.bus.Number(ctx, n)
		if err != nil {
			return err
		}
		s.out.printf("    number %s: %s by order %s\n", n, entry.State, entry.Key)
		if entry.State != "released" || entry.Key != e.Key || !slices.Contains(e.Numbers, n) {
			return fmt.Errorf("%s is %s by order %s, not released by %s", n, entry.State, entry.Key, e.Key)
		}
	}
	if releases := s.sim.Releases(); len(releases) != 1 || len(releases[0].Numbers) != len(numbers) {
		return fmt.Errorf("the simulator's ledger shows %d releases, not one of %d numbers", len(releases), len(numbers))
	}
	return nil
}

// sandbox orders from a worker whose sandbox_provisioning is true.
func (s samples) sandbox(ctx context.Context) error {
	client, stop, err := s.pretend(ctx)
	if err != nil {
		return err
	}
	defer stop()
	const number = "+19195550701"
	purchases, posts := len(s.sim.Purchases()), s.sim.Calls(bwfake.EndpointCreate)
	_, e, err := client.Request(ctx, messages.Provision, &messages.Request{RequestID: "sample-14", Numbers: []string{number}}, s.show)
	if err != nil {
		return err
	}
	if err := expect(e, messages.Completed, ""); err != nil {
		return err
	}
	if !e.Sandbox || e.BandwidthOrderID != "" || !slices.Equal(e.Numbers, []string{number}) {
		return fmt.Errorf("the event has sandbox %t, Bandwidth order %q and numbers %v", e.Sandbox, e.BandwidthOrderID, e.Numbers)
	}
	if p, c := len(s.sim.Purchases())-purchases, s.sim.Calls(bwfake.EndpointCreate)-posts; p != 0 || c != 0 || s.sim.Bought(number) != 0 {
		return fmt.Errorf("%d purchases and %d orders were sent", p, c)
	}
	s.out.printf("  the simulator's ledger shows no purchase\n")
	return nil
}
