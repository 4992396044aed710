package orders

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func init() {
	for _, s := range reserveScenarios {
		if s.crashed == nil {
			s.crashed = append(s.crashed, reservedInTheDark...)
		}
		scenarios = append(scenarios, s)
	}
}

// reservedInTheDark is how an order may also end where a worker died between a reservation and its record, or between
// its claim and its POST: what our own lost reservation holds is not sold to us either.
var reservedInTheDark = []string{"completed", "partial incomplete", "failed bandwidth_failed", "failed no_numbers", "failed outcome_unknown", "partial outcome_unknown"}

func reservedOf(a Arrival) Arrival {
	a.Ask.Reserve = true
	return a
}

func reserveBoth() []Arrival { return []Arrival{reservedOf(arrivalOf(both...))} }

func reserveThree() []Arrival { return []Arrival{reservedOf(byCriteria(3))} }

// expireFirst holds everything back for five hours once there are so many reservations: they have ended by then.
func expireFirst(w *world, count int) {
	var until time.Time
	w.vendor.prepare = func() error {
		if len(w.vendor.posts) > 0 || len(w.vendor.reservations) < count {
			return nil
		}
		if until.IsZero() {
			until = w.clock.Now().Add(5 * time.Hour)
		}
		if w.clock.Now().Before(until) {
			return &HoldError{Until: until, Why: "paused"}
		}
		return nil
	}
}

const unknownAndReplayed = "reserved by criteria, replayed after unknown"

var reserveScenarios = []scenario{
	{name: "reserved", arrivals: reserveBoth, want: []string{"completed"}},
	{name: "reserved, one held by others", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.foreign[numberB] = true }, want: []string{"partial incomplete"}},
	{name: "reserved, the reply of a reservation lost after it", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.reserving = []reply{lostAfter} }, want: []string{"partial incomplete"}},
	{name: "reserved, the reply of a reservation lost before it", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.reserving = []reply{lostBefore} }, want: []string{"completed"}},
	{name: "reserved, not sent at first", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.reserving = []reply{unsent, limited, answered, unsent} }, want: []string{"completed"}},
	{name: "reserved, and the account may not", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.noReserving = []VendorError{{Code: "5046", Description: "not allowed"}} }, want: []string{"completed"}},
	{name: "reserved, ended before the order", arrivals: reserveBoth, setup: func(w *world) { expireFirst(w, 2) }, want: []string{"completed"}},
	{name: "reserved, ended before the order, and one was sold", arrivals: reserveBoth, setup: func(w *world) {
		expireFirst(w, 2)
		w.onPost = func() { w.vendor.foreign[numberB] = true }
	}, want: []string{"partial incomplete"}},
	{name: "reserved, one ended before the order", arrivals: reserveBoth, setup: func(w *world) { expireFirst(w, 1) }, want: []string{"completed"}},
	{name: "reserved, ended before the order, which is told late", arrivals: reserveBoth,
		setup: func(w *world) { expireFirst(w, 2); w.vendor.expiresLate = true }, want: []string{"completed"}},
	{name: "reserved, ended before the order, and the second is refused", arrivals: reserveBoth,
		setup: func(w *world) { expireFirst(w, 2); w.vendor.script = []reply{answered, refusedPost} }, want: []string{"failed rejected"},
		crashed: append([]string{"failed rejected"}, reservedInTheDark...)},
	{name: "reserved, ended before the order, and the second's reply lost", arrivals: reserveBoth,
		setup: func(w *world) { expireFirst(w, 2); w.vendor.script = []reply{answered, lostAfter} }, want: []string{"completed"}},
	{name: "reserved, the order's reply lost after creation", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.script = []reply{lostAfter} }, want: []string{"completed"}},
	{name: "reserved, the order's reply lost before creation", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.script = []reply{lostBefore} }, want: []string{"completed"}},
	{name: "reserved, the order's reply lost, and the second POST comes too late", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.script, w.vendor.reserveLife = []reply{lostBefore}, 3*time.Minute }, want: []string{"failed outcome_unknown"}},
	{name: "reserved, refused, and replayed", arrivals: reserveBoth, setup: func(w *world) {
		w.vendor.script = []reply{refusedPost}
		w.replays = 1
		w.asked = func(r *Record) Ask { return r.Ask }
	}, want: []string{"completed"}, crashed: append([]string{"failed rejected"}, reservedInTheDark...)},
	{name: "reserved, in a young ledger", arrivals: reserveBoth, setup: func(w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
	}, want: []string{"completed"}},
	{name: "reserved, in a sandbox", arrivals: func() []Arrival {
		a := reservedOf(arrivalOf(both...))
		a.Sandbox = true
		return []Arrival{a}
	}, want: []string{"completed"}},
	{name: "reserved by criteria", arrivals: reserveThree, setup: func(w *world) { w.stock(10) }, want: []string{"completed"}},
	{name: "reserved by criteria, two taken by rivals", arrivals: reserveThree,
		setup: func(w *world) { w.stock(10); w.vendor.grabs = 2 }, want: []string{"completed"}},
	{name: "reserved by criteria, a reservation's reply lost", arrivals: reserveThree,
		setup: func(w *world) { w.stock(10); w.vendor.reserving = []reply{answered, lostAfter} }, want: []string{"completed"}},
	{name: "reserved by criteria, no reservation answered", arrivals: func() []Arrival { return []Arrival{reservedOf(byCriteria(5))} },
		setup: func(w *world) { w.stock(5); w.vendor.reserving = slices.Repeat([]reply{lostBefore}, 300) }, want: []string{"completed"}},
	{name: "reserved, no reservation answered", arrivals: reserveBoth,
		setup: func(w *world) { w.vendor.reserving = slices.Repeat([]reply{lostBefore}, 300) }, want: []string{"completed"}},
	{name: "reserved by criteria, with too little in stock", arrivals: reserveThree,
		setup: func(w *world) { w.stock(3); w.vendor.grabs = 1 }, want: []string{"partial incomplete"}},
	{name: "reserved by criteria, all or nothing, with too little in stock", arrivals: func() []Arrival {
		a := reservedOf(byCriteria(3))
		a.Ask.PartialAllowed = false
		return []Arrival{a}
	}, setup: func(w *world) { w.stock(3); w.vendor.grabs = 1 }, want: []string{"failed no_numbers"}},
	{name: "reserved by criteria, all or nothing, one taken and replaced", arrivals: func() []Arrival {
		a := reservedOf(byCriteria(3))
		a.Ask.PartialAllowed = false
		return []Arrival{a}
	}, setup: func(w *world) { w.stock(10); w.vendor.grabs = 1 }, want: []string{"completed"}},
	{name: "reserved by criteria, ended before the order", arrivals: reserveThree,
		setup: func(w *world) { w.stock(10); expireFirst(w, 3) }, want: []string{"completed"}},
	{name: "reserved by criteria, too little in stock, ended before the order", arrivals: reserveThree,
		setup: func(w *world) { w.stock(2); expireFirst(w, 2) }, want: []string{"partial incomplete"}},
	{name: "reserved by criteria, one taken and none left, ended before the order, put back once", arrivals: reserveThree,
		setup: func(w *world) {
			w.stock(3)
			w.vendor.grabs = 1
			expireFirst(w, 2)
			w.vendor.script = []reply{answered, unsent}
		}, want: []string{"partial incomplete"}},
	{name: "reserved by criteria, in a young ledger", arrivals: reserveThree, setup: func(w *world) {
		w.stock(10)
		w.vendor.grabs = 1
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
	}, want: []string{"completed"}},
	{name: unknownAndReplayed, arrivals: reserveThree, setup: func(w *world) {
		w.stock(10)
		w.vendor.script, w.vendor.forbidden = []reply{lostBefore}, true
		w.replays, w.replayAfter = 1, 5*time.Hour // its reservations have ended
		w.asked = w.again
	}, want: []string{"completed"}},
	{name: "reserved by criteria, replayed after unknown that was bought", arrivals: reserveThree, setup: func(w *world) {
		w.stock(10)
		w.vendor.script, w.vendor.forbidden, w.vendor.listDelay = []reply{lostAfter}, true, time.Hour
		w.replays = 1
		w.asked = w.again
	}, want: []string{"completed", "failed outcome_unknown"}},
	{name: "reserved by criteria, the order's reply lost before creation", arrivals: reserveThree,
		setup: func(w *world) { w.stock(10); w.vendor.script = []reply{lostBefore} }, want: []string{"completed"}},
}

// TestReserving: how many POSTs each course takes, under which customer order ids, and that no reservation is left that
// could be given back.
func TestReserving(t *testing.T) {
	first := "East-coast-Kazoo-" + string(testKey)
	for name, want := range map[string]struct {
		coids []string
		left  int // reservations that stand at the end
	}{
		"reserved":                     {coids: []string{first}},
		"reserved, one held by others": {coids: []string{first}},
		"reserved, the reply of a reservation lost after it":                                   {coids: []string{first}, left: 1},
		"reserved, and the account may not":                                                    {coids: []string{first}},
		"reserved, ended before the order":                                                     {coids: []string{first, first + "-2"}},
		"reserved, one ended before the order":                                                 {coids: []string{first, first + "-2"}},
		"reserved, ended before the order, which is told late":                                 {coids: []string{first, first + "-2"}},
		"reserved, ended before the order, and the second is refused":                          {coids: []string{first, first + "-2"}},
		"reserved, the order's reply lost before creation":                                     {coids: []string{first, first}},
		"reserved, the order's reply lost, and the second POST comes too late":                 {coids: []string{first, first}},
		"reserved, refused, and replayed":                                                      {coids: []string{first, first + "-2"}},
		"reserved by criteria, two taken by rivals":                                            {coids: []string{first}},
		"reserved by criteria, a reservation's reply lost":                                     {coids: []string{first, first + "-2"}, left: 1},
		"reserved by criteria, no reservation answered":                                        {coids: []string{first}},
		"reserved, no reservation answered":                                                    {coids: []string{first}},
		"reserved by criteria, with too little in stock":                                       {coids: []string{first}},
		"reserved by criteria, all or nothing, with too little in stock":                       {},
		"reserved by criteria, all or nothing, one taken and replaced":                         {coids: []string{first}},
		"reserved by criteria, ended before the order":                                         {coids: []string{first, first + "-2"}},
		"reserved by criteria, too little in stock, ended before the order":                    {coids: []string{first, first + "-2"}},
		"reserved by criteria, one taken and none left, ended before the order, put back once": {coids: []string{first, first + "-2", first + "-2"}},
		unknownAndReplayed: {coids: []string{first, first + "-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(reserveScenarios, func(s scenario) bool { return s.name == name })
			synctest.Test(t, func(t *testing.T) {
				w := play(t, reserveScenarios[i])
				var coids []string
				for _, p := range w.vendor.posts {
					coids = append(coids, p.coid)
				}
				left := 0
				for n := range w.vendor.reservations {
					if w.vendor.reservedBy(n) != "" {
						left++
					}
				}
				if name == unknownAndReplayed && (w.vendor.reserveCalls != 3 || w.vendor.unreserved != 0) {
					t.Errorf("%d reservations were asked for and %d given back: what an unanswered POST may hold stays the same (P21)", w.vendor.reserveCalls, w.vendor.unreserved)
				}
				if !slices.Equal(coids, want.coids) || left != want.left {
					t.Errorf("%d reservations stand, and the POSTs were %q; want %d and %q\n%s", left, coids, want.left, want.coids, w.story())
				}
			})
		})
	}
}

// TestReservingEnds: where nothing that a search lists can be reserved, the search for others ends.
func TestReservingEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for i := range 300 {
			w.vendor.finds = append(w.vendor.finds, FindFact{Numbers: []string{fmt.Sprintf("+1919555%04d", 1+i)}})
		}
		w.vendor.noReserving = []VendorError{{Code: "5041", Description: "not available"}}
		w.run(reservedOf(byCriteria(1)))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Reason != ReasonNoNumbers || w.vendor.reserveCalls != maxTaken || len(w.vendor.posts) != 0 {
			t.Errorf("ended %s %s after %d reservations and %d POSTs", r.Outcome.Outcome, r.Outcome.Reason, w.vendor.reserveCalls, len(w.vendor.posts))
		}
	})
}

// TestReservingOutage: where no reservation is answered, the order soon goes without any.
func TestReservingOutage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.stock(30)
		w.vendor.reserving = slices.Repeat([]reply{lostBefore}, 300)
		w.run(reservedOf(byCriteria(20)))
		if r := w.record(); r.Outcome.Outcome != Completed || w.vendor.reserveCalls != maxUnanswered || len(w.vendor.posts) != 1 || len(r.Purchases[0].Taken) != 0 {
			t.Errorf("ended %s %s after %d reservations and %d POSTs\n%s", r.Outcome.Outcome, r.Outcome.Reason, w.vendor.reserveCalls, len(w.vendor.posts), w.story())
		}
	})
}

// TestP40_Reservations: a record of as many reservations as a request may have stays small.
func TestP40_Reservations(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		numbers := fiveThousand()[:100]
		w.run(reservedOf(arrivalOf(numbers...)))
		r := w.record()
		data, err := r.Marshal()
		if r.Outcome.Outcome != Completed || len(r.Purchases) != 1 || len(r.Purchases[0].Reservations) != 100 || err != nil || len(data) > 64<<10 {
			t.Errorf("ended %s with %d purchases, %d bytes, %v", r.Outcome.Outcome, len(r.Purchases), len(data), err)
		}
	})
}

// beside drives the order as another worker does, between the first reservation and its answer.
func (w *world) beside(after time.Duration) {
	w.vendor.onReserve = func() {
		w.vendor.onReserve = nil
		time.Sleep(after)
		w.clock.Observe(time.Now())
		if err := w.driver().Drive(w.t.Context(), Tick{Key: testKey, At: time.Now()}); err != nil {
			w.t.Error(err)
		}
	}
}

// TestP12_ReservationInFlight: another worker that looks at the order while a reservation is slow waits for its end, and
// the timer brings none before that.
func TestP12_ReservationInFlight(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.beside(w.settings.PostTimeout - time.Second)
		slow := w.vendor.onReserve
		w.vendor.onReserve = func() {
			if until := time.Until(w.timers[testKey].at); until < w.settings.PostTimeout {
				t.Errorf("the timer brings another worker in %s, while the reservation may take %s", until, w.settings.PostTimeout)
			}
			slow()
		}
		w.run(reservedOf(arrivalOf(both...)))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); r.Outcome.Outcome != Completed || w.vendor.reserveCalls != 2 || len(w.vendor.posts) != 1 {
			t.Errorf("ended %s %s after %d reservations and %d POSTs\n%s", r.Outcome.Outcome, r.Outcome.Reason, w.vendor.reserveCalls, len(w.vendor.posts), w.story())
		}
	})
}

// TestP15_LateReservation: a reservation that is answered after its order went on its way without it is given back.
func TestP15_LateReservation(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.beside(w.settings.PostTimeout + time.Second)
		w.run(reservedOf(arrivalOf(numberA)))
		for _, v := range w.check() {
			t.Error(v)
		}
		if r := w.record(); len(w.vendor.posts) != 1 || w.vendor.unreserved != 1 || w.vendor.reservedBy(numberA) != "" {
			t.Errorf("ended %s %s after %d POSTs; %d given back\n%s", r.Outcome.Outcome, r.Outcome.Reason, len(w.vendor.posts), w.vendor.unreserved, w.story())
		}
	})
}

// TestP35_WhichNumbers: those that an order lost for their reservations are ordered once more, whether it names them or
// not, and nothing that is held by now.
func TestP35_WhichNumbers(t *testing.T) {
	const numberC = "+19195550077"
	for name, c := range map[string]struct {
		first, second PollFact // of two orders of one purchase
		want          []string
	}{
		"failed, and names no number": {first: PollFact{Status: "FAILED", Errors: []VendorError{{Code: "5043"}}}, want: []string{numberA, numberB, numberC}},
		"failed for another reason":   {first: PollFact{Status: "FAILED", Errors: []VendorError{{Code: "5043"}, {Code: "5016"}}}},
		"some bought, and names none": {first: PollFact{Status: "PARTIAL", Completed: []string{numberB}, Errors: []VendorError{{Code: "5043"}}}, want: []string{numberA, numberC}},
		"one named for another reason": {first: PollFact{Status: "FAILED", Errors: []VendorError{{Code: "5043"}, {Code: "5005"}}, FailedNumbers: []FailedNumber{{numberA, "5005"}}},
			want: []string{numberB, numberC}},
		"another order brought it": {
			first:  PollFact{Status: "PARTIAL", Completed: []string{numberA}, FailedNumbers: []FailedNumber{{numberB, "5043"}, {numberC, "5005"}}},
			second: PollFact{Status: "PARTIAL", Completed: []string{numberB}, FailedNumbers: []FailedNumber{{numberA, "5005"}, {numberC, "5005"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				r := NewRecord(reservedOf(arrivalOf(numberA, numberB, numberC)), time.Now())
				p := r.plan(goldenNames(), r.Ask.Numbers)
				p.Reservations = map[string]string{numberA: "r1", numberB: "r2", numberC: "r3"}
				r.claim(1, "t", time.Now(), time.Now())
				r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1"}, w.settings, time.Now())
				for i, f := range []PollFact{c.first, c.second} {
					if f.Status != "" {
						f.ID, f.OrderID = fmt.Sprint("poll", i), OrderID(fmt.Sprint("o", i+1))
						p.adopt(f.OrderID, "", w.settings, time.Now())
						r.polled(f, w.settings, time.Now())
					}
				}
				a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now().Add(time.Hour))
				if !slices.Equal(r.expired(), c.want) || (a.Kind == ActPlace) != (len(c.want) > 0) || a.Kind == ActPlace && !slices.Equal(a.Numbers, c.want) {
					t.Errorf("%v are ordered once more, by %+v; want %v", r.expired(), a, c.want)
				}
			})
		})
	}
}

// TestReservingRefused: while Bandwidth refuses orders, one that would reserve can be the probe: it goes without what it
// has not reserved yet. By criteria, all or nothing, it still orders no less than it asks for.
func TestReservingRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := Conditions{Provisioning: true, OrdersRefused: true}
		r := NewRecord(reservedOf(arrivalOf(both...)), time.Now())
		p := r.plan(goldenNames(), r.Ask.Numbers)
		p.Reservations = map[string]string{numberA: "r1"}
		if a := Next(r, c, w.settings, time.Now()); a.Kind != ActPlace || a.N != 1 {
			t.Errorf("named: %+v", a)
		}
		a := reservedOf(byCriteria(3))
		a.Ask.PartialAllowed = false
		r = NewRecord(a, time.Now())
		p = r.plan(goldenNames(), []string{numberA, numberB})
		p.Taken = []string{"+19195550077"}
		if a := Next(r, c, w.settings, time.Now()); a.Kind != ActChoose || a.Find != 1 {
			t.Errorf("by criteria: %+v", a)
		}
		p.Numbers = append(p.Numbers, "+19195550078")
		if a := Next(r, c, w.settings, time.Now()); a.Kind != ActPlace || len(a.Numbers) != 3 {
			t.Errorf("by criteria, all chosen: %+v", a)
		}
		c.OrdersRefused = false
		if a := Next(r, c, w.settings, time.Now()); a.Kind != ActReserve {
			t.Errorf("not refused: %+v", a)
		}
	})
}

// TestP35_GivenBackFirst: the order without reservations waits until what still stands of them was given back, for as
// long as it can stand.
func TestP35_GivenBackFirst(t *testing.T) {
	for name, c := range map[string]struct {
		outage time.Duration
		waits  time.Duration
	}{"a short outage": {10 * time.Minute, 10 * time.Minute}, "no end of it": {100 * time.Hour, reservationLife}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var first, second time.Time
				w.vendor.script = []reply{refusedReservation} // of one of the two, say; both stand
				w.onPost = func() {
					if first, second = second, time.Now(); first.IsZero() {
						return
					}
					if got := second.Sub(first); got < c.waits || got > c.waits+w.settings.PollMaxInterval*2 {
						t.Errorf("it was sent once more after %s, want %s", got, c.waits)
					}
				}
				begin := time.Now()
				w.vendor.keepsReserved = func() bool { return time.Since(begin) < c.outage }
				w.run(reservedOf(arrivalOf(both...)))
				for _, v := range w.check() {
					t.Error(v)
				}
				if r := w.record(); r.Outcome.Outcome != Completed || len(w.vendor.posts) != 2 {
					t.Errorf("ended %s %s after %d POSTs\n%s", r.Outcome.Outcome, r.Outcome.Reason, len(w.vendor.posts), w.story())
				}
			})
		})
	}
}
