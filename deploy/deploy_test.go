package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nats-server/v2/server"
)

// The files of this folder that a user takes.
const (
	dockerfile = "Dockerfile"
	natsConfig = "nats/server.conf"
	compose    = "compose.yaml"
	unit       = "systemd/bandwidth-worker.service"
	kubernetes = "kubernetes/worker.yaml"
	// The nightly audit.
	cronJob    = "kubernetes/audit.yaml"
	auditUnit  = "systemd/bandwidth-worker-audit.service"
	auditTimer = "systemd/bandwidth-worker-audit.timer"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// shipped returns the files by their paths. One that these tests do not know is an error.
func shipped(t *testing.T) map[string]string {
	t.Helper()
	known := []string{dockerfile, natsConfig, compose, unit, kubernetes, cronJob, auditUnit, auditTimer}
	out := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"killtest", "clustertest", "deploytest"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".md"):
			return nil
		case !slices.Contains(known, filepath.ToSlash(path)):
			t.Errorf("no test knows %s", path)
		}
		out[filepath.ToSlash(path)] = read(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range known {
		if out[path] == "" {
			t.Errorf("%s is missing or empty", path)
		}
	}
	return out
}

// Names that are not the worker's: of other programs whose commands stand in comments.
var (
	otherFlags     = []string{"config", "from-literal", "from-file", "now", "scale"}
	otherVariables = []string{"NATS_PASSWORD"} // of nats/server.conf
)

func TestFlagsAndVariablesExist(t *testing.T) {
	p := ask(t)
	variable := regexp.MustCompile(`\b(?:BANDWIDTH|NATS)_[A-Z_]*[A-Z]\b`)
	flag := regexp.MustCompile(`(?:^|[\s"])--([a-z][a-z-]+)`)
	named := map[string]int{}
	for path, text := range shipped(t) {
		for _, name := range variable.FindAllString(text, -1) {
			named[path]++
			if !p.variables[name] && !slices.Contains(otherVariables, name) {
				t.Errorf("%s names the variable %s, which the program does not know", path, name)
			}
		}
		for _, m := range flag.FindAllStringSubmatch(text, -1) {
			if !p.flags[m[1]] && !slices.Contains(otherFlags, m[1]) {
				t.Errorf("%s names the flag --%s, which the program does not know", path, m[1])
			}
		}
		for _, path := range pathShape.FindAllString(text, -1) {
			if !p.paths[path] {
				t.Errorf("%s is named, which the program does not serve", path)
			}
		}
	}
	for _, path := range []string{dockerfile, compose, unit, kubernetes} {
		if named[path] == 0 {
			t.Errorf("no variable was found in %s", path)
		}
	}
}

func TestFilesExist(t *testing.T) {
	named := regexp.MustCompile(`\b(?:deploy|cmd)/[A-Za-z0-9./_-]*[A-Za-z]|\./nats/[a-z.]+`)
	found := 0
	for path, text := range shipped(t) {
		for _, name := range named.FindAllString(text, -1) {
			found++
			file := filepath.Join("..", name)
			if strings.HasPrefix(name, "./") {
				file = filepath.Join(filepath.Dir(path), name)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s names %s: %v", path, name, err)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d names of files were found", found)
	}
}

func TestServerConfig(t *testing.T) {
	t.Setenv("NATS_PASSWORD", "secret1234")
	o, err := server.ProcessConfigFile(natsConfig)
	if err != nil {
		t.Fatal(err)
	}
	if !o.JetStream || !o.SyncAlways || o.StoreDir == "" {
		t.Errorf("JetStream %t, sync always %t, store directory %q: acknowledged writes have to survive a power loss (P30)", o.JetStream, o.SyncAlways, o.StoreDir)
	}
	if o.MaxPayload != 1<<20 && o.MaxPayload != 1000*1000 {
		t.Errorf("the largest payload is %d bytes, want 1 MB (P40)", o.MaxPayload)
	}
	if o.Username == "" || o.Password != "secret1234" {
		t.Errorf("user %q: whoever can publish can spend money, so there has to be one with the password of the environment", o.Username)
	}
}

// documents decodes a YAML file into values of one type.
func documents[T any](t *testing.T, path string) []T {
	t.Helper()
	var out []T
	dec := yaml.NewDecoder(bytes.NewReader([]byte(read(t, path))))
	for {
		var value T
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, value)
	}
}

// outlasts checks that a stop leaves time for a POST under way: what is cut off is an order of unknown outcome.
func outlasts(t *testing.T, path string, grace time.Duration) {
	t.Helper()
	if limit := ask(t).postTimeout; grace <= limit {
		t.Errorf("%s: the worker is killed %s after it was asked to end, want more than post_timeout, %s", path, grace, limit)
	}
}

func TestCompose(t *testing.T) {
	type service struct {
		Image           string            `yaml:"image"`
		Command         []string          `yaml:"command"`
		Environment     map[string]string `yaml:"environment"`
		Volumes         []string          `yaml:"volumes"`
		Ports           []string          `yaml:"ports"`
		StopGracePeriod string            `yaml:"stop_grace_period"`
		ReadOnly        bool              `yaml:"read_only"`
	}
	docs := documents[struct {
		Services map[string]service        `yaml:"services"`
		Volumes  map[string]map[string]any `yaml:"volumes"`
	}](t, compose)
	if len(docs) != 1 {
		t.Fatalf("%d documents, want one", len(docs))
	}
	worker, nats := docs[0].Services["worker"], docs[0].Services["nats"]
	grace, err := time.ParseDuration(worker.StopGracePeriod)
	if err != nil {
		t.Fatal(err)
	}
	outlasts(t, compose, grace)
	for _, s := range docs[0].Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("the port %s is open to other machines", port)
			}
		}
		for name, value := range s.Environment {
			if secret := strings.Contains(name, "SECRET") || strings.Contains(name, "PASSWORD"); secret && !strings.HasPrefix(value, "${") {
				t.Errorf("%s stands in the file", name)
			}
		}
	}
	if !strings.HasPrefix(worker.Environment["NATS_URL"], "nats://bandwidth:${NATS_PASSWORD:?}@nats:") {
		t.Errorf("the worker connects to %s", worker.Environment["NATS_URL"])
	}
	mounted := "./nats/server.conf:" + nats.Command[slices.Index(nats.Command, "--config")+1] + ":ro"
	if !slices.Contains(nats.Volumes, mounted) {
		t.Errorf("the server reads another file than is mounted: %v, %v", nats.Command, nats.Volumes)
	}
	t.Setenv("NATS_PASSWORD", "secret1234")
	config, err := server.ProcessConfigFile(natsConfig)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(nats.Volumes, func(v string) bool {
		name, at, _ := strings.Cut(v, ":")
		_, declared := docs[0].Volumes[name]
		return declared && at == config.StoreDir
	}) {
		t.Errorf("no volume lies at the server's store directory %s: %v", config.StoreDir, nats.Volumes)
	}
}

func TestKubernetes(t *testing.T) {
	type probe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	}
	type container struct {
		Args []string `yaml:"args"`
		Env  []struct {
			Name      string         `yaml:"name"`
			Value     string         `yaml:"value"`
			ValueFrom map[string]any `yaml:"valueFrom"`
		} `yaml:"env"`
		Ports []struct {
			Name          string `yaml:"name"`
			ContainerPort json.Number
		} `yaml:"ports"`
		LivenessProbe  probe `yaml:"livenessProbe"`
		ReadinessProbe probe `yaml:"readinessProbe"`
	}
	docs := documents[struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Spec       struct {
			Selector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			} `yaml:"selector"`
			Template struct {
				Metadata struct {
					Labels map[string]string `yaml:"labels"`
				} `yaml:"metadata"`
				Spec struct {
					Grace      int         `yaml:"terminationGracePeriodSeconds"`
					Containers []container `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}](t, kubernetes)
	if len(docs) != 1 || docs[0].APIVersion != "apps/v1" || docs[0].Kind != "Deployment" {
		t.Fatalf("want one Deployment of apps/v1: %+v", docs)
	}
	spec := docs[0].Spec
	for name, value := range spec.Selector.MatchLabels {
		if spec.Template.Metadata.Labels[name] != value {
			t.Errorf("the selector's label %s is not the template's", name)
		}
	}
	pod := spec.Template.Spec
	outlasts(t, kubernetes, time.Duration(pod.Grace)*time.Second)
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers, want one", len(pod.Containers))
	}
	worker := pod.Containers[0]
	if worker.LivenessProbe.HTTPGet.Path != "/healthz" || worker.ReadinessProbe.HTTPGet.Path != "/readyz" {
		t.Errorf("probes %+v and %+v", worker.LivenessProbe, worker.ReadinessProbe)
	}
	if len(worker.Ports) != 1 || worker.Ports[0].Name != worker.ReadinessProbe.HTTPGet.Port || worker.Ports[0].Name != worker.LivenessProbe.HTTPGet.Port {
		t.Errorf("the probes ask another port than is named: %+v", worker)
	}
	secrets := 0
	for _, v := range worker.Env {
		if slices.Contains([]string{"NATS_URL", "BANDWIDTH_CLIENT_ID", "BANDWIDTH_CLIENT_SECRET"}, v.Name) {
			secrets++
			if v.Value != "" || v.ValueFrom["secretKeyRef"] == nil {
				t.Errorf("%s is not given by reference to a secret", v.Name)
			}
		}
	}
	if secrets != 3 {
		t.Errorf("%d of three secrets are given", secrets)
	}
}
