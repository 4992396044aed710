package worker_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// hasty gives searches little time.
func hasty(o *worker.Options) {
	brisk(o)
	o.SearchTime = 1500 * time.Millisecond
}

// searchFor publishes a search and returns its event.
func searchFor(t *testing.T, w *workertest.World, r messages.Request) *messages.Event {
	t.Helper()
	if r.RequestID == "" {
		r.RequestID = "s1"
	}
	receipt, e, err := w.Bus.Search(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	if e.Key != receipt.Key || e.RequestID != r.RequestID || e.Kind != messages.Search || e.Generation != 0 || e.Sequence != 0 {
		t.Errorf("event %s of request %s, kind %s, generation %d, sequence %d; want the receipt's key and P27", e.EventID, e.RequestID, e.Kind, e.Generation, e.Sequence)
	}
	return e
}

// searchesSent returns the parameters of the searches that reached Bandwidth.
func searchesSent(t *testing.T, w *workertest.World) []url.Values {
	t.Helper()
	var out []url.Values
	for _, r := range w.Sim.Requests() {
		if r.Endpoint != bwfake.EndpointSearch {
			continue
		}
		v, err := url.ParseQuery(r.Query)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// TestSearchReachesTheWire: every criterion goes out under Bandwidth's name, with LCA off and a quantity (kazoo-parity:
// "LCA is never sent, and its default widens the search"; each prefix length gets the right search).
func TestSearchReachesTheWire(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	yes, three := true, 3
	type params = map[string]string
	for _, c := range []struct {
		r    messages.Request
		want params
	}{
		{messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}}, params{"areaCode": "919", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &three, Detail: &yes}, params{"areaCode": "919", "quantity": "3", "enableTNDetail": "true"}},
		{messages.Request{Criteria: &messages.Criteria{NPANXX: "919555"}}, params{"npaNxx": "919555", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{NPANXXX: "9195551"}}, params{"npaNxxx": "9195551", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{RateCenter: "SALT LAKE", State: "UT"}}, params{"rateCenter": "SALT LAKE", "state": "UT", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{City: "RALEIGH", State: "NC"}}, params{"city": "RALEIGH", "state": "NC", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Zip: "27601"}}, params{"zip": "27601", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{LATA: "426"}}, params{"lata": "426", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{LocalVanity: "2345", EndsIn: &yes, AreaCode: "919"}}, params{"localVanity": "2345", "endsIn": "true", "areaCode": "919", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{TollFreeVanity: "flowers"}}, params{"tollFreeVanity": "flowers", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{TollFreeWildcard: "8**"}}, params{"tollFreeWildCardPattern": "8**", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{NPANXX: "919555", LocalCallingArea: &yes}}, params{"npaNxx": "919555", "LCA": "true", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1919"}}, params{"areaCode": "919", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+19195"}}, params{"areaCode": "919", "quantity": "5000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+191955"}}, params{"areaCode": "919", "quantity": "5000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1919555"}}, params{"npaNxx": "919555", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+19195551"}}, params{"npaNxxx": "9195551", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+191955512"}}, params{"npaNxxx": "9195551", "quantity": "1000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1919555123"}}, params{"npaNxxx": "9195551", "quantity": "1000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+19195551234"}}, params{"npaNxxx": "9195551", "quantity": "1000"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+18"}}, params{"tollFreeWildCardPattern": "8**", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+185"}}, params{"tollFreeWildCardPattern": "85*", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1855"}}, params{"tollFreeWildCardPattern": "855", "quantity": "10"}},
		{messages.Request{Criteria: &messages.Criteria{Prefix: "+1855234"}}, params{"tollFreeWildCardPattern": "855", "quantity": "5000"}},
	} {
		before := len(searchesSent(t, w))
		e := searchFor(t, w, c.r)
		name := fmt.Sprintf("%+v", *c.r.Criteria)
		wanted := 10
		switch {
		case c.r.Quantity != nil:
			wanted = *c.r.Quantity
		case c.r.Criteria.Prefix == "+19195551234", c.r.Criteria.TollFreeVanity+c.r.Criteria.LocalVanity != "":
			wanted = len(e.Numbers) // a single number, and words that few numbers spell
		}
		if e.Outcome != messages.Completed || len(e.Numbers) != wanted || wanted == 0 {
			t.Errorf("%s: %s %s with %d numbers, want %d", name, e.Outcome, e.Reason, len(e.Numbers), wanted)
		}
		for _, n := range e.Numbers {
			if !strings.HasPrefix(n, "+1") || !strings.HasPrefix(n, c.r.Criteria.Prefix) {
				t.Errorf("%s: found %s", name, n)
			}
		}
		await(t, func() bool { return len(searchesSent(t, w)) > before }) // it is logged after it was answered
		sent := searchesSent(t, w)[before:]
		want := url.Values{"LCA": {"false"}}
		for k, v := range c.want {
			want.Set(k, v)
		}
		if diff := cmp.Diff([]url.Values{want}, sent); diff != "" {
			t.Errorf("%s: parameters (-want +got):\n%s", name, diff)
		}
	}
}

// TestSearchDetail: results are there where they were asked for, and only there.
func TestSearchDetail(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: []bwfake.Stock{
		{Number: "+19195551001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Tier: "1"},
	}}})
	w.Work(brisk)
	yes := true
	e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Detail: &yes, Metadata: map[string]string{"ticket": "77"}, Tenant: "acme"})
	want := []messages.NumberDetail{{Number: "+19195551001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Tier: "1"}}
	if diff := cmp.Diff(want, e.Results); diff != "" || !cmp.Equal(e.Numbers, []string{"+19195551001"}) {
		t.Errorf("numbers %v, results (-want +got):\n%s", e.Numbers, diff)
	}
	if e.Tenant != "acme" || e.Metadata["ticket"] != "77" || e.EventID != e.Key+".0.completed" || e.Type != "bandwidth.v1.search.completed" {
		t.Errorf("event %s, type %s, tenant %s, metadata %v", e.EventID, e.Type, e.Tenant, e.Metadata)
	}
	e = searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}})
	if e.Results != nil || len(e.Numbers) != 1 {
		t.Errorf("numbers %v, results %v; want no results where none were asked for", e.Numbers, e.Results)
	}
	// Run anew each time: what was sold meanwhile is not found, and the request id is free for other content.
	w.Sim.SellElsewhere("+19195551001", "somebody")
	e = searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}})
	if e.Outcome != messages.Completed || len(e.Numbers) != 0 || len(e.Errors) != 0 {
		t.Errorf("nothing is for sale: %s %s with %v; want completed with no numbers", e.Outcome, e.Reason, e.Numbers)
	}
	if n := len(w.Letters()); n != 0 {
		t.Errorf("%d dead letters after searches that were answered", n)
	}
}

// TestSearchLocalCallingAreaOff: numbers of other exchanges are found only where they are asked for.
func TestSearchLocalCallingAreaOff(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: []bwfake.Stock{
		{Number: "+19195551001", RateCenter: "DURHAM", State: "NC", LATA: "426"},
		{Number: "+19842341002", RateCenter: "RALEIGH", State: "NC", LATA: "426"},
	}}})
	w.Work(brisk)
	yes := true
	for _, c := range []messages.Criteria{{NPANXX: "919555"}, {NPANXXX: "9195551"}, {RateCenter: "DURHAM", State: "NC"}} {
		if e := searchFor(t, w, messages.Request{Criteria: &c}); !cmp.Equal(e.Numbers, []string{"+19195551001"}) {
			t.Errorf("%+v: found %v, want the one number", c, e.Numbers)
		}
		c.LocalCallingArea = &yes
		if e := searchFor(t, w, messages.Request{Criteria: &c}); !cmp.Equal(e.Numbers, []string{"+19195551001", "+19842341002"}) {
			t.Errorf("%+v with its local calling area: found %v, want both", c, e.Numbers)
		}
	}
	// A whole number is found, and not its whole exchange (kazoo-parity).
	for prefix, want := range map[string][]string{"+19195551001": {"+19195551001"}, "+19195551002": {}, "+19842": {"+19842341002"}, "+19195": {"+19195551001"}, "+1212": {}} {
		if e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{Prefix: prefix}}); e.Outcome != messages.Completed || !cmp.Equal(e.Numbers, want) {
			t.Errorf("%s: %s with %v, want %v", prefix, e.Outcome, e.Numbers, want)
		}
	}
}

// TestSearchWhateverTheSwitches: kazoo-parity, "enable_provisioning false: only searches", and sandbox_provisioning.
func TestSearchWhateverTheSwitches(t *testing.T) {
	for _, c := range []struct{ provisioning, sandbox, carrierDisabled bool }{
		{true, false, false}, {false, false, false}, {true, true, false}, {false, true, false}, {true, false, true},
	} {
		t.Run(fmt.Sprintf("enable %v, sandbox %v, carrier disabled %v", c.provisioning, c.sandbox, c.carrierDisabled), func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(func(o *worker.Options) {
				brisk(o)
				o.Provisioning, o.Sandbox, o.CarrierDisabled = c.provisioning, c.sandbox, c.carrierDisabled
			})
			e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}})
			if e.Outcome != messages.Completed || len(e.Numbers) != 10 || e.Sandbox != c.sandbox {
				t.Errorf("ended %s %s with %d numbers, sandbox %v", e.Outcome, e.Reason, len(e.Numbers), e.Sandbox)
			}
			if strings.Contains(e.Line(), "sandbox") {
				t.Errorf("the numbers are real, but the line says %q", e.Line())
			}
			await(t, func() bool { return len(searchesSent(t, w)) > 0 })
			if n := len(searchesSent(t, w)); n != 1 {
				t.Errorf("Bandwidth was asked %d times, want once", n)
			}
		})
	}
}

// TestSearchLeavesRoomForOrders: searches that take their time do not keep orders waiting.
func TestSearchLeavesRoomForOrders(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointSearch, Kind: bwfake.Slow, Delay: time.Second})
	w.Work(func(o *worker.Options) { brisk(o); o.Concurrency = 4 })
	const searches = 8
	for i := range searches {
		if _, err := w.Bus.Publish(t.Context(), messages.Search, &messages.Request{RequestID: fmt.Sprintf("s%d", i), Criteria: &messages.Criteria{AreaCode: "919"}}); err != nil {
			t.Fatal(err)
		}
	}
	completed := func(e messages.Event) bool { return e.Kind == messages.Search && e.Outcome == messages.Completed }
	if e := w.Final(w.Provision("r1", number), 1); e.Outcome != messages.Completed {
		t.Errorf("the order ended %s %s", e.Outcome, e.Reason)
	}
	early := 0
	for _, e := range w.Events() {
		if completed(e) {
			early++
		}
	}
	if early == searches {
		t.Error("the order came after all searches")
	}
	w.Await(searches, "the searches", completed)
}

// TestP40_SearchForFiveThousand: the largest search fits in one event; details that do not fit are left out, and the
// event says so.
func TestP40_SearchForFiveThousand(t *testing.T) {
	wordy := make([]bwfake.Stock, 5000)
	for i := range wordy {
		name := strings.Repeat("LLANFAIRPWLLGWYNGYLL ", 5)
		wordy[i] = bwfake.Stock{Number: fmt.Sprintf("+1919%d", 5550500+i*2), City: name, RateCenter: name, State: "NC", LATA: "426", Tier: "0"}
	}
	all, yes := 5000, true
	for name, inventory := range map[string][]bwfake.Stock{"plain": nil, "wordy": wordy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: inventory}})
			w.Work(func(o *worker.Options) { brisk(o); o.MaxSearchQuantity = all })
			e := searchFor(t, w, messages.Request{Criteria: &messages.Criteria{AreaCode: "919"}, Quantity: &all, Detail: &yes})
			if e.Outcome != messages.Completed || len(e.Numbers) < 4990 { // some endings are nobody's to sell
				t.Fatalf("ended %s %s with %d numbers", e.Outcome, e.Reason, len(e.Numbers))
			}
			switch {
			case inventory == nil && (len(e.Results) != len(e.Numbers) || len(e.Errors) != 0):
				t.Errorf("%d results of %d numbers, errors %v", len(e.Results), len(e.Numbers), e.Errors)
			case inventory != nil && (len(e.Results) != 0 || len(e.Errors) != 1 || e.Errors[0].Code != "details_too_large"):
				t.Errorf("%d results, errors %v; want none and a sentence", len(e.Results), e.Errors)
			}
		})
	}
}
