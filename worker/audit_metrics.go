package worker

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// auditCollector serves what the last audit found, as it stands in the control bucket: the audit is a command that ends,
// and whoever scrapes the workers learns of it from any of them. Before the first audit nothing is served, so that an
// alarm on its absence is possible.
type auditCollector struct {
	control                 atomic.Pointer[Control] // nil until the worker is made
	at, differences, orders *prometheus.Desc
}

func newAuditCollector() *auditCollector {
	return &auditCollector{
		at: prometheus.NewDesc("bandwidth_worker_audit_timestamp_seconds",
			"When the last audit ended that compared everything it was to, in seconds since 1970.", nil, nil),
		differences: prometheus.NewDesc("bandwidth_worker_audit_differences",
			"Orders on which Bandwidth and the ledger disagreed in the last audit, by kind.", []string{"kind"}, nil),
		orders: prometheus.NewDesc("bandwidth_worker_audit_orders",
			"Orders of ours in Bandwidth's list, in the last audit.", nil, nil),
	}
}

// Describe names the metrics.
func (c *auditCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.at
	out <- c.differences
	out <- c.orders
}

// Collect serves the last audit.
func (c *auditCollector) Collect(out chan<- prometheus.Metric) {
	control := c.control.Load()
	if control == nil {
		return
	}
	s, any := control.LastAudit()
	if !any {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.at, float64(s.At.Unix()))
	gauge(c.orders, float64(s.Orders))
	gauge(c.differences, float64(s.BandwidthOnly), string(BandwidthOnly))
	gauge(c.differences, float64(s.AfterOutcome), string(AfterOutcome))
	gauge(c.differences, float64(s.LedgerOnly), string(LedgerOnly))
}
