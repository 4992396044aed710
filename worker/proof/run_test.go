package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker/broker"
)

const (
	account  = "20902288"
	username = "apiuser"
	password = "apipassword"

	ackWait      = 600 * time.Millisecond
	postTimeout  = 1200 * time.Millisecond
	settleWindow = 1600 * time.Millisecond
)

// settings are the durations of a run: as short as a busy machine allows.
func settings() orders.Settings {
	s := orders.DefaultSettings()
	s.PostTimeout, s.SettleWindow = postTimeout, settleWindow
	s.PollMinInterval, s.PollMaxInterval, s.PollBackorderInterval = 25*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	s.Lease = 500 * time.Millisecond
	return s
}

// fateKind says what becomes of an action.
type fateKind string

const (
	fateNone       fateKind = ""
	fateDies       fateKind = "dies"
	fateFrozen     fateKind = "stands still"
	fateUnanswered fateKind = "answer lost" // it took effect, and its answer is an error
	fateRefused    fateKind = "refused"     // it took no effect, and its answer is an error
	fateSwallowed  fateKind = "swallowed"   // it took no effect, and its answer says that it did
	fateStale      fateKind = "stale read"  // it is answered with an older record
)

// fate is something that is planned for the nth time that a worker comes to a spot.
type fate struct {
	spot
	nth  int
	kind fateKind
	// lasts is how long a worker stands still; it also goes on when another worker has passed the spot until.
	lasts time.Duration
	until spot
	// tick sends the order a tick at once, so that another worker takes it up.
	tick bool
	// deaf loses the messages that come to the worker while it stands still: others get them.
	deaf bool
}

func (f fate) String() string { return fmt.Sprintf("%s %s #%d", f.kind, f.spot, f.nth) }

// run is one run: a broker, a Bandwidth, workers, what is planned and what was seen.
type run struct {
	plan   plan
	log    *logrus.Entry
	sim    *bwfake.Running
	broker *box
	nc     *nats.Conn
	js     jetstream.JetStream
	names  messages.Names
	epoch  atomic.Int64
	over   chan struct{} // closed when the run ends

	mu       sync.Mutex
	acked    map[string]uint64 // up to which message a worker has heard that a stream holds it
	cut      int               // messages that power cuts took
	started  int
	steps    int // that workers came to
	workers  []*mortal
	dead     []*mortal
	counts   map[spot]int
	passed   map[spot]chan struct{}
	fired    []fate
	pending  []fate
	records  map[string]*recordView
	reads    map[string][]frame // what was read of a record, by the subject of the question
	claims   map[string]*claim
	posts    map[*mortal]map[string]*sentPost
	diskGone atomic.Bool
	standing atomic.Bool // a worker stands still, or did
}

// newRun starts the broker and Bandwidth of a run.
func newRun(ctx context.Context, p plan, dir string, out io.Writer) (*run, error) {
	logger := logrus.New()
	logger.SetOutput(out)
	logger.SetLevel(logrus.DebugLevel)
	logger.SetFormatter(&logrus.TextFormatter{DisableColors: true, TimestampFormat: "15:04:05.000", FullTimestamp: true})
	if out == io.Discard {
		logger.SetLevel(logrus.PanicLevel)
	}
	r := &run{
		plan: p, log: logrus.NewEntry(logger), over: make(chan struct{}), pending: slices.Clone(p.Fates),
		acked: map[string]uint64{}, counts: map[spot]int{}, passed: map[spot]chan struct{}{}, records: map[string]*recordView{}, reads: map[string][]frame{}, claims: map[string]*claim{}, posts: map[*mortal]map[string]*sentPost{},
	}
	var err error
	if r.sim, err = bwfake.Start(bwfake.Options{Username: username, Password: password, CompleteAfter: p.CompleteAfter, ListDelay: p.ListDelay, Seed: p.Seed}, "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if r.broker, err = startBox(dir, p.Sync); err != nil {
		_ = r.sim.Close()
		return nil, err
	}
	r.names, _ = messages.NewNames("bandwidth")
	if r.nc, err = nats.Connect(r.broker.url(), nats.SetCustomDialer(r), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(5*time.Millisecond, 5*time.Millisecond), nats.RetryOnFailedConnect(true), nats.IgnoreDiscoveredServers(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})); err != nil {
		r.close()
		return nil, err
	}
	if r.js, err = jetstream.New(r.nc); err == nil {
		err = broker.Ensure(ctx, r.js, broker.Layout{Names: r.names, EventsMaxAge: 720 * time.Hour, AckWait: ackWait, Manage: true})
	}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("set up the run: %w", err)
	}
	return r, nil
}

func (r *run) close() {
	if r.nc != nil {
		r.nc.Close()
	}
	r.broker.stop()
	_ = r.sim.Close()
}

// gate is the connection of a run's own client: like those of workers it hears nothing of a broker that has crashed.
type gate struct {
	net.Conn
	r     *run
	epoch int64
}

// Dial connects to the broker that runs now.
func (r *run) Dial(network, address string) (net.Conn, error) {
	epoch, err := r.life()
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout(network, address, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return &gate{conn, r, epoch}, nil
}

// Read reads, unless the broker has crashed.
func (g *gate) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if g.epoch != g.r.epoch.Load() {
		return 0, io.EOF
	}
	return n, err
}

// life returns in which life the broker is: an even number. In between it cannot be reached.
func (r *run) life() (int64, error) {
	epoch := r.epoch.Load()
	if epoch%2 != 0 {
		return 0, errors.New("the broker is down")
	}
	return epoch, nil
}

// crashBroker kills the broker and starts it again.
func (r *run) crashBroker() error {
	r.epoch.Add(1)
	r.mu.Lock()
	acked := maps.Clone(r.acked)
	r.mu.Unlock()
	cut, err := r.broker.crash(acked)
	r.mu.Lock()
	r.cut += cut
	r.mu.Unlock()
	r.epoch.Add(1)
	r.log.WithError(err).Warnf("PROOF: the broker crashed and is back; %d messages that nobody had heard of are gone", cut)
	return err
}

// step is called when a worker comes to a spot, and says what becomes of it. It blocks while the worker stands still.
func (r *run) step(w *mortal, a action, ph phase) fate {
	if a.point == pointOther || !w.alive() {
		return fate{}
	}
	at := spot{a.point, ph}
	r.mu.Lock()
	r.steps++
	r.counts[at]++
	n := r.counts[at]
	if ch := r.passed[at]; ch != nil {
		close(ch)
		delete(r.passed, at)
	}
	i := slices.IndexFunc(r.pending, func(f fate) bool { return f.spot == at && f.nth <= n })
	if i < 0 {
		r.mu.Unlock()
		r.log.Debugf("PROOF: %s %s #%d %s", w.name, at, n, a.key)
		return fate{}
	}
	f := r.pending[i]
	r.pending = slices.Delete(r.pending, i, i+1)
	r.fired = append(r.fired, f)
	var until chan struct{}
	if f.until != (spot{}) {
		if until = r.passed[f.until]; until == nil {
			until = make(chan struct{})
			r.passed[f.until] = until
		}
	}
	r.mu.Unlock()
	r.log.Warnf("PROOF: %s %s (%s)", w.name, f, a.key)
	if f.tick && a.key != "" {
		go func() {
			for range 8 { // some of them come to the worker that stands still
				r.tick(a.key)
			}
		}()
	}
	switch f.kind {
	case fateFrozen:
		r.standing.Store(true)
		w.deaf.Store(f.deaf)
		defer w.deaf.Store(false)
		w.freeze(f.lasts, until)
		r.log.Warnf("PROOF: %s goes on", w.name)
		return fate{}
	default:
		return f
	}
}

// tick sends an order a tick, as the rescuer does.
func (r *run) tick(key string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = broker.Tick(ctx, r.js, r.names, key)
}

// full reports whether the broker's disk is full.
func (r *run) full() bool { return r.diskGone.Load() }

// buried takes note of a worker's death.
func (r *run) buried(w *mortal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead = append(r.dead, w)
	r.workers = slices.DeleteFunc(r.workers, func(x *mortal) bool { return x == w })
}

// noteRead keeps what was read of a record.
func (r *run) noteRead(subject string, f frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads[subject] = append(r.reads[subject], frame{header: slices.Clone(f.header), payload: slices.Clone(f.payload)})
}

// staleRead returns what a replica that lags would answer: the record as it was first read, or that it is not there.
func (r *run) staleRead(subject string) (header, payload []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.reads[subject] {
		return f.header, f.payload, true
	}
	return notFound, nil, true
}
