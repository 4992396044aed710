package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"bandwidthworker/bwclient"
)

// configCmd prints the settings in force.
type configCmd struct{}

// Run prints them.
func (configCmd) Run(p *program, c *cli) error {
	data, err := c.Document()
	if err != nil {
		return err
	}
	for _, w := range c.warnings {
		fmt.Fprintf(p.stderr, "worker: %s\n", w)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", data)
	return err
}

// sitesCmd lists the account's sites.
type sitesCmd struct {
	JSON bool `name:"json" help:"One JSON object a line."`
}

// Run lists them.
func (s sitesCmd) Run(p *program, c *cli) error {
	client, done, err := account(c)
	if err != nil {
		return err
	}
	defer done()
	sites, err := client.Sites(p.ctx)
	if err != nil {
		return explain(err)
	}
	if len(sites) == 0 {
		return fmt.Errorf("account %s has no site at Bandwidth: make one in the dashboard", c.AccountID)
	}
	for _, site := range sites {
		if err := list(p.stdout, s.JSON, site, site.ID, site.Name); err != nil {
			return err
		}
	}
	return nil
}

// peersCmd lists the SIP peers of a site.
type peersCmd struct {
	SiteID string `arg:"" name:"site-id" help:"The site, by its id; worker sites lists them."`
	JSON   bool   `name:"json" help:"One JSON object a line."`
}

// Run lists them.
func (s peersCmd) Run(p *program, c *cli) error {
	client, done, err := account(c)
	if err != nil {
		return err
	}
	defer done()
	peers, err := client.Peers(p.ctx, s.SiteID)
	if bwclient.StatusOf(err) == http.StatusNotFound {
		return fmt.Errorf("%w: `worker sites` lists the account's sites", err)
	}
	if err != nil {
		return explain(err)
	}
	if len(peers) == 0 {
		return fmt.Errorf("site %s has no SIP peer at Bandwidth: make one in the dashboard", s.SiteID)
	}
	for _, peer := range peers {
		if err := list(p.stdout, s.JSON, peer, peer.ID, peer.Name); err != nil {
			return err
		}
	}
	return nil
}

// account returns a client of the configured account.
func account(c *cli) (*bwclient.Client, func(), error) {
	if err := c.CheckAccount(); err != nil {
		return nil, nil, usageError{err}
	}
	client, debug, err := newClient(&c.Config, bwclient.NewTransport())
	if err != nil {
		return nil, nil, err
	}
	return client, func() {
		if debug != nil {
			_ = debug.Close()
		}
	}, nil
}

// explain adds what to do about a refusal.
func explain(err error) error {
	switch {
	case bwclient.StatusOf(err) == http.StatusForbidden:
		return fmt.Errorf("%w: the credentials may not see this account: check account_id and the user's roles", err)
	case bwclient.IsCredentials(err):
		return fmt.Errorf("%w: Bandwidth refuses the credentials: check client_id and client_secret, or api_username and api_password", err)
	default:
		return err
	}
}

// list prints an item: as JSON, or its id and name.
func list(w io.Writer, asJSON bool, item any, id, name string) error {
	if asJSON {
		return json.NewEncoder(w).Encode(item)
	}
	_, err := fmt.Fprintf(w, "%s\t%s\n", id, name)
	return err
}
