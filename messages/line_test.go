package messages_test

import (
	"errors"
	"strings"
	"testing"

	"bandwidthworker/messages"
)

// TestLineOfEveryKind: each kind says in its own words what was reached.
func TestLineOfEveryKind(t *testing.T) {
	one, two := []string{"+19195550001"}, []string{"+19195550001", "+19195550002"}
	for _, c := range []struct {
		event messages.Event
		want  string
	}{
		{messages.Event{Kind: messages.Provision, Outcome: messages.Accepted}, "accepted    provision a: taken in"},
		{messages.Event{Kind: messages.Provision, Outcome: messages.Backordered}, "backordered provision a: waits for stock at Bandwidth"},
		{messages.Event{Kind: messages.Provision, Outcome: messages.Backordered, Numbers: one}, "backordered provision a: has +19195550001 and waits for more stock at Bandwidth"},
		{messages.Event{Kind: messages.Provision, Outcome: messages.Completed, Numbers: two, Sandbox: true}, "completed   provision a: +19195550001 +19195550002 (sandbox: nothing was bought)"},
		{messages.Event{Kind: messages.Provision, Outcome: messages.Partial, Numbers: one, Reason: messages.ReasonCancelled, Errors: []messages.EventError{
			{Code: "5017", Description: "Only a partial quantity"}, {Code: "cancelled", Description: "it was cancelled"},
		}}, "partial     provision a: +19195550001, cancelled"},
		{messages.Event{Kind: messages.Provision, Outcome: messages.Failed, Reason: messages.ReasonNoNumbers, Errors: []messages.EventError{
			{Code: "no_numbers", Description: "none fit"},
		}}, "failed      provision a: no_numbers; none fit"},
		{messages.Event{Kind: messages.Disconnect, Outcome: messages.Submitted, BandwidthOrderID: "d7"}, "submitted   disconnect a: Bandwidth has it as order d7"},
		{messages.Event{Kind: messages.Disconnect, Outcome: messages.Completed, Numbers: two}, "completed   disconnect a: released +19195550001 +19195550002"},
		{messages.Event{Kind: messages.Disconnect, Outcome: messages.Completed, Numbers: one, Sandbox: true}, "completed   disconnect a: released +19195550001 (sandbox: nothing was released)"},
		{messages.Event{Kind: messages.Disconnect, Outcome: messages.Partial, Reason: messages.ReasonIncomplete, Numbers: one, FailedNumbers: []messages.FailedNumber{{Number: two[1], Code: "5006"}}, Errors: []messages.EventError{
			{Code: "5006", Description: "not on the account"},
		}}, "partial     disconnect a: released +19195550001, incomplete, not +19195550002; 5006 not on the account"},
		{messages.Event{Kind: messages.Cancel, Outcome: messages.Completed, Numbers: []string{}}, "completed   cancel a: nothing more is bought"},
		{messages.Event{Kind: messages.Cancel, Outcome: messages.Completed, Sandbox: true}, "completed   cancel a: nothing more is bought (sandbox: nothing was closed)"},
		{messages.Event{Kind: messages.PortIn, Outcome: messages.Submitted, BandwidthOrderID: "p7", BandwidthStatus: "FOC"}, "submitted   portin a: Bandwidth has it as order p7, FOC"},
		{messages.Event{Kind: messages.PortIn, Outcome: messages.Submitted, BandwidthOrderID: "p7", BandwidthStatus: "EXCEPTION", Errors: []messages.EventError{
			{Code: "7205", Description: "on another order"},
		}}, "submitted   portin a: Bandwidth has it as order p7, EXCEPTION; 7205 on another order"},
		{messages.Event{Kind: messages.PortIn, Outcome: messages.Completed, Numbers: two}, "completed   portin a: ported +19195550001 +19195550002"},
		{messages.Event{Kind: messages.PortIn, Outcome: messages.Completed, Numbers: one, Sandbox: true}, "completed   portin a: ported +19195550001 (sandbox: nothing was ported)"},
		{messages.Event{Kind: messages.PortIn, Outcome: messages.Failed, Reason: messages.ReasonCancelled, FailedNumbers: []messages.FailedNumber{{Number: one[0]}}, Errors: []messages.EventError{
			{Code: "7205", Description: "on another order"}, {Code: "cancelled", Description: "Bandwidth shows it as CANCELLED"},
		}}, "failed      portin a: cancelled, not +19195550001; 7205 on another order; Bandwidth shows it as CANCELLED"},
		{messages.Event{Kind: messages.Search, Outcome: messages.Completed, Sandbox: true}, "completed   search a: no numbers"},
	} {
		c.event.RequestID = "a"
		if got := c.event.Line(); !strings.HasSuffix(got, "  "+c.want) {
			t.Errorf("the line is %q\nand should be     %q", got, c.want)
		}
	}
}

// TestBackorderOfCriteria: Bandwidth takes no backorder of an exchange, a block or vanity numbers (5522), and cannot keep
// what begins with a prefix that it does not know.
func TestBackorderOfCriteria(t *testing.T) {
	quantity, wait, no := 2, true, false
	prefix := func(p string) messages.Criteria { return messages.Criteria{Prefix: p} }
	for _, c := range []struct {
		criteria messages.Criteria
		refusal  string // the beginning; empty for none
	}{
		{prefix("+1919"), ""}, {prefix("+18"), ""}, {prefix("+1855"), ""},
		{messages.Criteria{AreaCode: "919", RateCenter: "RALEIGH", State: "NC"}, ""},
		{messages.Criteria{City: "RALEIGH", State: "NC"}, ""}, {messages.Criteria{State: "NC"}, ""}, {messages.Criteria{Zip: "27601"}, ""},
		{messages.Criteria{LATA: "426"}, ""}, {messages.Criteria{TollFreeWildcard: "8**"}, ""},
		{prefix("+1919555"), `criteria.prefix: "+1919555"`}, {prefix("+19195551"), `criteria.prefix: "+19195551"`},
		{prefix("+19195"), `criteria.prefix: "+19195"`}, {prefix("+191955"), `criteria.prefix: "+191955"`},
		{prefix("+191955512"), `criteria.prefix: "+191955512"`}, {prefix("+18552"), `criteria.prefix: "+18552"`},
		{messages.Criteria{NPANXX: "919555"}, `criteria.npa_nxx: "919555"`},
		{messages.Criteria{NPANXXX: "9195551", State: "NC"}, `criteria.npa_nxx_x: "9195551"`},
		{messages.Criteria{LocalVanity: "CALL", AreaCode: "919"}, `criteria.local_vanity: "CALL"`},
		{messages.Criteria{TollFreeVanity: "FLOWERS"}, `criteria.toll_free_vanity: "FLOWERS"`},
	} {
		r := &messages.Request{RequestID: "a", Criteria: &c.criteria, Quantity: &quantity, Backorder: &wait}
		err := r.Validate(messages.Provision)
		var refused *messages.RequestError
		switch errors.As(err, &refused); {
		case c.refusal == "" && err != nil:
			t.Errorf("%+v: %v", c.criteria, err)
		case c.refusal != "" && (refused == nil || refused.Reason != messages.ReasonInvalid || !strings.HasPrefix(refused.Text, c.refusal+" cannot be waited for: Bandwidth takes")):
			t.Errorf("%+v: %v, want the refusal of %s", c.criteria, err, c.refusal)
		}
		r.Backorder = &no
		if err := r.Validate(messages.Provision); err != nil {
			t.Errorf("%+v without a backorder: %v", c.criteria, err)
		}
	}
}
