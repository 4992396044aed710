package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"bandwidthworker/messages"
)

// checkKey refuses what cannot be an order's key: in a subject it could choose other orders.
func checkKey(key string) error {
	bare, _, _ := strings.Cut(key, ".")
	switch {
	case messages.ValidKey(key):
		return nil
	case messages.ValidKey(bare):
		return fmt.Errorf("%q is not an order's key; did you mean %s?", key, bare)
	default:
		return fmt.Errorf("%q is not an order's key: 20 of the characters a-z and 2-7, as `publish dlq list` shows them", key)
	}
}

// checkKind refuses a kind that does not exist. Empty means any.
func checkKind(kind string, more ...messages.Kind) error {
	return oneOf("--kind", messages.Kind(kind), append(messages.Kinds(), more...))
}

// checkReason refuses a reason that does not exist. Empty means any.
func checkReason(reason string) error {
	return oneOf("--reason", messages.Reason(reason), messages.Reasons())
}

// checkTenant refuses what cannot be a tenant. Empty means any.
func checkTenant(tenant string) error {
	if tenant == "" || messages.ValidTenant(tenant) {
		return nil
	}
	return errors.New("--tenant: use 1 to 32 letters, digits, - and _")
}

func oneOf[T ~string](flag string, value T, all []T) error {
	if value == "" || slices.Contains(all, value) {
		return nil
	}
	names := make([]string, len(all))
	for i, v := range all {
		names[i] = string(v)
	}
	return fmt.Errorf("%s: %q is none of %s", flag, value, strings.Join(names, ", "))
}
