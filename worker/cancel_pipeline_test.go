package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// cancelStage is a moment in an order's life at which it is cancelled.
type cancelStage struct {
	name    string
	sim     bwfake.Options
	setup   func(*testing.T, *workertest.World)
	hold    bool // purchases are held by an operator
	request messages.Request
	// reached waits until the order is there.
	reached func(*testing.T, *workertest.World, string)
	// after is what happens once the cancel is sent.
	after func(*testing.T, *workertest.World)
	order []string // what the order may end as
	// answer is how the cancel ends.
	answer string
	// posts is the most that may be sent.
	posts int
}

func submitted(t *testing.T, w *workertest.World, key string) {
	t.Helper()
	w.Await(1, "submitted", func(e messages.Event) bool { return e.Key == key && e.Outcome == messages.Submitted })
}

// heldBack waits until an order sleeps until its purchases are let go.
func heldBack(t *testing.T, w *workertest.World, key string) {
	t.Helper()
	stream, err := w.JS.Stream(t.Context(), w.Names.TimersStream())
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return sleepsLong(t, stream, w.Names.Timer(key)) })
}

// history waits until an order's history holds a word.
func history(t *testing.T, w *workertest.World, key, word string) {
	t.Helper()
	await(t, func() bool {
		data, err := w.Bus.Order(t.Context(), key, "", "")
		return err == nil && strings.Contains(string(data), `"what":"`+word+`"`)
	})
}

var cancelStages = []cancelStage{
	{name: "before submission", hold: true, request: messages.Request{Numbers: []string{number}},
		reached: heldBack,
		order:   []string{"failed cancelled"}, answer: "completed", posts: 0},
	{name: "criteria, before submission", hold: true, request: byArea("", "919", 3),
		reached: heldBack,
		order:   []string{"failed cancelled"}, answer: "completed", posts: 0},
	{name: "while unknown, and bought", sim: bwfake.Options{ListDelay: time.Second}, request: waitingFor("", bwfake.DryAreaCode, 2),
		setup: func(_ *testing.T, w *workertest.World) {
			w.Sim.Restock(firstToCome)
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.LoseReplyAfter})
		},
		reached: func(t *testing.T, w *workertest.World, key string) { history(t, w, key, "unknown") },
		order:   []string{"partial cancelled"}, answer: "completed", posts: 1},
	{name: "while unknown, and not bought", request: messages.Request{Numbers: []string{number}},
		setup: func(_ *testing.T, w *workertest.World) {
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Times: 1, Kind: bwfake.LoseReplyBefore})
		},
		reached: func(t *testing.T, w *workertest.World, key string) { history(t, w, key, "unknown") },
		order:   []string{"failed outcome_unknown"}, answer: "failed rejected", posts: 1},
	{name: "while backordered, with nothing", request: waitingFor("", bwfake.DryAreaCode, 2),
		reached: func(t *testing.T, w *workertest.World, key string) { backordered(t, w, key, 1) },
		order:   []string{"failed cancelled"}, answer: "completed", posts: 1},
	{name: "while backordered, with a part", request: waitingFor("", bwfake.DryAreaCode, 2),
		setup:   func(_ *testing.T, w *workertest.World) { w.Sim.Restock(firstToCome) },
		reached: func(t *testing.T, w *workertest.World, key string) { backordered(t, w, key, 1) },
		order:   []string{"partial cancelled"}, answer: "completed", posts: 1},
	{name: "while backordered, and the close's replies are lost", request: waitingFor("", bwfake.DryAreaCode, 2),
		setup: func(_ *testing.T, w *workertest.World) {
			w.Sim.Restock(firstToCome)
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointClose, Times: 1, Kind: bwfake.LoseReplyBefore})
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointClose, Times: 1, Kind: bwfake.LoseReplyAfter})
		},
		reached: func(t *testing.T, w *workertest.World, key string) { backordered(t, w, key, 1) },
		order:   []string{"partial cancelled"}, answer: "completed", posts: 1},
	{name: "while backordered, and Bandwidth has trouble of its own", request: waitingFor("", bwfake.DryAreaCode, 2),
		setup: func(_ *testing.T, w *workertest.World) {
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointClose, Times: 2, Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
				Body: "<OrderResponse><ErrorList><Error><Code>5086</Code><Description>timed out</Description></Error></ErrorList></OrderResponse>"})
		},
		reached: func(t *testing.T, w *workertest.World, key string) { backordered(t, w, key, 1) },
		order:   []string{"failed cancelled"}, answer: "completed", posts: 1},
	{name: "while backordered, and Bandwidth refuses", request: waitingFor("", bwfake.DryAreaCode, 2),
		setup: func(_ *testing.T, w *workertest.World) {
			w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointClose, Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
				Body: "<OrderResponse><ErrorList><Error><Code>5061</Code><Description>Order ID is invalid.</Description></Error></ErrorList></OrderResponse>"})
		},
		reached: func(t *testing.T, w *workertest.World, key string) { backordered(t, w, key, 1) },
		after: func(t *testing.T, w *workertest.World) {
			w.Await(1, "the refusal", func(e messages.Event) bool { return e.Kind == messages.Cancel && e.Outcome.Final() })
			w.Sim.Restock(firstToCome, secondToCome)
		},
		order: []string{"completed"}, answer: "failed rejected", posts: 1},
	{name: "while Bandwidth works on it", sim: bwfake.Options{CompleteAfter: 800 * time.Millisecond}, request: messages.Request{Numbers: []string{number}},
		reached: submitted, order: []string{"completed"}, answer: "failed rejected", posts: 1},
	{name: "after the end", request: messages.Request{Numbers: []string{number}},
		reached: func(t *testing.T, w *workertest.World, key string) { w.Final(key, 1) },
		order:   []string{"completed"}, answer: "failed rejected", posts: 1},
}

// cancelDeaths are the moments at which the worker dies, and another one goes on.
var cancelDeaths = []string{"never", "before the cancel is taken in", "once it is taken in"}

// TestCancel: at each stage, with the worker dying at different moments, an order ends as Bandwidth's books say, and
// nothing is bought after a cancel that was answered completed.
func TestCancel(t *testing.T) {
	for _, c := range cancelStages {
		for _, death := range cancelDeaths {
			t.Run(c.name+"/"+death, func(t *testing.T) {
				t.Parallel()
				cancelAt(t, c, death)
			})
		}
	}
}

func cancelAt(t *testing.T, c cancelStage, death string) {
	w := workertest.Start(t, workertest.Options{Sim: c.sim})
	if c.setup != nil {
		c.setup(t, w)
	}
	first, kill := mortal(t, w, hurried)
	serves(t, w)
	if c.hold {
		if err := first.Hold(t.Context(), worker.GroupOrder, "a test", "test"); err != nil {
			t.Fatal(err)
		}
		sees(t, worker.GroupOrder, true, first)
	}
	c.request.RequestID = "r1"
	key := ask(t, w, messages.Provision, c.request)
	c.reached(t, w, key)
	if death == cancelDeaths[1] {
		kill()
	}
	cancel := ask(t, w, messages.Cancel, messages.Request{RequestID: "c1", OrderRequestID: "r1"})
	if death == cancelDeaths[2] {
		w.Await(1, "the cancel is taken in", func(e messages.Event) bool { return e.Key == cancel })
		kill()
	}
	second := first
	if death != cancelDeaths[0] {
		second, _ = w.Worker(hurried)
	}
	if c.after != nil {
		c.after(t, w)
	}
	e, answer := w.Final(key, 1), w.Final(cancel, 1)
	if !slices.Contains(c.order, ended(e)) || ended(answer) != c.answer {
		t.Errorf("the order ended %q, the cancel %q; want one of %q, and %q", ended(e), ended(answer), c.order, c.answer)
	}
	if diff := cmp.Diff(boughtFor(w, key), sorted(e.Numbers)); diff != "" && len(e.Numbers)+len(boughtFor(w, key)) > 0 {
		t.Errorf("the event and Bandwidth's books differ (-books +event):\n%s", diff)
	}
	if answer.Outcome == messages.Completed {
		for _, o := range w.Sim.OrdersOf(key) {
			if o.Status == "BACKORDERED" || o.Status == "RECEIVED" {
				t.Errorf("the order is still %s at Bandwidth", o.Status)
			}
		}
	} else if len(answer.Errors) == 0 || answer.Errors[0].Description == "" {
		t.Error("the cancel does not say why it failed")
	}
	if e.Outcome != messages.Completed {
		if l := letter(t, w, key); l.Reason != e.Reason || l.Replayable() != (e.Reason != messages.ReasonCancelled) {
			t.Errorf("the letter is %s, its replay %s", l.Reason, l.DeadLetter.Replay)
		}
	}
	// Whatever comes now, no number is bought for it.
	if c.hold {
		if err := second.Resume(t.Context(), worker.GroupOrder); err != nil {
			t.Fatal(err)
		}
		sees(t, worker.GroupOrder, false, second)
	}
	before := boughtFor(w, key)
	w.Sim.Restock(secondToCome, thirdToCome, neverNeeded)
	w.Final(w.Provision("sentinel", "+19195559999"), 1)
	if n := w.Sim.Calls(bwfake.EndpointCreate) - 1; n > c.posts {
		t.Errorf("%d POSTs, want %d at the most", n, c.posts)
	}
	if after := boughtFor(w, key); !cmp.Equal(before, after) {
		t.Errorf("it held %v, and now %v", before, after)
	}
	for _, got := range w.Events() { // a request whose ack died with its worker is answered again, with the same event
		for _, one := range []messages.Event{e, answer} {
			if diff := cmp.Diff(one, got); got.Key == one.Key && got.Outcome.Final() && diff != "" {
				t.Errorf("%s ended twice (-first +other):\n%s", one.RequestID, diff)
			}
		}
	}
}

// TestCancelOfNothing: what does not exist, or is another tenant's, cannot be cancelled.
func TestCancelOfNothing(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	theirs := waitingFor("theirs", bwfake.DryAreaCode, 1)
	theirs.Tenant = "acme"
	key := ask(t, w, messages.Provision, theirs)
	backordered(t, w, key, 1)
	bought(t, w, "mine", number)
	gone := w.Final(ask(t, w, messages.Disconnect, giveBack("gives", number)), 1)
	for i, c := range []struct{ name, tenant, target string }{
		{"nothing", "", "nobody"}, {"another tenant's", "", "theirs"}, {"another tenant's, from a third", "globex", "theirs"}, {"a disconnect", "", gone.RequestID},
	} {
		ask(t, w, messages.Cancel, messages.Request{RequestID: fmt.Sprintf("c%d", i), Tenant: c.tenant, OrderRequestID: c.target})
	}
	for _, e := range w.Await(4, "the refusals", func(e messages.Event) bool { return e.Kind == messages.Cancel }) {
		if ended(e) != "failed invalid" || e.Generation != 0 || len(e.Errors) != 1 || !strings.Contains(e.Errors[0].Description, "order_request_id") {
			t.Errorf("%s ended %q, generation %d, %v", e.RequestID, ended(e), e.Generation, e.Errors)
		}
	}
	if n := w.Sim.Calls(bwfake.EndpointClose); n != 0 {
		t.Errorf("%d orders were closed", n)
	}
	// Its owner closes it; a second cancel of it is answered the same.
	for _, id := range []string{"own1", "own2"} {
		e := w.Final(ask(t, w, messages.Cancel, messages.Request{RequestID: id, Tenant: "acme", OrderRequestID: "theirs"}), 1)
		if ended(e) != "completed" || e.Tenant != "acme" {
			t.Errorf("%s ended %q for %s", id, ended(e), e.Tenant)
		}
	}
	if e := w.Final(key, 1); ended(e) != "failed cancelled" {
		t.Errorf("the order ended %q", ended(e))
	}
}
