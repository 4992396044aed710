package proof

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"bandwidthworker/bwclient"
	"bandwidthworker/worker"
)

// mortal is a worker that can die as by SIGKILL and stand still as by SIGSTOP: everything it does to others goes over
// wires that end or stop with it.
type mortal struct {
	run  *run
	name string
	dead atomic.Bool
	deaf atomic.Bool

	passing sync.RWMutex // held for reading while bytes pass; for writing to die
	mu      sync.Mutex
	conns   map[net.Conn]bool
	thaw    chan struct{} // closed when it goes on; nil while it does not stand still

	worker *worker.Worker
	nats   *nats.Conn
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error
}

var errDead = errors.New("this worker is dead")

// startWorker starts a worker that takes messages.
func (r *run) startWorker(ctx context.Context) (*mortal, error) {
	r.mu.Lock()
	r.started++
	w := &mortal{run: r, name: fmt.Sprintf("w%d", r.started), conns: map[net.Conn]bool{}, ended: make(chan struct{})}
	r.mu.Unlock()
	life, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	fail := func(err error) (*mortal, error) {
		cancel()
		if w.nats != nil {
			go w.nats.Close()
		}
		return nil, err
	}
	var err error
	if w.nats, err = nats.Connect(r.broker.url(), nats.SetCustomDialer(w), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(5*time.Millisecond, 5*time.Millisecond), nats.RetryOnFailedConnect(true), nats.IgnoreDiscoveredServers(), nats.Name(w.name),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})); err != nil {
		return fail(err)
	}
	transport := bwclient.CountWrites(&http.Transport{MaxIdleConnsPerHost: 16, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := w.dial(ctx, address)
		if err != nil {
			return nil, err
		}
		return &httpWire{Conn: conn, w: w}, nil
	}})
	client, err := bwclient.New(bwclient.Config{AccountID: account, BaseURL: r.sim.URL, Auth: bwclient.Basic(username, password), Transport: transport, GetTimeout: 2 * time.Second})
	if err != nil {
		return fail(err)
	}
	settings := settings()
	if r.plan.Polls > 0 {
		settings.PollMinInterval, settings.PollMaxInterval = r.plan.Polls, r.plan.Polls
	}
	if r.plan.Lease > 0 {
		settings.Lease = r.plan.Lease
	}
	w.worker, err = worker.New(ctx, worker.Options{
		Conn: w.nats, Client: client, Prefix: "bandwidth", Account: account, Site: "1234", Peer: "234222", OrderNamePrefix: "Proof",
		Provisioning: true, Sandbox: r.plan.Sandbox, Settings: settings, AckWait: ackWait, Concurrency: 16, EventsMaxAge: 720 * time.Hour,
		ManageStreams: true, Metrics: worker.NewMetrics(prometheus.NewRegistry()), Log: r.log.WithField("w", w.name),
	})
	if err != nil {
		return fail(err)
	}
	go func() {
		defer close(w.ended)
		defer transport.CloseIdleConnections()
		w.err = w.worker.Run(life)
	}()
	return w, nil
}

// Dial connects to the broker that runs now.
func (w *mortal) Dial(network, address string) (net.Conn, error) {
	epoch, err := w.run.life()
	if err != nil {
		return nil, err
	}
	conn, err := w.dial(context.Background(), address)
	if err != nil {
		return nil, err
	}
	return newWire(conn, w, epoch), nil
}

func (w *mortal) dial(ctx context.Context, address string) (net.Conn, error) {
	if !w.alive() {
		return nil, errDead
	}
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[conn] = true
	if w.dead.Load() {
		_ = conn.Close()
		return nil, errDead
	}
	return conn, nil
}

func (w *mortal) alive() bool {
	w.mu.Lock()
	thaw := w.thaw
	w.mu.Unlock()
	if thaw != nil {
		<-thaw
	}
	return !w.dead.Load()
}

// pass sends bytes on, unless the worker is dead. While it stands still they wait.
func (w *mortal) pass(conn net.Conn, raw []byte) error {
	if !w.alive() {
		return errDead
	}
	w.passing.RLock()
	defer w.passing.RUnlock()
	if w.dead.Load() {
		return errDead
	}
	_, err := conn.Write(raw)
	return err
}

// die ends the worker's life: nothing that it does from now on reaches anybody. What was sent before arrives.
func (w *mortal) die() {
	w.passing.Lock()
	first := !w.dead.Swap(true)
	w.passing.Unlock()
	if !first {
		return
	}
	w.mu.Lock()
	for conn := range w.conns {
		_ = conn.Close()
	}
	w.mu.Unlock()
	w.cancel()
	go w.nats.Close()
	w.run.buried(w)
}

// freeze lets the worker stand still for a time, unless it does already. It blocks until the worker goes on.
func (w *mortal) freeze(d time.Duration, until <-chan struct{}) {
	w.mu.Lock()
	if w.thaw != nil {
		w.mu.Unlock()
		return
	}
	thaw := make(chan struct{})
	w.thaw = thaw
	w.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-until:
	case <-w.run.over:
	}
	w.mu.Lock()
	w.thaw = nil
	w.mu.Unlock()
	close(thaw)
}

// stop asks the worker to end, and returns when it has or the time is over.
func (w *mortal) stop(limit time.Duration) error {
	w.cancel()
	select {
	case <-w.ended:
		go w.nats.Close()
		return w.err
	case <-time.After(limit):
		w.die()
		return fmt.Errorf("%s did not stop within %s", w.name, limit)
	}
}
