package bus

import (
	"context"
	"encoding/json"

	"bandwidthworker/messages"
)

// replaysAtOnce bounds the replays whose outcomes are followed at one time.
const replaysAtOnce = 16

// ReplayOptions say how a batch is replayed, and when it is stopped.
type ReplayOptions struct {
	// StopAfter stops the batch once so many replays have not ended as completed; less than 1 counts as 1.
	StopAfter int
	// AcceptDouble takes the risk of buying twice for the letters where nothing can rule it out (P21b).
	AcceptDouble bool
	// Turn blocks until the next replay may be published, and returns an error to end the batch; nil for no pace.
	Turn func(context.Context) error
}

// ReplayResult is one replay of a batch.
type ReplayResult struct {
	Letter  Letter
	Receipt Receipt
	// Event is the final one; nil where Err says why there is none.
	Event *messages.Event
	Err   error
}

// NeedsAcceptDouble reports whether a replay of the letter may buy twice, and nothing can rule it out (P21b): its
// outcome is unknown, and Bandwidth chose the numbers itself, or they are ported in.
func (l Letter) NeedsAcceptDouble() bool {
	if l.Reason != messages.ReasonOutcomeUnknown {
		return false
	}
	if l.Kind == messages.PortIn {
		return true
	}
	for _, body := range []json.RawMessage{l.Request, l.DeadLetter.Replay} {
		var r struct {
			Backorder bool `json:"backorder"`
		}
		if json.Unmarshal(body, &r) == nil && r.Backorder {
			return true
		}
	}
	return false
}

// ReplayBatch replays letters and follows each to its end, until all have ended or o.StopAfter of them have not ended
// as completed. Never are so many on their way that more than that could fail: with 1 each waits for the one before
// it. each is called for every replay that was begun, one at a time. It returns how many were begun. When ctx is done
// it stops; what was begun goes on all the same.
func (c *Client) ReplayBatch(ctx context.Context, letters []Letter, o ReplayOptions, each func(ReplayResult)) int {
	stopAfter := max(o.StopAfter, 1)
	results := make(chan ReplayResult)
	begun, running, failed := 0, 0, 0
	take := func() {
		r := <-results
		running--
		if r.Err != nil || r.Event.Outcome != messages.Completed {
			failed++
		}
		each(r)
	}
	for _, l := range letters {
		for running > 0 && (running+failed >= stopAfter || running >= replaysAtOnce) {
			take()
		}
		if failed >= stopAfter || ctx.Err() != nil || o.Turn != nil && o.Turn(ctx) != nil {
			break
		}
		begun++
		running++
		go func() {
			receipt, event, err := c.RequestReplay(ctx, l, o.AcceptDouble && l.NeedsAcceptDouble(), nil)
			results <- ReplayResult{Letter: l, Receipt: receipt, Event: event, Err: err}
		}()
	}
	for running > 0 {
		take()
	}
	return begun
}
