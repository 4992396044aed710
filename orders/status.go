package orders

import (
	"slices"
	"strings"
)

// Outcomes of a generation.
const (
	Completed = "completed"
	Partial   = "partial"
	Failed    = "failed"
)

// Reasons of outcomes that an order itself can reach.
const (
	ReasonProvisioningDisabled = "provisioning_disabled"
	ReasonCarrierDisabled      = "carrier_disabled"
	ReasonRejected             = "rejected"
	ReasonBandwidthFailed      = "bandwidth_failed"
	ReasonIncomplete           = "incomplete"
	ReasonNoNumbers            = "no_numbers"
	ReasonCancelled            = "cancelled"
	ReasonExhausted            = "exhausted"
	ReasonOutcomeUnknown       = "outcome_unknown"
)

// Phase is what a status word of Bandwidth's means for us.
type Phase int

// The phases of a Bandwidth order.
const (
	// Pending orders are polled again, without a deadline.
	Pending Phase = iota
	// Waiting orders wait for stock, for days perhaps; they may hold some numbers already.
	Waiting
	// Done orders will not change again.
	Done
)

// codePending is Bandwidth's "order is pending", which running orders carry in their ErrorList.
const codePending = "5019"

// PhaseOf maps Bandwidth's word for an order's status, with the order's errors, to its phase; known is false for a
// word that is not documented for number orders. Such a word means pending: giving up on a live order costs money.
// The words are documented in Bandwidth's guide to advanced ordering; COMPLETED is its prose for COMPLETE.
func PhaseOf(word string, errs []VendorError) (phase Phase, known bool) {
	pending := slices.ContainsFunc(errs, func(e VendorError) bool { return e.Code == codePending })
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "RECEIVED":
		return Pending, true
	case "BACKORDERED":
		return Waiting, true
	case "COMPLETE", "COMPLETED", "PARTIAL", "FAILED":
		if pending {
			return Pending, false
		}
		return Done, true
	default:
		return Pending, false
	}
}

// NumbersUnclear reports whether a final answer leaves open which numbers were bought (P24): COMPLETE or PARTIAL
// without numbers, FAILED with some, or a quantity that differs from the list.
func NumbersUnclear(word string, completed []string, quantity *int) bool {
	if quantity != nil && *quantity != len(completed) {
		return true
	}
	if strings.EqualFold(strings.TrimSpace(word), "FAILED") {
		return len(completed) != 0
	}
	return len(completed) == 0
}

// takenByOthers reports whether a refusal says only that numbers are not for sale any more: 5005 unavailable, 5018
// none available, 5041 not available to reserve, 5218 on another order. By criteria, others can be found.
func takenByOthers(errs []VendorError) bool {
	for _, e := range errs {
		switch e.Code {
		case "5005", "5018", "5041", "5218":
		default:
			return false
		}
	}
	return len(errs) > 0
}

// WholeOrder reports whether Bandwidth's final word covers everything that an order asked for.
func WholeOrder(word string) bool {
	word = strings.TrimSpace(word)
	return strings.EqualFold(word, "COMPLETE") || strings.EqualFold(word, "COMPLETED")
}
