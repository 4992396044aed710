package messages

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DefaultPrefix is the subject prefix where none is configured.
const DefaultPrefix = "bandwidth"

// NoTenant stands in subjects where there is no tenant.
const NoTenant = "_"

var (
	tokenShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	keyShape   = regexp.MustCompile(`^[a-z2-7]{20}$`)
	keyCoding  = base32.StdEncoding.WithPadding(base32.NoPadding)
)

// Names gives every name on the bus under one subject prefix. Two fleets on one account are told apart by it, and it
// is part of every key (P32). The zero value is not usable; [NewNames] makes one.
type Names struct{ prefix string }

// NewNames returns the names under a prefix of 1 to 32 letters, digits, dashes and underscores.
func NewNames(prefix string) (Names, error) {
	if !tokenShape.MatchString(prefix) {
		return Names{}, fmt.Errorf("subject_prefix %q: use 1 to 32 letters, digits, - and _", prefix)
	}
	return Names{prefix: prefix}, nil
}

// Prefix returns the subject prefix.
func (n Names) Prefix() string { return n.prefix }

func (n Names) subject(tokens ...string) string {
	return n.prefix + ".v1." + strings.Join(tokens, ".")
}

func tenantToken(tenant string) string {
	if tenant == "" {
		return NoTenant
	}
	return tenant
}

// Request returns the subject of requests of a kind; an empty tenant adds no token.
func (n Names) Request(kind Kind, tenant string) string {
	if tenant == "" {
		return n.subject("request", string(kind))
	}
	return n.subject("request", string(kind), tenant)
}

// RequestFilter matches every request.
func (n Names) RequestFilter() string { return n.subject("request", ">") }

// Timer returns the subject of an order's timer.
func (n Names) Timer(key string) string { return n.subject("timer", key) }

// Due returns the subject of an order's ticks.
func (n Names) Due(key string) string { return n.subject("due", key) }

// DueFilter matches every tick.
func (n Names) DueFilter() string { return n.subject("due", "*") }

// Event returns the subject of an event.
func (n Names) Event(kind Kind, outcome Outcome, tenant, key string) string {
	return n.subject("event", string(kind), string(outcome), tenantToken(tenant), key)
}

// EventFilter matches every event.
func (n Names) EventFilter() string { return n.subject("event", ">") }

// EventType returns the CloudEvents type of an event. It does not depend on the prefix.
func (n Names) EventType(kind Kind, outcome Outcome) string {
	return DefaultPrefix + ".v1." + string(kind) + "." + string(outcome)
}

// DeadLetter returns the subject of a dead letter.
func (n Names) DeadLetter(kind Kind, reason Reason, tenant, key string) string {
	return n.subject("dlq", string(kind), string(reason), tenantToken(tenant), key)
}

// DeadLetterFilter matches every dead letter.
func (n Names) DeadLetterFilter() string { return n.subject("dlq", ">") }

// API returns the subject of an endpoint of the micro service.
func (n Names) API(endpoint string) string { return n.subject("api", endpoint) }

// Service returns the name of the micro service.
func (n Names) Service() string { return n.prefix }

func (n Names) stream(name string) string { return strings.ToUpper(n.prefix) + "_" + name }

// RequestsStream returns the name of the stream of requests.
func (n Names) RequestsStream() string { return n.stream("REQUESTS") }

// TimersStream returns the name of the stream of timers and ticks.
func (n Names) TimersStream() string { return n.stream("TIMERS") }

// EventsStream returns the name of the stream of events.
func (n Names) EventsStream() string { return n.stream("EVENTS") }

// DLQStream returns the name of the stream of dead letters.
func (n Names) DLQStream() string { return n.stream("DLQ") }

// OrdersBucket returns the name of the ledger's bucket.
func (n Names) OrdersBucket() string { return n.prefix + "_orders" }

// OpenBucket returns the name of the bucket that indexes the unfinished orders.
func (n Names) OpenBucket() string { return n.prefix + "_open" }

// NumbersBucket returns the name of the bucket of the numbers held.
func (n Names) NumbersBucket() string { return n.prefix + "_numbers" }

// ControlBucket returns the name of the bucket of fleet-wide pauses and budgets.
func (n Names) ControlBucket() string { return n.prefix + "_control" }

// Consumers' durable names.
const (
	WorkersConsumer = "workers"
	TimersConsumer  = "timers"
)

// Key returns the key of the order of a request: the first 20 characters of lower-case base32 of SHA-256 over the
// prefix, the tenant ("_" if none) and the request id, joined by newlines.
func (n Names) Key(tenant, requestID string) string {
	return hashKey(n.prefix, tenantToken(tenant), requestID)
}

// LetterlessKey returns the key of a search, or of a failure that touches no order: of the subject, the body and the message's
// sequence in its stream (P27).
func (n Names) LetterlessKey(subject string, body []byte, sequence uint64) string {
	return hashKey(subject, string(body), strconv.FormatUint(sequence, 10))
}

func hashKey(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return strings.ToLower(keyCoding.EncodeToString(sum[:]))[:20]
}

// ValidKey reports whether s has the form of an order's key.
func ValidKey(s string) bool { return keyShape.MatchString(s) }

// ParseRequest takes a request's subject apart. A kind that is not known is returned as [Unknown], with its text. An
// error says what is wrong with the subject.
func (n Names) ParseRequest(subject string) (kind Kind, text, tenant string, err error) {
	rest, ok := strings.CutPrefix(subject, n.prefix+".v1.request.")
	if !ok || rest == "" {
		return Unknown, "", "", fmt.Errorf("%q is not a request subject: want %s", subject, n.subject("request", "<kind>[.<tenant>]"))
	}
	text, tenant, more := strings.Cut(rest, ".")
	if kind = Kind(text); !slices.Contains(Kinds(), kind) {
		kind = Unknown
	}
	switch {
	case !more:
		return kind, text, "", nil
	case tenant == NoTenant:
		return kind, text, "", nil
	case !ValidTenant(tenant):
		return kind, text, "", fmt.Errorf("the tenant %q in the subject %q: use 1 to 32 letters, digits, - and _", tenant, subject)
	}
	return kind, text, tenant, nil
}

// ValidTenant reports whether s can be a tenant.
func ValidTenant(s string) bool { return tokenShape.MatchString(s) }

// KeyOfDue returns the order's key in a tick's subject.
func (n Names) KeyOfDue(subject string) (string, error) {
	key, ok := strings.CutPrefix(subject, n.prefix+".v1.due.")
	if !ok || !ValidKey(key) {
		return "", fmt.Errorf("%q is not a tick's subject", subject)
	}
	return key, nil
}

// EventID returns an event's id: "<key>.<generation>.<outcome>", and for submitted and backordered also ".<n>" (P23).
func EventID(key string, generation int, outcome Outcome, n int) string {
	id := key + "." + strconv.Itoa(generation) + "." + string(outcome)
	if outcome == Submitted || outcome == Backordered {
		id += "." + strconv.Itoa(n)
	}
	return id
}

// LetterID returns a dead letter's id: "<key>.<generation>".
func LetterID(key string, generation int) string { return key + "." + strconv.Itoa(generation) }

// ParseReplayOf takes a dead letter's id apart, as it stands in [HeaderReplayOf].
func ParseReplayOf(value string) (key string, generation int, err error) {
	key, digits, _ := strings.Cut(value, ".")
	generation, err = strconv.Atoi(digits)
	if err != nil || generation < 0 || !ValidKey(key) || strconv.Itoa(generation) != digits {
		return "", 0, fmt.Errorf("%s: %q is not the id of a dead letter; want <key>.<generation>", HeaderReplayOf, clip(value))
	}
	return key, generation, nil
}
