package orders

import (
	"testing"
	"time"
)

// TestDelays: each delay with its bounds, for any number of attempts and any jitter.
func TestDelays(t *testing.T) {
	for _, c := range []struct {
		name           string
		delay          func(s Settings, attempt int) time.Duration
		first, longest time.Duration
	}{
		{"poll", func(s Settings, n int) time.Duration { return s.pollDelay(n-1, Pending) }, time.Second, 5 * time.Minute},
		{"backordered poll", func(s Settings, n int) time.Duration { return s.pollDelay(n-1, Waiting) }, time.Second, 30 * time.Minute},
		{"look", func(s Settings, n int) time.Duration { return s.lookDelay(n) }, time.Second, time.Minute},
		{"retry", func(s Settings, n int) time.Duration { return s.retryDelay(n) }, time.Second, 5 * time.Minute},
	} {
		for _, random := range []float64{0, 0.5, 0.999999} {
			s := DefaultSettings()
			s.Random = func() float64 { return random }
			last := time.Duration(0)
			for attempt := 1; attempt <= 200; attempt++ {
				d := c.delay(s, attempt)
				if d < c.first || d > c.longest {
					t.Fatalf("%s, attempt %d, random %v: %s is not from %s to %s", c.name, attempt, random, d, c.first, c.longest)
				}
				if d < last {
					t.Errorf("%s, attempt %d, random %v: %s is less than %s before", c.name, attempt, random, d, last)
				}
				last = d
			}
			if last < c.longest*9/10-time.Second {
				t.Errorf("%s never comes near its longest delay: %s", c.name, last)
			}
		}
	}
	s := DefaultSettings()
	s.Random = func() float64 { return 0.5 }
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 1500 * time.Millisecond, 3: 2250 * time.Millisecond, 4: 3375 * time.Millisecond} {
		if got := s.retryDelay(attempt); got != want {
			t.Errorf("retry %d waits %s, want %s", attempt, got, want)
		}
	}
	if d := DefaultSettings().pollDelay(10, Pending); d < time.Second || d > 5*time.Minute { // the real random source
		t.Errorf("poll 10 waits %s", d)
	}
}
