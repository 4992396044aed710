package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// asked turns an error of a question to the workers into what a person can use: what they refused is one of usage, and
// where nobody answers it says what to look for.
func asked(err error) error {
	switch {
	case errors.Is(err, bus.ErrQuestion):
		return exitError{exitUsage, err}
	case errors.Is(err, bus.ErrNoWorker):
		return fmt.Errorf("%w: start one, or check the NATS server and the subject prefix", err)
	default:
		return err
	}
}

// ordersCmd lists orders.
type ordersCmd struct {
	Open   bool   `env:"-" help:"Only those that are not finished."`
	State  string `env:"-" help:"Only in this state: accepted, resolving, submitting, unknown, submitted, backordered, completed, partial or failed."`
	Kind   string `env:"-" help:"Only of this kind."`
	Tenant string `env:"-" help:"Only of this tenant; _ for those of none."`
	Limit  int    `env:"-" default:"100" help:"How many at the most, up to 1000."`
}

// Run asks a worker and prints a line for each, unfinished ones first.
func (o ordersCmd) Run(p *program, c *cli) error {
	if o.Limit < 1 || o.Limit > messages.MaxOrdersLimit {
		return exitError{exitUsage, fmt.Errorf("--limit: %d is not from 1 to %d", o.Limit, messages.MaxOrdersLimit)}
	}
	client, done, err := p.client(c)
	if err != nil {
		return err
	}
	defer done()
	answer, err := client.Orders(p.ctx, messages.OrdersQuestion{
		Tenant: o.Tenant, State: o.State, Kind: messages.Kind(o.Kind), Open: o.Open, Limit: o.Limit,
	})
	if err != nil {
		return asked(err)
	}
	for _, s := range answer.Orders {
		if err := p.summary(c, s); err != nil {
			return err
		}
	}
	switch {
	case answer.More && len(answer.Orders) < o.Limit:
		p.say("the ledger is long and was not read to its beginning: there may be more; choose more narrowly")
	case answer.More:
		p.say("there are more: --limit shows up to %d, and --tenant, --state, --kind and --open choose", messages.MaxOrdersLimit)
	case len(answer.Orders) == 0:
		p.say("there are no such orders")
	}
	return nil
}

// summary prints an order as a line.
func (p *program) summary(c *cli, s messages.OrderSummary) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(s)
	}
	request := s.RequestID
	if s.Tenant != "" && s.Tenant != messages.NoTenant {
		request += " of " + s.Tenant
	}
	text := string(s.Reason)
	if s.Generation > 1 {
		text += fmt.Sprintf(" (replay %d)", s.Generation-1)
	}
	if s.Sandbox {
		text += " (sandbox)"
	}
	got := fmt.Sprintf("%d of %d", s.Held, s.Asked)
	if s.Kind == messages.Cancel {
		got = "-"
	}
	line := fmt.Sprintf("%s  %s  %-10s %-11s %s  %s  %s", s.Key, s.AcceptedAt.Local().Format(time.RFC3339), s.Kind, s.State, got, request, text)
	_, err := fmt.Fprintln(p.stdout, strings.TrimRight(line, " "))
	return err
}
