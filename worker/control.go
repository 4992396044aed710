package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"bandwidthworker/orders"
)

// Group is one of Bandwidth's rate groups: calls are counted for each separately.
type Group string

// The rate groups, as Bandwidth names them in its guide to rate limits.
const (
	GroupOrder        Group = "ORDER"
	GroupSearch       Group = "SEARCH"
	GroupHistory      Group = "HISTORY"
	GroupDisconnect   Group = "DISCONNECT"
	GroupPortIn       Group = "PORT_IN"
	GroupSubscription Group = "SUBSCRIPTION"
)

// Groups lists the rate groups.
func Groups() []Group {
	return []Group{GroupOrder, GroupSearch, GroupHistory, GroupDisconnect, GroupPortIn, GroupSubscription}
}

// PauseKind says why a group is paused, and so how the pause ends.
type PauseKind string

// The kinds of a pause.
const (
	// PauseRate ends by itself.
	PauseRate PauseKind = "rate"
	// PauseRefused stands until a probe goes through: Bandwidth refused credentials, account or path.
	PauseRefused PauseKind = "refused"
	// PauseOperator stands until an operator resumes.
	PauseOperator PauseKind = "operator"
)

// Pause is a fleet-wide pause of one group, as it stands in the control bucket.
type Pause struct {
	Kind PauseKind `json:"kind"`
	// Until is when the pause ends (rate), or when the next probe may be sent (refused), by the server's clock.
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	// Reads says that reads were refused as well: a read that goes through ends the pause, and looks before a first
	// order wait for the probe too.
	Reads bool `json:"reads,omitempty"`
	// By names the worker or operator that set it.
	By    string    `json:"by,omitempty"`
	Since time.Time `json:"since"`

	revision uint64
}

const (
	// defaultProbeEvery is how often one order tries whether Bandwidth takes orders again.
	defaultProbeEvery = 30 * time.Second
	// rateMargin is added to a reset time, for the granularity of the vendor's clock.
	rateMargin = 250 * time.Millisecond
	// maxRateWait bounds what a rate limit may ask for: a reset that lies further off was written in another unit.
	maxRateWait = 24 * time.Hour
	pausePrefix = "pause."
)

// Control holds the fleet's pauses: it writes them to the control bucket and watches what others write there. It is
// safe for concurrent use.
type Control struct {
	kv    jetstream.KeyValue
	clock *orders.ServerClock
	name  string
	log   *logrus.Entry
	// probeEvery is the distance of two probes. Orders are set as far ahead while an operator's pause stands, whose end
	// wakes nobody.
	probeEvery time.Duration

	mu     sync.Mutex
	pauses map[Group]Pause
	doubt  time.Time     // see [Control.Doubted]
	audit  *AuditSummary // the last audit's; nil where there was none
}

// NewControl returns a Control that has seen everything in the bucket, and watches it until ctx is done. Of a
// group that Bandwidth refuses it lets a probe through each probeEvery. It blocks until the bucket was read once.
func NewControl(ctx context.Context, kv jetstream.KeyValue, clock *orders.ServerClock, name string, probeEvery time.Duration, log *logrus.Entry) (*Control, error) {
	c := &Control{kv: kv, clock: clock, name: name, log: log, probeEvery: probeEvery, pauses: map[Group]Pause{}}
	watch, err := kv.WatchFiltered(ctx, []string{pausePrefix + ">", doubtKey, auditKey})
	if err != nil {
		return nil, fmt.Errorf("watch the bucket %s: %w", kv.Bucket(), err)
	}
	read := make(chan struct{})
	go func() {
		defer func() { _ = watch.Stop() }()
		first := read
		for {
			select {
			case <-ctx.Done():
				return
			case entry, ok := <-watch.Updates():
				switch {
				case !ok:
					return
				case entry == nil:
					if first != nil {
						close(first)
						first = nil
					}
				default:
					c.see(entry)
				}
			}
		}
	}()
	select {
	case <-read:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read the bucket %s: %w", kv.Bucket(), context.Cause(ctx))
	}
}

func (c *Control) see(entry jetstream.KeyValueEntry) {
	if !strings.HasPrefix(entry.Key(), pausePrefix) {
		c.seeAudit(entry)
		return
	}
	group := Group(strings.TrimPrefix(entry.Key(), pausePrefix))
	c.clock.Observe(entry.Created())
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.pauses[group]
	if entry.Revision() < known.revision {
		return
	}
	log := c.log.WithField("group", group)
	if entry.Operation() != jetstream.KeyValuePut {
		if known.Why != "" {
			log.Info("the pause is over")
		}
		c.pauses[group] = Pause{revision: entry.Revision()}
		return
	}
	var p Pause
	if err := json.Unmarshal(entry.Value(), &p); err != nil {
		log.WithError(err).Error("cannot read a pause in the control bucket; it is ignored: delete or correct its key")
		return
	}
	p.revision = entry.Revision()
	if known.Why != p.Why {
		log.WithFields(logrus.Fields{"until": p.Until, "why": p.Why, "by": p.By}).Warn("calls of this group are paused")
	}
	c.pauses[group] = p
}

// Pauses returns the pauses that stand now.
func (c *Control) Pauses() map[Group]Pause {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[Group]Pause{}
	for group, p := range c.pauses {
		if p.standing(c.clock.Now()) {
			out[group] = p
		}
	}
	return out
}

func (p Pause) standing(now time.Time) bool {
	return p.Kind == PauseRefused || p.Kind == PauseOperator || p.Kind == PauseRate && p.Until.After(now)
}

// HeldUntil returns until when calls of a group are held back; zero when they are not, or when a probe is due.
func (c *Control) HeldUntil(group Group) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, p := c.clock.Now(), c.pauses[group]
	switch {
	case p.Kind == PauseOperator:
		return now.Add(c.probeEvery)
	case p.Kind != "" && p.Until.After(now):
		return p.Until
	default:
		return time.Time{}
	}
}

// Refusing reports whether a group waits for a probe: Bandwidth refused its calls, and has taken none since.
func (c *Control) Refusing(group Group) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pauses[group].Kind == PauseRefused
}

// Enter asks to send a call of a group. It returns an [*orders.HoldError] while the group is paused. Of a group that
// Bandwidth refused, it lets one caller through each probeEvery: the probe.
func (c *Control) Enter(ctx context.Context, group Group) error {
	c.mu.Lock()
	p, now := c.pauses[group], c.clock.Now()
	c.mu.Unlock()
	if until := c.HeldUntil(group); !until.IsZero() {
		return &orders.HoldError{Until: until, Why: p.Why}
	}
	if p.Kind != PauseRefused {
		return nil
	}
	p.Until = now.Add(c.probeEvery)
	if err := c.write(ctx, group, p, p.revision); err != nil {
		// Another worker sends the probe, or the bucket is out of reach: no probe then.
		return &orders.HoldError{Until: p.Until, Why: p.Why}
	}
	return nil
}

// Refused pauses a group until a probe goes through.
func (c *Control) Refused(ctx context.Context, group Group, why string) {
	now := c.clock.Now()
	c.raise(ctx, group, Pause{Kind: PauseRefused, Until: now.Add(c.probeEvery), Why: why, By: c.name, Since: now})
}

// ReadsRefused is [Control.Refused] where a read was refused: the credentials or the account are wrong for everything.
func (c *Control) ReadsRefused(ctx context.Context, group Group, why string) {
	now := c.clock.Now()
	c.raise(ctx, group, Pause{Kind: PauseRefused, Until: now.Add(c.probeEvery), Why: why, By: c.name, Since: now, Reads: true})
}

// EnterRead is [Control.Enter] for a read before a call of the group: it matters only while reads are refused.
func (c *Control) EnterRead(ctx context.Context, group Group) error {
	c.mu.Lock()
	p := c.pauses[group]
	c.mu.Unlock()
	if p.Kind != PauseRefused || !p.Reads {
		return nil
	}
	return c.Enter(ctx, group)
}

// ReadPassed takes note that a read went through: a pause that waited for one ends.
func (c *Control) ReadPassed(ctx context.Context, group Group) {
	c.mu.Lock()
	reads := c.pauses[group].Reads
	c.mu.Unlock()
	if reads {
		c.Passed(ctx, group)
	}
}

// Limited pauses a group for a time. It takes the place of a refusal: what is counted was let in.
func (c *Control) Limited(ctx context.Context, group Group, wait time.Duration, why string) {
	now := c.clock.Now()
	c.raise(ctx, group, Pause{Kind: PauseRate, Until: now.Add(min(max(wait, time.Second), maxRateWait) + rateMargin), Why: why, By: c.name, Since: now})
}

// raise writes a pause that is not weaker than the one that stands.
func (c *Control) raise(ctx context.Context, group Group, p Pause) {
	c.mu.Lock()
	known := c.pauses[group]
	c.mu.Unlock()
	stands := known.standing(c.clock.Now())
	switch {
	case !stands:
	case known.Kind == PauseOperator, known.Kind == p.Kind && !known.Until.Before(p.Until):
		return
	case known.Kind == p.Kind:
		p.Since = known.Since
	case known.Kind == PauseRate && known.Until.After(p.Until):
		p.Until = known.Until // a refusal does not shorten what a rate limit asked for
	}
	if err := c.write(ctx, group, p, known.revision); err != nil && !errors.Is(err, orders.ErrConflict) {
		c.log.WithError(err).WithField("group", group).Error("cannot tell the other workers to pause; this one does")
	}
}

// Passed takes note that Bandwidth took a call of a group: a pause that waited for a probe ends.
func (c *Control) Passed(ctx context.Context, group Group) {
	c.mu.Lock()
	p := c.pauses[group]
	c.mu.Unlock()
	if p.Kind != PauseRefused {
		return
	}
	if err := c.kv.Delete(ctx, pausePrefix+string(group), jetstream.LastRevision(p.revision)); err != nil {
		c.log.WithError(err).WithField("group", group).Debug("the pause was not lifted; somebody else wrote it")
	}
}

// Hold pauses a group on an operator's behalf, until [Control.Resume].
func (c *Control) Hold(ctx context.Context, group Group, why, by string) error {
	p := Pause{Kind: PauseOperator, Why: why, By: by, Since: c.clock.Now()}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = c.kv.Put(ctx, pausePrefix+string(group), data)
	return err
}

// Resume ends a pause of any kind.
func (c *Control) Resume(ctx context.Context, group Group) error {
	return c.kv.Delete(ctx, pausePrefix+string(group))
}

// write stores a pause by compare-and-set, and takes it to heart at once.
func (c *Control) write(ctx context.Context, group Group, p Pause, revision uint64) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	next, err := c.kv.Update(ctx, pausePrefix+string(group), data, revision)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			return orders.ErrConflict
		}
		// The bucket is out of reach: hold back at least here.
		if c.pauses[group].revision == revision {
			p.revision = revision
			c.pauses[group] = p
		}
		return err
	}
	if p.revision = next; c.pauses[group].revision < next {
		c.pauses[group] = p
	}
	return nil
}
