package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (b *bandwidth) PreparePortIn(ctx context.Context) error { return b.Prepare(ctx) }

// PollPortIn reads a port-in of the model: its numbers come when it is complete.
func (b *bandwidth) PollPortIn(_ context.Context, p Purchase, id OrderID) PollFact {
	if b.w.dies() {
		panic(crashed{})
	}
	if b.w.pollFails > 0 {
		b.w.pollFails--
		return PollFact{Failed: true, Detail: "500"}
	}
	if len(p.Fields) == 0 {
		b.w.violation("a port-in is read without what keeps its secrets out of the answer")
	}
	i := slices.IndexFunc(b.orders, func(o *vorder) bool { return o.id == id })
	if i < 0 {
		return PollFact{Gone: true, Detail: "404"}
	}
	o, age := b.orders[i], time.Since(b.orders[i].created)
	f := PollFact{CustomerOrderID: o.coid, Status: "SUBMITTED"}
	switch {
	case b.course != nil:
		f.Status, f.Errors = b.course(o, age)
	case age >= b.runFor:
		f.Status = "COMPLETE"
	}
	if f.Status == "" {
		return PollFact{Gone: true, Detail: "404"}
	}
	if f.Status == "COMPLETE" {
		if o.got == nil {
			o.got = slices.Clone(o.asked)
		}
		if !b.unclear {
			f.Completed = slices.Clone(o.got)
		}
	}
	return f
}

// portInOf is a request to bring numbers here.
func portInOf(numbers ...string) Arrival {
	a := arrivalOf(numbers...)
	a.Kind = PortIn
	a.Ask.PortIn, a.Ask.CarrierModule = json.RawMessage(`{"wireless_info":{"pin_number":"4711"}}`), "knm_other"
	return a
}

// portInCase is the course of a port-in of numbers A and B.
type portInCase struct {
	name  string
	setup func(*world)
	want  string
	// crashing lists what it may also end as where a worker died.
	crashing []string
	// told are the words that its submitted events carry; nil: that is not looked at.
	told []string
	// posts is how many POSTs it takes; 0: that is not looked at.
	posts int
}

// words is a course of words, each for an hour.
func words(list ...string) func(*vorder, time.Duration) (string, []VendorError) {
	return func(_ *vorder, age time.Duration) (string, []VendorError) {
		word := list[min(int(age/time.Hour), len(list)-1)]
		if word == "EXCEPTION" {
			return word, []VendorError{{Code: "7205", Description: "on another order"}}
		}
		return word, nil
	}
}

var portInCases = []portInCase{
	{name: "plain", want: "completed", told: []string{"RECEIVED"}, posts: 1},
	{name: "it takes a day", setup: func(w *world) { w.vendor.course = words("SUBMITTED", "FOC", "FOC", "COMPLETE") }, want: "completed",
		told: []string{"RECEIVED", "SUBMITTED", "FOC"}, posts: 1},
	{name: "an exception that is mended", setup: func(w *world) { w.vendor.course = words("EXCEPTION", "EXCEPTION", "REQUESTED_SUPP", "FOC", "COMPLETE") },
		want: "completed", told: []string{"RECEIVED", "EXCEPTION 7205", "REQUESTED_SUPP", "FOC"}, posts: 1},
	{name: "an exception about something else", setup: func(w *world) {
		w.vendor.course = func(_ *vorder, age time.Duration) (string, []VendorError) {
			switch {
			case age < time.Hour:
				return "EXCEPTION", []VendorError{{Code: "7205", Description: "a"}}
			case age < 2*time.Hour:
				return "EXCEPTION", []VendorError{{Code: "7205", Description: "other words"}}
			case age < 3*time.Hour:
				return "EXCEPTION", []VendorError{{Code: "7300", Description: "b"}}
			}
			return "COMPLETE", nil
		}
	}, want: "completed", told: []string{"RECEIVED", "EXCEPTION 7205", "EXCEPTION 7300"}, posts: 1},
	{name: "a word that nobody knows", setup: func(w *world) { w.vendor.course = words("PONDERING", "COMPLETE") }, want: "completed", posts: 1},
	{name: "cancelled", setup: func(w *world) { w.vendor.course = words("FOC", "CANCELLED") }, want: "failed cancelled", told: []string{"RECEIVED", "FOC"}, posts: 1},
	{name: "a draft that is submitted", setup: func(w *world) { w.vendor.course = words("DRAFT", "DRAFT", "SUBMITTED", "COMPLETE") }, want: "completed", posts: 1},
	{name: "a draft that is dropped", setup: func(w *world) { w.vendor.course = words("DRAFT", "") }, want: "failed cancelled", told: []string{"RECEIVED", "DRAFT"}, posts: 1},
	{name: "a draft that is not there for a while", setup: func(w *world) {
		w.vendor.course = func(_ *vorder, age time.Duration) (string, []VendorError) {
			switch {
			case age < time.Hour:
				return "DRAFT", nil
			case age < time.Hour+20*time.Minute:
				return "", nil
			}
			return "COMPLETE", nil
		}
	}, want: "completed", posts: 1},
	{name: "only one comes", setup: func(w *world) {
		w.vendor.course = func(o *vorder, _ time.Duration) (string, []VendorError) { o.got = o.asked[:1]; return "COMPLETE", nil }
	}, want: "partial incomplete", posts: 1, crashing: []string{"partial outcome_unknown"}},
	{name: "complete without saying of what", setup: func(w *world) { w.vendor.unclear = true }, want: "failed outcome_unknown", posts: 1},
	{name: "refused", setup: func(w *world) { w.vendor.script = []reply{refusedPost} }, want: "failed rejected", posts: 1,
		crashing: []string{"completed", "failed outcome_unknown"}},
	{name: "not sent, and then sent", setup: func(w *world) { w.vendor.script = []reply{unsent, limited, answered} }, want: "completed", posts: 3},
	{name: "the reply lost after it", setup: func(w *world) { w.vendor.script = []reply{lostAfter} }, want: "completed", posts: 1},
	{name: "listed late", setup: func(w *world) { w.vendor.script, w.vendor.listDelay = []reply{lostAfter}, 4*time.Minute }, want: "completed", posts: 1},
	{name: "created late", setup: func(w *world) { w.vendor.script = []reply{createdLate} }, want: "completed", posts: 1},
	{name: "the reply lost before it", setup: func(w *world) { w.vendor.script = []reply{lostBefore} }, want: "failed outcome_unknown", posts: 1},
	{name: "a replay that takes no risk", setup: func(w *world) { w.vendor.script, w.replays = []reply{lostBefore}, 1 }, want: "failed outcome_unknown", posts: 1},
	{name: "a replay that takes the risk", setup: func(w *world) { w.vendor.script, w.replays, w.double = []reply{lostBefore}, 1, true }, want: "completed", posts: 2},
	{name: "a replay that finds it after all", setup: func(w *world) {
		w.vendor.script, w.vendor.listDelay, w.replays, w.double = []reply{lostAfter}, time.Hour, 1, true
		w.replayAfter = 2 * time.Hour
	}, want: "completed", posts: 1},
	{name: "a replay of one that was cancelled", setup: func(w *world) {
		w.replays = 1
		w.vendor.course = func(o *vorder, _ time.Duration) (string, []VendorError) {
			return map[bool]string{true: "CANCELLED", false: "COMPLETE"}[o.id == "o1"], nil
		}
	}, want: "completed", posts: 2, crashing: []string{"failed outcome_unknown"}},
	{name: "a young ledger", setup: func(w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, YoungLedger: true} }
	}, want: "completed", posts: 1},
	{name: "switched off", setup: func(w *world) { w.conditions = func() Conditions { return Conditions{} } }, want: "failed provisioning_disabled"},
	{name: "no such carrier", setup: func(w *world) {
		w.conditions = func() Conditions { return Conditions{Provisioning: true, CarrierDisabled: true} }
	}, want: "failed carrier_disabled"},
	{name: "reads fail for a while", setup: func(w *world) { w.pollFails = 12 }, want: "completed", posts: 1},
}

// words of the events of a port-in as they are announced.
func (w *world) told() []string {
	var out []string
	for _, a := range w.announcedRecords {
		if len(a.Purchases) == 0 || len(a.Purchases[len(a.Purchases)-1].Orders) == 0 {
			continue
		}
		o := a.Purchases[len(a.Purchases)-1].Orders[0]
		text := o.Status
		for _, e := range o.Errors {
			text += " " + e.Code
		}
		out = append(out, text)
	}
	return out
}

func playPortIn(t *testing.T, c portInCase, crashes ...int) (*world, []string) {
	w := newWorld(t)
	if c.setup != nil {
		c.setup(w)
	}
	w.asked = func(r *Record) Ask {
		a := portInOf(r.Missing()...)
		return a.Ask
	}
	w.crashes = crashes
	w.run(portInOf(numberA, numberB))
	r := w.record()
	wrong := w.check()
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.Outcome == nil {
		return w, wrong
	}
	ended := strings.TrimSpace(r.Outcome.Outcome + " " + r.Outcome.Reason)
	died := len(crashes) > 0
	// Whoever dies over a POST leaves it to be looked for, and it may not have been sent.
	if allowed := append([]string{c.want, "failed outcome_unknown"}, c.crashing...); ended != c.want && (!died || !slices.Contains(allowed, ended)) {
		bad("it ended %q, want %q", ended, c.want)
	}
	posts := map[string]int{}
	for _, p := range w.vendor.posts {
		if !p.sure {
			posts[p.coid]++
		}
	}
	for coid, n := range posts {
		if n > 1 {
			bad("%d POSTs of %s, which may each have been taken (P18)", n, coid)
		}
	}
	if !died && c.posts > 0 && len(w.vendor.posts) != c.posts {
		bad("%d POSTs, want %d", len(w.vendor.posts), c.posts)
	}
	if !died && c.told != nil && !slices.Equal(w.told(), c.told) {
		bad("the submitted events tell %q, want %q", w.told(), c.told)
	}
	if r.Outcome.Published && (r.Ask.PortIn != nil || r.Body != nil) {
		bad("the record still holds the secrets")
	}
	return w, wrong
}

// TestPortIn plays every course, and then again with a worker dying at every step.
func TestPortIn(t *testing.T) {
	for _, c := range portInCases {
		t.Run(c.name, func(t *testing.T) {
			steps := 0
			synctest.Test(t, func(t *testing.T) {
				w, wrong := playPortIn(t, c)
				for _, v := range wrong {
					t.Error(v)
				}
				if t.Failed() {
					t.Log(w.story())
				}
				steps = w.steps
			})
			for at := 1; at <= min(steps, 150) && !t.Failed(); at++ {
				synctest.Test(t, func(t *testing.T) {
					w, wrong := playPortIn(t, c, at)
					for _, v := range wrong {
						t.Errorf("dead at step %d: %s", at, v)
					}
					if t.Failed() {
						t.Log(w.story())
					}
				})
			}
		})
	}
}

// TestPortInLostAnswers loses the answer of every write once, and each timer once (P10, P6).
func TestPortInLostAnswers(t *testing.T) {
	for _, c := range portInCases {
		t.Run(c.name, func(t *testing.T) {
			for at := 1; at <= 40 && !t.Failed(); at++ {
				for name, lose := range map[string]func(*world){
					"answer": func(w *world) {
						calls := 0
						w.flaky = func(int) error {
							if calls++; calls == at {
								return context.DeadlineExceeded
							}
							return nil
						}
					},
					"timer": func(w *world) { w.loseAt, w.rescue = at, true },
				} {
					synctest.Test(t, func(t *testing.T) {
						lost := c
						lost.setup = func(w *world) {
							if c.setup != nil {
								c.setup(w)
							}
							lose(w)
						}
						w, wrong := playPortIn(t, lost, -1) // like a death: what is lost is lost
						for _, v := range wrong {
							t.Errorf("%s %d lost: %s", name, at, v)
						}
						if t.Failed() {
							t.Log(w.story())
						}
					})
				}
			}
		})
	}
}

// TestPortInSandbox: it pretends, and nothing leaves.
func TestPortInSandbox(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := portInOf(numberA)
		a.Sandbox = true
		w.run(a)
		r := w.record()
		if r.Outcome == nil || r.Outcome.Outcome != Completed || r.Outcome.Detail != "sandbox: nothing was ported" || len(w.vendor.posts) != 0 || !slices.Equal(r.Held(), []string{numberA}) || len(r.Holdings()) != 0 {
			t.Errorf("%+v, %d POSTs, holdings %v", r.Outcome, len(w.vendor.posts), r.Holdings())
		}
	})
}

// TestPortInCreatedWithErrors: what the answer to the POST says is wrong stands in the first event.
func TestPortInCreatedWithErrors(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		namer, _ := NewNamer("p")
		r := NewRecord(portInOf(numberA), time.Now())
		r.plan(namer, r.Ask.Numbers)
		r.claim(1, "t", time.Now(), time.Now())
		wrong := []VendorError{{Code: "7205", Description: "on another order"}}
		r.settle(1, "t", PostFact{State: PostCreated, OrderID: "o1", Status: "EXCEPTION", Errors: wrong}, w.settings, time.Now())
		if o := r.Purchases[0].Orders[0]; o.Status != "EXCEPTION" || !slices.Equal(o.Errors, wrong) || r.Submitted != 1 || o.Final {
			t.Errorf("%+v, %d events", o, r.Submitted)
		}
		r.polled(PollFact{ID: "1", OrderID: "o1", Status: "EXCEPTION", Errors: wrong}, w.settings, time.Now())
		if r.Submitted != 1 {
			t.Error("the same is told twice")
		}
	})
}

// TestPortInRecord: a stored port-in keeps what its POST needs, once, and none of it in the purchase.
func TestPortInRecord(t *testing.T) {
	namer, _ := NewNamer("p")
	r := NewRecord(portInOf(numberA), time.Now())
	p := r.plan(namer, r.Ask.Numbers)
	p.Fields = r.Ask.PortIn
	data, err := r.Marshal()
	if err != nil || strings.Count(string(data), "4711") != 1 {
		t.Fatalf("%s, %v", data, err)
	}
	back, err := Unmarshal(data)
	if err != nil || !back.Purchases[0].PortIn || back.Purchases[0].CarrierModule != "knm_other" || back.Purchases[0].Name != "" || string(back.Ask.PortIn) != string(r.Ask.PortIn) {
		t.Errorf("%+v, %v", back, err)
	}
}

// TestPortInDroppedOnlyAsADraft: a 404 of what was submitted is no verdict, however often it comes.
func TestPortInDroppedOnlyAsADraft(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for word, end := range map[string]bool{"DRAFT": true, "VALID_DRAFT_TFNS": true, "SUBMITTED": false, "EXCEPTION": false, "": false, "asked for": true} {
			namer, _ := NewNamer("p")
			r := NewRecord(portInOf(numberA), time.Now())
			if word == "asked for" { // and gone before it was ever read
				r.Ask.Draft, word = true, ""
			}
			p := r.plan(namer, r.Ask.Numbers)
			p.Orders = []VendorOrder{{OrderID: "o1", Status: word}}
			for i := range 100 {
				r.polled(PollFact{ID: fmt.Sprint(i), OrderID: "o1", Gone: true}, w.settings, time.Now())
				if o := p.Orders[0]; o.Final && i+1 < goneNeeded {
					t.Errorf("%q: gone after %d reads", word, i+1)
				} else if !o.Final && time.Until(o.NextPollAt) < w.settings.PollMinInterval {
					t.Errorf("%q: read again at %s", word, o.NextPollAt)
				}
			}
			if p.Orders[0].Final != end {
				t.Errorf("%q: final %t", word, p.Orders[0].Final)
			}
			p.Orders[0] = VendorOrder{OrderID: "o1", Status: word}
			for i := range 100 { // now and then it is there
				r.polled(PollFact{ID: fmt.Sprint(i, "again"), OrderID: "o1", Gone: i%goneNeeded != 0, Status: word}, w.settings, time.Now())
			}
			if p.Orders[0].Final {
				t.Errorf("%q: it is there, and counts as gone", word)
			}
		}
	})
}

// TestPortInPollsSeldom: a port takes weeks, and is read as seldom as a backorder.
func TestPortInPollsSeldom(t *testing.T) {
	s := DefaultSettings()
	s.Random = func() float64 { return 0.5 }
	if got := s.pollDelay(100, Porting); got != s.PollBackorderInterval {
		t.Errorf("%s", got)
	}
}
