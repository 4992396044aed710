package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// requestFlags are those of every command that publishes a request.
type requestFlags struct {
	RequestID string            `env:"-" name:"request-id" help:"Key by which a repeated request is the same order; a UUID if left out."`
	Tenant    string            `env:"-" help:"On whose behalf."`
	Meta      map[string]string `env:"-" name:"meta" placeholder:"K=V" help:"Comes back in every event; may be given again."`
	Wait      bool              `env:"-" help:"Show each step and end with the order's outcome."`
	Timeout   time.Duration     `env:"-" default:"0s" help:"How long to wait; 0 for as long as it takes. The order goes on after it."`
}

// request returns the fields of every request.
func (f requestFlags) request() *messages.Request {
	if f.RequestID == "" {
		f.RequestID = uuid.NewString()
	}
	return &messages.Request{RequestID: f.RequestID, Tenant: f.Tenant, Metadata: f.Meta}
}

// provisionCmd orders numbers: those that are named, or as many as are wanted of those that fit criteria.
type provisionCmd struct {
	requestFlags   `embed:""`
	Numbers        []string `arg:"" optional:"" name:"number" help:"Numbers in E.164, such as +19195551234; in their place criteria can say which are wanted."`
	Quantity       *int     `env:"-" placeholder:"N" help:"How many to order by criteria; needed there."`
	Backorder      bool     `env:"-" help:"Wait for stock at Bandwidth, for days if need be; goes with criteria. publish cancel ends the waiting."`
	Reserve        bool     `env:"-" help:"Hold each number by a reservation before it is ordered; for up to 100 numbers, and not with --backorder."`
	PartialAllowed bool     `env:"-" name:"partial-allowed" negatable:"" default:"true" help:"Take less than all."`
	SiteID         string   `env:"-" name:"site-id" help:"Site; the workers' default if left out."`
	SIPPeer        string   `env:"-" name:"sip-peer" help:"SIP peer; the workers' default if left out."`
	criteriaFlags  `embed:""`
}

// Run publishes the request.
func (f provisionCmd) Run(p *program, c *cli) error {
	if err := checkNumbers(f.Numbers); err != nil {
		return err
	}
	r := f.request()
	r.Numbers, r.Quantity, r.SiteID, r.SIPPeer = f.Numbers, f.Quantity, f.SiteID, f.SIPPeer
	if !f.none() {
		var err error
		if r.Criteria, err = f.criteria(); err != nil {
			return err
		}
	}
	if f.Backorder {
		r.Backorder = &f.Backorder
	}
	if f.Reserve {
		r.Reserve = &f.Reserve
	}
	if !f.PartialAllowed {
		r.PartialAllowed = new(bool)
	}
	return publish(p, c, messages.Provision, r, f.requestFlags)
}

var (
	punctuation = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "+", "")
	tenDigits   = regexp.MustCompile(`^1?([2-9]\d{9})$`)
)

// checkNumbers refuses numbers that are not written in E.164, with the form that is meant where it can be told.
func checkNumbers(numbers []string) error {
	for _, n := range numbers {
		digits := tenDigits.FindStringSubmatch(punctuation.Replace(n))
		if messages.ValidNumber(n) || digits == nil || !messages.ValidNumber("+1"+digits[1]) {
			continue
		}
		return exitError{exitUsage, fmt.Errorf("numbers: %q is not in E.164; did you mean +1%s?", n, digits[1])}
	}
	return nil
}

// lateEvent is when a wait without any event says so.
const lateEvent = 5 * time.Second

// publish sends a request and, if asked, sees it through.
func publish(p *program, c *cli, kind messages.Kind, r *messages.Request, f requestFlags) error {
	if err := r.Validate(kind); err != nil {
		return usage(err) // the same as the worker would, before anything is sent
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	tenant := ""
	if r.Tenant != "" {
		tenant = " --tenant " + r.Tenant
	}
	again := "publish again with --request-id " + r.RequestID + tenant
	if !f.Wait {
		receipt, err := client.Publish(p.ctx, kind, r)
		if err != nil {
			return unsure(usage(err), again)
		}
		return p.receipt(c, receipt)
	}
	ctx, cancel := waiting(p.ctx, f.Timeout)
	defer cancel()
	p.say("request_id %s key %s", r.RequestID, client.Names().Key(r.Tenant, r.RequestID))
	late := time.AfterFunc(lateEvent, func() { p.say("no event yet: the request waits for a worker; is one running?") })
	defer late.Stop()
	hinted := false
	receipt, e, err := client.Request(ctx, kind, r, func(e messages.Event) {
		late.Stop()
		p.say("%s", line(e))
		if e.Outcome == messages.Backordered && !hinted {
			hinted = true
			p.say("it may wait for days; Ctrl-C ends this waiting only, and the order goes on until: publish cancel %s%s", r.RequestID, tenant)
		}
	})
	if receipt.Key == "" {
		return unsure(usage(err), again)
	}
	return p.outcome(c, receipt, e, err)
}

// unsure adds to the error of a publish what is known about it. Where the server's answer did not come, the request
// may have been stored all the same: that is no failure to be repeated under another id.
func unsure(err error, again string) error {
	var exit exitError
	var refused *jetstream.APIError
	switch {
	case errors.As(err, &exit), errors.As(err, &refused), errors.Is(err, bus.ErrNoStream), errors.Is(err, bus.ErrQueueFull), errors.Is(err, bus.ErrNotReplayable):
		return err // surely not stored
	default:
		return exitError{exitTimedOut, fmt.Errorf("%w: the server's answer did not come and the request may have been stored; to %s is safe: it is the same order, never a second one", err, again)}
	}
}

// waiting bounds a wait.
func waiting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// receipt prints where a request went.
func (p *program) receipt(c *cli, r bus.Receipt) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	_, err := fmt.Fprintf(p.stdout, "key %s sequence %d request_id %s\n", r.Key, r.Sequence, r.RequestID)
	return err
}

// outcome prints how an order ended, and returns its exit code as an error.
func (p *program) outcome(c *cli, r bus.Receipt, e *messages.Event, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return exitError{exitTimedOut, fmt.Errorf("no outcome yet; the order goes on: publish order %s", r.Key)}
	}
	if errors.Is(err, context.Canceled) {
		return exitError{exitTimedOut, fmt.Errorf("stopped waiting; the order goes on: publish order %s", r.Key)}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(p.stdout).Encode(e); err != nil {
			return err
		}
	} else {
		if _, err := fmt.Fprintln(p.stdout, strings.TrimRight(fmt.Sprintf("%s %s %s", e.Outcome, e.Key, e.Reason), " ")); err != nil {
			return err
		}
		for _, n := range e.Numbers {
			if _, err := fmt.Fprintln(p.stdout, n); err != nil {
				return err
			}
		}
	}
	if code := codeOf(e.Outcome); code != exitCompleted {
		return exitError{code: code}
	}
	return nil
}
