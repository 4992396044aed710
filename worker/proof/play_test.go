package proof

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
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
