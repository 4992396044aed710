package orders

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNames(t *testing.T) {
	const key ID = "abcdefghijklmnopqrst"
	for _, c := range []struct {
		prefix, name string
		n            int
		customer     string
	}{
		{"East coast Kazoo", "East coast Kazoo-abcdefghijklmnopqrst", 1, "East-coast-Kazoo-abcdefghijklmnopqrst"},
		{"East coast Kazoo", "East coast Kazoo-abcdefghijklmnopqrst", 2, "East-coast-Kazoo-abcdefghijklmnopqrst-2"},
		{"East coast Kazoo", "East coast Kazoo-abcdefghijklmnopqrst", 99, "East-coast-Kazoo-abcdefghijklmnopqrst-99"},
		{"East coast Kazoo", "East coast Kazoo-abcdefghijklmnopqrst", 100, "East-coast-Kazo-abcdefghijklmnopqrst-100"},
		{"East coast Kazoo", "East coast Kazoo-abcdefghijklmnopqrst", 1000, "East-coast-Kaz-abcdefghijklmnopqrst-1000"},
		{"a", "a-abcdefghijklmnopqrst", 1, "a-abcdefghijklmnopqrst"},
		{"A_b.c", "A_b.c-abcdefghijklmnopqrst", 1, "A-b-c-abcdefghijklmnopqrst"},
	} {
		namer, err := NewNamer(c.prefix)
		if err != nil {
			t.Fatal(err)
		}
		if got := namer.Name(key); got != c.name {
			t.Errorf("Name of %q is %q, want %q", c.prefix, got, c.name)
		}
		if got := namer.CustomerOrderID(key, c.n); got != c.customer {
			t.Errorf("CustomerOrderID of %q, %d is %q, want %q", c.prefix, c.n, got, c.customer)
		}
	}
}

func TestNamerRefuses(t *testing.T) {
	for _, prefix := range []string{"", " ", strings.Repeat("x", MaxPrefixLength+1), "a\nb", "a\x00", strings.Repeat("ü", 30), "\xff"} {
		_, err := NewNamer(prefix)
		if err == nil || !strings.Contains(err.Error(), "order_name_prefix") {
			t.Errorf("prefix %q: %v, want an error that names the setting", prefix, err)
		}
	}
	_, err := NewNamer(strings.Repeat("x", 30))
	if err == nil || !strings.Contains(err.Error(), "29") {
		t.Errorf("a prefix of 30: %v; want the limit 29 in it", err)
	}
}

// FuzzNames: for every prefix that is accepted both ids keep within Bandwidth's limits and characters.
func FuzzNames(f *testing.F) {
	for _, prefix := range []string{"East coast Kazoo", "x", strings.Repeat("y", 29), "Ost-Küste", "-", "a b"} {
		f.Add(prefix, 1)
		f.Add(prefix, 12345)
	}
	f.Fuzz(func(t *testing.T, prefix string, n int) {
		namer, err := NewNamer(prefix)
		if err != nil {
			return
		}
		n = max(1, min(n, 999_999))
		const key ID = "abcdefghijklmnopqrst"
		name, customer := namer.Name(key), namer.CustomerOrderID(key, n)
		if utf8.RuneCountInString(name) > MaxNameLength || !utf8.ValidString(name) {
			t.Errorf("name %q of prefix %q", name, prefix)
		}
		if len(customer) > MaxCustomerOrderIDLength || !strings.Contains(customer, string(key)) {
			t.Errorf("customer order id %q of prefix %q", customer, prefix)
		}
		for _, r := range customer {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
				t.Errorf("customer order id %q holds %q", customer, r)
			}
		}
	})
}
