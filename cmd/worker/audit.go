package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
)

// auditCmd compares Bandwidth's orders with the ledger.
type auditCmd struct {
	Since   string `env:"-" placeholder:"DATE" help:"Orders made from then on: a day, a time (RFC 3339), or how long ago, such as 48h or 30d. Without it seven days, and with --rebuild all that Bandwidth lists, two years."`
	Until   string `env:"-" placeholder:"DATE" help:"Orders made before then, in the same forms; without it up to now."`
	Rebuild bool   `env:"-" help:"Take into the ledger what it lacks, the ledger itself included; the workers may run on. Then what was on its way is waited for, post-timeout and settle-window long."`
	JSON    bool   `env:"-" name:"json" help:"One JSON object a line: the differences, and the summary last."`
}

const (
	// auditSpan is how far back an audit looks.
	auditSpan = 7 * 24 * time.Hour
	// auditConnect is how long an audit waits for the NATS server: a nightly run is to fail, not to hang.
	auditConnect = 10 * time.Second
	// shownNumbers bounds the numbers of one line; --json has all.
	shownNumbers = 5
)

// errDiffer says that there are differences; they have been printed.
var errDiffer = errors.New("the ledger and Bandwidth disagree")

// connectionError is an error of whoever could not be asked.
type connectionError struct{ error }

// Unwrap returns the error itself.
func (e connectionError) Unwrap() error { return e.error }

// Run audits.
func (a auditCmd) Run(p *program, c *cli) error {
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	now := time.Now()
	since, err := when("since", a.Since, now)
	if err != nil {
		return usageError{err}
	}
	until, err := when("until", a.Until, now)
	switch {
	case err != nil:
		return usageError{err}
	case since.IsZero() && !a.Rebuild:
		since = now.Add(-auditSpan)
	}
	if !until.IsZero() && !until.After(since) {
		return usageError{fmt.Errorf("--until %s is not after --since %s", until.Format(time.RFC3339), since.Format(time.RFC3339))}
	}
	log := newLog(c, p.stderr)
	warn(log, c.warnings)
	if a.Rebuild && (a.Since != "" || a.Until != "") {
		log.Warn("--rebuild with --since or --until restores the orders of that time alone: a request whose other orders are older or younger is not whole before the rebuild has run without them")
	}
	client, debug, err := newClient(&c.Config, bwclient.NewTransport())
	if err != nil {
		return err
	}
	if debug != nil {
		defer func() { _ = debug.Close() }()
	}
	nc, stop, err := reach(p, c, a.Rebuild)
	if err != nil {
		return connectionError{err}
	}
	defer stop()
	o := auditOptions(c, nc, client, log)
	o.Since, o.Until, o.Rebuild, o.Keep = since, until, a.Rebuild, true
	o.Report = func(d worker.Difference) error { return a.show(p.stdout, d) }
	o.Say = func(format string, args ...any) { fmt.Fprintf(p.stderr, "worker: "+format+"\n", args...) }
	s, err := worker.Audit(p.ctx, o)
	switch {
	case errors.Is(err, worker.ErrNoLedger):
		return err
	case err != nil:
		return connectionError{fmt.Errorf("the audit is not complete: %w", explain(err))}
	}
	if err := a.sum(p.stdout, s); err != nil {
		return err
	}
	if s.Differences() > 0 {
		return errDiffer
	}
	return nil
}

// auditOptions are those of an audit that the configuration gives.
func auditOptions(c *cli, nc *nats.Conn, client *bwclient.Client, log *logrus.Entry) worker.AuditOptions {
	return worker.AuditOptions{
		Conn: nc, Client: client, Prefix: c.SubjectPrefix, OrderNamePrefix: c.OrderNamePrefix, Site: c.SiteID,
		Settings: settings(&c.Config), RequestsPerSecond: c.RequestsPerSecond, Layout: layout(c), Log: log,
	}
}

// layout is what the workers need on the bus.
func layout(c *cli) broker.Layout {
	return broker.Layout{Replicas: c.NATSReplicas, EventsMaxAge: c.EventsMaxAge, AckWait: c.AckWait, Manage: c.ManageStreams}
}

// show prints a difference.
func (a auditCmd) show(w io.Writer, d worker.Difference) error {
	if a.JSON {
		return json.NewEncoder(w).Encode(d)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\torder %s", d.Kind, d.OrderID)
	if d.OrderedAt != nil {
		fmt.Fprintf(&b, " of %s", d.OrderedAt.UTC().Format("2006-01-02 15:04"))
	}
	if d.Status != "" {
		fmt.Fprintf(&b, ", %s", d.Status)
	}
	fmt.Fprintf(&b, ", customer order id %s", d.CustomerOrderID)
	if d.RequestID != "" {
		fmt.Fprintf(&b, ", request %s", d.RequestID)
	}
	if len(d.Numbers) > 0 {
		fmt.Fprintf(&b, ", numbers %s", strings.Join(d.Numbers[:min(len(d.Numbers), shownNumbers)], " "))
		if more := len(d.Numbers) - shownNumbers; more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
	}
	fmt.Fprintf(&b, ": %s", d.Text)
	if d.Advice != "" {
		fmt.Fprintf(&b, "; %s", d.Advice)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// sum prints the summary.
func (a auditCmd) sum(w io.Writer, s worker.AuditSummary) error {
	if a.JSON {
		return json.NewEncoder(w).Encode(struct {
			Kind string `json:"kind"`
			worker.AuditSummary
		}{"summary", s})
	}
	var more []string
	for _, part := range []struct {
		count int
		text  string
	}{
		{s.Restored, "%d restored"}, {s.Unasked, "%d restored whose requests nobody has published again"}, {s.InFlight, "%d that the workers are looking for"},
		{s.Unlisted, "%d that only their ids find"}, {s.Foreign, "%d of others with our prefix"},
	} {
		if part.count > 0 {
			more = append(more, fmt.Sprintf(part.text, part.count))
		}
	}
	text := fmt.Sprintf("%d orders at Bandwidth and %d records in the ledger compared: %d unknown to the ledger, %d known after their outcome, %d unknown to Bandwidth",
		s.Orders, s.Records, s.BandwidthOnly, s.AfterOutcome, s.LedgerOnly)
	if len(more) > 0 {
		text += "; " + strings.Join(more, ", ")
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// when reads a date, a time, or how long ago; zero for nothing.
func when(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	ago, err := time.ParseDuration(text)
	var days int
	if n, scanned := fmt.Sscanf(text, "%dd", &days); scanned == nil && n == 1 && fmt.Sprintf("%dd", days) == text {
		ago, err = time.Duration(days)*24*time.Hour, nil
	}
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf("--%s: %q is none of a day (2026-11-24), a time (2026-11-24T08:00:00Z), and how long ago (48h, 30d)", flag, text)
	}
	return now.Add(-ago), nil
}

// reach connects to NATS: to the server that is configured, or else to the one that a worker on this machine brings with
// it, or, where none runs, to one on the same files, which fresh makes where there are none. It does not wait for long.
func reach(p *program, c *cli, fresh bool) (*nats.Conn, func(), error) {
	quiet := *c
	quiet.LogLevel = "error"
	log := newLog(&quiet, p.stderr)
	limit, cancel := context.WithTimeoutCause(p.ctx, auditConnect, fmt.Errorf("no NATS server answered within %s", auditConnect))
	defer cancel()
	if c.NATSURL == "" && c.NATSContext == "" {
		nc, err := nats.Connect("nats://"+c.NATSListen, nats.Timeout(2*time.Second))
		if err == nil {
			nc.Close()
			running := *c
			running.NATSURL = "nats://" + c.NATSListen
			return connect(limit, &running, log)
		}
		if _, err := os.Stat(c.StoreDir); err != nil && !fresh {
			return nil, nil, fmt.Errorf("no worker listens on nats_listen %s, and there is no store_dir %s: set nats_url to the server with the ledger", c.NATSListen, c.StoreDir)
		}
	}
	return connect(limit, c, log)
}
