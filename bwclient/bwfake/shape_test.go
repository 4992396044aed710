package bwfake_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bandwidthworker/bwclient/bwfake"
)

// elements lists the paths of a document's elements.
func elements(t *testing.T, text string) map[string]bool {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	var at []string
	out := map[string]bool{}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			at = append(at, e.Name.Local)
			out[strings.Join(at, "/")] = true
		case xml.EndElement:
			at = at[:len(at)-1]
		}
	}
}

// recorded lists the paths of the recorded payloads that fit the patterns. Where there are none the test is skipped,
// and fails in CI.
func recorded(t *testing.T, patterns ...string) map[string]bool {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the recorded payloads are missing: %v", err)
		}
		t.Skipf("the recorded payloads are not here: %v", err)
	}
	out := map[string]bool{}
	for _, p := range patterns {
		names, err := filepath.Glob(filepath.Join(dir, p))
		if err != nil || len(names) == 0 {
			t.Fatalf("no recorded payload is like %s: %v", p, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for path := range elements(t, string(data)) {
				out[path] = true
			}
		}
	}
	return out
}

// TestShapes compares every answer of the simulator with the recorded ones, element by element: what the simulator
// says beyond them must be documented in words, and what a client lives on must be there.
func TestShapes(t *testing.T) {
	s := start(t, bwfake.Options{})
	orders := "/accounts/" + account + "/orders"
	created := s.order("c-1", digits, "9195550404")
	id := s.read(created).ID
	disconnected := s.call("POST", "/accounts/"+account+"/disconnects", "<DisconnectTelephoneNumberOrder><DisconnectTelephoneNumberOrderType><TelephoneNumberList><TelephoneNumber>9195550000</TelephoneNumber></TelephoneNumberList></DisconnectTelephoneNumberOrderType></DisconnectTelephoneNumberOrder>")
	location := disconnected.header.Get("Location")
	s.buy("c-1", "9195551240")
	for _, c := range []struct {
		name     string
		got      reply
		recorded []string
		// documented are elements that the documents give in words, or that another resource's recording has.
		documented []string
		needs      []string
	}{
		{
			name: "a created order", got: created, recorded: []string{"openapi-v1/orders__post__201__*.xml", "kazoo/buy_a_number.xml", "guides/onDemandNumberSearchAndOrder_04_*.xml"},
			needs: []string{"OrderResponse/Order/id", "OrderResponse/Order/CustomerOrderId", "OrderResponse/OrderStatus"},
		},
		{
			name: "a refused order", got: s.order("c-1", "9195550400"), recorded: []string{"openapi-v1/orders__post__400__*.xml", "guides/error_01_*.xml"},
			documented: []string{"OrderResponse/Order/PeerId"}, // an order's own element
			needs:      []string{"OrderResponse/ErrorList/Error/Code", "OrderResponse/ErrorList/Error/TelephoneNumber"},
		},
		{
			name: "an order", got: s.call("GET", orders+"/"+id+"?tndetail=true", ""),
			recorded: []string{"openapi-v1/orders-orderId__get__*.xml", "guides/onDemandNumberSearchAndOrder_0[78]_*.xml"},
			needs: []string{
				"OrderResponse/OrderStatus", "OrderResponse/CompletedQuantity", "OrderResponse/FailedQuantity", "OrderResponse/CompletedNumbers/TelephoneNumber/FullNumber",
				"OrderResponse/FailedNumbers/FullNumber", "OrderResponse/ErrorList/Error/Code", "OrderResponse/Order/CustomerOrderId",
			},
		},
		{
			name: "an order's numbers", got: s.call("GET", orders+"/"+id+"/tns", ""), recorded: []string{"openapi-v1/orders-orderId-tns__get__*.xml"},
			needs: []string{"TelephoneNumbers/Count", "TelephoneNumbers/TelephoneNumber"},
		},
		{
			name: "the list", got: s.call("GET", orders+"?customerOrderId=c-1&page=1&size=1", ""),
			recorded:   []string{"openapi-v1/orders__get__200__*.xml", "openapi-v1/sites-siteId-orders__get__200__*.xml"},
			documented: []string{"ResponseSelectWrapper/ListOrderIdUserIdDate/OrderIdUserIdDate/CustomerOrderId"},
			needs: []string{
				"ResponseSelectWrapper/ListOrderIdUserIdDate/OrderIdUserIdDate/orderId", "ResponseSelectWrapper/ListOrderIdUserIdDate/OrderIdUserIdDate/OrderStatus",
				"ResponseSelectWrapper/ListOrderIdUserIdDate/TotalCount", "ResponseSelectWrapper/ListOrderIdUserIdDate/Links/next",
			},
		},
		{
			name: "a number", got: s.call("GET", "/tns/"+digits, ""), recorded: []string{"openapi-v1/tns-tn__get__*.xml"},
			needs: []string{"TelephoneNumberResponse/TelephoneNumber", "TelephoneNumberResponse/Status", "TelephoneNumberResponse/OrderId", "TelephoneNumberResponse/AccountId"},
		},
		{
			name: "the sites", got: s.call("GET", "/accounts/"+account+"/sites", ""), recorded: []string{"openapi-v1/sites__get__*.xml"},
			needs: []string{"SitesResponse/Sites/Site/Id", "SitesResponse/Sites/Site/Name"},
		},
		{
			name: "the peers", got: s.call("GET", "/accounts/"+account+"/sites/1234/sippeers", ""), recorded: []string{"openapi-v1/sites-siteId-sippeers__get__*.xml"},
			needs: []string{"TNSipPeersResponse/SipPeers/SipPeer/PeerId", "TNSipPeersResponse/SipPeers/SipPeer/IsDefaultPeer"},
		},
		{
			name: "a disconnect", got: disconnected, recorded: []string{"openapi-v1/disconnects__post__201__*.xml"},
			needs: []string{"DisconnectTelephoneNumberOrderResponse/orderRequest/id", "DisconnectTelephoneNumberOrderResponse/OrderStatus"},
		},
		{
			name: "a disconnect later", got: s.call("GET", "/accounts/"+account+location[strings.LastIndex(location, "/disconnects"):], ""),
			recorded:   []string{"openapi-v1/disconnects-disconnectId__get__*.xml", "openapi-v1/disconnects__post__400__*.xml"},
			documented: []string{"DisconnectTelephoneNumberOrderResponse/ErrorList/Error/TelephoneNumber"}, // as in an order's ErrorList
			needs:      []string{"DisconnectTelephoneNumberOrderResponse/OrderStatus", "DisconnectTelephoneNumberOrderResponse/ErrorList/Error/Code"},
		},
		{
			name: "a refused disconnect", got: s.call("POST", "/accounts/"+account+"/disconnects", "<DisconnectTelephoneNumberOrder/>"), recorded: []string{"openapi-v1/disconnects__post__400__*.xml"},
			needs: []string{"DisconnectTelephoneNumberOrderResponse/ErrorList/Error/Code"},
		},
		{
			name: "nothing there", got: s.call("GET", orders+"/none", ""), recorded: []string{"openapi-v1/orders-orderId-history__get__404__*.xml"},
			documented: []string{"ErrorResponse/ResponseStatus/ErrorCode"}, // as in a site's ResponseStatus
			needs:      []string{"ErrorResponse/ResponseStatus/ErrorCode"},
		},
	} {
		known := recorded(t, c.recorded...)
		for _, p := range c.documented {
			known[p] = true
		}
		got := elements(t, c.got.body)
		for p := range got {
			if !known[p] {
				t.Errorf("%s: no recording has %s", c.name, p)
			}
		}
		for _, p := range c.needs {
			if !got[p] || !known[p] {
				t.Errorf("%s: %s is missing (recorded: %t)\n%s", c.name, p, known[p], c.got.body)
			}
		}
		if media := c.got.header.Get("Content-Type"); media != "application/xml" {
			t.Errorf("%s: content type %q", c.name, media)
		}
	}
}
