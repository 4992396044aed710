// Package config is the worker's configuration: every setting in one struct, with one name in file, flag and variable,
// and the readers of Kazoo's documents.
package config

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// Secret is a setting that is never shown: it prints and encodes as "***".
type Secret string

// String returns "***", or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// Format hides the secret from every verb, %#v and wrong ones included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText encodes the secret as it prints.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }

// Config is every setting of the worker. A setting's name is the same everywhere: key post_timeout in a file, flag
// --post-timeout, variable BANDWIDTH_POST_TIMEOUT. A flag goes over its variable, that over the file, that over the
// default.
type Config struct {
	AccountID    string `name:"account-id" group:"bandwidth" help:"Number of the account at Bandwidth."`
	ClientID     string `name:"client-id" group:"bandwidth" help:"OAuth2 client."`
	ClientSecret Secret `name:"client-secret" group:"bandwidth" help:"Its secret; better given in a file or variable."`
	TokenURL     string `name:"token-url" group:"bandwidth" default:"https://api.bandwidth.com/api/v1/oauth2/token" help:"Where access tokens come from."`
	APIUsername  string `name:"api-username" group:"bandwidth" help:"User for HTTP Basic, which Bandwidth switches off on 2026-12-02."`
	APIPassword  Secret `name:"api-password" group:"bandwidth" help:"Its password; better given in a file or variable."`
	BaseURL      string `name:"base-url" group:"bandwidth" default:"https://dashboard.bandwidth.com/api" help:"Base of the API."`
	SiteID       string `name:"site-id" group:"bandwidth" help:"Site that numbers are ordered for, where a request names none."`
	SIPPeer      string `name:"sip-peer" group:"bandwidth" help:"SIP peer that numbers are ordered for, where a request names none."`
	Debug        bool   `name:"debug" negatable:"" group:"bandwidth" help:"Append each request and reply as text to the debug log."`
	DebugLog     string `name:"debug-log" group:"bandwidth" default:"/tmp/bandwidth.log" help:"The debug log; secrets are replaced by ***."`

	EnableProvisioning  bool     `name:"enable-provisioning" negatable:"" default:"true" group:"orders" help:"Place orders; without it only searches work."`
	SandboxProvisioning bool     `name:"sandbox-provisioning" negatable:"" group:"orders" help:"Pretend: every order succeeds and nothing is bought. Wins over everything."`
	OrderNamePrefix     string   `name:"order-name-prefix" group:"orders" help:"Stands in front of every order's name; at most 29 characters."`
	MaxSearchQuantity   int      `name:"max-search-quantity" default:"500" group:"orders" help:"Most numbers that a search may ask for."`
	CarrierModules      []string `name:"carrier-modules" group:"orders" help:"Kazoo's list; where it is given it must hold knm_bandwidth2."`
	PortInModuleName    string   `name:"port-in-module-name" default:"knm_local" group:"orders" help:"Kazoo's carrier module of ported numbers."`

	PostTimeout           time.Duration `name:"post-timeout" default:"60s" group:"times" help:"How long an order may take to send and be answered."`
	GetTimeout            time.Duration `name:"get-timeout" default:"15s" group:"times" help:"How long a read may take."`
	SettleWindow          time.Duration `name:"settle-window" default:"5m" group:"times" help:"How long an unanswered order may still take effect; at least twice post-timeout."`
	PollMinInterval       time.Duration `name:"poll-min-interval" default:"1s" group:"times" help:"Shortest time between polls of an order."`
	PollMaxInterval       time.Duration `name:"poll-max-interval" default:"5m" group:"times" help:"Longest time between polls of an order."`
	PollBackorderInterval time.Duration `name:"poll-backorder-interval" default:"30m" group:"times" help:"The same while it waits for stock."`
	GiveUpAfter           time.Duration `name:"give-up-after" default:"24h" group:"times" help:"When to give up an order that surely could not be placed."`
	AckWait               time.Duration `name:"ack-wait" default:"30s" group:"times" help:"Lease on a message."`
	LedgerGuard           time.Duration `name:"ledger-guard" default:"24h" group:"times" help:"How long a new ledger asks Bandwidth before each first order, in case an older ledger was lost; 0 for never."`

	Concurrency       int     `name:"concurrency" default:"64" group:"pace" help:"Orders worked on at once."`
	RequestsPerSecond float64 `name:"requests-per-second" default:"0" group:"pace" help:"Calls to Bandwidth in a second, orders, reads and searches each; 0 for no bound of our own."`

	NATSURL       string        `name:"nats-url" env:"NATS_URL" group:"bus" help:"NATS servers; without it a server is embedded."`
	NATSCreds     string        `name:"nats-creds" env:"NATS_CREDS" group:"bus" help:"Credentials file for NATS."`
	NATSContext   string        `name:"nats-context" env:"NATS_CONTEXT" group:"bus" help:"Context of the nats command."`
	NATSListen    string        `name:"nats-listen" default:"127.0.0.1:4222" group:"bus" help:"Where the embedded server listens."`
	NATSSync      string        `name:"nats-sync" default:"always" group:"bus" help:"How often the embedded server syncs to disk: always, or a time such as 2m that a power loss may cost."`
	NATSReplicas  int           `name:"nats-replicas" default:"1" group:"bus" help:"Replicas of streams and buckets; 3 in production."`
	StoreDir      string        `name:"store-dir" default:"./data" group:"bus" help:"Files of the embedded server."`
	SubjectPrefix string        `name:"subject-prefix" default:"bandwidth" group:"bus" help:"First token of every subject; it tells fleets apart."`
	ManageStreams bool          `name:"manage-streams" negatable:"" default:"true" group:"bus" help:"Create streams and buckets; without it they are only checked."`
	EventsMaxAge  time.Duration `name:"events-max-age" default:"720h" group:"bus" help:"How long events are kept."`

	HTTPListen string `name:"http-listen" default:"127.0.0.1:8080" group:"process" help:"Where /healthz, /readyz and /metrics are served; empty for nowhere."`
	LogLevel   string `name:"log-level" default:"info" enum:"trace,debug,info,warn,error" group:"process" help:"trace, debug, info, warn or error."`
	LogFormat  string `name:"log-format" default:"auto" enum:"auto,text,json" group:"process" help:"auto is text on a terminal and JSON otherwise."`
}

// field is a setting of Config by its key.
type field struct {
	key   string
	value reflect.Value
}

// fields returns the settings in the order of the struct.
func (c *Config) fields() []field {
	v := reflect.ValueOf(c).Elem()
	var out []field
	for i := range v.NumField() {
		out = append(out, field{key: keyOf(v.Type().Field(i).Tag.Get("name")), value: v.Field(i)})
	}
	return out
}

// Keys lists the settings by their keys in a file.
func Keys() []string {
	var out []string
	for _, f := range new(Config).fields() {
		out = append(out, f.key)
	}
	return out
}

// document is the shape of Kazoo's configuration documents.
type document struct {
	ID      string          `json:"_id"`
	Default json.RawMessage `json:"default"`
}

// masked stands in place of a secret.
const masked = "***"

// MaskURLs replaces the user part of each URL of a list with commas between: it is a secret, and of NATS it may be a
// token.
func MaskURLs(list string) string {
	parts := strings.Split(list, ",")
	for i, part := range parts {
		at := strings.LastIndex(part, "@")
		if at < 0 {
			continue
		}
		scheme := ""
		if before, _, ok := strings.Cut(part, "://"); ok && len(before)+3 <= at {
			scheme = before + "://"
		}
		user := masked
		if u, err := url.Parse(part); err == nil && u.User != nil {
			if _, ok := u.User.Password(); ok {
				user = u.User.Username() + ":" + masked
			}
		}
		parts[i] = scheme + user + part[at:]
	}
	return strings.Join(parts, ",")
}

// Document returns the configuration in the shape of Kazoo's document, with secrets masked, those in URLs too.
func (c *Config) Document() ([]byte, error) {
	section := []byte("{")
	for i, f := range c.fields() {
		value := f.value.Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		if text, ok := value.(string); ok && strings.HasSuffix(f.key, "_url") {
			value = MaskURLs(text)
		}
		if list, ok := value.([]string); ok && list == nil {
			continue // not given, which is not the same as empty
		}
		data, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			section = append(section, ',')
		}
		section = append(section, '"')
		section = append(section, f.key...)
		section = append(section, `":`...)
		section = append(section, data...)
	}
	section = append(section, '}')
	return json.MarshalIndent(document{ID: bandwidthDocument, Default: section}, "", "   ")
}
