//go:build linux

package worker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/worker/workertest"
)

const (
	waitingOrders = 10_000
	// waitingPoll is the distance of polls; the default's longest is five minutes, ten times as long.
	waitingPoll = 30 * time.Second
)

// BenchmarkWaiting measures what a worker process costs while 10,000 orders wait at Bandwidth: its memory, and its
// processor time over one poll interval of 30 seconds. With the default's five minutes the polls cost a tenth. Beside
// it, in the same run, stands the same process with nothing to do.
//
//	go test ./worker -run '^$' -bench BenchmarkWaiting -benchtime 1x
func BenchmarkWaiting(b *testing.B) {
	program := filepath.Join(b.TempDir(), "worker")
	if out, err := exec.Command("go", "build", "-o", program, "bandwidthworker/cmd/worker").CombinedOutput(); err != nil {
		b.Fatalf("build the worker: %v\n%s", err, out)
	}
	b.Run("orders=0", func(b *testing.B) { benchWaiting(b, program, 0) })
	b.Run(fmt.Sprintf("orders=%d", waitingOrders), func(b *testing.B) { benchWaiting(b, program, waitingOrders) })
}

func benchWaiting(b *testing.B, program string, count int) {
	w := workertest.Start(b, workertest.Options{Sim: bwfake.Options{Quiet: true, CompleteAfter: 24 * time.Hour}, NoEvents: true})
	submitted := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(count))
	sub, err := w.Conn.Subscribe(w.Names.Event(messages.Provision, messages.Submitted, "*", "*"), func(*nats.Msg) {
		if left.Add(-1) == 0 {
			close(submitted)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sub.Unsubscribe() })
	ctx, stop := context.WithCancel(context.Background())
	process := exec.CommandContext(ctx, program, "--nats-url", w.NATS.URL, "--http-listen", "", "--base-url", w.Sim.URL, "--account-id", "20902288",
		"--api-username", workertest.Username, "--api-password", workertest.Password, "--site-id", "1234", "--sip-peer", "234222",
		"--order-name-prefix", "bench", "--ledger-guard", "0s", "--log-level", "error",
		"--poll-min-interval", waitingPoll.String(), "--poll-max-interval", waitingPoll.String())
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(); _ = process.Wait() })
	for i := range count {
		if _, err := w.JS.PublishAsync(w.Names.Request(messages.Provision, ""), fmt.Appendf(nil, `{"request_id":"w%d","numbers":[%q]}`, i, benchNumber(i))); err != nil {
			b.Fatal(err)
		}
	}
	if count > 0 {
		select {
		case <-submitted:
		case <-time.After(2 * time.Minute):
			b.Fatalf("%d orders were not submitted", left.Load())
		}
	}
	polls := func() int { return w.Sim.Calls(bwfake.EndpointGet) }
	for b.Loop() {
		beganCPU, beganPolls := processorTime(b, process.Process.Pid), polls()
		<-time.After(waitingPoll)
		used := processorTime(b, process.Process.Pid) - beganCPU
		b.ReportMetric(100*used.Seconds()/waitingPoll.Seconds(), "cpu-%")
		b.ReportMetric(float64(polls()-beganPolls)/waitingPoll.Seconds(), "polls/s")
		b.ReportMetric(residentMiB(b, process.Process.Pid), "MiB")
	}
}

// processorTime returns the time that a process has used, user and system.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	// The second field, the program's name in brackets, may hold spaces.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	total := 0
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		ticks, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		total += ticks
	}
	return time.Duration(total) * 10 * time.Millisecond
}

// residentMiB returns the most memory that a process has held so far.
func residentMiB(b *testing.B, pid int) float64 {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	b.Fatal("the system does not say how much memory the process holds")
	return 0
}
