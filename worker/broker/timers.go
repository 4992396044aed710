package broker

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// Headers of a message schedule, as the server reads them.
const (
	HeaderSchedule       = "Nats-Schedule"
	HeaderScheduleTarget = "Nats-Schedule-Target"
)

// Schedule sets an order's timer, in place of an earlier one, and waits until it is stored. The time goes to the
// server with nanoseconds: nats.go's own helper cuts to whole seconds and fires early. revision is the record's, and
// comes back in the tick (P5).
func Schedule(ctx context.Context, js jetstream.JetStream, names messages.Names, key string, at time.Time, revision uint64) error {
	msg := nats.NewMsg(names.Timer(key))
	msg.Header.Set(HeaderSchedule, "@at "+at.UTC().Format(time.RFC3339Nano))
	msg.Header.Set(HeaderScheduleTarget, names.Due(key))
	msg.Data = tickBody(revision)
	_, err := js.PublishMsg(ctx, msg)
	return err
}

// Tick sends an order a tick now, as the rescuer does (P6). It carries no revision.
func Tick(ctx context.Context, js jetstream.JetStream, names messages.Names, key string) error {
	msg := nats.NewMsg(names.Due(key))
	msg.Data = tickBody(0)
	_, err := js.PublishMsg(ctx, msg)
	return err
}

func tickBody(revision uint64) []byte {
	return []byte(`{"revision":` + strconv.FormatUint(revision, 10) + `}`)
}
