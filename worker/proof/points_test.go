package proof

import (
	"encoding/json"
	"strings"
)

// The points at which something can happen to a worker: every action of its that can be seen from outside.
const (
	pointOpen      = "index.open"
	pointClose     = "index.close"
	pointNew       = "record.new"
	pointReplay    = "record.replay"
	pointIntent    = "record.intent"
	pointAnswer    = "record.answer"
	pointOutcome   = "record.outcome"
	pointMark      = "record.mark"
	pointRecord    = "record.other" // a poll or a look
	pointNumbers   = "numbers"
	pointTimer     = "timer"
	pointAccepted  = "event.accepted"
	pointSubmitted = "event.submitted"
	pointFinal     = "event.final"
	pointLetter    = "letter"
	pointDrop      = "letter.drop"
	pointAckReq    = "ack.request"
	pointAckTick   = "ack.tick"
	pointPost      = "post"
	pointReply     = "post.answered"
	pointRead      = "read" // of a record
	pointOther     = ""
)

// phase is the side of a point.
type phase string

const (
	before phase = "before"
	after  phase = "after" // it has taken effect, and the worker does not know
)

// spot is a side of a point.
type spot struct {
	point string
	phase phase
}

func (s spot) String() string { return s.point + " " + string(s.phase) }

// spots are the places where a worker can die so that what is left differs: of each action in turn.
func spots() []spot {
	var out []spot
	for _, p := range []string{pointOpen, pointNew, pointTimer, pointAccepted, pointAckReq, pointIntent, pointPost, pointAnswer, pointSubmitted, pointRecord, pointOutcome,
		pointNumbers, pointFinal, pointLetter, pointMark, pointClose, pointAckTick, pointReplay, pointDrop} {
		out = append(out, spot{p, before}, spot{p, after})
	}
	return append(out, spot{pointReply, before})
}

// recordView is what the wire reads of a record: facts, by their names in the stored form.
type recordView struct {
	Key        string `json:"key"`
	Generation int    `json:"generation"`
	Outcome    *struct {
		Published bool `json:"published"`
	} `json:"outcome"`
	Purchases []struct {
		CustomerOrderID string     `json:"customer_order_id"`
		Posts           []postView `json:"posts"`
	} `json:"purchases"`
	Releases []struct {
		Post postView `json:"post"`
	} `json:"releases"`
}

type postView struct {
	Token string `json:"token"`
	State string `json:"state"`
}

// open returns the claim that stands open, with its customer order id.
func (v recordView) open() (token, customerOrderID string) {
	for _, p := range v.Purchases {
		for _, post := range p.Posts {
			if post.State == "" {
				return post.Token, p.CustomerOrderID
			}
		}
	}
	for _, r := range v.Releases {
		if r.Post.State == "" && r.Post.Token != "" {
			return r.Post.Token, ""
		}
	}
	return "", ""
}

// action is what a frame from a worker does.
type action struct {
	point string
	key   string
	view  *recordView // of a record that is written
}

// actionOf tells what a published frame does. known is the record as it was last seen, nil for none.
func actionOf(f frame, known func(key string) *recordView, claimed func(token string) bool) action {
	s := f.subject
	last := s[strings.LastIndex(s, ".")+1:]
	has := func(prefix string) bool { return strings.HasPrefix(s, prefix) }
	switch {
	case has("$KV.bandwidth_orders."):
		var v recordView
		if json.Unmarshal(f.payload, &v) != nil {
			return action{point: pointRecord, key: last}
		}
		return action{recordPoint(v, known(last), claimed), last, &v}
	case has("$KV.bandwidth_open.") && len(f.payload) > 0:
		return action{point: pointOpen, key: last}
	case has("$KV.bandwidth_open."):
		return action{point: pointClose, key: last}
	case has("$KV.bandwidth_numbers."):
		return action{point: pointNumbers}
	case has("bandwidth.v1.timer."):
		return action{point: pointTimer, key: last}
	case has("bandwidth.v1.event."):
		switch strings.Split(s, ".")[4] {
		case "accepted":
			return action{point: pointAccepted, key: last}
		case "submitted", "backordered":
			return action{point: pointSubmitted, key: last}
		}
		return action{point: pointFinal, key: last}
	case has("bandwidth.v1.dlq."):
		return action{point: pointLetter, key: last}
	case has("$JS.API.STREAM.MSG.DELETE.BANDWIDTH_DLQ"):
		return action{point: pointDrop}
	case has("$JS.ACK.") && strings.HasPrefix(string(f.payload), "+WPI"):
		return action{}
	case has("$JS.ACK.") && strings.Contains(s, "BANDWIDTH_REQUESTS"):
		return action{point: pointAckReq}
	case has("$JS.ACK.") && strings.Contains(s, "BANDWIDTH_TIMERS"):
		return action{point: pointAckTick}
	case has("$JS.API.DIRECT.GET.KV_bandwidth_orders."):
		return action{point: pointRead, key: last}
	}
	return action{}
}

// recordPoint names a write of a record by what it adds to the one before, as far as that was seen.
func recordPoint(v recordView, was *recordView, claimed func(token string) bool) string {
	open, _ := v.open()
	if open != "" && !claimed(open) {
		return pointIntent
	}
	if was == nil {
		if len(v.Purchases) == 0 && len(v.Releases) == 0 && v.Outcome == nil {
			return pointNew
		}
		was = &recordView{Generation: v.Generation}
	}
	wasOpen, _ := was.open()
	switch {
	case v.Generation > was.Generation:
		return pointReplay
	case open == "" && wasOpen != "":
		return pointAnswer
	case v.Outcome != nil && v.Outcome.Published:
		return pointMark
	case v.Outcome != nil:
		return pointOutcome
	}
	return pointRecord
}

// refused reports whether the server's answer is an error.
func refused(payload []byte) bool {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	return json.Unmarshal(payload, &answer) == nil && answer.Error != nil
}
