package bwclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// DefaultBaseURL is Bandwidth's classic base of version 1.
const DefaultBaseURL = "https://dashboard.bandwidth.com/api"

const (
	defaultGetTimeout = 15 * time.Second
	// maxBody bounds every answer's body: an order of 5000 numbers with details takes about 2 MiB.
	maxBody = 8 << 20
)

// Config configures a [Client].
type Config struct {
	// AccountID is the account's number at Bandwidth; required.
	AccountID string
	// BaseURL is the API's base; empty means [DefaultBaseURL].
	BaseURL string
	// Auth is [Basic] or [OAuth2]; required.
	Auth Auth
	// GetTimeout bounds a read with its body and the access token that it may need; zero means 15 seconds.
	GetTimeout time.Duration
	// Transport sends the requests; nil means [NewTransport]. With one that does not go through [CountWrites],
	// [NotSent] is true only while the transport still looks for a connection; with one that reports nothing to
	// net/http/httptrace, never.
	Transport http.RoundTripper
	// DebugLog takes every exchange as text, without secrets; nil for none.
	DebugLog *DebugLog
	// UserAgent names the program; empty means "bandwidth-order-worker".
	UserAgent string
}

// Client is a client of one account. It is safe for concurrent use.
type Client struct {
	account   string
	base      *url.URL
	auth      Auth
	http      *http.Client
	timeout   time.Duration
	userAgent string
}

var accountShape = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// New returns a Client. Its errors name the field that is missing or wrong.
func New(c Config) (*Client, error) {
	if !accountShape.MatchString(c.AccountID) {
		return nil, fmt.Errorf("account_id %q is not the number of an account", c.AccountID)
	}
	if c.Auth == nil {
		return nil, errors.New("credentials are missing: client_id and client_secret, or api_username and api_password")
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	base, err := parseBase(c.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("base_url %w", err)
	}
	if c.GetTimeout < 0 {
		return nil, fmt.Errorf("get_timeout %s is no time to wait", c.GetTimeout)
	}
	if c.GetTimeout == 0 {
		c.GetTimeout = defaultGetTimeout
	}
	if c.UserAgent == "" {
		c.UserAgent = "bandwidth-order-worker"
	}
	transport := c.Transport
	if transport == nil {
		transport = NewTransport()
	}
	transport = &finalAnswers{next: transport}
	if c.DebugLog != nil {
		transport = &debugTransport{next: transport, log: c.DebugLog, secrets: c.Auth.secrets}
	}
	client := &http.Client{
		Transport: transport,
		// Some answers redirect (303), and following one could drop the credentials, loop, or repeat a POST.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := c.Auth.bind(client); err != nil {
		return nil, err
	}
	return &Client{account: c.AccountID, base: base, auth: c.Auth, http: client, timeout: c.GetTimeout, userAgent: c.UserAgent}, nil
}

// parseBase reads a URL of the configuration. Its errors do not repeat one that may hold a password.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("is not an http or https URL")
	case u.User != nil:
		return nil, errors.New("holds a user or password: those belong in the credentials")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("holds a query or a fragment")
	}
	return u, nil
}

// Authorize gets or renews the access token, so that a following POST has nothing to wait for. With Basic it does
// nothing. It blocks for 15 seconds at the most. Where the token endpoint refuses the credentials, [IsCredentials]
// is true of the error.
func (c *Client) Authorize(ctx context.Context) error { return c.auth.authorize(ctx) }

// call is a call in hand: what its errors tell of it.
type call struct {
	op, method, path string
	order            OrderID
	customerOrderID  string
	secrets          []string // of the request; no error repeats them
}

func (k call) failed(err error) *Error {
	return &Error{Op: k.op, Method: k.method, Path: k.path, OrderID: k.order, CustomerOrderID: k.customerOrderID, Err: err}
}

// unauthorized makes the error of a call that got no access token.
func (k call) unauthorized(err error) *Error {
	// The status stays 0: it is the token endpoint's, and its 404 must not be taken for "no such order" (P16).
	e := k.failed(err)
	e.Creation, e.credentials = NotCreated, IsCredentials(err)
	e.RetryAt, _ = RetryAt(err)
	return e
}

// newRequest builds a request below the account's path, or below the root for a path that begins with "/".
func (c *Client) newRequest(ctx context.Context, k call, query url.Values) (*http.Request, error) {
	path := "/accounts/" + c.account + "/" + k.path
	if strings.HasPrefix(k.path, "/") {
		path = k.path
	}
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, k.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	// Without Accept some resources answer JSON.
	req.Header.Set("Accept", "application/xml")
	req.Header.Set("User-Agent", c.userAgent)
	return req, nil
}

// read sends a GET once and returns the body of its answer, nil for a 204. Anything but 200 and 204 is an error.
func (c *Client) read(ctx context.Context, k call, query url.Values) (body []byte, err error) {
	k.method = http.MethodGet
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	fail := func(err error) ([]byte, error) {
		e := k.failed(contextFirst(ctx, err))
		e.Creation = NotCreated
		return nil, e
	}
	if err := c.auth.authorize(ctx); err != nil {
		return nil, k.unauthorized(err)
	}
	req, err := c.newRequest(withSecrets(ctx, k.secrets), k, query)
	if err != nil {
		return fail(err)
	}
	if err := c.auth.sign(req); err != nil {
		return fail(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := readBody(resp.Body)
	if err != nil {
		return fail(err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return data, nil
	case http.StatusNoContent:
		return nil, nil
	}
	c.auth.refused(resp.StatusCode)
	e := c.answerError(k, resp, data)
	e.Creation = NotCreated
	return nil, e
}

// readAs reads a resource whose root has the name; nil for a 204.
func (c *Client) readAs(ctx context.Context, k call, query url.Values, root string) (*node, error) {
	body, err := c.read(ctx, k, query)
	if err != nil || body == nil {
		return nil, err
	}
	n, err := parseAs(body, root)
	if err != nil {
		return nil, k.unreadable(err)
	}
	return n, nil
}

// unreadable makes the error of a 200 whose body does not say what it should.
func (k call) unreadable(err error) *Error {
	e := k.failed(err)
	e.Method, e.StatusCode, e.Creation = http.MethodGet, http.StatusOK, NotCreated
	return e
}

// readBody reads a body to its end, up to its limit. It never returns nil without an error.
func readBody(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(data) > maxBody {
		err = fmt.Errorf("%w: it is longer than %d bytes", ErrUnreadable, maxBody)
	}
	return data, err
}

// contextFirst returns the context's error in place of one that it caused.
func contextFirst(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}
