package messages

import (
	"fmt"
	"strings"
)

// Line returns the event as one line that a person understands.
func (e *Event) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-11s %s", e.OccurredAt.Format("15:04:05.000"), e.Outcome, e.Kind)
	if e.RequestID != "" {
		fmt.Fprintf(&b, " %s", e.RequestID)
	}
	if e.Tenant != "" && e.Tenant != NoTenant {
		fmt.Fprintf(&b, " of %s", e.Tenant)
	}
	if e.Generation > 1 {
		fmt.Fprintf(&b, " (replay %d)", e.Generation-1)
	}
	switch e.Outcome {
	case Accepted:
		b.WriteString(": taken in")
	case Submitted:
		fmt.Fprintf(&b, ": Bandwidth has it as order %s", e.BandwidthOrderID)
		if e.Kind == PortIn && e.BandwidthStatus != "" {
			b.WriteString(", " + e.BandwidthStatus)
		}
		b.WriteString(errorsText(e))
	case Backordered:
		if len(e.Numbers) > 0 {
			fmt.Fprintf(&b, ": has %s and waits for more stock at Bandwidth", numbersText(e.Numbers))
		} else {
			b.WriteString(": waits for stock at Bandwidth")
		}
	case Completed:
		fmt.Fprintf(&b, ": %s", e.doneText())
	case Partial:
		fmt.Fprintf(&b, ": %s, %s", e.doneText(), missingText(e))
	case Failed:
		fmt.Fprintf(&b, ": %s", missingText(e))
	}
	if e.Sandbox && e.Kind != Search {
		fmt.Fprintf(&b, " (sandbox: nothing was %s)", e.Kind.verb())
	}
	return b.String()
}

// verb says what a kind does to numbers, or to an order.
func (k Kind) verb() string {
	switch k {
	case Disconnect:
		return "released"
	case Cancel:
		return "closed"
	case PortIn:
		return "ported"
	default:
		return "bought"
	}
}

// doneText says what was reached.
func (e *Event) doneText() string {
	switch {
	case e.Kind == Cancel:
		return "nothing more is bought"
	case e.Kind == Disconnect:
		return "released " + numbersText(e.Numbers)
	case e.Kind == PortIn:
		return "ported " + numbersText(e.Numbers)
	default:
		return numbersText(e.Numbers)
	}
}

func numbersText(numbers []string) string {
	switch len(numbers) {
	case 0:
		return "no numbers"
	case 1, 2, 3:
		return strings.Join(numbers, " ")
	default:
		return fmt.Sprintf("%s and %d more", numbers[0], len(numbers)-1)
	}
}

func missingText(e *Event) string {
	var b strings.Builder
	b.WriteString(string(e.Reason))
	if n := len(e.FailedNumbers); n > 0 {
		failed := make([]string, n)
		for i, f := range e.FailedNumbers {
			failed[i] = f.Number
		}
		b.WriteString(", not " + numbersText(failed))
	}
	if e.Reason == ReasonCancelled && e.Kind != PortIn {
		return b.String() // whoever cancelled it knows why
	}
	return b.String() + errorsText(e)
}

// errorsText lists the event's errors.
func errorsText(e *Event) string {
	var b strings.Builder
	for _, err := range e.Errors {
		b.WriteString("; ")
		if err.Code != string(e.Reason) {
			b.WriteString(err.Code + " ")
		}
		b.WriteString(err.Description)
	}
	return b.String()
}
