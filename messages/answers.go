package messages

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
