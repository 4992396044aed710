// Command worker orders telephone numbers at Bandwidth on behalf of requests on NATS.
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

	"bandwidthworker/worker/config"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitReach  = 5
)

const description = `Orders telephone numbers at Bandwidth.com for requests on NATS: an order is never placed twice and never lost.

Without a command it serves (run). Every setting has one name: key post_timeout in a file, flag --post-timeout, variable BANDWIDTH_POST_TIMEOUT; a flag goes over its variable, that over the file, that over the default.

Examples:

  worker dev                    everything in one process, with a simulated Bandwidth
  worker --config FILE          serve; Kazoo's number_manager.bandwidth2 is read as it stands
  worker sites --config FILE    the account's sites, by id and name
  worker config --config FILE   the settings in force, secrets masked
  worker check --config FILE    whether a worker could work so: a line for each check
  worker audit --config FILE    the account's orders and the ledger compared

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, or an audit found differences, 2 usage or configuration, 5 an audit or a check could not ask Bandwidth or NATS.`

// cli is the command line.
type cli struct {
	config.Config `embed:""`
	Files         []string `name:"config" placeholder:"FILE" type:"path" help:"Configuration file; may be given again, the later over the earlier. Kazoo's documents are read as they stand."`
	Node          string   `help:"Section of the documents to lay over their default section."`

	Run       runCmd       `cmd:"" default:"withargs" help:"Serve requests (the default)."`
	Dev       devCmd       `cmd:"" help:"Run everything in one process, with a simulated Bandwidth, and show sample orders."`
	Simulator simulatorCmd `cmd:"" help:"Run the simulated Bandwidth alone."`
	Sites     sitesCmd     `cmd:"" help:"List the account's sites, by id and name."`
	Peers     peersCmd     `cmd:"" help:"List the SIP peers of a site, by id and name."`
	Audit     auditCmd     `cmd:"" help:"Compare Bandwidth's orders with the ledger, both ways; --rebuild restores a lost ledger."`
	Doctor    checkCmd     `cmd:"" name:"check" help:"Look whether a worker could work with this configuration: NATS, streams, credentials, site, clock, orders."`
	Show      configCmd    `cmd:"" name:"config" help:"Print the settings in force, in the shape of the configuration file, secrets masked."`

	warnings []string
}

// program is what a command gets to work with.
type program struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

// usageError is an error of the command line or the configuration.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // after the first signal the second kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with everything handed in; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, command, err := parse(args, stdout, stderr)
	if err == nil && command == nil {
		return exitOK // help was shown
	}
	if err == nil {
		err = command.Run(&program{ctx: ctx, stdout: stdout, stderr: stderr}, c)
	}
	var usage usageError
	var unreached connectionError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "worker: %s\n", indent(err))
		return exitUsage
	case errors.As(err, &unreached):
		fmt.Fprintf(stderr, "worker: %s\n", indent(err))
		return exitReach
	default:
		fmt.Fprintf(stderr, "worker: %s\n", indent(err))
		return exitFailed
	}
}

// indent shows joined errors one below the other.
func indent(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\nworker: ") }

// parse reads the command line twice: first for the configuration files, and then with what they say below flags and
// variables. It returns nothing at all where help was asked for and shown.
func parse(args []string, stdout, stderr io.Writer) (*cli, *kong.Context, error) {
	var first cli
	helped := false
	parser, err := newParser(&first, stdout, stderr, func(int) { helped = true })
	if err != nil {
		return nil, nil, err
	}
	_, err = parser.Parse(args)
	if helped {
		return nil, nil, nil // the library goes on after the help, and would complain
	}
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%w; see worker --help", err)}
	}
	values, err := config.Load(first.Files, first.Node)
	if err != nil {
		return nil, nil, usageError{err}
	}
	c := new(cli)
	if parser, err = newParser(c, stdout, stderr, func(int) {}, kong.Resolvers(resolver(values))); err != nil {
		return nil, nil, err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return nil, nil, usageError{fileError(err, values)}
	}
	c.warnings = append(values.Warnings, c.Warnings()...)
	return c, command, nil
}

// fileError names the file and the key of a value that was refused. The command line and the variables were taken
// before, so that the value is a file's.
func fileError(err error, values config.Values) error {
	flag, rest, ok := strings.Cut(strings.TrimPrefix(err.Error(), "--"), " ")
	key := strings.ReplaceAll(strings.TrimSuffix(flag, ":"), "-", "_")
	if path := values.Source(key); ok && path != "" {
		return fmt.Errorf("%s: %s: %s", path, key, rest)
	}
	return err
}

func newParser(c *cli, stdout, stderr io.Writer, exit func(int), more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("worker"), kong.Description(description), kong.Writers(stdout, stderr), kong.Exit(exit),
		kong.DefaultEnvars("BANDWIDTH"), kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 110}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "bandwidth", Title: "Account at Bandwidth"}, {Key: "orders", Title: "Orders"}, {Key: "times", Title: "Times"},
			{Key: "pace", Title: "Pace"}, {Key: "bus", Title: "Message bus"}, {Key: "process", Title: "Process"},
		}),
	}, more...)...)
}

// resolver gives flags what the files say, but not over a variable: the library would put a file over it.
func resolver(values config.Values) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Envs {
			if _, set := os.LookupEnv(name); set {
				return nil, nil
			}
		}
		return values.Get(strings.ReplaceAll(flag.Name, "-", "_")), nil
	})
}
