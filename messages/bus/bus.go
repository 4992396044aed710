// Package bus is the Go client for systems that order telephone numbers through the workers: it publishes requests
// and waits for the server's acknowledgement, follows their events, and reads and replays dead letters. It needs
// nothing but a NATS connection.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// Errors of a [Client].
var (
	// ErrNoStream: nobody has set up the stream yet. Start a worker; it does.
	ErrNoStream = errors.New("the workers' streams do not exist: start a worker once, or check the subject prefix")
	// ErrQueueFull: the queue of requests takes no more. Nothing was published.
	ErrQueueFull = errors.New("the queue of requests is full: nothing was published")
	// ErrNotReplayable: the dead letter has to be edited first.
	ErrNotReplayable = errors.New("this dead letter cannot be replayed as it is: edit its request first")
	// ErrNoLetter: there is no dead letter under this key.
	ErrNoLetter = errors.New("no dead letter under this key")
	// ErrNoWorker: no worker answers.
	ErrNoWorker = errors.New("no worker answers")
	// ErrNoOrder: the ledger holds no such order.
	ErrNoOrder = errors.New("no such order")
)

// publishTimeout bounds a publish whose context has no deadline.
const publishTimeout = 10 * time.Second

// Client publishes requests and reads what became of them. [New] makes one. It is safe for concurrent use.
type Client struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	names messages.Names
}

// New returns a Client on a connection, under a subject prefix; an empty one means [messages.DefaultPrefix].
func New(nc *nats.Conn, prefix string) (*Client, error) {
	if prefix == "" {
		prefix = messages.DefaultPrefix
	}
	names, err := messages.NewNames(prefix)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	return &Client{nc: nc, js: js, names: names}, nil
}

// Names returns the names on the bus.
func (c *Client) Names() messages.Names { return c.names }

// Receipt says where a request went.
type Receipt struct {
	// Key is the key of the order that the request leads to, or of the search.
	Key string `json:"key"`
	// Sequence is the message's in the stream of requests.
	Sequence  uint64 `json:"sequence"`
	Subject   string `json:"subject"`
	RequestID string `json:"request_id"`
}

// outgoing is a request that is about to be published.
type outgoing struct {
	kind           messages.Kind
	subject        string
	key, requestID string
	body           []byte
	replayOf       string // the letter's id; empty for a plain request
	acceptDouble   bool
}

// Publish checks a request and publishes it, with its tenant in the subject, and waits until the server has stored it
// (P30a): a plain publish to a full queue would get no error, and the message would be gone. An error of the request
// itself is a [*messages.RequestError], and nothing was sent. After any error a publish under the same request id is
// safe.
func (c *Client) Publish(ctx context.Context, kind messages.Kind, r *messages.Request) (Receipt, error) {
	out, err := c.outgoing(kind, r)
	if err != nil {
		return Receipt{}, err
	}
	return c.publish(ctx, out)
}

// outgoing checks a request as the worker will.
func (c *Client) outgoing(kind messages.Kind, r *messages.Request) (outgoing, error) {
	if err := r.Validate(kind); err != nil {
		return outgoing{}, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return outgoing{}, fmt.Errorf("encode the request: %w", err)
	}
	if _, err := messages.Decode(kind, body); err != nil { // a field of another kind, or too large
		return outgoing{}, err
	}
	return outgoing{
		kind: kind, subject: c.names.Request(kind, r.Tenant), key: c.names.Key(r.Tenant, r.RequestID), requestID: r.RequestID, body: body,
	}, nil
}

func (c *Client) publish(ctx context.Context, out outgoing) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	msg := nats.NewMsg(out.subject)
	msg.Data = out.body
	if out.replayOf != "" {
		msg.Header.Set(messages.HeaderReplayOf, out.replayOf)
	}
	if out.acceptDouble {
		msg.Header.Set(messages.HeaderAcceptDouble, "true")
	}
	ack, err := c.js.PublishMsg(ctx, msg)
	if err != nil {
		return Receipt{}, fmt.Errorf("publish %s: %w", out.subject, publishError(err))
	}
	if out.kind == messages.Search {
		out.key = c.names.LetterlessKey(out.subject, out.body, ack.Sequence) // a search has no order (P27)
	}
	return Receipt{Key: out.key, Sequence: ack.Sequence, Subject: out.subject, RequestID: out.requestID}, nil
}

// Codes of JetStream's for a stream that takes no more messages. The first stands for any failure of the store.
const (
	codeStoreFailed     jetstream.ErrorCode = 10077
	codeTooManyRequests jetstream.ErrorCode = 10167
)

func publishError(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return ErrNoStream
	case errors.As(err, &api) && (api.ErrorCode == codeStoreFailed && strings.HasPrefix(api.Description, "maximum ") || api.ErrorCode == codeTooManyRequests):
		return fmt.Errorf("%w (%w)", ErrQueueFull, err)
	default:
		return err
	}
}

// Order asks a worker for an order, by its key or by tenant and request id, and returns the answer's JSON. Its errors
// are [ErrNoOrder], [ErrNoWorker], or what the worker says.
func (c *Client) Order(ctx context.Context, key, tenant, requestID string) (json.RawMessage, error) {
	question := map[string]string{"key": key}
	if key == "" {
		question = map[string]string{"tenant": tenant, "request_id": requestID}
	}
	data, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	answer, err := c.ask(ctx, messages.EndpointOrder, data, publishTimeout)
	var refused *ServiceError
	if errors.As(err, &refused) && refused.Code == 404 {
		return nil, fmt.Errorf("%w: %s", ErrNoOrder, refused.Text)
	}
	return answer, err
}
