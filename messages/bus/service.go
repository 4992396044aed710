package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"bandwidthworker/messages"
)

var (
	// ErrNoNumber: the number did not come through the workers.
	ErrNoNumber = errors.New("no such number")
	// ErrQuestion: the workers do not understand the question; the text says what is wrong with it.
	ErrQuestion = errors.New("refused")
)

// call asks an endpoint and decodes its answer. missing is the error for what is not there.
func (c *Client) call(ctx context.Context, endpoint string, question, into any, missing error) error {
	data, err := json.Marshal(question)
	if err != nil {
		return err
	}
	reply, err := c.ask(ctx, endpoint, data, publishTimeout)
	var refused *ServiceError
	switch {
	case errors.As(err, &refused) && refused.Code == 404 && missing != nil:
		return fmt.Errorf("%w: %s", missing, refused.Text)
	case errors.As(err, &refused) && refused.Code == 400:
		return fmt.Errorf("%w: %s", ErrQuestion, refused.Text)
	case err != nil:
		return err
	}
	if err := json.Unmarshal(reply, into); err != nil {
		return fmt.Errorf("the worker's answer cannot be decoded: %w", err)
	}
	return nil
}

// Number asks a worker what became of a number in E.164. Its errors are [ErrNoNumber], [ErrQuestion], [ErrNoWorker],
// or what the worker says.
func (c *Client) Number(ctx context.Context, number string) (messages.NumberEntry, error) {
	var entry messages.NumberEntry
	err := c.call(ctx, messages.EndpointNumber, messages.NumberQuestion{Number: number}, &entry, ErrNoNumber)
	return entry, err
}

// Orders asks a worker for a list of orders. Its errors are [ErrQuestion], [ErrNoWorker], or what the worker says.
func (c *Client) Orders(ctx context.Context, q messages.OrdersQuestion) (messages.OrdersAnswer, error) {
	var answer messages.OrdersAnswer
	err := c.call(ctx, messages.EndpointOrders, q, &answer, nil)
	return answer, err
}

// Pause holds back the fleet's calls of one of Bandwidth's rate groups until [Client.Resume]; why and by are shown
// wherever the pause is. When it returns, the pause is stored, and each worker sees it a moment later. A call on its
// way then is not taken back. Its errors are those of [Client.Orders].
func (c *Client) Pause(ctx context.Context, group, why, by string) (messages.PauseAnswer, error) {
	var answer messages.PauseAnswer
	err := c.call(ctx, messages.EndpointPause, messages.PauseQuestion{Group: group, Why: why, By: by}, &answer, nil)
	return answer, err
}

// Resume ends a pause of a group, whoever set it; orders that wait go on within seconds. It is no error where the
// group was not paused. Its errors are those of [Client.Orders].
func (c *Client) Resume(ctx context.Context, group string) (messages.PauseAnswer, error) {
	var answer messages.PauseAnswer
	err := c.call(ctx, messages.EndpointResume, messages.PauseQuestion{Group: group}, &answer, nil)
	return answer, err
}
