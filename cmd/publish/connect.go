package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// connect connects to NATS; not to be able to is an error with its own exit code. A connection that is lost later is
// taken up again for ever, and that is said.
func (c *cli) connect(p *program) (*bus.Client, func(), error) {
	if _, err := messages.NewNames(c.SubjectPrefix); err != nil {
		return nil, nil, exitError{exitUsage, err}
	}
	opts := []nats.Option{
		nats.Name("bandwidth publish"), nats.Timeout(5 * time.Second), nats.MaxReconnects(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				p.say("lost the connection to NATS (%v); connecting again", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { p.say("connected to NATS again") }),
	}
	if c.NATSCreds != "" {
		opts = append(opts, nats.UserCredentials(c.NATSCreds))
	}
	var nc *nats.Conn
	var err error
	where := redact(c.NATSURL)
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
		return nil, nil, err
	}
	return client, nc.Close, nil
}

// redact hides users, passwords and tokens in a list of URLs.
func redact(urls string) string { return userPart.ReplaceAllString(urls, "$1***@") }

var userPart = regexp.MustCompile(`(^|,|//)[^,/]+@`)
