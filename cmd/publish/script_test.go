package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"bandwidthworker/worker"
	"bandwidthworker/worker/workertest"
	"bandwidthworker/worker/workertest/scripts"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"publish": main})
}

// TestScripts runs the scripts against one NATS server and one simulated Bandwidth. Each has a fleet of its own, told
// apart by the subject prefix, and an exchange of numbers of its own, $X.
func TestScripts(t *testing.T) {
	world := workertest.Start(t, workertest.Options{})
	var started atomic.Int32
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			n := started.Add(1)
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
		Cmds: scripts.With(map[string]scripts.Verb{"retry": retry, "free": free, "mute": mute, "send": send}),
	})
}

func worldOf(ts *testscript.TestScript) *workertest.World {
	return ts.Value("world").(*workertest.World)
}

// retry runs a program again and again until a file holds what a pattern matches: retry FILE PATTERN PROGRAM ARGS…
func retry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: retry FILE PATTERN PROGRAM ARGS…")
	}
	scripts.Until(ts, args[1], func() bool {
		ts.Check(ts.Exec(args[2], args[3:]...))
		return scripts.Holds(ts, args[0], args[1])
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
