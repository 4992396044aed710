package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

func TestCheckNumbersSaysWhatIsMeant(t *testing.T) {
	for number, meant := range map[string]string{
		"9195551234": "+19195551234", "19195551234": "+19195551234", "+9195551234": "+19195551234", "(919) 555-1234": "+19195551234",
		"+1 919 555 1234": "+19195551234", "1-919-555-1234": "+19195551234", "919.555.1234": "+19195551234",
		"+19195551234": "", "555-1234": "", "911": "", "+4930123456": "", "9191551234": "", "": "",
	} {
		err := checkNumbers([]string{"+19195550000", number})
		switch {
		case meant == "" && err != nil:
			t.Errorf("%q: %v", number, err)
		case meant != "" && (err == nil || !strings.HasSuffix(err.Error(), "is not in E.164; did you mean "+meant+"?") || exitCode(err) != exitUsage):
			t.Errorf("%q: %v", number, err)
		}
	}
}

func TestUnsure(t *testing.T) {
	api := &jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "maximum messages exceeded"}
	for name, tc := range map[string]struct {
		err  error
		code int
		sure bool
	}{
		"no answer in time":           {fmt.Errorf("publish x: %w", context.DeadlineExceeded), exitTimedOut, false},
		"interrupted":                 {context.Canceled, exitTimedOut, false},
		"the connection was closed":   {nats.ErrConnectionClosed, exitTimedOut, false},
		"nats' own timeout":           {nats.ErrTimeout, exitTimedOut, false},
		"there is no stream":          {fmt.Errorf("publish x: %w", bus.ErrNoStream), exitNoConnection, true},
		"the queue is full":           {fmt.Errorf("publish x: %w (%w)", bus.ErrQueueFull, api), exitFailed, true},
		"the server refuses":          {fmt.Errorf("publish x: %w", api), exitFailed, true},
		"the letter cannot be":        {bus.ErrNotReplayable, exitFailed, true},
		"the request breaks the rule": {usage(&messages.RequestError{Text: "numbers: no"}), exitUsage, true},
	} {
		err := unsure(tc.err, "publish again with --request-id r-1")
		if got := exitCode(err); got != tc.code {
			t.Errorf("%s: exit code %d, want %d", name, got, tc.code)
		}
		said := strings.Contains(err.Error(), "may have been stored; to publish again with --request-id r-1 is safe: it is the same order")
		if said == tc.sure || !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for urls, want := range map[string]string{
		"nats://127.0.0.1:4222":                    "nats://127.0.0.1:4222",
		"nats://me:hunter22@a:1,hunter22@b:2,c:3":  "nats://***@a:1,***@b:2,c:3",
		"tls://hunter22@a:1,tls://x:hunter22@b:22": "tls://***@a:1,tls://***@b:22",
	} {
		if got := redact(urls); got != want {
			t.Errorf("%s is shown as %s", urls, got)
		}
	}
}

func TestCheckKey(t *testing.T) {
	const key = "abcdefghijklmnopqr27"
	for arg, want := range map[string]string{
		key: "", key + ".1": "did you mean " + key, "*": "is not an order's key", ">": "is not an order's key", "": "is not an order's key", "crm-1042": "is not an order's key",
	} {
		if err := checkKey(arg); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", arg, err)
		}
	}
}
