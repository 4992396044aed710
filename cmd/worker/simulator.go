package main

import (
	"context"
	"fmt"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

// simulatorCmd runs the simulated Bandwidth alone.
type simulatorCmd struct {
	Listen        string        `default:"127.0.0.1:8090" help:"Where it listens."`
	Account       string        `default:"20902288" help:"Number of the account that it plays."`
	Username      string        `default:"XXXXXX" help:"User that it takes for HTTP Basic; the default is that of Kazoo's example."`
	Password      string        `default:"XXXXXX" help:"The user's password."`
	Client        string        `default:"simulator" help:"OAuth2 client that it takes."`
	Secret        string        `default:"simulator" help:"The client's secret."`
	CompleteAfter time.Duration `default:"0s" help:"How long an order stays RECEIVED."`
	ListDelay     time.Duration `default:"0s" help:"How long a new order is missing from the list."`
}

// Run serves until the program's context is done.
func (s simulatorCmd) Run(p *program, _ *cli) error {
	sim, err := bwfake.Start(bwfake.Options{
		AccountID: s.Account, Username: s.Username, Password: s.Password, ClientID: s.Client, ClientSecret: s.Secret,
		CompleteAfter: s.CompleteAfter, ListDelay: s.ListDelay, Control: true,
	}, s.Listen)
	if err != nil {
		return fmt.Errorf("the simulator cannot listen: %w", err)
	}
	fmt.Fprintf(p.stdout, "base_url %s\ntoken_url %s\n", sim.URL, sim.TokenURL())
	<-p.ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 5*time.Second)
	defer cancel()
	return sim.Shutdown(ctx)
}
