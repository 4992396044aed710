package orders

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
)

// The world of these tests: drivers over a memory store, a model of the vendor, and a bus with timers, in the fake
// time of a synctest bubble. Every call that can be seen from outside is a numbered step at which a worker can die.

// crashed is what a dying worker panics with.
type crashed struct{}

// timer is an order's timer or tick, or a request on its way.
type delivery struct {
	at      time.Time
	tick    bool
	tickRev uint64
	arrival Arrival
}

// world is everything around the drivers.
type world struct {
	t        *testing.T
	settings Settings
	clock    ServerClock
	store    Memory
	vendor   *bandwidth
	timers   map[ID]delivery
	inbox    []delivery
	loseAt   int  // the timer with this number is lost; 0 for none
	rescue   bool // orders without a timer are found by the index
	timerNo  int

	published []published
	announced []announced
	// announcedRecords are the records behind submitted events, as they were then.
	announcedRecords []*Record
	events           map[string]string // the body of each event by its id
	letters          map[string]uint64
	letterSeq        uint64
	replays          int                  // how many replays an operator makes
	replayAfter      time.Duration        // how long the operator thinks
	replayed         func(r *Record) bool // which letters the operator replays; nil: all
	grown            func(r *Record) []string
	asked            func(r *Record) Ask
	double           bool      // replays accept a second purchase
	releases         []Holding // what disconnects gave back on the way

	steps      int
	crashes    []int
	flaky      func(step int) error
	violations []string
	conditions func() Conditions

	current   delivery // what a worker has in hand
	pauseAt   int      // the step at which a worker is overtaken; 0 for none
	overtake  func()   // what happens meanwhile
	overtaken bool

	outside func(Store) Store // the store as the drivers see it; nil: as it is

	onPoll, onPost func()
	pollFails      int          // so many polls fail
	reply          func() reply // in place of the vendor's script
}

type published struct {
	id, reason string
	outcome    string
	at         time.Time
	generation int
	numbers    []string
	sequence   uint64
}

// announced is an intermediate event, with the record's revision at that moment.
type announced struct {
	id               string
	sequence, stored uint64
}

func newWorld(t *testing.T) *world {
	s := DefaultSettings()
	s.Random = func() float64 { return 0.5 } // no jitter
	w := &world{t: t, settings: s, timers: map[ID]delivery{}, events: map[string]string{}, letters: map[string]uint64{}}
	w.vendor = &bandwidth{w: w, foreign: map[string]bool{}, owners: map[string]OrderID{}, keeps: map[string]bool{}}
	w.clock.Observe(time.Now())
	w.conditions = func() Conditions { return Conditions{Provisioning: true} }
	return w
}

func (w *world) violation(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// dies counts a step and reports whether the worker dies at it. Each action is two steps: before and after its effect.
// At the step pauseAt the worker stands still while others go on.
func (w *world) dies() bool {
	w.steps++
	if w.steps == w.pauseAt && !w.overtaken {
		w.overtaken = true
		w.overtake()
		return false
	}
	return slices.Contains(w.crashes, w.steps)
}

// guarded runs an effect between two steps.
func guarded[T any](w *world, effect func() (T, error)) (T, error) {
	if w.dies() {
		panic(crashed{})
	}
	v, err := effect()
	if w.flaky != nil {
		if ferr := w.flaky(w.steps); ferr != nil {
			var zero T
			return zero, ferr
		}
	}
	if w.dies() {
		panic(crashed{})
	}
	return v, err
}

// Store and Index.

func (w *world) Get(ctx context.Context, key ID) (*Record, error) { return w.store.Get(ctx, key) }

func (w *world) Create(ctx context.Context, r *Record) (uint64, error) {
	return guarded(w, func() (uint64, error) { return w.store.Create(ctx, r) })
}

func (w *world) Update(ctx context.Context, r *Record) (uint64, error) {
	return guarded(w, func() (uint64, error) { return w.store.Update(ctx, r) })
}

func (w *world) Open(ctx context.Context, key ID, g int) error {
	_, err := guarded(w, func() (int, error) { return 0, w.store.Open(ctx, key, g) })
	return err
}

func (w *world) Close(ctx context.Context, key ID, g int) error {
	_, err := guarded(w, func() (int, error) { return 0, w.store.Close(ctx, key, g) })
	return err
}

func (w *world) Entries(ctx context.Context, f func(IndexEntry) bool) error {
	return w.store.Entries(ctx, f)
}

// Bus.

func (w *world) SetTimer(_ context.Context, key ID, at time.Time, revision uint64) error {
	_, err := guarded(w, func() (int, error) {
		w.timerNo++
		if w.timerNo == w.loseAt {
			delete(w.timers, key)
			return 0, nil
		}
		if floor := time.Now(); at.Before(floor) {
			at = floor
		}
		w.timers[key] = delivery{at: at, tick: true, tickRev: revision, arrival: Arrival{Key: key}}
		return 0, nil
	})
	return err
}

func (w *world) Announce(_ context.Context, r *Record, outcome State, n int) {
	id := fmt.Sprintf("%s.%d.%s.%d", r.Key, r.Generation, outcome, n)
	stored := uint64(0)
	if now, err := w.store.Get(w.t.Context(), r.Key); err == nil {
		stored = now.Revision
	}
	w.announced = append(w.announced, announced{id: id, sequence: r.Revision, stored: stored})
	if outcome == Submitted {
		w.announcedRecords = append(w.announcedRecords, r.Clone())
	}
	w.event(id, r, r.Revision)
}

func (w *world) event(id string, r *Record, sequence uint64) {
	if r.Outcome == nil {
		return
	}
	body := fmt.Sprintf("%d %v %v %v", sequence, r.Held(), r.Unplaced(), r.Errors())
	if before, known := w.events[id]; known && before != body {
		w.violation("event %s differs on repeat: %s, now %s", id, before, body)
	}
	w.events[id] = body
}

func (w *world) PublishOutcome(_ context.Context, r *Record) (uint64, error) {
	id := fmt.Sprintf("%s.%d.%s", r.Key, r.Generation, r.Outcome.Outcome)
	if _, err := guarded(w, func() (int, error) {
		w.event(id, r, r.OutcomeSequence())
		w.registeredBefore(id, r)
		if !slices.ContainsFunc(w.published, func(p published) bool { return p.id == id }) {
			w.published = append(w.published, published{id: id, reason: r.Outcome.Reason, outcome: r.Outcome.Outcome, at: time.Now(), generation: r.Generation, numbers: r.Held(), sequence: r.OutcomeSequence()})
		}
		return 0, nil
	}); err != nil {
		return 0, err
	}
	if r.Outcome.Outcome == Completed {
		return 0, nil
	}
	return guarded(w, func() (uint64, error) {
		id := fmt.Sprintf("%s.%d", r.Key, r.Generation)
		if w.letters[id] == 0 {
			w.letterSeq++
			w.letters[id] = w.letterSeq
			if w.replays > 0 && (w.replayed == nil || w.replayed(r)) {
				w.replays--
				a := arrivalOf(r.Missing()...)
				a.ReplayOf, a.Hash = r.Generation, fmt.Sprintf("replay %d", r.Generation)
				if w.grown != nil {
					a.Ask.Numbers = w.grown(r)
				}
				a.Kind, a.AcceptDouble = r.Kind, w.double
				if w.asked != nil {
					a.Ask = w.asked(r)
				}
				w.inbox = append(w.inbox, delivery{at: time.Now().Add(max(time.Second, w.replayAfter)), arrival: a})
			}
		}
		return w.letters[id], nil
	})
}

func (w *world) DropLetter(_ context.Context, sequence uint64) error {
	_, err := guarded(w, func() (int, error) {
		for id, s := range w.letters {
			if s == sequence {
				delete(w.letters, id)
			}
		}
		return 0, nil
	})
	return err
}

const testKey ID = "abcdefghijklmnopqrst"

// arrivalOf is the request of these tests.
func arrivalOf(numbers ...string) Arrival {
	return Arrival{
		Key: testKey, RequestID: "r1", Kind: Provision, Subject: "s", Hash: "h1", Body: []byte(`{}`),
		Ask: Ask{Numbers: numbers, SiteID: "1234", PeerID: "1", PartialAllowed: true},
	}
}

func (w *world) driver() *Driver {
	namer, err := NewNamer("East coast Kazoo")
	if err != nil {
		w.t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	token := 0
	store := Store(w)
	if w.outside != nil {
		store = w.outside(w)
	}
	return &Driver{
		Store: store, Index: w, Registry: w, Carrier: w.vendor, Bus: w, Clock: &w.clock, Settings: w.settings, Names: namer,
		Conditions: func() Conditions { return w.conditions() },
		Token:      func() string { token++; return fmt.Sprintf("%p-%d", &token, token) },
		Log:        logrus.NewEntry(log),
	}
}

const ackWait = 30 * time.Second

// handle gives one delivery to a worker, which may die over it. It reports whether the message was acked.
func (w *world) handle(d delivery) (acked bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crashed); !ok {
				panic(r)
			}
		}
	}()
	w.clock.Observe(time.Now())
	w.current = d
	driver := w.driver()
	ctx := w.t.Context()
	if d.tick {
		return driver.Drive(ctx, Tick{Key: d.arrival.Key, At: d.at, Revision: d.tickRev}) == nil
	}
	admission, r, err := driver.Accept(ctx, d.arrival)
	if err != nil || admission == AdmitEarly || admission == AdmitUnknown || admission == AdmitNoTarget {
		return false
	}
	acked = true
	if admission == AdmitNew {
		_ = driver.DriveRecord(ctx, r, Tick{Key: r.Key, At: w.clock.Now()})
	}
	return acked
}

// run delivers until nothing is left to deliver. Messages that were not acked come again; an order that lost its
// timer is found by the index.
func (w *world) run(arrivals ...Arrival) {
	w.t.Helper()
	for _, a := range arrivals {
		w.inbox = append(w.inbox, delivery{at: time.Now(), arrival: a})
	}
	limit := time.Now().Add(72 * time.Hour)
	for {
		next, found := w.earliest()
		if !found {
			rescued := false
			if !w.rescue {
				return
			}
			_ = w.store.Entries(w.t.Context(), func(e IndexEntry) bool {
				w.inbox = append(w.inbox, delivery{at: time.Now().Add(time.Minute), tick: true, arrival: Arrival{Key: e.Key}})
				rescued = true
				return true
			})
			if !rescued {
				return
			}
			continue
		}
		if next.at.After(limit) {
			w.violation("the order has no end within 72 hours")
			return
		}
		time.Sleep(time.Until(next.at))
		if !w.handle(next) {
			next.at = time.Now().Add(ackWait)
			w.inbox = append(w.inbox, next)
		}
	}
}

// earliest takes the next delivery.
func (w *world) earliest() (delivery, bool) {
	best := -1
	for i := range w.inbox {
		if best < 0 || w.inbox[i].at.Before(w.inbox[best].at) {
			best = i
		}
	}
	var timer ID
	for key, d := range w.timers {
		if (best < 0 || d.at.Before(w.inbox[best].at)) && (timer == "" || d.at.Before(w.timers[timer].at)) {
			timer = key
		}
	}
	switch {
	case timer != "":
		d := w.timers[timer]
		delete(w.timers, timer)
		return d, true
	case best >= 0:
		d := w.inbox[best]
		w.inbox = slices.Delete(w.inbox, best, best+1)
		return d, true
	}
	return delivery{}, false
}

// record returns the order's record.
func (w *world) record() *Record {
	r, err := w.store.Get(w.t.Context(), testKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// check is the checker: what is true of every run, however it went.
func (w *world) check() []string {
	out := slices.Clone(w.violations)
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	r, err := w.store.Get(w.t.Context(), testKey)
	if errors.Is(err, ErrNotFound) {
		return append(out, "the order is lost: there is no record")
	}
	if r.Outcome == nil || !r.Outcome.Published {
		bad("the order did not end: %s", StateOf(r))
		return out
	}
	_ = w.store.Entries(w.t.Context(), func(e IndexEntry) bool {
		bad("order %s is still among the open ones", e.Key)
		return true
	})
	finals := map[int][]published{}
	for _, p := range w.published {
		if strings.HasPrefix(p.id, string(testKey)+".") {
			finals[p.generation] = append(finals[p.generation], p)
		}
	}
	for g := 1; g <= r.Generation; g++ {
		if len(finals[g]) != 1 {
			bad("generation %d has %d final outcomes: %v", g, len(finals[g]), finals[g])
		}
	}
	var held []string
	for _, o := range w.vendor.orders {
		held = append(held, o.got...)
	}
	reported := slices.Clone(r.Held())
	slices.Sort(held)
	slices.Sort(reported)
	if len(slices.Compact(slices.Clone(held))) != len(held) {
		bad("bought twice: %v", held)
	}
	if r.Outcome.Reason != ReasonOutcomeUnknown && !slices.Equal(held, reported) {
		bad("the outcome says %v, Bandwidth says %v", reported, held)
	}
	if wanted := r.HeldBefore + r.Ask.Quantity; r.Ask.Criteria != nil && len(held) > wanted {
		bad("%d numbers were bought, and %d wanted", len(held), wanted)
	}
	for _, n := range reported {
		if !slices.Contains(held, n) {
			bad("%s is reported and not held", n)
		}
	}
	out = append(out, w.checkRegistry(r)...)
	wantLetters := 0
	if r.Outcome.Outcome != Completed {
		wantLetters = 1
	}
	letters := 0
	for id := range w.letters {
		if strings.HasPrefix(id, string(testKey)+".") {
			letters++
		}
	}
	if letters != wantLetters {
		bad("%d dead letters, want %d: %v", letters, wantLetters, w.letters)
	}
	return out
}

// mostDeaths bounds the steps at which a sweep lets a worker die.
const mostDeaths = 150

// sweep plays a course as it is, and then again with a worker dying at every step. play returns what is wrong.
func sweep(t *testing.T, play func(t *testing.T, crashes ...int) (*world, []string)) {
	t.Helper()
	run := func(t *testing.T, crashes ...int) (steps int) {
		w, wrong := play(t, crashes...)
		for _, v := range wrong {
			t.Errorf("dead at %v: %s", crashes, v)
		}
		if t.Failed() {
			t.Log(w.story())
		}
		return w.steps
	}
	steps := 0
	synctest.Test(t, func(t *testing.T) { steps = run(t) })
	for at := 1; at <= min(steps, mostDeaths) && !t.Failed(); at++ {
		synctest.Test(t, func(t *testing.T) { run(t, at) })
	}
}
