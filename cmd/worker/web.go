package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"bandwidthworker/worker"
)

// web serves health and metrics, from before the worker has found its NATS server until after it has finished its last
// step: a process that waits is not to be killed for it.
type web struct {
	server *http.Server // nil where there is to be none
	now    atomic.Pointer[http.Handler]
}

// listen serves on an address, or nowhere where it is empty. Until [web.show], /readyz says that the worker is starting.
func listen(address string, log *logrus.Entry) (*web, error) {
	w := &web{}
	if address == "" {
		return w, nil
	}
	w.show(worker.Starting())
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http_listen: %w: set it to another address, or to nothing for no HTTP", err)
	}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second}
	log.WithField("url", "http://"+listener.Addr().String()).Info("health and metrics are served")
	go func() {
		if err := w.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.WithError(err).Error("health and metrics are no longer served")
		}
	}()
	return w, nil
}

// show sets what is served from now on.
func (w *web) show(h http.Handler) { w.now.Store(&h) }

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) { (*w.now.Load()).ServeHTTP(rw, r) }

func (w *web) close() {
	if w.server != nil {
		_ = w.server.Close()
	}
}
