package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

// CarrierModule is Kazoo's name of this carrier.
const CarrierModule = "knm_bandwidth2"

// BasicEnds is when Bandwidth switches HTTP Basic off.
const BasicEnds = "2026-12-02"

// problem is an error that names a setting in all its spellings.
func problem(key, format string, args ...any) error {
	flag := strings.ReplaceAll(key, "_", "-")
	variable := "BANDWIDTH_" + strings.ToUpper(key)
	if key == "nats_url" || key == "nats_creds" || key == "nats_context" {
		variable = strings.ToUpper(key)
	}
	return fmt.Errorf("%s: %s (set it as %s in a file, --%s, or %s)", key, fmt.Sprintf(format, args...), key, flag, variable)
}

// accountShape is what an account's number may look like; it becomes a part of every path.
var accountShape = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// checkURL wants a base such as https://host/path. Its errors do not repeat a URL that may hold a password.
func checkURL(key, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return problem(key, "it is not an http or https URL")
	case u.User != nil:
		return problem(key, "it holds a user or password; those belong in the credentials")
	}
	return nil
}

// CheckAccount checks what every call to Bandwidth needs.
func (c *Config) CheckAccount() error {
	var errs []error
	if c.AccountID == "" {
		errs = append(errs, problem("account_id", "it is missing"))
	} else if !accountShape.MatchString(c.AccountID) {
		errs = append(errs, problem("account_id", "%q is not the number of an account", c.AccountID))
	}
	errs = append(errs, checkURL("base_url", c.BaseURL))
	if c.ClientID != "" {
		errs = append(errs, checkURL("token_url", c.TokenURL))
	}
	switch {
	case c.ClientID == "" && c.APIUsername == "":
		errs = append(errs, problem("client_id", "there are no credentials: client_id and client_secret, or api_username and api_password"))
	case c.ClientID != "" && c.ClientSecret == "":
		errs = append(errs, problem("client_secret", "it is missing beside client_id"))
	case c.ClientID == "" && c.APIPassword == "":
		errs = append(errs, problem("api_password", "it is missing beside api_username"))
	case c.ClientID != "" && c.ClientSecret == masked:
		errs = append(errs, problem("client_secret", "it is masked, as `worker config` prints it; put the secret itself"))
	case c.ClientID == "" && c.APIPassword == masked:
		errs = append(errs, problem("api_password", "it is masked, as `worker config` prints it; put the password itself"))
	}
	if c.GetTimeout <= 0 {
		errs = append(errs, problem("get_timeout", "%s is no time to wait", c.GetTimeout))
	}
	return errors.Join(errs...)
}

// Check checks everything that a serving worker needs, and returns every problem at once.
func (c *Config) Check() error {
	errs := []error{c.CheckAccount()}
	if c.SiteID == "" {
		errs = append(errs, problem("site_id", "it is missing; `worker sites` lists the account's"))
	}
	if c.SIPPeer == "" {
		errs = append(errs, problem("sip_peer", "it is missing; `worker peers SITE_ID` lists the site's"))
	}
	if c.OrderNamePrefix == "" {
		errs = append(errs, problem("order_name_prefix", "it is missing; it tells this system's orders apart at Bandwidth"))
	} else if _, err := orders.NewNamer(c.OrderNamePrefix); err != nil {
		errs = append(errs, problem("order_name_prefix", "%s", strings.TrimPrefix(err.Error(), "order_name_prefix ")))
	}
	if _, err := messages.NewNames(c.SubjectPrefix); err != nil {
		errs = append(errs, problem("subject_prefix", "%s", strings.TrimPrefix(err.Error(), "subject_prefix ")))
	}
	if strings.Contains(c.NATSURL, masked+"@") {
		errs = append(errs, problem("nats_url", "its user is masked, as `worker config` prints it; put the secret itself"))
	}
	if c.NATSURL == "" && c.NATSContext == "" {
		errs = append(errs, checkListen("nats_listen", c.NATSListen))
	}
	if c.HTTPListen != "" {
		errs = append(errs, checkListen("http_listen", c.HTTPListen))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"post_timeout", c.PostTimeout}, {"settle_window", c.SettleWindow},
		{"poll_min_interval", c.PollMinInterval}, {"poll_max_interval", c.PollMaxInterval}, {"poll_backorder_interval", c.PollBackorderInterval},
		{"give_up_after", c.GiveUpAfter}, {"ack_wait", c.AckWait}, {"events_max_age", c.EventsMaxAge},
	} {
		if d.value <= 0 {
			errs = append(errs, problem(d.key, "%s is no time to wait", d.value))
		}
	}
	if c.LedgerGuard < 0 {
		errs = append(errs, problem("ledger_guard", "it cannot be negative"))
	}
	if c.SettleWindow < 2*c.PostTimeout {
		errs = append(errs, problem("settle_window", "%s is less than twice post_timeout (%s): an order on its way could be taken for lost", c.SettleWindow, c.PostTimeout))
	}
	if c.PollMaxInterval < c.PollMinInterval {
		errs = append(errs, problem("poll_max_interval", "%s is less than poll_min_interval (%s)", c.PollMaxInterval, c.PollMinInterval))
	}
	if c.AckWait > 0 && c.AckWait < time.Second {
		errs = append(errs, problem("ack_wait", "%s is too short for a lease; a second at the least", c.AckWait))
	}
	if c.Concurrency < 1 {
		errs = append(errs, problem("concurrency", "%d is too little; 1 at the least", c.Concurrency))
	}
	if c.RequestsPerSecond < 0 {
		errs = append(errs, problem("requests_per_second", "it cannot be negative"))
	}
	if c.MaxSearchQuantity < 1 || c.MaxSearchQuantity > 5000 {
		errs = append(errs, problem("max_search_quantity", "%d is not from 1 to 5000", c.MaxSearchQuantity))
	}
	if c.NATSReplicas < 1 || c.NATSReplicas > 5 {
		errs = append(errs, problem("nats_replicas", "%d is not from 1 to 5", c.NATSReplicas))
	}
	if _, err := c.SyncInterval(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkListen wants host:port.
func checkListen(key, text string) error {
	_, port, err := net.SplitHostPort(text)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		return problem(key, "%q is not host:port such as 127.0.0.1:4222", text)
	}
	return nil
}

// SyncInterval returns how often the embedded server syncs: 0 for each write.
func (c *Config) SyncInterval() (time.Duration, error) {
	if c.NATSSync == "always" {
		return 0, nil
	}
	d, err := time.ParseDuration(c.NATSSync)
	if err != nil || d <= 0 {
		return 0, problem("nats_sync", "%q is neither always nor a time such as 2m", c.NATSSync)
	}
	return d, nil
}

// Warnings returns sentences about settings that work and should be looked at.
func (c *Config) Warnings() []string {
	var out []string
	switch {
	case c.ClientID != "" && c.APIUsername != "":
		out = append(out, "both client_id and api_username are set; OAuth2 (client_id) is used")
	case c.ClientID == "" && c.APIUsername != "":
		out = append(out, "HTTP Basic (api_username) is used; Bandwidth switches it off on "+BasicEnds+": set client_id and client_secret")
	}
	if c.CarrierDisabled() {
		out = append(out, `carrier_modules does not list "knm_bandwidth2": orders fail as carrier_disabled; add "knm_bandwidth2" to carrier_modules in the number_manager document`)
	}
	if c.NATSURL == "" && c.NATSContext == "" && c.NATSSync != "always" {
		out = append(out, "nats_sync is "+c.NATSSync+": a power loss can lose what was written within it, and with it the knowledge of an order that was placed")
	}
	if c.SandboxProvisioning {
		out = append(out, "sandbox_provisioning is true: every order pretends to succeed and nothing is bought")
	} else if !c.EnableProvisioning {
		out = append(out, "enable_provisioning is false: orders fail as provisioning_disabled")
	}
	return out
}

// CarrierDisabled reports whether Kazoo's carrier_modules was given and lacks this carrier.
func (c *Config) CarrierDisabled() bool {
	return c.CarrierModules != nil && !slices.Contains(c.CarrierModules, CarrierModule)
}
