// Package deploytest is what the tests below deploy share: the program's static binaries, built once for each test
// process, and batches of orders that are published, followed and audited.
package deploytest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Binaries are the paths of the static binaries, which lie in one folder.
type Binaries struct {
	Dir        string
	Worker     string
	Publish    string
	NATSServer string
}

// built is what [Build] has built in this process.
type built struct {
	once     sync.Once
	binaries Binaries
	err      error
}

var shared built

// Build builds the worker, publish and nats-server the first time it is called in a test process, and returns where
// they are. The package's TestMain has to call [Main], which removes them.
func Build(t testing.TB) Binaries {
	t.Helper()
	shared.once.Do(shared.build)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.binaries
}

// Main runs a package's tests, removes what they built, and returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if dir := shared.binaries.Dir; dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func (b *built) build() {
	if b.binaries.Dir, b.err = os.MkdirTemp("", "bandwidth-binaries-"); b.err != nil {
		return
	}
	b.binaries.Worker = filepath.Join(b.binaries.Dir, "worker")
	b.binaries.Publish = filepath.Join(b.binaries.Dir, "publish")
	b.binaries.NATSServer = filepath.Join(b.binaries.Dir, "nats-server")
	for path, pkg := range map[string]string{
		b.binaries.Worker:     "bandwidthworker/cmd/worker",
		b.binaries.Publish:    "bandwidthworker/cmd/publish",
		b.binaries.NATSServer: "github.com/nats-io/nats-server/v2",
	} {
		// As deploy/Dockerfile wants them: static, without paths of this machine and without debugging symbols. No
		// version control stamp: a tree that is being worked on would be linked anew each time.
		cmd := exec.Command("go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = errors.Join(b.err, fmt.Errorf("build %s: %w\n%s", pkg, err, out))
		}
	}
}
