package bwclient_test

import (
	"context"
	"fmt"
	"time"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
)

// A backorder waits for stock at Bandwidth, which chooses the numbers. Closing it keeps what has come.
func ExampleClient_CloseOrder() {
	sim, client := vendor(bwfake.Options{})
	defer func() { _ = sim.Close() }()
	ctx := context.Background()

	if err := client.Authorize(ctx); err != nil {
		fmt.Println(err)
		return
	}
	created, err := client.CreateOrder(ctx, bwclient.Order{
		CustomerOrderID: "East-coast-1043", Name: "East coast-1043", SiteID: "1234", PartialAllowed: true, BackOrderRequested: true,
		Search: &bwclient.SearchOrder{AreaCode: bwfake.DryAreaCode, Quantity: 2},
	}, time.Now().Add(time.Minute))
	if err != nil {
		fmt.Println(bwclient.CreationOf(err), err)
		return
	}
	show := func() {
		order, err := client.Order(ctx, created.OrderID)
		fmt.Println(order.Status, order.Completed, err)
	}
	show()
	sim.Restock("+17105551000") // a number comes in
	show()
	fmt.Println(client.CloseOrder(ctx, created.OrderID, bwclient.Closing{Name: "East coast-1043", CustomerOrderID: "East-coast-1043"}))
	show()
	// Output:
	// BACKORDERED [] <nil>
	// BACKORDERED [+17105551000] <nil>
	// <nil>
	// PARTIAL [+17105551000] <nil>
}

func ExampleClient_CreateDisconnect() {
	sim, client := vendor(bwfake.Options{})
	defer func() { _ = sim.Close() }()
	ctx := context.Background()

	if err := client.Authorize(ctx); err != nil {
		fmt.Println(err)
		return
	}
	sim.SellElsewhere("+19195551234", "another-system") // whoever ordered it, the account holds it
	created, err := client.CreateDisconnect(ctx, bwclient.Disconnect{
		Name: "give back", Numbers: []string{"+19195551234", "+19195551235"}, Mode: "normal", Protected: "unchanged",
	}, time.Now().Add(time.Minute))
	if err != nil {
		fmt.Println(bwclient.CreationOf(err), err)
		return
	}
	got, err := client.Disconnect(ctx, created.OrderID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Status, got.Disconnected, got.Failed[0].Number, got.Failed[0].Code)
	// Output:
	// PARTIAL [+19195551234] +19195551235 5006
}
