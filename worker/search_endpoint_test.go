package worker_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker/workertest"
)

// TestSearchersGetTheirOwn: searches at the same time, with one request id, are each answered with their own numbers.
func TestSearchersGetTheirOwn(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	var asking sync.WaitGroup
	for _, area := range []string{"919", "704", "973", "801", "303", "415", "212", "540"} {
		asking.Go(func() {
			_, e, err := w.Bus.Search(t.Context(), &messages.Request{RequestID: "same", Criteria: &messages.Criteria{AreaCode: area}})
			if err != nil {
				t.Errorf("%s: %v", area, err)
				return
			}
			if len(e.Numbers) != 10 || e.Numbers[0][2:5] != area {
				t.Errorf("%s: found %v", area, e.Numbers)
			}
		})
	}
	asking.Wait()
}

// serving waits until a worker answers its endpoints.
func serving(t *testing.T, w *workertest.World) {
	t.Helper()
	await(t, func() bool {
		_, err := w.Bus.Sites(t.Context())
		return !errors.Is(err, bus.ErrNoWorker)
	})
}

// TestSearchEndpoint: the same question as request and reply.
func TestSearchEndpoint(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	yes := true
	r := &messages.Request{RequestID: "s1", Tenant: "acme", Criteria: &messages.Criteria{Prefix: "+1919555"}, Detail: &yes, Metadata: map[string]string{"k": "v"}}
	if _, err := w.Bus.AskSearch(t.Context(), r); !errors.Is(err, bus.ErrNoWorker) {
		t.Errorf("without a worker: %v; want ErrNoWorker", err)
	}
	w.Work(hasty)
	serving(t, w)
	e, err := w.Bus.AskSearch(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if e.Outcome != messages.Completed || len(e.Numbers) != 10 || len(e.Results) != 10 || e.Tenant != "acme" || e.Metadata["k"] != "v" || !messages.ValidKey(e.Key) {
		t.Errorf("answered %+v", e)
	}
	var refused *messages.RequestError
	if _, err := w.Bus.AskSearch(t.Context(), &messages.Request{RequestID: "s1"}); !errors.As(err, &refused) {
		t.Errorf("without criteria: %v; want it refused before anything is sent", err)
	}
	for _, c := range []struct {
		name   string
		fault  bwfake.Fault
		code   int
		reason messages.Reason
	}{
		{"criteria", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 400, Body: "<SearchResult><Error><Code>4000</Code><Description>no</Description></Error></SearchResult>"}, 400, messages.ReasonRejected},
		{"credentials", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 401}, 502, messages.ReasonRejected},
		{"server error", bwfake.Fault{Kind: bwfake.ErrorBefore, Status: 500}, 504, messages.ReasonExhausted},
		{"rate limit", bwfake.Fault{Kind: bwfake.RateLimit, Delay: time.Hour}, 429, messages.ReasonExhausted},
	} {
		c.fault.Endpoint = bwfake.EndpointSearch
		w.Sim.ClearFaults()
		w.Sim.Inject(c.fault)
		_, err := w.Bus.AskSearch(t.Context(), r)
		var service *bus.ServiceError
		if !errors.As(err, &service) || service.Code != c.code || service.Event == nil || service.Event.Reason != c.reason || service.Event.Outcome != messages.Failed {
			t.Errorf("%s: %#v; want code %d with the event of the failure, %s", c.name, err, c.code, c.reason)
		}
	}
	for _, body := range []string{"", "[]", `{"request_id":"a","criteria":{"area_code":"9"}}`, `{"request_id":"a","criteria":{"area_code":"919"},"quantity":501}`} {
		reply, err := w.Conn.RequestWithContext(t.Context(), w.Names.API("search"), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if code := reply.Header.Get("Nats-Service-Error-Code"); code != "400" {
			t.Errorf("%s: code %q, want 400", body, code)
		}
	}
	if n := len(w.Events()) + len(w.Letters()); n != 0 {
		t.Errorf("%d events and letters of questions that were answered to the asker", n)
	}
}

// TestSitesAndPeersEndpoints: kazoo-parity, `sup knm_bandwidth2 sites` and `peers {SITE_ID}`, over the bus.
func TestSitesAndPeersEndpoints(t *testing.T) {
	w := workertest.Start(t, workertest.Options{})
	w.Work(brisk)
	serving(t, w)
	sites, err := w.Bus.Sites(t.Context())
	want := []messages.Site{{ID: "1234", Name: "East coast", Description: "first site"}, {ID: "5678", Name: "West coast"}}
	if diff := cmp.Diff(want, sites); err != nil || diff != "" {
		t.Errorf("sites: %v (-want +got):\n%s", err, diff)
	}
	peers, err := w.Bus.Peers(t.Context(), "5678")
	if diff := cmp.Diff([]messages.Peer{{ID: "345333", Name: "Kazoo west", Default: true}}, peers); err != nil || diff != "" {
		t.Errorf("peers: %v (-want +got):\n%s", err, diff)
	}
	codeOf := func(err error) int {
		var service *bus.ServiceError
		if !errors.As(err, &service) {
			t.Errorf("%v; want a service error", err)
			return 0
		}
		return service.Code
	}
	for site, code := range map[string]int{"99": 404, "": 400, "../orders": 400} {
		if _, err := w.Bus.Peers(t.Context(), site); codeOf(err) != code {
			t.Errorf("peers of %q: %v; want code %d", site, err, code)
		}
	}
	w.Sim.SetCredentials("other", "people")
	for _, ask := range []func() error{
		func() error { _, err := w.Bus.Sites(t.Context()); return err },
		func() error { _, err := w.Bus.Peers(t.Context(), "1234"); return err },
	} {
		if err := ask(); codeOf(err) != 502 || !strings.Contains(err.Error(), "refuses the credentials") {
			t.Errorf("with a wrong password: %v", err)
		}
	}
	w.Sim.SetCredentials(workertest.Username, workertest.Password)
	for _, endpoint := range []string{bwfake.EndpointSites, bwfake.EndpointPeers} {
		w.Sim.Inject(bwfake.Fault{Endpoint: endpoint, Times: 1, Kind: bwfake.RateLimit, Delay: time.Second})
		w.Sim.Inject(bwfake.Fault{Endpoint: endpoint, Times: 1, Kind: bwfake.ErrorBefore, Status: http.StatusServiceUnavailable})
	}
	var codes []int
	for range 2 {
		_, err := w.Bus.Sites(t.Context())
		codes = append(codes, codeOf(err))
		_, err = w.Bus.Peers(t.Context(), "1234")
		codes = append(codes, codeOf(err))
	}
	if !slices.Equal(codes, []int{429, 429, 502, 502}) {
		t.Errorf("codes %v of a rate limit and a server error", codes)
	}
}
