package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"publish": main})
}

// waitLimit bounds every wait of a script.
const waitLimit = 40 * time.Second

// TestScripts runs the scripts against one NATS server and one simulated Bandwidth. Each has a fleet of its own, told
// apart by the subject prefix, and an exchange of numbers of its own, $X.
func TestScripts(t *testing.T) {
	world := workertest.Start(t, workertest.Options{})
	var scripts atomic.Int32
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			n := scripts.Add(1)
			prefix := fmt.Sprintf("fleet%d", n)
			_, stop := world.Worker(func(o *worker.Options) { o.Prefix, o.Concurrency = prefix, 8 })
			env.Defer(stop)
			env.Setenv("NATS_URL", world.NATS.URL)
			env.Setenv("BANDWIDTH_SUBJECT_PREFIX", prefix)
			env.Setenv("X", fmt.Sprintf("+1919%d", 200+n))
			env.Values["world"] = world
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or the race detector makes every command a second longer
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "waitfor": waitFor, "retry": retry, "free": free, "mute": mute, "send": send,
		},
	})
}

func worldOf(ts *testscript.TestScript) *workertest.World {
	return ts.Value("world").(*workertest.World)
}

// runCode runs a program and returns its exit code.
func runCode(ts *testscript.TestScript, args []string) int {
	var exit *exec.ExitError
	err := ts.Exec(args[0], args[1:]...)
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// code runs a program and wants its exit code: code N PROGRAM ARGS…
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS…")
	}
	if got := strconv.Itoa(runCode(ts, args[1:])); got != args[0] {
		ts.Fatalf("the exit code is %s, not %s", got, args[0])
	}
}

// until tries again and again, until it is true or the time is over.
func until(ts *testscript.TestScript, what string, f func() bool) {
	limit, again := time.NewTimer(waitLimit), time.NewTicker(20*time.Millisecond)
	defer limit.Stop()
	defer again.Stop()
	for !f() {
		select {
		case <-again.C:
		case <-limit.C:
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

// holds reports whether a file holds what a pattern matches, and sets a variable to its first group.
func holds(ts *testscript.TestScript, file, pattern string, variable ...string) bool {
	data, _ := os.ReadFile(ts.MkAbs(file)) // it may not be there yet
	found := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(string(data))
	for _, name := range variable {
		if found != nil {
			ts.Setenv(name, found[len(found)-1])
		}
	}
	return found != nil
}

// waitFor waits until a file holds what a pattern matches: waitfor FILE PATTERN [VARIABLE]
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor FILE PATTERN [VARIABLE]")
	}
	until(ts, args[1], func() bool { return holds(ts, args[0], args[1], args[2:]...) })
}

// retry runs a program again and again until a file holds what a pattern matches: retry FILE PATTERN PROGRAM ARGS…
func retry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: retry FILE PATTERN PROGRAM ARGS…")
	}
	until(ts, args[1], func() bool {
		ts.Check(ts.Exec(args[2], args[3:]...))
		return holds(ts, args[0], args[1])
	})
}

// free makes a number that is held elsewhere one for sale, or sells it elsewhere: [!] free NUMBER
func free(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		worldOf(ts).Sim.SellElsewhere(args[0], "another-system")
		return
	}
	worldOf(ts).Sim.Release(args[0])
}

// mute takes the requests of a fleet and never answers: mute PREFIX
func mute(ts *testscript.TestScript, _ bool, args []string) {
	sub, err := worldOf(ts).Conn.Subscribe(args[0]+".v1.request.>", func(*nats.Msg) {})
	ts.Check(err)
	ts.Check(worldOf(ts).Conn.Flush())
	ts.Defer(func() { _ = sub.Unsubscribe() })
}

// send publishes a file as it is: send SUBJECT FILE
func send(ts *testscript.TestScript, _ bool, args []string) {
	_, err := worldOf(ts).JS.Publish(context.Background(), args[0], []byte(ts.ReadFile(args[1])))
	ts.Check(err)
}
