package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// watchCmd shows events as they come.
type watchCmd struct {
	Kind   string `env:"-" help:"Only of this kind."`
	Tenant string `env:"-" help:"Only of this tenant; _ for those of none."`
	Key    string `env:"-" help:"Only of this order."`
	Count  int    `env:"-" help:"End after so many events; 0 for never."`
}

// Run shows them until it is stopped.
func (w watchCmd) Run(p *program, c *cli) error {
	errs := []error{checkKind(w.Kind, messages.Unknown), checkTenant(w.Tenant)}
	if w.Key != "" {
		errs = append(errs, checkKey(w.Key))
	}
	if err := errors.Join(errs...); err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	seen := 0
	err = client.Watch(ctx, bus.Filter{Kind: messages.Kind(w.Kind), Tenant: w.Tenant, Key: w.Key}, func(e messages.Event) {
		if c.JSON {
			_ = json.NewEncoder(p.stdout).Encode(e)
		} else {
			_, _ = fmt.Fprintln(p.stdout, e.Line())
		}
		if seen++; seen == w.Count {
			cancel()
		}
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// orderCmd shows an order.
type orderCmd struct {
	Key       string `arg:"" optional:"" help:"The order's key."`
	RequestID string `env:"-" name:"request-id" help:"Its request id, in place of its key."`
	Tenant    string `env:"-" help:"The request's tenant, beside its request id."`
}

// orderView is what of an order's record is shown to a person.
type orderView struct {
	Key             string                    `json:"key"`
	RequestID       string                    `json:"request_id"`
	Tenant          string                    `json:"tenant"`
	Kind            string                    `json:"kind"`
	Sandbox         bool                      `json:"sandbox"`
	AcceptedAt      time.Time                 `json:"accepted_at"`
	Asked           []string                  `json:"asked"`
	State           string                    `json:"state"`
	Reason          string                    `json:"reason"`
	Detail          string                    `json:"detail"`
	Generation      int                       `json:"generation"`
	Numbers         []string                  `json:"numbers"`
	FailedNumbers   []messages.FailedNumber   `json:"failed_numbers"`
	Errors          []messages.EventError     `json:"errors"`
	BandwidthOrders []messages.BandwidthOrder `json:"bandwidth_orders"`
	History         []messages.HistoryEntry   `json:"history"`
}

// Run asks a worker and prints the answer.
func (o orderCmd) Run(p *program, c *cli) error {
	if (o.Key == "") == (o.RequestID == "") {
		return exitError{exitUsage, errors.New("name the order by its key or by --request-id")}
	}
	err := checkTenant(o.Tenant)
	switch {
	case o.Key != "":
		err = errors.Join(err, checkKey(o.Key))
	case o.Tenant == messages.NoTenant:
		o.Tenant = ""
	}
	if err != nil {
		return exitError{exitUsage, err}
	}
	client, done, err := c.connect(p)
	if err != nil {
		return err
	}
	defer done()
	data, err := client.Order(p.ctx, o.Key, o.Tenant, o.RequestID)
	if errors.Is(err, bus.ErrNoOrder) {
		return fmt.Errorf("%w; a request that was refused has no order, only a dead letter: publish dlq list", err)
	}
	if errors.Is(err, bus.ErrNoWorker) {
		return fmt.Errorf("%w: start one, or check the NATS server and the subject prefix", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(p.stdout, "%s\n", data)
		return err
	}
	var v orderView
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("the worker's answer cannot be decoded: %w", err)
	}
	p.order(v)
	return nil
}

// order prints an order for a person.
func (p *program) order(v orderView) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(p.stdout, format+"\n", args...) }
	say("order    %s", v.Key)
	request := v.RequestID
	if v.Tenant != "" && v.Tenant != messages.NoTenant {
		request += " of " + v.Tenant
	}
	say("request  %s, %s of %s, taken in %s", request, v.Kind, count(len(v.Asked)), v.AcceptedAt.Local().Format(time.RFC3339))
	state := v.State
	if v.Reason != "" {
		state += ": " + v.Reason
	}
	if v.Generation > 1 {
		state += fmt.Sprintf(" (replay %d)", v.Generation-1)
	}
	if v.Sandbox {
		state += " (sandbox: nothing was bought)"
	}
	say("state    %s", state)
	if v.Detail != "" {
		say("  %s", v.Detail)
	}
	for _, n := range v.Numbers {
		say("  has %s", n)
	}
	for _, f := range v.FailedNumbers {
		say("  not %s %s", f.Number, f.Code)
	}
	for _, e := range v.Errors {
		say("  error %s %s", e.Code, e.Description)
		if e.Advice != "" {
			say("    %s", e.Advice)
		}
	}
	for _, b := range v.BandwidthOrders {
		say("  at Bandwidth: order %s, customer order id %s, %s", b.OrderID, b.CustomerOrderID, b.Status)
	}
	if len(v.History) > 0 {
		say("history")
	}
	for _, h := range v.History {
		say("%s", strings.TrimRight(fmt.Sprintf("  %s  %s %s", h.At.Local().Format(time.RFC3339), h.What, h.Detail), " "))
	}
}

// count says how many numbers there are.
func count(n int) string {
	if n == 1 {
		return "1 number"
	}
	return fmt.Sprintf("%d numbers", n)
}
