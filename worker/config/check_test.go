package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/worker/config"
)

// valid returns a configuration without a problem.
func valid() *config.Config {
	return &config.Config{
		AccountID: "9900000", ClientID: "client", ClientSecret: "secret", TokenURL: "https://api.example.com/token",
		BaseURL: "https://dashboard.example.com/api", SiteID: "1234", SIPPeer: "234222", EnableProvisioning: true,
		OrderNamePrefix: "East coast Kazoo", MaxSearchQuantity: 500, PostTimeout: time.Minute, GetTimeout: 15 * time.Second,
		SettleWindow: 5 * time.Minute, PollMinInterval: time.Second, PollMaxInterval: 5 * time.Minute,
		PollBackorderInterval: 30 * time.Minute, GiveUpAfter: 24 * time.Hour, AckWait: 30 * time.Second, Concurrency: 64,
		NATSListen: "127.0.0.1:4222", NATSSync: "always", NATSReplicas: 1, SubjectPrefix: "bandwidth",
		EventsMaxAge: 720 * time.Hour, HTTPListen: "127.0.0.1:8080",
	}
}

func TestCheckTakesAValidConfiguration(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"OAuth2": func(*config.Config) {},
		"Basic": func(c *config.Config) {
			c.ClientID, c.TokenURL, c.APIUsername, c.APIPassword = "", "", "user", "password"
		},
		"no HTTP":              func(c *config.Config) { c.HTTPListen = "" },
		"a NATS server":        func(c *config.Config) { c.NATSURL, c.NATSListen = "nats://127.0.0.1:4222", "" },
		"a sync interval":      func(c *config.Config) { c.NATSSync = "2m" },
		"no guard":             func(c *config.Config) { c.LedgerGuard = 0 },
		"the longest prefix":   func(c *config.Config) { c.OrderNamePrefix = strings.Repeat("x", 29) },
		"a settle window just": func(c *config.Config) { c.SettleWindow = 2 * c.PostTimeout },
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			change(c)
			if err := c.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckNamesEveryProblemInAllSpellings(t *testing.T) {
	for _, tc := range []struct {
		key, text string
		change    func(*config.Config)
	}{
		{"account_id", "it is missing", func(c *config.Config) { c.AccountID = "" }},
		{"account_id", `"1/2" is not the number of an account`, func(c *config.Config) { c.AccountID = "1/2" }},
		{"base_url", "it is not an http or https URL", func(c *config.Config) { c.BaseURL = "dashboard.example.com" }},
		{"base_url", "it is not an http or https URL", func(c *config.Config) { c.BaseURL = "" }},
		{"base_url", "it holds a user or password; those belong in the credentials", func(c *config.Config) { c.BaseURL = "https://u:p@example.com" }},
		{"token_url", "it is not an http or https URL", func(c *config.Config) { c.TokenURL = "ftp://example.com" }},
		{"client_id", "there are no credentials: client_id and client_secret, or api_username and api_password", func(c *config.Config) { c.ClientID = "" }},
		{"client_secret", "it is missing beside client_id", func(c *config.Config) { c.ClientSecret = "" }},
		{"client_secret", "it is masked, as `worker config` prints it; put the secret itself", func(c *config.Config) { c.ClientSecret = "***" }},
		{"api_password", "it is missing beside api_username", func(c *config.Config) { c.ClientID, c.APIUsername = "", "user" }},
		{"api_password", "it is masked, as `worker config` prints it; put the password itself", func(c *config.Config) { c.ClientID, c.APIUsername, c.APIPassword = "", "user", "***" }},
		{"get_timeout", "0s is no time to wait", func(c *config.Config) { c.GetTimeout = 0 }},
		{"site_id", "it is missing; `worker sites` lists the account's", func(c *config.Config) { c.SiteID = "" }},
		{"sip_peer", "it is missing; `worker peers SITE_ID` lists the site's", func(c *config.Config) { c.SIPPeer = "" }},
		{"order_name_prefix", "it is missing; it tells this system's orders apart at Bandwidth", func(c *config.Config) { c.OrderNamePrefix = "" }},
		{"order_name_prefix", `"` + strings.Repeat("x", 30) + `" is 30 characters long; at most 29 fit, because Bandwidth's order names hold 50 and the order's key takes 21`,
			func(c *config.Config) { c.OrderNamePrefix = strings.Repeat("x", 30) }},
		{"subject_prefix", `"a.b": use 1 to 32 letters, digits, - and _`, func(c *config.Config) { c.SubjectPrefix = "a.b" }},
		{"nats_url", "its user is masked, as `worker config` prints it; put the secret itself", func(c *config.Config) { c.NATSURL = "nats://u:***@127.0.0.1:4222" }},
		{"nats_listen", `"4222" is not host:port such as 127.0.0.1:4222`, func(c *config.Config) { c.NATSListen = "4222" }},
		{"nats_listen", `"127.0.0.1:99999" is not host:port such as 127.0.0.1:4222`, func(c *config.Config) { c.NATSListen = "127.0.0.1:99999" }},
		{"http_listen", `"localhost" is not host:port such as 127.0.0.1:4222`, func(c *config.Config) { c.HTTPListen = "localhost" }},
		{"post_timeout", "-1s is no time to wait", func(c *config.Config) { c.PostTimeout = -time.Second }},
		{"settle_window", "1m0s is less than twice post_timeout (1m0s): an order on its way could be taken for lost", func(c *config.Config) { c.SettleWindow = time.Minute }},
		{"poll_min_interval", "0s is no time to wait", func(c *config.Config) { c.PollMinInterval = 0 }},
		{"poll_max_interval", "500ms is less than poll_min_interval (1s)", func(c *config.Config) { c.PollMaxInterval = 500 * time.Millisecond }},
		{"poll_backorder_interval", "0s is no time to wait", func(c *config.Config) { c.PollBackorderInterval = 0 }},
		{"give_up_after", "0s is no time to wait", func(c *config.Config) { c.GiveUpAfter = 0 }},
		{"ack_wait", "0s is no time to wait", func(c *config.Config) { c.AckWait = 0 }},
		{"ack_wait", "999ms is too short for a lease; a second at the least", func(c *config.Config) { c.AckWait = 999 * time.Millisecond }},
		{"events_max_age", "0s is no time to wait", func(c *config.Config) { c.EventsMaxAge = 0 }},
		{"ledger_guard", "it cannot be negative", func(c *config.Config) { c.LedgerGuard = -1 }},
		{"concurrency", "0 is too little; 1 at the least", func(c *config.Config) { c.Concurrency = 0 }},
		{"requests_per_second", "it cannot be negative", func(c *config.Config) { c.RequestsPerSecond = -1 }},
		{"max_search_quantity", "0 is not from 1 to 5000", func(c *config.Config) { c.MaxSearchQuantity = 0 }},
		{"max_search_quantity", "5001 is not from 1 to 5000", func(c *config.Config) { c.MaxSearchQuantity = 5001 }},
		{"nats_replicas", "0 is not from 1 to 5", func(c *config.Config) { c.NATSReplicas = 0 }},
		{"nats_replicas", "6 is not from 1 to 5", func(c *config.Config) { c.NATSReplicas = 6 }},
		{"nats_sync", `"never" is neither always nor a time such as 2m`, func(c *config.Config) { c.NATSSync = "never" }},
		{"nats_sync", `"0s" is neither always nor a time such as 2m`, func(c *config.Config) { c.NATSSync = "0s" }},
	} {
		t.Run(tc.key, func(t *testing.T) {
			c := valid()
			tc.change(c)
			variable := "BANDWIDTH_" + strings.ToUpper(tc.key)
			if tc.key == "nats_url" {
				variable = "NATS_URL"
			}
			want := tc.key + ": " + tc.text + " (set it as " + tc.key + " in a file, --" + strings.ReplaceAll(tc.key, "_", "-") + ", or " + variable + ")"
			err := c.Check()
			if err == nil {
				t.Fatalf("no error; want %q", want)
			}
			// Zero durations break a rule between two settings as well.
			if lines := strings.Split(err.Error(), "\n"); lines[0] != want {
				t.Errorf("got  %q\nwant %q", lines[0], want)
			}
		})
	}
}

func TestCheckReturnsEveryProblemAtOnce(t *testing.T) {
	err := new(config.Config).Check()
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, key := range []string{
		"account_id", "client_id", "base_url", "site_id", "sip_peer", "order_name_prefix", "subject_prefix", "nats_listen", "post_timeout",
		"settle_window", "ack_wait", "concurrency", "max_search_quantity", "nats_replicas", "nats_sync",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("%s is not named in\n%v", key, err)
		}
	}
}

func TestCheckAccountWantsOnlyWhatACallNeeds(t *testing.T) {
	c := &config.Config{AccountID: "9900000", APIUsername: "u", APIPassword: "p", BaseURL: "https://example.com/api", GetTimeout: time.Second}
	if err := c.CheckAccount(); err != nil {
		t.Error(err)
	}
	if err := c.Check(); err == nil {
		t.Error("a worker would serve without a site")
	}
}

func TestSyncInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{"always": 0, "2m": 2 * time.Minute} {
		got, err := (&config.Config{NATSSync: text}).SyncInterval()
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   []string
	}{
		"none": {func(*config.Config) {}, nil},
		"Basic": {func(c *config.Config) { c.ClientID, c.APIUsername = "", "user" },
			[]string{"HTTP Basic (api_username) is used; Bandwidth switches it off on 2026-12-02: set client_id and client_secret"}},
		"both ways to log in": {func(c *config.Config) { c.APIUsername = "user" },
			[]string{"both client_id and api_username are set; OAuth2 (client_id) is used"}},
		"Kazoo's list without this carrier": {func(c *config.Config) { c.CarrierModules = []string{"knm_local"} },
			[]string{`carrier_modules does not list "knm_bandwidth2": orders fail as carrier_disabled; add "knm_bandwidth2" to carrier_modules in the number_manager document`}},
		"Kazoo's list with it": {func(c *config.Config) { c.CarrierModules = []string{"knm_local", "knm_bandwidth2"} }, nil},
		"a sync interval": {func(c *config.Config) { c.NATSSync = "2m" },
			[]string{"nats_sync is 2m: a power loss can lose what was written within it, and with it the knowledge of an order that was placed"}},
		"a sync interval that no server of ours uses": {func(c *config.Config) { c.NATSSync, c.NATSURL = "2m", "nats://127.0.0.1" }, nil},
		"sandbox":      {func(c *config.Config) { c.SandboxProvisioning = true }, []string{"sandbox_provisioning is true: every order pretends to succeed and nothing is bought"}},
		"disabled":     {func(c *config.Config) { c.EnableProvisioning = false }, []string{"enable_provisioning is false: orders fail as provisioning_disabled"}},
		"sandbox wins": {func(c *config.Config) { c.SandboxProvisioning, c.EnableProvisioning = true, false }, []string{"sandbox_provisioning is true: every order pretends to succeed and nothing is bought"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			tc.change(c)
			if diff := cmp.Diff(tc.want, c.Warnings()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCarrierDisabled(t *testing.T) {
	for name, tc := range map[string]struct {
		modules []string
		want    bool
	}{
		"not given": {nil, false}, "empty": {[]string{}, true}, "without": {[]string{"knm_local"}, true}, "with": {[]string{"knm_bandwidth2"}, false},
	} {
		if got := (&config.Config{CarrierModules: tc.modules}).CarrierDisabled(); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
