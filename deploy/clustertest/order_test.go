package clustertest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/nats-io/nats.go"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/deploy/deploytest"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// natsPassword is the one of the shipped server configuration's user.
const natsPassword = "secret1234"

// simulator runs the simulated Bandwidth under the name bandwidth and returns where it is reached from here.
func (s *stage) simulator(args ...string) string {
	s.t.Helper()
	c := s.run("bandwidth", s.worker, wait.ForHTTP("/_sim/purchases").WithPort("8090/tcp"),
		testcontainers.WithCmd(append([]string{"simulator", "--listen", "0.0.0.0:8090", "--client", "clustertest", "--secret", "clustertest-secret"}, args...)...),
		testcontainers.WithExposedPorts("8090/tcp"))
	return s.endpoint(c, "http", "8090/tcp")
}

// startWorker runs a worker as deploy/compose.yaml does, with a root that it cannot write to, and returns when it is
// ready.
func (s *stage) startWorker(name, natsURL string, args ...string) *testcontainers.DockerContainer {
	s.t.Helper()
	c, err := s.tryWorker(name, natsURL, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// tryWorker is startWorker that returns its error.
func (s *stage) tryWorker(name, natsURL string, args ...string) (*testcontainers.DockerContainer, error) {
	s.t.Helper()
	return s.try(name, s.worker, wait.ForHTTP("/readyz").WithPort("8080/tcp"),
		testcontainers.WithCmd(append([]string{"run"}, args...)...), testcontainers.WithExposedPorts("8080/tcp"),
		testcontainers.WithEnv(map[string]string{
			"NATS_URL":            natsURL,
			"BANDWIDTH_CLIENT_ID": "clustertest", "BANDWIDTH_CLIENT_SECRET": "clustertest-secret",
			"BANDWIDTH_BASE_URL": "http://bandwidth:8090/api", "BANDWIDTH_TOKEN_URL": "http://bandwidth:8090/api/v1/oauth2/token",
			"BANDWIDTH_ACCOUNT_ID": "20902288", "BANDWIDTH_SITE_ID": "1234", "BANDWIDTH_SIP_PEER": "234222",
			"BANDWIDTH_ORDER_NAME_PREFIX": "Cluster test", "BANDWIDTH_POLL_MIN_INTERVAL": "100ms", "BANDWIDTH_LEDGER_GUARD": "0s",
		}),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
			h.ReadonlyRootfs, h.CapDrop, h.SecurityOpt = true, []string{"ALL"}, []string{"no-new-privileges"}
		}))
}

// get reads a URL, whose answer has to be 200.
func get(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s (%v)", url, resp.Status, body, err)
	}
	return body
}

// orders returns the orders that exist at the simulated Bandwidth.
func orders(t *testing.T, simulator, endpoint string) []bwfake.Purchase {
	t.Helper()
	var out []bwfake.Purchase
	if err := json.Unmarshal(get(t, simulator+endpoint), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// One order from outside goes through the shipped image and the shipped server configuration.
func TestOrderThroughContainers(t *testing.T) {
	s := newStage(t)
	simulator := s.simulator()
	server := s.run("nats", s.nats, wait.ForLog("Server is ready"), testcontainers.WithExposedPorts("4222/tcp"),
		testcontainers.WithCmd("--config", "/etc/nats/server.conf"), testcontainers.WithEnv(map[string]string{"NATS_PASSWORD": natsPassword}),
		testcontainers.WithFiles(testcontainers.ContainerFile{HostFilePath: "../nats/server.conf", ContainerFilePath: "/etc/nats/server.conf", FileMode: 0o644}))
	worker := s.startWorker("worker", "nats://bandwidth:"+natsPassword+"@nats:4222")

	nc, err := nats.Connect(s.endpoint(server, "nats", "4222/tcp"), nats.UserInfo("bandwidth", natsPassword))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	client, err := bus.New(nc, messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deploytest.WaitLimit)
	defer cancel()
	numbers := []string{"+19195551234"}
	receipt, final, err := client.Request(ctx, messages.Provision, &messages.Request{RequestID: "from-outside", Numbers: numbers}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if final.Outcome != messages.Completed || !slices.Equal(final.Numbers, numbers) {
		t.Errorf("the order ended %s %s with %v, want completed with %v", final.Outcome, final.Reason, final.Numbers, numbers)
	}
	bought := orders(t, simulator, "/_sim/purchases")
	if len(bought) != 1 || !slices.Equal(bought[0].Numbers, numbers) || bought[0].CustomerOrderID != "Cluster-test-"+receipt.Key {
		t.Errorf("bought %+v, want one order of %v with the key %s", bought, numbers, receipt.Key)
	}

	base := s.endpoint(worker, "http", "8080/tcp")
	var ready struct {
		Ready bool `json:"ready"`
	}
	if body := get(t, base+"/readyz"); json.Unmarshal(body, &ready) != nil || !ready.Ready {
		t.Errorf("/readyz says %s", body)
	}
	get(t, base+"/healthz")
	if body := get(t, base+"/metrics"); !strings.Contains(string(body), `bandwidth_worker_posts_total{state="created"} 1`) {
		t.Errorf("/metrics does not count one purchase:\n%s", body)
	}

	// The tool is in the image too, and finds the server as the worker does.
	code, said, err := worker.Exec(ctx, []string{"/publish", "order", receipt.Key, "--json"})
	if err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(said); code != 0 || !strings.Contains(string(answer), `"completed"`) {
		t.Errorf("publish order in the container ended with %d and said %s", code, answer)
	}
}
