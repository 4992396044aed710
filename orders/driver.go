package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
)

// Driver carries out what [Next] decides. All its fields but Random are required. It is safe for concurrent use, also
// for the same order: whoever loses a compare-and-set reads again.
type Driver struct {
	Store    Store
	Index    Index
	Registry Registry
	Carrier  Carrier
	Bus      Bus
	Clock    *ServerClock
	Settings Settings
	Names    Namer
	// Conditions returns what holds right now.
	Conditions func() Conditions
	// Token returns a claim's token, different at every call.
	Token func() string
	Log   *logrus.Entry
}

// Tick is a hint to look at an order now.
type Tick struct {
	Key ID
	// At is the tick's own time in its stream.
	At time.Time
	// Revision is the record's revision when the timer was set (P5).
	Revision uint64
}

// maxSteps bounds the steps of one drive; the rest is left to the next tick.
const maxSteps = 50

// factTimeout bounds how long a worker tries to record a fact: what the vendor answered to a POST also while it is
// stopping.
const factTimeout = 30 * time.Second

// Drive looks at an order and takes it as far as it goes without waiting. When it returns nil, the order's next timer
// is set, or nothing is left to do: the tick may be acked (P3, P4). When it returns an error the tick must not be
// acked. A cancelled ctx stops it between steps; a POST in hand is finished and recorded first.
func (d *Driver) Drive(ctx context.Context, t Tick) error {
	r, err := d.Store.Get(ctx, t.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		// P5: the read may be stale. Where the ledger is lost nothing can be done before it is rebuilt.
		return d.rearm(ctx, t.Key, t, d.Clock.Now().Add(max(d.Settings.Lease, d.Settings.PollMinInterval)), t.Revision)
	case err == nil && r.Revision < t.Revision:
		if r, err = d.confirm(ctx, r); err != nil {
			// P5: the read is stale. Look again soon.
			return d.rearm(ctx, t.Key, t, d.Clock.Now().Add(d.Settings.PollMinInterval), t.Revision)
		}
	case err != nil:
		return fmt.Errorf("read the record of order %s: %w", t.Key, err)
	}
	d.Clock.Observe(r.WrittenAt)
	return d.DriveRecord(ctx, r, t)
}

// confirm writes a record as it was read. Where that succeeds no later one exists, whatever a tick knows of: the ledger
// was lost and rebuilt, and its revisions began anew, while the tick did not.
func (d *Driver) confirm(ctx context.Context, r *Record) (*Record, error) {
	same := r.Clone()
	same.keepSequence()
	revision, err := d.Store.Update(ctx, same)
	if err != nil {
		return nil, err
	}
	same.Revision, same.WrittenAt = revision, time.Time{}
	return same, nil
}

// DriveRecord is [Driver.Drive] for a record that has just been read or written.
func (d *Driver) DriveRecord(ctx context.Context, r *Record, t Tick) error {
	for range maxSteps {
		a := Next(r, d.Conditions(), d.Settings, d.Clock.Now())
		if a.Kind == ActDone {
			return d.close(ctx, r) // P4: its timer is not cleared, for a replay may have set it
		}
		if a.Kind == ActWait {
			return d.rearm(ctx, r.Key, t, a.Until, r.Revision)
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		next, err := d.step(ctx, r, a)
		var hold *HoldError
		switch {
		case errors.As(err, &hold):
			return d.rearm(ctx, r.Key, t, hold.Until, r.Revision)
		case errors.Is(err, errStale):
			return d.rearm(ctx, r.Key, t, d.Clock.Now().Add(d.Settings.PollMinInterval), r.Revision)
		case err != nil:
			return fmt.Errorf("order %s: %w", r.Key, err)
		}
		r = next
	}
	return d.rearm(ctx, r.Key, t, d.Clock.Now().Add(d.Settings.PollMinInterval), r.Revision)
}

// rearm sets the order's next timer (P3), never closer than PollMinInterval to the tick (P38). A tick that comes early
// does so too: the server may have deleted the new timer while the old one fired (P7).
func (d *Driver) rearm(ctx context.Context, key ID, t Tick, at time.Time, revision uint64) error {
	if earliest := t.At.Add(d.Settings.PollMinInterval); at.Before(earliest) {
		at = earliest
	}
	if err := d.Bus.SetTimer(ctx, key, at, revision); err != nil {
		return fmt.Errorf("set the timer of order %s: %w", key, err)
	}
	return nil
}

// errStale says that only a read older than what we know could be had (P5).
var errStale = errors.New("the ledger shows an older record than the one we know")

// step carries out one action and returns the record as it is afterwards.
func (d *Driver) step(ctx context.Context, r *Record, a Action) (*Record, error) {
	switch a.Kind {
	case ActReload:
		return d.reload(ctx, r)
	case ActDropLetters:
		return d.dropLetters(ctx, r)
	case ActExpire:
		return d.change(ctx, r, func(r *Record) bool {
			if r.Kind == Disconnect {
				return r.expireRelease(a.N, a.Token, d.Clock.Now())
			}
			if r.reservingBy(a.N, a.Token) {
				return r.expireReserving(a.N, a.Token, d.Settings, d.Clock.Now())
			}
			return r.expire(a.N, a.Token, d.Clock.Now())
		})
	case ActPoll:
		fact := d.poll(ctx, r, a)
		fact.ID, fact.OrderID = d.Token(), a.OrderID
		d.logPoll(r, fact)
		return d.change(ctx, r, func(r *Record) bool { return r.polled(fact, d.Settings, d.Clock.Now()) })
	case ActLook:
		began := d.Clock.Now()
		fact := d.Carrier.Look(ctx, r.withFields(a.N), true)
		fact.ID, fact.N = d.Token(), a.N
		d.logLook(r, fact)
		return d.change(ctx, r, func(r *Record) bool { return r.looked(fact, d.Settings, began, d.Clock.Now()) })
	case ActPreLook:
		return d.preLook(ctx, r, a)
	case ActPlace:
		return d.place(ctx, r, a)
	case ActChoose:
		return d.choose(ctx, r, a)
	case ActReserve:
		return d.reserve(ctx, r, a)
	case ActClose:
		fact := d.Carrier.Close(ctx, *r.purchase(a.N), a.OrderID)
		return d.change(ctx, r, func(r *Record) bool { return r.closed(a.OrderID, fact, d.Settings, d.Clock.Now()) })
	case ActRelease:
		return d.release(ctx, r, a)
	case ActPollRelease:
		fact := d.Carrier.PollRelease(ctx, a.OrderID)
		fact.ID, fact.OrderID = d.Token(), a.OrderID
		d.logPoll(r, fact)
		return d.change(ctx, r, func(r *Record) bool { return r.polledRelease(a.N, fact, d.Settings, d.Clock.Now()) })
	case ActCancel:
		return d.cancel(ctx, r)
	case ActPretend:
		return d.pretend(ctx, r, a)
	case ActFinish:
		// A verdict is no fact: it holds for the record that it was decided from. Where others have written meanwhile it
		// is decided anew (P20).
		return d.change(ctx, r, func(r *Record) bool {
			again := Next(r, d.Conditions(), d.Settings, d.Clock.Now())
			return again.Kind == ActFinish && r.finish(again.Outcome)
		})
	case ActPublish:
		return d.publish(ctx, r)
	default:
		return nil, fmt.Errorf("unknown action %d", a.Kind)
	}
}

// poll reads a Bandwidth order.
func (d *Driver) poll(ctx context.Context, r *Record, a Action) PollFact {
	if r.Kind == PortIn {
		return d.Carrier.PollPortIn(ctx, r.withFields(a.N), a.OrderID)
	}
	return d.Carrier.Poll(ctx, a.OrderID)
}

// reload reads the record again. It never goes back behind a revision that is known (P5).
func (d *Driver) reload(ctx context.Context, r *Record) (*Record, error) {
	got, err := d.Store.Get(ctx, r.Key)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && got.Revision < r.Revision:
		return nil, errStale
	case err != nil:
		return nil, fmt.Errorf("read the record: %w", err)
	}
	d.Clock.Observe(got.WrittenAt)
	return got, nil
}

// change writes a fact into the record, whoever else writes meanwhile: it is applied to a copy and stored by
// compare-and-set, and after a lost race or a lost answer applied again to what is there now. fact reports whether it
// changed the record, and must be harmless to repeat. It blocks for factTimeout at the most: what cannot be stored by
// then is given up with an error, and the order is looked at again.
func (d *Driver) change(ctx context.Context, r *Record, fact func(*Record) bool) (*Record, error) {
	ctx, cancel := context.WithTimeout(ctx, factTimeout)
	defer cancel()
	pause := d.Settings.PollMinInterval / 100
	for {
		next := r.Clone()
		next.keepSequence()
		if !fact(next) {
			return r, nil
		}
		d.conclude(next)
		revision, err := d.Store.Update(ctx, next)
		if err == nil {
			next.Revision, next.WrittenAt = revision, time.Time{}
			d.announce(ctx, r, next)
			return next, nil
		}
		// P10: whether the write was applied or not, what is stored now decides.
		for {
			if sleep(ctx, pause) != nil {
				return nil, fmt.Errorf("record what happened: %w", err)
			}
			pause = min(2*pause, d.Settings.PollMinInterval)
			got, rerr := d.reload(ctx, r)
			if rerr == nil {
				r = got
				break
			}
		}
	}
}

// conclude writes the outcome into a record that is about to be stored, where the fact that is stored with it decides
// it: one write in place of two.
func (d *Driver) conclude(r *Record) {
	if a := Next(r, d.Conditions(), d.Settings, d.Clock.Now()); a.Kind == ActFinish {
		r.finish(a.Outcome)
	}
}

// announce publishes the intermediate events that a write has made due, under the revision of that write (P29).
func (d *Driver) announce(ctx context.Context, before, after *Record) {
	if after.Submitted > before.Submitted && after.Generation == before.Generation {
		d.Bus.Announce(ctx, after, Submitted, after.Submitted)
	}
	if after.Backordered > before.Backordered && after.Generation == before.Generation {
		d.Bus.Announce(ctx, after, Backordered, after.Backordered)
	}
}

// publish registers the numbers, puts the outcome on the bus and then marks it so (P23): numbers, event, dead letter,
// mark. Whoever reads the event finds its numbers registered. A crash on the way repeats it all from the record.
//
//	crash or lost answer                   what is left, and what happens then
//	some numbers registered, not all       the outcome, unmarked; the next tick registers all again, the same (P36)
//	registered, before the event           the same
//	after the mark                         nothing to do; a replay registers the numbers again with their old times
func (d *Driver) publish(ctx context.Context, r *Record) (*Record, error) {
	if holdings := r.Holdings(); len(holdings) > 0 {
		if err := d.Registry.Register(ctx, holdings); err != nil {
			return nil, fmt.Errorf("register the numbers; the outcome waits for it: %w", err)
		}
	}
	letter, err := d.Bus.PublishOutcome(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("publish the outcome: %w", err)
	}
	d.unreserve(ctx, r) // a replay that comes after the mark can have the numbers
	generation := r.Generation
	next, err := d.change(ctx, r, func(r *Record) bool {
		switch {
		case r.Generation == generation:
			return r.published(letter)
		case letter != 0 && !slices.Contains(r.StaleLetters, letter):
			// Others published and took a replay in meanwhile. This letter came after it: it goes too (P26).
			r.StaleLetters = append(r.StaleLetters, letter)
			return true
		default:
			return false
		}
	})
	if err == nil {
		d.tellCancel(ctx, next)
	}
	return next, err
}

// close takes a finished order out of the index (P6).
func (d *Driver) close(ctx context.Context, r *Record) error {
	if err := d.Index.Close(ctx, r.Key, r.Generation); err != nil {
		return fmt.Errorf("take order %s out of the open ones: %w", r.Key, err)
	}
	return nil
}

// dropLetters removes the dead letters of earlier generations, by their own sequences (P26).
func (d *Driver) dropLetters(ctx context.Context, r *Record) (*Record, error) {
	dropped := r.StaleLetters
	for _, sequence := range dropped {
		if err := d.Bus.DropLetter(ctx, sequence); err != nil {
			return nil, fmt.Errorf("remove the replayed dead letter: %w", err)
		}
	}
	return d.change(ctx, r, func(r *Record) bool {
		before := len(r.StaleLetters)
		r.StaleLetters = slices.DeleteFunc(r.StaleLetters, func(s uint64) bool { return slices.Contains(dropped, s) })
		return len(r.StaleLetters) < before
	})
}

// preLook plans the purchase and looks for it before its first POST (P33), or looks for the one of a rebuilt record's gap.
func (d *Driver) preLook(ctx context.Context, r *Record, a Action) (*Record, error) {
	planned := r.Clone()
	p := planned.purchase(a.N)
	switch {
	case p != nil:
	case a.N > 0:
		p = planned.recover(a.N, time.Time{}, d.Names)
	default:
		p = planned.plan(d.Names, a.Numbers)
	}
	fact := d.Carrier.Look(ctx, planned.withFields(p.N), false)
	fact.ID, fact.N = d.Token(), p.N
	d.logLook(r, fact)
	generation := r.Generation
	return d.change(ctx, r, func(r *Record) bool {
		if r.Generation != generation {
			return false // the numbers were asked for by an earlier one
		}
		switch {
		case r.purchase(fact.N) != nil:
		case a.N > 0:
			return r.filled(fact, d.Names, d.Settings, d.Clock.Now())
		default:
			r.plan(d.Names, a.Numbers)
		}
		return r.preLooked(fact, d.Settings, d.Clock.Now())
	})
}

// sleep blocks for a duration or until ctx is done, and then returns its error.
func sleep(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
