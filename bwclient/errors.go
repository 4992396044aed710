package bwclient

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Creation says whether a POST created something at Bandwidth.
type Creation int

// The answers. The zero value is the one that is safe to assume.
const (
	// CreationUnknown: it may have; ask before anything is sent again.
	CreationUnknown Creation = iota
	// NotCreated: surely not.
	NotCreated
	// WasCreated: surely.
	WasCreated
)

func (c Creation) String() string {
	switch c {
	case NotCreated:
		return "not created"
	case WasCreated:
		return "created"
	default:
		return "unknown"
	}
}

// Detail is one of Bandwidth's own errors.
type Detail struct {
	Code        string
	Description string
	// Number is the telephone number that it is about, in E.164; empty for none.
	Number string
}

// Errors that an [*Error] may wrap.
var (
	// ErrUnreadable: the answer is not what the call answers with; nothing can be concluded from it (a wrong base
	// URL, a gateway's page, cut off XML).
	ErrUnreadable = errors.New("the answer is not in the documented form")
	// ErrInvalidOrder: the order breaks a documented limit and was not sent.
	ErrInvalidOrder = errors.New("the order cannot be sent")
	// ErrTooLate: the time by which the request had to be sent had passed; it was not sent.
	ErrTooLate = errors.New("it was too late to send it")
)

// maxText bounds each text of somebody else's in the text of an [Error].
const maxText = 300

// Error is a call that did not succeed. Its text holds no secret.
type Error struct {
	// Op is what was tried, in words.
	Op     string
	Method string
	Path   string
	// OrderID and CustomerOrderID are of the order that the call was about; empty where it was about none.
	OrderID         OrderID
	CustomerOrderID string
	// StatusCode is the answer's; 0 where there was none.
	StatusCode int
	// Details are Bandwidth's own errors, in their order.
	Details []Detail
	// Creation says, of a POST, whether it created something. Of a read, and of a PUT, it is NotCreated.
	Creation Creation
	// RetryAt is when Bandwidth asks to be called again; zero where it does not say.
	RetryAt time.Time
	// Err is the cause; nil where the answer itself is.
	Err error

	notSent     bool
	credentials bool
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": HTTP %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	for i, d := range e.Details {
		if i == 3 {
			fmt.Fprintf(&b, "; and %d more", len(e.Details)-i)
			break
		}
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + oneLine(d.Code+" "+d.Description, maxText))
		if d.Number != "" {
			b.WriteString(" (" + d.Number + ")")
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CreationOf says whether the POST that ended with err created something; for nil it did. An error of another kind is
// [CreationUnknown].
func CreationOf(err error) Creation {
	if err == nil {
		return WasCreated
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Creation
	}
	return CreationUnknown
}

// NotSent reports whether surely no byte of the request left this machine, so that the same request may be sent again.
// Of an order that breaks a limit ([ErrInvalidOrder]) it is false: sending it again would end the same.
func NotSent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.notSent
}

// RetryAt returns when Bandwidth asks to be called again, by this machine's clock; for a 429 that does not say, one
// minute from the answer.
func RetryAt(err error) (time.Time, bool) {
	var e *Error
	if !errors.As(err, &e) || e.RetryAt.IsZero() {
		return time.Time{}, false
	}
	return e.RetryAt, true
}

// StatusOf returns the HTTP status of the answer, 0 where there was none.
func StatusOf(err error) int {
	var e *Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.StatusCode
}

// Codes returns the codes of Bandwidth's own errors in err, each once.
func Codes(err error) []string {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	var out []string
	for _, d := range e.Details {
		if d.Code != "" && !slices.Contains(out, d.Code) {
			out = append(out, d.Code)
		}
	}
	return out
}

// IsCredentials reports whether the credentials were refused, by the API or by the token endpoint.
func IsCredentials(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.credentials || e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden)
}

// ambiguousCode reports whether a code is one of Bandwidth's codes of failures on its side, after which an order may
// exist all the same: the table of errors (dev.bandwidth.com/numbers/error.html) asks to look first (1000, 1010:
// internal; 5003: provisioning failure; 5014, 5015, 5086: its own time ran out; of port-ins 7000, 7323, 7619, 7626: the
// time with other carriers ran out; 7348: processing is suspended; 7999: internal).
func ambiguousCode(code string) bool {
	switch code {
	case "1000", "1010", "5003", "5014", "5015", "5086", "7000", "7323", "7348", "7619", "7626", "7999":
		return true
	default:
		return false
	}
}

// vendorCode is the form of Bandwidth's codes. What has another one was written by something in between.
var vendorCode = regexp.MustCompile(`^\d{3,6}$`)

// creationOf classifies the answer to a POST that did not say 201 with an id. The details are those of an ErrorList;
// hasID says that an order's id stands in the answer all the same.
func creationOf(status int, details []Detail, hasID bool) Creation {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
		return NotCreated
	case http.StatusBadRequest:
		if len(details) == 0 || hasID {
			return CreationUnknown
		}
		for _, d := range details {
			if !vendorCode.MatchString(d.Code) || ambiguousCode(d.Code) {
				return CreationUnknown
			}
		}
		return NotCreated
	default:
		return CreationUnknown
	}
}

// maxMasked is how much of an answer that could not be decoded is masked for its excerpt: far more than the excerpt, so
// that a secret at the cut does not come into it.
const maxMasked = 64 << 10

// answerError makes the error of an answer.
func (c *Client) answerError(k call, resp *http.Response, body []byte) *Error {
	e := k.failed(nil)
	e.StatusCode, e.Details, e.RetryAt = resp.StatusCode, decodeDetails(body), retryAt(resp)
	secrets := c.auth.secrets()
	for i := range e.Details {
		d := &e.Details[i]
		d.Code, d.Description, d.Number = mask(d.Code, secrets), maskWords(mask(d.Description, secrets), k.secrets), mask(d.Number, secrets)
	}
	if len(e.Details) == 0 {
		if text := excerpt(maskWords(mask(string(body[:min(len(body), maxMasked)]), secrets), k.secrets)); text != "" {
			e.Err = fmt.Errorf("the answer reads %q", text)
		}
	}
	return e
}

// epochMilliseconds is the least value that is taken for milliseconds: as seconds it is the year 5138.
const epochMilliseconds = 100_000_000_000

// retryAt reads X-RateLimit-Reset, which Bandwidth sends in seconds (Dashboard) or milliseconds (the older platform),
// and Retry-After in both its forms (dev.bandwidth.com/numbers/rateLimits.html). A reset that lies behind us says
// that the clocks differ, and nothing else.
func retryAt(resp *http.Response) time.Time {
	now := time.Now()
	if v, err := strconv.ParseInt(strings.TrimSpace(resp.Header.Get("X-RateLimit-Reset")), 10, 64); err == nil && v > 0 {
		at := time.Unix(v, 0)
		if v >= epochMilliseconds {
			at = time.UnixMilli(v)
		}
		if at.After(now) {
			return at
		}
	}
	if v := strings.TrimSpace(resp.Header.Get("Retry-After")); v != "" {
		if seconds, err := strconv.ParseInt(v, 10, 32); err == nil && seconds >= 0 {
			return now.Add(time.Duration(seconds) * time.Second)
		}
		if at, err := http.ParseTime(v); err == nil && at.After(now) {
			return at
		}
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return now.Add(time.Minute)
	}
	return time.Time{}
}
