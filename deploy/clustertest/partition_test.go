package clustertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	dockernetwork "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"bandwidthworker/deploy/deploytest"
)

// clusterSize is how many NATS servers the cluster has.
const clusterSize = 3

// nodeConfig is the configuration of a server of the cluster. Servers do not tell clients of each other: their
// addresses mean nothing outside the network.
const nodeConfig = `server_name: %s
listen: "0.0.0.0:4222"
max_payload: 1MB
cluster {
  name: clustertest
  listen: "0.0.0.0:6222"
  routes: ["nats://n1:6222", "nats://n2:6222", "nats://n3:6222"]
  no_advertise: true
}
jetstream {
  store_dir: "/data"
  sync_interval: always
}
`

// cluster starts the NATS servers and returns them by their names. They become ready together only.
func (s *stage) cluster() map[string]*testcontainers.DockerContainer {
	s.t.Helper()
	var mu sync.Mutex
	var starting sync.WaitGroup
	nodes, errs := map[string]*testcontainers.DockerContainer{}, []error{}
	for i := range clusterSize {
		name := fmt.Sprintf("n%d", i+1)
		starting.Go(func() {
			c, err := s.try(name, s.nats, wait.ForLog("Server is ready"), testcontainers.WithExposedPorts("4222/tcp"),
				testcontainers.WithCmd("--config", "/server.conf"), testcontainers.WithFiles(testcontainers.ContainerFile{
					Reader: strings.NewReader(fmt.Sprintf(nodeConfig, name)), ContainerFilePath: "/server.conf", FileMode: 0o644,
				}))
			mu.Lock()
			defer mu.Unlock()
			nodes[name] = c
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	starting.Wait()
	for _, err := range errs {
		s.t.Error(err)
	}
	if len(errs) > 0 {
		s.t.FailNow()
	}
	return nodes
}

// While the server that leads the ledger is cut off, the other two go on, and so does the worker that one of them
// serves. A worker that was cut off with its server finds its claims settled by others, or settles them itself: every
// order completes, and none is placed twice.
func TestLeaderIsCutOff(t *testing.T) {
	const half = 25
	s := newStage(t)
	began := time.Now()
	nodes := s.cluster()
	simulator := s.simulator("--complete-after", "3s") // so that orders are under way at every moment
	var urls []string
	for _, node := range nodes {
		urls = append(urls, s.endpoint(node, "nats", "4222/tcp"))
	}
	// The client of this side finds out within seconds when its server falls silent.
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	deploytest.Await(t, "a stream of three replicas", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "PROBE", Replicas: clusterSize})
		return err
	})
	if err := js.DeleteStream(t.Context(), "PROBE"); err != nil {
		t.Fatal(err)
	}

	// Each worker knows one server: at most one of them is cut off.
	flags := []string{"--nats-replicas", "3", "--post-timeout", "3s", "--settle-window", "6s", "--ack-wait", "2s", "--poll-max-interval", "1s"}
	for name, server := range map[string]string{"worker1": "nats://n1:4222", "worker2": "nats://n2:4222"} {
		// In its first seconds the cluster may take a server of its own for offline, and refuse a stream. The worker
		// ends then, and whatever runs it starts it again.
		deploytest.Await(t, name, func(context.Context) error {
			_, err := s.tryWorker(name, server, flags...)
			return err
		})
	}
	batch := deploytest.NewBatch(t, nc)
	ready := time.Since(began)

	batch.Publish(half)()
	var leader string
	deploytest.Await(t, "a leader of the ledger", func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "KV_"+batch.Bus.Names().OrdersBucket())
		if err != nil {
			return err
		}
		config := stream.CachedInfo().Config
		if config.Replicas != clusterSize {
			t.Fatalf("the ledger has %d replicas, want %d", config.Replicas, clusterSize)
		}
		if leader = stream.CachedInfo().Cluster.Leader; nodes[leader] == nil {
			return fmt.Errorf("the leader is %q", leader)
		}
		return nil
	})
	atCut := batch.Await(0)
	s.cut(nodes[leader])
	cutAt := time.Now()
	published := batch.Publish(half)
	duringCut := batch.Await(atCut+half/2) - atCut
	s.join(nodes[leader], leader)
	cut := time.Since(cutAt)
	published()
	batch.Await(2 * half)
	figures := batch.Audit(orders(t, simulator, "/_sim/orders"))
	t.Logf("%s; %s was cut off for %s, in which %d orders were completed; ready after %s, all in %s", figures, leader,
		cut.Round(100*time.Millisecond), duringCut, ready.Round(100*time.Millisecond), time.Since(began).Round(100*time.Millisecond))
}

// cut takes a container off the network.
func (s *stage) cut(c *testcontainers.DockerContainer) {
	s.t.Helper()
	if _, err := s.docker.NetworkDisconnect(s.t.Context(), s.network.ID, client.NetworkDisconnectOptions{Container: c.GetContainerID(), Force: true}); err != nil {
		s.t.Fatal(err)
	}
}

// join puts a container back on the network.
func (s *stage) join(c *testcontainers.DockerContainer, name string) {
	s.t.Helper()
	if _, err := s.docker.NetworkConnect(s.t.Context(), s.network.ID, client.NetworkConnectOptions{
		Container: c.GetContainerID(), EndpointConfig: &dockernetwork.EndpointSettings{Aliases: []string{name}},
	}); err != nil {
		s.t.Fatal(err)
	}
}
