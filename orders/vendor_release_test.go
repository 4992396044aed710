package orders

import (
	"context"
	"fmt"
	"time"
)

// Holders tells who holds numbers: of this model only those in owners are held.
func (b *bandwidth) Holders(_ context.Context, numbers []string) HoldersFact {
	if b.w.dies() {
		panic(crashed{})
	}
	if len(b.holders) > 0 {
		f := b.holders[0]
		b.holders = b.holders[1:]
		return f
	}
	f := HoldersFact{Holders: map[string]Holder{}}
	for _, n := range numbers {
		f.Holders[n] = Holder{OrderID: b.owners[n]}
	}
	return f
}

func (b *bandwidth) PrepareRelease(ctx context.Context) error { return b.Prepare(ctx) }

// Release gives back what is held.
func (b *bandwidth) Release(_ context.Context, rel Release, _ ReleaseOptions, sendBy time.Time) PostFact {
	w := b.w
	if w.dies() {
		panic(crashed{})
	}
	kind := answered
	if len(b.releases) < len(b.script) {
		kind = b.script[len(b.releases)]
	}
	gone := codeNotOurs
	if b.goneCode != "" {
		gone = b.goneCode
	}
	d := disconnect{id: OrderID(fmt.Sprintf("d%d", len(b.releases)+1)), at: time.Now(), numbers: rel.Numbers}
	if kind == answered || kind == lostAfter {
		for _, n := range rel.Numbers {
			released, silent := b.silent[n]
			switch {
			case silent:
				d.silent = true
				if released {
					delete(b.owners, n)
				}
			case b.keeps[n]:
				d.failed = append(d.failed, FailedNumber{Number: n, Code: "5109"})
			case b.owners[n] == "":
				d.failed = append(d.failed, FailedNumber{Number: n, Code: gone})
			default:
				d.released = append(d.released, n)
				delete(b.owners, n)
			}
		}
	}
	b.releases = append(b.releases, d)
	var f PostFact
	switch kind {
	case answered:
		f = PostFact{State: PostCreated, OrderID: d.id, Status: "RECEIVED"}
	case lostAfter:
		if b.rebought != nil {
			b.rebought()
		}
		time.Sleep(time.Until(sendBy))
		f = PostFact{State: PostUnknown, Detail: "no answer"}
	case lostBefore:
		f = PostFact{State: PostUnknown, Detail: "no answer"}
	case refusedPost:
		f = PostFact{State: PostRefused, Errors: []VendorError{{Code: "5084", Description: "bad mode"}}, Detail: "400"}
	case secondRejected:
		f = PostFact{State: PostRefused, Errors: []VendorError{{Code: gone, Description: "not here"}}, Detail: "400"}
	default:
		f = PostFact{Detail: "dial: refused"}
	}
	if w.dies() {
		panic(crashed{})
	}
	return f
}

// PollRelease reads a disconnect.
func (b *bandwidth) PollRelease(_ context.Context, id OrderID) PollFact {
	if b.w.dies() {
		panic(crashed{})
	}
	for _, d := range b.releases {
		if d.id != id {
			continue
		}
		f := PollFact{Status: "COMPLETE", Completed: d.released, FailedNumbers: d.failed}
		if time.Since(d.at) < b.runFor {
			return PollFact{Status: "RECEIVED"}
		}
		switch {
		case len(d.released) == 0 && !d.silent:
			f.Status = "FAILED"
		case len(d.failed) > 0, d.silent:
			f.Status = "PARTIAL"
		}
		return f
	}
	return PollFact{Failed: true, Detail: "404"}
}

// disconnect is an order of the vendor's to give numbers back.
type disconnect struct {
	id                OrderID
	at                time.Time
	numbers, released []string
	failed            []FailedNumber
	silent            bool // it says nothing of some of them
}
