package messages_test

import (
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
		{messages.Event{Kind: messages.Search, Outcome: messages.Completed, Sandbox: true}, "completed   search a: no numbers"},
	} {
		c.event.RequestID = "a"
		if got := c.event.Line(); !strings.HasSuffix(got, "  "+c.want) {
			t.Errorf("the line is %q\nand should be     %q", got, c.want)
		}
	}
}

// TestBackorderOfANarrowPrefix: Bandwidth cannot keep what begins with a prefix that it does not know.
func TestBackorderOfANarrowPrefix(t *testing.T) {
	quantity, wait := 2, true
	for prefix, fits := range map[string]bool{
		"+1919": true, "+1919555": true, "+19195551": true, "+18": true, "+1855": true,
		"+19195": false, "+191955": false, "+191955512": false, "+18552": false,
	} {
		r := &messages.Request{RequestID: "a", Criteria: &messages.Criteria{Prefix: prefix}, Quantity: &quantity, Backorder: &wait}
		err := r.Validate(messages.Provision)
		if fits && err != nil || !fits && (err == nil || !strings.HasPrefix(err.Error(), `criteria.prefix: "`+prefix+`" cannot be waited for`)) {
			t.Errorf("%s: %v", prefix, err)
		}
		if wait := false; !fits {
			r.Backorder = &wait
			if err := r.Validate(messages.Provision); err != nil {
				t.Errorf("%s without a backorder: %v", prefix, err)
			}
		}
	}
}
