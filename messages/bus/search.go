package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"bandwidthworker/messages"
)

// askSearchTimeout bounds a question to the endpoint `search` whose context has no deadline: the worker tries for 20
// seconds.
const askSearchTimeout = 25 * time.Second

// ServiceError is an endpoint's answer that is an error.
type ServiceError struct {
	// Code is such as HTTP's: 400 the question is wrong, 404 there is no such thing, 429 calls are held back, 502
	// Bandwidth refuses, 503 the worker cannot just now, 504 Bandwidth does not answer.
	Code int
	Text string
	// Event is the event of a search that failed; nil for none.
	Event *messages.Event
}

func (e *ServiceError) Error() string { return e.Text }

// Search publishes a search request and waits for its event, which it returns with the receipt. A search that found
// nothing is completed with no numbers; one that failed is an event too, and a dead letter. When ctx is done the
// search goes on all the same.
func (c *Client) Search(ctx context.Context, r *messages.Request) (Receipt, *messages.Event, error) {
	return c.Request(ctx, messages.Search, r, nil)
}

// AskSearch asks a worker to search and waits for its reply: no request is stored, no event is published, and there is
// no dead letter. Its errors are [*ServiceError], which holds the event of a search that failed, [ErrNoWorker], or
// [*messages.RequestError] where nothing was sent.
func (c *Client) AskSearch(ctx context.Context, r *messages.Request) (*messages.Event, error) {
	out, err := c.outgoing(messages.Search, r)
	if err != nil {
		return nil, err
	}
	e := new(messages.Event)
	if err := c.askInto(ctx, messages.EndpointSearch, out.body, askSearchTimeout, e); err != nil {
		return nil, err
	}
	return e, nil
}

// Sites asks a worker for the account's sites.
func (c *Client) Sites(ctx context.Context) ([]messages.Site, error) {
	var answer messages.SitesAnswer
	err := c.askInto(ctx, messages.EndpointSites, nil, askSearchTimeout, &answer)
	return answer.Sites, err
}

// Peers asks a worker for the SIP peers of a site.
func (c *Client) Peers(ctx context.Context, siteID string) ([]messages.Peer, error) {
	data, err := json.Marshal(messages.PeersQuestion{SiteID: siteID})
	if err != nil {
		return nil, err
	}
	var answer messages.PeersAnswer
	err = c.askInto(ctx, messages.EndpointPeers, data, askSearchTimeout, &answer)
	return answer.Peers, err
}

// askInto asks an endpoint and decodes its answer.
func (c *Client) askInto(ctx context.Context, endpoint string, data []byte, timeout time.Duration, to any) error {
	answer, err := c.ask(ctx, endpoint, data, timeout)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, to); err != nil {
		return fmt.Errorf("the worker's answer cannot be decoded: %w", err)
	}
	return nil
}

// ask sends a question to an endpoint of the micro service. An error that the service answers with is a
// [*ServiceError].
func (c *Client) ask(ctx context.Context, endpoint string, data []byte, timeout time.Duration) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, err := c.nc.RequestWithContext(ctx, c.names.API(endpoint), data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNoWorker
	case err != nil:
		return nil, fmt.Errorf("ask the workers: %w", err)
	}
	text := reply.Header.Get(micro.ErrorHeader)
	if text == "" {
		return reply.Data, nil
	}
	refused := &ServiceError{Text: text}
	refused.Code, _ = strconv.Atoi(reply.Header.Get(micro.ErrorCodeHeader))
	var e messages.Event
	if json.Unmarshal(reply.Data, &e) == nil && e.EventID != "" {
		refused.Event = &e
	}
	return nil, refused
}
