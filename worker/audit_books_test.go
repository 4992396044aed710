package worker_test

import (
	"testing"

	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

// atOnce is an audit for which everything has settled.
func atOnce(o *worker.AuditOptions) { o.Settings.PostTimeout, o.Settings.SettleWindow = 0, 0 }

// TestAudit_PortIn: a port-in has no order in Bandwidth's list, and is no difference for that.
func TestAudit_PortIn(t *testing.T) {
	t.Parallel()
	w := workertest.Start(t, workertest.Options{})
	w.Work(hurried)
	w.Final(ask(t, w, messages.PortIn, bringIn("p1", "+19195550101")), 1)
	if s, found := audit(t, w, atOnce); s.Differences() != 0 || len(found) != 0 || s.Records != 0 {
		t.Errorf("%+v\n%+v", s, found)
	}
}
