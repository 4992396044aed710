package proof

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

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
	b.WriteString("\nPOSTs that Bandwidth spoilt or refused:")
	for i, k := range slices.Sorted(maps.Keys(r.posts)) {
		if i%6 == 0 {
			b.WriteString("\n ")
		}
		fmt.Fprintf(&b, " %d %s;", r.posts[k], k)
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
