package broker

import (
	"context"
	"errors"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Codes of JetStream's for servers that have not found together yet.
const (
	codeNoPeers      jetstream.ErrorCode = 10005 // no suitable peers for placement
	codeNotAvailable jetstream.ErrorCode = 10008 // the system is temporarily unavailable
	codeOffline      jetstream.ErrorCode = 10118 // the stream is offline
)

// Passing reports whether an error of [Ensure] may pass by itself: no answer, or a cluster that is still forming. A
// stream that is refused is none of these.
func Passing(err error) bool {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, jetstream.ErrNoStreamResponse):
		return true
	case errors.As(err, &api):
		return api.Code == http.StatusServiceUnavailable || api.ErrorCode == codeNoPeers || api.ErrorCode == codeNotAvailable || api.ErrorCode == codeOffline
	default:
		return false
	}
}
