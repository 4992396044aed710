package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/worker/workertest/scripts"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"worker": main})
}

// example is Kazoo's example file, beside the repository.
var example = filepath.Join("..", "..", "..", "shared", "seed", "number_manager.bandwidth2.json")

func TestScripts(t *testing.T) {
	seed, err := os.ReadFile(example)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("Kazoo's example is missing: %v", err)
	}
	tools := buildPublish(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Condition: func(name string) (bool, error) {
			if name == "example" {
				return seed != nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(env *testscript.Env) error {
			sim, err := startSim(env, nil)
			if err != nil {
				return err
			}
			empty, err := startSim(env, []bwfake.Site{})
			if err != nil {
				return err
			}
			bare, err := startSim(env, []bwfake.Site{{ID: "1234", Name: "bare"}})
			if err != nil {
				return err
			}
			env.Values["sim"] = sim
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or the race detector makes every command a second longer
			env.Setenv("SIM", sim.URL)
			env.Setenv("TOKENS", sim.TokenURL())
			env.Setenv("NOSITES", empty.URL)
			env.Setenv("NOPEERS", bare.URL)
			env.Setenv("PATH", tools+string(filepath.ListSeparator)+env.Getenv("PATH"))
			if seed != nil {
				return os.WriteFile(filepath.Join(env.WorkDir, "example.json"), seed, 0o600)
			}
			return nil
		},
		Cmds: scripts.With(map[string]scripts.Verb{
			"account": accountEnv, "serving": servingEnv, "slow": slow, "waitorders": waitOrders, "orders": ordersAre, "interrupt": interrupt, "get": get, "sell": sell,
		}),
	})
}

// startSim starts a simulator that takes the example's credentials, for one script.
func startSim(env *testscript.Env, sites []bwfake.Site) (*bwfake.Running, error) {
	sim, err := bwfake.Start(bwfake.Options{
		Username: "XXXXXX", Password: "XXXXXX", ClientID: "client", ClientSecret: "hunter22", Sites: sites,
	}, "127.0.0.1:0")
	if err == nil {
		env.Defer(func() { _ = sim.Close() })
	}
	return sim, err
}

// buildPublish builds the other command, which this one may not import, and returns its folder.
func buildPublish(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "bandwidthworker/cmd/publish").CombinedOutput()
	if err != nil {
		t.Fatalf("build publish: %v\n%s", err, out)
	}
	return dir
}

// accountEnv sets variables for the account at the simulator: account
func accountEnv(ts *testscript.TestScript, _ bool, _ []string) {
	for name, value := range map[string]string{
		"ACCOUNT_ID": "20902288", "API_USERNAME": "XXXXXX", "API_PASSWORD": "XXXXXX", "BASE_URL": ts.Getenv("SIM"),
	} {
		ts.Setenv("BANDWIDTH_"+name, value)
	}
}

// servingEnv sets variables for a worker that serves on free ports, with short times, for the account at the simulator:
// serving
func servingEnv(ts *testscript.TestScript, _ bool, _ []string) {
	accountEnv(ts, false, nil)
	for name, value := range map[string]string{
		"SITE_ID": "1234", "SIP_PEER": "234222", "ORDER_NAME_PREFIX": "East coast Kazoo", "NATS_LISTEN": "127.0.0.1:0",
		"HTTP_LISTEN": "127.0.0.1:0", "STORE_DIR": ts.MkAbs("data"), "LEDGER_GUARD": "0s", "POLL_MIN_INTERVAL": "100ms",
		"POST_TIMEOUT": "5s", "SETTLE_WINDOW": "10s", "ACK_WAIT": "2s",
	} {
		ts.Setenv("BANDWIDTH_"+name, value)
	}
}

func simOf(ts *testscript.TestScript) *bwfake.Running { return ts.Value("sim").(*bwfake.Running) }

// slow makes the simulator answer the next order late: slow DURATION
func slow(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	simOf(ts).Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: bwfake.Slow, Delay: d, Times: 1})
}

// waitOrders waits until the simulator has so many orders: waitorders N
func waitOrders(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	scripts.Until(ts, args[0]+" orders", func() bool { return len(simOf(ts).Orders()) >= n })
}

// ordersAre wants so many orders at the simulator, each with a name that matches a pattern: orders N PATTERN
func ordersAre(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	all := simOf(ts).Orders()
	if strconv.Itoa(len(all)) != args[0] {
		ts.Fatalf("there are %d orders, not %s: %v", len(all), args[0], all)
	}
	for _, o := range all {
		if !pattern.MatchString(o.Name) || len(o.Name) > 50 || len(o.CustomerOrderID) > 40 {
			ts.Fatalf("the order %q, %q", o.Name, o.CustomerOrderID)
		}
	}
}

// sell gives a number to another system on the account, under a customer order id: sell NUMBER ID
func sell(ts *testscript.TestScript, _ bool, args []string) {
	simOf(ts).SellElsewhere(args[0], args[1])
}

// interrupt sends SIGINT to the process whose id is in a file, until it has ended: interrupt FILE
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	var pid int
	_, err := fmt.Sscan(ts.ReadFile(args[0]), &pid)
	ts.Check(err)
	scripts.Until(ts, "the end of the process", func() bool { return errors.Is(syscall.Kill(pid, syscall.SIGINT), syscall.ESRCH) })
}

// get wants a status and a body that matches a pattern, in the end: get STATUS URL PATTERN
func get(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	client := &http.Client{Timeout: 10 * time.Second}
	scripts.Until(ts, args[1], func() bool {
		resp, err := client.Get(args[1])
		ts.Check(err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
		ts.Check(err)
		return strconv.Itoa(resp.StatusCode) == args[0] && pattern.Match(body)
	})
}

// output is what a command that runs in this process has printed so far.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
