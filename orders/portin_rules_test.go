package orders

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestP31_SandboxWorkerLeavesPortIns: a sandbox worker meets a real port-in and waits.
func TestP31_SandboxWorkerLeavesPortIns(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(portInOf(numberA), time.Now())
		if a := Next(r, Conditions{Sandbox: true, Provisioning: true}, w.settings, time.Now()); a.Kind != ActWait {
			t.Errorf("%+v", a)
		}
	})
}

// TestP22_PortInPause: the group PORT_IN holds port-ins back, and that of orders does not.
func TestP22_PortInPause(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		now := time.Now()
		later := now.Add(time.Hour)
		for _, c := range []struct {
			kind       Kind
			conditions Conditions
			want       ActionKind
		}{
			{PortIn, Conditions{Provisioning: true, PortInsHeldUntil: later}, ActWait}, {PortIn, Conditions{Provisioning: true, OrdersHeldUntil: later}, ActPlace},
			{Provision, Conditions{Provisioning: true, PortInsHeldUntil: later}, ActPlace}, {Provision, Conditions{Provisioning: true, OrdersHeldUntil: later}, ActWait},
		} {
			a := portInOf(numberA)
			a.Kind = c.kind
			got := Next(NewRecord(a, now), c.conditions, w.settings, now)
			if got.Kind != c.want || got.Kind == ActWait && !got.Until.Equal(later) {
				t.Errorf("%s under %+v: %+v", c.kind, c.conditions, got)
			}
		}
	})
}

// TestP21b_PortInReplay: a port-in that may have been ordered is ordered again only by whoever takes that risk.
func TestP21b_PortInReplay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		namer, _ := NewNamer("p")
		unknown := func() *Record {
			r := NewRecord(portInOf(numberA), time.Now())
			r.plan(namer, r.Ask.Numbers)
			r.claim(1, "t", time.Now(), time.Now())
			r.settle(1, "t", PostFact{State: PostUnknown}, w.settings, time.Now())
			return r
		}
		unclear := func() *Record {
			r := NewRecord(portInOf(numberA), time.Now())
			p := r.plan(namer, r.Ask.Numbers)
			p.Orders = []VendorOrder{{OrderID: "o1", Status: "COMPLETE", Final: true, Unclear: true}}
			return r
		}
		for name, make := range map[string]func() *Record{"unknown": unknown, "unclear": unclear} {
			r := make()
			r.finish(Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, At: time.Now()})
			r.published(7)
			a := portInOf(numberA)
			a.ReplayOf, a.Hash = 1, "replay"
			if got := admit(r, a); got != AdmitRisky {
				t.Errorf("%s: admitted as %v", name, got)
			}
			if a.AcceptDouble = true; admit(r, a) != AdmitNew {
				t.Errorf("%s: not admitted with the sender's word", name)
			}
			if next := r.nextGeneration(a, w.settings, time.Now()); !next.Purchases[0].Waived {
				t.Errorf("%s: the risk was taken and is not noted", name)
			}
		}
	})
}

// TestP19_RefusedBesideAWaivedPortIn: whatever a port-in ends as that was sent beside one whose risk was taken, the first
// may hold the number. The outcome stays unknown, and the next replay wants the sender's word again.
func TestP19_RefusedBesideAWaivedPortIn(t *testing.T) {
	for first, begin := range map[string]func(*Record, *world){
		"unknown": func(r *Record, w *world) { r.settle(1, "t1", PostFact{State: PostUnknown}, w.settings, time.Now()) },
		"unclear": func(r *Record, w *world) {
			r.settle(1, "t1", PostFact{State: PostCreated, OrderID: "o1"}, w.settings, time.Now())
		},
	} {
		for second, end := range map[string]func(*Record, *world){
			"refused": func(r *Record, w *world) {
				r.settle(2, "t2", PostFact{State: PostRefused, Errors: []VendorError{{Code: "7205", Description: "on another order"}}}, w.settings, time.Now())
			},
			"cancelled": func(r *Record, w *world) {
				r.settle(2, "t2", PostFact{State: PostCreated, OrderID: "o2"}, w.settings, time.Now())
				r.polled(PollFact{ID: "o2", OrderID: "o2", Status: "CANCELLED"}, w.settings, time.Now())
			},
		} {
			bubble(t, func(t *testing.T, w *world) {
				namer, _ := NewNamer("p")
				r := NewRecord(portInOf(numberA), time.Now())
				// settled reads and looks for what there is, and returns what is to be done then.
				settled := func() Action {
					for i := range 50 {
						time.Sleep(time.Hour)
						r.WrittenAt = time.Now()
						id := fmt.Sprint(r.Generation, len(r.Purchases), i)
						switch a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind {
						case ActLook:
							r.looked(LookFact{ID: id, N: a.N, Counted: true}, w.settings, time.Now(), time.Now())
						case ActPoll:
							r.polled(PollFact{ID: id, OrderID: a.OrderID, Status: "COMPLETE"}, w.settings, time.Now())
						default:
							return a
						}
					}
					t.Fatal("it never settles")
					return Action{}
				}
				r.plan(namer, r.Ask.Numbers)
				r.claim(1, "t1", time.Now(), time.Now())
				begin(r, w)
				r.finish(settled().Outcome)
				r.published(7)
				a := portInOf(numberA)
				a.ReplayOf, a.Hash, a.AcceptDouble = 1, "replay", true
				r = r.nextGeneration(a, w.settings, time.Now())
				r.StaleLetters = nil
				if got := settled(); got.Kind != ActPlace {
					t.Fatalf("%s, and the risk was taken: %+v", first, got)
				}
				r.plan(namer, r.Ask.Numbers)
				r.claim(2, "t2", time.Now(), time.Now())
				end(r, w)
				got := settled()
				if got.Kind != ActFinish || got.Outcome.Reason != ReasonOutcomeUnknown {
					t.Fatalf("%s, then %s: %+v", first, second, got)
				}
				r.finish(got.Outcome)
				r.published(8)
				a.ReplayOf, a.Hash, a.AcceptDouble = 2, "again", false
				if got := admit(r, a); got != AdmitRisky {
					t.Errorf("%s, then %s: the replay is admitted as %v", first, second, got)
				}
				a.AcceptDouble = true
				if got := admit(r, a); got != AdmitNew {
					t.Errorf("%s, then %s: not admitted with the sender's word: %v", first, second, got)
				}
			})
		}
	}
}

// TestP18_PortInsAreNeverRepeated: whatever was looked at, an unanswered port-in is not sent a second time.
func TestP18_PortInsAreNeverRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		namer, _ := NewNamer("p")
		r := NewRecord(portInOf(numberA), time.Now())
		p := r.plan(namer, r.Ask.Numbers)
		p.Posts = []Post{{Token: "t", State: PostUnknown}}
		p.Looks, p.LateLooks, p.UnknownSince = 50, 50, time.Now()
		r.WrittenAt = time.Now()
		now := time.Now().Add(24 * time.Hour)
		if a := Next(r, Conditions{Provisioning: true}, w.settings, now); a.Kind != ActFinish || a.Outcome.Reason != ReasonOutcomeUnknown {
			t.Errorf("%+v", a)
		}
		p.PortIn, r.Kind = false, Provision
		if a := Next(r, Conditions{Provisioning: true}, w.settings, now); a.Kind != ActPlace || a.N != 1 {
			t.Errorf("of an order: %+v", a) // the same as an order is repeated
		}
	})
}

// TestP21_EarlierPortInDecides: while a port-in of an earlier generation may be on its way, or hides what it brought, the
// same numbers are not ordered beside it.
func TestP21_EarlierPortInDecides(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		namer, _ := NewNamer("p")
		for name, change := range map[string]func(*Purchase){
			"unknown": func(p *Purchase) {
				p.Posts = []Post{{Token: "t", State: PostUnknown}}
				p.Looks, p.LateLooks, p.UnknownSince = 5, 5, time.Now()
			},
			"unclear": func(p *Purchase) {
				p.Orders = []VendorOrder{{OrderID: "o1", Status: "COMPLETE", Final: true, Unclear: true}}
			},
		} {
			r := NewRecord(portInOf(numberA), time.Now())
			change(r.plan(namer, r.Ask.Numbers))
			r.Generation, r.WrittenAt = 2, time.Now()
			now := time.Now().Add(24 * time.Hour)
			if a := Next(r, Conditions{Provisioning: true}, w.settings, now); a.Kind != ActFinish || a.Outcome.Reason != ReasonOutcomeUnknown {
				t.Errorf("%s: %+v", name, a)
			}
			r.Purchases[0].Waived = true
			if a := Next(r, Conditions{Provisioning: true}, w.settings, now); a.Kind != ActPlace || a.N != 0 {
				t.Errorf("%s, and the risk was taken: %+v", name, a)
			}
		}
	})
}

// TestP36_ReleaseBeforeThePoll: a disconnect that gives a number back before its port-in was read as complete stays newer.
func TestP36_ReleaseBeforeThePoll(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		namer, _ := NewNamer("p")
		r := NewRecord(portInOf(numberA), time.Now())
		r.plan(namer, r.Ask.Numbers)
		claimed := time.Now()
		r.claim(1, "t", claimed, claimed)
		r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1"}, w.settings, time.Now())
		time.Sleep(24 * time.Hour)
		released := Releases("r", "d1", time.Now(), numberA)[0]
		time.Sleep(25 * time.Minute)
		r.polled(PollFact{ID: "1", OrderID: "o1", Status: "COMPLETE", Completed: []string{numberA}}, w.settings, time.Now())
		r.finish(Outcome{Outcome: Completed, At: time.Now()})
		held := r.Holdings()
		if len(held) != 1 || held[0].State != NumberPortIn || !held[0].Since.Equal(claimed) {
			t.Fatalf("%+v", held)
		}
		if got, _ := Precede(released, held[0]); got.State != NumberReleased {
			t.Errorf("released first: %+v", got)
		}
		if got, _ := Precede(held[0], released); got.State != NumberReleased {
			t.Errorf("released last: %+v", got)
		}
	})
}

// TestP24_CompletePortInWithErrors: a number that a complete port-in lists and complains about is not held, nor surely
// missing. It is read again, and in the end nobody knows.
func TestP24_CompletePortInWithErrors(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		both := []string{numberA, numberB}
		wrong := []FailedNumber{{Number: numberB, Code: "7331"}}
		for name, c := range map[string]struct {
			listed     []string
			failed     []FailedNumber
			want, held string
			mends      bool
			reads      int
		}{
			"no error":                 {both, nil, "completed", "2", false, 1},
			"one is wrong":             {both, wrong, "partial outcome_unknown", "1", false, rereadsAllowed + 1},
			"both are":                 {both, append(wrong, FailedNumber{Number: numberA, Code: "7331"}), "failed outcome_unknown", "0", false, rereadsAllowed + 1},
			"one, and it is mended":    {both, wrong, "completed", "2", true, 3},
			"one that is not listed":   {both[:1], wrong, "partial incomplete", "1", false, 1},
			"one of somebody else's":   {both, []FailedNumber{{Number: "+19195550099", Code: "7331"}}, "completed", "2", false, 1},
			"nothing is listed at all": {nil, wrong, "failed outcome_unknown", "0", false, rereadsAllowed + 1},
		} {
			namer, _ := NewNamer("p")
			r := NewRecord(portInOf(both...), time.Now())
			r.plan(namer, r.Ask.Numbers)
			r.claim(1, "t", time.Now(), time.Now())
			r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1"}, w.settings, time.Now())
			reads := 0
			for o := &r.Purchases[0].Orders[0]; !o.Final && reads < 20; reads++ {
				f := PollFact{ID: fmt.Sprint(reads), OrderID: "o1", Status: "COMPLETE", Completed: c.listed, FailedNumbers: c.failed}
				if c.mends && reads == 2 {
					f.FailedNumbers = nil
				}
				r.polled(f, w.settings, time.Now())
			}
			a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now())
			ended := strings.TrimSpace(a.Outcome.Outcome + " " + a.Outcome.Reason)
			if a.Kind != ActFinish || ended != c.want || fmt.Sprint(len(r.Held())) != c.held || reads != c.reads {
				t.Errorf("%s: %q after %d reads, with %q; want %q after %d, with %s", name, ended, reads, r.Held(), c.want, c.reads, c.held)
			}
			for _, n := range r.Unplaced() {
				if n.Number == numberB && n.Code != "7331" {
					t.Errorf("%s: nothing says why %s is missing", name, numberB)
				}
			}
		}
	})
}

// TestP40_PortInOfAllNumbers: whatever Bandwidth says of 5000 numbers, and however often, the record stays writable.
func TestP40_PortInOfAllNumbers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := portInOf(fiveThousand()...)
		a.Body = []byte(`"` + strings.Repeat("x", 256<<10) + `"`)
		a.Ask.PortIn = []byte(`"` + strings.Repeat("x", 3<<10) + `"`)
		namer, _ := NewNamer("East coast Kazoo")
		r := NewRecord(a, time.Now())
		r.plan(namer, r.Ask.Numbers)
		r.claim(1, "t", time.Now(), time.Now())
		r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1"}, w.settings, time.Now())
		const most = 600 << 10 // beside the body that was taken in
		for i := range 200 {
			var f PollFact
			for j, n := range fiveThousand() {
				code := fmt.Sprint(7000 + (i+j)%300)
				f.Errors = append(f.Errors, VendorError{Code: code, Description: n + strings.Repeat(" no", 100)})
				f.FailedNumbers = append(f.FailedNumbers, FailedNumber{Number: n, Code: code})
			}
			f.ID, f.OrderID, f.Status = fmt.Sprint(i), "o1", "EXCEPTION"
			if i == 199 {
				f.Status = "CANCELLED"
			}
			r.polled(f, w.settings, time.Now())
			if n := size(t, r); n > most {
				t.Fatalf("the record takes %d bytes after %d polls", n, i+1)
			}
		}
		if !r.Purchases[0].Orders[0].Final || len(r.Unplaced()) != 5000 || r.Unplaced()[7].Code == "" {
			t.Errorf("%+v", r.Unplaced()[:8])
		}
	})
}
