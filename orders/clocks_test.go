package orders

import (
	"testing"
	"time"
	"unsafe"
)

// shifted returns t with its monotonic reading moved by d, and its wall clock as it is: the two part when a machine is
// suspended or its clock is set.
func shifted(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	before := at
	*(*int64)(unsafe.Add(unsafe.Pointer(&at), 8)) += int64(d)
	if got := at.Sub(before); got != d || !at.Round(0).Equal(before.Round(0)) {
		t.Fatalf("the monotonic reading moved by %s, the wall clock by %s", got, at.Round(0).Sub(before.Round(0)))
	}
	return at
}

// TestP11_BothClocks: time has passed when either clock says so.
func TestP11_BothClocks(t *testing.T) {
	const minute = time.Minute
	now := time.Now()
	for _, c := range []struct {
		name      string
		wall, own time.Duration // how long ago the claim was by each clock
		want      bool
	}{
		{"neither", 10 * time.Second, 10 * time.Second, false},
		{"both", 2 * minute, 2 * minute, true},
		{"the machine was suspended: its monotonic clock stood still", 2 * minute, time.Second, true},
		{"the wall clock was put back", -minute, 2 * minute, true},
		{"the wall clock was put back, and no time has passed", -minute, time.Second, false},
	} {
		at := shifted(t, now.Add(-c.wall), c.wall-c.own)
		if got := passed(at, minute); got != c.want {
			t.Errorf("%s: passed %t, want %t", c.name, got, c.want)
		}
	}
}
