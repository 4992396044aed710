package bwclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// DefaultTokenURL is where access tokens come from (dev.bandwidth.com/docs/account/credentials).
const DefaultTokenURL = "https://api.bandwidth.com/api/v1/oauth2/token"

// Auth is how a client proves who it is: made by [Basic] or [OAuth2], used by one [Client].
type Auth interface {
	// bind checks the credentials and takes the client through which tokens are fetched.
	bind(*http.Client) error
	authorize(context.Context) error
	sign(*http.Request) error
	refused(status int)
	// secrets are the texts that must never be written.
	secrets() []string
}

// Basic returns HTTP Basic authentication with an API user. Bandwidth switches it off on 2026-12-02
// (dev.bandwidth.com/docs/account/credentials/management); use [OAuth2].
func Basic(user, password string) Auth { return basic{user, password} }

type basic struct{ user, password string }

func (b basic) bind(*http.Client) error {
	switch {
	case b.user == "" || b.password == "":
		return errors.New("credentials are incomplete: api_username and api_password are both needed")
	case strings.Contains(b.user, ":"):
		return errors.New("api_username holds a colon, which HTTP Basic cannot carry")
	}
	return nil
}

func (basic) authorize(context.Context) error { return nil }
func (b basic) sign(r *http.Request) error    { r.SetBasicAuth(b.user, b.password); return nil }
func (basic) refused(int)                     {}

func (b basic) secrets() []string {
	return []string{b.password, base64.StdEncoding.EncodeToString([]byte(b.user + ":" + b.password))}
}

const (
	tokenTimeout = 15 * time.Second
	// tokenSpare is how long a token must still live to be used: longer than a POST may take.
	tokenSpare = 2 * time.Minute
	// tokenLife is assumed where the answer names none.
	tokenLife = time.Hour
)

// OAuth2 returns authentication by OAuth2 client credentials; an empty tokenURL means [DefaultTokenURL].
func OAuth2(clientID, clientSecret, tokenURL string) Auth {
	if tokenURL == "" {
		tokenURL = DefaultTokenURL
	}
	return &oauth{config: clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientSecret, TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInHeader,
	}}
}

type oauth struct {
	config clientcredentials.Config
	client *http.Client

	mu    sync.Mutex
	token *oauth2.Token
	// fetching is the fetch under way; nil for none.
	fetching *tokenFetch
}

// tokenFetch is one call to the token endpoint, for all who need its token.
type tokenFetch struct {
	done chan struct{}
	err  error // set before done is closed
}

func (o *oauth) bind(c *http.Client) error {
	if o.config.ClientID == "" || o.config.ClientSecret == "" {
		return errors.New("credentials are incomplete: client_id and client_secret are both needed")
	}
	if _, err := parseBase(o.config.TokenURL); err != nil {
		return fmt.Errorf("token_url %w", err)
	}
	o.client = c
	return nil
}

// authorize makes sure that a token is there that lives long enough; of many callers one fetches it, and all share
// how that ends. A caller who gives up does not end it for the others.
func (o *oauth) authorize(ctx context.Context) error {
	o.mu.Lock()
	if o.usable() {
		o.mu.Unlock()
		return nil
	}
	f := o.fetching
	if f == nil {
		f = &tokenFetch{done: make(chan struct{})}
		o.fetching = f
		go o.run(context.WithoutCancel(ctx), f)
	}
	o.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return o.failed(ctx.Err())
	}
}

func (o *oauth) run(ctx context.Context, f *tokenFetch) {
	token, err := o.fetch(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.token = token
	}
	f.err, o.fetching = err, nil
	close(f.done)
}

// usable reports whether the token lives long enough for a POST, by either clock: a suspended machine stops one.
func (o *oauth) usable() bool {
	if o.token == nil {
		return false
	}
	spare := min(tokenSpare, time.Duration(o.token.ExpiresIn)*time.Second/2)
	return !passed(o.token.Expiry.Add(-spare))
}

func (o *oauth) fetch(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := o.config.Token(context.WithValue(ctx, oauth2.HTTPClient, o.client))
	if err != nil {
		e := o.failed(contextFirst(ctx, err))
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response != nil {
			e.StatusCode = refused.Response.StatusCode
			e.credentials = e.StatusCode == http.StatusBadRequest || e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
			e.RetryAt = retryAt(refused.Response)
			e.Err = nil // its text holds the body, which may repeat what was sent
			if why := strings.TrimSpace(refused.ErrorCode + " " + refused.ErrorDescription); why != "" {
				e.Err = errors.New(oneLine(mask(why, o.secrets()), maxText))
			}
		}
		return nil, e
	}
	if token.Expiry.IsZero() {
		token.Expiry = time.Now().Add(tokenLife)
	}
	if token.ExpiresIn == 0 {
		token.ExpiresIn = int64(time.Until(token.Expiry) / time.Second)
	}
	return token, nil
}

// failed makes the error of a fetch. No request of the API's has left at that point.
func (o *oauth) failed(err error) *Error {
	return &Error{Op: "get an access token", Method: http.MethodPost, Path: o.config.TokenURL, Creation: NotCreated, notSent: true, Err: err}
}

// sign uses the token at hand; it never fetches one.
func (o *oauth) sign(r *http.Request) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token == nil || passed(o.token.Expiry) {
		return errors.New("there is no valid access token")
	}
	o.token.SetAuthHeader(r)
	return nil
}

// refused forgets a token that Bandwidth no longer takes.
func (o *oauth) refused(status int) {
	if status != http.StatusUnauthorized {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.token = nil
}

func (o *oauth) secrets() []string {
	id, secret := url.QueryEscape(o.config.ClientID), url.QueryEscape(o.config.ClientSecret)
	out := []string{o.config.ClientSecret, base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token != nil {
		out = append(out, o.token.AccessToken)
	}
	return out
}
