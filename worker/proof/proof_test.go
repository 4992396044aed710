package proof

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
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

// report gathers what the runs came to.
type report struct {
	figures         Figures
	failed          []uint64
	faults          map[string]int
	posts           map[string]int
	visited         map[cell]bool
	planned         map[cell]uint64 // with the seed that visits it
	deaths, crashes int
	slowest         time.Duration
	dead            []*mortal
	forgotten, cut  int
	disks           int
	still           []result
}

func newReport() *report {
	return &report{faults: map[string]int{}, posts: map[string]int{}, visited: map[cell]bool{}, planned: map[cell]uint64{}}
}

func (r *report) add(res result) {
	r.figures.Add(res.figures)
	if len(res.violations) > 0 {
		r.failed = append(r.failed, res.plan.Seed)
	}
	for _, f := range res.fired {
		r.faults[string(f.kind)]++
	}
	for name, n := range res.posts {
		r.posts[name] += n
	}
	for _, c := range res.plan.Cells {
		r.planned[c] = res.plan.Seed
	}
	for _, c := range res.visited {
		r.visited[c] = true
	}
	r.deaths += res.deaths
	r.crashes += res.crashes
	r.forgotten += res.forgotten
	r.cut += res.cut
	if res.plan.DiskFull[1] > 0 {
		r.disks++
	}
	if res.forgotten > 0 {
		r.still = append(r.still, res)
	}
	r.slowest = max(r.slowest, res.took)
	r.dead = append(r.dead, res.dead...)
}

// String shows the table.
func (r *report) String() string {
	f := r.figures
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d runs, %d orders in %d generations, %d dead letters replayed, %d events\n", f.Runs, f.Orders, f.Generations, f.Replays, f.Published)
	fmt.Fprintf(&b, "%d numbers bought, %d reported\n", f.NumbersBought, f.NumbersReported)
	fmt.Fprintf(&b, "bought twice %d, lost %d, disagreements %d, other violations %d\n", f.BoughtTwice, f.Lost, f.Disagreements, f.Others)
	n := 0
	for _, k := range f.Undecidable {
		n += k
	}
	fmt.Fprintf(&b, "undecidable %d\n", n)
	for _, why := range slices.Sorted(maps.Keys(f.Undecidable)) {
		fmt.Fprintf(&b, "  %4d  %s\n", f.Undecidable[why], why)
	}
	fmt.Fprintf(&b, "faults: %d deaths of workers, %d crashes of brokers (%d unacknowledged messages cut off), %d full disks", r.deaths, r.crashes, r.cut, r.disks)
	for _, k := range slices.Sorted(maps.Keys(r.faults)) {
		if k != string(fateDies) {
			fmt.Fprintf(&b, ", %d %s", r.faults[k], k)
		}
	}
	b.WriteString("\nof POSTs:")
	for _, k := range slices.Sorted(maps.Keys(r.posts)) {
		fmt.Fprintf(&b, " %s %d,", k, r.posts[k])
	}
	fmt.Fprintf(&b, "\n%d timers that the server held and did not fire; the rescuer found their orders", r.forgotten)
	fmt.Fprintf(&b, "\nthe longest run took %s", r.slowest.Round(100*time.Millisecond))
	return b.String()
}

// matrix fails the test for each planned cell that no run has visited, and shows the others.
func (r *report) matrix(t *testing.T) {
	if len(r.planned) == 0 {
		return
	}
	var b strings.Builder
	for _, s := range spots() {
		fmt.Fprintf(&b, "\n%-24s", s)
		for _, o := range outcomes() {
			c := cell{s, o.name}
			switch seed, planned := r.planned[c]; {
			case !planned:
				b.WriteString(" .")
			case r.visited[c]:
				b.WriteString(" x")
			default:
				b.WriteString(" -")
				t.Errorf("no run has visited: a death %s, with a POST that was %s (planned for seed %d)", s, o.name, seed)
			}
		}
	}
	t.Logf("deaths by outcomes of the first POST, %d of %d visited:%s", len(r.visited), len(cells()), b.String())
}

// buried fails the test where a dead worker's goroutines do not end.
func (r *report) buried(t *testing.T) {
	limit := time.After(60 * time.Second)
	for _, w := range r.dead {
		select {
		case <-w.ended:
		case <-limit:
			t.Fatalf("the goroutines of a dead worker go on")
		}
	}
}
