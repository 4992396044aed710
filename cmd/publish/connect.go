package main

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"bandwidthworker/messages/bus"
)

// connect connects to NATS; not to be able to is an error with its own exit code.
func (c *cli) connect() (*bus.Client, func(), error) {
	opts := []nats.Option{nats.Name("bandwidth publish"), nats.Timeout(5 * time.Second), nats.MaxReconnects(-1)}
	if c.NATSCreds != "" {
		opts = append(opts, nats.UserCredentials(c.NATSCreds))
	}
	var nc *nats.Conn
	var err error
	where := c.NATSURL
	if c.NATSContext != "" {
		where = "the context " + c.NATSContext
		nc, _, err = natscontext.Connect(c.NATSContext, opts...)
	} else {
		nc, err = nats.Connect(c.NATSURL, opts...)
	}
	if err != nil {
		return nil, nil, exitError{exitNoConnection, fmt.Errorf("no connection to NATS at %s: %w", where, err)}
	}
	client, err := bus.New(nc, c.SubjectPrefix)
	if err != nil {
		nc.Close()
		return nil, nil, exitError{exitUsage, err}
	}
	return client, nc.Close, nil
}
