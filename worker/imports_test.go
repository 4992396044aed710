package worker_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "bandwidthworker"

// source is one Go file of the repository.
type source struct {
	name string // with slashes, from the root
	dir  string
	file *ast.File
	text []byte
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// ours returns the packages of this module that the file imports, as folders.
func (s source) ours() []string {
	var out []string
	for _, p := range s.imports() {
		if dir, ok := strings.CutPrefix(p, module+"/"); ok {
			out = append(out, dir)
		}
	}
	return out
}

func (s source) imports() []string {
	var out []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser took it, so this cannot be
		}
		out = append(out, p)
	}
	return out
}

// tree is every Go file of the repository, parsed.
type tree struct {
	set   *token.FileSet
	files []source
}

// repository reads the tree; this package lies one folder below its root.
func repository(t *testing.T) tree {
	t.Helper()
	const root = ".."
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the repository's root is not where this test looks for it: %v", err)
	}
	tr := tree{set: token.NewFileSet()}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(tr.set, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(p), root+"/")
		tr.files = append(tr.files, source{name: name, dir: path.Dir(name), file: file, text: text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.files) < 50 {
		t.Fatalf("only %d Go files were found", len(tr.files))
	}
	return tr
}

// code returns the files that are not tests, by folder.
func (tr tree) code() map[string][]source {
	out := map[string][]source{}
	for _, s := range tr.files {
		if !s.test() {
			out[s.dir] = append(out[s.dir], s)
		}
	}
	return out
}

// within reports whether a folder is one of those named, or below one that ends in /….
func within(dir string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		base, below := strings.CutSuffix(a, "/…")
		return dir == base || below && strings.HasPrefix(dir, base+"/")
	})
}

// TestImports: who may import whom. Tests may import anything.
func TestImports(t *testing.T) {
	rules := []struct {
		packages string
		ours     []string // packages of this module that they may import
		not      []string // others that they may not
		why      string
	}{
		{"messages", nil, []string{"github.com/nats-io/…"}, "it is the contract, which any program may use without a connection"},
		{"messages/bus", []string{"messages"}, nil, "other systems link it: it needs nothing but the contract and NATS"},
		{"orders", nil, []string{"github.com/nats-io/…", "encoding/xml", "net/http"}, "the domain knows neither NATS nor XML, so that its rules can be tested alone"},
		{"orders/…", []string{"orders/…"}, []string{"github.com/nats-io/…", "encoding/xml", "net/http"}, "what tests stores knows only the domain"},
		{"bwclient", nil, []string{"github.com/nats-io/…"}, "the vendor's API is a library that could stand alone"},
		{"bwclient/bwfake", nil, []string{"github.com/nats-io/…"}, "the simulator has its own wire structs: a wrong tag shared with the client would cancel itself out"},
		{"worker", []string{"messages", "messages/bus", "orders", "bwclient", "worker/…"}, nil, "it is the bus side; the simulator and the commands are not its business"},
		{"worker/workertest", []string{"messages", "messages/bus", "orders", "orders/…", "bwclient", "bwclient/bwfake", "worker", "worker/…"}, nil, "it runs workers on the simulator, and nothing in production imports it"},
		{"worker/proof", []string{"messages", "bwclient/bwfake"}, []string{"github.com/nats-io/…"}, "its checker judges by the contract and by Bandwidth's books, and asks nobody whom it judges"},
		{"worker/…", []string{"messages", "messages/bus", "orders", "bwclient", "worker/…"}, nil, "what is below worker imports as worker does, and never worker itself"},
		{"cmd/publish", []string{"messages", "messages/bus"}, nil, "the tool of requesters is built on what every other system gets"},
		{"cmd/worker", []string{"messages", "messages/bus", "orders", "bwclient", "bwclient/bwfake", "worker", "worker/…"}, nil, "it wires everything together"},
		{"deploy/…", []string{"messages", "messages/bus", "orders", "bwclient", "bwclient/bwfake", "worker", "worker/…"}, nil, "it tests everything together"},
	}
	seen := map[string]bool{}
	for dir, sources := range repository(t).code() {
		i := slices.IndexFunc(rules, func(r struct {
			packages string
			ours     []string
			not      []string
			why      string
		}) bool {
			return within(dir, []string{r.packages})
		})
		if i < 0 {
			t.Errorf("the package %s is in no rule: say here who it is and what it may import", dir)
			continue
		}
		rule := rules[i]
		seen[rule.packages] = true
		for _, s := range sources {
			for _, p := range s.ours() {
				if !within(p, rule.ours) {
					t.Errorf("%s imports %s: %s may import %v of ours, because %s", s.name, p, dir, rule.ours, rule.why)
				}
				if tests := []string{"worker/workertest", "worker/workertest/…"}; within(p, tests) && !within(dir, tests) {
					t.Errorf("%s imports %s, which is for tests", s.name, p)
				}
			}
			for _, p := range s.imports() {
				if within(p, rule.not) {
					t.Errorf("%s imports %s: %s may not, because %s", s.name, p, dir, rule.why)
				}
			}
		}
	}
	for _, rule := range rules {
		if !seen[rule.packages] && rule.packages != "deploy/…" { // which may hold tests alone
			t.Errorf("no package fits the rule for %s", rule.packages)
		}
	}
}

// TestTopLevel: Go code lies in the folders of the design and in no other.
func TestTopLevel(t *testing.T) {
	want := []string{"bwclient", "cmd", "deploy", "messages", "orders", "worker"}
	got := map[string]bool{}
	for _, s := range repository(t).files {
		top, _, below := strings.Cut(s.name, "/")
		if !below {
			t.Errorf("%s lies at the top; Go code belongs into one of %v", s.name, want)
			continue
		}
		got[top] = true
		if !slices.Contains(want, top) {
			t.Errorf("%s: no top-level folder but %v holds Go code", s.name, want)
		}
	}
	for _, dir := range want {
		if !got[dir] && dir != "deploy" {
			t.Errorf("the folder %s holds no Go code", dir)
		}
	}
}

// TestOnePlace: what has to happen in one place happens there alone.
func TestOnePlace(t *testing.T) {
	calls := func(names ...string) func(ast.Node) bool {
		return func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return false
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			return ok && slices.Contains(names, selector.Sel.Name)
		}
	}
	literals := func(words ...string) func(ast.Node) bool {
		return func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return false
			}
			value, err := strconv.Unquote(lit.Value)
			return err == nil && slices.Contains(words, value)
		}
	}
	imports := func(name string) func(ast.Node) bool {
		return func(n ast.Node) bool {
			spec, ok := n.(*ast.ImportSpec)
			return ok && spec.Path.Value == strconv.Quote(module+"/"+name)
		}
	}
	files := repository(t).files
	for _, c := range []struct {
		what  string
		is    func(ast.Node) bool
		where []string // each of them has to do it
		skip  func(source) bool
		why   string
	}{
		{"acks", calls("Ack", "DoubleAck", "Nak", "NakWithDelay", "Term", "TermWithReason", "InProgress"), []string{"worker/consumer.go"}, nil,
			"a message is acked after everything that it asks for is stored (P1, P3), which one place can promise"},
		{"posts an order", calls("CreateOrder"), []string{"worker/bandwidth.go"}, nil,
			"money is spent in one place, behind the intent (P9)"},
		{"knows Bandwidth's status words", literals("COMPLETE", "COMPLETED", "PARTIAL", "FAILED", "BACKORDERED", "RECEIVED"), []string{"orders/status.go"},
			func(s source) bool {
				// The list of port-ins has to be asked for under each word in turn; what one means is not said there.
				return s.dir == "bwclient/bwfake" || s.dir == "orders/storetest" || s.name == "bwclient/portin.go"
			},
			"an unknown word has to mean pending everywhere"},
		{"brings numbers in", calls("CreatePortIn"), []string{"worker/bandwidth_portin.go"}, nil,
			"a port-in is ordered in one place, behind the intent (P9)"},
		{"gives numbers back", calls("CreateDisconnect"), []string{"worker/bandwidth_release.go"}, nil,
			"numbers are given back in one place, behind the intent and its pins (P9, P34)"},
		{"closes an order", calls("CloseOrder"), []string{"worker/bandwidth_release.go"}, nil,
			"an order is closed in one place, for a cancel that stands in its record"},
		{"imports bwclient within the worker", imports("bwclient"), slices.Sorted(maps.Keys(adapters)),
			func(s source) bool {
				return !within(s.dir, []string{"worker", "worker/…"}) || s.dir == "worker/workertest"
			},
			"the files named bandwidth adapt the vendor's API for orders, the others take what they read from it"},
	} {
		found := map[string]string{}
		for _, s := range files {
			if s.test() || c.skip != nil && c.skip(s) {
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				if n != nil && c.is(n) {
					found[s.name] = string(s.text[n.Pos()-s.file.FileStart : n.End()-s.file.FileStart])
				}
				return true
			})
		}
		for name, text := range found {
			if !slices.Contains(c.where, name) {
				t.Errorf("%s %s (%.60s): only %v may, because %s", name, c.what, text, c.where, c.why)
			}
		}
		for _, name := range c.where {
			if _, ok := found[name]; !ok {
				t.Errorf("%s no longer %s: correct this test", name, c.what)
			}
		}
	}
	// What each file of the worker takes of the vendor's client, and no more.
	for _, s := range files {
		allowed, adapts := adapters[s.name]
		if !adapts || allowed == nil {
			continue
		}
		used := map[string]bool{}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "bwclient" {
					used[selector.Sel.Name] = true
				}
			}
			return true
		})
		if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, allowed) {
			t.Errorf("%s uses %v of bwclient, and the rule says %v: what orders need of the vendor belongs into worker/bandwidth*.go", s.name, got, allowed)
		}
	}
}

// adapters are the worker's files that know the vendor's client, with what they take of it, sorted; nil for all.
var adapters = map[string][]string{
	"worker/audit.go":             {"Client"},
	"worker/bandwidth.go":         nil,
	"worker/bandwidth_audit.go":   nil,
	"worker/bandwidth_find.go":    nil,
	"worker/bandwidth_portin.go":  nil,
	"worker/bandwidth_release.go": nil,
	"worker/bandwidth_reserve.go": nil,
	// The client in the options, which is handed on.
	"worker/worker.go": {"Client"},
	// Searches and questions are reads that no order stands behind.
	"worker/search.go":    {"Codes", "ErrInvalidQuery", "Error", "Found", "IsCredentials", "Query", "RetryAt", "StatusOf"},
	"worker/searches.go":  {"Found"},
	"worker/endpoints.go": {"IsCredentials", "NotSent", "StatusOf"},
}

// TestDocumentation: every package says what it is, and every exported name what it does.
func TestDocumentation(t *testing.T) {
	tr := repository(t)
	for dir, sources := range tr.code() {
		var files []*ast.File
		for _, s := range sources {
			files = append(files, s.file)
		}
		p, err := doc.NewFromFiles(tr.set, files, module+"/"+dir)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(p.Doc) == "" {
			t.Errorf("the package %s has no package comment", dir)
		}
		if p.Name == "main" {
			continue // nobody imports it
		}
		undocumented := func(name, text string) {
			if strings.TrimSpace(text) == "" && ast.IsExported(name[strings.LastIndex(name, ".")+1:]) {
				t.Errorf("%s: %s has no doc comment", dir, name)
			}
		}
		values := func(list []*doc.Value) {
			for _, v := range list {
				for _, spec := range v.Decl.Specs {
					if spec := spec.(*ast.ValueSpec); v.Doc == "" && spec.Doc.Text() == "" && spec.Comment.Text() == "" {
						for _, name := range spec.Names { // a comment on the group is enough
							undocumented(name.Name, "")
						}
					}
				}
			}
		}
		functions := func(list []*doc.Func, of string) {
			for _, f := range list {
				undocumented(of+f.Name, f.Doc)
			}
		}
		values(slices.Concat(p.Consts, p.Vars))
		functions(p.Funcs, "")
		for _, typ := range p.Types {
			undocumented(typ.Name, typ.Doc)
			values(slices.Concat(typ.Consts, typ.Vars))
			functions(typ.Funcs, "")
			for _, m := range typ.Methods {
				if m.Name != "Error" && m.Name != "Unwrap" && m.Name != "Is" && m.Name != "String" { // the standard library's names say it
					undocumented(typ.Name+"."+m.Name, m.Doc)
				}
			}
		}
	}
}

// TestSizes: a file that is not a test stays readable.
func TestSizes(t *testing.T) {
	const most = 500
	for _, s := range repository(t).files {
		if n := bytes.Count(s.text, []byte("\n")); !s.test() && n > most {
			t.Errorf("%s has %d lines, more than %d: split it by noun", s.name, n, most)
		}
	}
}

// TestNoSleeps: tests wait for conditions. Only in a bubble of testing/synctest, where time is not real, may they
// sleep: in files that import it, or, in a package whose tests all run in bubbles, beside one that does.
func TestNoSleeps(t *testing.T) {
	files := repository(t).files
	bubbles := map[string]bool{}
	for _, s := range files {
		if s.test() && slices.Contains(s.imports(), "testing/synctest") {
			bubbles[s.name] = true
			if s.dir == "orders" {
				bubbles["orders"] = true // its world runs every test in a bubble
			}
		}
	}
	if !bubbles["orders"] {
		t.Errorf("no test of orders runs in a bubble; those found: %v", slices.Sorted(maps.Keys(bubbles)))
	}
	for _, s := range files {
		if !s.test() || bubbles[s.name] || bubbles[s.dir] {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == "Sleep" {
				if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "time" {
					t.Errorf("%s sleeps: wait for a condition, or run the test in a bubble of testing/synctest", s.name)
				}
			}
			return true
		})
	}
}
