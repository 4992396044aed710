package messages_test

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"testing"
	"testing/quick"

	"bandwidthworker/messages"
)

func mustNames(t testing.TB, prefix string) messages.Names {
	t.Helper()
	n, err := messages.NewNames(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const key = "abcdefghij234567klmn"

// TestContract: every name on the bus, written out. Other programs are built on them, so a change here breaks others.
func TestContract(t *testing.T) {
	for _, c := range []struct {
		name         string
		of           func(messages.Names) string
		plain, other string // under the prefix bandwidth and under east-1
	}{
		{"prefix", messages.Names.Prefix, "bandwidth", "east-1"},
		{"search request", func(n messages.Names) string { return n.Request(messages.Search, "") }, "bandwidth.v1.request.search", "east-1.v1.request.search"},
		{"provision request", func(n messages.Names) string { return n.Request(messages.Provision, "") }, "bandwidth.v1.request.provision", "east-1.v1.request.provision"},
		{"disconnect request", func(n messages.Names) string { return n.Request(messages.Disconnect, "") }, "bandwidth.v1.request.disconnect", "east-1.v1.request.disconnect"},
		{"port-in request", func(n messages.Names) string { return n.Request(messages.PortIn, "") }, "bandwidth.v1.request.portin", "east-1.v1.request.portin"},
		{"cancel request", func(n messages.Names) string { return n.Request(messages.Cancel, "") }, "bandwidth.v1.request.cancel", "east-1.v1.request.cancel"},
		{"request of a tenant", func(n messages.Names) string { return n.Request(messages.Provision, "acme") }, "bandwidth.v1.request.provision.acme", "east-1.v1.request.provision.acme"},
		{"all requests", messages.Names.RequestFilter, "bandwidth.v1.request.>", "east-1.v1.request.>"},
		{"timer", func(n messages.Names) string { return n.Timer(key) }, "bandwidth.v1.timer." + key, "east-1.v1.timer." + key},
		{"tick", func(n messages.Names) string { return n.Due(key) }, "bandwidth.v1.due." + key, "east-1.v1.due." + key},
		{"all ticks", messages.Names.DueFilter, "bandwidth.v1.due.*", "east-1.v1.due.*"},
		{"event", func(n messages.Names) string { return n.Event(messages.Provision, messages.Completed, "acme", key) },
			"bandwidth.v1.event.provision.completed.acme." + key, "east-1.v1.event.provision.completed.acme." + key},
		{"event without tenant", func(n messages.Names) string { return n.Event(messages.PortIn, messages.Failed, "", key) },
			"bandwidth.v1.event.portin.failed._." + key, "east-1.v1.event.portin.failed._." + key},
		{"all events", messages.Names.EventFilter, "bandwidth.v1.event.>", "east-1.v1.event.>"},
		{"event type", func(n messages.Names) string { return n.EventType(messages.Provision, messages.Completed) },
			"bandwidth.v1.provision.completed", "bandwidth.v1.provision.completed"},
		{"dead letter", func(n messages.Names) string {
			return n.DeadLetter(messages.Provision, messages.ReasonOutcomeUnknown, "acme", key)
		}, "bandwidth.v1.dlq.provision.outcome_unknown.acme." + key, "east-1.v1.dlq.provision.outcome_unknown.acme." + key},
		{"dead letter of nobody", func(n messages.Names) string {
			return n.DeadLetter(messages.Unknown, messages.ReasonMalformed, "", key)
		}, "bandwidth.v1.dlq.unknown.malformed._." + key, "east-1.v1.dlq.unknown.malformed._." + key},
		{"all dead letters", messages.Names.DeadLetterFilter, "bandwidth.v1.dlq.>", "east-1.v1.dlq.>"},
		{"endpoint", func(n messages.Names) string { return n.API("order") }, "bandwidth.v1.api.order", "east-1.v1.api.order"},
		{"service", messages.Names.Service, "bandwidth", "east-1"},
		{"stream of requests", messages.Names.RequestsStream, "BANDWIDTH_REQUESTS", "EAST-1_REQUESTS"},
		{"stream of timers", messages.Names.TimersStream, "BANDWIDTH_TIMERS", "EAST-1_TIMERS"},
		{"stream of events", messages.Names.EventsStream, "BANDWIDTH_EVENTS", "EAST-1_EVENTS"},
		{"stream of dead letters", messages.Names.DLQStream, "BANDWIDTH_DLQ", "EAST-1_DLQ"},
		{"ledger", messages.Names.OrdersBucket, "bandwidth_orders", "east-1_orders"},
		{"index of the unfinished", messages.Names.OpenBucket, "bandwidth_open", "east-1_open"},
		{"numbers", messages.Names.NumbersBucket, "bandwidth_numbers", "east-1_numbers"},
		{"control", messages.Names.ControlBucket, "bandwidth_control", "east-1_control"},
	} {
		if got := c.of(mustNames(t, messages.DefaultPrefix)); got != c.plain {
			t.Errorf("%s: %q, want %q", c.name, got, c.plain)
		}
		if got := c.of(mustNames(t, "east-1")); got != c.other {
			t.Errorf("%s under another prefix: %q, want %q", c.name, got, c.other)
		}
	}
	for _, c := range []struct{ name, got, want string }{
		{"consumer of requests", messages.WorkersConsumer, "workers"},
		{"consumer of ticks", messages.TimersConsumer, "timers"},
		{"no tenant", messages.NoTenant, "_"},
		{"replay header", messages.HeaderReplayOf, "Bandwidth-Replay-Of"},
		{"double header", messages.HeaderAcceptDouble, "Bandwidth-Accept-Double"},
		{"kinds", words(messages.Kinds()), "search provision disconnect portin cancel"},
		{"outcomes", words([]messages.Outcome{messages.Accepted, messages.Submitted, messages.Backordered, messages.Completed, messages.Partial, messages.Failed}),
			"accepted submitted backordered completed partial failed"},
		{"reasons", words(messages.Reasons()), "malformed invalid conflict provisioning_disabled carrier_disabled rejected bandwidth_failed " +
			"incomplete no_numbers cancelled budget_exceeded exhausted outcome_unknown poison"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
}

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return strings.Join(out, " ")
}

func TestFinal(t *testing.T) {
	for outcome, want := range map[messages.Outcome]bool{
		messages.Accepted: false, messages.Submitted: false, messages.Backordered: false,
		messages.Completed: true, messages.Partial: true, messages.Failed: true, "": false,
	} {
		if outcome.Final() != want {
			t.Errorf("%q final: %v, want %v", outcome, outcome.Final(), want)
		}
	}
}

func TestNewNames(t *testing.T) {
	for _, good := range []string{"bandwidth", "a", "A-b_9", strings.Repeat("x", 32)} {
		if _, err := messages.NewNames(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a.b", "a b", "*", ">", "é", "a\n", strings.Repeat("x", 33)} {
		if _, err := messages.NewNames(bad); err == nil || !strings.Contains(err.Error(), "subject_prefix") {
			t.Errorf("%q: %v; want an error that names subject_prefix", bad, err)
		}
	}
}

func TestKey(t *testing.T) {
	n := mustNames(t, "bandwidth")
	for _, c := range []struct{ got, want, what string }{
		{n.Key("acme", "crm-1042"), "ikgwauvoer62lrvvq32t", "of a tenant"},
		{n.Key("", "crm-1042"), "vcinf3usb5nrnrxzdx76", "without tenant"},
		{mustNames(t, "east").Key("acme", "crm-1042"), "24jw53nqgjbes6qqkzud", "under another prefix"},
		{n.LetterlessKey("bandwidth.v1.request.provision", []byte(`{"a":1}`), 7), "e6y3rdqpdlzcry56pc2s", "of a message"},
	} {
		if c.got != c.want {
			t.Errorf("key %s: %s, want %s", c.what, c.got, c.want)
		}
	}
	if n.Key("", "r") != n.Key(messages.NoTenant, "r") {
		t.Error("no tenant and _ are not the same")
	}
	// The documented computation, done here by other means.
	documented := func(tenant, requestID string) bool {
		sum := sha256.Sum256([]byte("bandwidth\n" + tenant + "\n" + requestID))
		want := strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(sum[:]), "="))[:20]
		got := n.Key(tenant, requestID)
		return tenant == "" || got == want && messages.ValidKey(got)
	}
	if err := quick.Check(documented, nil); err != nil {
		t.Error(err)
	}
}

// TestP27_LetterlessKeys: subject, body and sequence each make another key.
func TestP27_LetterlessKeys(t *testing.T) {
	n := mustNames(t, "bandwidth")
	seen := map[string]string{}
	for _, c := range []struct {
		subject, body string
		sequence      uint64
	}{{"s", "b", 1}, {"s", "b", 2}, {"s", "b2", 1}, {"s2", "b", 1}, {"s", "b\n1", 1}, {"s\nb", "", 1}} {
		k := n.LetterlessKey(c.subject, []byte(c.body), c.sequence)
		what := c.subject + "|" + c.body
		if other, ok := seen[k]; ok || !messages.ValidKey(k) {
			t.Errorf("%q: key %s, that of %q, or none", what, k, other)
		}
		seen[k] = what
	}
}

func TestValidKey(t *testing.T) {
	for s, want := range map[string]bool{
		key: true, "": false, key[1:]: false, key + "a": false, strings.ToUpper(key): false, "1" + key[1:]: false, key[1:] + "\n": false, "*": false, ">": false,
	} {
		if messages.ValidKey(s) != want {
			t.Errorf("%q: %v, want %v", s, !want, want)
		}
	}
}

func TestParseRequest(t *testing.T) {
	n := mustNames(t, "bandwidth")
	for _, c := range []struct {
		subject, kind, text, tenant string
		fault                       string // part of the error
	}{
		{"bandwidth.v1.request.search", "search", "search", "", ""},
		{"bandwidth.v1.request.provision", "provision", "provision", "", ""},
		{"bandwidth.v1.request.disconnect", "disconnect", "disconnect", "", ""},
		{"bandwidth.v1.request.portin", "portin", "portin", "", ""},
		{"bandwidth.v1.request.cancel", "cancel", "cancel", "", ""},
		{"bandwidth.v1.request.provision.acme", "provision", "provision", "acme", ""},
		{"bandwidth.v1.request.provision._", "provision", "provision", "", ""},
		{"bandwidth.v1.request.rent", "unknown", "rent", "", ""},
		{"bandwidth.v1.request.rent.acme", "unknown", "rent", "acme", ""},
		{"bandwidth.v1.request.Provision", "unknown", "Provision", "", ""},
		{"bandwidth.v1.request.unknown", "unknown", "unknown", "", ""},
		{"bandwidth.v1.request.provision.a.b", "provision", "provision", "", "a.b"},
		{"bandwidth.v1.request.provision.", "provision", "provision", "", "tenant"},
		{"bandwidth.v1.request.provision.a$", "provision", "provision", "", "a$"},
		{"bandwidth.v1.request.provision." + strings.Repeat("a", 33), "provision", "provision", "", "32"},
		{"bandwidth.v1.request.", "unknown", "", "", "bandwidth.v1.request.<kind>"},
		{"bandwidth.v1.request", "unknown", "", "", "not a request subject"},
		{"bandwidth.v2.request.provision", "unknown", "", "", "not a request subject"},
		{"east.v1.request.provision", "unknown", "", "", "not a request subject"},
		{"bandwidth.v1.event.provision", "unknown", "", "", "not a request subject"},
		{"", "unknown", "", "", "not a request subject"},
	} {
		kind, text, tenant, err := n.ParseRequest(c.subject)
		if string(kind) != c.kind || text != c.text || tenant != c.tenant {
			t.Errorf("%q: %q %q %q, want %q %q %q", c.subject, kind, text, tenant, c.kind, c.text, c.tenant)
		}
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: error %v, want one with %q", c.subject, err, c.fault)
		}
	}
	for _, kind := range messages.Kinds() {
		for _, tenant := range []string{"", "acme", "A_9-z"} {
			got, _, of, err := n.ParseRequest(n.Request(kind, tenant))
			if got != kind || of != tenant || err != nil {
				t.Errorf("%s of %q came back as %s of %q, %v", kind, tenant, got, of, err)
			}
		}
	}
}

func TestKeyOfDue(t *testing.T) {
	n := mustNames(t, "bandwidth")
	if got, err := n.KeyOfDue(n.Due(key)); got != key || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "bandwidth.v1.due.", "bandwidth.v1.due.short", "bandwidth.v1.timer." + key, "east.v1.due." + key, n.Due(key) + ".x"} {
		if got, err := n.KeyOfDue(bad); err == nil || got != "" {
			t.Errorf("%q: %q, %v; want an error", bad, got, err)
		}
	}
}

// TestP23_Ids: the ids of events and letters, written out.
func TestP23_Ids(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{messages.EventID(key, 1, messages.Accepted, 0), key + ".1.accepted"},
		{messages.EventID(key, 1, messages.Submitted, 1), key + ".1.submitted.1"},
		{messages.EventID(key, 2, messages.Submitted, 12), key + ".2.submitted.12"},
		{messages.EventID(key, 1, messages.Backordered, 1), key + ".1.backordered.1"},
		{messages.EventID(key, 1, messages.Completed, 0), key + ".1.completed"},
		{messages.EventID(key, 3, messages.Partial, 5), key + ".3.partial"}, // finals never have a number
		{messages.EventID(key, 0, messages.Failed, 0), key + ".0.failed"},
		{messages.LetterID(key, 0), key + ".0"},
		{messages.LetterID(key, 12), key + ".12"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestParseReplayOf(t *testing.T) {
	there := func(generation uint16) bool {
		k, g, err := messages.ParseReplayOf(messages.LetterID(key, int(generation)))
		return k == key && g == int(generation) && err == nil
	}
	if err := quick.Check(there, nil); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", key, key + ".", key + ".-1", key + ".-0", key + ".+1", key + ".01", key + ".1.completed", key + ". 1", key + ".1 ",
		key + ".99999999999999999999", "." + key, "short.1", strings.ToUpper(key) + ".1", " " + key + ".1", key + ".1\n", strings.Repeat("<", 1<<20)} {
		k, g, err := messages.ParseReplayOf(bad)
		if err == nil || k != "" || g != 0 {
			t.Fatalf("%.40q: %q %d %v; want an error", bad, k, g, err)
		}
		if !strings.Contains(err.Error(), "Bandwidth-Replay-Of") || len(err.Error()) > 400 {
			t.Errorf("%.40q: the error has %d bytes, or does not name the header: %.100q", bad, len(err.Error()), err)
		}
	}
}
