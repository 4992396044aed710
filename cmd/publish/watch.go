package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
			_, _ = fmt.Fprintln(p.stdout, line(e))
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

// line returns an event as a line for a person, in the time of where that person is, as histories have it.
func line(e messages.Event) string {
	e.OccurredAt = e.OccurredAt.Local()
	return e.Line()
}

// orderCmd shows an order.
type orderCmd struct {
	Key       string `arg:"" optional:"" help:"The order's key."`
	RequestID string `env:"-" name:"request-id" help:"Its request id, in place of its key."`
	Tenant    string `env:"-" help:"The request's tenant, beside its request id."`
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
