package proof

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	runsFlag     = flag.Int("proof.runs", 0, "how many seeded runs; 0: a sample of the enumerated ones")
	seedFlag     = flag.Uint64("proof.seed", 0, "the seed of the first run; the enumerated plans have the first ones")
	seedsFlag    = flag.String("proof.seeds", "", "run just these seeds, separated by commas")
	onlyFlag     = flag.String("proof.only", "", "run those of the enumerated plans that match this expression, by their names and what is planned")
	traceFlag    = flag.Bool("proof.trace", false, "print what the workers log and what happens to them")
	logsFlag     = flag.String("proof.logs", "", "a folder that keeps the log of each run that fails")
	parallelFlag = flag.Int("proof.parallel", 24, "how many runs at once: they wait most of the time")
	patienceFlag = flag.Duration("proof.patience", 15*time.Second, "how long no worker may do anything until whatever is left counts as lost")
	stopFlag     = flag.Bool("proof.stop", false, "stop at the first run that fails")
)

// TestProof runs seeded schedules of faults through the real pipeline and checks what came of them.
func TestProof(t *testing.T) {
	seeds := seedsToRun(t)
	began := time.Now()
	results := make(chan result)
	queue := make(chan uint64)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var working sync.WaitGroup
	for range min(*parallelFlag, len(seeds)) {
		working.Go(func() {
			for seed := range queue {
				dir, err := os.MkdirTemp(t.TempDir(), "run")
				if err != nil {
					t.Error(err)
					return
				}
				out, log := io.Discard, new(bytes.Buffer)
				switch {
				case *traceFlag:
					out = os.Stderr
				case *logsFlag != "":
					out = log
				}
				res, err := play(ctx, planOf(seed), dir, out, *patienceFlag)
				_ = os.RemoveAll(dir)
				if ctx.Err() != nil {
					return
				}
				if len(res.violations) > 0 && *logsFlag != "" {
					if err := os.WriteFile(filepath.Join(*logsFlag, fmt.Sprint(seed, ".log")), log.Bytes(), 0o600); err != nil {
						t.Error(err)
					}
				}
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					continue
				}
				results <- res
			}
		})
	}
	go func() {
		defer close(queue)
		for _, seed := range seeds {
			select {
			case queue <- seed:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { working.Wait(); close(results) }()
	report := newReport()
	for res := range results {
		report.add(res)
		if len(res.violations) > 0 {
			t.Errorf("%s\n  %s\n  repeat: go test ./worker/proof -run 'Proof$' -proof.seeds=%d -proof.trace", res.plan, violationLines(res.violations), res.plan.Seed)
			if *stopFlag {
				cancel()
			}
		}
	}
	if *stopFlag && t.Failed() {
		return
	}
	t.Logf("%s\nin %s", report, time.Since(began).Round(100*time.Millisecond))
	for _, res := range report.still {
		t.Logf("the server forgot %d timers in %s", res.forgotten, res.plan)
	}
	report.matrix(t)
	report.buried(t)
}

// seedsToRun are the seeds that the flags ask for. The slow runs come first: they wait while others work.
func seedsToRun(t *testing.T) []uint64 {
	var seeds []uint64
	if *seedsFlag != "" {
		for _, s := range strings.Split(*seedsFlag, ",") {
			var n uint64
			if _, err := fmt.Sscan(s, &n); err != nil {
				t.Fatalf("-proof.seeds: %v", err)
			}
			seeds = append(seeds, n)
		}
		return seeds
	}
	if *onlyFlag != "" {
		only, err := regexp.Compile(*onlyFlag)
		if err != nil {
			t.Fatalf("-proof.only: %v", err)
		}
		for seed := range enumerated() {
			if only.MatchString(planOf(seed).String()) {
				seeds = append(seeds, seed)
			}
		}
		if len(seeds) == 0 {
			t.Fatalf("-proof.only=%s: no plan matches", *onlyFlag)
		}
		return seeds
	}
	for i := range uint64(*runsFlag) {
		seeds = append(seeds, *seedFlag+i)
	}
	if *runsFlag == 0 { // a sample, for those who run all tests
		for seed := range enumerated() {
			if specials := uint64(len(specials())); seed < specials || (seed-specials)%9 == 0 {
				seeds = append(seeds, seed)
			}
		}
	}
	slices.SortStableFunc(seeds, func(a, b uint64) int {
		switch slow, other := planOf(a).Slow, planOf(b).Slow; {
		case slow == other:
			return 0
		case slow:
			return -1
		}
		return 1
	})
	return seeds
}

func violationLines(list []Violation) string {
	var out []string
	for _, v := range list {
		out = append(out, v.String())
	}
	return strings.Join(out, "\n  ")
}
