package messages

import (
	"encoding/json"
	"time"
)

// Names of the micro service's endpoints.
const (
	EndpointOrder  = "order"
	EndpointSearch = "search"
	EndpointSites  = "sites"
	EndpointPeers  = "peers"
	EndpointOrders = "orders"
	EndpointNumber = "number"
	EndpointPause  = "pause"
	EndpointResume = "resume"
)

// Site is a site, or sub-account, of the account at Bandwidth.
type Site struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// SitesAnswer is what the endpoint `sites` answers.
type SitesAnswer struct {
	Sites []Site `json:"sites"`
}

// PeersQuestion is what the endpoint `peers` is asked.
type PeersQuestion struct {
	SiteID string `json:"site_id"`
}

// Peer is a SIP peer, or location, of a site.
type Peer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Default bool   `json:"default"`
}

// PeersAnswer is what the endpoint `peers` answers.
type PeersAnswer struct {
	SiteID string `json:"site_id"`
	Peers  []Peer `json:"peers"`
}

// OrderView is what the endpoint `order` answers: an order as the ledger has it.
type OrderView struct {
	Key        string     `json:"key"`
	RequestID  string     `json:"request_id"`
	Tenant     string     `json:"tenant"`
	Kind       Kind       `json:"kind"`
	State      string     `json:"state"`
	Generation int        `json:"generation"`
	Sandbox    bool       `json:"sandbox"`
	Reason     string     `json:"reason,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	Published  bool       `json:"published"`
	AcceptedAt time.Time  `json:"accepted_at"`
	EndedAt    *time.Time `json:"ended_at,omitempty"`
	// Asked are the numbers that are named; where Criteria say which are wanted, Quantity is how many.
	Asked     []string        `json:"asked"`
	Criteria  json.RawMessage `json:"criteria,omitempty"`
	Quantity  int             `json:"quantity,omitempty"`
	Backorder bool            `json:"backorder,omitempty"`
	Reserve   bool            `json:"reserve,omitempty"`
	// Mode and Protected are a disconnect's, as they were asked for.
	Mode      string `json:"mode,omitempty"`
	Protected string `json:"protected,omitempty"`
	// Draft says that a port-in is held at Bandwidth until it is submitted there.
	Draft bool `json:"draft,omitempty"`
	// Cancels is the key of the order that a cancel closes; CancelledBy that of the cancel by which an order is closed.
	Cancels         string            `json:"cancels,omitempty"`
	CancelledBy     string            `json:"cancelled_by,omitempty"`
	Numbers         []string          `json:"numbers"`
	FailedNumbers   []FailedNumber    `json:"failed_numbers,omitempty"`
	Errors          []EventError      `json:"errors,omitempty"`
	BandwidthOrders []BandwidthOrder  `json:"bandwidth_orders"`
	History         []HistoryEntry    `json:"history"`
	Metadata        map[string]string `json:"metadata,omitempty"`
}
