package worker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler returns the worker's HTTP endpoints: /healthz (the process runs), /readyz (it can work; says why not) and
// /metrics.
func (w *Worker) Handler(gatherer prometheus.Gatherer) http.Handler {
	mux := health(w.readiness)
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	return mux
}

// Starting returns /healthz and /readyz of a process whose worker is not there yet: it waits for its NATS server, or
// for JetStream.
func Starting() http.Handler {
	return health(func() readiness {
		return readiness{Why: []string{"starting: waiting for the NATS server and its streams; the log says more"}}
	})
}

// health serves that the process runs, and whether it can work.
func health(ready func() readiness) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		r := ready()
		rw.Header().Set("Content-Type", "application/json")
		if !r.Ready {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(rw).Encode(r)
	})
	return mux
}

// Ready reports whether this worker can place orders.
func (w *Worker) Ready() bool { return w.readiness().Ready }

// WhyNotReady returns why it cannot; empty where it can.
func (w *Worker) WhyNotReady() string { return strings.Join(w.readiness().Why, "; ") }

// readiness is the body of /readyz.
type readiness struct {
	Ready bool     `json:"ready"`
	Why   []string `json:"why,omitempty"`
}

// readiness says whether this worker can place orders, and if not, why.
func (w *Worker) readiness() readiness {
	var why []string
	if w.conn.Status() != nats.CONNECTED {
		why = append(why, fmt.Sprintf("not connected to NATS (%s)", w.conn.Status()))
	}
	if w.stopping.Load() {
		why = append(why, "stopping")
	}
	for group, p := range w.control.Pauses() {
		why = append(why, fmt.Sprintf("calls of group %s are paused until %s: %s", group, untilText(p), p.Why))
	}
	slices.Sort(why)
	return readiness{Ready: len(why) == 0, Why: why}
}

func untilText(p Pause) string {
	switch p.Kind {
	case PauseRefused:
		return "a probe goes through"
	case PauseOperator:
		return "an operator resumes"
	default:
		return p.Until.UTC().Format("15:04:05 MST")
	}
}
