package killtest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/deploy/deploytest"
	"bandwidthworker/messages"
	"bandwidthworker/worker/proof"
)

var (
	stormFlag  = flag.Duration("storm", 20*time.Second, "how long workers and broker are killed and stopped")
	ordersFlag = flag.Int("storm.orders", 0, "how many orders are published meanwhile; 0: 400 a minute")
	stormSeed  = flag.Uint64("storm.seed", 1, "what is ordered and who is killed when follows from it, but for the time that things take")
)

// TestStorm: four workers, killed and stopped at random while orders come in, a broker that is killed every 30 seconds,
// and a Bandwidth that loses answers. In the end the checker of worker/proof finds nothing.
//
//	go test ./deploy/killtest -run Storm -storm=5m -storm.orders=2000 -v -timeout 15m
func TestStorm(t *testing.T) {
	orders := *ordersFlag
	if orders == 0 {
		orders = int(stormFlag.Minutes() * 400)
	}
	f := newFleet(t, "--post-timeout", "2s", "--settle-window", "5s", "--concurrency", "16")
	workers := make([]*process, 4)
	for i := range workers {
		workers[i] = f.startWorker()
	}
	s := newStorm(t, f, orders)
	began := time.Now()
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), *stormFlag+5*time.Minute)
	defer cancel()
	go func() { done <- s.publish(ctx, *stormFlag*8/10) }()
	crash := min(30*time.Second, *stormFlag/3)
	for nextCrash := began.Add(crash); time.Since(began) < *stormFlag; {
		<-time.After(time.Duration(200+s.random.IntN(1500)) * time.Millisecond) // the storm's own pace
		i := s.random.IntN(len(workers))
		switch {
		case time.Now().After(nextCrash):
			nextCrash = nextCrash.Add(crash)
			f.crashBroker()
			s.brokers++
		case s.random.IntN(3) == 0:
			s.stand(workers[i], time.Duration(300+s.random.IntN(4000))*time.Millisecond)
		default:
			f.crashWorker(workers[i])
			workers[i] = f.startWorker()
			s.deaths++
		}
		s.operate(ctx)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.sim.ClearFaults()
	s.stops.Wait()
	s.awaitEnd(ctx)
	figures, violations := proof.Check(s.history())
	for _, v := range violations {
		t.Error(v)
	}
	if s.deaths == 0 || s.stood == 0 || s.brokers == 0 {
		t.Error("somebody was never killed or stopped, so this shows nothing")
	}
	n := 0
	for _, k := range figures.Undecidable {
		n += k
	}
	t.Logf("%s: %d orders in %d generations, %d replays, %d numbers bought and %d reported; %d workers killed, %d stopped, broker killed %d times, %d POSTs, %d of them spoilt by Bandwidth; bought twice %d, lost %d, disagreements %d, undecidable %d %v",
		time.Since(began).Round(time.Second), figures.Orders, figures.Generations, figures.Replays, figures.NumbersBought, figures.NumbersReported, s.deaths, s.stood, s.brokers,
		f.sim.Calls(bwfake.EndpointCreate), s.spoilt(), figures.BoughtTwice, figures.Lost, figures.Disagreements, n, slices.Sorted(maps.Keys(figures.Undecidable)))
}

// want is an order of the storm.
type want struct {
	id      string
	numbers []string
	taken   bool // another system holds the first number, until the order is replayed
}

// storm is what happens around the processes.
type storm struct {
	t       *testing.T
	f       *fleet
	js      jetstream.JetStream
	names   messages.Names
	random  *rand.Rand
	wants   map[string]want // by key
	order   []string        // the keys, as they are published
	events  *deploytest.Tail
	letters *deploytest.Tail
	seen    []messages.Event
	dead    []messages.DeadLetter
	done    []string // letters that were replayed

	deaths, stood, brokers int
	stops                  sync.WaitGroup
}

func newStorm(t *testing.T, f *fleet, orders int) *storm {
	t.Helper()
	js, err := jetstream.New(f.connect())
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	s := &storm{
		t: t, f: f, js: js, names: names, random: rand.New(rand.NewPCG(*stormSeed, 0x73746f726d)), wants: map[string]want{},
		events: deploytest.NewTail(js, names.EventsStream()), letters: deploytest.NewTail(js, names.DLQStream()),
	}
	for i := range orders {
		w := want{id: fmt.Sprintf("storm-%d", i), taken: i%10 == 3}
		for j := range 1 + i%2 {
			w.numbers = append(w.numbers, fmt.Sprintf("+1919%03d%04d", 220+(2*i+j)/1000, 1000+(2*i+j)%1000))
		}
		if w.taken {
			f.sim.SellElsewhere(w.numbers[0], "another system")
		}
		key := names.Key("", w.id)
		s.wants[key] = w
		s.order = append(s.order, key)
	}
	// One POST in ten goes wrong: half of them were created.
	for _, fault := range []bwfake.Fault{
		{Kind: bwfake.LoseReplyBefore}, {Kind: bwfake.LoseReplyAfter}, {Kind: bwfake.ErrorBefore, Status: http.StatusInternalServerError},
		{Kind: bwfake.ErrorAfter, Status: http.StatusBadGateway, Body: "<html/>"}, {Kind: bwfake.Slow, Delay: 2500 * time.Millisecond},
	} {
		fault.Endpoint, fault.Probability = bwfake.EndpointCreate, 0.02
		f.sim.Inject(fault)
	}
	return s
}

// publish publishes all orders within a time, each until the broker has taken it.
func (s *storm) publish(ctx context.Context, within time.Duration) error {
	turn := time.NewTicker(max(within/time.Duration(len(s.order)+1), time.Millisecond))
	defer turn.Stop()
	for _, key := range s.order {
		<-turn.C
		w := s.wants[key]
		body, err := json.Marshal(messages.Request{RequestID: w.id, Numbers: w.numbers})
		if err != nil {
			return err
		}
		if err := s.send(ctx, s.names.Request(messages.Provision, ""), body, nil); err != nil {
			return fmt.Errorf("publish %s: %w", w.id, err)
		}
	}
	return nil
}

// send publishes until the broker acknowledges it; where an acknowledgement is lost that is twice.
func (s *storm) send(ctx context.Context, subject string, body []byte, header nats.Header) error {
	for {
		try, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := s.js.PublishMsg(try, &nats.Msg{Subject: subject, Data: body, Header: header})
		if err == nil {
			cancel()
			return nil
		}
		<-try.Done() // an error that comes at once is not tried again at once
		cancel()
		if ctx.Err() != nil {
			return err
		}
	}
}

// stand stops a worker as SIGSTOP does, and lets it go on after a time, unless it was killed meanwhile.
func (s *storm) stand(p *process, d time.Duration) {
	s.t.Helper()
	p.signal(s.t, syscall.SIGSTOP)
	s.stood++
	s.stops.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
		case <-p.done:
		}
	})
}

// operate reads what is new, frees the numbers of dead letters, and replays them.
func (s *storm) operate(ctx context.Context) {
	// What cannot be read while the broker is down is read the next time.
	_ = s.events.Read(ctx, func(data []byte) error {
		var e messages.Event
		err := json.Unmarshal(data, &e)
		s.seen = append(s.seen, e)
		return err
	})
	_ = s.letters.Read(ctx, func(data []byte) error {
		var l messages.DeadLetter
		err := json.Unmarshal(data, &l)
		s.dead = append(s.dead, l)
		return err
	})
	for _, l := range s.dead {
		if slices.Contains(s.done, l.LetterID) || len(l.Replay) == 0 || string(l.Replay) == "null" {
			continue
		}
		if w := s.wants[l.Key]; w.taken && l.Generation == 1 {
			s.f.sim.Release(w.numbers[0])
		}
		if s.send(ctx, l.Subject, l.Replay, nats.Header{messages.HeaderReplayOf: []string{l.LetterID}}) != nil {
			return
		}
		s.done = append(s.done, l.LetterID)
	}
}

// awaitEnd waits until nothing is left to do. That is up to the rescuer in the end: a worker that dies as the rescuer
// holds that office for two minutes, and until then nobody finds the orders whose timers are gone (P6).
func (s *storm) awaitEnd(ctx context.Context) {
	s.t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		s.operate(ctx)
		err := s.unfinished()
		if err == nil {
			err = deploytest.Unsettled(ctx, s.js, s.names)
		}
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			s.t.Fatalf("waiting for the end of every order: %v", err)
		}
	}
}

// unfinished says which orders are not completed.
func (s *storm) unfinished() error {
	completed := map[string]bool{}
	for _, e := range s.seen {
		if e.Outcome == messages.Completed {
			completed[e.Key] = true
		}
	}
	if n := len(s.wants) - len(completed); n > 0 {
		return fmt.Errorf("%d orders are not completed", n)
	}
	return nil
}

// history is what the checker judges. Nobody saw which POSTs were answered: each may have been cut off by a death.
func (s *storm) history() proof.History {
	h := proof.History{
		Replayed: s.done, Events: s.seen, Letters: s.dead, Left: deploytest.ReadLetters(s.t, s.js, s.names), Bandwidth: s.f.sim.Orders(),
	}
	for _, key := range s.order {
		w := s.wants[key]
		o := proof.Order{Key: key, Kind: messages.Provision, Numbers: w.numbers, Doubts: []string{"its worker may have died"}}
		for _, e := range s.seen {
			if e.Key == key && e.Reason == messages.ReasonOutcomeUnknown && o.Undecidable == "" {
				o.Undecidable = undecided(key, e, h.Bandwidth)
			}
		}
		h.Orders = append(h.Orders, o)
	}
	return h
}

// undecided says why an outcome could not be known; empty where every order that exists for the key had bought all it
// asked for.
func undecided(key string, e messages.Event, bandwidth []bwfake.Purchase) string {
	exist, short := 0, false
	for _, p := range bandwidth {
		if !p.Foreign && strings.Contains(p.CustomerOrderID, key) && p.At.Before(e.OccurredAt) {
			exist++
			short = short || p.Status != "COMPLETE"
		}
	}
	switch {
	case exist == 0:
		return "both POSTs of an intent had no answer, and neither created an order"
	case short:
		return "a POST had no answer, and the second one brought less than all (P19)"
	}
	return ""
}

// spoilt counts the POSTs that Bandwidth answered otherwise than with 201.
func (s *storm) spoilt() int {
	n := 0
	for _, q := range s.f.sim.Requests() {
		if q.Endpoint == bwfake.EndpointCreate && q.Status != http.StatusCreated {
			n++
		}
	}
	return n
}
