package orders

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The registry of the test world: each number is a step of its own, at which a worker can die or lose the answer.

func (w *world) Register(ctx context.Context, holdings []Holding) error {
	for _, h := range holdings {
		if _, err := guarded(w, func() (int, error) { return 0, w.store.Register(ctx, []Holding{h}) }); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Number(ctx context.Context, number string) (Holding, error) {
	return w.store.Number(ctx, number)
}

// registeredBefore notes a violation where an event names numbers that are not registered yet.
func (w *world) registeredBefore(id string, r *Record) {
	if r.Sandbox {
		return
	}
	for _, n := range r.Held() {
		if _, err := w.store.Number(w.t.Context(), n); err != nil {
			w.violation("the event %s comes before its number %s is registered", id, n)
		}
	}
}

// checkRegistry compares the registry with what Bandwidth sold, as far as the record knows of it.
func (w *world) checkRegistry(r *Record) []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	want := map[string]Holding{}
	for _, o := range w.vendor.orders {
		for _, n := range o.got {
			if slices.Contains(r.Held(), n) && !r.Sandbox {
				want[n] = Holding{Number: n, State: NumberInService, CarrierModule: CarrierModule, SiteID: "1234", PeerID: "1", Key: testKey, OrderID: o.id}
				if r.Kind == PortIn {
					h := want[n]
					h.State, h.CarrierModule = NumberPortIn, "knm_other"
					want[n] = h
				}
			}
		}
	}
	for _, h := range w.releases {
		known := want[h.Number]
		h.SiteID, h.PeerID, h.CarrierModule = known.SiteID, known.PeerID, CarrierModule
		want[h.Number] = h
	}
	w.store.Numbers(func(h Holding) bool {
		expected, ok := want[h.Number]
		delete(want, h.Number)
		if h.State != NumberReleased {
			// Its time is that of an outcome: the last one, or one before it.
			if h.Since.After(r.Outcome.At) || h.Since.Before(r.AcceptedAt) && r.RebuiltAt.IsZero() {
				bad("%s is registered since %s, the order ran from %s to %s", h.Number, h.Since, r.AcceptedAt, r.Outcome.At)
			}
			expected.Since = h.Since
		}
		if !ok {
			bad("the registry holds %+v, which was not bought", h)
		} else if diff := cmp.Diff(expected, h); diff != "" {
			bad("the registry differs (-want +got):\n%s", diff)
		}
		return true
	})
	for n := range want {
		bad("%s is held and not registered", n)
	}
	return out
}

// TestP36_ReleaseBeforeReplay: a number is released between a partial outcome and its replay. The replay's outcome
// names it still, because the order brought it, but the registry keeps the release, wherever workers die (P36).
func TestP36_ReleaseBeforeReplay(t *testing.T) {
	const released, wanted = "+19195550001", "+19195550002"
	play := func(t *testing.T, crashes ...int) *world {
		w := newWorld(t)
		w.vendor.foreign[wanted] = true
		w.replays = 1
		w.grown = func(r *Record) []string {
			delete(w.vendor.foreign, wanted)
			time.Sleep(time.Millisecond)
			w.releases = Releases("zzz", "d1", time.Now(), released)
			if err := w.store.Register(w.t.Context(), w.releases); err != nil {
				t.Error(err)
			}
			return r.Missing()
		}
		w.crashes = crashes
		w.run(arrivalOf(released, wanted))
		return w
	}
	steps := 0
	synctest.Test(t, func(t *testing.T) {
		w := play(t)
		for _, v := range w.check() {
			t.Error(v)
		}
		steps = w.steps
		r := w.record()
		if r.Generation != 2 || r.Outcome.Outcome != Completed || !slices.Contains(r.Held(), released) {
			t.Fatalf("generation %d ended %s with %v", r.Generation, r.Outcome.Outcome, r.Held())
		}
		if h, err := w.Number(t.Context(), released); err != nil || h.State != NumberReleased || h.Key != "zzz" {
			t.Errorf("the released number is %+v, %v", h, err)
		}
		if h, err := w.Number(t.Context(), wanted); err != nil || h.State != NumberInService || h.Since.Before(r.StartedAt) || h.Since.After(r.Outcome.At) {
			t.Errorf("the replayed number is %+v, %v; want in service since its claim, from %s to %s", h, err, r.StartedAt, r.Outcome.At)
		}
	})
	for at := 1; at <= steps; at++ {
		synctest.Test(t, func(t *testing.T) {
			w := play(t, at)
			if len(w.releases) == 0 {
				return // it did not come to a letter
			}
			for _, v := range w.check() {
				t.Errorf("dead at step %d: %s", at, v)
			}
		})
	}
}

// TestP36_LateNumber: a Bandwidth order that became known after the outcome is registered at the end of the replay,
// with the time of the outcome it came too late for: a release since then is newer (P15, P36).
func TestP36_LateNumber(t *testing.T) {
	for _, c := range []struct {
		name  string
		after bool // released after the first outcome
		want  NumberState
	}{{"not released", false, NumberInService}, {"released before the replay", true, NumberReleased}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				r := w.claimed()
				first := time.Now().UTC().Round(0)
				r.expire(1, "somebody's", first)
				r.finish(Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, At: first})
				r.published(0)
				o := w.vendor.create(r.Purchases[0], time.Now())
				if !r.settle(1, "somebody's", PostFact{State: PostCreated, OrderID: o.id}, w.settings, first) || len(r.Late) != 1 {
					t.Fatalf("the late answer was not merged: %+v", r.Late)
				}
				w.published = append(w.published, published{id: string(testKey) + ".1.failed", generation: 1})
				w.stored(r)
				time.Sleep(time.Hour)
				if c.after {
					w.releases = Releases("zzz", "d1", time.Now(), "+19195550001")
					if err := w.store.Register(t.Context(), w.releases); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Hour)
				w.clock.Observe(time.Now())
				replay := arrivalOf("+19195550001")
				replay.ReplayOf, replay.Hash = 1, "h2"
				w.run(replay)
				for _, v := range w.check() {
					t.Error(v)
				}
				if r := w.record(); r.Generation != 2 || r.Outcome.Outcome != Completed {
					t.Fatalf("generation %d ended %s %s", r.Generation, r.Outcome.Outcome, r.Outcome.Reason)
				}
				h, err := w.Number(t.Context(), "+19195550001")
				if err != nil || h.State != c.want {
					t.Errorf("the late number is %+v, %v; want %s", h, err, c.want)
				}
				if !c.after && !h.Since.Equal(first) {
					t.Errorf("registered since %s, want %s: the outcome it came too late for", h.Since, first)
				}
			})
		})
	}
}

// TestP36_SecondPostDates: a POST that a replay sends of an old intent is a purchase of that replay's, and newer than
// a release before it.
func TestP36_SecondPostDates(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.claimed()
		first, second := time.Now().UTC().Round(0), time.Now().Add(time.Hour).UTC().Round(0)
		p := &r.Purchases[0]
		p.Posts[0].State = PostUnknown
		r.finish(Outcome{Outcome: Failed, At: first})
		r = r.nextGeneration(arrivalOf("+19195550001"), w.settings, second)
		found := func(r *Record) time.Time {
			c := r.Clone()
			c.Purchases[0].Orders = []VendorOrder{{OrderID: "o1", Final: true, Completed: []string{"+19195550001"}}}
			c.finish(Outcome{Outcome: Completed, At: second})
			return c.Holdings()[0].Since
		}
		if got := found(r); !got.Equal(first) {
			t.Errorf("found by a look it is held since %s, want %s", got, first)
		}
		r.claim(1, "second", time.Now(), second)
		if got := found(r); !got.Equal(second) {
			t.Errorf("after a second POST it is held since %s, want %s", got, second)
		}
		r.settle(1, "second", PostFact{Detail: "not sent"}, w.settings, second) // put back (P13)
		if got := found(r); !got.Equal(first) {
			t.Errorf("after a second POST that was not sent it is held since %s, want %s", got, first)
		}
	})
}

// TestRegistryFails: while the numbers cannot be registered the outcome is not published, and nothing is acked.
func TestRegistryFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		away := time.Now().Add(time.Hour)
		d := w.driver()
		d.Registry = failing{w, func() bool { return time.Now().Before(away) }}
		admission, r, err := d.Accept(t.Context(), arrivalOf("+19195550001"))
		if err != nil || admission != AdmitNew {
			t.Fatal(admission, err)
		}
		if err := d.DriveRecord(t.Context(), r, Tick{Key: testKey, At: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(w.settings.PollMinInterval)
		w.clock.Observe(time.Now())
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: w.clock.Now()}); !errors.Is(err, errAway) {
			t.Fatalf("Drive = %v, want the registry's error", err)
		}
		if r := w.record(); r.Outcome == nil || r.Outcome.Published || len(w.published) != 0 {
			t.Fatalf("outcome %+v, published %v", r.Outcome, w.published)
		}
		time.Sleep(time.Hour)
		if err := d.Drive(t.Context(), Tick{Key: testKey, At: w.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		for _, v := range w.check() {
			t.Error(v)
		}
	})
}

var errAway = errors.New("the registry is away")

type failing struct {
	Registry
	away func() bool
}

func (f failing) Register(ctx context.Context, holdings []Holding) error {
	if f.away() {
		return errAway
	}
	return f.Registry.Register(ctx, holdings)
}

// TestPrecede: in whichever order facts come in, and however often, the newest stands (P36).
func TestPrecede(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 24, 8, minute, 0, 0, time.UTC) }
	bought := func(key ID, minute int) Holding {
		return Holding{Number: "+19195550001", State: NumberInService, CarrierModule: CarrierModule, SiteID: "1234", PeerID: "1", Key: key, OrderID: "o", Since: at(minute)}
	}
	released := func(key ID, minute int) Holding { return Releases(key, "d", at(minute), "+19195550001")[0] }
	for name, c := range map[string]struct {
		facts []Holding
		state NumberState
		key   ID
	}{
		"bought":                         {[]Holding{bought("a", 1)}, NumberInService, "a"},
		"bought and released":            {[]Holding{bought("a", 1), released("b", 2)}, NumberReleased, "b"},
		"bought, released, bought":       {[]Holding{bought("a", 1), released("b", 2), bought("c", 3)}, NumberInService, "c"},
		"released before we knew of it":  {[]Holding{released("b", 2)}, NumberReleased, "b"},
		"two at one time":                {[]Holding{bought("a", 1), released("b", 1)}, NumberReleased, "b"},
		"two at one time, keys reversed": {[]Holding{bought("b", 1), released("a", 1)}, NumberInService, "b"},
	} {
		for range 50 {
			facts := append(slices.Clone(c.facts), c.facts...) // each comes twice
			rand.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			var stored Holding
			for _, f := range facts {
				if result, write := Precede(stored, f); write {
					stored = result
				}
			}
			if stored.State != c.state || stored.Key != c.key || stored.CarrierModule != CarrierModule {
				t.Fatalf("%s: ends as %+v after %+v", name, stored, facts)
			}
			if len(c.facts) > 1 && (stored.SiteID != "1234" || stored.PeerID != "1") {
				t.Fatalf("%s: forgot where the number was: %+v after %+v", name, stored, facts)
			}
			for _, f := range c.facts {
				if _, write := Precede(stored, f); write {
					t.Fatalf("%s: a repeat of %+v is written again", name, f)
				}
			}
		}
	}
	ported := bought("a", 1)
	ported.CarrierModule = "knm_local"
	if h, _ := Precede(ported, released("b", 2)); h.CarrierModule != "knm_local" {
		t.Errorf("a release changed the carrier module to %s", h.CarrierModule)
	}
}

// TestSandboxRegistersNothing (P31).
func TestSandboxRegistersNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := arrivalOf("+19195550001")
		a.Sandbox = true
		w.run(a)
		if r := w.record(); r.Outcome == nil || r.Outcome.Outcome != Completed || len(r.Held()) != 1 {
			t.Fatalf("the sandbox order ended %+v", r.Outcome)
		}
		w.store.Numbers(func(h Holding) bool { t.Errorf("a sandbox registered %+v", h); return true })
		real := w.running()
		real.Purchases[0].Orders[0].Completed = []string{"+19195550001"}
		real.finish(Outcome{Outcome: Completed, At: time.Now()})
		if len(real.Holdings()) != 1 {
			t.Fatalf("a real order's holdings are %v", real.Holdings())
		}
		if real.Sandbox = true; real.Holdings() != nil {
			t.Errorf("a sandbox's holdings are %v", real.Holdings())
		}
	})
}
