package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// checkLimits refuses limits that cannot be meant.
func (r replayCmd) checkLimits() error {
	if r.Rate < 0 || r.StopAfter < 0 {
		return errors.New("--rate and --stop-after cannot be negative")
	}
	return nil
}

// skipsDouble reports whether a letter is left out of a batch because its replay may buy twice; that is risked only
// for letters that are named by their keys (P21b).
func (r replayCmd) skipsDouble(p *program, l bus.Letter) bool {
	if !l.NeedsAcceptDouble() {
		return false
	}
	p.say("skipped %s: its replay may buy twice; compare with Bandwidth, then publish replay %s --accept-double", l.LetterID, l.Key)
	return true
}

// refuseDouble refuses a letter whose replay may buy twice where that was not accepted.
func (r replayCmd) refuseDouble(l bus.Letter) error {
	if r.AcceptDouble || !l.NeedsAcceptDouble() {
		return nil
	}
	return fmt.Errorf("%s may have been bought, and a replay may buy it twice: compare with Bandwidth, then add --accept-double; nothing was replayed", l.LetterID)
}

// pace spaces the replays.
func (r replayCmd) pace() *rate.Limiter {
	if r.Rate <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(r.Rate), 1)
}

// batch replays letters, follows each to its outcome, and stops once too many have failed again.
func (r replayCmd) batch(p *program, c *cli, client *bus.Client, letters []bus.Letter) error {
	ended := map[messages.Outcome]int{}
	unknown := 0
	var broken error
	begun := client.ReplayBatch(p.ctx, letters, bus.ReplayOptions{StopAfter: r.StopAfter, AcceptDouble: r.AcceptDouble, Turn: r.pace().Wait}, func(result bus.ReplayResult) {
		if result.Err != nil {
			unknown++
			broken = errors.Join(broken, fmt.Errorf("%s: %w", result.Letter.LetterID, result.Err))
			return
		}
		ended[result.Event.Outcome]++
		if c.JSON {
			broken = errors.Join(broken, json.NewEncoder(p.stdout).Encode(result.Event))
			return
		}
		_, err := fmt.Fprintln(p.stdout, line(*result.Event))
		broken = errors.Join(broken, err)
	})
	again := ended[messages.Failed] + ended[messages.Partial]
	p.say("replayed: %d of %d; completed: %d, failed again: %d", begun, len(letters), ended[messages.Completed], again)
	switch {
	case p.ctx.Err() != nil:
		return exitError{exitTimedOut, fmt.Errorf("stopped; %d replays have no outcome yet and go on", unknown)}
	case broken != nil:
		return broken
	case begun < len(letters):
		return exitError{exitFailed, fmt.Errorf("stopped after %d replays that failed again; %d dead letters were left as they are", again, len(letters)-begun)}
	case again > 0:
		return exitError{code: exitFailed}
	}
	return nil
}
