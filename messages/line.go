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
	case Backordered:
		b.WriteString(": waits for stock at Bandwidth")
	case Completed:
		fmt.Fprintf(&b, ": %s", numbersText(e.Numbers))
	case Partial:
		fmt.Fprintf(&b, ": %s, %s", numbersText(e.Numbers), missingText(e))
	case Failed:
		fmt.Fprintf(&b, ": %s", missingText(e))
	}
	if e.Sandbox {
		b.WriteString(" (sandbox: nothing was bought)")
	}
	return b.String()
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
	for _, err := range e.Errors {
		b.WriteString("; ")
		if err.Code != string(e.Reason) {
			b.WriteString(err.Code + " ")
		}
		b.WriteString(err.Description)
	}
	return b.String()
}
