package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/orders"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/config"
)

// runCmd serves requests.
type runCmd struct{}

// Run serves until the program's context is done.
func (runCmd) Run(p *program, c *cli) error {
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	log := newLog(c, p.stderr)
	warn(log, c.warnings)
	err := serve(p.ctx, c, log)
	if p.ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(p.ctx))) {
		log.WithError(err).Info("stopped before requests were taken")
		return nil // as it was told to
	}
	return err
}

func serve(ctx context.Context, c *cli, log *logrus.Entry) error {
	w, err := listen(c.HTTPListen, log)
	if err != nil {
		return err
	}
	defer w.close()
	nc, stop, err := connect(ctx, c, log)
	if err != nil {
		return err
	}
	defer stop()
	s, err := newServing(ctx, &c.Config, nc, log)
	if err != nil {
		return err
	}
	defer s.close()
	w.show(s.handler)
	return s.worker.Run(ctx)
}

// connect connects to NATS, or to an embedded server where none is configured.
func connect(ctx context.Context, c *cli, log *logrus.Entry) (*nats.Conn, func(), error) {
	options := broker.ConnectOptions{URL: c.NATSURL, Creds: c.NATSCreds, Context: c.NATSContext, Name: "bandwidth worker", Log: log}
	stop := func() {}
	if c.NATSURL == "" && c.NATSContext == "" {
		sync, err := c.SyncInterval()
		if err != nil {
			return nil, nil, usageError{err}
		}
		server, err := broker.StartEmbedded(broker.EmbeddedOptions{Listen: c.NATSListen, StoreDir: c.StoreDir, SyncInterval: sync, Log: log})
		if err != nil {
			return nil, nil, err
		}
		log.WithFields(logrus.Fields{"url": server.URL, "store_dir": c.StoreDir, "nats_sync": c.NATSSync}).Info("the embedded NATS server listens")
		options.URL, options.InProcess, stop = server.URL, server.Server, server.Shutdown
	} else if c.NATSContext == "" {
		options.Log = log.WithField("nats_url", config.MaskURLs(c.NATSURL))
	}
	nc, err := broker.Connect(ctx, options)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return nc, func() { nc.Close(); stop() }, nil
}

// serving is a worker with what belongs to it.
type serving struct {
	worker  *worker.Worker
	handler http.Handler
	debug   *bwclient.DebugLog
}

// newServing wires a worker from its configuration.
func newServing(ctx context.Context, c *config.Config, nc *nats.Conn, log *logrus.Entry) (*serving, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := worker.NewMetrics(registry)
	client, debug, err := newClient(c, metrics.Transport(bwclient.NewTransport()))
	if err != nil {
		return nil, err
	}
	s := &serving{debug: debug}
	s.worker, err = worker.New(ctx, worker.Options{
		Conn: nc, Client: client, Prefix: c.SubjectPrefix, Account: c.AccountID, Site: c.SiteID, Peer: c.SIPPeer,
		OrderNamePrefix: c.OrderNamePrefix, Sandbox: c.SandboxProvisioning, Provisioning: c.EnableProvisioning,
		CarrierDisabled: c.CarrierDisabled(), PortInModule: c.PortInModuleName, Settings: settings(c), AckWait: c.AckWait, LedgerGuard: c.LedgerGuard,
		MaxSearchQuantity: c.MaxSearchQuantity, Concurrency: c.Concurrency, RequestsPerSecond: c.RequestsPerSecond, Replicas: c.NATSReplicas,
		EventsMaxAge: c.EventsMaxAge, ManageStreams: c.ManageStreams, Metrics: metrics, Log: log,
	})
	if err != nil {
		s.close()
		return nil, err
	}
	s.handler = s.worker.Handler(registry)
	return s, nil
}

// settings are the durations of an order's life.
func settings(c *config.Config) orders.Settings {
	return orders.Settings{
		PostTimeout: c.PostTimeout, SettleWindow: c.SettleWindow, PollMinInterval: c.PollMinInterval, PollMaxInterval: c.PollMaxInterval,
		PollBackorderInterval: c.PollBackorderInterval, GiveUpAfter: c.GiveUpAfter, Lease: c.AckWait,
	}
}

// newClient returns a client of Bandwidth's, and its debug log if there is one.
func newClient(c *config.Config, transport http.RoundTripper) (*bwclient.Client, *bwclient.DebugLog, error) {
	auth := bwclient.Basic(c.APIUsername, c.APIPassword.Reveal())
	if c.ClientID != "" {
		auth = bwclient.OAuth2(c.ClientID, c.ClientSecret.Reveal(), c.TokenURL)
	}
	var debug *bwclient.DebugLog
	if c.Debug {
		var err error
		if debug, err = bwclient.OpenDebugLog(c.DebugLog); err != nil {
			return nil, nil, err
		}
	}
	client, err := bwclient.New(bwclient.Config{
		AccountID: c.AccountID, BaseURL: c.BaseURL, Auth: auth, GetTimeout: c.GetTimeout, Transport: transport, DebugLog: debug,
	})
	if err != nil {
		if debug != nil {
			_ = debug.Close()
		}
		return nil, nil, usageError{err}
	}
	return client, debug, nil
}

func (s *serving) close() {
	if s.debug != nil {
		_ = s.debug.Close()
	}
}
