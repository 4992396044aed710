package main

import (
	"encoding/json"
	"fmt"
	"time"

	"bandwidthworker/messages/bus"
)

// client connects as the command line says.
func (p *program) client(c *cli) (*bus.Client, func(), error) { return c.connect(p) }

// numberCmd shows a number.
type numberCmd struct {
	Number string `arg:"" help:"The number in E.164, such as +19195551234."`
}

// Run asks a worker and prints the answer.
func (n numberCmd) Run(p *program, c *cli) error {
	if err := checkNumbers([]string{n.Number}); err != nil {
		return err
	}
	client, done, err := p.client(c)
	if err != nil {
		return err
	}
	defer done()
	entry, err := client.Number(p.ctx, n.Number)
	if err != nil {
		return asked(err)
	}
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(entry)
	}
	_, err = fmt.Fprintf(p.stdout, "%s  %s since %s  %s  site %s  peer %s  order %s  at Bandwidth %s\n", entry.Number, entry.State,
		entry.Since.Local().Format(time.RFC3339), entry.CarrierModule, orDash(entry.SiteID), orDash(entry.SIPPeer), entry.Key, orDash(entry.BandwidthOrderID))
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
