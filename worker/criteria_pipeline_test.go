package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// shelf is an inventory of count numbers of 919-555.
func shelf(count int) []bwfake.Stock {
	out := make([]bwfake.Stock, count)
	for i := range out {
		out[i].Number = fmt.Sprintf("+1919555%04d", 1000+i)
	}
	return out
}

// TestCriteria: an order by criteria through the real pipeline, with one thing that goes wrong.
func TestCriteria(t *testing.T) {
	no, yes := false, true
	search := func(f bwfake.Fault) bwfake.Fault { f.Endpoint, f.Times = bwfake.EndpointSearch, 1; return f }
	create := func(f bwfake.Fault) bwfake.Fault { f.Endpoint, f.Times = bwfake.EndpointCreate, 1; return f }
	for _, c := range []struct {
		name   string
		stock  int
		faults []bwfake.Fault
		change func(*messages.Request)
		want   string
		bought int // numbers of 3
		posts  int
	}{
		{name: "no fault", stock: 10, want: "completed", bought: 3, posts: 1},
		{name: "one number lost between search and order is replaced", stock: 10, faults: []bwfake.Fault{create(bwfake.Fault{Kind: bwfake.Outbid})}, want: "completed", bought: 3, posts: 2},
		{name: "all or nothing, one lost and all chosen anew", stock: 10, faults: []bwfake.Fault{create(bwfake.Fault{Kind: bwfake.Outbid})},
			change: func(r *messages.Request) { r.PartialAllowed = &no }, want: "completed", bought: 3, posts: 2},
		{name: "too little in stock", stock: 2, want: "partial incomplete", bought: 2, posts: 1},
		{name: "the last one lost", stock: 3, faults: []bwfake.Fault{create(bwfake.Fault{Kind: bwfake.Outbid})}, want: "partial incomplete", bought: 2, posts: 1},
		{name: "nothing in stock", want: "failed no_numbers"},
		{name: "all or nothing, with too little in stock", stock: 2, change: func(r *messages.Request) { r.PartialAllowed = &no }, want: "failed no_numbers"},
		{name: "the search is refused", stock: 10, faults: []bwfake.Fault{search(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusBadRequest, ContentType: "application/xml",
			Body: "<SearchResult><Error><Code>4000</Code><Description>The area code is not valid.</Description></Error></SearchResult>"})}, want: "failed rejected"},
		{name: "the search is answered 503, then lost, then spoilt", stock: 10, faults: []bwfake.Fault{
			search(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusServiceUnavailable}),
			search(bwfake.Fault{Kind: bwfake.LoseReplyAfter}),
			search(bwfake.Fault{Kind: bwfake.Truncated}),
			search(bwfake.Fault{Kind: bwfake.Malformed}),
			search(bwfake.Fault{Kind: bwfake.ErrorBefore, Status: http.StatusBadRequest, ContentType: "application/xml",
				Body: "<SearchResult><Error><Code>4009</Code><Description>System error.</Description></Error></SearchResult>"}),
		}, want: "completed", bought: 3, posts: 1},
		{name: "the reply of the POST is lost after creation", stock: 10, faults: []bwfake.Fault{create(bwfake.Fault{Kind: bwfake.LoseReplyAfter})}, want: "completed", bought: 3, posts: 1},
		{name: "the reply of the POST is lost before creation", stock: 10, faults: []bwfake.Fault{create(bwfake.Fault{Kind: bwfake.LoseReplyBefore})}, want: "completed", bought: 3, posts: 2},
		{name: "a local calling area is asked for", stock: 0, change: func(r *messages.Request) {
			r.Criteria = &messages.Criteria{NPANXX: "919555", LocalCallingArea: &yes}
		}, want: "failed no_numbers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: shelf(c.stock)}})
			for _, f := range c.faults {
				w.Sim.Inject(f)
			}
			w.Work(brisk)
			r := byArea("r1", "919", 3)
			if c.change != nil {
				c.change(&r)
			}
			key := ask(t, w, messages.Provision, r)
			e := w.Final(key, 1)
			if ended(e) != c.want || len(e.Numbers) != c.bought {
				t.Errorf("ended %q with %v; want %q with %d numbers", ended(e), e.Numbers, c.want, c.bought)
			}
			if diff := cmp.Diff(boughtFor(w, key), sorted(e.Numbers)); diff != "" && len(e.Numbers)+len(boughtFor(w, key)) > 0 {
				t.Errorf("the event and Bandwidth's books differ (-books +event):\n%s", diff)
			}
			if len(e.FailedNumbers) != 0 {
				t.Errorf("the event lists %v as failed: nobody asked for these", e.FailedNumbers)
			}
			if n := w.Sim.Calls(bwfake.EndpointCreate); n != c.posts {
				t.Errorf("%d POSTs, want %d", n, c.posts)
			}
			if strings.HasSuffix(c.want, "rejected") && (len(e.Errors) == 0 || e.Errors[0].Code != "4000") {
				t.Errorf("the errors %v do not say what Bandwidth said", e.Errors)
			}
			wide := r.Criteria.LocalCallingArea != nil
			sent := searchesSent(t, w)
			for _, v := range sent {
				if v.Get("LCA") != fmt.Sprint(wide) || v.Get("quantity") == "" {
					t.Errorf("the search went out as %v: LCA is to be %t, and a quantity named", v, wide)
				}
			}
			if len(sent) == 0 {
				t.Error("nothing was searched for")
			}
			if c.want == "completed" && len(w.Letters()) != 0 {
				t.Errorf("%d dead letters", len(w.Letters()))
			}
		})
	}
}

// TestCriteriaReplay: the replay of an order by criteria asks for what is missing and no more, whatever it ended with.
func TestCriteriaReplay(t *testing.T) {
	for _, c := range []struct {
		name  string
		stock int
		want  string
	}{
		{"partial", 2, "partial incomplete"},
		{"failed", 0, "failed no_numbers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: shelf(20)}})
			others := shelf(20)[c.stock:]
			for _, st := range others {
				w.Sim.SellElsewhere(st.Number, "another-system")
			}
			w.Work(brisk)
			key := ask(t, w, messages.Provision, byArea("r1", "919", 5))
			if e := w.Final(key, 1); ended(e) != c.want {
				t.Fatalf("ended %q, want %q", ended(e), c.want)
			}
			l := letter(t, w, key)
			if got, want := string(replayFields(t, l)["quantity"]), fmt.Sprint(5-c.stock); got != want {
				t.Errorf("the replay asks for %s, want %s", got, want)
			}
			for _, st := range others {
				w.Sim.Release(st.Number)
			}
			for range 2 { // a second operator replays the same letter
				replay(t, w, l, false)
			}
			e := w.Final(key, 2)
			if ended(e) != "completed" || len(e.Numbers) != 5 {
				t.Errorf("the replay ended %q with %v", ended(e), e.Numbers)
			}
			if diff := cmp.Diff(boughtFor(w, key), sorted(e.Numbers)); diff != "" {
				t.Errorf("the event and Bandwidth's books differ (-books +event):\n%s", diff)
			}
			await(t, func() bool { return len(w.Letters()) == 0 })
		})
	}
}

// TestCriteriaWaits: what says nothing about the order lets it wait, and makes no dead letter (P22).
func TestCriteriaWaits(t *testing.T) {
	t.Parallel()
	t.Run("401", func(t *testing.T) {
		t.Parallel()
		w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: shelf(10)}})
		w.Sim.SetCredentials("somebody", "else")
		running, _ := w.Worker(func(o *worker.Options) { brisk(o); o.Settings.GiveUpAfter = time.Second })
		key := ask(t, w, messages.Provision, byArea("r1", "919", 3))
		await(t, func() bool { return !running.Ready() })
		if why := running.WhyNotReady(); !strings.Contains(why, "ORDER") || !strings.Contains(why, "401") {
			t.Errorf("not ready because %q; want the group and the refusal", why)
		}
		w.Sim.SetCredentials(workertest.Username, workertest.Password)
		if e := w.Final(key, 1); ended(e) != "completed" || len(w.Letters()) != 0 {
			t.Errorf("ended %q, %d letters", ended(e), len(w.Letters()))
		}
		await(t, running.Ready)
	})
	t.Run("429", func(t *testing.T) {
		t.Parallel()
		w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: shelf(10)}})
		w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSearch, Times: 1, Kind: bwfake.RateLimit, Delay: 2 * time.Second})
		w.Work(func(o *worker.Options) { brisk(o); o.Settings.GiveUpAfter = 100 * time.Millisecond })
		key := ask(t, w, messages.Provision, byArea("r1", "919", 3))
		if e := w.Final(key, 1); ended(e) != "completed" || len(w.Letters()) != 0 {
			t.Errorf("ended %q, %d letters", ended(e), len(w.Letters()))
		}
		if n := w.Sim.Calls(bwfake.EndpointSearch); n != 2 {
			t.Errorf("%d searches, want one before the limit and one after it", n)
		}
	})
}

// TestCriteriaRace: 200 orders of 5 numbers each on a shelf of 1,050 that other buyers empty at the same time. No number
// is bought for two requests, and each event tells what Bandwidth's books tell (P37).
func TestCriteriaRace(t *testing.T) {
	const orders, each, stock, fleet = 200, 5, 1050, 8
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: shelf(stock)}})
	for range fleet {
		w.Work(func(o *worker.Options) { brisk(o); o.Concurrency = 16 })
	}
	keys := make([]string, orders)
	for i := range keys {
		keys[i] = ask(t, w, messages.Provision, byArea(fmt.Sprintf("r%d", i), "919", each))
	}
	// The others buy as the orders go on: 300 numbers, in lots of 10, from both ends of the shelf.
	rivals := w.Client()
	for lot := range 30 {
		await(t, func() bool { return w.Sim.Calls(bwfake.EndpointCreate) >= 4*lot })
		var numbers []string
		for i := range 10 {
			at := lot*5 + i/2
			if i%2 == 1 {
				at = stock - 1 - at
			}
			numbers = append(numbers, fmt.Sprintf("+1919555%04d", 1000+at))
		}
		_, err := rivals.CreateOrder(t.Context(), bwclient.Order{
			CustomerOrderID: fmt.Sprintf("rival-%d", lot), Name: "rival", SiteID: "1234", Numbers: numbers, PartialAllowed: true,
		}, time.Now().Add(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
	}
	held := map[string]string{}
	outcomes := map[string]int{}
	reported := 0
	for _, key := range keys {
		e := w.Final(key, 1)
		outcomes[ended(e)]++
		reported += len(e.Numbers)
		if diff := cmp.Diff(boughtFor(w, key), sorted(e.Numbers)); diff != "" && len(e.Numbers)+len(boughtFor(w, key)) > 0 {
			t.Errorf("order %s: the event and Bandwidth's books differ (-books +event):\n%s", key, diff)
		}
		for _, n := range e.Numbers {
			if other, twice := held[n]; twice {
				t.Errorf("%s was bought for %s and for %s", n, other, key)
			}
			held[n] = key
		}
		full, none := len(e.Numbers) == each, len(e.Numbers) == 0
		if full != (ended(e) == "completed") || none != (ended(e) == "failed no_numbers") || !full && !none && ended(e) != "partial incomplete" {
			t.Errorf("order %s ended %q with %d of %d numbers", key, ended(e), len(e.Numbers), each)
		}
	}
	bought, rivalled := 0, 0
	for _, p := range w.Sim.Purchases() {
		if strings.HasPrefix(p.CustomerOrderID, "rival-") {
			rivalled += len(p.Numbers)
		} else {
			bought += len(p.Numbers)
		}
	}
	if bought != reported || bought != len(held) || bought+rivalled > stock {
		t.Errorf("bought %d, reported %d, %d different ones; the others have %d of %d", bought, reported, len(held), rivalled, stock)
	}
	// Whoever ended short did so because the shelf was empty.
	if left := stock - bought - rivalled; left > 0 && len(outcomes) > 1 {
		t.Errorf("%d numbers are left over, and the orders ended %v", left, outcomes)
	}
	t.Logf("%v; %d bought, %d to others; %d searches, %d POSTs", outcomes, bought, rivalled, w.Sim.Calls(bwfake.EndpointSearch), w.Sim.Calls(bwfake.EndpointCreate))
}
