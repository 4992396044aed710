package worker

import "bandwidthworker/messages"

// advice says, for Bandwidth's codes that come with orders and port-ins, what a person can do. The meanings are those of
// Bandwidth's table of errors (docs/numbers/errors).
var advice = map[string]string{
	"1001":    "the credentials may not use this account: check account_id and the user's roles",
	"5004":    "the account is not set up for this vendor or tier: ask Bandwidth's support",
	"5005":    "the number is not for sale any more: order another one",
	"5011":    "the account is not set up for this vendor or tier: ask Bandwidth's support",
	"5012":    "the account is locked: ask Bandwidth's support; orders wait until then",
	"5016":    "site_id is not a sub-account of this account: list them with `worker sites`",
	"5017":    "only a part could be filled: replay the dead letter to order what is missing",
	"5018":    "none is available: try other numbers, or later",
	"5020":    "the site has no default SIP peer: set sip_peer, or a default peer at Bandwidth",
	"5022":    "site_id is missing",
	"5023":    "sip_peer does not belong to the site: list its peers with `worker peers SITE_ID`",
	"5033":    "the number was given back recently and cannot be brought back: order another one",
	"5034":    "the number was given back recently and cannot be brought back: order another one",
	"5042":    "the reservation had ended, and the order was sent once more without it: see what that ended with",
	"5043":    "the reservation had ended, and the order was sent once more without it: see what that ended with",
	"5062":    "this account needs a SIP peer in every order: set sip_peer",
	"5070":    "Bandwidth does not take this for a telephone number: correct it",
	"5094":    "the site is locked: ask Bandwidth's support",
	"5165":    "numbers of North America and others may not be ordered together: split the request",
	"5183":    "ordering is not enabled for this account: ask Bandwidth's support",
	"5218":    "another order is working on this number: wait for it, then replay",
	"5006":    "check the number and the account; a number that was bought since needs a disconnect of its own",
	"5109":    "the number is protected: say protected false, or use the mode normal",
	"changed": "publish a new disconnect if the number is to be released all the same",
	"unclear": "look at the number in Bandwidth's dashboard, and release it there",
	"7205":    "another port-in works on this number: look for it in Bandwidth's dashboard",
	"7206":    "the number is in service on the account already: there is nothing to port",
	"7309":    "site_id is not a sub-account of this account: list them with `worker sites`",
	"7312":    "sip_peer does not belong to the site: list its peers with `worker peers SITE_ID`",
	"7348":    "Bandwidth has suspended the order: wait, or ask its support",
	"5257":    "the account may not order outside North America: ask Bandwidth's support",
}

// adviceFor returns what to do about a code of Bandwidth's, or nothing.
func adviceFor(code string) string { return advice[code] }

// reasonAdvice says what to do about a reason of our own.
var reasonAdvice = map[messages.Reason]string{
	messages.ReasonMalformed:            "correct the message and publish it again",
	messages.ReasonInvalid:              "correct the message and publish it again",
	messages.ReasonConflict:             "use a request_id of its own for each request",
	messages.ReasonProvisioningDisabled: "set enable_provisioning to true, then replay",
	messages.ReasonCarrierDisabled:      `add "knm_bandwidth2" to carrier_modules of number_manager, then replay`,
	messages.ReasonCancelled:            "what was cancelled is not replayed as it is: publish dlq edit orders it again, publish dlq discard drops the letter",
	messages.ReasonExhausted:            "nothing was bought: replay when the cause is gone",
	messages.ReasonOutcomeUnknown:       "look at the numbers in Bandwidth's dashboard; a replay looks for the order again first",
}
