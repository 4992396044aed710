package messages

import "time"

// Limits of the endpoint `orders`.
const (
	// DefaultOrdersLimit is how many orders are listed where no limit is given.
	DefaultOrdersLimit = 100
	// MaxOrdersLimit is the largest limit.
	MaxOrdersLimit = 1000
)

// NumberQuestion is what the endpoint `number` is asked.
type NumberQuestion struct {
	// Number is in E.164.
	Number string `json:"number"`
}

// NumberEntry is what the endpoint `number` answers, and an entry of the bucket of numbers, under the number's digits.
type NumberEntry struct {
	Number string `json:"number"`
	// State is in_service, released or port_in.
	State string `json:"state"`
	// CarrierModule is Kazoo's name for who the number is with.
	CarrierModule string `json:"carrier_module"`
	SiteID        string `json:"site_id,omitempty"`
	SIPPeer       string `json:"sip_peer,omitempty"`
	// Key is that of the order that brought the number into this state, BandwidthOrderID Bandwidth's id.
	Key              string `json:"key"`
	BandwidthOrderID string `json:"bandwidth_order_id,omitempty"`
	// Since is when the order was sent, of a released number when it was given back, of a port-in when that was sent.
	Since time.Time `json:"since"`
}

// OrdersQuestion is what the endpoint `orders` is asked; empty fields choose all.
type OrdersQuestion struct {
	// Tenant is that of the requests; [NoTenant] for those of none.
	Tenant string `json:"tenant,omitempty"`
	State  string `json:"state,omitempty"`
	Kind   Kind   `json:"kind,omitempty"`
	// Open chooses the unfinished ones.
	Open bool `json:"open,omitempty"`
	// Limit is how many are listed: 1 to [MaxOrdersLimit]; 0 means [DefaultOrdersLimit].
	Limit int `json:"limit,omitempty"`
}

// OrdersAnswer is what the endpoint `orders` answers: unfinished orders first, the newest of them first, then those
// that ended, the last changed first.
type OrdersAnswer struct {
	Orders []OrderSummary `json:"orders"`
	// More says that there are, or may be, more that fit the question.
	More bool `json:"more"`
}

// OrderSummary is an order in a list.
type OrderSummary struct {
	Key        string `json:"key"`
	RequestID  string `json:"request_id"`
	Tenant     string `json:"tenant"`
	Kind       Kind   `json:"kind"`
	State      string `json:"state"`
	Reason     Reason `json:"reason"`
	Generation int    `json:"generation"`
	Sandbox    bool   `json:"sandbox"`
	// Open says that the order is not finished: it has not ended, or its outcome is not published yet.
	Open bool `json:"open"`
	// Asked counts the numbers that the last generation asks for, and Held those of them that are held (of a disconnect:
	// released). Both are 0 of a cancel.
	Asked      int        `json:"asked"`
	Held       int        `json:"held"`
	AcceptedAt time.Time  `json:"accepted_at"`
	EndedAt    *time.Time `json:"ended_at,omitempty"`
}

// PauseQuestion is what the endpoints `pause` and `resume` are asked; `resume` takes the group alone.
type PauseQuestion struct {
	// Group is one of Bandwidth's rate groups, such as ORDER.
	Group string `json:"group"`
	// Why and By are shown wherever the pause is.
	Why string `json:"why,omitempty"`
	By  string `json:"by,omitempty"`
}

// PauseAnswer is what the endpoints `pause` and `resume` answer.
type PauseAnswer struct {
	Group string `json:"group"`
	// Paused says whether the group is paused now.
	Paused bool `json:"paused"`
	// WasPaused says whether it was before.
	WasPaused bool `json:"was_paused"`
	// Why and By are those of the pause that stands, or stood.
	Why string `json:"why,omitempty"`
	By  string `json:"by,omitempty"`
}
