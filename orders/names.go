package orders

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of Bandwidth's for the names of an order: Name up to 50 characters, CustomerOrderId up to 40 letters,
// digits, dashes and spaces (error 5052), as documented for POST /orders.
const (
	MaxNameLength            = 50
	MaxCustomerOrderIDLength = 40
	// MaxPrefixLength is what Name leaves for the prefix beside a dash and the key.
	MaxPrefixLength = MaxNameLength - 1 - keyLength

	keyLength = 20
	// customerPrefixLength is what CustomerOrderId leaves for the prefix beside the key and "-99".
	customerPrefixLength = MaxCustomerOrderIDLength - 1 - keyLength - len("-99")
)

// Namer gives Bandwidth orders their names: both hold the order's key, so that they are unique and can be found
// afterwards. The zero value is not usable; [NewNamer] makes one.
type Namer struct {
	prefix   string
	customer string
}

// NewNamer returns a Namer for an order_name_prefix. It refuses an empty prefix, one of more than
// [MaxPrefixLength] characters, and control characters, which XML cannot carry.
func NewNamer(prefix string) (Namer, error) {
	switch {
	case strings.TrimSpace(prefix) == "":
		return Namer{}, fmt.Errorf("order_name_prefix is empty: set it to a word that tells this system's orders apart at Bandwidth")
	case utf8.RuneCountInString(prefix) > MaxPrefixLength:
		return Namer{}, fmt.Errorf("order_name_prefix %q is %d characters long; at most %d fit, because Bandwidth's order names hold %d and the order's key takes %d",
			prefix, utf8.RuneCountInString(prefix), MaxPrefixLength, MaxNameLength, keyLength+1)
	}
	for _, r := range prefix {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return Namer{}, fmt.Errorf("order_name_prefix %q holds a character that an order's name cannot carry", prefix)
		}
	}
	var b strings.Builder
	for _, r := range prefix {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	return Namer{prefix: prefix, customer: b.String()}, nil
}

// Name returns the order's Name at Bandwidth: the prefix, a dash and the key.
func (n Namer) Name(key ID) string { return n.prefix + "-" + string(key) }

// CustomerOrderID returns the customer order id of the n-th Bandwidth order of a request (P14): the prefix with
// anything but letters, digits and dashes turned into a dash and cut to 16 characters, a dash and the key, and from
// the second on a dash and n. From n = 100 on the prefix is cut further, so that 40 characters hold it.
func (n Namer) CustomerOrderID(key ID, count int) string {
	suffix := "-" + string(key)
	if count > 1 {
		suffix += "-" + strconv.Itoa(count)
	}
	room := min(customerPrefixLength, MaxCustomerOrderIDLength-len(suffix))
	return n.customer[:min(len(n.customer), room)] + suffix
}

// ourCustomerOrderID is how a customer order id of ours ends: the key, and n from 2 on.
var ourCustomerOrderID = regexp.MustCompile(`-([a-z2-7]{20})(?:-([1-9][0-9]{0,8}))?$`)

// Parse takes a customer order id apart: the order's key, and which of its Bandwidth orders it names. ok is false for
// one that this Namer would not have made, of another prefix for example. Fleets that share the prefix are told apart
// by their keys alone (P32), which cannot be seen in an id.
func (n Namer) Parse(customerOrderID string) (key ID, count int, ok bool) {
	m := ourCustomerOrderID.FindStringSubmatch(customerOrderID)
	if m == nil {
		return "", 0, false
	}
	key, count = ID(m[1]), 1
	if m[2] != "" {
		count, _ = strconv.Atoi(m[2]) // nine digits always fit
	}
	if n.CustomerOrderID(key, count) != customerOrderID {
		return "", 0, false
	}
	return key, count, true
}

// Carries reports whether a customer order id begins with this Namer's prefix, whatever follows.
func (n Namer) Carries(customerOrderID string) bool {
	return strings.HasPrefix(customerOrderID, n.customer[:min(len(n.customer), customerPrefixLength)]+"-")
}
