package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/orders"
)

const (
	// recentWindow is how many revisions the first look back takes in, recentWindowMost the largest.
	recentWindow     = 256
	recentWindowMost = 4096
)

// Recent calls f for the records, the last written first, until f returns false. It reads the ledger from its end in
// growing steps, so that who needs a few of the newest does not read it all. A record that is written meanwhile may be
// missed. One that cannot be decoded is an error for f to judge; its record is nil.
func (l *Ledger) Recent(ctx context.Context, f func(*orders.Record, error) bool) error {
	info, err := l.stream(ctx)
	if err != nil {
		return err
	}
	state := info.State
	end, window := state.LastSeq+1, uint64(recentWindow)
	for end > state.FirstSeq {
		start := state.FirstSeq
		if end-start > window {
			start = end - window
		}
		entries, err := l.between(ctx, start, end)
		if err != nil {
			return err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			r, err := decode(entries[i])
			if !f(r, err) {
				return nil
			}
		}
		end, window = start, min(2*window, recentWindowMost)
	}
	return nil
}

// between reads the entries from one revision up to another, oldest first.
func (l *Ledger) between(ctx context.Context, start, end uint64) ([]jetstream.KeyValueEntry, error) {
	watch, err := l.records.WatchAll(ctx, jetstream.ResumeFromRevision(max(start, 1)), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Stop() }()
	var out []jetstream.KeyValueEntry
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case entry, ok := <-watch.Updates():
			if !ok {
				return nil, errors.New("the connection closed while the ledger was read")
			}
			if entry == nil || entry.Revision() >= end {
				return out, nil
			}
			out = append(out, entry)
		}
	}
}

func decode(entry jetstream.KeyValueEntry) (*orders.Record, error) {
	r, err := orders.Unmarshal(entry.Value())
	if err != nil {
		return nil, fmt.Errorf("bucket %s, key %s, revision %d: %w", entry.Bucket(), entry.Key(), entry.Revision(), err)
	}
	r.Revision, r.WrittenAt = entry.Revision(), entry.Created().UTC()
	return r, nil
}
