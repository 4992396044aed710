package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bandwidthworker/messages"
)

// TestLineIsLocal: an event's line and the history of its order show the clock of this place, whatever zone they name.
func TestLineIsLocal(t *testing.T) {
	at := time.Date(2026, 11, 25, 3, 4, 5, 0, time.FixedZone("elsewhere", 13*60*60+37*60))
	want := at.Local().Format("15:04:05.000") + "  accepted "
	if got := line(messages.Event{OccurredAt: at, Kind: messages.Provision, Outcome: messages.Accepted}); !strings.HasPrefix(got, want) {
		t.Errorf("the line is %q; want %q", got, want)
	}
	var out bytes.Buffer
	(&program{stdout: &out}).order(orderView{Kind: messages.Provision, History: []messages.HistoryEntry{{At: at, What: "accepted"}}})
	if want := "\n  " + at.Local().Format(time.RFC3339) + "  accepted\n"; !strings.Contains(out.String(), want) {
		t.Errorf("the history is\n%s\nwant %q", &out, want)
	}
}

// TestOrderView: what was asked for, and what a state means, in words.
func TestOrderView(t *testing.T) {
	for _, c := range []struct {
		view  orderView
		lines []string // each is shown
		not   string   // is not
	}{
		{
			orderView{Kind: messages.Provision, Quantity: 2, Criteria: json.RawMessage(`{"area_code":"919","state":"NC","local_vanity":"HOME","ends_in":true}`), State: "submitted"},
			[]string{"request  r, provision of 2 numbers, taken in ", "  by area_code 919, state NC, local_vanity HOME, at the number's end\n"}, "cancel",
		},
		{
			orderView{Kind: messages.Provision, Quantity: 1, Backorder: true, Criteria: json.RawMessage(`{"rate_center":"DURHAM","state":"NC","local_calling_area":true}`), State: "backordered", CancelledBy: "k2"},
			[]string{"request  r, provision of 1 number that it may wait for, ", "  by rate_center DURHAM, state NC, and a local call away\n", "  the cancel k2 is to close it\n"}, "closed by",
		},
		{
			orderView{
				Kind: messages.Provision, Asked: []string{"+19195550001"}, State: "failed", Reason: "cancelled", Detail: "it was cancelled", CancelledBy: "k2",
				Errors: []messages.EventError{{Code: "cancelled", Description: "it was cancelled", Advice: "edit it"}},
			},
			[]string{"state    failed: cancelled\n  closed by the cancel k2\n  it was cancelled\n    edit it\n"}, "error",
		},
		{
			orderView{Kind: messages.Disconnect, Asked: []string{"+19195550001"}, Numbers: []string{"+19195550001"}, State: "completed", Sandbox: true, Mode: "purge", Protected: "false"},
			[]string{"request  r, disconnect of 1 number, mode purge, protected false, ", "state    completed (sandbox: nothing was released)\n  released +19195550001\n"}, "has",
		},
		{
			orderView{Kind: messages.Cancel, Cancels: "k1", State: "completed", Sandbox: true},
			[]string{"request  r, cancel of order k1, ", "state    completed (sandbox: nothing was closed)\n"}, "numbers",
		},
	} {
		var out bytes.Buffer
		c.view.RequestID = "r"
		(&program{stdout: &out}).order(c.view)
		for _, want := range c.lines {
			if !strings.Contains(out.String(), want) {
				t.Errorf("it does not show %q:\n%s", want, &out)
			}
		}
		if strings.Contains(out.String(), c.not) {
			t.Errorf("it shows %q:\n%s", c.not, &out)
		}
	}
}
