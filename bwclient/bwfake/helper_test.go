package bwfake_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"bandwidthworker/bwclient/bwfake"
)

const (
	account  = "20902288"
	username = "user"
	password = "secret"
	number   = "+19195551234"
	digits   = "9195551234"
)

// sim is a running simulator and a plain HTTP client of it: these tests know nothing of this project's own client.
type sim struct {
	*bwfake.Running
	t testing.TB
}

func start(t testing.TB, o bwfake.Options) *sim {
	t.Helper()
	o.Username, o.Password = username, password
	r, err := bwfake.Start(o, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return &sim{Running: r, t: t}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // the connection broke
}

// call sends a request to a path below the base URL, or to a whole URL.
func (s *sim) call(method, path, body string, header ...string) reply {
	s.t.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = s.URL + path
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return reply{err: err}
	}
	req.SetBasicAuth(username, password)
	if body != "" {
		req.Header.Set("Content-Type", "application/xml")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := plain.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(data), err: err}
}

// plain opens a connection for each call, so that a lost reply is never mistaken for a stale connection.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

// orderXML is a documented order.
func orderXML(coid string, numbers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<Order><CustomerOrderId>%s</CustomerOrderId><Name>a name</Name><ExistingTelephoneNumberOrderType><TelephoneNumberList>", coid)
	for _, n := range numbers {
		fmt.Fprintf(&b, "<TelephoneNumber>%s</TelephoneNumber>", n)
	}
	b.WriteString("</TelephoneNumberList></ExistingTelephoneNumberOrderType><SiteId>1234</SiteId><PeerId>234222</PeerId>" +
		"<PartialAllowed>true</PartialAllowed><BackOrderRequested>false</BackOrderRequested></Order>")
	return b.String()
}

func (s *sim) order(coid string, numbers ...string) reply {
	s.t.Helper()
	return s.call("POST", "/accounts/"+account+"/orders", orderXML(coid, numbers...))
}

// buy orders numbers and returns the order's id.
func (s *sim) buy(coid string, numbers ...string) string {
	s.t.Helper()
	r := s.order(coid, numbers...)
	if r.status != http.StatusCreated {
		s.t.Fatalf("order %s: %+v", coid, r)
	}
	id := s.read(r).ID
	if id == "" || !strings.HasSuffix(r.header.Get("Location"), "/accounts/"+account+"/orders/"+id) {
		s.t.Fatalf("order %s: id %q, Location %q", coid, id, r.header.Get("Location"))
	}
	return id
}

// orderAnswer is OrderResponse as it is documented.
type orderAnswer struct {
	XMLName           xml.Name `xml:"OrderResponse"`
	CompletedQuantity string   `xml:"CompletedQuantity"`
	FailedQuantity    string   `xml:"FailedQuantity"`
	Status            string   `xml:"OrderStatus"`
	Completed         []string `xml:"CompletedNumbers>TelephoneNumber>FullNumber"`
	Failed            []string `xml:"FailedNumbers>FullNumber"`
	Codes             []string `xml:"ErrorList>Error>Code"`
	About             []string `xml:"ErrorList>Error>TelephoneNumber"`
	ID                string   `xml:"Order>id"`
	CustomerOrderID   string   `xml:"Order>CustomerOrderId"`
	Peer              string   `xml:"Order>PeerId"`
	Asked             []string `xml:"Order>ExistingTelephoneNumberOrderType>TelephoneNumberList>TelephoneNumber"`
}

func (s *sim) read(r reply) orderAnswer {
	s.t.Helper()
	var out orderAnswer
	if err := xml.Unmarshal([]byte(r.body), &out); err != nil {
		s.t.Fatalf("%v in %+v", err, r)
	}
	return out
}

// get reads an order.
func (s *sim) get(id string) orderAnswer {
	s.t.Helper()
	r := s.call("GET", "/accounts/"+account+"/orders/"+id, "")
	if r.status != http.StatusOK {
		s.t.Fatalf("order %s: %+v", id, r)
	}
	return s.read(r)
}

// listAnswer is the list of orders as it is documented.
type listAnswer struct {
	XMLName xml.Name `xml:"ResponseSelectWrapper"`
	Total   string   `xml:"ListOrderIdUserIdDate>TotalCount"`
	Next    string   `xml:"ListOrderIdUserIdDate>Links>next"`
	Orders  []struct {
		ID              string `xml:"orderId"`
		CustomerOrderID string `xml:"CustomerOrderId"`
		Status          string `xml:"OrderStatus"`
		Count           string `xml:"CountOfTNs"`
	} `xml:"ListOrderIdUserIdDate>OrderIdUserIdDate"`
}

func (s *sim) list(query string) listAnswer {
	s.t.Helper()
	r := s.call("GET", "/accounts/"+account+"/orders?"+query, "")
	var out listAnswer
	if err := xml.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK {
		s.t.Fatalf("%v in %+v", err, r)
	}
	return out
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
