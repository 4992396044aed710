package killtest

import (
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/deploy/deploytest"
)

// size is how many orders a test publishes.
const size = 300

// Whatever a worker and the broker were doing when they were killed, no order is placed twice and none is lost.
func TestWorkerAndBrokerAreKilled(t *testing.T) {
	f := newFleet(t, "--post-timeout", "2s", "--settle-window", "4s")
	f.killBoth()
}

// The same while Bandwidth creates each order at once and answers half a second later: whoever is killed then leaves
// orders behind that exist, and nobody has read their answers. They are looked for (P16), never placed again.
func TestP16_KilledBeforeTheAnswer(t *testing.T) {
	f := newFleet(t, "--post-timeout", "2s", "--settle-window", "4s", "--concurrency", "16")
	f.slow()
	figures := f.killBoth()
	if figures.Unknown == 0 {
		t.Error("no outcome was unknown for a time: no worker was killed before an answer, so this shows nothing")
	}
}

// killBoth kills a worker, and later the broker, in the middle of the orders.
func (f *fleet) killBoth() deploytest.Figures {
	f.t.Helper()
	began := time.Now()
	first := f.startWorker()
	f.startWorker()
	batch := deploytest.NewBatch(f.t, f.connect())
	published := batch.Publish(size)
	batch.Await(size / 5)
	f.crashWorker(first)
	f.startWorker()
	batch.Await(size / 2)
	f.crashBroker()
	published()
	batch.Await(size)
	figures := batch.Audit(f.sim.Orders())
	f.report(figures, began)
	return figures
}

// Workers that are asked to end finish what they have begun: nothing is left for others to find out.
func TestWorkersAreTerminated(t *testing.T) {
	f := newFleet(t, "--post-timeout", "10s", "--settle-window", "20s", "--concurrency", "16")
	f.slow()
	began := time.Now()
	first, second := f.startWorker(), f.startWorker()
	batch := deploytest.NewBatch(t, f.connect())
	published := batch.Publish(size)
	batch.Await(size / 5)
	third := f.startWorker()
	first.terminate(t)
	first.ended(t)
	batch.Await(size / 2)
	fourth := f.startWorker()
	second.terminate(t)
	second.ended(t)
	published()
	batch.Await(size)
	figures := batch.Audit(f.sim.Orders())
	for _, p := range []*process{third, fourth} {
		p.terminate(t)
	}
	for _, p := range []*process{third, fourth} {
		p.ended(t)
	}
	f.report(figures, began)
	if figures.Unknown != 0 {
		t.Errorf("%d outcomes were unknown for a time, want 0: each answer came before its worker ended", figures.Unknown)
	}
	if posts := f.sim.Calls(bwfake.EndpointCreate); posts != size {
		t.Errorf("%d POSTs for %d orders", posts, size)
	}
}

// report shows what happened.
func (f *fleet) report(figures deploytest.Figures, began time.Time) {
	f.t.Logf("%s; %d workers, %d kills, %d POSTs, in %s", figures, f.workers, f.kills, f.sim.Calls(bwfake.EndpointCreate), time.Since(began).Round(100*time.Millisecond))
}
