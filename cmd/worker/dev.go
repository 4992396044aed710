package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker/config"
)

// devCmd runs everything in one process.
type devCmd struct {
	Once bool `env:"-" help:"End after the samples, with status 0 when every one reached its expected outcome."`
}

// Run starts an embedded NATS server and the simulator, shows the samples, and stays up for more.
func (d devCmd) Run(p *program, c *cli) error {
	dir, err := os.MkdirTemp("", "bandwidth-worker-dev-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sim, err := bwfake.Start(bwfake.Options{ClientID: "dev", ClientSecret: "dev", Control: true, PortInStep: portInStep}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = sim.Close() }()
	devSettings(c, dir, sim)
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	quiet := *c
	if c.LogLevel == "info" {
		quiet.LogLevel = "error" // the events are what is to be seen; --log-level debug shows all
	}
	if c.LogFormat == "auto" {
		quiet.LogFormat = "text" // a person looks on
	}
	log := newLog(&quiet, p.stderr)
	w, err := listen(c.HTTPListen, log)
	if err != nil {
		return err
	}
	defer w.close()
	nc, stop, err := connect(p.ctx, c, log)
	if err != nil {
		return err
	}
	defer stop()
	s, err := newServing(p.ctx, &c.Config, nc, log)
	if err != nil {
		return err
	}
	defer s.close()
	w.show(s.handler)
	client, err := bus.New(nc, c.SubjectPrefix)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	failed := make(chan error, 2)
	running.Go(func() { failed <- s.worker.Run(ctx) })
	out := &lines{w: p.stdout}
	out.printf("NATS on %s, a simulated Bandwidth on %s, everything in %s\n\n", nc.ConnectedUrl(), sim.URL, dir)
	pretend := func(ctx context.Context) (*bus.Client, func(), error) { return pretending(ctx, &c.Config, nc, log) }
	if err := (samples{ctx: ctx, bus: client, sim: sim, out: out, pretend: pretend}).run(); err != nil {
		switch {
		case p.ctx.Err() == nil:
			return err
		case d.Once:
			return errors.New("stopped before every sample had ended")
		default:
			return nil
		}
	}
	if d.Once {
		return nil
	}
	out.printf("Now order something yourself, from another terminal:\n\n  %s\n\nEvents follow as they come. Stop with Ctrl-C.\n\n", d.invitation(c, nc.ConnectedUrl()))
	running.Go(func() {
		if err := client.Watch(ctx, bus.Filter{}, func(e messages.Event) { out.printf("%s\n", line(e)) }); !errors.Is(err, context.Canceled) {
			failed <- err
		}
	})
	select {
	case <-p.ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// line returns an event as a line, in the time of this place.
func line(e messages.Event) string {
	e.OccurredAt = e.OccurredAt.Local()
	return e.Line()
}

// invitation is the command to type next, with the flags without which it would not find this server.
func (devCmd) invitation(c *cli, url string) string {
	command := []string{"go run ./cmd/publish provision +19195551234 --wait"}
	if url != nats.DefaultURL {
		command = append(command, "--nats-url "+url)
	}
	if c.SubjectPrefix != messages.DefaultPrefix {
		command = append(command, "--subject-prefix "+c.SubjectPrefix)
	}
	return strings.Join(command, " ")
}

// devSettings points the worker at the simulator, with short times.
func devSettings(c *cli, dir string, sim *bwfake.Running) {
	c.AccountID, c.SiteID, c.SIPPeer = "20902288", "1234", "234222"
	c.ClientID, c.ClientSecret, c.TokenURL, c.BaseURL = "dev", "dev", sim.TokenURL(), sim.URL
	c.APIUsername, c.APIPassword = "", ""
	if c.OrderNamePrefix == "" {
		c.OrderNamePrefix = "East coast Kazoo"
	}
	c.EnableProvisioning, c.SandboxProvisioning, c.CarrierModules = true, false, nil
	c.StoreDir, c.NATSURL, c.NATSContext, c.NATSCreds, c.NATSReplicas, c.ManageStreams = dir, "", "", "", 1, true
	c.PostTimeout, c.SettleWindow = 5*time.Second, 10*time.Second
	c.PollMinInterval, c.PollMaxInterval = 200*time.Millisecond, 2*time.Second
	c.AckWait, c.LedgerGuard = 5*time.Second, 0
}

// pretending runs a second worker, a sandbox, beside the first: a fleet of its own, under a subject prefix of its own.
// stop ends it.
func pretending(ctx context.Context, c *config.Config, nc *nats.Conn, log *logrus.Entry) (client *bus.Client, stop func(), err error) {
	settings := *c
	settings.SandboxProvisioning, settings.Debug = true, false
	settings.SubjectPrefix = c.SubjectPrefix[:min(len(c.SubjectPrefix), 24)] + "-sandbox" // 32 are allowed
	s, err := newServing(ctx, &settings, nc, log)
	if err != nil {
		return nil, nil, err
	}
	if client, err = bus.New(nc, settings.SubjectPrefix); err != nil {
		s.close()
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.worker.Run(ctx); err != nil {
			log.WithError(err).Error("the sandbox worker ended")
		}
	})
	return client, func() { cancel(); running.Wait(); s.close() }, nil
}

// lines writes whole lines from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, format, args...)
}
