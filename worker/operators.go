package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"

	"bandwidthworker/messages"
	"bandwidthworker/orders"
)

// endpoints are those of the micro service.
func (w *Worker) endpoints() map[string]micro.HandlerFunc {
	return map[string]micro.HandlerFunc{
		messages.EndpointOrder: w.orderEndpoint, messages.EndpointOrders: w.ordersEndpoint, messages.EndpointNumber: w.numberEndpoint,
		messages.EndpointPause: w.pauseEndpoint, messages.EndpointResume: w.resumeEndpoint, messages.EndpointSearch: w.apart(w.searchEndpoint),
		messages.EndpointSites: w.apart(w.sitesEndpoint), messages.EndpointPeers: w.apart(w.peersEndpoint),
	}
}

// question decodes what an endpoint was asked. Where it cannot it answers with what is wanted and returns false.
func (w *Worker) question(req micro.Request, into any, want string) bool {
	data := req.Data()
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		w.answerError(req, "400", fmt.Sprintf("want %s: %s", want, strings.TrimPrefix(err.Error(), "json: ")))
		return false
	}
	return true
}

func (w *Worker) answer(req micro.Request, with any) {
	if err := req.RespondJSON(with); err != nil {
		w.log.WithError(err).WithField("subject", req.Subject()).Debug("cannot answer an endpoint")
	}
}

// numberEndpoint tells what is known of a number.
func (w *Worker) numberEndpoint(req micro.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), endpointTimeout)
	defer cancel()
	var q messages.NumberQuestion
	if !w.question(req, &q, `{"number":"+1…"}`) {
		return
	}
	if !validNumber(q.Number) {
		w.answerError(req, "400", fmt.Sprintf("number: %q is not in E.164, such as +19195551234", q.Number))
		return
	}
	h, err := w.numbers.Number(ctx, q.Number)
	switch {
	case errors.Is(err, orders.ErrNoNumber):
		w.answerError(req, "404", fmt.Sprintf("the number %s did not come through these workers", q.Number))
	case err != nil:
		w.answerError(req, "503", err.Error())
	default:
		w.answer(req, messages.NumberEntry{
			Number: h.Number, State: string(h.State), CarrierModule: h.CarrierModule, SiteID: h.SiteID, SIPPeer: h.PeerID,
			Key: string(h.Key), BandwidthOrderID: string(h.OrderID), Since: h.Since,
		})
	}
}

// validNumber reports whether a number can be a key: a plus sign and 5 to 15 digits.
func validNumber(number string) bool {
	digits, plus := strings.CutPrefix(number, "+")
	return plus && len(digits) >= 5 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// groupOf returns the group of that name, in whichever letter case.
func groupOf(name string) (Group, error) {
	group := Group(strings.ToUpper(name))
	if !slices.Contains(Groups(), group) {
		return "", fmt.Errorf("group: there is no group %q; use one of %v", name, Groups())
	}
	return group, nil
}

// pauseEndpoint pauses a group of calls for the whole fleet, until somebody resumes it.
func (w *Worker) pauseEndpoint(req micro.Request) {
	w.steer(req, `{"group":…,"why":…,"by":…}`, func(ctx context.Context, group Group, q messages.PauseQuestion) (messages.PauseAnswer, error) {
		if q.Why == "" {
			q.Why = "an operator paused it"
		}
		_, was := w.control.Pauses()[group]
		if err := w.Hold(ctx, group, q.Why, q.By); err != nil {
			return messages.PauseAnswer{}, fmt.Errorf("the pause of %s could not be stored; try again: %w", group, err)
		}
		return messages.PauseAnswer{Group: string(group), Paused: true, WasPaused: was, Why: q.Why, By: q.By}, nil
	})
}

// resumeEndpoint ends a pause, whoever set it.
func (w *Worker) resumeEndpoint(req micro.Request) {
	w.steer(req, `{"group":…}`, func(ctx context.Context, group Group, q messages.PauseQuestion) (messages.PauseAnswer, error) {
		stood, was := w.control.Pauses()[group]
		if err := w.Resume(ctx, group); err != nil {
			return messages.PauseAnswer{}, fmt.Errorf("the pause of %s could not be lifted; try again: %w", group, err)
		}
		w.log.WithField("group", group).WithField("by", q.By).Info("an operator resumed calls of this group")
		return messages.PauseAnswer{Group: string(group), WasPaused: was, Why: stood.Why, By: stood.By}, nil
	})
}

// steer answers an endpoint about a group.
func (w *Worker) steer(req micro.Request, want string, do func(context.Context, Group, messages.PauseQuestion) (messages.PauseAnswer, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), endpointTimeout)
	defer cancel()
	var q messages.PauseQuestion
	if !w.question(req, &q, want) {
		return
	}
	group, err := groupOf(q.Group)
	if err != nil {
		w.answerError(req, "400", err.Error())
		return
	}
	answer, err := do(ctx, group, q)
	if err != nil {
		w.answerError(req, "503", err.Error())
		return
	}
	w.answer(req, answer)
}

// wakeDelay is how long after the end of a pause the waiting orders are woken: every worker has seen it by then.
const wakeDelay = time.Second

// Resume ends a fleet-wide pause of a group of calls, of any kind. The orders that wait go on within seconds: each
// gets a tick a moment later. Those that miss it, because this worker ends before, go on by their own timers, within
// half a minute.
func (w *Worker) Resume(ctx context.Context, group Group) error {
	if err := w.control.Resume(ctx, group); err != nil {
		return err
	}
	w.waking.Go(func() {
		pause(w.life, wakeDelay)
		if woken, err := w.rescuer.wake(w.life); err != nil && w.life.Err() == nil {
			w.log.WithError(err).Warn("cannot wake every order after the pause; the others go on by their own timers")
		} else if woken > 0 {
			w.log.WithField("orders", woken).Info("woke the orders that waited")
		}
	})
	return nil
}
