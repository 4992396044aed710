package bwclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// form is how a resource answers the POST that creates one.
type form struct {
	root  string // the answer's root
	echo  string // the element that repeats the request, with the id
	below string // what the path in Location has before the id
	taken []int  // the statuses of a request that was taken
	// refusal is the element right under the root that refuses a request; empty means an Error in an ErrorList.
	refusal string
	// orStatus says that a Status right under the root refuses a request as well, where it holds a code of Bandwidth's own.
	// One that repeats the HTTP status gives no cause, and stands alone in no document: it says nothing about the order.
	orStatus bool
	// word is the element of the status word; empty means OrderStatus.
	word string
}

// answered returns what a request that was taken is answered with, beside its id. Errors are those of a port-in.
func (f form) answered(id string, root *node) Created {
	c := Created{OrderID: OrderID(id), Status: root.value("OrderStatus")}
	if f.word != "" {
		c.Status, c.Errors = root.value(f.word), portInErrors(root).list
	}
	return c
}

// invalid makes the error of a request that breaks a limit: it was not sent, and would end the same again.
func (k call) invalid(err error) *Error {
	e := k.failed(err)
	e.Creation = NotCreated
	return e
}

// answer is what came back, with its body read. The reading may have failed.
type answer struct {
	*http.Response
	body    []byte
	readErr error
}

// send sends a request that changes something, once: the one place that does. Its error is of a request that has no answer; it
// says whether a byte was sent.
func (c *Client) send(ctx context.Context, k call, data []byte, sendBy time.Time) (answer, *Error) {
	ctx, cancel := context.WithDeadline(ctx, sendBy)
	defer cancel()
	notSent := func(err error) (answer, *Error) {
		e := k.failed(err)
		e.Creation, e.notSent = NotCreated, true
		return answer{}, e
	}
	req, err := c.newRequest(ctx, k, nil)
	if err != nil {
		return notSent(err)
	}
	// P11: a body without GetBody and a request without an Idempotency-Key are never sent again by the transport. The
	// reader is one that the transport knows to be in memory, so that head and body leave together.
	if len(data) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
		req.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	if err := c.auth.sign(req); err != nil {
		return notSent(err)
	}
	watch := writeWatch{sendBy: sendBy}
	req = req.WithContext(httptrace.WithClientTrace(ctx, watch.trace()))
	if passed(sendBy) { // P11
		return notSent(ErrTooLate)
	}
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = contextFirst(ctx, err)
		if watch.nothingSent() {
			return notSent(err)
		}
		return answer{}, k.failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBody(resp.Body)
	return answer{resp, body, contextFirst(ctx, err)}, nil
}

// create sends the POST that creates something, once.
func (c *Client) create(ctx context.Context, k call, f form, data []byte, sendBy time.Time) (Created, error) {
	a, err := c.send(ctx, k, data, sendBy)
	if err != nil {
		return Created{}, err
	}
	return c.created(k, f, a)
}

// alter sends a request that changes what there is and creates nothing, once, whatever comes of it. It blocks for
// [Config.GetTimeout] at the most.
func (c *Client) alter(ctx context.Context, k call, data []byte) (answer, error) {
	sendBy := time.Now().Add(c.timeout)
	waiting, cancel := context.WithDeadline(ctx, sendBy)
	defer cancel()
	if err := c.auth.authorize(waiting); err != nil {
		return answer{}, k.unauthorized(err)
	}
	a, failed := c.send(ctx, k, data, sendBy)
	if failed != nil {
		failed.Creation = NotCreated
		return answer{}, failed
	}
	return a, nil
}

// notAltered is [Client.refusal] of a request that creates nothing.
func (c *Client) notAltered(k call, a answer) *Error {
	e := c.refusal(k, a)
	e.Creation = NotCreated
	return e
}

// created reads the answer to a POST. Where its body could not be read, Location can still name what was created.
func (c *Client) created(k call, f form, a answer) (Created, error) {
	var root *node
	if a.readErr == nil {
		root, _ = parseAs(a.body, f.root)
	}
	taken := slices.Contains(f.taken, a.StatusCode)
	if taken {
		id := root.child(f.echo).childText("id", "OrderId")
		if id == "" {
			id = root.childText("OrderId", "id")
		}
		if !validID(id) {
			id = idInLocation(a.Header.Get("Location"), f.below)
		}
		if id != "" {
			return f.answered(id, root), nil
		}
	}
	e := c.refusal(k, a)
	refusal := e.Details
	if a.readErr != nil || !f.refuses(a.body) {
		refusal = nil // cut off, or somebody else's 400: a gateway's, or a form that no document gives
	}
	named := a.Header.Get("Location") != "" || a.readErr == nil && namesOrder(a.body)
	e.Creation = creationOf(a.StatusCode, refusal, named)
	if taken && e.Err == nil {
		e.Err = errors.New("the answer names no order")
	}
	return Created{}, e
}

// refusal makes the error of an answer that is no success.
func (c *Client) refusal(k call, a answer) *Error {
	c.auth.refused(a.StatusCode)
	if a.readErr != nil {
		a.body = nil // what came before the end may be cut off anywhere: only the status decides
	}
	e := c.answerError(k, a.Response, a.body)
	if a.readErr != nil {
		e.Err = a.readErr
	}
	return e
}

// ownCode is the form of a code of Bandwidth's that is no HTTP status.
var ownCode = regexp.MustCompile(`^\d{4,6}$`)

// refuses reports whether an answer refuses a request in the form that is documented for it.
func (f form) refuses(body []byte) bool {
	if f.refusal == "" {
		return listsErrors(body)
	}
	root, err := parseAs(body, f.root)
	if err != nil {
		return false
	}
	return root.child(f.refusal).childText("ErrorCode", "Code") != "" || f.orStatus && ownCode.MatchString(root.child("Status").childText("Code"))
}

// listsErrors reports whether an answer refuses a request in the documented form: an ErrorList that holds errors.
func listsErrors(body []byte) bool {
	root, err := parse(body)
	if err != nil {
		return false
	}
	return root.child("ErrorList").child("Error").childText("Code") != ""
}

// namesOrder reports whether an order's id stands anywhere in an answer.
func namesOrder(body []byte) bool {
	root, err := parse(body)
	if err != nil {
		return false
	}
	found := false
	root.walk(func(n *node) {
		switch strings.ToLower(n.name) {
		case "id", "orderid":
			found = found || n.text != ""
		}
	})
	return found
}

// validID reports whether a text can be the id of an order: it becomes a part of URLs.
func validID(id string) bool { return orderIDShape.MatchString(id) }

// idInLocation returns the id in a Location header: the last part of a path below the resource.
func idInLocation(location, below string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[len(parts)-2], below) {
		return ""
	}
	if id := parts[len(parts)-1]; validID(id) {
		return id
	}
	return ""
}
