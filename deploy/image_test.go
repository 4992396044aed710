package deploy

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDockerfile(t *testing.T) {
	text := read(t, dockerfile)
	p := ask(t)
	instruction := func(shape string) string {
		m := regexp.MustCompile(`(?m)^` + shape + `$`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no line %s", shape)
		}
		return m[1]
	}
	if from := instruction(`FROM (\S+)`); from != "scratch" {
		t.Errorf("FROM %s", from)
	}
	if user := instruction(`USER (\d+):\d+`); user == "0" {
		t.Error("the worker runs as root")
	}
	port := instruction(`EXPOSE (\d+)`)
	if listen := instruction(`ENV BANDWIDTH_HTTP_LISTEN=:(\d+)`); listen != port || port != p.httpPort {
		t.Errorf("port %s is exposed, %s is listened on, and the default is %s", port, listen, p.httpPort)
	}
	copied := instruction(`COPY (.+) /`)
	built := regexp.MustCompile(`(?m)^#\s+CGO_ENABLED=0 go build .* -o out/ (.+)$`).FindStringSubmatch(text)
	if built == nil || strings.ReplaceAll(built[1], "./cmd/", "") != copied {
		t.Errorf("the comment builds %v, and %s is copied", built, copied)
	}
	if entry := instruction(`ENTRYPOINT \["/([a-z]+)"\]`); !strings.Contains(copied, entry) {
		t.Errorf("%s is started, which is not in the image", entry)
	}
}

// unitSettings returns the settings of a unit file by their names.
func unitSettings(t *testing.T, path string) map[string][]string {
	t.Helper()
	settings := map[string][]string{}
	for line := range strings.SplitSeq(read(t, path), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[name] = append(settings[name], value)
		}
	}
	return settings
}

func TestUnit(t *testing.T) {
	settings := unitSettings(t, unit)
	for name, want := range map[string]string{
		"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "Restart": "always", "RestartPreventExitStatus": "2",
	} {
		if got := settings[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	one := func(name string) string {
		if len(settings[name]) != 1 {
			t.Fatalf("%s is given %d times", name, len(settings[name]))
		}
		return settings[name][0]
	}
	grace, err := time.ParseDuration(one("TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	outlasts(t, unit, grace)
	credential, _, _ := strings.Cut(one("LoadCredential"), ":")
	if !strings.Contains(one("ExecStart"), "--config %d/"+credential) {
		t.Errorf("%s does not read the credential %s", one("ExecStart"), credential)
	}
	if state := one("StateDirectory"); !strings.Contains(one("Environment"), "BANDWIDTH_STORE_DIR=%S/"+state) {
		t.Errorf("the store directory is not the state directory %s: %s", state, one("Environment"))
	}
	if mode, err := strconv.ParseUint(one("StateDirectoryMode"), 8, 32); err != nil || mode&0o077 != 0 {
		t.Errorf("others can read the state directory: mode %s", one("StateDirectoryMode"))
	}
}
