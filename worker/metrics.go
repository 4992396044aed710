package worker

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the worker's counters, for Prometheus.
type Metrics struct {
	messages *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	posts    *prometheus.CounterVec
	calls    *prometheus.CounterVec
	rescued  prometheus.Counter
	audit    *auditCollector
}

// NewMetrics registers the worker's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "bandwidth_worker", Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		audit:    newAuditCollector(),
		messages: counter("messages_total", "Messages handled, by consumer and what became of them.", "consumer", "verb"),
		outcomes: counter("outcomes_total", "Outcomes published, by kind, outcome and reason.", "kind", "outcome", "reason"),
		posts:    counter("posts_total", "Purchases sent to Bandwidth, by what is known of them: created, refused, unknown, put back.", "state"),
		calls:    counter("api_calls_total", "HTTP calls to Bandwidth, by method, endpoint and status; status 0 means no answer.", "method", "endpoint", "status"),
		rescued:  prometheus.NewCounter(prometheus.CounterOpts{Namespace: "bandwidth_worker", Name: "rescued_total", Help: "Ticks sent to orders whose timer was lost."}),
	}
	reg.MustRegister(m.rescued, m.audit)
	return m
}

// Transport returns a transport that counts the calls going through next.
func (m *Metrics) Transport(next http.RoundTripper) http.RoundTripper {
	return countingTransport{next: next, calls: m.calls}
}

type countingTransport struct {
	next  http.RoundTripper
	calls *prometheus.CounterVec
}

// RoundTrip sends the request on and counts its answer.
func (t countingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	t.calls.WithLabelValues(req.Method, endpoint(req.URL.Path), strconv.Itoa(status)).Inc()
	return resp, err
}

// endpoint names the resource of a path without its ids, so that the number of label values stays small.
func endpoint(path string) string {
	name := "other"
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "orders", "tns", "sites", "sippeers", "availableNumbers", "disconnects", "portins", "token", "subscriptions", "tnreservation":
			name = part
		}
	}
	return name
}
