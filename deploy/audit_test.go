package deploy

import (
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bandwidthworker/deploy/deploytest"
)

// auditWords checks that the words after the program's name are an audit that the program understands, and one that
// changes nothing.
func auditWords(t *testing.T, path string, words []string) {
	t.Helper()
	if len(words) == 0 || words[0] != "audit" || slices.Contains(words, "--rebuild") {
		t.Errorf("%s runs %v; a nightly run compares, and a person rebuilds", path, words)
		return
	}
	// Without an account it gets as far as the configuration, and says what is missing there.
	command := exec.Command(deploytest.Build(t).Worker, words...)
	command.Env = []string{"HOME=" + t.TempDir()}
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "account_id: it is missing") {
		t.Errorf("%s: worker %v: %v\n%s", path, words, err, out)
	}
}

// TestNightlyAudit_Kubernetes: the job asks as the workers do, runs once a night, and is not tried again.
func TestNightlyAudit_Kubernetes(t *testing.T) {
	type container struct {
		Image string   `yaml:"image"`
		Args  []string `yaml:"args"`
		Env   []any    `yaml:"env"`
	}
	type pod struct {
		RestartPolicy string      `yaml:"restartPolicy"`
		Containers    []container `yaml:"containers"`
	}
	jobs := documents[struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Spec       struct {
			Schedule    string `yaml:"schedule"`
			Concurrency string `yaml:"concurrencyPolicy"`
			JobTemplate struct {
				Spec struct {
					BackoffLimit *int `yaml:"backoffLimit"`
					Template     struct {
						Spec pod `yaml:"spec"`
					} `yaml:"template"`
				} `yaml:"spec"`
			} `yaml:"jobTemplate"`
		} `yaml:"spec"`
	}](t, cronJob)
	workers := documents[struct {
		Spec struct {
			Template struct {
				Spec pod `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}](t, kubernetes)
	if len(jobs) != 1 || jobs[0].Kind != "CronJob" || jobs[0].APIVersion != "batch/v1" {
		t.Fatalf("want one CronJob: %+v", jobs)
	}
	job := jobs[0].Spec
	audit, worker := job.JobTemplate.Spec.Template.Spec, workers[0].Spec.Template.Spec
	if !regexp.MustCompile(`^\d+ \d+ \* \* \*$`).MatchString(job.Schedule) || job.Concurrency != "Forbid" {
		t.Errorf("it runs at %q, %s; want once a night, and one at a time", job.Schedule, job.Concurrency)
	}
	if limit := job.JobTemplate.Spec.BackoffLimit; limit == nil || *limit != 0 || audit.RestartPolicy != "Never" {
		t.Errorf("a difference is tried again: backoff limit %v, restart %s", limit, audit.RestartPolicy)
	}
	if len(audit.Containers) != 1 || audit.Containers[0].Image != worker.Containers[0].Image {
		t.Fatalf("containers %+v", audit.Containers)
	}
	auditWords(t, cronJob, audit.Containers[0].Args)
	if len(audit.Containers[0].Env) == 0 || len(audit.Containers[0].Env) != len(worker.Containers[0].Env) {
		t.Errorf("it has %d variables, the workers have %d", len(audit.Containers[0].Env), len(worker.Containers[0].Env))
	}
	for i, v := range audit.Containers[0].Env {
		if i < len(worker.Containers[0].Env) && !reflect.DeepEqual(v, worker.Containers[0].Env[i]) {
			t.Errorf("it is given %v, the workers are given %v", v, worker.Containers[0].Env[i])
		}
	}
}

// TestNightlyAudit_Systemd: the unit asks as the worker's does, leaves its files alone, and its timer starts it.
func TestNightlyAudit_Systemd(t *testing.T) {
	worker, audit, timer := unitSettings(t, unit), unitSettings(t, auditUnit), unitSettings(t, auditTimer)
	for _, name := range []string{"LoadCredential", "EnvironmentFile", "DynamicUser", "ProtectSystem", "NoNewPrivileges"} {
		if !slices.Equal(worker[name], audit[name]) || len(audit[name]) != 1 {
			t.Errorf("%s is %v, the worker's is %v", name, audit[name], worker[name])
		}
	}
	if !slices.Equal(audit["Type"], []string{"oneshot"}) || audit["Restart"] != nil || audit["StateDirectory"] != nil {
		t.Errorf("it is %v, restarts %v, and owns %v", audit["Type"], audit["Restart"], audit["StateDirectory"])
	}
	words := strings.Fields(audit["ExecStart"][0])
	config := slices.Index(words, "--config")
	if program := strings.Fields(worker["ExecStart"][0])[0]; words[0] != program || config < 0 {
		t.Fatalf("it runs %v, the worker runs %s", words, program)
	}
	if credential, _, _ := strings.Cut(audit["LoadCredential"][0], ":"); words[config+1] != "%d/"+credential {
		t.Errorf("it reads %s, not the credential %s", words[config+1], credential)
	}
	auditWords(t, auditUnit, slices.Concat(words[1:config], words[config+2:]))
	if len(timer["OnCalendar"]) != 1 || !slices.Equal(timer["WantedBy"], []string{"timers.target"}) || timer["Unit"] != nil {
		t.Errorf("the timer: %v", timer)
	}
	if strings.TrimSuffix(auditTimer, ".timer") != strings.TrimSuffix(auditUnit, ".service") {
		t.Error("the timer starts the unit of its own name")
	}
}
