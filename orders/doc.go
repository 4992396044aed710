// Package orders is the domain: what an order of telephone numbers is, what is known about it, and what to do next.
//
// It knows neither the bus nor the vendor's wire format. A [Record] holds facts only: which intents were written,
// which POSTs were sent and what their answers were, which Bandwidth orders are known and what was last read of them.
// [StateOf] computes the state from the facts, and [Next] decides from (record, conditions, now) what to do next;
// both are pure. [Driver] carries the decisions out through three thin edges: a [Store] with compare-and-set, a
// [Carrier] that talks to the vendor, and a [Bus] with timers, events and dead letters.
//
// The life of an order:
//
//	request ─▶ accepted ─▶ resolving ─▶ submitting ─▶ submitted ─▶ completed
//	                          │             │  ▲          │  ▲  ├──▶ partial ─▶ dead letter
//	                          │             ▼  │          ▼  │  └──▶ failed  ─▶ dead letter
//	                          │           unknown      backordered
//	                          └──▶ failed (nothing to buy)   (unknown may also end as failed: outcome_unknown)
//
// What a crash leaves behind, step by step of a purchase, and who looks at it:
//
//	crash or lost reply                      left behind                      found by
//	before the record is created             the request, unacked             redelivery of the request
//	after the record, before the timer       record, open entry, request      redelivery (P2), rescuer (P6)
//	after the timer, before the ack          record, timer, request           redelivery is a duplicate, answered (P2)
//	after the intent, before the POST        an open claim                    the next tick, after the claim's time (P12)
//	during the POST, or its reply lost       an open claim                    the same; then it is asked for, never repeated blindly (P16 to P18)
//	after the POST, before its record write  an open claim, a Bandwidth order looked up by its customer order id (P17)
//	after the final record, before the event the outcome, not published       the next tick repeats from the record (P23)
//	among the numbers' registration          some registered, not published   the same; each by compare-and-set (P36)
//	after the event, before the mark         the same                         the same; ids are deterministic (P23)
//
// Numbers are reserved before a purchase, and given back, by tables of their own: see reserving.go and release.go.
//
// Rules are cited by their numbers (P1 to P40) from the project's protocol, which was checked by exhaustive search
// of a model; each citation stands where the rule is kept.
package orders
