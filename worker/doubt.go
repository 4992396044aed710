package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// doubtKey is the key in the control bucket that says when the ledger was last known to lack orders.
	doubtKey = "ledger.doubt"
	// auditKey is the one of the last audit's summary.
	auditKey = "audit.last"
	// doubtGuard is how long each first order is looked for at the least after the ledger was doubted (P33).
	doubtGuard = 24 * time.Hour
	// setupTime is how long the set-up of all streams may take: a ledger that is younger than the stream of requests by
	// more than this has replaced another one.
	setupTime = 10 * time.Minute
	// doubtTries bounds how often a doubt is written that others write as well, doubtPause lies between two tries.
	doubtTries = 20
	doubtPause = 50 * time.Millisecond
)

// doubt stands in the control bucket.
type doubt struct {
	// Since is the latest time that anybody has set.
	Since time.Time `json:"since"`
	// Rebuilds are those that run, by their names, each with what it last said. One that died stays, and means nothing once
	// its time is over.
	Rebuilds map[string]time.Time `json:"rebuilds,omitempty"`
}

// Doubted returns when the ledger was last known to lack orders, by the server's clock; zero for never. A rebuild says
// so before it begins, and again and again until it is done.
func (c *Control) Doubted() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubt
}

// Doubt tells the fleet that the ledger lacks orders since then, in the name of a rebuild that runs: nothing is bought
// before what was on its way has settled (P33). It is told again and again, until [Control.Settle].
func (c *Control) Doubt(ctx context.Context, rebuild string, since time.Time) error {
	return c.tell(ctx, func(d *doubt) {
		d.tell(rebuild, since)
		if d.Rebuilds == nil {
			d.Rebuilds = map[string]time.Time{}
		}
		d.Rebuilds[rebuild] = since.UTC()
	})
}

// Settle says that a rebuild has ended that began then: the fleet goes on, but for what another one has said.
func (c *Control) Settle(ctx context.Context, rebuild string, begun time.Time) error {
	return c.tell(ctx, func(d *doubt) { d.tell(rebuild, begun) })
}

// tell takes a rebuild's own word back, and sets another: a later one that somebody else has set stays.
func (d *doubt) tell(rebuild string, since time.Time) {
	own, told := d.Rebuilds[rebuild]
	delete(d.Rebuilds, rebuild)
	if told && d.Since.Equal(own) {
		d.Since = time.Time{}
	}
	for _, at := range append(slices.Collect(maps.Values(d.Rebuilds)), since.UTC()) {
		if at.After(d.Since) {
			d.Since = at
		}
	}
}

// tell changes what the fleet is told of the ledger, whoever else changes it.
func (c *Control) tell(ctx context.Context, change func(*doubt)) (err error) {
	for try := 0; try < doubtTries && ctx.Err() == nil; try++ {
		if try > 0 {
			pause(ctx, doubtPause)
		}
		var d doubt
		var data []byte
		entry, getErr := c.kv.Get(ctx, doubtKey)
		switch {
		case errors.Is(getErr, jetstream.ErrKeyNotFound):
		case getErr != nil:
			err = getErr
			continue
		default:
			if json.Unmarshal(entry.Value(), &d) != nil {
				d = doubt{Since: entry.Created().UTC()}
			}
		}
		change(&d)
		if data, err = json.Marshal(d); err != nil {
			return err
		}
		if getErr != nil {
			_, err = c.kv.Create(ctx, doubtKey, data)
		} else {
			_, err = c.kv.Update(ctx, doubtKey, data, entry.Revision())
		}
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("tell the workers that the ledger is being rebuilt: %w", cmp.Or(err, context.Cause(ctx)))
}

// LastAudit returns the summary of the last audit; false where there was none.
func (c *Control) LastAudit() (AuditSummary, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.audit == nil {
		return AuditSummary{}, false
	}
	return *c.audit, true
}

// keepAudit stores a summary, for every worker's metrics.
func (c *Control) keepAudit(ctx context.Context, s AuditSummary) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err := c.kv.Put(ctx, auditKey, data); err != nil {
		return fmt.Errorf("store the audit's summary for the workers' metrics: %w", err)
	}
	return nil
}

// seeAudit takes in what an audit or a rebuild wrote. What cannot be read of a doubt counts as one that began when it
// was written.
func (c *Control) seeAudit(entry jetstream.KeyValueEntry) {
	c.clock.Observe(entry.Created())
	put := entry.Operation() == jetstream.KeyValuePut
	c.mu.Lock()
	defer c.mu.Unlock()
	switch entry.Key() {
	case doubtKey:
		var d doubt
		if put && json.Unmarshal(entry.Value(), &d) != nil {
			d.Since = entry.Created().UTC()
		}
		if c.doubt.IsZero() && put {
			c.log.WithField("since", d.Since).Warn("the ledger is in doubt: orders are held back until what was on its way has settled")
		}
		c.doubt = d.Since
	case auditKey:
		c.audit = nil
		if s := new(AuditSummary); put && json.Unmarshal(entry.Value(), s) == nil {
			c.audit = s
		}
	}
}

// doubted returns the latest time at which the ledger was known to lack orders: by a rebuild, by its age, or because
// this worker has seen another bucket take its place.
func (w *Worker) doubted() time.Time {
	at := w.control.Doubted()
	if w.lostAt.After(at) {
		at = w.lostAt
	}
	if replaced := w.store.Replaced(); !replaced.IsZero() {
		if seen := w.clock.Now().Add(-time.Since(replaced)); seen.After(at) {
			at = seen
		}
	}
	return at
}

// recognize looks from time to time whether the ledger is still the one that this worker knows, until ctx is done: a
// worker that writes nothing would not see that another one has taken its place and has been filled by others.
func (w *Worker) recognize(ctx context.Context) {
	for {
		pause(ctx, rescueEvery)
		if ctx.Err() != nil {
			return
		}
		if err := w.store.Recognize(ctx); err != nil && ctx.Err() == nil {
			w.log.WithError(err).Warn("cannot look whether the ledger is still the same one; trying again")
		}
	}
}

// doubting reports whether first orders are looked for because of a doubt.
func (w *Worker) doubting(guard time.Duration) bool {
	at := w.doubted()
	return !at.IsZero() && w.clock.Now().Sub(at) < max(guard, doubtGuard)
}
