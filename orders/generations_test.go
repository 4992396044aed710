package orders

import (
	"slices"
	"testing"
	"time"
)

func TestP15_LateAnswerIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.claimed()
		r.Purchases[0].Posts[0].State = PostUnknown
		r.Outcome = &Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, Published: true, LetterSequence: 4}
		fact := PostFact{State: PostCreated, OrderID: "o9"}
		if !r.settle(1, "somebody's", fact, w.settings, time.Now()) || r.settle(1, "somebody's", fact, w.settings, time.Now()) {
			t.Error("a late answer is kept once")
		}
		if len(r.Late) != 1 || len(r.Purchases[0].Orders) != 0 {
			t.Errorf("late %v, orders %v: the published outcome must not change", r.Late, r.Purchases[0].Orders)
		}
		next := r.nextGeneration(arrivalOf("+19195550001"), w.settings, time.Now())
		if next.Unresolved() || len(next.Purchases[0].Orders) != 1 || !slices.Equal(next.StaleLetters, []uint64{4}) {
			t.Errorf("the next generation does not know the order: %+v", next.Purchases[0])
		}
	})
}

// TestP19_RefusalAsksAgain: a refused or failed second POST decides nothing about the first: looks begin anew.
func TestP19_RefusalAsksAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for name, fact := range map[string]func(r *Record){
			"a refusal": func(r *Record) {
				r.settle(1, "second", PostFact{State: PostRefused, Errors: []VendorError{{Code: "5005"}}}, w.settings, time.Now())
			},
			"an order that failed": func(r *Record) {
				r.settle(1, "second", PostFact{State: PostCreated, OrderID: "o2"}, w.settings, time.Now())
				none := 0
				r.polled(PollFact{ID: "p", OrderID: "o2", Status: "FAILED", CompletedQuantity: &none}, w.settings, time.Now())
			},
		} {
			r := w.claimed()
			p := &r.Purchases[0]
			p.Posts[0].State = PostUnknown
			p.LateLooks, p.Looks = looksNeeded, looksNeeded
			p.Posts = append(p.Posts, Post{Token: "second"})
			fact(r)
			if p.LateLooks != 0 {
				t.Errorf("after %s %d looks from before it still count", name, p.LateLooks)
			}
			r.WrittenAt = time.Now()
			if a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind != ActLook {
				t.Errorf("after %s: %+v, want a look", name, a)
			}
		}
	})
}

// TestP25_Admit: what an arrival is against every kind of record.
func TestP25_Admit(t *testing.T) {
	base := func(outcome string, published bool) *Record {
		r := NewRecord(arrivalOf("+19195550001"), time.Now())
		r.Generation, r.Hashes = 2, []string{"h1", "h2"}
		if outcome != "" {
			r.Outcome = &Outcome{Outcome: outcome, Published: published}
		}
		return r
	}
	unresolved := base(Failed, true)
	unresolved.Purchases = []Purchase{{N: 1, Generation: 1, Numbers: []string{"+19195550001", "+19195550002"}, Posts: []Post{{Token: "t", State: PostUnknown}}}}
	for _, c := range []struct {
		name   string
		record *Record
		of     int
		hash   string
		want   Admission
		kind   Kind
	}{
		{"new", nil, 0, "h1", AdmitNew, ""},
		{"a replay of nothing", nil, 1, "h2", AdmitUnknown, ""},
		{"a duplicate under way", base("", false), 0, "h1", AdmitUnfinished, ""},
		{"a duplicate before the outcome is published", base(Failed, false), 0, "h1", AdmitUnfinished, ""},
		{"a duplicate after the end", base(Completed, true), 0, "h1", AdmitAnswered, ""},
		{"a plain request with a replay's content", base(Completed, true), 0, "h2", AdmitConflict, ""},
		{"another content", base(Completed, true), 0, "h9", AdmitConflict, ""},
		{"a replay of the last generation", base(Failed, true), 2, "h3", AdmitNew, ""},
		{"a replay of the last generation, partial", base(Partial, true), 2, "h3", AdmitNew, ""},
		{"a replay that comes early", base("", false), 2, "h3", AdmitEarly, ""},
		{"a replay before the outcome is published", base(Failed, false), 2, "h3", AdmitEarly, ""},
		{"a second replay of generation 1, under way", base("", false), 1, "h2", AdmitUnfinished, ""},
		{"a second replay of generation 1, ended", base(Failed, true), 1, "h2", AdmitAnswered, ""},
		{"another replay of generation 1", base(Failed, true), 1, "h3", AdmitConflict, ""},
		{"a replay of a completed generation", base(Completed, true), 2, "h2", AdmitAnswered, ""},
		{"another replay of a completed generation", base(Completed, true), 2, "h3", AdmitConflict, ""},
		{"a replay of a generation that is not there", base(Failed, true), 3, "h3", AdmitUnknown, ""},
		{"another kind", base(Completed, true), 0, "h1", AdmitConflict, "disconnect"},
		{"a replay of another kind", base(Failed, true), 2, "h3", AdmitConflict, "disconnect"},
		{"a replay that leaves numbers out (P21)", unresolved, 2, "h3", AdmitIncomplete, ""},
	} {
		a := arrivalOf("+19195550001")
		a.ReplayOf, a.Hash, a.Kind = c.of, c.hash, Provision
		if c.kind != "" {
			a.Kind = c.kind
		}
		if got := admit(c.record, a); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	a := arrivalOf("+19195550001", "+19195550002")
	a.ReplayOf, a.Hash = 2, "h3"
	if got := admit(unresolved, a); got != AdmitNew {
		t.Errorf("a replay that names all that may have been bought: %v", got)
	}
}

// TestP29_SequenceStays: the outcome carries the revision of the write that made it, whoever writes afterwards.
func TestP29_SequenceStays(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.running()
		r.Outcome = &Outcome{Outcome: Failed}
		stored := w.stored(r)
		made := stored.OutcomeSequence()
		if made != stored.Revision {
			t.Fatalf("sequence %d of a fresh outcome at revision %d", made, stored.Revision)
		}
		changed, err := w.driver().change(t.Context(), stored, func(r *Record) bool { r.note(time.Now(), "late", ""); return true })
		if err != nil || changed.OutcomeSequence() != made || w.record().OutcomeSequence() != made {
			t.Errorf("after another write the sequence is %d, stored %d, want %d (%v)", changed.OutcomeSequence(), w.record().OutcomeSequence(), made, err)
		}
	})
}

func TestP33_YoungLedgerLooksFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
		namer, _ := NewNamer("East coast Kazoo")
		lost := w.vendor.create(Purchase{CustomerOrderID: namer.CustomerOrderID(testKey, 1), Numbers: []string{"+19195550001"}}, time.Now())
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if len(w.vendor.posts) != 0 || !slices.Equal(w.record().Held(), lost.got) {
			t.Errorf("%d POSTs for what an older ledger had bought", len(w.vendor.posts))
		}
		if len(w.vendor.looks) != 1 || w.vendor.looks[0] {
			t.Errorf("looks %v, want one, by customer order id alone", w.vendor.looks)
		}
	})
}

func TestP38_TimerNotTooClose(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.driver()
		tick := Tick{Key: testKey, At: time.Now()}
		for _, c := range []struct{ asked, want time.Duration }{{0, time.Second}, {time.Second, time.Second}, {time.Minute, time.Minute}} {
			if err := d.rearm(t.Context(), testKey, tick, tick.At.Add(c.asked), 1); err != nil {
				t.Fatal(err)
			}
			if got := w.timers[testKey].at.Sub(tick.At); got != c.want {
				t.Errorf("a timer %s from its tick was set %s from it", c.asked, got)
			}
		}
	})
}

// TestP14_OwnCustomerOrderIDs: n counts over all generations, and stands in the customer order id.
func TestP14_OwnCustomerOrderIDs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		namer, _ := NewNamer("East coast Kazoo")
		r := w.unknown()
		for g := 2; g <= 4; g++ {
			r = r.nextGenerationAfter(t, w)
			p := r.plan(namer, r.Ask.Numbers)
			if want := namer.CustomerOrderID(testKey, g); p.N != g || p.CustomerOrderID != want {
				t.Errorf("generation %d orders as n %d, %s; want %d, %s", g, p.N, p.CustomerOrderID, g, want)
			}
			r.claim(p.N, "t", time.Now(), time.Now())
			r.settle(p.N, "t", PostFact{State: PostUnknown}, w.settings, time.Now())
		}
	})
}

// TestP25_TwoOperators: of two replays of one letter one begins the generation. The other, which had read the record
// before, is a duplicate with the same body, and a conflict with another.
func TestP25_TwoOperators(t *testing.T) {
	for hash, want := range map[string]Admission{"replay": AdmitUnfinished, "another": AdmitConflict} {
		bubble(t, func(t *testing.T, w *world) {
			w.stored(w.ended(4))
			d := w.driver()
			d.Store = once(w, func() {
				first := replay(1, "+19195550001")
				first.Hash = hash
				if admission, _, err := w.driver().Accept(t.Context(), first); err != nil || admission != AdmitNew {
					t.Fatalf("the first is %v, %v", admission, err)
				}
			})
			if admission, _, err := d.Accept(t.Context(), replay(1, "+19195550001")); err != nil || admission != want {
				t.Errorf("the second is %v, %v; want %v", admission, err, want)
			}
			if r := w.record(); r.Generation != 2 || !slices.Equal(r.Hashes, []string{"h1", hash}) {
				t.Errorf("generation %d of %v", r.Generation, r.Hashes)
			}
		})
	}
}

// TestP33_BlindLook: a look that could not look does not free the first POST.
func TestP33_BlindLook(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
		begin := time.Now()
		w.vendor.blind = func() bool { return time.Since(begin) < time.Hour }
		w.run(arrivalOf("+19195550001"))
		for _, v := range w.check() {
			t.Error(v)
		}
		if len(w.vendor.posts) != 1 || w.vendor.posts[0].at.Sub(begin) < time.Hour {
			t.Errorf("POSTs %v, and nothing could be looked up for an hour", w.vendor.posts)
		}
	})
}

// TestP38_ClaimersClock: how far off the claimer's clock is does not matter; the server's time of its write does.
func TestP38_ClaimersClock(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, off := range []time.Duration{-time.Hour, 0, time.Hour} {
			r := w.claimed()
			r.WrittenAt = time.Now()
			r.Purchases[0].Posts[0].At = time.Now().Add(off)
			end := r.WrittenAt.Add(w.settings.PostTimeout)
			before, at := Next(r, Conditions{Provisioning: true}, w.settings, end.Add(-1)), Next(r, Conditions{Provisioning: true}, w.settings, end)
			if before.Kind != ActWait || !before.Until.Equal(end) || at.Kind != ActExpire {
				t.Errorf("a clock that is %s off: %+v, then %+v", off, before, at)
			}
		}
	})
}

// TestP12_Expiry: a claim whose time is over is unknown, not put back, and looked for from its write on.
func TestP12_Expiry(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.claimed()
		r.WrittenAt = time.Now()
		now := time.Now().Add(w.settings.PostTimeout)
		if !r.expire(1, "somebody's", now) || r.expire(1, "somebody's", now) {
			t.Error("a claim expires once")
		}
		p := r.Purchases[0]
		if len(p.Posts) != 1 || p.Posts[0].State != PostUnknown || !r.Unresolved() || !p.UnknownSince.Equal(r.WrittenAt) {
			t.Errorf("%+v", p)
		}
		if a := Next(r, Conditions{Provisioning: true}, w.settings, now); a.Kind != ActLook {
			t.Errorf("%+v, want a look", a)
		}
	})
}

// TestP20_Unresolved: each POST without an answer needs an order of its own to be resolved.
func TestP20_Unresolved(t *testing.T) {
	for _, c := range []struct {
		posts  []PostState
		orders int
		want   int
	}{
		{[]PostState{PostUnknown}, 0, 1}, {[]PostState{PostUnknown}, 1, 0}, {[]PostState{PostOpen}, 0, 1},
		{[]PostState{PostUnknown, PostUnknown}, 1, 1}, {[]PostState{PostUnknown, PostUnknown}, 2, 0},
		{[]PostState{PostUnknown, PostCreated}, 1, 1}, {[]PostState{PostUnknown, PostCreated}, 2, 0},
		{[]PostState{PostUnknown, PostRefused}, 0, 1}, {[]PostState{PostUnknown, PostRefused}, 1, 0},
		{[]PostState{PostCreated}, 1, 0}, {nil, 1, 0}, {[]PostState{PostRefused}, 0, 0},
	} {
		var p Purchase
		for _, s := range c.posts {
			p.Posts = append(p.Posts, Post{State: s})
		}
		p.Orders = make([]VendorOrder, c.orders)
		if got := p.unresolved(); got != c.want {
			t.Errorf("POSTs %q with %d orders: %d unresolved, want %d", c.posts, c.orders, got, c.want)
		}
	}
}

// TestP40_OldNumbersGo: what an earlier generation's purchase named is let go of once nothing of it is in the dark.
func TestP40_OldNumbersGo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.claimed()
		r.settle(1, "somebody's", PostFact{State: PostRefused}, w.settings, time.Now())
		if next := r.nextGenerationAfter(t, w); len(next.Purchases[0].Numbers) != 0 {
			t.Errorf("%v stay", next.Purchases[0].Numbers)
		}
		if next := w.unknown().nextGenerationAfter(t, w); len(next.Purchases[0].Numbers) != 1 {
			t.Error("the numbers of a POST in the dark are forgotten (P21)")
		}
	})
}
