package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Kazoo's documents, by their ids.
const (
	bandwidthDocument = "number_manager.bandwidth2"
	managerDocument   = "number_manager"
)

// Values are the settings that files give, by their keys.
type Values struct {
	values map[string]any
	// Warnings are sentences about the files that a person should read.
	Warnings []string
}

// Get returns a setting's value: a string, or a list of strings; nil where no file gives it.
func (v Values) Get(key string) any { return v.values[key] }

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// Load reads configuration files, the later over the earlier. Each holds one or more of Kazoo's documents, in JSON as
// CouchDB shows it (trailing commas allowed) or YAML, several separated by ---, or plain settings by their keys. Of a
// document with sections, "default" is read, and the section named node laid over it; keys that begin with "_" or
// "pvt_" are ignored. Of the number_manager document only carrier_modules and port_in_module_name are read.
func Load(paths []string, node string) (Values, error) {
	v := Values{values: map[string]any{}}
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
		secret := false
		for _, d := range docs {
			seen, err := v.take(d, node)
			if err != nil {
				return Values{}, fmt.Errorf("%s: %w", path, err)
			}
			nodeSeen = nodeSeen || seen
		}
		for _, key := range []string{"api_password", "client_secret"} {
			if text, ok := v.values[key].(string); ok && text != "" && bytes.Contains(data, []byte(key)) {
				secret = true
			}
		}
		if info, err := os.Stat(path); secret && err == nil && info.Mode().Perm()&0o077 != 0 {
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
	var docs []map[string]any
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc any
		err := decodeOne(dec, &doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is neither JSON nor YAML: %s", strings.TrimSpace(yaml.FormatError(err, false, false)))
		}
		switch d := doc.(type) {
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

// decodeOne decodes the next document. The library may panic on malformed input; that is an error of the file.
func decodeOne(dec *yaml.Decoder, doc *any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed document: %v", r)
		}
	}()
	return dec.Decode(doc)
}

// take reads one document; it reports whether it has a section for the node.
func (v *Values) take(doc map[string]any, node string) (bool, error) {
	// Both documents in one object, by their ids.
	both := false
	seen := false
	for _, id := range []string{managerDocument, bandwidthDocument} {
		if inner, ok := doc[id].(map[string]any); ok {
			both = true
			inner["_id"] = id
			s, err := v.take(inner, node)
			if err != nil {
				return false, err
			}
			seen = seen || s
		}
	}
	if both {
		return seen, nil
	}
	id, _ := doc["_id"].(string)
	sections := []map[string]any{doc}
	if section, ok := doc["default"].(map[string]any); ok {
		sections = []map[string]any{section}
		if own, ok := doc[node].(map[string]any); ok && node != "" && node != "default" {
			sections = append(sections, own)
			seen = true
		}
	}
	for _, section := range sections {
		manager := id == managerDocument || id == "" && isManager(section)
		for key, value := range section {
			switch {
			case strings.HasPrefix(key, "_"), strings.HasPrefix(key, "pvt_"):
				continue
			case manager && key != "carrier_modules" && key != "port_in_module_name":
				continue
			}
			if err := v.set(key, value); err != nil {
				return false, err
			}
		}
	}
	return seen, nil
}

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
		v.values[key] = fmt.Sprint(value)
	}
	return nil
}

// suggestion names the setting nearest to a key, where one is near.
func suggestion(key string) string {
	best, distance := "", 4
	for _, k := range Keys() {
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
