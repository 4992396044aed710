package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

// PreparePortIn waits for everything that a port-in could wait for (P8).
func (c *carrier) PreparePortIn(ctx context.Context) error {
	if c.sandbox {
		return errors.New("this worker is a sandbox: no port-in leaves it")
	}
	return c.prepare(ctx, GroupPortIn)
}

// postPortIn sends a port-in, once.
func (c *carrier) postPortIn(ctx context.Context, p orders.Purchase, sendBy time.Time) orders.PostFact {
	in, err := portInOf(p)
	if err != nil {
		return unsendable(err)
	}
	created, err := c.client.CreatePortIn(ctx, in, sendBy)
	return c.answer(ctx, GroupPortIn, created, err)
}

// portInOf returns the port-in of a purchase.
func portInOf(p orders.Purchase) (bwclient.PortIn, error) {
	var f messages.PortInFields
	if err := json.Unmarshal(p.Fields, &f); err != nil {
		return bwclient.PortIn{}, fmt.Errorf("the fields of the port-in cannot be read: %w", err)
	}
	in := bwclient.PortIn{
		CustomerOrderID: p.CustomerOrderID, SiteID: p.SiteID, PeerID: p.PeerID, Numbers: p.Numbers, RequestedFocDate: f.RequestedFOCDate,
		BillingTelephoneNumber: f.BillingTelephoneNumber, NewBillingTelephoneNumber: f.NewBillingTelephoneNumber,
		LoaAuthorizingPerson: f.LOAAuthorizingPerson, TnAttributes: f.TnAttributes, Triggered: f.Triggered, PartialPort: f.PartialPort,
		AlternateSpid: f.AlternateSPID, TargetRespOrgID: f.TargetRespOrgID, Draft: f.IsDraft(),
	}
	if w := f.WirelessInfo; w != nil {
		in.WirelessInfo = &bwclient.WirelessInfo{AccountNumber: w.AccountNumber, PinNumber: w.PinNumber}
	}
	if s := f.Subscriber; s != nil {
		in.Subscriber = &bwclient.Subscriber{SubscriberType: s.SubscriberType, BusinessName: s.BusinessName, FirstName: s.FirstName, LastName: s.LastName}
		if a := s.ServiceAddress; a != nil {
			address := bwclient.ServiceAddress(*a)
			in.Subscriber.ServiceAddress = &address
		}
	}
	return in, nil
}

// sentWith returns the secrets of a port-in, nil where it has none or where they are not stored any more.
func sentWith(p orders.Purchase) *bwclient.WirelessInfo {
	in, err := portInOf(p)
	if err != nil {
		return nil
	}
	return in.WirelessInfo
}

// PollPortIn reads a port-in. Only a client that reads what surely exists takes a 404 for an order that is gone (P16). The
// numbers are those that the order lists once it is complete; who holds each one is not asked beside it: the order's own
// word is what Bandwidth bills by, and 5000 questions are not.
func (c *carrier) PollPortIn(ctx context.Context, p orders.Purchase, id orders.OrderID) orders.PollFact {
	failed := func(err error) orders.PollFact {
		return orders.PollFact{OrderID: id, Failed: true, Detail: err.Error()}
	}
	if err := c.enterRead(ctx); err != nil {
		return failed(err)
	}
	s, err := c.client.PortIn(ctx, bwclient.OrderID(id), sentWith(p))
	switch {
	case bwclient.StatusOf(err) == http.StatusNotFound:
		if control := c.positiveControl(ctx, p.SiteID); control != nil {
			c.readFailed(ctx, control)
			return failed(errors.Join(err, control))
		}
		return orders.PollFact{OrderID: id, Gone: true, Detail: err.Error()}
	case err != nil:
		c.readFailed(ctx, err)
		return failed(err)
	}
	c.vouch(ctx)
	f := orders.PollFact{OrderID: id, CustomerOrderID: s.CustomerOrderID, Status: s.Status, Errors: details(s.Errors)}
	if orders.WholeOrder(s.Status) {
		f.Completed = s.Numbers
	}
	for _, n := range s.Failed {
		f.FailedNumbers = append(f.FailedNumbers, orders.FailedNumber{Number: n.Number, Code: n.Code})
	}
	return f
}

// listed lists what carries a purchase's customer order id: orders, or port-ins under every status.
func (c *carrier) listed(ctx context.Context, p orders.Purchase) ([]bwclient.OrderSummary, error) {
	if p.PortIn {
		return c.client.PortInsByCustomerOrderID(ctx, p.CustomerOrderID, c.enterRead)
	}
	return c.client.OrdersByCustomerOrderID(ctx, p.CustomerOrderID)
}

// comparePortIn is compare for a port-in.
func (c *carrier) comparePortIn(ctx context.Context, p orders.Purchase, id bwclient.OrderID, fact *orders.LookFact) error {
	s, err := c.client.PortIn(ctx, id, sentWith(p))
	if bwclient.StatusOf(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	fact.Found = append(fact.Found, orders.FoundOrder{OrderID: orders.OrderID(id), CustomerOrderID: s.CustomerOrderID, Status: s.Status})
	return nil
}
