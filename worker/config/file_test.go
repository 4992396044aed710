package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/worker/config"
)

// settings returns what files give, of every setting.
func settings(v config.Values) map[string]any {
	out := map[string]any{}
	for _, key := range config.Keys() {
		if value := v.Get(key); value != nil {
			out[key] = value
		}
	}
	return out
}

// write writes a file of a test's own, which only its owner can read.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, node string, paths ...string) config.Values {
	t.Helper()
	v, err := config.Load(paths, node)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLoadReadsKazoosExampleAsItStands(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "seed", "number_manager.bandwidth2.json")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Kazoo's example is missing: %v", err)
		}
		t.Skipf("Kazoo's example is missing; the file of the same form in testdata is read all the same: %v", err)
	}
	want := map[string]any{
		"account_id": "20902288", "api_username": "XXXXXX", "api_password": "XXXXXX", "site_id": "1234", "sip_peer": "234222",
		"debug": "false", "sandbox_provisioning": "false", "enable_provisioning": "true", "order_name_prefix": "East coast Kazoo",
	}
	if diff := cmp.Diff(want, settings(load(t, "", path))); diff != "" {
		t.Error(diff)
	}
}

func TestLoad(t *testing.T) {
	document := filepath.Join("testdata", "number_manager.bandwidth2.json")
	kazoo := map[string]any{
		"account_id": "9900000", "api_username": "user", "api_password": "secret-of-the-file", "site_id": "1234", "sip_peer": "234222",
		"debug": "false", "sandbox_provisioning": "false", "enable_provisioning": "true", "order_name_prefix": "East coast Kazoo",
	}
	with := func(base map[string]any, more ...any) map[string]any {
		out := map[string]any{}
		for k, v := range base {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i].(string)] = more[i+1]
		}
		return out
	}
	modules := []any{"knm_local", "knm_bandwidth2"}
	short := map[string]any{"account_id": "9900000", "site_id": "1234", "carrier_modules": modules, "port_in_module_name": "knm_bandwidth2"}
	for name, tc := range map[string]struct {
		files []string
		node  string
		want  map[string]any
	}{
		"no file":                                     {nil, "", map[string]any{}},
		"trailing commas, CouchDB's keys":             {[]string{document}, "", kazoo},
		"the node's section over the default":         {[]string{document}, "worker@west", with(kazoo, "site_id", "5678", "order_name_prefix", "West coast Kazoo")},
		"another node takes the default":              {[]string{document}, "worker@north", kazoo},
		"the node may be named default":               {[]string{document}, "default", kazoo},
		"number_manager in a second file":             {[]string{document, "testdata/number_manager.json"}, "", with(kazoo, "carrier_modules", modules, "port_in_module_name", "knm_bandwidth2")},
		"both documents, separated by ---":            {[]string{"testdata/separated.json"}, "", short},
		"both documents in one object":                {[]string{"testdata/both.json"}, "", short},
		"YAML":                                        {[]string{"testdata/plain.yaml"}, "", map[string]any{"account_id": "9900000", "site_id": "1234", "order_name_prefix": "East coast Kazoo", "post_timeout": "45s", "requests_per_second": "2.5", "enable_provisioning": "true", "carrier_modules": modules, "http_listen": ""}},
		"a byte-order mark":                           {[]string{write(t, "\xef\xbb\xbf"+`{"site_id": "1"}`)}, "", map[string]any{"site_id": "1"}},
		"the later file over the earlier":             {[]string{write(t, `{"site_id": "1", "debug": true}`), write(t, "site_id: \"2\"\n")}, "", map[string]any{"site_id": "2", "debug": "true"}},
		"a document with the node's section only":     {[]string{write(t, `{"worker@west": {"site_id": "5678"}}`)}, "worker@west", map[string]any{"site_id": "5678"}},
		"number_manager without an id":                {[]string{write(t, `{"default": {"carrier_modules": ["knm_local"], "reconcile_numbers": true}}`)}, "", map[string]any{"carrier_modules": []any{"knm_local"}}},
		"our own key beside carrier_modules":          {[]string{write(t, `{"default": {"carrier_modules": [], "debug": true}}`)}, "", map[string]any{"carrier_modules": []any{}, "debug": "true"}},
		"CouchDB's and Kazoo's keys in a section":     {[]string{write(t, `{"default": {"_x": {}, "pvt_account_id": null, "site_id": "1"}}`)}, "", map[string]any{"site_id": "1"}},
		"CouchDB's and Kazoo's keys beside settings":  {[]string{write(t, `{"_id": "x", "pvt_type": ["config"], "site_id": "1"}`)}, "", map[string]any{"site_id": "1"}},
		"CouchDB's and Kazoo's keys beside documents": {[]string{write(t, `{"_id": "x", "pvt_type": 1, "number_manager.bandwidth2": {"default": {"site_id": "1"}}}`)}, "", map[string]any{"site_id": "1"}},
		"whole numbers as they are written":           {[]string{write(t, "site_id: 01234\napi_password: 007\nsip_peer: 123456789012345678901\nclient_id: 0x1f\n")}, "", map[string]any{"site_id": "01234", "api_password": "007", "sip_peer": "123456789012345678901", "client_id": "0x1f"}},
		"aliases":                                     {[]string{write(t, "default: &d\n  site_id: \"1\"\nwest: *d\n")}, "west", map[string]any{"site_id": "1"}},
		"a document after an empty one":               {[]string{write(t, "site_id: \"1\"\n---\n# nothing\n---\ndebug: true\n")}, "", map[string]any{"site_id": "1", "debug": "true"}},
		"an empty document beside a full one":         {[]string{write(t, "---\n---\nsite_id: \"1\"\n")}, "", map[string]any{"site_id": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := load(t, tc.node, tc.files...)
			if diff := cmp.Diff(tc.want, settings(v)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadNamesTheSource(t *testing.T) {
	first, second := write(t, `{"site_id": "1", "debug": true}`), write(t, `{"site_id": "2"}`)
	v := load(t, "", first, second)
	for key, want := range map[string]string{"site_id": second, "debug": first, "account_id": ""} {
		if got := v.Source(key); got != want {
			t.Errorf("Source(%s) = %q, want %q", key, got, want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"an unknown key, with a suggestion":      {`{"default": {"post_timeot": "5s"}}`, `there is no setting "post_timeot"; did you mean post_timeout?`},
		"an unknown key that is near to none":    {`{"colour": "blue"}`, `there is no setting "colour"`},
		"a misspelt section":                     {`{"defualt": {"site_id": "1"}}`, `there is no setting "defualt"; did you mean default?`},
		"a key that stands twice":                {`{"site_id": "1", "site_id": "2"}`, `a key stands twice: [1:18] mapping key "site_id" already defined`},
		"a key that stands twice in a section":   {"default:\n  debug: true\n  debug: false\n", "a key stands twice: [3:3]"},
		"null":                                   {`{"site_id": null}`, "site_id: null is no value; leave the key out"},
		"an object":                              {`{"site_id": {"id": "1"}}`, "site_id: an object stands where a value is wanted"},
		"a list":                                 {`{"site_id": ["1"]}`, "site_id: a list stands where a value is wanted"},
		"a value in place of the list":           {`{"carrier_modules": "knm_bandwidth2"}`, "carrier_modules: a list is wanted"},
		"a section that is none":                 {`{"default": ["site_id"]}`, "default: a section is wanted here"},
		"a section that is null":                 {`{"default": null}`, "default: a section is wanted here"},
		"a node's section that is none":          {`{"default": {}, "west": "1"}`, "west: a section is wanted here"},
		"a key beside the documents":             {`{"number_manager.bandwidth2": {"default": {}}, "debug": true}`, "debug stands beside the documents; put it into number_manager.bandwidth2"},
		"an unknown key in one of two documents": {`{"number_manager.bandwidth2": {"default": {"colour": "blue"}}}`, `number_manager.bandwidth2: there is no setting "colour"`},
		"a password without quotes":              {"api_password: True\n", "api_password: put the value in quotes"},
		"an id that YAML reads as a fraction":    {"account_id: 1.50\n", "account_id: put the value in quotes"},
		"an error in a later document":           {"site_id: \"1\"\n---\ndebug: true\ndebug: false\n", "[4:1]"},
		"a list in place of settings":            {`["site_id"]`, "it holds no settings: an object with keys is wanted"},
		"text in place of settings":              {"site_id", "it holds no settings: an object with keys is wanted"},
		"an empty file":                          {"", "it is empty"},
		"a file of comments":                     {"# nothing yet\n", "it is empty"},
		"what is neither JSON nor YAML":          {`{"site_id": "1"`, "it is neither JSON nor YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, tc.content)
			_, err := config.Load([]string{path}, "west")
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q\ndoes not name the file and say %q", err, tc.want)
			}
		})
	}
}

func TestLoadErrorsShowNoSecret(t *testing.T) {
	for _, content := range []string{
		"api_password: hunter22\n\tdebug: true\n",
		`{"default": {"api_password": "hunter22", "debug": {}}}`,
		`{"default": {"api_password": "hunter22" "debug": true}}`,
		`{"default": {"api_password": "hunter22", "api_password": "hunter22"}}`,
		"api_password: [hunter22\n",
		"api_password: \"hunter22\n",
	} {
		_, err := config.Load([]string{write(t, content)}, "")
		if err == nil {
			t.Errorf("%q was taken", content)
			continue
		}
		if strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%q\nshows the secret: %v", content, err)
		}
	}
}

func TestLoadWithoutTheFile(t *testing.T) {
	_, err := config.Load([]string{filepath.Join(t.TempDir(), "none.json")}, "")
	if err == nil || !strings.Contains(err.Error(), "none.json: no such file") {
		t.Errorf("got %v", err)
	}
}

func TestLoadWarnsOfSecretsThatOthersCanRead(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		mode    os.FileMode
		warned  bool
	}{
		"a secret in a readable file": {`{"api_password": "x"}`, 0o644, true},
		"readable by the group":       {`{"client_secret": "x"}`, 0o640, true},
		"a secret in a private file":  {`{"api_password": "x"}`, 0o600, false},
		"no secret":                   {`{"site_id": "1"}`, 0o644, false},
		"an empty secret":             {`{"api_password": ""}`, 0o644, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, tc.content)
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(load(t, "", path).Warnings, "\n")
			if tc.warned != strings.Contains(got, "chmod 600 "+path) {
				t.Errorf("warnings: %q", got)
			}
		})
	}
	secret, other := write(t, `{"api_password": "x"}`), write(t, `{"debug": true}`)
	if err := os.Chmod(other, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := load(t, "", secret, other).Warnings; len(got) != 0 {
		t.Errorf("a file is blamed for another's secret: %q", got)
	}
}

func TestLoadWarnsOfANodeWithoutASection(t *testing.T) {
	path := filepath.Join("testdata", "separated.json")
	want := []string{`no document has a section for node "west"; the default section is used`}
	if diff := cmp.Diff(want, load(t, "west", path).Warnings); diff != "" {
		t.Error(diff)
	}
	if got := load(t, "").Warnings; len(got) != 0 {
		t.Errorf("warnings without a file: %q", got)
	}
}
