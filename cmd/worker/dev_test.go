package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"bandwidthworker/worker/workertest/scripts"
)

// TestDevTakesAPlainClient orders as a system does that knows only the contract: JSON on a subject.
func TestDevTakesAPlainClient(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), scripts.WaitLimit)
	defer cancel()
	stop, interrupt := context.WithCancel(ctx)
	var stdout, stderr output
	ended := make(chan int, 1)
	go func() {
		ended <- run(stop, []string{"dev", "--nats-listen", "127.0.0.1:0", "--http-listen", ""}, &stdout, &stderr)
	}()
	invitation := regexp.MustCompile(`publish provision .*--nats-url (\S+)`)
	var url string
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for url == "" {
		select {
		case <-again.C:
			if m := invitation.FindStringSubmatch(stdout.String()); m != nil {
				url = m[1]
			}
		case code := <-ended:
			t.Fatalf("it ended with %d\n%s%s", code, &stdout, &stderr)
		}
	}
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	events, err := nc.SubscribeSync("bandwidth.v1.event.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("bandwidth.v1.request.provision", []byte(`{"request_id":"x1","numbers":["+19195551235"]}`)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) == 0 || got[len(got)-1] != "completed" {
		msg, err := events.NextMsgWithContext(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		var e struct {
			RequestID string   `json:"request_id"`
			Outcome   string   `json:"outcome"`
			Key       string   `json:"key"`
			Numbers   []string `json:"numbers"`
		}
		if err := json.Unmarshal(msg.Data, &e); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("bandwidth.v1.event.provision.%s._.%s", e.Outcome, e.Key); msg.Subject != want || e.RequestID != "x1" {
			t.Errorf("%s, of request %s; want %s of x1", msg.Subject, e.RequestID, want)
		}
		got = append(got, e.Outcome)
		if e.Outcome == "completed" && (len(e.Numbers) != 1 || e.Numbers[0] != "+19195551235") {
			t.Errorf("the numbers are %v", e.Numbers)
		}
	}
	if len(got) != 3 || got[0] != "accepted" || got[1] != "submitted" {
		t.Errorf("the events are %v", got)
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("it ended with %d\n%s", code, &stderr)
	}
}

// TestDevOnceThatIsStopped must not look as if every sample had reached its outcome.
func TestDevOnceThatIsStopped(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	stdout := &stopper{at: "sample-1", stop: cancel}
	var stderr output
	if code := run(ctx, []string{"dev", "--once", "--nats-listen", "127.0.0.1:0", "--http-listen", ""}, stdout, &stderr); code != exitFailed {
		t.Errorf("it ended with %d\n%s%s", code, &stdout.output, &stderr)
	}
}

// stopper stops the command when a word is printed.
type stopper struct {
	output
	at   string
	stop func()
}

func (s *stopper) Write(b []byte) (int, error) {
	if regexp.MustCompile(s.at).Match(b) {
		s.stop()
	}
	return s.output.Write(b)
}
