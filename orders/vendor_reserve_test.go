package orders

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// reservation is of a number.
type reservation struct {
	id    string
	until time.Time
}

// reservedBy returns the reservation of a number that stands.
func (b *bandwidth) reservedBy(n string) string {
	if r := b.reservations[n]; time.Now().Before(r.until) {
		return r.id
	}
	return ""
}

// Reserve holds a number for four hours.
func (b *bandwidth) Reserve(_ context.Context, number string, sendBy time.Time) PostFact {
	w := b.w
	if w.dies() {
		panic(crashed{})
	}
	kind := answered
	if b.reserveCalls < len(b.reserving) {
		kind = b.reserving[b.reserveCalls]
	}
	b.reserveCalls++
	var f PostFact
	switch {
	case kind == unsent:
		f = PostFact{Detail: "dial: refused"}
	case kind == limited:
		f = PostFact{Detail: "429", Paused: true, RetryAt: w.clock.Now().Add(time.Minute)}
	case kind == lostBefore:
		f = PostFact{State: PostUnknown, Detail: "no answer"}
	case b.noReserving != nil:
		f = PostFact{State: PostRefused, Detail: "400", Errors: b.noReserving}
	case b.holder(number) != "" || b.reservedBy(number) != "":
		f = PostFact{State: PostRefused, Detail: "400", Errors: []VendorError{{Code: "5041", Description: "not available"}}}
	default:
		life := b.reserveLife
		if life == 0 {
			life = 4 * time.Hour
		}
		r := reservation{id: fmt.Sprintf("r%d", b.reserveCalls), until: time.Now().Add(life)}
		if b.reservations == nil {
			b.reservations = map[string]reservation{}
		}
		b.reservations[number] = r
		f = PostFact{State: PostCreated, OrderID: OrderID(r.id)}
		if kind == lostAfter {
			time.Sleep(time.Until(sendBy))
			f = PostFact{State: PostUnknown, Detail: "no answer"}
		}
	}
	if b.onReserve != nil {
		b.onReserve()
	}
	if w.dies() {
		panic(crashed{})
	}
	return f
}

// Unreserve lets a number go.
func (b *bandwidth) Unreserve(_ context.Context, id string) error {
	if b.w.dies() {
		panic(crashed{})
	}
	if b.keepsReserved != nil && b.keepsReserved() {
		return errors.New("500")
	}
	for n, r := range b.reservations {
		if r.id == id {
			b.unreserved++
			delete(b.reservations, n)
		}
	}
	return nil
}

// gone returns the numbers whose reservations, as the purchase names them, have ended.
func (b *bandwidth) gone(p Purchase) []string {
	var out []string
	for _, n := range p.Numbers {
		if id := p.Reservations[n]; id != "" && b.reservedBy(n) != id {
			out = append(out, n)
		}
	}
	return out
}

func (b *bandwidth) PrepareReserve(ctx context.Context) error { return b.Prepare(ctx) }
