// Package scripts holds the verbs that the test scripts of both commands share (testscript, testdata/script/*.txtar).
package scripts

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// WaitLimit bounds every wait of a script.
const WaitLimit = 40 * time.Second

// Verb is a verb of scripts, as testscript has them: the script, whether it is negated, and its arguments.
type Verb = func(ts *testscript.TestScript, neg bool, args []string)

// With returns the verbs of a command: those that are shared, code and waitfor, and its own.
func With(own map[string]Verb) map[string]Verb {
	all := map[string]Verb{"code": code, "waitfor": waitFor}
	for name, verb := range own {
		all[name] = verb
	}
	return all
}

// code runs a program and wants its exit code: code N PROGRAM ARGS…
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS…")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("the exit code is %d, not %s", got, args[0])
	}
}

// waitFor waits until a file holds what a pattern matches, and sets a variable to its first group: waitfor FILE PATTERN
// [VARIABLE]
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor FILE PATTERN [VARIABLE]")
	}
	found := false
	defer func() {
		if data, _ := os.ReadFile(ts.MkAbs(args[0])); !found {
			ts.Logf("[%s]\n%s", args[0], data)
		}
	}()
	Until(ts, args[1], func() bool {
		found = Holds(ts, args[0], args[1], args[2:]...)
		return found
	})
}

// Until tries again and again, until it is true or [WaitLimit] is over.
func Until(ts *testscript.TestScript, what string, f func() bool) {
	limit, again := time.NewTimer(WaitLimit), time.NewTicker(20*time.Millisecond)
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

// Holds reports whether a file holds what a pattern matches, and sets a variable to its first group. The file may not be
// there yet.
func Holds(ts *testscript.TestScript, file, pattern string, variable ...string) bool {
	shape, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	data, _ := os.ReadFile(ts.MkAbs(file))
	found := shape.FindStringSubmatch(string(data))
	for _, name := range variable {
		if found != nil {
			ts.Setenv(name, found[len(found)-1])
		}
	}
	return found != nil
}
