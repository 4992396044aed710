// Command publish sends requests to the workers and shows what became of them: the tool of those who order numbers
// and of those who watch over it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"bandwidthworker/messages"
)

const description = `Publishes requests to the Bandwidth order workers and shows what became of them.

Results go to stdout, one JSON object a line with --json; everything else goes to stderr. Exit codes: 0 completed, 1 failed, 2 usage, 3 partial, 4 timed out (the order goes on), 5 no connection.

After 4 publish again only with the same --request-id: that is the same order, never a second one.

Examples:

  publish provision +19195551234 --wait                      order a number and see it through
  publish provision +19195551234 --request-id crm-1042       the same id again is the same order, never a second one
  publish provision --area-code 919 --quantity 3 --wait      any three of an area code
  publish provision --state DC --quantity 3 --backorder       wait until Bandwidth has them
  publish cancel crm-1043 --wait                             wait no longer: crm-1043 is that order's request id
  publish disconnect +19195551234 --wait                     give a number back
  publish portin +19195551234 --draft                        bring a number in, once somebody submits the draft at Bandwidth
  publish search --area-code 919 --detail                    numbers for sale, and where they are
  publish watch                                              events as they come
  publish dlq list                                           orders that ended without full success
  publish replay KEY                                         order what is still missing
  publish replay --all --rate 5 --stop-after 3               all of them, slowly, and no further once three fail again
  publish dlq edit KEY                                       correct a request in $EDITOR and publish it
  publish orders --open                                      what is not finished yet
  publish number +19195551234                                who brought a number, and since when
  publish pause ORDER --why "new SIP peer"                   no worker places an order until publish resume ORDER`

// cli is the command line.
type cli struct {
	NATSURL       string `name:"nats-url" env:"NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS servers."`
	NATSCreds     string `name:"nats-creds" env:"NATS_CREDS" help:"Credentials file for NATS."`
	NATSContext   string `name:"nats-context" env:"NATS_CONTEXT" help:"Context of the nats command; goes before nats-url."`
	SubjectPrefix string `name:"subject-prefix" default:"bandwidth" help:"First token of every subject; the workers'."`
	JSON          bool   `name:"json" help:"Results as one JSON object a line."`

	Provision  provisionCmd  `cmd:"" help:"Order numbers, by name or by criteria."`
	Disconnect disconnectCmd `cmd:"" help:"Give numbers back."`
	Portin     portinCmd     `cmd:"" help:"Bring numbers in from another carrier."`
	Cancel     cancelCmd     `cmd:"" help:"Close a provision that waits for stock: it buys nothing more."`
	Search     searchCmd     `cmd:"" help:"List numbers that are for sale."`
	Watch      watchCmd      `cmd:"" help:"Show events as they come."`
	Order      orderCmd      `cmd:"" help:"Show an order and its history."`
	Orders     ordersCmd     `cmd:"" help:"List orders, unfinished ones first."`
	Number     numberCmd     `cmd:"" help:"Show what became of a number."`
	DLQ        dlqCmd        `cmd:"" name:"dlq" help:"Dead letters: orders that ended without full success."`
	Replay     replayCmd     `cmd:"" help:"Replay dead letters: order what is still missing."`
	Pause      pauseCmd      `cmd:"" help:"Hold back the whole fleet's calls of a group; orders wait."`
	Resume     resumeCmd     `cmd:"" help:"Let a group's calls go on; waiting orders follow within seconds."`
}

// program is what a command gets to work with.
type program struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

// say writes a line for a person.
func (p *program) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, format+"\n", args...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with everything handed in; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	exited := -1
	c := new(cli)
	parser, err := kong.New(c, kong.Name("publish"), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), kong.DefaultEnvars("BANDWIDTH"), kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{{Key: "criteria", Title: "Which numbers are wanted"},
			{Key: "port", Title: "The port"}, {Key: "subscriber", Title: "Whom the losing carrier knows the numbers by"}}))
	if err != nil {
		fmt.Fprintf(stderr, "publish: %v\n", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited // help was shown
	}
	if err != nil {
		fmt.Fprintf(stderr, "publish: %v; see publish --help\n", err)
		return exitUsage
	}
	err = command.Run(&program{ctx: ctx, stdout: stdout, stderr: stderr}, c)
	var code exitError
	if err != nil && (!errors.As(err, &code) || code.error != nil) {
		fmt.Fprintf(stderr, "publish: %s\n", strings.TrimSpace(err.Error()))
	}
	return exitCode(err)
}

// usage turns an error of a request into one of usage.
func usage(err error) error {
	var refused *messages.RequestError
	if errors.As(err, &refused) {
		return exitError{exitUsage, err}
	}
	return err
}
