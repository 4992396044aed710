package bus

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

var (
	// ErrLetterGone: the dead letter is not there any more: it was replayed, edited or discarded meanwhile.
	ErrLetterGone = errors.New("the dead letter is gone: it was replayed, edited or discarded meanwhile")
	// ErrEdited: somebody has published an edit of this dead letter a moment ago. Nothing was published.
	ErrEdited = errors.New("an edit of this dead letter was published a moment ago; this one was not")
	// ErrLetterStays: the edited request was published, but the dead letter could not be removed.
	ErrLetterStays = errors.New("the edited request was published, but its dead letter could not be removed; discard it")
)

// Discard removes a dead letter by its own sequence in the stream, or returns [ErrLetterGone]. The order's record
// stays, and so do the numbers it holds.
func (c *Client) Discard(ctx context.Context, l Letter) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.DLQStream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return ErrNoStream
	}
	if err != nil {
		return fmt.Errorf("discard %s: %w", l.LetterID, err)
	}
	err = stream.DeleteMsg(ctx, l.Sequence)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		// The library gives the server's reason as text only: ask whether it is there at all.
		if _, gone := stream.GetMsg(ctx, l.Sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("%s: %w", l.LetterID, ErrLetterGone)
		}
	}
	if err != nil {
		return fmt.Errorf("discard %s: %w", l.LetterID, err)
	}
	return nil
}

// there reports whether a dead letter is still in the stream.
func (c *Client) there(ctx context.Context, l Letter) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	stream, err := c.js.Stream(ctx, c.names.DLQStream())
	if err != nil {
		return false, err
	}
	_, err = stream.GetMsg(ctx, l.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Editable returns the text from which a dead letter is edited: what a replay would publish, otherwise the request,
// otherwise what came in. whole is false where the letter kept only the beginning of it.
func (l Letter) Editable() (text []byte, whole bool) {
	switch {
	case l.Replayable():
		return l.DeadLetter.Replay, true
	case len(l.Request) > 0 && string(l.Request) != "null":
		return l.Request, true
	}
	raw, err := base64.StdEncoding.DecodeString(l.RawBase64)
	return raw, err == nil && len(raw) == l.RawSize
}

// CheckEdit checks an edited body as the worker will: strictly, and for a letter of an order that its tenant and
// request id are the order's still. kind is needed only where the letter's is unknown. It returns the subject to which
// the body goes, and the key of the order it leads to. Its errors are [*messages.RequestError].
func (c *Client) CheckEdit(l Letter, kind messages.Kind, body []byte) (subject, key string, err error) {
	refuse := func(field, format string, args ...any) error {
		return &messages.RequestError{Reason: messages.ReasonInvalid, Field: field, Text: fmt.Sprintf(format, args...)}
	}
	subject = l.Subject
	of, _, tenant, err := c.names.ParseRequest(l.Subject)
	switch {
	case err == nil && of != messages.Unknown && kind != "" && kind != of:
		return "", "", refuse("", "the kind of %s is %s and stays so", l.LetterID, of)
	case err != nil || of == messages.Unknown:
		// The subject itself was wrong: the request goes to that of the kind that was meant.
		if kind == "" || kind == messages.Unknown {
			return "", "", refuse("", "the kind of %s is not known from its subject %q: say which one it is", l.LetterID, l.Subject)
		}
		if of = kind; tenant == "" || !messages.ValidTenant(tenant) {
			tenant = ""
		}
		subject = c.names.Request(kind, tenant)
	}
	r, err := messages.Decode(of, body)
	if err != nil {
		return "", "", err
	}
	if err := r.Validate(of); err != nil {
		return "", "", err
	}
	if tenant == "" {
		tenant = r.Tenant
	}
	key = c.names.Key(tenant, r.RequestID)
	if l.Generation > 0 && key != l.Key {
		return "", "", refuse("request_id", "request_id and tenant have to stay as they were: they name the order that is replayed")
	}
	return subject, key, nil
}

// Edit publishes an edited body in place of a dead letter's request, after [Client.CheckEdit].
//
// A letter of an order (generation 1 and up) is replayed with the new body; the worker removes the letter once the new
// generation has begun, and of two replays it takes one (P25, P26). A letter that touched no order (generation 0) is
// published as a new request, and then removed here, by its own sequence: in this order, so that a crash in between
// leaves the letter, never nothing. An edit of it then meets the request id: with the same content it is the same
// order. Of two operators who edit one such letter within two minutes, the second gets [ErrEdited]. Another error of
// the publish leaves open whether the request was stored; the letter stays.
func (c *Client) Edit(ctx context.Context, l Letter, kind messages.Kind, body []byte) (Receipt, error) {
	subject, key, err := c.CheckEdit(l, kind, body)
	if err != nil {
		return Receipt{}, err
	}
	var named struct {
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(body, &named); err != nil {
		return Receipt{}, err
	}
	// An editor may have been open for long.
	if still, err := c.there(ctx, l); err != nil {
		return Receipt{}, fmt.Errorf("look for %s again: %w", l.LetterID, err)
	} else if !still {
		return Receipt{}, fmt.Errorf("%s: %w; nothing was published", l.LetterID, ErrLetterGone)
	}
	msg := nats.NewMsg(subject)
	msg.Data = body
	msg.Header.Set(messages.HeaderReplayOf, l.LetterID)
	if l.Generation == 0 {
		msg.Header.Set(jetstream.MsgIDHeader, "edit."+l.LetterID)
	}
	publishing, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	ack, err := c.js.PublishMsg(publishing, msg)
	if err != nil {
		return Receipt{}, fmt.Errorf("publish %s: %w", subject, publishError(err))
	}
	receipt := Receipt{Key: key, Sequence: ack.Sequence, Subject: subject, RequestID: named.RequestID}
	if l.Generation > 0 {
		return receipt, nil
	}
	if ack.Duplicate {
		return Receipt{}, fmt.Errorf("%s: %w", l.LetterID, ErrEdited)
	}
	if err := c.Discard(ctx, l); err != nil && !errors.Is(err, ErrLetterGone) {
		return receipt, fmt.Errorf("%w: %w", ErrLetterStays, err)
	}
	return receipt, nil
}
