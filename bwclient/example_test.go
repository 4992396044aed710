package bwclient_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

// vendor starts the simulator and returns a client of it. A real client names its account and its credentials, and
// leaves the URLs out.
func vendor(o bwfake.Options) (*bwfake.Running, *bwclient.Client) {
	o.ClientID, o.ClientSecret = "id", "secret"
	sim, err := bwfake.Start(o, "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	client, err := bwclient.New(bwclient.Config{
		AccountID: "20902288", BaseURL: sim.URL, Auth: bwclient.OAuth2("id", "secret", sim.TokenURL()),
	})
	if err != nil {
		panic(err)
	}
	return sim, client
}

func ExampleClient_CreateOrder() {
	sim, client := vendor(bwfake.Options{})
	defer func() { _ = sim.Close() }()
	ctx := context.Background()

	if err := client.Authorize(ctx); err != nil { // so that the order has nothing to wait for
		fmt.Println(err)
		return
	}
	created, err := client.CreateOrder(ctx, bwclient.Order{
		CustomerOrderID: "East-coast-1042", Name: "East coast-1042", SiteID: "1234",
		Numbers: []string{"+19195551234", "+19195550404"}, PartialAllowed: true,
	}, time.Now().Add(time.Minute))
	if err != nil {
		fmt.Println(bwclient.CreationOf(err), err)
		return
	}
	order, err := client.Order(ctx, created.OrderID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(created.Status, order.Status)
	fmt.Println(order.Completed, order.Failed[0].Number, order.Failed[0].Code)
	// Output:
	// RECEIVED PARTIAL
	// [+19195551234] +19195550404 5005
}

func ExampleCreationOf() {
	sim, client := vendor(bwfake.Options{})
	defer func() { _ = sim.Close() }()
	ctx := context.Background()
	if err := client.Authorize(ctx); err != nil {
		fmt.Println(err)
		return
	}
	buy := func(site, number string) error {
		_, err := client.CreateOrder(ctx, bwclient.Order{CustomerOrderID: "c-1", SiteID: site, Numbers: []string{number}}, time.Now().Add(time.Minute))
		return err
	}

	fmt.Println(bwclient.CreationOf(buy("1234", "+19195551234")))
	err := buy("no-such-site", "+19195551235")
	fmt.Println(bwclient.CreationOf(err), bwclient.Codes(err))
	err = buy("1234", "+19195550599") // the simulator loses this reply, after the purchase
	fmt.Println(bwclient.CreationOf(err), bwclient.NotSent(err))
	// Output:
	// created
	// not created [5016]
	// unknown false
}

func ExampleClient_OrdersByCustomerOrderID() {
	sim, client := vendor(bwfake.Options{})
	defer func() { _ = sim.Close() }()
	ctx := context.Background()
	if err := client.Authorize(ctx); err != nil {
		fmt.Println(err)
		return
	}
	_, err := client.CreateOrder(ctx, bwclient.Order{CustomerOrderID: "c-7", SiteID: "1234", Numbers: []string{"+19195550599"}}, time.Now().Add(time.Minute))
	fmt.Println("the order's creation:", bwclient.CreationOf(err))

	found, err := client.OrdersByCustomerOrderID(ctx, "c-7")
	for _, o := range found {
		if o.CustomerOrderID == "c-7" { // a filter that is not understood is ignored
			fmt.Println("found:", o.Status, o.CountOfTNs)
		}
	}
	none, err2 := client.OrdersByCustomerOrderID(ctx, "c-8")
	fmt.Println(len(none), errors.Join(err, err2))
	// Output:
	// the order's creation: unknown
	// found: COMPLETE 1
	// 0 <nil>
}

func ExampleNew() {
	_, err := bwclient.New(bwclient.Config{AccountID: "9900012"})
	fmt.Println(err)
	// Output:
	// credentials are missing: client_id and client_secret, or api_username and api_password
}
