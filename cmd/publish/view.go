package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bandwidthworker/messages"
)

// orderView is an order that is shown to a person.
type orderView messages.OrderView

// order prints an order for a person.
func (p *program) order(v orderView) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(p.stdout, format+"\n", args...) }
	say("order    %s", v.Key)
	request := v.RequestID
	if v.Tenant != "" && v.Tenant != messages.NoTenant {
		request += " of " + v.Tenant
	}
	say("request  %s, %s, taken in %s", request, v.asks(), v.AcceptedAt.Local().Format(time.RFC3339))
	if words := v.criteria(); words != "" {
		say("  by %s", words)
	}
	state := v.State
	if v.Reason != "" {
		state += ": " + v.Reason
	}
	if v.Generation > 1 {
		state += fmt.Sprintf(" (replay %d)", v.Generation-1)
	}
	has, nothing := "has", "bought"
	if v.Kind == messages.PortIn {
		has, nothing = "ported", "ported"
	}
	switch v.Kind {
	case messages.Disconnect:
		has, nothing = "released", "released"
	case messages.Cancel:
		nothing = "closed"
	}
	if v.Sandbox {
		state += fmt.Sprintf(" (sandbox: nothing was %s)", nothing)
	}
	say("state    %s", state)
	switch {
	case v.CancelledBy != "" && v.State == "partial", v.CancelledBy != "" && v.State == "failed":
		say("  closed by the cancel %s", v.CancelledBy)
	case v.CancelledBy != "":
		say("  the cancel %s is to close it", v.CancelledBy)
	}
	if v.Detail != "" {
		say("  %s", v.Detail)
	}
	for _, n := range v.Numbers {
		say("  %s %s", has, n)
	}
	for _, f := range v.FailedNumbers {
		say("  not %s %s", f.Number, f.Code)
	}
	for _, e := range v.Errors {
		if e.Code == v.Reason && e.Description == v.Detail {
			if e.Advice != "" {
				say("    %s", e.Advice)
			}
			continue // it stands above
		}
		say("  error %s %s", e.Code, e.Description)
		if e.Advice != "" {
			say("    %s", e.Advice)
		}
	}
	for _, b := range v.BandwidthOrders {
		id := ""
		if b.CustomerOrderID != "" { // a disconnect has none
			id = " customer order id " + b.CustomerOrderID + ","
		}
		say("  at Bandwidth: order %s,%s %s", b.OrderID, id, b.Status)
	}
	if len(v.History) > 0 {
		say("history")
	}
	for _, h := range v.History {
		say("%s", strings.TrimRight(fmt.Sprintf("  %s  %s %s", h.At.Local().Format(time.RFC3339), h.What, h.Detail), " "))
	}
}

// asks says what the order's last generation asks for.
func (v *orderView) asks() string {
	switch {
	case v.Kind == messages.Cancel:
		return "cancel of order " + v.Cancels
	case len(v.Criteria) > 0 && v.Backorder:
		return fmt.Sprintf("%s of %s that it may wait for", v.Kind, count(v.Quantity))
	}
	wanted := len(v.Asked)
	if len(v.Criteria) > 0 {
		wanted = v.Quantity
	}
	text := fmt.Sprintf("%s of %s", v.Kind, count(wanted))
	if v.Reserve {
		text += ", reserved first"
	}
	if v.Draft {
		text += ", held as a draft"
	}
	if v.Mode != "" {
		text += ", mode " + v.Mode
	}
	if v.Protected != "" {
		text += ", protected " + v.Protected
	}
	return text
}

// criteria returns the criteria as words, in the order in which the request's fields stand; nothing where there are none.
func (v *orderView) criteria() string {
	if len(v.Criteria) == 0 {
		return ""
	}
	var known messages.Criteria
	if json.Unmarshal(v.Criteria, &known) != nil {
		return string(v.Criteria)
	}
	var words []string
	for _, w := range []struct{ name, value string }{
		{"prefix", known.Prefix}, {"area_code", known.AreaCode}, {"npa_nxx", known.NPANXX}, {"npa_nxx_x", known.NPANXXX},
		{"rate_center", known.RateCenter}, {"city", known.City}, {"state", known.State}, {"zip", known.Zip}, {"lata", known.LATA},
		{"local_vanity", known.LocalVanity}, {"toll_free_vanity", known.TollFreeVanity}, {"toll_free_wildcard", known.TollFreeWildcard},
	} {
		if w.value != "" {
			words = append(words, w.name+" "+w.value)
		}
	}
	if known.EndsIn != nil && *known.EndsIn {
		words = append(words, "at the number's end")
	}
	if known.LocalCallingArea != nil && *known.LocalCallingArea {
		words = append(words, "and a local call away")
	}
	return strings.Join(words, ", ")
}

// count says how many numbers there are.
func count(n int) string {
	if n == 1 {
		return "1 number"
	}
	return fmt.Sprintf("%d numbers", n)
}
