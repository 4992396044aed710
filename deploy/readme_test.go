package deploy

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bandwidthworker/deploy/deploytest"
)

// readme returns the README, which stands above this folder.
func readme(t *testing.T) string { return read(t, "../README.md") }

// quoted are the pieces of code in a text: between backticks, and the lines that are indented or fenced.
func quoted(text string) []string {
	var out []string
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced, strings.HasPrefix(line, "    "):
			out = append(out, strings.TrimSpace(line))
		default:
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// TestReadmeCommands: every command of ours that the README names exists, and takes the flags it is named with.
func TestReadmeCommands(t *testing.T) {
	binaries := deploytest.Build(t)
	paths := map[string]string{"worker": binaries.Worker, "publish": binaries.Publish}
	helps := map[string]string{}
	help := func(program string, words ...string) string {
		command := strings.Join(append([]string{program}, words...), " ")
		if _, known := helps[command]; !known {
			out, err := exec.Command(paths[program], append(words, "--help")...).CombinedOutput()
			if err != nil {
				t.Errorf("%s --help: %v\n%s", command, err, out)
			}
			helps[command] = string(out)
		}
		return helps[command]
	}
	named := 0
	last := ""
	for _, code := range quoted(readme(t)) {
		code = strings.TrimPrefix(code, "go run ./cmd/")
		fields := strings.Fields(code)
		if len(fields) > 0 && paths[fields[0]] != "" {
			var words []string
			for _, word := range fields[1:] {
				if !regexp.MustCompile(`^[a-z]+$`).MatchString(word) {
					break
				}
				words = append(words, word)
			}
			last = help(fields[0], words...)
			named++
		}
		for _, m := range regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]+)`).FindAllStringSubmatch(code, -1) {
			known := regexp.MustCompile(regexp.QuoteMeta(strings.Replace(m[1], "--", "", 1)) + `\b`)
			if !known.MatchString(last) && !known.MatchString(help("worker", "run")) {
				t.Errorf("%s: no command that is named before has the flag %s", code, m[1])
			}
		}
	}
	if named < 15 {
		t.Errorf("only %d commands were found in the README", named)
	}
}

// TestReadmeTests: the packages exist, and every pattern of a -run or -bench matches a test in them.
func TestReadmeTests(t *testing.T) {
	found := 0
	for _, code := range append(quoted(readme(t)), quoted(read(t, "decisions/0001-guarantees.md"))...) {
		m := regexp.MustCompile(`^go test (\./\S*)`).FindStringSubmatch(code)
		if m == nil {
			continue
		}
		found++
		if m[1] == "./..." {
			continue
		}
		var functions string
		files, err := filepath.Glob(filepath.Join("..", m[1], "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: there are no tests in %s", code, m[1])
			continue
		}
		for _, file := range files {
			functions += read(t, file)
		}
		for _, flag := range regexp.MustCompile(`-(run|bench) '?([^' ]+)'?`).FindAllStringSubmatch(code, -1) {
			kind := map[string]string{"run": "Test", "bench": "Benchmark"}[flag[1]]
			for pattern := range strings.SplitSeq(strings.ReplaceAll(flag[2], `\|`, "|"), "|") {
				if pattern == "^$" || pattern == "." {
					continue
				}
				if !regexp.MustCompile(`func ` + kind + `\w*` + pattern).MatchString(functions) {
					t.Errorf("%s: no %s in %s matches %q", code, kind, m[1], pattern)
				}
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d test commands were found", found)
	}
}

// TestReadmePaths: every file and folder that the README names exists, links included, and no figure is left open.
func TestReadmePaths(t *testing.T) {
	text := readme(t)
	var paths []string
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		paths = append(paths, m[1])
	}
	for _, code := range quoted(text) {
		if regexp.MustCompile(`^(messages|orders|bwclient|worker|cmd|deploy)(/[a-z]+)+$`).MatchString(code) {
			paths = append(paths, code)
		}
	}
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join("..", path)); errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s does not exist", path)
		}
	}
	if len(paths) < 8 {
		t.Errorf("only %d paths were found in the README", len(paths))
	}
	if open := regexp.MustCompile(`BENCH_\w+`).FindAllString(text, -1); open != nil {
		t.Errorf("figures are left open: %v", open)
	}
	if drawing := " request ─▶ accepted"; strings.Count(text, drawing) != 1 {
		t.Error("the drawing of an order's life is missing")
	}
}

// TestReadmeDrawing: the life of an order is drawn as package orders draws it.
func TestReadmeDrawing(t *testing.T) {
	drawing := func(text, prefix string) []string {
		var out []string
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if strings.Contains(line, "request ─▶ accepted") {
				for _, l := range lines[i : i+5] {
					out = append(out, strings.TrimSpace(strings.TrimPrefix(l, prefix)))
				}
			}
		}
		return out
	}
	ours, theirs := drawing(readme(t), ""), drawing(read(t, "../orders/doc.go"), "//")
	if len(ours) != 5 || !slices.Equal(ours, theirs) {
		t.Errorf("README draws\n%s\norders draws\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}
}

// TestReadmeDependencies: the table names every module that we require directly, and no other.
func TestReadmeDependencies(t *testing.T) {
	text := readme(t)
	table := text[strings.Index(text, "## Dependencies"):]
	for line := range strings.Lines(read(t, "../go.mod")) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !strings.HasPrefix(line, "\t") { // an indirect one has a comment
			continue
		}
		name := strings.TrimPrefix(fields[0], "github.com/")
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("the README does not say why %s is required", name)
		}
	}
	required := read(t, "../go.mod")
	for _, code := range quoted(table) {
		if strings.Contains(code, "/") && !strings.Contains(required, code) {
			t.Errorf("%s is named and not required", code)
		}
	}
}
