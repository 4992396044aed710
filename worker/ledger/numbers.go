package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/orders"
)

const (
	// registerAtOnce bounds the writes under way of one registration; an order may bring 5000 numbers.
	registerAtOnce = 64
	// registerTries bounds how often one number is tried whose entry changes under the writer, or is read stale.
	registerTries = 20
	// registerPause is what a writer waits after its third lost race.
	registerPause = 20 * time.Millisecond
)

// Numbers is an [orders.Registry] on a key-value bucket of NATS; a number's key is its digits. It is safe for
// concurrent use.
type Numbers struct{ kv jetstream.KeyValue }

var _ orders.Registry = (*Numbers)(nil)

// NewNumbers returns a registry on an existing bucket.
func NewNumbers(kv jetstream.KeyValue) *Numbers { return &Numbers{kv: kv} }

// Register writes each holding where it precedes what is there (P36), some of them at once. It blocks until all are
// written, or until one cannot be; then some of the others may have been written.
func (n *Numbers) Register(ctx context.Context, holdings []orders.Holding) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan orders.Holding)
	var writers sync.WaitGroup
	for range min(registerAtOnce, len(holdings)) {
		writers.Go(func() {
			for h := range todo {
				if err := n.register(ctx, h); err != nil {
					cancel(fmt.Errorf("register the number %s: %w", h.Number, err))
				}
			}
		})
	}
	for _, h := range holdings {
		if ctx.Err() != nil {
			break
		}
		todo <- h
	}
	close(todo)
	writers.Wait()
	return context.Cause(ctx)
}

// register writes one holding.
func (n *Numbers) register(ctx context.Context, h orders.Holding) error {
	// Most numbers are new: try that first, which is one operation in place of two.
	next, _ := orders.Precede(orders.Holding{}, h)
	err := n.create(ctx, next)
	for try := 1; errors.Is(err, orders.ErrConflict) && try < registerTries; try++ {
		if try > 3 && !sleep(ctx, registerPause) {
			return context.Cause(ctx)
		}
		var stored orders.Holding
		var revision uint64
		stored, revision, err = n.get(ctx, h.Number)
		switch {
		case errors.Is(err, orders.ErrNoNumber):
			// Somebody deleted the entry, or a lagging replica does not have it yet.
			next, _ = orders.Precede(orders.Holding{}, h)
			err = n.create(ctx, next)
		case err == nil:
			// A stale read does no harm: what stands now is as new as what was read, or newer, and a write on top of
			// something newer is refused.
			result, write := orders.Precede(stored, h)
			if !write {
				return nil
			}
			err = n.update(ctx, result, revision)
		}
	}
	return err
}

// create writes an entry that does not exist, or that was deleted.
func (n *Numbers) create(ctx context.Context, h orders.Holding) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	_, err = n.kv.Create(ctx, orders.RegistryKey(h.Number), data)
	return conflict(err)
}

func (n *Numbers) update(ctx context.Context, h orders.Holding, revision uint64) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	_, err = n.kv.Update(ctx, orders.RegistryKey(h.Number), data, revision)
	return conflict(err)
}

// get reads an entry. One that cannot be decoded, because somebody wrote it by hand, counts as saying nothing: an
// order's end must not wait for it.
func (n *Numbers) get(ctx context.Context, number string) (orders.Holding, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	entry, err := n.kv.Get(ctx, orders.RegistryKey(number))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return orders.Holding{}, 0, orders.ErrNoNumber
	}
	if err != nil {
		return orders.Holding{}, 0, err
	}
	var h orders.Holding
	if json.Unmarshal(entry.Value(), &h) != nil {
		h = orders.Holding{}
	}
	return h, entry.Revision(), nil
}

// Number returns what is known of a number, or [orders.ErrNoNumber]. A lagging replica may answer.
func (n *Numbers) Number(ctx context.Context, number string) (orders.Holding, error) {
	h, _, err := n.get(ctx, number)
	if err != nil {
		return orders.Holding{}, err
	}
	if h.Number == "" {
		return orders.Holding{}, fmt.Errorf("bucket %s, key %s: the entry cannot be decoded; it is written anew with the number's next order, or delete it", n.kv.Bucket(), orders.RegistryKey(number))
	}
	return h, nil
}

// sleep blocks for a duration; it returns false where ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
