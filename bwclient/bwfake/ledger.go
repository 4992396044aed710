package bwfake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Purchase is an order that bought numbers.
type Purchase struct {
	OrderID         string    `json:"order_id"`
	CustomerOrderID string    `json:"customer_order_id"`
	Name            string    `json:"name"`
	Status          string    `json:"status"`
	Numbers         []string  `json:"numbers"` // E.164
	At              time.Time `json:"at"`
	// Foreign says that another system bought them.
	Foreign bool `json:"foreign"`
}

// Request is a call that came in.
type Request struct {
	At              time.Time `json:"at"`
	Method          string    `json:"method"`
	Endpoint        string    `json:"endpoint"`
	Path            string    `json:"path"`
	Query           string    `json:"query,omitempty"`
	CustomerOrderID string    `json:"customer_order_id,omitempty"`
	// Status is the answer's; 0 where there was none.
	Status int `json:"status"`
}

// maxRequests bounds the log of requests; the oldest are dropped.
const maxRequests = 100_000

func (s *Server) record(r *http.Request, endpoint string, x *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[endpoint]++
	if s.opts.Quiet {
		return
	}
	if len(s.requests) >= maxRequests {
		s.requests = s.requests[maxRequests/2:]
	}
	s.requests = append(s.requests, Request{
		At: s.opts.Now(), Method: r.Method, Endpoint: endpoint, Path: r.URL.Path, Query: r.URL.RawQuery, CustomerOrderID: x.coid, Status: x.code,
	})
}

// Purchases returns every order that bought numbers, in the order of their creation.
func (s *Server) Purchases() []Purchase { return s.list(true) }

// Orders returns every order, also those that bought nothing.
func (s *Server) Orders() []Purchase { return s.list(false) }

func (s *Server) list(buyers bool) []Purchase {
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	var out []Purchase
	for _, o := range s.serial {
		if buyers && len(o.bought) == 0 {
			continue
		}
		p := Purchase{OrderID: o.id, CustomerOrderID: o.coid, Name: o.name, Status: o.state(now), At: o.created, Foreign: o.foreign, Numbers: []string{}}
		for _, n := range o.bought {
			p.Numbers = append(p.Numbers, "+1"+n)
		}
		out = append(out, p)
	}
	return out
}

// OrdersOf returns the orders whose customer order id contains the text.
func (s *Server) OrdersOf(text string) []Purchase {
	var out []Purchase
	for _, p := range s.Orders() {
		if strings.Contains(p.CustomerOrderID, text) {
			out = append(out, p)
		}
	}
	return out
}

// Bought returns how often a number in E.164 was sold to this side since it was last released.
func (s *Server) Bought(number string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.sold[strings.TrimPrefix(number, "+1")]
}

// Requests returns the calls that came in, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Calls returns how many calls an endpoint has had.
func (s *Server) Calls(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[endpoint]
}

// SellElsewhere gives a number in E.164 to another system on the same account, and returns that order's id. A number
// that is reserved is not sold to it: the id is empty then.
func (s *Server) SellElsewhere(number, customerOrderID string) string {
	n := strings.TrimPrefix(number, "+1")
	now := s.opts.Now()
	o := &order{
		id: newID(), coid: customerOrderID, name: "another system", site: s.opts.Sites[0].ID, asked: []string{n}, bought: []string{n},
		created: now, final: now, listed: now, status: "COMPLETE", foreign: true,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	if s.isReserved(n) {
		return ""
	}
	s.enter(o)
	delete(s.aging, n)
	s.holders[n] = o
	return o.id
}

// Forget takes an order out of the account's books, as if it had never been made there. Its numbers stay sold.
func (s *Server) Forget(orderID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderID]
	if o == nil {
		return
	}
	gone := func(other *order) bool { return other == o }
	delete(s.orders, orderID)
	s.serial = slices.DeleteFunc(s.serial, gone)
	s.byID[o.coid] = slices.DeleteFunc(s.byID[o.coid], gone)
}

// SetStatus forces the status word of an order; empty lets it go its way again.
func (s *Server) SetStatus(orderID, word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orders[orderID]; o != nil {
		o.forced = word
	}
}

// SetCompleteAfter changes how long new orders stay RECEIVED.
func (s *Server) SetCompleteAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.CompleteAfter = d
}

// steering serves the endpoints by which the simulator is steered from outside.
func (s *Server) steering() {
	show := func(path string, what func() any) {
		s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(what())
		})
	}
	show("/_sim/purchases", func() any { return s.Purchases() })
	show("/_sim/orders", func() any { return s.Orders() })
	show("/_sim/requests", func() any { return s.Requests() })
	show("/_sim/releases", func() any { return s.Releases() })
	show("/_sim/reservations", func() any { return s.Reservations() })
	show("/_sim/portins", func() any { return s.PortIns() })
	s.mux.HandleFunc("POST /_sim/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		if !decode(w, r, &f) {
			return
		}
		if err := f.check(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Inject(f)
		w.WriteHeader(http.StatusNoContent)
	})
	s.mux.HandleFunc("POST /_sim/release", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Number string `json:"number"`
		}
		if take(w, r, &in) {
			s.Release(in.Number)
		}
	})
	s.mux.HandleFunc("POST /_sim/portin", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			OrderID string   `json:"order_id"`
			Status  string   `json:"status"`
			Errors  []string `json:"errors"`
		}
		if take(w, r, &in) {
			s.SetPortIn(in.OrderID, in.Status, in.Errors...)
		}
	})
	s.mux.HandleFunc("POST /_sim/status", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			OrderID string `json:"order_id"`
			Status  string `json:"status"`
		}
		if take(w, r, &in) {
			s.SetStatus(in.OrderID, in.Status)
		}
	})
	s.mux.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	s.mux.HandleFunc("POST /_sim/sell", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Number          string `json:"number"`
			CustomerOrderID string `json:"customer_order_id"`
		}
		if take(w, r, &in) {
			s.SellElsewhere(in.Number, in.CustomerOrderID)
		}
	})
	s.mux.HandleFunc("POST /_sim/restock", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Numbers []string `json:"numbers"`
		}
		if take(w, r, &in) {
			s.Restock(in.Numbers...)
		}
	})
	s.mux.HandleFunc("POST /_sim/credentials", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Username string `json:"username"`
			Password string `json:"password"`
		}
		if take(w, r, &in) {
			s.SetCredentials(in.Username, in.Password)
		}
	})
}

// take reads a JSON body and answers 204; where it cannot it answers 400 and returns false.
func take(w http.ResponseWriter, r *http.Request, v any) bool {
	if !decode(w, r, v) {
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// decode reads a JSON body; where it cannot it answers 400 and returns false.
func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// Release takes a number in E.164 from whoever holds it, so that it is for sale again.
func (s *Server) Release(number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := strings.TrimPrefix(number, "+1")
	delete(s.holders, n)
	delete(s.aging, n)
	s.sold[n] = 0
}
