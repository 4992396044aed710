package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker/broker"
)

// result is what a run came to.
type result struct {
	plan       plan
	figures    Figures
	violations []Violation
	fired      []fate
	visited    []cell
	took       time.Duration
	deaths     int
	crashes    int
	posts      map[string]int // injected outcomes of POSTs that happened
	cut        int            // messages that power cuts took
	forgotten  int            // timers that the server did not fire
	dead       []*mortal      // whose goroutines may still be on their way out
}

// play runs a plan and judges it. It fails only where the run itself could not be set up.
func play(ctx context.Context, p plan, dir string, out io.Writer, patience time.Duration) (res result, err error) {
	began := time.Now()
	r, err := newRun(ctx, p, dir, out)
	if err != nil {
		return result{}, err
	}
	defer r.close()
	if p.Slow {
		patience += 35 * time.Second
	}
	s := newScene(r)
	settled := s.perform(ctx, began, patience)
	close(r.over)
	r.mu.Lock()
	workers := slices.Clone(r.workers)
	r.mu.Unlock()
	for _, w := range workers {
		if err := w.stop(15 * time.Second); err != nil {
			r.log.WithError(err).Error("PROOF: stop")
			settled = append(settled, fmt.Sprintf("a worker that was asked to end: %v", err))
		}
	}
	s.look(ctx)
	h := s.history(ctx)
	figures, violations := Check(h)
	for _, text := range settled {
		violations = append(violations, Violation{Rule: Lost, Text: text})
		figures.Lost++
	}
	res = result{plan: p, figures: figures, violations: violations, fired: r.fired, took: time.Since(began), deaths: len(r.dead), crashes: int(r.epoch.Load() / 2), posts: s.outcomes(), dead: r.dead, forgotten: s.forgotten, cut: r.cut}
	for _, c := range p.Cells {
		died := slices.ContainsFunc(r.fired, func(f fate) bool { return f.spot == c.spot && f.kind == fateDies })
		if died && (c.outcome == "created" || res.posts[c.outcome] > 0) {
			res.visited = append(res.visited, c)
		}
	}
	return res, nil
}

// scene is what the world around the workers does in a run: publishers, operators, and whoever breaks things.
type scene struct {
	r    *run
	keys map[string]planned

	events, letters reader
	seen            []messages.Event
	dead            []messages.DeadLetter // all that were ever there
	left            []messages.DeadLetter
	replayed        []string
	bold            map[string]bool // letters whose replay was refused as risky
	refused         map[messages.Reason]int
	raced, ticked   int
	sold, freed     map[string]bool
	cleared         bool
	steps           int // of the workers, when they were last seen to move
	moved           time.Time
	looked          bool // for timers, since then
	forgotten       int  // timers that the server held and did not fire
	asked           map[string]bool
}

// reader reads a stream from its beginning.
type reader struct {
	stream string
	next   uint64
}

func newScene(r *run) *scene {
	s := &scene{
		r: r, keys: map[string]planned{}, events: reader{r.names.EventsStream(), 1}, letters: reader{r.names.DLQStream(), 1},
		refused: map[messages.Reason]int{}, sold: map[string]bool{}, freed: map[string]bool{}, asked: map[string]bool{}, bold: map[string]bool{},
	}
	for _, o := range r.plan.Orders {
		s.keys[r.names.Key("", o.RequestID)] = o
	}
	return s
}

// tryEvery is the pace of the loop that everything outside the workers happens in.
const tryEvery = 15 * time.Millisecond

// perform starts the workers, publishes, breaks and mends, until nothing is left to do. It returns what is still left
// when patience ends.
func (s *scene) perform(ctx context.Context, began time.Time, patience time.Duration) (left []string) {
	p := s.r.plan
	s.prepare()
	s.staff(ctx)
	published := make(chan error, len(p.Orders))
	for _, o := range p.Orders {
		go func() { published <- s.publish(ctx, o) }()
	}
	crashes := slices.Clone(p.BrokerCrashes)
	slices.Sort(crashes)
	waiting := len(p.Orders)
	for tick := time.NewTicker(tryEvery); ; {
		if ctx.Err() != nil {
			return []string{ctx.Err().Error()}
		}
		at := time.Since(began)
		if p.PowerCut && s.r.standing.Load() && s.r.epoch.Load() == 0 {
			crashes = []time.Duration{0}
		}
		if len(crashes) > 0 && at > crashes[0] {
			crashes = crashes[1:]
			if err := s.r.crashBroker(); err != nil {
				return []string{"the broker did not come back: " + err.Error()}
			}
		}
		s.r.diskGone.Store(p.DiskFull[1] > 0 && at > p.DiskFull[0] && at < p.DiskFull[0]+p.DiskFull[1])
		s.staff(ctx)
		for more := true; more && waiting > 0; {
			select {
			case err := <-published:
				waiting--
				if err != nil {
					return []string{"publish: " + err.Error()}
				}
			default:
				more = false
			}
		}
		s.meddle(at)
		err := s.look(ctx)
		if err == nil {
			s.operate(ctx)
		}
		what := s.unfinished(ctx)
		if waiting > 0 {
			what = append(what, fmt.Sprintf("%d requests were not taken by the broker", waiting))
		}
		if len(what) == 0 && len(crashes) == 0 {
			if s.askAgain(ctx) {
				return nil
			}
			what = []string{"a finished order was asked for again, and not answered"}
		}
		still := s.stillness()
		if still > patience/2 && !s.looked {
			s.looked = true
			s.awaitTimers(ctx, patience/4)
		}
		if still > patience || time.Since(began) > 8*patience {
			return append(what, fmt.Sprintf("all this after %s, the last %s without a step of any worker", time.Since(began).Round(time.Second), still.Round(time.Second)))
		}
		<-tick.C
	}
}

// prepare tells Bandwidth what goes wrong.
func (s *scene) prepare() {
	sim := s.r.sim
	for key, o := range s.keys {
		for _, post := range []outcome{o.First, o.Second} {
			f := bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.LocationOnly, Times: 1} // an answer as good as any
			if post.fault != nil {
				f = *post.fault
			}
			f.CustomerOrderID = key
			if post.fault != nil || o.Second.fault != nil && post.name == o.First.name {
				sim.Inject(f)
			}
		}
		for _, f := range o.Reads {
			f.CustomerOrderID = key
			sim.Inject(f)
		}
		for _, n := range o.Taken {
			sim.SellElsewhere(n, "another system")
		}
		if o.Hidden {
			sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointList, Kind: bwfake.ErrorBefore, Status: http.StatusNotFound})
			if !o.Blind {
				sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointNumber, Kind: bwfake.ErrorBefore, Status: http.StatusNotFound})
			}
		}
		if o.Blind {
			sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointNumber, Kind: bwfake.ErrorBefore, Status: http.StatusForbidden})
		}
		if o.Deaf {
			for _, e := range []string{bwfake.EndpointList, bwfake.EndpointNumber} {
				sim.Inject(bwfake.Fault{Endpoint: e, Kind: bwfake.ErrorBefore, Status: http.StatusInternalServerError})
			}
		}
	}
}

// bodyOf is a request's body.
func bodyOf(o planned) []byte {
	r := messages.Request{RequestID: o.RequestID, Numbers: o.Numbers}
	if o.Quantity > 0 {
		r.Criteria, r.Quantity = &messages.Criteria{AreaCode: o.AreaCode}, &o.Quantity
	}
	if o.Backorder {
		r.Backorder = &o.Backorder
	}
	r.OrderRequestID = o.Target
	data, _ := json.Marshal(r)
	return data
}

// publish publishes a request until the broker has taken it, and whatever else its plan asks for.
func (s *scene) publish(ctx context.Context, o planned) error {
	select {
	case <-time.After(o.Late):
	case <-s.r.over:
		return nil
	}
	subject := s.r.names.Request(o.Kind, "")
	for range 1 + o.Duplicates {
		if err := s.send(ctx, subject, bodyOf(o), nil); err != nil {
			return err
		}
	}
	if !o.Conflict {
		return nil
	}
	other := o
	other.Numbers, other.Quantity, other.Backorder = []string{"+19195559998"}, 0, false
	for s.r.record(s.r.names.Key("", o.RequestID)) == nil { // whichever is recorded first is the order
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.r.over:
			return nil
		}
	}
	return s.send(ctx, subject, bodyOf(other), nil)
}

// send publishes until the broker acknowledges it: more than once where an acknowledgement is lost.
func (s *scene) send(ctx context.Context, subject string, body []byte, header nats.Header) error {
	var err error
	for range 200 {
		try, cancel := context.WithTimeout(ctx, time.Second)
		_, err = s.r.js.PublishMsg(try, &nats.Msg{Subject: subject, Data: body, Header: header})
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.r.over:
			return nil
		}
	}
	return err
}

// staff keeps as many workers as are planned.
func (s *scene) staff(ctx context.Context) {
	s.r.mu.Lock()
	missing := s.r.plan.Workers - len(s.r.workers)
	s.r.mu.Unlock()
	for range missing {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		w, err := s.r.startWorker(try)
		cancel()
		if err != nil {
			s.r.log.WithError(err).Warn("PROOF: a worker did not start")
			return
		}
		s.r.mu.Lock()
		if w.dead.Load() {
			s.r.mu.Unlock()
			continue
		}
		s.r.workers = append(s.r.workers, w)
		s.r.mu.Unlock()
	}
}

// meddle does what is planned for this time, outside the workers.
func (s *scene) meddle(at time.Duration) {
	p := s.r.plan
	if p.ClearReads > 0 && at > p.ClearReads && !s.cleared {
		s.clear()
	}
	for key, o := range s.keys {
		posts := 0
		for _, q := range s.r.sim.Requests() {
			if q.Endpoint == bwfake.EndpointCreate && q.CustomerOrderID != "" && keyShape.FindString(q.CustomerOrderID) == key {
				posts++
			}
		}
		if o.Bystander && posts > 0 && !s.sold[key] {
			s.sold[key] = true
			s.r.sim.SellElsewhere(o.Numbers[0], "another system")
		}
		if o.Hidden && !o.Blind && posts > 1 && !s.cleared {
			s.clear()
		}
		if o.Restock && at > 700*time.Millisecond && !s.sold[key] {
			s.sold[key] = true
			for i := range 8 {
				s.r.sim.Restock(fmt.Sprintf("+17105550%03d", 100+i))
			}
		}
		if record := s.r.record(key); record != nil && record.Outcome == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if s.raced < p.TimerRaces && at > time.Duration(s.raced+1)*170*time.Millisecond { // the server fires each quarter of a second
				s.raced++
				if stream, err := s.r.js.Stream(ctx, s.r.names.TimersStream()); err == nil {
					// What a race in the server can leave behind (P7): the new timer is gone, and a tick was stored.
					_ = stream.Purge(ctx, jetstream.WithPurgeSubject(s.r.names.Timer(key)))
					s.r.tick(key)
				}
			}
			if s.ticked < p.Ticks && at > time.Duration(s.ticked+1)*100*time.Millisecond {
				s.ticked++
				s.r.tick(key)
			}
			cancel()
		}
	}
	if p.Rescue {
		s.rescue()
	}
}

// stillness is for how long no worker has come to any point.
func (s *scene) stillness() time.Duration {
	s.r.mu.Lock()
	steps := s.r.steps
	s.r.mu.Unlock()
	if steps != s.steps || s.moved.IsZero() {
		s.steps, s.moved, s.looked = steps, time.Now(), false
	}
	return time.Since(s.moved)
}

// awaitTimers looks for timers that the server holds and has not fired, once nothing happens any more: under load the
// server now and then forgets one. The rescuer exists for that (P6); it may do its work early then. An order whose timer
// was never set, or was lost, is not helped: it counts as lost.
func (s *scene) awaitTimers(ctx context.Context, overdue time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	stream, err := s.r.js.Stream(ctx, s.r.names.TimersStream())
	if err != nil {
		return
	}
	for key := range s.keys {
		msg, err := stream.GetLastMsgForSubject(ctx, s.r.names.Timer(key))
		if err != nil {
			s.r.log.WithError(err).Warnf("PROOF: order %s has no timer", key)
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(msg.Header.Get(broker.HeaderSchedule), "@at "))
		s.r.log.Warnf("PROOF: order %s has a timer at %s", key, at)
		if err == nil && time.Since(at) > overdue {
			s.forgotten++
			s.rescue()
		}
	}
}

// rescue lets the workers look for orders without a timer now, and not at their next minute.
func (s *scene) rescue() {
	s.r.mu.Lock()
	workers := slices.Clone(s.r.workers)
	s.r.mu.Unlock()
	for _, w := range workers {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _ = w.worker.Rescue(ctx)
		cancel()
	}
}

// clear mends what was wrong with Bandwidth's reads.
func (s *scene) clear() {
	s.cleared = true
	s.r.sim.ClearFaults()
	s.r.log.Warn("PROOF: Bandwidth's reads work again")
}

// look reads what is new on the streams of events and dead letters.
func (s *scene) look(ctx context.Context) error {
	err := s.events.read(ctx, s.r.js, func(m *jetstream.RawStreamMsg) error {
		var e messages.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return err
		}
		s.seen = append(s.seen, e)
		return nil
	})
	return errors.Join(err, s.letters.read(ctx, s.r.js, func(m *jetstream.RawStreamMsg) error {
		var l messages.DeadLetter
		if err := json.Unmarshal(m.Data, &l); err != nil {
			return err
		}
		if string(l.Replay) == "null" {
			l.Replay = nil
		}
		s.dead = append(s.dead, l)
		return nil
	}))
}

// read calls f for each message that came since.
func (r *reader) read(ctx context.Context, js jetstream.JetStream, f func(*jetstream.RawStreamMsg) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, r.stream)
	if err != nil {
		return err
	}
	for last := stream.CachedInfo().State.LastSeq; r.next <= last; r.next++ {
		m, err := stream.GetMsg(ctx, r.next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

// outcomes counts the planned outcomes of POSTs that happened.
func (s *scene) outcomes() map[string]int {
	out := map[string]int{}
	for key, o := range s.keys {
		posts := 0
		for _, q := range s.r.sim.Requests() {
			if q.Endpoint == bwfake.EndpointCreate && keyShape.FindString(q.CustomerOrderID) == key {
				posts++
			}
		}
		if posts > 0 && o.First.fault != nil {
			out[o.First.name]++
		}
		if posts > 1 && o.Second.fault != nil {
			out[o.Second.name]++
		}
	}
	return out
}

// lookups counts the questions for the orders of each customer order id.
func (s *scene) lookups() map[string]int {
	out := map[string]int{}
	for _, q := range s.r.sim.Requests() {
		if q.Endpoint != bwfake.EndpointList {
			continue
		}
		if values, err := url.ParseQuery(q.Query); err == nil && values.Get("customerOrderId") != "" {
			out[values.Get("customerOrderId")]++
		}
	}
	return out
}
