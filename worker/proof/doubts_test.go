package proof

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
)

// claim is an intent as the wire saw it: who wrote it, and whether that worker learnt and wrote down what its POST did.
type claim struct {
	key, token, customerOrderID string
	by                          *mortal
	at                          time.Time
	post                        *sentPost // nil while none was sent
	postAt                      time.Time
	// settled says that the same worker wrote the record again in time, knowing a decisive answer or having sent nothing.
	settled bool
}

// record returns the record as it was last written.
func (r *run) record(key string) *recordView {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[key]
}

// claimed reports whether an intent was seen before.
func (r *run) claimed(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claims[token] != nil
}

// sent takes note of what a worker has passed to the broker.
func (r *run) sent(w *mortal, a action) {
	if a.view == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	token, coid := a.view.open()
	if a.point == pointIntent && token != "" && r.claims[token] == nil {
		r.claims[token] = &claim{key: a.key, token: token, customerOrderID: coid, by: w, at: time.Now()}
	}
}

// written takes note of a record that the broker has stored.
func (r *run) written(a action) {
	if a.view == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records[a.key] = a.view
}

// heard takes note that a worker learns that its write was stored.
func (r *run) heard(w *mortal, a action) {
	if a.view == nil || a.point == pointIntent {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.claims {
		decided := c.post == nil || decides(c.post.answer)
		if c.key == a.key && c.by == w && decided && time.Since(c.at) < postTimeout/2 {
			c.settled = true
		}
	}
}

// postSent takes note of a POST that is about to leave a worker.
func (r *run) postSent(w *mortal, p *sentPost) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var last *claim
	for _, c := range r.claims {
		if c.key == p.key && c.by == w && (last == nil || c.at.After(last.at)) {
			last = c
		}
	}
	if last != nil {
		last.post, last.postAt = p, time.Now()
	}
}

// postAnswered takes note of what came back.
func (r *run) postAnswered(p *sentPost, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.answer = append(p.answer, data...)
}

// judge says of an order which of its POSTs were in doubt, and whether anybody could have found out by the time of its
// first outcome_unknown.
func (r *run) judge(o *Order, p planned, bandwidth []bwfake.Purchase, unknown *messages.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	created := map[string][]bwfake.Purchase{}
	for _, b := range bandwidth {
		created[b.CustomerOrderID] = append(created[b.CustomerOrderID], b)
	}
	claims, doubtful := map[string]int{}, map[string]int{} // until then, by customer order id
	for _, c := range r.claims {
		if c.key != o.Key {
			continue
		}
		soon := unknown != nil && c.at.Before(unknown.OccurredAt)
		if soon {
			claims[c.customerOrderID]++
		}
		if c.settled {
			continue
		}
		o.Doubts = append(o.Doubts, c.doubt())
		if soon {
			doubtful[c.customerOrderID]++
		}
	}
	slices.Sort(o.Doubts)
	for id := range doubtful {
		exist, short := 0, false
		for _, b := range created[id] {
			if b.At.Before(unknown.OccurredAt) {
				exist++
				short = short || b.Status != "COMPLETE"
			}
		}
		switch {
		case p.Hidden && exist > 0:
			o.Undecidable = "the order exists, and Bandwidth's reads hide it for longer than the settle window"
		case p.Backorder && exist == 0:
			o.Undecidable = "the only POST of a backorder had no answer and created nothing: it may not be repeated"
		case p.Blind && exist == 0:
			o.Undecidable = "the only POST had no answer, and Bandwidth does not say who holds a number"
		case claims[id] > doubtful[id] && exist == 0:
			o.Undecidable = "the first POST had no answer, and the second one was refused (P19)"
		case claims[id] > 1 && exist == 0:
			o.Undecidable = "both POSTs of one intent had no answer, and neither created an order"
		case exist > 0 && exist < claims[id] && short:
			o.Undecidable = "the first POST had no answer, and the second one brought less than all (P19)"
		}
	}
	for id, list := range created {
		for _, c := range r.claims {
			if c.customerOrderID == id && len(list) > 1 && !c.settled && list[len(list)-1].At.After(c.at.Add(postTimeout+settleWindow*9/10)) && p.mayBeLate() {
				o.LateCreation = fmt.Sprintf("order %s was created %s after its claim", list[len(list)-1].OrderID, list[len(list)-1].At.Sub(c.at))
			}
		}
	}
}

// doubt says what nobody can know of a claim.
func (c *claim) doubt() string {
	switch {
	case c.post == nil:
		return "the worker did not live to send it, or to write down that it had not"
	case len(c.post.answer) == 0:
		return "no answer reached the worker"
	case !decides(c.post.answer):
		line, _, _ := strings.Cut(string(c.post.answer), "\r\n")
		return "the answer decides nothing: " + line
	default:
		return "the answer came, and was not written down in time"
	}
}
