package bwfake

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configure a [Server]. The zero value takes any credentials of none: set at least one pair.
type Options struct {
	// AccountID is the account's number; empty means 20902288.
	AccountID string
	// Username and Password are taken as HTTP Basic.
	Username, Password string
	// ClientID and ClientSecret are taken at the token endpoint.
	ClientID, ClientSecret string
	// TokenLife is how long a token lives; zero means an hour.
	TokenLife time.Duration
	// Sites are the account's; nil means sites 1234 and 5678 with peers 234222 (default), 234223 and 345333.
	Sites []Site
	// CompleteAfter is how long an order stays RECEIVED; zero: its first read shows it final. A disconnect takes effect
	// after this time.
	CompleteAfter time.Duration
	// Aging is how long a released number is Aging: nobody but this account can have it then, by its name. Zero: it is
	// nobody's at once, and GET /tns/{tn} answers 404. Bandwidth's documents say 30 days, and not what the read of such a
	// number names beside its status; here it is no order.
	Aging time.Duration
	// ReservationLife is how long a reservation lasts; zero means four hours, as documented. Until its end the number is
	// sold to orders alone that name the reservation, and not found by searches.
	ReservationLife time.Duration
	// DisconnectStatus is the status of a disconnect that was taken: 201 (also for zero) or 200; recordings have both.
	DisconnectStatus int
	// PortInStep is how long a port-in is SUBMITTED, and then FOC; zero: its first read shows it COMPLETE.
	PortInStep time.Duration
	// DraftLife is after how long a port-in that is a draft is dropped; zero means 48 hours.
	DraftLife time.Duration
	// ListDelay is how long a new order, or port-in, is missing from its list.
	ListDelay time.Duration
	// Inventory are the numbers that the vendor has: only these are found and can be ordered. nil means that every
	// well-formed number is for sale, and that searches find a generated selection of them. Entries that hold no number
	// are left out.
	Inventory []Stock
	// EmptyList is the status of a list without entries: 200 (also for zero), 204 or 404; Bandwidth's documents
	// disagree.
	EmptyList int
	// Seed makes faults of a probability repeatable.
	Seed uint64
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Control serves the steering endpoints below /_sim/.
	Control bool
	// Quiet keeps no log of requests, for benchmarks.
	Quiet bool
}

// Site is a site of the account.
type Site struct {
	ID, Name, Description string
	Peers                 []Peer
}

// Peer is a SIP peer of a site.
type Peer struct {
	ID, Name string
	Default  bool
}

// Server is a simulated account. [New] makes one. It is safe for concurrent use.
type Server struct {
	opts Options
	mux  *http.ServeMux

	mu       sync.Mutex
	orders   map[string]*order
	byID     map[string][]*order // by customer order id
	serial   []*order            // in the order of their creation
	holders  map[string]*order   // who holds a number, by ten digits
	sold     map[string]int      // how often a number was sold to this side
	faults   []*Fault
	requests []Request
	calls    map[string]int
	once     map[string]bool // one-time misbehaviour of a number that has happened
	tokens   map[string]time.Time
	random   *mathrand.Rand

	restocked []string             // put up for sale, ten digits
	arrivals  []arrival            // stock that comes later
	waiting   []*order             // for stock, in the order of their creation
	aging     map[string]time.Time // until when a released number is only its last holder's
	disc      map[string]*disconnect
	stocked   map[string]bool // what the given inventory holds, by ten digits; nil for everything
	pending   []*disconnect   // that have not taken effect, in the order of their creation
	releases  []Release
	portins   []*portIn // in the order of their creation

	reservations map[string]*reservation // those that stand, by their ids
}

// New returns a Server.
func New(o Options) *Server {
	if o.AccountID == "" {
		o.AccountID = "20902288"
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sites == nil {
		o.Sites = []Site{
			{ID: "1234", Name: "East coast", Description: "first site", Peers: []Peer{{ID: "234222", Name: "Kazoo east", Default: true}, {ID: "234223", Name: "Kazoo east 2"}}},
			{ID: "5678", Name: "West coast", Peers: []Peer{{ID: "345333", Name: "Kazoo west", Default: true}}},
		}
	}
	s := &Server{
		opts: o, orders: map[string]*order{}, byID: map[string][]*order{}, holders: map[string]*order{}, sold: map[string]int{},
		calls: map[string]int{}, once: map[string]bool{}, tokens: map[string]time.Time{}, disc: map[string]*disconnect{},
		aging: map[string]time.Time{}, reservations: map[string]*reservation{},
		random: mathrand.New(mathrand.NewPCG(o.Seed, 0x6277)),
	}
	if o.Inventory != nil {
		s.stocked = make(map[string]bool, len(o.Inventory))
		s.opts.Inventory = make([]Stock, 0, len(o.Inventory))
		for _, st := range o.Inventory {
			if digits10.MatchString(st.digits()) && !s.stocked[st.digits()] {
				s.opts.Inventory = append(s.opts.Inventory, st)
				s.stocked[st.digits()] = true
			}
		}
	}
	s.routes()
	return s
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	handle := func(pattern, endpoint string, h func(*exchange)) {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, endpoint, h) })
	}
	handle("POST /accounts/{account}/orders", EndpointCreate, s.createOrder)
	handle("GET /accounts/{account}/orders", EndpointList, s.listOrders)
	handle("GET /accounts/{account}/orders/{id}", EndpointGet, s.getOrder)
	handle("PUT /accounts/{account}/orders/{id}", EndpointClose, s.changeOrder)
	handle("GET /accounts/{account}/orders/{id}/tns", EndpointOrderNumbers, s.getOrderNumbers)
	handle("GET /accounts/{account}/availableNumbers", EndpointSearch, s.search)
	handle("GET /accounts/{account}/sites", EndpointSites, s.listSites)
	handle("GET /accounts/{account}/sites/{site}/sippeers", EndpointPeers, s.listPeers)
	handle("POST /accounts/{account}/disconnects", EndpointDisconnect, s.createDisconnect)
	handle("GET /accounts/{account}/disconnects/{id}", EndpointDisconnectGet, s.getDisconnect)
	handle("POST /accounts/{account}/portins", EndpointPortIn, s.createPortIn)
	handle("GET /accounts/{account}/portins", EndpointPortInList, s.listPortIns)
	handle("GET /accounts/{account}/portins/{id}", EndpointPortInGet, s.getPortIn)
	handle("GET /accounts/{account}/inserviceNumbers/{tn}", EndpointInService, s.inService)
	handle("GET /tns/{tn}", EndpointNumber, s.getNumber)
	handle("POST /accounts/{account}/tnreservation", EndpointReserve, s.createReservation)
	handle("GET /accounts/{account}/tnreservation/{id}", EndpointReservation, s.getReservation)
	handle("DELETE /accounts/{account}/tnreservation/{id}", EndpointUnreserve, s.getReservation)
	s.mux.HandleFunc("POST /oauth2/token", s.token)
	if s.opts.Control {
		s.steering()
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "the simulator knows no "+r.Method+" "+r.URL.Path+"; the API's paths begin with /accounts/{account}, below /, /api, /api/v1 or /v1.0", http.StatusNotFound)
	})
}

// ServeHTTP serves the API below /, /api, /api/v1 and /v1.0.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, prefix := range []string{"/api/v1/", "/v1.0/", "/api/"} {
		if rest, ok := strings.CutPrefix(r.URL.Path, prefix); ok {
			r.URL.Path = "/" + rest
			break
		}
	}
	s.mux.ServeHTTP(w, r)
}

// exchange is one request to the API and its answer.
type exchange struct {
	w    http.ResponseWriter
	r    *http.Request
	fate *Fault // what goes wrong with it; nil for nothing
	coid string // the customer order id that it is about, once known
	code int
}

// serve checks the credentials, applies faults, and records the request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, endpoint string, h func(*exchange)) {
	x := &exchange{w: w, r: r}
	defer func() {
		s.record(r, endpoint, x)
	}()
	if !s.authorized(r) {
		x.empty(http.StatusUnauthorized)
		return
	}
	if account := r.PathValue("account"); account != "" && account != s.opts.AccountID {
		x.empty(http.StatusForbidden)
		return
	}
	s.mu.Lock()
	s.settle()
	s.mu.Unlock()
	if endpoint == EndpointCreate || endpoint == EndpointDisconnect || endpoint == EndpointPortIn {
		h(x) // its faults depend on the order in its body
		return
	}
	coid := r.URL.Query().Get("customerOrderId")
	if o := s.find(r.PathValue("id")); o != nil {
		coid = s.customerOrderID(o)
	}
	if p := s.portIn(r.PathValue("id")); p != nil {
		coid = p.coid
	}
	x.fate = s.fault(r.Method, endpoint, coid)
	if x.before(s) {
		return
	}
	h(x)
}

// Endpoints, by which faults and calls are named.
const (
	EndpointCreate        = "orders.create"
	EndpointList          = "orders.list"
	EndpointGet           = "orders.get"
	EndpointClose         = "orders.close"
	EndpointOrderNumbers  = "orders.tns"
	EndpointSites         = "sites"
	EndpointPeers         = "sippeers"
	EndpointNumber        = "tns"
	EndpointToken         = "token"
	EndpointDisconnect    = "disconnects.create"
	EndpointDisconnectGet = "disconnects.get"
	EndpointPortIn        = "portins.create"
	EndpointPortInList    = "portins.list"
	EndpointPortInGet     = "portins.get"
	EndpointInService     = "inservice"
	EndpointSearch        = "availableNumbers"
	EndpointReserve       = "reservations.create"
	EndpointReservation   = "reservations.get"
	EndpointUnreserve     = "reservations.delete"
)

func (s *Server) authorized(r *http.Request) bool {
	s.mu.Lock()
	user, password := s.opts.Username, s.opts.Password
	header := r.Header.Get("Authorization")
	token, bearer := strings.CutPrefix(header, "Bearer ")
	expiry, known := s.tokens[token]
	now := s.opts.Now()
	s.mu.Unlock()
	if bearer {
		return known && now.Before(expiry)
	}
	u, p, ok := r.BasicAuth()
	return ok && user != "" && same(u, user) && same(p, password)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// token serves POST /oauth2/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r}
	defer func() { s.record(r, EndpointToken, x) }()
	if x.fate = s.fault(r.Method, EndpointToken, ""); x.before(s) {
		return
	}
	id, secret, ok := r.BasicAuth()
	s.mu.Lock()
	wantID, wantSecret := s.opts.ClientID, s.opts.ClientSecret
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if !ok || wantID == "" || !same(id, wantID) || !same(secret, wantSecret) {
		x.write(http.StatusUnauthorized, "application/json", `{"error":"invalid_client","error_description":"client authentication failed"}`)
		return
	}
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		x.write(http.StatusBadRequest, "application/json", `{"error":"unsupported_grant_type"}`)
		return
	}
	var b [16]byte
	_, _ = rand.Read(b[:])
	token := hex.EncodeToString(b[:])
	s.mu.Lock()
	s.tokens[token] = s.opts.Now().Add(s.opts.TokenLife)
	s.mu.Unlock()
	body, _ := json.Marshal(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(s.opts.TokenLife / time.Second)})
	x.write(http.StatusOK, "application/json", string(body))
}

// SetCredentials changes which Basic credentials are taken.
func (s *Server) SetCredentials(username, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Username, s.opts.Password = username, password
}

// SetClient changes which OAuth2 client is taken, and ends all tokens.
func (s *Server) SetClient(id, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.ClientID, s.opts.ClientSecret = id, secret
	clear(s.tokens)
}

func (x *exchange) write(status int, contentType, body string) {
	x.code = status
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write([]byte(body))
}

func (x *exchange) empty(status int) {
	x.code = status
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(status)
}

// Running is a simulator that listens.
type Running struct {
	*Server
	// URL is the base URL for a client: http://host:port/api.
	URL  string
	http *http.Server
}

// Start serves a new simulator at an address such as 127.0.0.1:0. The caller must call Close.
func Start(o Options, address string) (*Running, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	r := &Running{Server: New(o), URL: "http://" + l.Addr().String() + "/api"}
	r.http = &http.Server{Handler: r.Server, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.http.Serve(l) }()
	return r, nil
}

// TokenURL is where the running simulator hands out access tokens.
func (r *Running) TokenURL() string { return r.URL + "/v1/oauth2/token" }

// Close stops the simulator at once.
func (r *Running) Close() error { return r.http.Close() }

// Shutdown stops the simulator after the requests in hand.
func (r *Running) Shutdown(ctx context.Context) error {
	return errors.Join(r.http.Shutdown(ctx), r.http.Close())
}
