// Package ledger keeps the orders' records, the index of open orders and the registry of numbers in key-value buckets
// of NATS.
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

// opTimeout bounds one operation on a bucket.
const opTimeout = 10 * time.Second

// markerTTL is how long the index keeps the mark of an order that was taken out.
const markerTTL = time.Minute

// Ledger is an [orders.Store] and an [orders.Index] on NATS. It is safe for concurrent use. Each call blocks for ten
// seconds at the most; a write that ends in a timeout may have been applied.
type Ledger struct {
	records jetstream.KeyValue
	open    jetstream.KeyValue

	mu       sync.Mutex
	created  time.Time // of the bucket, as of the last [Ledger.Recognize]
	highest  uint64    // revision that is known
	replaced time.Time // when a write was given a lower one, or the bucket had another age; zero for never
}

var (
	_ orders.Store = (*Ledger)(nil)
	_ orders.Index = (*Ledger)(nil)
)

// New returns a Ledger on existing buckets: records, with the orders, and open, with the index, whose limit marker
// TTL must be set.
func New(records, open jetstream.KeyValue) *Ledger { return &Ledger{records: records, open: open} }

// Error codes with which JetStream refuses a write whose expected revision is not the last: one on a single server,
// the other for the loser of a race in a cluster.
const (
	errWrongLastSequence  jetstream.ErrorCode = 10071
	errWrongLastSequenceC jetstream.ErrorCode = 10164
)

// conflict turns the ways in which JetStream says that a compare-and-set lost into [orders.ErrConflict].
func conflict(err error) error {
	var api *jetstream.APIError
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) ||
		errors.As(err, &api) && (api.ErrorCode == errWrongLastSequence || api.ErrorCode == errWrongLastSequenceC) {
		return orders.ErrConflict
	}
	return err
}

// Recognize notes which bucket of records this is, and how far it has come. Where it is another one than the call before
// has seen, that one was replaced. It blocks for ten seconds at the most.
func (l *Ledger) Recognize(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	info, err := l.stream(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.created.IsZero():
		l.highest = max(l.highest, info.State.LastSeq)
	case !l.created.Equal(info.Created):
		l.highest, l.replaced = info.State.LastSeq, time.Now()
	}
	l.created = info.Created
	return nil
}

// stream tells of the stream behind the records.
func (l *Ledger) stream(ctx context.Context) (*jetstream.StreamInfo, error) {
	status, err := l.records.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", l.records.Bucket(), err)
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return nil, fmt.Errorf("bucket %s: its stream is not known", l.records.Bucket())
	}
	return bucket.StreamInfo(), nil
}

// Replaced returns when it was seen that another bucket has taken the place of the one that this Ledger knew,
// by the local clock; zero for never. What the one before held is lost.
func (l *Ledger) Replaced() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replaced
}

// written compares the revision of a write with the greatest that was known before it was sent: a bucket's revisions
// only grow.
func (l *Ledger) written(before, revision uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if revision <= before {
		l.highest, l.replaced = revision, time.Now()
	}
	l.highest = max(l.highest, revision)
}

func (l *Ledger) known() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.highest
}

// Get returns the record under key, or [orders.ErrNotFound]. A lagging replica may answer (P5).
func (l *Ledger) Get(ctx context.Context, key orders.ID) (*orders.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	entry, err := l.records.Get(ctx, string(key))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, orders.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return decode(entry)
}

// Create stores a new record and returns its revision, or [orders.ErrConflict].
func (l *Ledger) Create(ctx context.Context, r *orders.Record) (uint64, error) {
	// Update with revision 0 is the plain "must not exist"; the library's Create would try again over a deleted key.
	return l.put(ctx, r, func(ctx context.Context, data []byte) (uint64, error) {
		return l.records.Update(ctx, string(r.Key), data, 0)
	})
}

// Update replaces the record read at r.Revision and returns the new revision, or [orders.ErrConflict].
func (l *Ledger) Update(ctx context.Context, r *orders.Record) (uint64, error) {
	return l.put(ctx, r, func(ctx context.Context, data []byte) (uint64, error) {
		return l.records.Update(ctx, string(r.Key), data, r.Revision)
	})
}

// Renewed is a Ledger that also creates a record under a key that was deleted, over the marker that stands there. A
// worker must not: who deletes a record does not ask for its order to be made again. A rebuild buys nothing.
type Renewed struct{ *Ledger }

// Create stores a new record and returns its revision, or [orders.ErrConflict].
func (l Renewed) Create(ctx context.Context, r *orders.Record) (uint64, error) {
	return l.put(ctx, r, func(ctx context.Context, data []byte) (uint64, error) {
		return l.records.Create(ctx, string(r.Key), data)
	})
}

// put writes a record, and sees by its revision whether the bucket is still the same one.
func (l *Ledger) put(ctx context.Context, r *orders.Record, write func(context.Context, []byte) (uint64, error)) (uint64, error) {
	data, err := r.Marshal()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	before := l.known()
	revision, err := write(ctx, data)
	if err == nil {
		l.written(before, revision)
	}
	return revision, conflict(err)
}

// opened is an entry of the index.
type opened struct {
	Generation int `json:"generation"`
}

// Open enters an order among the open ones (P6). An entry that names this generation or a later one stays.
func (l *Ledger) Open(ctx context.Context, key orders.ID, generation int) error {
	data, err := json.Marshal(opened{Generation: generation})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	for {
		if _, err = l.open.Create(ctx, string(key), data); !errors.Is(conflict(err), orders.ErrConflict) {
			return err
		}
		entry, err := l.open.Get(ctx, string(key))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // taken out meanwhile
		}
		if err != nil {
			return err
		}
		var o opened
		if err := json.Unmarshal(entry.Value(), &o); err != nil {
			return fmt.Errorf("bucket %s, key %s: %w", entry.Bucket(), key, err)
		}
		if o.Generation >= generation {
			return nil
		}
		if _, err = l.open.Update(ctx, string(key), data, entry.Revision()); !errors.Is(conflict(err), orders.ErrConflict) {
			return err
		}
	}
}

// Close takes an order out of the open ones, by the revision of its entry, unless that names a later generation (P6).
// An entry that was written meanwhile stays.
func (l *Ledger) Close(ctx context.Context, key orders.ID, generation int) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	entry, err := l.open.Get(ctx, string(key))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var o opened
	if err := json.Unmarshal(entry.Value(), &o); err != nil {
		return fmt.Errorf("bucket %s, key %s: %w", entry.Bucket(), key, err)
	}
	if o.Generation > generation {
		return nil
	}
	err = l.open.Purge(ctx, string(key), jetstream.LastRevision(entry.Revision()), jetstream.PurgeTTL(markerTTL))
	if errors.Is(conflict(err), orders.ErrConflict) {
		return nil
	}
	return err
}

// Entries calls f for each open order until f returns false. It blocks until all were seen or ctx is done.
func (l *Ledger) Entries(ctx context.Context, f func(orders.IndexEntry) bool) error {
	watch, err := l.open.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	defer func() { _ = watch.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case entry, ok := <-watch.Updates():
			if !ok {
				return errors.New("the connection closed while the open orders were listed")
			}
			if entry == nil {
				return nil
			}
			var o opened
			if err := json.Unmarshal(entry.Value(), &o); err != nil {
				return fmt.Errorf("bucket %s, key %s: %w", entry.Bucket(), entry.Key(), err)
			}
			if !f(orders.IndexEntry{Key: orders.ID(entry.Key()), Generation: o.Generation, At: entry.Created().UTC()}) {
				return nil
			}
		}
	}
}
