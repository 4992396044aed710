package worker

import (
	"context"
	"time"
)

// verb is what becomes of a message.
type verb int

const (
	// ack: everything that must be stored is stored.
	ack verb = iota
	// nak: the message comes again after the delay.
	nak
	// term: the message can never be worked, and its dead letter is stored.
	term
)

func (v verb) String() string {
	switch v {
	case nak:
		return "nak"
	case term:
		return "term"
	default:
		return "ack"
	}
}

// disposition is what a handler decides about its message.
type disposition struct {
	verb   verb
	delay  time.Duration
	reason string
	// then is done after the ack, in the same slot: what is lost with a crash there is found by the order's timer.
	then func(context.Context)
}

// done acks the message.
func done() disposition { return disposition{verb: ack} }

// again asks for the message to come again after a delay.
func again(delay time.Duration) disposition { return disposition{verb: nak, delay: delay} }

// dead ends a message whose dead letter is stored.
func dead(reason string) disposition { return disposition{verb: term, reason: reason} }
