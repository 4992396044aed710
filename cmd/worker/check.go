package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
)

// checkCmd looks whether a worker could work with this configuration.
type checkCmd struct {
	JSON bool `name:"json" help:"One JSON object a line."`
}

const (
	// checkSpan is how far back the check looks for orders that the ledger does not know.
	checkSpan = 24 * time.Hour
	// clockSlack is how far this machine's clock may be off without being named.
	clockSlack = 5 * time.Second
)

// finding is a line of the check.
type finding struct {
	Check string `json:"check"`
	// Result is ok, warn or fail.
	Result string `json:"result"`
	Text   string `json:"text"`
}

// doctor makes the checks one by one.
type doctor struct {
	*program
	c      *cli
	out    func(finding) error
	failed bool
	lost   bool // somebody could not be asked
}

// errUnwell says that something failed; it has been printed.
var errUnwell = errors.New("a worker could not work so")

// Run checks.
func (k checkCmd) Run(p *program, c *cli) error {
	d := &doctor{program: p, c: c, out: func(f finding) error { return k.show(p.stdout, f) }}
	if err := d.run(); err != nil {
		return err
	}
	switch {
	case d.lost:
		return connectionError{errUnwell}
	case d.failed:
		return errUnwell
	}
	return nil
}

// show prints a line.
func (k checkCmd) show(w io.Writer, f finding) error {
	if k.JSON {
		return json.NewEncoder(w).Encode(f)
	}
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\n", f.Result, f.Check, f.Text)
	return err
}

func (d *doctor) say(check, result, format string, args ...any) error {
	d.failed = d.failed || result == "fail"
	return d.out(finding{Check: check, Result: result, Text: fmt.Sprintf(format, args...)})
}

// run makes the checks. It returns an error only where a line cannot be printed.
func (d *doctor) run() error {
	if err := d.c.Check(); err != nil {
		return d.say("configuration", "fail", "%v", err)
	}
	result, text := "ok", "account "+d.c.AccountID
	for _, w := range d.c.warnings {
		result, text = "warn", w
	}
	if d.c.SandboxProvisioning {
		result, text = "warn", "sandbox_provisioning is true: every order pretends to succeed, and nothing is bought"
	} else if !d.c.EnableProvisioning {
		result, text = "warn", "enable_provisioning is false: orders are refused, only searches work"
	}
	if err := d.say("configuration", result, "%s", text); err != nil {
		return err
	}
	client, debug, err := newClient(&d.c.Config, bwclient.NewTransport())
	if err != nil {
		return d.say("configuration", "fail", "%v", err)
	}
	if debug != nil {
		defer func() { _ = debug.Close() }()
	}
	account, err := d.bandwidth(client)
	if err != nil {
		return err
	}
	nc, stop, err := reach(d.program, d.c, false)
	if err != nil {
		d.lost = true
		return d.say("nats", "fail", "%v", err)
	}
	defer stop()
	if err := d.say("nats", "ok", "server %s at %s", nc.ConnectedServerVersion(), nc.ConnectedUrlRedacted()); err != nil {
		return err
	}
	ready, err := d.streams(nc)
	if err != nil || !ready || !account {
		return err
	}
	return d.orders(nc, client)
}

// bandwidth checks the credentials, the site and the SIP peer. It reports whether the account answers.
func (d *doctor) bandwidth(client *bwclient.Client) (bool, error) {
	sites, err := client.Sites(d.ctx)
	if err != nil {
		// Who answers can be reached.
		d.lost = d.lost || bwclient.StatusOf(err) == 0 && !bwclient.IsCredentials(err)
		return false, d.say("credentials", "fail", "%v", explain(err))
	}
	if err := d.say("credentials", "ok", "Bandwidth lists %d sites", len(sites)); err != nil {
		return false, err
	}
	site, peer := d.c.SiteID, d.c.SIPPeer
	switch {
	case site == "":
		return true, d.say("site", "warn", "site_id is not set: every request has to name its site")
	case !slices.ContainsFunc(sites, func(s bwclient.Site) bool { return s.ID == site }):
		return true, d.say("site", "fail", "the account has no site %s: `worker sites` lists them", site)
	}
	if err := d.say("site", "ok", "site %s", site); err != nil {
		return false, err
	}
	peers, err := client.Peers(d.ctx, site)
	hasDefault := slices.ContainsFunc(peers, func(p bwclient.Peer) bool { return p.Default })
	switch {
	case err != nil && bwclient.StatusOf(err) != http.StatusNotFound:
		return true, d.say("sip peer", "fail", "%v", explain(err))
	case peer == "" && !hasDefault:
		return true, d.say("sip peer", "warn", "sip_peer is not set, and site %s has no default: every request has to name its peer", site)
	case peer == "":
		return true, d.say("sip peer", "ok", "the default of site %s", site)
	case !slices.ContainsFunc(peers, func(p bwclient.Peer) bool { return p.ID == peer }):
		return true, d.say("sip peer", "fail", "site %s has no SIP peer %s: `worker peers %s` lists them", site, peer, site)
	}
	return true, d.say("sip peer", "ok", "SIP peer %s of site %s", peer, site)
}

// streams checks that what is on the bus is safe for orders (P39), and how far the clocks are apart. It reports whether
// there is a ledger.
func (d *doctor) streams(nc *nats.Conn) (bool, error) {
	ctx, cancel := context.WithTimeout(d.ctx, auditConnect)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return false, d.say("streams", "fail", "%v", err)
	}
	names, err := messages.NewNames(d.c.SubjectPrefix)
	if err != nil {
		return false, d.say("streams", "fail", "%v", err)
	}
	l := layout(d.c)
	l.Names, l.Manage = names, false // a check makes nothing
	err = broker.Ensure(ctx, js, l)
	switch {
	case errors.Is(err, broker.ErrMissing) && d.c.ManageStreams:
		return false, d.say("streams", "warn", "not all are there yet; the first worker makes them")
	case err != nil:
		return false, d.say("streams", "fail", "%v", err)
	}
	if err := d.say("streams", "ok", "streams, buckets and consumers of %s are there and lose nothing", d.c.SubjectPrefix); err != nil {
		return false, err
	}
	sent := time.Now()
	s, err := js.Stream(ctx, names.RequestsStream())
	if err != nil {
		return false, d.say("clock", "fail", "%v", err)
	}
	// The server's time lies between the question and the answer.
	at := s.CachedInfo().TimeStamp
	off := max(sent.Sub(at), time.Until(at), 0)
	if off > clockSlack {
		return true, d.say("clock", "warn", "this machine's clock is %s off the NATS server's: orders go by the server's, tokens and logs by this one", off.Round(time.Second))
	}
	return true, d.say("clock", "ok", "as the NATS server's")
}

// orders looks for orders with our prefix that the ledger does not know (P32).
func (d *doctor) orders(nc *nats.Conn, client *bwclient.Client) error {
	quiet := *d.c
	quiet.LogLevel = "error"
	o := auditOptions(d.c, nc, client, newLog(&quiet, d.stderr))
	o.Since = time.Now().Add(-checkSpan)
	o.Report = func(worker.Difference) error { return nil }
	o.Say = func(string, ...any) {}
	s, err := worker.Audit(d.ctx, o)
	switch {
	case err != nil:
		return d.say("orders", "fail", "%v", explain(err))
	case s.Differences() > 0:
		return d.say("orders", "warn", "Bandwidth and the ledger disagree on %d orders of the last day: `worker audit` shows them; they may be another fleet's with this order_name_prefix", s.Differences())
	case s.Foreign > 0:
		return d.say("orders", "warn", "%d orders of the last day carry this order_name_prefix and are another system's: give each its own", s.Foreign)
	}
	return d.say("orders", "ok", "%d of the last day, all of them in the ledger", s.Orders)
}
