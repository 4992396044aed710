package messages

// Kind is what a request asks for.
type Kind string

// The kinds of requests.
const (
	Search     Kind = "search"
	Provision  Kind = "provision"
	Disconnect Kind = "disconnect"
	PortIn     Kind = "portin"
	Cancel     Kind = "cancel"
	// Unknown stands on dead letters whose kind cannot be told.
	Unknown Kind = "unknown"
)

// Kinds lists the kinds that a request can have.
func Kinds() []Kind { return []Kind{Search, Provision, Disconnect, PortIn, Cancel} }

// Outcome is what an event reports.
type Outcome string

// The outcomes. Each order has exactly one of completed, partial and failed in each generation; the others are
// intermediate and may be missing.
const (
	Accepted    Outcome = "accepted"
	Submitted   Outcome = "submitted"
	Backordered Outcome = "backordered"
	Completed   Outcome = "completed"
	Partial     Outcome = "partial"
	Failed      Outcome = "failed"
)

// Final reports whether the outcome ends an order's generation.
func (o Outcome) Final() bool { return o == Completed || o == Partial || o == Failed }

// Reason says why an order failed or is partial.
type Reason string

// The reasons.
const (
	// ReasonMalformed: the request cannot be decoded, has a wrong type, an unknown field or kind.
	ReasonMalformed Reason = "malformed"
	// ReasonInvalid: the request was decoded and breaks a rule.
	ReasonInvalid Reason = "invalid"
	// ReasonConflict: the request id was used before with other content.
	ReasonConflict             Reason = "conflict"
	ReasonProvisioningDisabled Reason = "provisioning_disabled"
	ReasonCarrierDisabled      Reason = "carrier_disabled"
	// ReasonRejected: Bandwidth refused it; nothing was created.
	ReasonRejected Reason = "rejected"
	// ReasonBandwidthFailed: the order was created and ended FAILED.
	ReasonBandwidthFailed Reason = "bandwidth_failed"
	// ReasonIncomplete: the order ended PARTIAL; a replay orders only what is missing.
	ReasonIncomplete     Reason = "incomplete"
	ReasonNoNumbers      Reason = "no_numbers"
	ReasonCancelled      Reason = "cancelled"
	ReasonBudgetExceeded Reason = "budget_exceeded"
	// ReasonExhausted: it could not be placed in time, and surely nothing was bought.
	ReasonExhausted Reason = "exhausted"
	// ReasonOutcomeUnknown: numbers may have been bought; a person decides.
	ReasonOutcomeUnknown Reason = "outcome_unknown"
	ReasonPoison         Reason = "poison"
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{ReasonMalformed, ReasonInvalid, ReasonConflict, ReasonProvisioningDisabled, ReasonCarrierDisabled,
		ReasonRejected, ReasonBandwidthFailed, ReasonIncomplete, ReasonNoNumbers, ReasonCancelled, ReasonBudgetExceeded,
		ReasonExhausted, ReasonOutcomeUnknown, ReasonPoison}
}

// Headers of requests.
const (
	// HeaderReplayOf marks a replay; its value is the dead letter's id, "<key>.<generation>".
	HeaderReplayOf = "Bandwidth-Replay-Of"
	// HeaderAcceptDouble says that the sender takes the risk of buying twice, where nothing can rule it out.
	HeaderAcceptDouble = "Bandwidth-Accept-Double"
)
