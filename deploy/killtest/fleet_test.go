package killtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/deploy/deploytest"
)

func TestMain(m *testing.M) { os.Exit(deploytest.Main(m)) }

const (
	clientID     = "killtest"
	clientSecret = "killtest-secret"
)

// fleet is a simulated Bandwidth in this process, a nats-server and workers in processes of their own.
type fleet struct {
	t        *testing.T
	binaries deploytest.Binaries
	sim      *bwfake.Running
	config   string // the nats-server's configuration
	url      string
	broker   *process
	settings []string // flags of every worker
	workers  int
	kills    int
}

// newFleet starts Bandwidth and the broker, but no worker.
func newFleet(t *testing.T, settings ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, binaries: deploytest.Build(t), settings: settings}
	var err error
	if f.sim, err = bwfake.Start(bwfake.Options{ClientID: clientID, ClientSecret: clientSecret}, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.sim.Close() })
	port := freePort(t)
	f.url = fmt.Sprintf("nats://127.0.0.1:%d", port)
	f.config = filepath.Join(t.TempDir(), "server.conf")
	// As in production (P30).
	text := fmt.Sprintf("listen: \"127.0.0.1:%d\"\njetstream {\n  store_dir: %q\n  sync_interval: always\n}\n", port, t.TempDir())
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.startBroker()
	return f
}

// freePort returns a port that nobody listens on. It lies below those that the system hands out by itself, so that
// nobody takes it while the broker is down.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func (f *fleet) startBroker() {
	f.t.Helper()
	f.broker = start(f.t, "Server is ready", "nats-server", f.binaries.NATSServer, nil, "--config", f.config)
}

// crashBroker kills the broker and starts it again on the same files.
func (f *fleet) crashBroker() {
	f.t.Helper()
	f.broker.kill(f.t)
	f.kills++
	f.startBroker()
}

// connect connects to the broker, over its death too.
func (f *fleet) connect() *nats.Conn {
	f.t.Helper()
	nc, err := nats.Connect(f.url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	return nc
}

// startWorker starts a worker and returns when it takes requests.
func (f *fleet) startWorker() *process {
	f.t.Helper()
	f.workers++
	args := append([]string{
		"run", "--nats-url", f.url, "--base-url", f.sim.URL, "--token-url", f.sim.TokenURL(),
		"--account-id", "20902288", "--site-id", "1234", "--sip-peer", "234222", "--order-name-prefix", "Kill test",
		"--poll-min-interval", "50ms", "--poll-max-interval", "1s", "--ack-wait", "1s", "--ledger-guard", "0s", "--http-listen", "",
	}, f.settings...)
	env := []string{"BANDWIDTH_CLIENT_ID=" + clientID, "BANDWIDTH_CLIENT_SECRET=" + clientSecret}
	return start(f.t, "taking requests", fmt.Sprintf("worker %d", f.workers), f.binaries.Worker, env, args...)
}

// crashWorker kills a worker.
func (f *fleet) crashWorker(p *process) {
	f.t.Helper()
	p.kill(f.t)
	f.kills++
}

// slow lets Bandwidth create each order at once and answer half a second later.
func (f *fleet) slow() {
	f.sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.Slow, Delay: 500 * time.Millisecond})
}
