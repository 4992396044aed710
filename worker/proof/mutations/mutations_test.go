// Package mutations has one test: it removes each rule of the protocol from a copy of the code, and sees that the runs of
// worker/proof, or where they cannot the unit tests, notice.
//
//	go test ./worker/proof/mutations -mutate
//	go test ./worker/proof/mutations -mutate -rule P12 -v
package mutations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	mutateFlag = flag.Bool("mutate", false, "remove each rule and see that the proof notices: minutes")
	ruleFlag   = flag.String("rule", "", "only this rule")
)

// root is the repository's, from this folder.
const root = "../../.."

// TestMutations: each mutation is caught. Without one of them the proof would be blind to its rule.
func TestMutations(t *testing.T) {
	named := map[string]bool{}
	for _, m := range all {
		named[m.rule] = true
		if _, err := m.apply(); err != nil {
			t.Errorf("%s: %v", m.rule, err)
		}
	}
	for n := 1; n <= 29; n++ {
		if !named[fmt.Sprintf("P%d", n)] {
			t.Errorf("no mutation removes P%d", n)
		}
	}
	if t.Failed() {
		return
	}
	if !*mutateFlag {
		t.Log("every mutation fits the code; -mutate runs them")
		return
	}
	began := time.Now()
	var mu sync.Mutex
	lines := map[string]string{}
	t.Cleanup(func() {
		var b strings.Builder
		for _, m := range all {
			b.WriteString(lines[m.rule])
		}
		t.Logf("%d mutations in %s:%s", len(lines), time.Since(began).Round(time.Second), b.String())
	})
	for _, m := range all {
		if *ruleFlag != "" && m.rule != *ruleFlag {
			continue
		}
		t.Run(m.rule, func(t *testing.T) {
			t.Parallel() // go test runs as many at once as there are processors
			by, err := m.caught(t.Context(), t.TempDir())
			if err != nil {
				t.Errorf("%s: %v", m.what, err)
				by = "SURVIVED"
			}
			mu.Lock()
			defer mu.Unlock()
			lines[m.rule] = fmt.Sprintf("\n%-5s %s\n      %s", m.rule, m.what, by)
		})
	}
}

// apply returns the mutated file.
func (m mutation) apply() ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	for _, e := range m.edits {
		if n := bytes.Count(data, []byte(e[0])); n != 1 {
			return nil, fmt.Errorf("in %s this stands %d times, want once: %s", m.file, n, e[0])
		}
		data = bytes.Replace(data, []byte(e[0]), []byte(e[1]), 1)
	}
	return data, nil
}

const (
	// limit bounds one mutation.
	limit = 4 * time.Minute
	// tries is how often its runs may miss it.
	tries = 3
)

// caught builds the tests with the mutation, runs them, and returns what noticed it. The copy is an overlay: the tree
// stays as it is.
func (m mutation) caught(ctx context.Context, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	data, err := m.apply()
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(changed, data, 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	pkg, args := m.unit[0], []string{"-test.run", m.unit[1]}
	if m.runs != "" {
		pkg, args = "./worker/proof", []string{"-test.run", "TestProof$", "-proof.only", m.runs, "-proof.stop", "-proof.patience", "5s"}
	}
	program := filepath.Join(dir, "mutated.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-ldflags=-s -w", "-o", program, pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the mutated code does not compile: %w\n%s", err, out)
	}
	var out []byte
	for range tries { // what a run notices may hang on a moment
		run := exec.CommandContext(ctx, program, append(args, "-test.timeout", limit.String())...)
		run.Dir = filepath.Join(root, pkg)
		if out, err = run.CombinedOutput(); err != nil {
			break
		}
	}
	_ = os.Remove(program)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", errors.New("nothing noticed it")
	case !errors.As(err, &exit) || ctx.Err() != nil:
		return "", fmt.Errorf("the tests did not end: %w\n%s", err, tail(out))
	}
	if m.runs == "" {
		if name := regexp.MustCompile(`--- FAIL: (\S+)`).FindSubmatch(out); name != nil {
			return fmt.Sprintf("caught by %s %s; no run can: %s", pkg, name[1], m.why), nil
		}
	} else if found := regexp.MustCompile(`seed (\d+): ([^;\n]*)[^\n]*\n\s+([^\n]*)`).FindSubmatch(out); found != nil {
		return fmt.Sprintf("caught by seed %s (%s): %s", found[1], found[2], found[3]), nil
	}
	return "", fmt.Errorf("the tests failed for another reason:\n%s", tail(out))
}

func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
