package orders

import (
	"slices"
	"strings"
)

// Bandwidth's words are bounded before they are stored: a record must stay writable whatever comes back from a POST
// (P40).
const (
	maxWord        = 64  // a status or a code
	maxDescription = 300 // the description of an error
	maxDetail      = 600 // a line of the history
	maxCodes       = 50  // errors of one answer
)

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// keep returns the errors that are stored of an answer: each code once, with the first description it came with (P40).
// Bandwidth may give one for each number, with the number in its words.
func keep(list []VendorError) []VendorError {
	var out []VendorError
	for _, e := range list {
		e.Code, e.Description = clip(e.Code, maxWord), clip(e.Description, maxDescription)
		known := slices.ContainsFunc(out, func(k VendorError) bool { return k.Code == e.Code })
		if !known && (len(out) < maxCodes || e.Code == codePending) {
			out = append(out, e)
		}
	}
	return out
}
