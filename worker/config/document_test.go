package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"bandwidthworker/worker/config"
)

func TestSecretIsNeverShown(t *testing.T) {
	secret := config.Secret("hunter22")
	holder := struct {
		Password config.Secret
		Pointer  *config.Secret
		List     []config.Secret
		Map      map[string]config.Secret
	}{secret, &secret, []config.Secret{secret}, map[string]config.Secret{"key": secret}}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		shown["a secret by "+verb] = fmt.Sprintf(verb, secret)
		shown["a struct by "+verb] = fmt.Sprintf(verb, holder)
		shown["a configuration by "+verb] = fmt.Sprintf(verb, config.Config{ClientSecret: secret, APIPassword: secret})
	}
	shown["an error"] = fmt.Errorf("cannot log in with %w%v", os.ErrInvalid, secret).Error()
	data, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	shown["JSON"] = string(data)
	text, err := secret.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	shown["text"] = string(text)
	for name, formatter := range map[string]logrus.Formatter{"text": &logrus.TextFormatter{}, "JSON": &logrus.JSONFormatter{}} {
		var out bytes.Buffer
		log := logrus.New()
		log.SetOutput(&out)
		log.SetFormatter(formatter)
		log.WithFields(logrus.Fields{"password": secret, "holder": holder, "config": &config.Config{APIPassword: secret}}).Info(secret)
		shown["logrus, "+name] = out.String()
	}
	for how, got := range shown {
		if got == "" || strings.Contains(got, "hunter22") || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", "hunter22")) {
			t.Errorf("%s: %q", how, got)
		}
	}
	if secret.Reveal() != "hunter22" {
		t.Errorf("Reveal returns %q", secret.Reveal())
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("an empty secret prints as %q, and looks as if it were set", got)
	}
}

func TestDocumentMasksAndShowsEveryKey(t *testing.T) {
	c := valid()
	c.APIUsername, c.APIPassword, c.ClientSecret = "user", "hunter22", "hunter23"
	c.NATSURL = "nats://me:hunter24@127.0.0.1:4222,hunter25@127.0.0.1:4223,nats://127.0.0.1:4224"
	c.CarrierModules = []string{"knm_bandwidth2"}
	data, err := c.Document()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "hunter") {
		t.Errorf("a secret is shown:\n%s", data)
	}
	var doc struct {
		ID      string         `json:"_id"`
		Default map[string]any `json:"default"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.ID != "number_manager.bandwidth2" {
		t.Errorf("_id is %q", doc.ID)
	}
	for _, key := range config.Keys() {
		if _, ok := doc.Default[key]; !ok {
			t.Errorf("%s is not shown", key)
		}
	}
	want := map[string]any{
		"api_username": "user", "api_password": "***", "client_secret": "***", "post_timeout": "1m0s", "enable_provisioning": true,
		"nats_url": "nats://me:***@127.0.0.1:4222,***@127.0.0.1:4223,nats://127.0.0.1:4224",
	}
	for key, value := range want {
		if diff := cmp.Diff(value, doc.Default[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

func TestDocumentCanBeReadBack(t *testing.T) {
	c := valid()
	c.RequestsPerSecond, c.CarrierModules, c.LedgerGuard = 2.5, []string{"knm_local", "knm_bandwidth2"}, 90*time.Minute
	data, err := c.Document()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "document.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := settings(load(t, "", path))
	if len(got) != len(config.Keys()) {
		t.Errorf("%d of %d settings were read back", len(got), len(config.Keys()))
	}
	for key, want := range map[string]any{
		"account_id": "9900000", "client_secret": "***", "requests_per_second": "2.5", "ledger_guard": "1h30m0s", "enable_provisioning": "true",
		"carrier_modules": []any{"knm_local", "knm_bandwidth2"}, "debug": "false", "concurrency": "64", "api_password": "",
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

func TestDocumentWithoutKazoosList(t *testing.T) {
	data, err := valid().Document()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "carrier_modules") {
		t.Error("carrier_modules was not given and is shown: read back, it would disable the carrier or be refused")
	}
}
