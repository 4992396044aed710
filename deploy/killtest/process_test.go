package killtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// startLimit bounds the start of a process.
	startLimit = 30 * time.Second
	// stopLimit bounds the end of a process that was asked to end.
	stopLimit = 30 * time.Second
)

// process is a running program.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// start starts a program and returns when its output holds the text ready. It is killed with the test.
func start(t *testing.T, ready, name, path string, env []string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.out.changed = make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(environ(), env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, p.out.tail(20))
		}
	})
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for {
		text, changed := p.out.read()
		if strings.Contains(text, ready) {
			return p
		}
		select {
		case <-changed:
		case <-p.done:
			t.Fatalf("%s ended before it was ready: %v", name, p.err)
		case <-limit.C:
			t.Fatalf("%s is not ready after %s", name, startLimit)
		}
	}
}

// environ is this process's environment without what would configure a worker.
func environ() []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BANDWIDTH_") && !strings.HasPrefix(v, "NATS_") {
			out = append(out, v)
		}
	}
	return out
}

// kill ends the process as a crash does, and returns when it has ended.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatalf("kill %s: %v", p.name, err)
	}
	<-p.done
	if p.cmd.ProcessState.Exited() {
		t.Fatalf("%s had ended by itself before it was killed: %v", p.name, p.err)
	}
}

// signal sends the process a signal.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("send %s the signal %s: %v", p.name, s, err)
	}
}

// terminate asks the process to end.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("terminate %s: %v", p.name, err)
	}
}

// ended waits until the process, which was asked to end, has, and checks that it did so with status 0.
func (p *process) ended(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		t.Fatalf("%s has not ended %s after it was asked to", p.name, stopLimit)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		t.Errorf("%s ended with status %d, want 0", p.name, exit.ExitCode())
	} else if p.err != nil {
		t.Errorf("%s: %v", p.name, p.err)
	}
}

// output keeps what a process writes and says when there is more.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

// Write takes a part of the output.
func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(data)
}

// read returns the output so far, and a channel that is closed when there is more.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *output) tail(lines int) string {
	text, _ := o.read()
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
