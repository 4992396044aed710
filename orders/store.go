package orders

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Store]. Any other error of Create or Update means that the write may have been applied.
var (
	// ErrNotFound: there is no record under this key, or a lagging replica does not have it yet.
	ErrNotFound = errors.New("no such order")
	// ErrConflict: somebody else wrote the record, or our own write whose answer was lost (P10).
	ErrConflict = errors.New("the record was written by somebody else")
	// ErrNoNumber: a [Registry] knows nothing of a number.
	ErrNoNumber = errors.New("the number did not come through here")
)

// Store keeps the records, one for each order, and changes them only by compare-and-set. Its implementations are
// safe for concurrent use, and pass the suite in package storetest.
type Store interface {
	// Get returns the record with its revision and the server's time of its last write, or [ErrNotFound]. The read
	// may be stale (P5): decide by Create and Update.
	Get(ctx context.Context, key ID) (*Record, error)
	// Create stores a record that does not exist yet and returns its revision, or [ErrConflict].
	Create(ctx context.Context, r *Record) (uint64, error)
	// Update replaces the record that was read at r.Revision and returns the new revision, or [ErrConflict].
	Update(ctx context.Context, r *Record) (uint64, error)
}

// Index lists the orders that are not finished (P6). Its implementations are safe for concurrent use.
type Index interface {
	// Open enters an order with the generation that is about to be created. An entry that names this generation or a
	// later one stays as it is: a worker that stood still meanwhile must not put it back.
	Open(ctx context.Context, key ID, generation int) error
	// Close takes the order out again, unless its entry names a later generation. An entry that is gone is no error.
	Close(ctx context.Context, key ID, generation int) error
	// Entries calls f for each entry until f returns false.
	Entries(ctx context.Context, f func(IndexEntry) bool) error
}

// IndexEntry is an order that is not finished.
type IndexEntry struct {
	Key        ID
	Generation int
	// At is the server's time of the entry.
	At time.Time
}

// Carrier is the vendor as the driver sees it. Its implementations are safe for concurrent use.
type Carrier interface {
	// Find searches for up to quantity numbers that fit an order's criteria and are none of tried. It chooses at
	// random among more than it needs, so that our own orders do not race for the same ones (P37).
	Find(ctx context.Context, criteria []byte, quantity int, tried []string) FindFact
	// Prepare waits for everything that a POST could wait for: pace and access token (P8). It returns a [*HoldError]
	// when purchases are held back for longer than it is worth waiting for.
	Prepare(ctx context.Context) error
	// PrepareReserve is Prepare for a reservation. While orders are refused it returns a [*HoldError].
	PrepareReserve(ctx context.Context) error
	// Reserve reserves a number, once: created with the reservation's id in place of an order's, or refused, or unknown.
	// Empty means that nothing was sent, or that it is to be sent again. It sends nothing after sendBy.
	Reserve(ctx context.Context, number string, sendBy time.Time) PostFact
	// Unreserve gives a reservation back. Doing so again is harmless.
	Unreserve(ctx context.Context, reservation string) error
	// Place sends the POST of a purchase, once, and says what came of it. It sends nothing after sendBy, which it
	// checks on the monotonic and on the wall clock right before sending (P11). It blocks until sendBy at the most.
	Place(ctx context.Context, p Purchase, sendBy time.Time) PostFact
	// Holders reads which Bandwidth order holds each number (P34).
	Holders(ctx context.Context, numbers []string) HoldersFact
	// PrepareRelease is Prepare for a disconnect.
	PrepareRelease(ctx context.Context) error
	// Release sends a disconnect, once, under the rules of Place.
	Release(ctx context.Context, rel Release, o ReleaseOptions, sendBy time.Time) PostFact
	// PollRelease reads a disconnect. Completed are the numbers it names as released, FailedNumbers the others.
	PollRelease(ctx context.Context, id OrderID) PollFact
	// PreparePortIn is Prepare for a port-in, which Place sends as well.
	PreparePortIn(ctx context.Context) error
	// PollPortIn reads a port-in of a purchase, of which the fact repeats no secret. Completed are its numbers, once it is
	// complete.
	PollPortIn(ctx context.Context, p Purchase, id OrderID) PollFact
	// Close closes an order that waits for stock (PUT CloseOrder). Doing so again is harmless.
	Close(ctx context.Context, p Purchase, id OrderID) CloseFact
	// Poll reads a Bandwidth order, with its list of numbers where the order alone leaves them open (P24).
	Poll(ctx context.Context, id OrderID) PollFact
	// Look looks for the orders that carry the purchase's customer order id, by that id and, when probe is set, by
	// the numbers (P16, P17). A port-in is looked for by the id alone, under every status.
	Look(ctx context.Context, p Purchase, probe bool) LookFact
}

// HoldError says that purchases are held back.
type HoldError struct {
	// Until is when to try again, by the server's clock.
	Until time.Time
	Why   string
}

func (e *HoldError) Error() string { return "purchases are held back: " + e.Why }

// Bus is the message bus as the driver sees it. Its implementations are safe for concurrent use.
type Bus interface {
	// SetTimer asks for a tick of the order at that time, in place of an earlier one (P3, P5).
	SetTimer(ctx context.Context, key ID, at time.Time, revision uint64) error
	// Announce publishes an intermediate event, the n-th of its outcome in this generation, as well as it can: it
	// may be lost (P29).
	Announce(ctx context.Context, r *Record, outcome State, n int)
	// PublishOutcome publishes the outcome's event and, unless it is completed, its dead letter, waits for both to
	// be stored, and returns the letter's stream sequence (P23).
	PublishOutcome(ctx context.Context, r *Record) (letter uint64, err error)
	// DropLetter removes the dead letter with this stream sequence (P26). One that is gone is no error.
	DropLetter(ctx context.Context, sequence uint64) error
}
