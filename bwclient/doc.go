// Package bwclient speaks Bandwidth's Numbers API, version 1 (XML over HTTPS).
//
// A [Client] sends each call once: it never retries, never follows redirects, and bounds every body. Its errors
// answer what a caller who spends money has to know: was the order created, not created, or is that unknown
// ([CreationOf]); did a byte of the request leave at all ([NotSent]); when may it be sent again ([RetryAt]).
//
// Numbers are E.164 (+19195551234) in this package and ten digits on the wire.
//
// The vendor's facts are those of its reference for the Numbers API (dev.bandwidth.com/apis/numbers), its guides
// (dev.bandwidth.com/docs/numbers) and recorded answers; where they conflict, both are accepted.
package bwclient
