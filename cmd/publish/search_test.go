package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// searchRun runs `publish search` and returns what it prints and its exit code.
func searchRun(t *testing.T, w *workertest.World, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"--nats-url", w.NATS.URL, "search"}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

// searchStock is an inventory of three numbers.
var searchStock = []bwfake.Stock{
	{Number: "+19195551001", City: "DURHAM", RateCenter: "DURHAM", State: "NC", LATA: "426", Zip: "27701", Tier: "0"},
	{Number: "+19195551002", City: "CARY", RateCenter: "CARY", State: "NC", LATA: "426", Zip: "27511", Tier: "1"},
	{Number: "+18552341003", Tier: "0"},
}

// TestSearchPrints: a number a line, with columns or as JSON; nothing else on stdout.
func TestSearchPrints(t *testing.T) {
	w := workertest.Start(t, workertest.Options{Sim: bwfake.Options{Inventory: searchStock}})
	w.Work(nil)
	for _, c := range []struct {
		args   []string
		stdout string
		stderr string
	}{
		{[]string{"--area-code", "919"}, "+19195551001\n+19195551002\n", ""},
		{[]string{"--area-code", "919", "--quantity", "1"}, "+19195551001\n", ""},
		{[]string{"--prefix", "+19195551002"}, "+19195551002\n", ""},
		{[]string{"--prefix", "+1855"}, "+18552341003\n", ""},
		{[]string{"--rate-center", "CARY", "--state", "nc", "--detail"}, "+19195551002\tCARY\tCARY\tNC\t426\t1\n", ""},
		{[]string{"--rate-center", "CARY", "--state", "NC", "--detail", "--json"},
			`{"number":"+19195551002","city":"CARY","rate_center":"CARY","state":"NC","lata":"426","tier":"1"}` + "\n", ""},
		{[]string{"--zip", "27701", "--json"}, `{"number":"+19195551001"}` + "\n", ""},
		{[]string{"--area-code", "212"}, "", "nothing found\n"},
		{[]string{"--area-code", "212", "--json", "--detail"}, "", "nothing found\n"},
	} {
		stdout, stderr, code := searchRun(t, w, c.args...)
		if code != exitCompleted || stdout != c.stdout || stderr != c.stderr {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q; want 0, %q, %q", c.args, code, stdout, stderr, c.stdout, c.stderr)
		}
	}
	// Request id, tenant and metadata reach the event.
	_, _, code := searchRun(t, w, "--area-code", "919", "--request-id", "mine", "--tenant", "acme", "--meta", "ticket=77")
	e := w.Await(1, "the search", func(e messages.Event) bool { return e.RequestID == "mine" })[0]
	if code != exitCompleted || e.Tenant != "acme" || e.Metadata["ticket"] != "77" {
		t.Errorf("exit code %d, tenant %q, metadata %v", code, e.Tenant, e.Metadata)
	}
}

// TestSearchFlagsReachTheWire: every criterion has a flag.
func TestSearchFlagsReachTheWire(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(nil)
	for _, c := range []struct {
		args []string
		want url.Values
	}{
		{[]string{"--area-code", "919"}, url.Values{"areaCode": {"919"}}},
		{[]string{"--npa-nxx", "919555"}, url.Values{"npaNxx": {"919555"}}},
		{[]string{"--npa-nxx-x", "9195551"}, url.Values{"npaNxxx": {"9195551"}}},
		{[]string{"--rate-center", "DURHAM", "--state", "NC"}, url.Values{"rateCenter": {"DURHAM"}, "state": {"NC"}}},
		{[]string{"--city", "DURHAM", "--state", "NC"}, url.Values{"city": {"DURHAM"}, "state": {"NC"}}},
		{[]string{"--zip", "27701"}, url.Values{"zip": {"27701"}}},
		{[]string{"--lata", "426"}, url.Values{"lata": {"426"}}},
		{[]string{"--local-vanity", "2345", "--ends-in", "--area-code", "919"}, url.Values{"localVanity": {"2345"}, "endsIn": {"true"}, "areaCode": {"919"}}},
		{[]string{"--toll-free-vanity", "flowers"}, url.Values{"tollFreeVanity": {"flowers"}}},
		{[]string{"--toll-free-wildcard", "8**"}, url.Values{"tollFreeWildCardPattern": {"8**"}}},
		{[]string{"--prefix", "+1919555"}, url.Values{"npaNxx": {"919555"}}},
		{[]string{"--npa-nxx", "919555", "--local-calling-area"}, url.Values{"npaNxx": {"919555"}, "LCA": {"true"}}},
		{[]string{"--area-code", "919", "--detail"}, url.Values{"areaCode": {"919"}, "enableTNDetail": {"true"}}},
	} {
		before := len(w.Sim.Requests())
		if _, stderr, code := searchRun(t, w, append(c.args, "--quantity", "3")...); code != exitCompleted {
			t.Errorf("%v: exit code %d: %s", c.args, code, stderr)
			continue
		}
		limit := time.NewTimer(20 * time.Second)
		tick := time.NewTicker(5 * time.Millisecond)
		for len(w.Sim.Requests()) == before { // it is logged after it was answered
			select {
			case <-tick.C:
			case <-limit.C:
				t.Fatalf("%v: nothing was asked", c.args)
			}
		}
		limit.Stop()
		tick.Stop()
		got, err := url.ParseQuery(w.Sim.Requests()[before].Query)
		if err != nil {
			t.Fatal(err)
		}
		if c.want.Get("LCA") == "" {
			c.want.Set("LCA", "false")
		}
		c.want.Set("quantity", "3")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v: parameters (-want +got):\n%s", c.args, diff)
		}
	}
}

// TestSearchExitCodes: every failure has exit code 1 and a text that says why; it is never taken for nothing found.
func TestSearchExitCodes(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  bwfake.Fault
		phrase []string
	}{
		{"wrong password", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 401}, []string{"rejected", "HTTP 401", "refuses the credentials"}},
		{"no role", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 403}, []string{"rejected", "HTTP 403", "may not search on this account"}},
		{"wrong path", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 404}, []string{"rejected", "HTTP 404", "knows no such account or path"}},
		{"internal error", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 500}, []string{"exhausted", "could not be asked", "HTTP 500"}},
		{"overload", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 503}, []string{"exhausted", "could not be asked", "HTTP 503"}},
		{"gateway timeout", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 504}, []string{"exhausted", "could not be asked", "HTTP 504"}},
		{"rate limit", bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Hour}, []string{"exhausted", "held back", "HTTP 429"}},
		{"server error", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 502, Body: "<html/>"}, []string{"exhausted", "could not be asked", "HTTP 502"}},
		{"bad combination", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 400, ContentType: "application/xml",
			Body: "<SearchResult><Error><Code>4010</Code><Description>unsupported</Description></Error></SearchResult>"}, []string{"rejected", "4010 unsupported", "leave some out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workertest.Start(t, workertest.Options{})
			w.Work(func(o *worker.Options) { o.SearchTime = time.Second })
			c.fault.Endpoint = bwfake.EndpointSearch
			w.Sim.Inject(c.fault)
			stdout, stderr, code := searchRun(t, w, "--area-code", "919")
			if code != exitFailed || stdout != "" || strings.Contains(stderr, "nothing found") {
				t.Errorf("exit code %d, stdout %q, stderr %q; want 1 and no numbers", code, stdout, stderr)
			}
			for _, phrase := range append(c.phrase, "publish dlq show") {
				if !strings.Contains(stderr, phrase) {
					t.Errorf("stderr does not say %q: %s", phrase, stderr)
				}
			}
		})
	}
	t.Run("usage", func(t *testing.T) {
		w := workertest.Start(t, workertest.Options{})
		for _, c := range []struct {
			args   []string
			phrase string
		}{
			{nil, "criteria"},
			{[]string{"--area-code", "91"}, "criteria.area_code"},
			{[]string{"--prefix", "1919"}, "did you mean +1919?"},
			{[]string{"--prefix", "919555"}, "did you mean +1919555?"},
			{[]string{"--prefix", "+19"}, "too short"},
			{[]string{"--rate-center", "CARY"}, "needs state"},
			{[]string{"--area-code", "919", "--npa-nxx", "919555"}, "only one"},
			{[]string{"--area-code", "919", "--quantity", "0"}, "quantity"},
			{[]string{"--area-code", "919", "--quantity", "5001"}, "quantity"},
			{[]string{"--area-code", "919", "+19195551234"}, "unexpected argument"},
		} {
			stdout, stderr, code := searchRun(t, w, c.args...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.phrase) {
				t.Errorf("%v: exit code %d, stderr %q; want 2 and %q", c.args, code, stderr, c.phrase)
			}
		}
	})
	t.Run("above the limit", func(t *testing.T) {
		t.Parallel()
		w := workertest.Start(t, workertest.Options{})
		w.Work(nil)
		if _, stderr, code := searchRun(t, w, "--area-code", "919", "--quantity", "501"); code != exitFailed || !strings.Contains(stderr, "at most 500 (max_search_quantity)") {
			t.Errorf("exit code %d, stderr %q; want 1 with the limit", code, stderr)
		}
	})
	t.Run("no worker", func(t *testing.T) {
		t.Parallel()
		w := workertest.Start(t, workertest.Options{})
		stdout, stderr, code := searchRun(t, w, "--area-code", "919", "--wait", "--timeout", "100ms")
		if code != exitTimedOut || stdout != "" || !strings.Contains(stderr, "is a worker running") {
			t.Errorf("exit code %d, stderr %q; want 4", code, stderr)
		}
	})
	t.Run("no connection", func(t *testing.T) {
		t.Parallel()
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"--nats-url", "nats://127.0.0.1:1", "search", "--area-code", "919"}, &out, &errs); code != exitNoConnection {
			t.Errorf("exit code %d, stderr %q; want 5", code, errs.String())
		}
	})
}

// TestSearchJSONIsOneObjectALine: what is printed can be read back.
func TestSearchJSONIsOneObjectALine(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(nil)
	stdout, _, code := searchRun(t, w, "--area-code", "919", "--detail", "--json", "--quantity", "25")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if code != exitCompleted || len(lines) != 25 {
		t.Fatalf("exit code %d, %d lines", code, len(lines))
	}
	for _, line := range lines {
		var d messages.NumberDetail
		if err := json.Unmarshal([]byte(line), &d); err != nil || !messages.ValidNumber(d.Number) || d.State != "NC" {
			t.Errorf("line %s: %v", line, err)
		}
	}
}
