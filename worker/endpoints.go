package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/micro"

	"bandwidthworker/bwclient"
	"bandwidthworker/messages"
)

const (
	// endpointCalls bounds the endpoints' calls to Bandwidth that go on at once; what comes beyond is answered 503.
	endpointCalls = 32
	// endpointSearchTime bounds a search whose asker waits for the reply.
	endpointSearchTime = 20 * time.Second
)

// apart runs an endpoint that calls Bandwidth beside the others: the service gives each endpoint one request at a
// time.
func (w *Worker) apart(handle func(context.Context, micro.Request)) micro.HandlerFunc {
	return func(req micro.Request) {
		select {
		case w.calls <- struct{}{}:
		default:
			w.answerError(req, "503", "this worker is busy with other questions: ask again")
			return
		}
		go func() {
			defer func() { <-w.calls }()
			ctx, cancel := context.WithTimeout(w.serving, endpointSearchTime+endpointTimeout)
			defer cancel()
			handle(ctx, req)
		}()
	}
}

// searchEndpoint answers a search request's body with its event, or with an error that carries the event of the
// failure. Nothing is stored, also no dead letter: whoever asked has the answer.
func (w *Worker) searchEndpoint(ctx context.Context, req micro.Request) {
	r, err := messages.Decode(messages.Search, req.Data())
	if err == nil {
		err = r.Validate(messages.Search)
	}
	if err == nil {
		if refused := w.searcher.check(r); refused != nil {
			err = refused
		}
	}
	if err != nil {
		w.answerError(req, "400", err.Error())
		return
	}
	in := incoming{subject: req.Subject(), data: req.Data(), kind: messages.Search, tenant: r.Tenant, request: r, at: w.clock.Now()}
	quick := *w.searcher
	quick.time = min(quick.time, endpointSearchTime)
	// The reply subject is this question's own, and so is the key.
	e, failed, err := w.searchWith(ctx, &quick, in, w.names.LetterlessKey(req.Reply(), req.Data(), 0))
	switch {
	case err != nil:
		w.answerError(req, "503", "this worker is stopping: ask again")
	case failed != nil:
		data, _ := json.Marshal(e)
		w.answered(messages.EndpointSearch, req.Error(strconv.Itoa(failed.status), failed.Error(), data))
	default:
		w.answered(messages.EndpointSearch, req.RespondJSON(e))
	}
}

// sitesEndpoint answers with the account's sites.
func (w *Worker) sitesEndpoint(ctx context.Context, req micro.Request) {
	sites, err := w.client.Sites(ctx)
	if err != nil {
		w.answerVendorError(req, err)
		return
	}
	answer := messages.SitesAnswer{Sites: []messages.Site{}}
	for _, s := range sites {
		answer.Sites = append(answer.Sites, messages.Site(s))
	}
	w.answered(messages.EndpointSites, req.RespondJSON(answer))
}

// peersEndpoint answers with the SIP peers of a site.
func (w *Worker) peersEndpoint(ctx context.Context, req micro.Request) {
	var q messages.PeersQuestion
	if err := json.Unmarshal(req.Data(), &q); err != nil || q.SiteID == "" {
		w.answerError(req, "400", `want {"site_id":…}`)
		return
	}
	peers, err := w.client.Peers(ctx, q.SiteID)
	switch {
	case bwclient.NotSent(err):
		w.answerError(req, "400", err.Error())
		return
	case bwclient.StatusOf(err) == http.StatusNotFound:
		w.answerError(req, "404", fmt.Sprintf("the account has no site %s at Bandwidth", q.SiteID))
		return
	case err != nil:
		w.answerVendorError(req, err)
		return
	}
	answer := messages.PeersAnswer{SiteID: q.SiteID, Peers: []messages.Peer{}}
	for _, p := range peers {
		answer.Peers = append(answer.Peers, messages.Peer(p))
	}
	w.answered(messages.EndpointPeers, req.RespondJSON(answer))
}

// answerVendorError answers with what Bandwidth's failure means to the asker.
func (w *Worker) answerVendorError(req micro.Request, err error) {
	code, text := "502", err.Error()
	switch status := bwclient.StatusOf(err); {
	case status == http.StatusForbidden:
		text += ": the credentials may not see this account: check account_id and the user's roles"
	case bwclient.IsCredentials(err):
		text += ": Bandwidth refuses the credentials: check client_id and client_secret, or api_username and api_password"
	case status == http.StatusTooManyRequests:
		code = "429"
	case errors.Is(err, context.DeadlineExceeded):
		code = "504"
	}
	w.answerError(req, code, text)
}

// answered logs an answer that could not be sent.
func (w *Worker) answered(endpoint string, err error) {
	if err != nil {
		w.log.WithError(err).Debugf("cannot answer the endpoint %s", endpoint)
	}
}
