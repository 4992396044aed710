package worker

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/orders"
)

// portIn is a port-in of one number.
func (b *bed) portIn() orders.Purchase {
	p := b.purchase(bedNumber)
	p.PortIn, p.Name, p.Fields = true, "", json.RawMessage(`{"loa_authorizing_person":"The Authguy","draft":true}`)
	return p
}

// TestP16_GonePortIn: a 404 means that a port-in is gone only to a client that reads what surely exists.
func TestP16_GonePortIn(t *testing.T) {
	b := newBed(t, nil)
	b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSites, Times: 1, Kind: bwfake.ErrorBefore, Status: http.StatusInternalServerError})
	if f := b.carrier().PollPortIn(t.Context(), b.portIn(), "nobody-knows-it"); f.Gone || !f.Failed {
		t.Errorf("with the sites out of reach: %+v", f)
	}
	if f := b.carrier().PollPortIn(t.Context(), b.portIn(), "nobody-knows-it"); !f.Gone || f.Failed {
		t.Errorf("with the sites read: %+v", f)
	}
}

// TestP16_GonePortInWithoutASite: where no site is configured, the request's own tells whether this client can read.
func TestP16_GonePortInWithoutASite(t *testing.T) {
	b := newBed(t, func(o *Options) { o.Site, o.Peer = "", "" })
	p := b.portIn()
	p.SiteID = "nobody-has-it"
	if f := b.carrier().PollPortIn(t.Context(), p, "nobody-knows-it"); f.Gone || !f.Failed {
		t.Errorf("with a site that is not there: %+v", f)
	}
	p.SiteID = "1234"
	if f := b.carrier().PollPortIn(t.Context(), p, "nobody-knows-it"); !f.Gone || f.Failed {
		t.Errorf("with the request's site: %+v", f)
	}
}

// TestPollRepeatsNoSecret: what Bandwidth says of a port-in goes into events and the log without the secrets that it was
// sent with.
func TestPollRepeatsNoSecret(t *testing.T) {
	b := newBed(t, nil)
	p := b.portIn()
	p.Fields = json.RawMessage(`{"wireless_info":{"account_number":"771297665AABC","pin_number":"4711"}}`)
	b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortInGet, Kind: bwfake.ErrorBefore, Status: http.StatusOK, ContentType: "application/xml",
		Body: `<LnpOrderResponse><Errors><Code>7331</Code><Description>PIN 4711 does not fit account 771297665AABC</Description></Errors><ProcessingStatus>EXCEPTION</ProcessingStatus></LnpOrderResponse>`})
	f := b.carrier().PollPortIn(t.Context(), p, "0f0e0d0c-0000-4000-8000-000000000001")
	if len(f.Errors) != 1 || f.Errors[0].Description != "PIN *** does not fit account ***" {
		t.Errorf("%+v", f)
	}
}

// TestP22_AnswersToAPortIn: the group PORT_IN is held back by what says nothing about the order, and orders go on.
func TestP22_AnswersToAPortIn(t *testing.T) {
	refusal := "<LnpOrderResponse><Errors><Code>7309</Code><Description>d</Description></Errors></LnpOrderResponse>"
	for _, c := range []struct {
		status int
		body   string
		state  orders.PostState
		paused bool
	}{
		{http.StatusForbidden, "", orders.PostOpen, true}, {http.StatusTooManyRequests, "", orders.PostOpen, true},
		{http.StatusBadRequest, refusal, orders.PostRefused, false}, {http.StatusInternalServerError, refusal, orders.PostUnknown, false},
		{http.StatusCreated, `<LnpOrderResponse><OrderId>p-1</OrderId><Errors><Code>7205</Code></Errors><ProcessingStatus>EXCEPTION</ProcessingStatus></LnpOrderResponse>`, orders.PostCreated, false},
	} {
		b := newBed(t, nil)
		b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortIn, Times: 1, Kind: bwfake.ErrorBefore, Status: c.status, Body: c.body, ContentType: "application/xml"})
		if err := b.carrier().PreparePortIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		f := b.carrier().Place(t.Context(), b.portIn(), time.Now().Add(2*time.Second))
		if f.State != c.state || f.Paused != c.paused {
			t.Errorf("HTTP %d: %+v", c.status, f)
		}
		if c.state == orders.PostCreated && (f.OrderID != "p-1" || f.Status != "EXCEPTION" || len(f.Errors) != 1 || f.Errors[0].Code != "7205") {
			t.Errorf("created: %+v", f)
		}
		var hold *orders.HoldError
		held := b.driver.Conditions()
		if err := b.carrier().PreparePortIn(t.Context()); errors.As(err, &hold) != c.paused || held.PortInsHeldUntil.IsZero() == c.paused || !held.OrdersHeldUntil.IsZero() {
			t.Errorf("HTTP %d: the next port-in is held back with %v, the conditions are %+v", c.status, err, held)
		}
		if err := b.carrier().Prepare(t.Context()); err != nil {
			t.Errorf("HTTP %d: orders are held back as well: %v", c.status, err)
		}
	}
}

// TestP16_LookForADraft: a draft is found though lists leave drafts out, by whoever lists it without its customer order id
// too; a walk that breaks off is no look.
func TestP16_LookForADraft(t *testing.T) {
	b := newBed(t, nil)
	if f := b.carrier().Place(t.Context(), b.portIn(), time.Now().Add(2*time.Second)); f.State != orders.PostCreated || f.Status != "DRAFT" {
		t.Fatalf("%+v", f)
	}
	b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Times: 1, Kind: bwfake.ErrorBefore, Status: http.StatusForbidden})
	if f := b.carrier().Look(t.Context(), b.portIn(), true); f.Counted || len(f.Found) != 0 {
		t.Errorf("a list that is forbidden: %+v", f)
	}
	for _, unnamed := range []bool{false, true} {
		if unnamed {
			b.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointPortInList, Kind: bwfake.NoCustomerOrderID})
		}
		f := b.carrier().Look(t.Context(), b.portIn(), true)
		if !f.Counted || len(f.Found) != 1 || f.Found[0].CustomerOrderID != b.portIn().CustomerOrderID || f.Found[0].Status != "DRAFT" {
			t.Errorf("unnamed %t: %+v", unnamed, f)
		}
	}
	other := b.portIn()
	other.CustomerOrderID += "-2"
	if f := b.carrier().Look(t.Context(), other, true); !f.Counted || len(f.Found) != 0 || b.sim.Calls(bwfake.EndpointNumber) != 0 {
		t.Errorf("another one: %+v, and %d numbers were asked about", f, b.sim.Calls(bwfake.EndpointNumber))
	}
}

// TestSandboxSendsNoPortIn: nothing leaves a sandbox, whoever asks.
func TestSandboxSendsNoPortIn(t *testing.T) {
	b := newBed(t, func(o *Options) { o.Sandbox = true })
	f := b.carrier().Place(t.Context(), b.portIn(), time.Now().Add(2*time.Second))
	if err := b.carrier().PreparePortIn(t.Context()); err == nil || f.State != orders.PostOpen || b.sim.Calls(bwfake.EndpointPortIn) != 0 {
		t.Errorf("%v, %+v, %d POSTs", err, f, b.sim.Calls(bwfake.EndpointPortIn))
	}
}
