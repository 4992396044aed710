package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Kazoo's documents, by their ids.
const (
	bandwidthDocument = "number_manager.bandwidth2"
	managerDocument   = "number_manager"
)

// Values are the settings that files give, by their keys.
type Values struct {
	values map[string]any
	from   map[string]string
	// Warnings are sentences about the files that a person should read.
	Warnings []string
}

// Get returns a setting's value: a string, or a list of strings; nil where no file gives it.
func (v Values) Get(key string) any { return v.values[key] }

// Source returns the file that a setting's value is from; empty where no file gives it.
func (v Values) Source(key string) string { return v.from[key] }

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// Load reads configuration files, the later over the earlier. Each holds one or more of Kazoo's documents, in JSON as
// CouchDB shows it (trailing commas allowed) or YAML, several separated by ---, or plain settings by their keys. Of a
// document with sections, "default" is read, and the section named node laid over it; keys that begin with "_" or
// "pvt_" are ignored. Of the number_manager document only carrier_modules and port_in_module_name are read.
func Load(paths []string, node string) (Values, error) {
	v := Values{values: map[string]any{}, from: map[string]string{}}
	nodeSeen := false
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return Values{}, fmt.Errorf("read the configuration: %w", err)
		}
		docs, err := decode(data)
		if err != nil {
			return Values{}, fmt.Errorf("%s: %w", path, err)
		}
		for _, d := range docs {
			seen, err := v.take(path, d, node)
			if err != nil {
				return Values{}, fmt.Errorf("%s: %w", path, err)
			}
			nodeSeen = nodeSeen || seen
		}
		holds := slices.ContainsFunc(Keys(), func(key string) bool { return secret(key) && v.from[key] == path && v.values[key] != "" })
		if info, err := os.Stat(path); holds && err == nil && info.Mode().Perm()&0o077 != 0 {
			v.Warnings = append(v.Warnings, fmt.Sprintf("%s holds a secret and can be read by others (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path))
		}
	}
	if node != "" && len(paths) > 0 && !nodeSeen {
		v.Warnings = append(v.Warnings, fmt.Sprintf("no document has a section for node %q; the default section is used", node))
	}
	return v, nil
}

// decode reads the documents of a file.
func decode(data []byte) ([]map[string]any, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	values, err := parse(data)
	if err != nil {
		return nil, decodeError(err)
	}
	var docs []map[string]any
	for _, value := range values {
		switch d := value.(type) {
		case nil:
		case map[string]any:
			docs = append(docs, d)
		default:
			return nil, errors.New("it holds no settings: an object with keys is wanted")
		}
	}
	if len(docs) == 0 {
		return nil, errors.New("it is empty")
	}
	return docs, nil
}

// marker is a line that separates documents.
var marker = regexp.MustCompile(`(?m)^---(?:[ \t\r]|$)`)

// parse reads every document. It takes them apart itself: after an empty document the library drops the rest.
func parse(data []byte) ([]any, error) {
	starts := []int{0}
	for _, at := range marker.FindAllIndex(data, -1) {
		starts = append(starts, at[0])
	}
	var values []any
	for i, start := range starts {
		end := len(data)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		value, err := parseOne(data[start:end], bytes.Count(data[:start], []byte("\n")))
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// parseOne reads a document that begins after so many lines; of an empty one it returns nil. The library may panic on
// malformed input; that is an error of the file.
func parseOne(data []byte, lines int) (value any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed document: %v", r)
		}
	}()
	// The empty lines make the library's errors count right.
	file, err := parser.ParseBytes(append(bytes.Repeat([]byte("\n"), lines), data...), 0)
	if err != nil {
		return nil, err
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if value != nil {
			return nil, errors.New("a document follows without a line of --- before it")
		}
		ast.Walk(asWritten{}, doc.Body)
		if err := yaml.NodeToValue(doc.Body, &value); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// asWritten makes whole numbers the text that stands in the file: an id 0123 is no octal number.
type asWritten struct{}

// Visit changes a node.
func (v asWritten) Visit(node ast.Node) ast.Visitor {
	if n, ok := node.(*ast.IntegerNode); ok {
		n.Value = n.Token.Value
	}
	return v
}

// decodeError says what is wrong with a file's form. It shows none of the file's lines: they may hold a secret.
func decodeError(err error) error {
	text := strings.TrimSpace(yaml.FormatError(err, false, false))
	if strings.Contains(text, "already defined") {
		return fmt.Errorf("a key stands twice: %s", text)
	}
	return fmt.Errorf("it is neither JSON nor YAML: %s", text)
}

// take reads one document; it reports whether it has a section for the node.
func (v *Values) take(path string, doc map[string]any, node string) (bool, error) {
	if both, seen, err := v.takeBoth(path, doc, node); both || err != nil {
		return seen, err
	}
	id, _ := doc["_id"].(string)
	names := []string{"default"}
	if node != "" && node != "default" {
		names = append(names, node)
	}
	var sections []map[string]any
	seen := false
	for _, name := range names {
		value, ok := doc[name]
		if !ok {
			continue
		}
		section, ok := value.(map[string]any)
		if !ok {
			return false, fmt.Errorf("%s: a section is wanted here: an object with settings", name)
		}
		sections = append(sections, section)
		seen = seen || name == node
	}
	if sections == nil {
		sections = []map[string]any{doc}
	}
	for _, section := range sections {
		manager := id == managerDocument || id == "" && isManager(section)
		for _, key := range slices.Sorted(maps.Keys(section)) {
			if ignored(key) || manager && key != "carrier_modules" && key != "port_in_module_name" {
				continue
			}
			if err := v.set(key, section[key]); err != nil {
				return false, err
			}
			v.from[key] = path
		}
	}
	return seen, nil
}

// takeBoth reads an object that holds whole documents by their ids; it reports whether this is one.
func (v *Values) takeBoth(path string, doc map[string]any, node string) (both, seen bool, err error) {
	ids := []string{managerDocument, bandwidthDocument}
	for _, id := range ids {
		inner, ok := doc[id].(map[string]any)
		if !ok {
			continue
		}
		both = true
		inner["_id"] = id
		s, err := v.take(path, inner, node)
		if err != nil {
			return true, false, fmt.Errorf("%s: %w", id, err)
		}
		seen = seen || s
	}
	if !both {
		return false, false, nil
	}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if !ignored(key) && !slices.Contains(ids, key) {
			return true, false, fmt.Errorf("%s stands beside the documents; put it into %s", key, bandwidthDocument)
		}
	}
	return true, seen, nil
}

// ignored reports whether a key is CouchDB's or Kazoo's own.
func ignored(key string) bool { return strings.HasPrefix(key, "_") || strings.HasPrefix(key, "pvt_") }

// isManager reports whether a section without an id is of the number_manager document: it has keys of that document
// and none of ours.
func isManager(section map[string]any) bool {
	_, modules := section["carrier_modules"]
	_, portIn := section["port_in_module_name"]
	if !modules && !portIn {
		return false
	}
	for key := range section {
		if key != "carrier_modules" && key != "port_in_module_name" && slices.Contains(Keys(), key) {
			return false
		}
	}
	return true
}

// set takes one setting.
func (v *Values) set(key string, value any) error {
	if !slices.Contains(Keys(), key) {
		return fmt.Errorf("there is no setting %q%s", key, suggestion(key))
	}
	switch value := value.(type) {
	case nil:
		return fmt.Errorf("%s: null is no value; leave the key out", key)
	case map[string]any:
		return fmt.Errorf("%s: an object stands where a value is wanted", key)
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = fmt.Sprint(item)
		}
		if key != "carrier_modules" {
			return fmt.Errorf("%s: a list stands where a value is wanted", key)
		}
		v.values[key] = list
	default:
		if key == "carrier_modules" {
			return fmt.Errorf("%s: a list is wanted", key)
		}
		_, text := value.(string)
		if _, fraction := value.(float64); !text && (secret(key) || fraction && key != "requests_per_second") {
			return fmt.Errorf("%s: put the value in quotes; as a number it would not be read as it is written", key)
		}
		v.values[key] = fmt.Sprint(value)
	}
	return nil
}

// secret reports whether a setting is never shown.
func secret(key string) bool { return key == "api_password" || key == "client_secret" }

// suggestion names the setting nearest to a key, where one is near.
func suggestion(key string) string {
	best, distance := "", 4
	for _, k := range append(Keys(), "default") {
		if d := editDistance(key, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance counts the letters to change, add or drop between two words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
