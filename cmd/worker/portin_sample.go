package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bandwidthworker/messages"
)

// portInStep is how long a port-in of the samples is SUBMITTED, and then FOC.
const portInStep = 500 * time.Millisecond

// portIn brings a number in from another carrier. Bandwidth takes the order and finds fault with it; somebody mends it
// there, and it goes on.
func (s samples) portIn(ctx context.Context) error {
	const number = "+19195550720" // an EXCEPTION at the simulator
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wrong error
	_, e, err := s.bus.Request(ctx, messages.PortIn, &messages.Request{RequestID: "sample-13", Numbers: []string{number}, PortInFields: messages.PortInFields{
		BillingTelephoneNumber: number, LOAAuthorizingPerson: "The Authguy",
		Subscriber: &messages.Subscriber{SubscriberType: "BUSINESS", BusinessName: "Acme", ServiceAddress: &messages.ServiceAddress{
			HouseNumber: "11235", StreetName: "Back", City: "Denver", StateCode: "CO", Zip: "27541",
		}},
		WirelessInfo: &messages.WirelessInfo{AccountNumber: "771297665AABC", PinNumber: "4711"},
	}}, func(e messages.Event) {
		s.show(e)
		if e.BandwidthStatus != "EXCEPTION" {
			return
		}
		if len(e.Errors) == 0 {
			wrong = errors.New("the EXCEPTION was told without its errors")
			cancel()
			return
		}
		s.out.printf("  somebody mends it in Bandwidth's dashboard\n")
		s.sim.SetPortIn(e.BandwidthOrderID, "")
	})
	if wrong != nil {
		return wrong
	}
	if err != nil {
		return err
	}
	if err := expect(e, messages.Completed, ""); err != nil {
		return err
	}
	ledger := s.sim.PortIns()
	if len(ledger) != 1 || !slices.Equal(ledger[0].Numbers, []string{number}) || ledger[0].CustomerOrderID != e.CustomerOrderID {
		return fmt.Errorf("the simulator's ledger shows the port-ins %+v, not one of %s", ledger, number)
	}
	entry, err := s.bus.Number(ctx, number)
	if err != nil {
		return err
	}
	s.out.printf("    number %s: %s, with %s\n", number, entry.State, entry.CarrierModule)
	if entry.State != "port_in" || entry.CarrierModule != e.CarrierModule || entry.Key != e.Key {
		return fmt.Errorf("%s is %s by order %s, not port_in by %s", number, entry.State, entry.Key, e.Key)
	}
	return nil
}
