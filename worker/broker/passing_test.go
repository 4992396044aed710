package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestPassing: what may pass is tried again; what a person has to mend is said at once.
func TestPassing(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("the stream X: %w", err) }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{context.DeadlineExceeded, true},
		{nats.ErrTimeout, true},
		{nats.ErrNoResponders, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10005, Description: "no suitable peers for placement, peer offline"}, true},
		{&jetstream.APIError{Code: 503, ErrorCode: 10008}, true},
		{&jetstream.APIError{Code: 500, ErrorCode: 10118}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10052, Description: "invalid configuration"}, false},
		{context.Canceled, false},
		{errors.New("the stream X is not safe for orders"), false},
	} {
		if got := Passing(wrap(c.err)); got != c.want {
			t.Errorf("%v: %t", c.err, got)
		}
	}
}
