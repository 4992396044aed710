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
	// Porting orders wait for another carrier, or for a person who mends or submits them, for days or weeks.
	Porting
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

// PortInPhase is [PhaseOf] for a port-in. The words are those of Bandwidth's error 15518, and two that its own command
// line tool asks for. EXCEPTION is not final: whoever mends the order at Bandwidth sends it on its way again.
func PortInPhase(word string) (phase Phase, known bool) {
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "COMPLETE", "COMPLETED", "CANCELLED":
		return Done, true
	case "DRAFT", "VALIDATE_DRAFT_TFNS", "VALID_DRAFT_TFNS", "INVALID_DRAFT_TFNS", "VALIDATE_TFNS", "INVALID_TFNS", "PENDING_DOCUMENTS",
		"PENDING_CARRIER_APPROVAL", "MISSING_REQUIREMENTS", "SUBMITTED", "REQUESTED_SUPP", "FOC", "EXCEPTION", "SNAPBACK", "REQUESTED_CANCEL":
		return Porting, true
	default:
		return Porting, false
	}
}

// isDraft reports whether a port-in's word says that nobody has submitted it: Bandwidth drops such an order after a couple
// of days.
func isDraft(word string) bool {
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "DRAFT", "VALIDATE_DRAFT_TFNS", "VALID_DRAFT_TFNS", "INVALID_DRAFT_TFNS":
		return true
	default:
		return false
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
