package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"bandwidthworker/deploy/deploytest"
)

func TestMain(m *testing.M) { os.Exit(deploytest.Main(m)) }

// program is what the built binaries say of themselves.
type program struct {
	flags     map[string]bool
	variables map[string]bool
	paths     map[string]bool // of the HTTP endpoints
	// postTimeout is the default of the flag.
	postTimeout time.Duration
	// httpPort is the port that --http-listen defaults to.
	httpPort string
}

var (
	flagShape     = regexp.MustCompile(`--(?:\[no-\])?([a-z][a-z-]+[a-z])`)
	variableShape = regexp.MustCompile(`\$(BANDWIDTH_[A-Z_]+|NATS_[A-Z]+)\b`)
	pathShape     = regexp.MustCompile(`(/[a-z]+z|/metrics)\b`)
)

// ask reads the help of the worker and of publish.
func ask(t *testing.T) program {
	t.Helper()
	binaries := deploytest.Build(t)
	p := program{flags: map[string]bool{}, variables: map[string]bool{}, paths: map[string]bool{}}
	var help string
	for _, command := range [][]string{{binaries.Worker, "run"}, {binaries.Worker, "simulator"}, {binaries.Worker, "audit"}, {binaries.Publish, "provision"}} {
		out, err := exec.Command(command[0], command[1], "--help").Output()
		if err != nil {
			t.Fatalf("%s --help: %v", command, err)
		}
		help += string(out)
	}
	for _, m := range flagShape.FindAllStringSubmatch(help, -1) {
		p.flags[m[1]] = true
	}
	for _, m := range variableShape.FindAllStringSubmatch(help, -1) {
		p.variables[m[1]] = true
	}
	for _, m := range pathShape.FindAllStringSubmatch(help, -1) {
		p.paths[m[1]] = true
	}
	m := regexp.MustCompile(`--post-timeout=(\S+)`).FindStringSubmatch(help)
	port := regexp.MustCompile(`--http-listen="[^"]*:(\d+)"`).FindStringSubmatch(help)
	if m == nil || port == nil || len(p.variables) < 30 || !p.paths["/readyz"] {
		t.Fatalf("the help is not understood: %d flags, %d variables, paths %v", len(p.flags), len(p.variables), p.paths)
	}
	var err error
	if p.postTimeout, err = time.ParseDuration(m[1]); err != nil {
		t.Fatal(err)
	}
	p.httpPort = port[1]
	return p
}
