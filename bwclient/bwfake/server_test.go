package bwfake_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

func TestCredentials(t *testing.T) {
	s := start(t, bwfake.Options{})
	const sites = "/accounts/" + account + "/sites"
	for header, want := range map[string]int{
		"": 401, "Basic dXNlcjpzZWNyZXQ=": 200, "Basic dXNlcjp3cm9uZw==": 401, "Basic b3RoZXI6c2VjcmV0": 401, "Basic !": 401, "Bearer": 401, "Bearer x": 401, "Bearer ": 401,
	} {
		if r := s.call("GET", sites, "", "Authorization", header); r.status != want {
			t.Errorf("%q: HTTP %d; want %d", header, r.status, want)
		}
		before := len(s.Orders())
		if r := s.call("POST", "/accounts/"+account+"/orders", orderXML("c", digits), "Authorization", header); want == 401 && (r.status != 401 || len(s.Orders()) != before) {
			t.Errorf("%q: an order is answered with %+v", header, r)
		}
	}
	if r := s.call("GET", "/accounts/1/sites", ""); r.status != 403 {
		t.Errorf("another account: %+v", r)
	}
	s.SetCredentials("new", "pair")
	if r := s.call("GET", sites, ""); r.status != 401 {
		t.Errorf("old credentials: %+v", r)
	}
	open, err := bwfake.Start(bwfake.Options{}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Close() })
	if r := (&sim{open, t}).call("GET", sites, "", "Authorization", "Basic Og=="); r.status != 401 {
		t.Errorf("a simulator without credentials takes empty ones: %+v", r)
	}
}

// token asks the token endpoint.
func (s *sim) token(id, secret, grant string) (string, reply) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.TokenURL(), strings.NewReader(url.Values{"grant_type": {grant}}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		req.SetBasicAuth(id, secret)
	}
	resp, err := plain.Do(req)
	if err != nil {
		return "", reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	var out struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(body), err: err}
	if r.status == 200 {
		if err := json.Unmarshal(body, &out); err != nil || out.TokenType != "Bearer" || out.ExpiresIn != 300 {
			s.t.Errorf("%v in %+v", err, r)
		}
	}
	return out.AccessToken, r
}

func TestTokens(t *testing.T) {
	c := newClock()
	s := start(t, bwfake.Options{ClientID: "id", ClientSecret: "hush", TokenLife: 5 * time.Minute, Now: c.Now})
	const grant = "client_credentials"
	sites := func(token string) int {
		return s.call("GET", "/accounts/"+account+"/sites", "", "Authorization", "Bearer "+token).status
	}
	for _, w := range []struct {
		id, secret, grant string
		status            int
	}{{"", "", grant, 401}, {"id", "wrong", grant, 401}, {"other", "hush", grant, 401}, {"id", "hush", "password", 400}} {
		if token, r := s.token(w.id, w.secret, w.grant); r.status != w.status || token != "" || !strings.Contains(r.body, `"error"`) {
			t.Errorf("%+v: %+v", w, r)
		}
	}
	first, _ := s.token("id", "hush", grant)
	second, _ := s.token("id", "hush", grant)
	if first == second || sites(first) != 200 || sites(second) != 200 || sites(first+"x") != 401 {
		t.Errorf("tokens %q and %q", first, second)
	}
	c.pass(5*time.Minute - 1)
	if sites(first) != 200 {
		t.Error("a token ends before its time")
	}
	c.pass(1)
	if sites(first) != 401 {
		t.Error("a token outlives its time")
	}
	third, _ := s.token("id", "hush", grant)
	s.SetClient("id", "new")
	if _, r := s.token("id", "hush", grant); r.status != 401 || sites(third) != 401 {
		t.Errorf("after the secret was changed: %+v, HTTP %d", r, sites(third))
	}
	s.Inject(bwfake.Fault{Endpoint: bwfake.EndpointToken, Kind: bwfake.ErrorBefore, Status: 503, Times: 1})
	if _, r := s.token("id", "new", grant); r.status != 503 {
		t.Errorf("%+v", r)
	}
	if got := s.Calls(bwfake.EndpointToken); got != 9 {
		t.Errorf("%d calls for tokens", got)
	}
	none := start(t, bwfake.Options{})
	if _, r := none.token("", "", grant); r.status != 401 {
		t.Errorf("a simulator without a client hands out tokens: %+v", r)
	}
}

func TestPaths(t *testing.T) {
	s := start(t, bwfake.Options{})
	host := strings.TrimSuffix(s.URL, "/api")
	for _, prefix := range []string{"", "/api", "/api/v1", "/v1.0"} {
		if r := s.call("GET", host+prefix+"/accounts/"+account+"/sites", ""); r.status != 200 {
			t.Errorf("%q: %+v", prefix, r)
		}
	}
	for _, path := range []string{"/", "/sites", "/api/v2/accounts/" + account + "/sites", "/accounts/" + account, "/_sim/orders"} {
		if r := s.call("GET", host+path, ""); r.status != 404 || !strings.Contains(r.body, "the simulator knows no GET") {
			t.Errorf("%q: %+v", path, r)
		}
	}
	if _, err := bwfake.Start(bwfake.Options{}, strings.TrimPrefix(host, "http://")); err == nil {
		t.Error("an address in use is no error")
	}
	if err := s.Shutdown(t.Context()); err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if r := s.call("GET", "/accounts/"+account+"/sites", ""); r.err == nil {
		t.Errorf("a simulator that was stopped answers: %+v", r)
	}
}

func TestControl(t *testing.T) {
	s := start(t, bwfake.Options{Control: true})
	host := strings.TrimSuffix(s.URL, "/api")
	post := func(path, body string) int { return s.call("POST", host+path, body).status }
	show := func(path string, to any) {
		t.Helper()
		r := s.call("GET", host+path, "", "Authorization", "")
		if err := json.Unmarshal([]byte(r.body), to); err != nil || r.status != 200 {
			t.Fatalf("%s: %v, %+v", path, err, r)
		}
	}
	if got := post("/_sim/faults", `{"endpoint":"orders.create","times":1,"kind":"lose_reply_after","customer_order_id":"c-1"}`); got != 204 {
		t.Errorf("HTTP %d", got)
	}
	if r := s.order("c-1", digits); r.err == nil {
		t.Errorf("%+v", r)
	}
	if got := post("/_sim/sell", `{"number":"+19195551299","customer_order_id":"theirs"}`); got != 204 {
		t.Errorf("HTTP %d", got)
	}
	s.order("c-2", "9195551299")
	var purchases, orders []bwfake.Purchase
	show("/_sim/purchases", &purchases)
	show("/_sim/orders", &orders)
	if len(purchases) != 2 || len(orders) != 3 || purchases[0].CustomerOrderID != "c-1" || !purchases[1].Foreign || orders[2].Status != "FAILED" {
		t.Errorf("purchases %+v, orders %+v", purchases, orders)
	}
	var requests []bwfake.Request
	if show("/_sim/requests", &requests); len(requests) != 2 || requests[0].Status != 0 || requests[1].Status != 201 {
		t.Errorf("%+v", requests)
	}
	s.Inject(bwfake.Fault{Kind: bwfake.ErrorBefore})
	if r := s.call("DELETE", host+"/_sim/faults", ""); r.status != 204 {
		t.Errorf("%+v", r)
	}
	if r := s.call("GET", "/accounts/"+account+"/sites", ""); r.status != 200 {
		t.Errorf("a fault is not cleared: %+v", r)
	}
	for _, path := range []string{"/_sim/faults", "/_sim/sell", "/_sim/credentials"} {
		for _, body := range []string{"", "{", `{"nobody knows":1}`, `[]`} {
			if got := post(path, body); got != 400 {
				t.Errorf("%s with %q: HTTP %d", path, body, got)
			}
		}
	}
	if got := post("/_sim/credentials", `{"username":"new","password":"pair"}`); got != 204 {
		t.Errorf("HTTP %d", got)
	}
	if r := s.call("GET", "/accounts/"+account+"/sites", ""); r.status != 401 {
		t.Errorf("old credentials: %+v", r)
	}
}
