package bwclient_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

// simulated returns a simulator and a client with Basic credentials of it.
func simulated(t *testing.T, o bwfake.Options) (*bwfake.Running, *bwclient.Client) {
	t.Helper()
	o.AccountID, o.Username, o.Password = account, user, password
	sim, err := bwfake.Start(o, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim, client(t, sim.URL, func(c *bwclient.Config) { c.GetTimeout = 2 * time.Second })
}

func simulatedOrder(numbers ...string) bwclient.Order {
	return bwclient.Order{CustomerOrderID: "c-1", Name: "a name", SiteID: "1234", Numbers: numbers, PartialAllowed: true}
}

// TestSimulatedFaults: what the client says of each misbehaviour agrees with the simulator's ledger.
func TestSimulatedFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[bwfake.FaultKind]bwclient.Creation{
		"": bwclient.WasCreated, bwfake.LoseReplyAfter: bwclient.CreationUnknown, bwfake.LoseReplyBefore: bwclient.CreationUnknown,
		bwfake.ErrorAfter: bwclient.CreationUnknown, bwfake.ErrorBefore: bwclient.CreationUnknown, bwfake.RateLimit: bwclient.NotCreated,
		bwfake.Slow: bwclient.CreationUnknown, bwfake.SlowBefore: bwclient.CreationUnknown, bwfake.Truncated: bwclient.WasCreated,
		bwfake.Malformed: bwclient.CreationUnknown, bwfake.NoID: bwclient.CreationUnknown, bwfake.LocationOnly: bwclient.WasCreated,
	} {
		sim, c := simulated(t, bwfake.Options{})
		if kind != "" {
			sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointCreate, Kind: kind, Delay: 3 * time.Second, Times: 1})
		}
		sendBy := soon()
		if kind == bwfake.Slow || kind == bwfake.SlowBefore {
			sendBy = time.Now().Add(time.Second)
		}
		created, err := c.CreateOrder(t.Context(), simulatedOrder(number), sendBy)
		if got := bwclient.CreationOf(err); got != want {
			t.Errorf("%s: %v; want %v (%v)", kind, got, want, err)
		}
		purchases := sim.Purchases()
		switch want {
		case bwclient.WasCreated:
			if len(purchases) != 1 || purchases[0].OrderID != string(created.OrderID) {
				t.Errorf("%s: order %q, and the ledger says %+v", kind, created.OrderID, purchases)
			}
		case bwclient.NotCreated:
			if len(purchases) != 0 {
				t.Errorf("%s: surely not created, and the ledger says %+v", kind, purchases)
			}
		}
		if posts := sim.Calls(bwfake.EndpointCreate); posts > 1 {
			t.Errorf("%s: %d requests for one order", kind, posts)
		}
	}
}

// TestSimulatedReads makes each call once.
func TestSimulatedReads(t *testing.T) {
	sim, c := simulated(t, bwfake.Options{})
	created, err := c.CreateOrder(t.Context(), simulatedOrder(number, "+19195550404"), soon())
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Order(t.Context(), created.OrderID)
	unavailable := bwclient.Detail{Code: "5005", Description: "The telephone number is unavailable for ordering"}
	want := bwclient.OrderStatus{
		OrderID: created.OrderID, CustomerOrderID: "c-1", Name: "a name", Status: "PARTIAL", Completed: []string{number},
		Failed: []bwclient.Detail{{Code: unavailable.Code, Description: unavailable.Description, Number: "+19195550404"}}, Errors: []bwclient.Detail{unavailable},
		CompletedQuantity: count(1), FailedQuantity: count(1), Asked: []string{number, "+19195550404"}, SiteID: "1234", PeerID: "234222",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	numbers, err := c.OrderNumbers(t.Context(), created.OrderID)
	if !slices.Equal(numbers, []string{number}) || err != nil {
		t.Errorf("%v, %v", numbers, err)
	}
	n, err := c.Number(t.Context(), number)
	if n.OrderID != created.OrderID || n.Status != "Inservice" || n.SiteID != "1234" || n.AccountID != account || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := c.Number(t.Context(), "+19195559999"); bwclient.StatusOf(err) != http.StatusNotFound {
		t.Errorf("a number that nobody has: %v", err)
	}
	sites, err := c.Sites(t.Context())
	if len(sites) != 2 || sites[0].ID != "1234" || err != nil {
		t.Errorf("%v, %v", sites, err)
	}
	peers, err := c.Peers(t.Context(), "1234")
	if len(peers) != 2 || !peers[0].Default || peers[1].Default || err != nil {
		t.Errorf("%v, %v", peers, err)
	}
	for range 250 { // three pages
		sim.SellElsewhere("+19195551111", "c-many")
	}
	many, err := c.OrdersByCustomerOrderID(t.Context(), "c-many")
	if len(many) != 250 || err != nil {
		t.Errorf("%d orders, %v", len(many), err)
	}
	for kind, check := range map[bwfake.FaultKind]func(bwclient.OrderStatus, error) bool{
		bwfake.UnknownStatus: func(s bwclient.OrderStatus, err error) bool { return err == nil && s.Status == "PROCESSING" },
		bwfake.EmptyNumbers: func(s bwclient.OrderStatus, err error) bool {
			return err == nil && len(s.Completed) == 0 && *s.CompletedQuantity == 1
		},
		bwfake.WrongQuantity: func(s bwclient.OrderStatus, err error) bool {
			return err == nil && len(s.Completed) == 1 && *s.CompletedQuantity == 2
		},
		bwfake.Pending5019: func(s bwclient.OrderStatus, err error) bool { return err == nil && s.Errors[0].Code == "5019" },
		bwfake.Malformed:   func(_ bwclient.OrderStatus, err error) bool { return errors.Is(err, bwclient.ErrUnreadable) },
		bwfake.Truncated:   func(_ bwclient.OrderStatus, err error) bool { return err != nil && bwclient.StatusOf(err) == 0 },
		bwfake.RateLimit: func(_ bwclient.OrderStatus, err error) bool {
			_, ok := bwclient.RetryAt(err)
			return ok && bwclient.StatusOf(err) == 429
		},
	} {
		sim.Inject(bwfake.Fault{Endpoint: bwfake.EndpointGet, Kind: kind, Times: 1})
		if got, err := c.Order(t.Context(), created.OrderID); !check(got, err) {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
}
