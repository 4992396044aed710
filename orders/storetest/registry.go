package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bandwidthworker/orders"
)

// RunRegistry runs the conformance suite of [orders.Registry]. open returns an empty registry.
func RunRegistry(t *testing.T, open func(t *testing.T) orders.Registry) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context, orders.Registry)
	}{
		{"an unknown number is ErrNoNumber", unknownNumber},
		{"a number comes back as it was registered", numberRoundTrip},
		{"a repeat changes nothing", numberRepeat},
		{"a late purchase does not undo a release (P36)", lateRegistration},
		{"a release that comes first stands (P36)", releaseFirst},
		{"a number can come back", boughtAgain},
		{"of concurrent writers the newest stands (P36)", raceNumbers},
		{"5000 numbers at once", manyNumbers},
		{"a cancelled registration is an error", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c.test(t, ctx, open(t))
		})
	}
}

const exampleNumber = "+19195551234"

// HoldingAt returns an example of a number that an order bought some minutes after eight.
func HoldingAt(number string, key orders.ID, minute int) orders.Holding {
	return orders.Holding{
		Number: number, State: orders.NumberInService, CarrierModule: orders.CarrierModule, SiteID: "1234", PeerID: "234222",
		Key: key, OrderID: "o-" + orders.OrderID(key), Since: time.Date(2026, 11, 24, 8, minute, 0, 123456789, time.UTC),
	}
}

func releaseAt(number string, key orders.ID, minute int) orders.Holding {
	return orders.Releases(key, "d-"+orders.OrderID(key), HoldingAt(number, key, minute).Since, number)[0]
}

func mustRegister(t *testing.T, ctx context.Context, r orders.Registry, holdings ...orders.Holding) {
	t.Helper()
	if err := r.Register(ctx, holdings); err != nil {
		t.Fatalf("Register: %v", err)
	}
}

// wantNumber compares what the registry holds of a number.
func wantNumber(t *testing.T, ctx context.Context, r orders.Registry, want orders.Holding) {
	t.Helper()
	got, err := r.Number(ctx, want.Number)
	if err != nil {
		t.Fatalf("Number(%s): %v", want.Number, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the number differs (-want +got):\n%s", diff)
	}
}

// released is what a release leaves of a number that was bought.
func released(bought, release orders.Holding) orders.Holding {
	release.SiteID, release.PeerID, release.CarrierModule = bought.SiteID, bought.PeerID, bought.CarrierModule
	return release
}

func unknownNumber(t *testing.T, ctx context.Context, r orders.Registry) {
	if h, err := r.Number(ctx, exampleNumber); !errors.Is(err, orders.ErrNoNumber) {
		t.Errorf("Number = %+v, %v; want ErrNoNumber", h, err)
	}
}

func numberRoundTrip(t *testing.T, ctx context.Context, r orders.Registry) {
	one, other := HoldingAt(exampleNumber, "a", 1), HoldingAt("+4930123456", "b", 2)
	mustRegister(t, ctx, r, one, other)
	wantNumber(t, ctx, r, one)
	wantNumber(t, ctx, r, other)
}

func numberRepeat(t *testing.T, ctx context.Context, r orders.Registry) {
	first := HoldingAt(exampleNumber, "a", 1)
	mustRegister(t, ctx, r, first)
	repeat := first
	repeat.SiteID = "5678" // what is the same fact is not written again
	mustRegister(t, ctx, r, repeat, repeat)
	wantNumber(t, ctx, r, first)
}

func lateRegistration(t *testing.T, ctx context.Context, r orders.Registry) {
	bought, release := HoldingAt(exampleNumber, "b", 1), releaseAt(exampleNumber, "a", 2)
	mustRegister(t, ctx, r, bought)
	mustRegister(t, ctx, r, release)
	for range 2 {
		mustRegister(t, ctx, r, bought)
		wantNumber(t, ctx, r, released(bought, release))
	}
}

func releaseFirst(t *testing.T, ctx context.Context, r orders.Registry) {
	bought, release := HoldingAt(exampleNumber, "b", 1), releaseAt(exampleNumber, "a", 2)
	mustRegister(t, ctx, r, release)
	if h, err := r.Number(ctx, exampleNumber); err != nil || h.State != orders.NumberReleased || h.CarrierModule == "" {
		t.Errorf("after the release alone: %+v, %v", h, err)
	}
	mustRegister(t, ctx, r, bought)
	wantNumber(t, ctx, r, released(bought, release))
}

func boughtAgain(t *testing.T, ctx context.Context, r orders.Registry) {
	again := HoldingAt(exampleNumber, "c", 3)
	again.SiteID, again.PeerID = "5678", "345333"
	mustRegister(t, ctx, r, HoldingAt(exampleNumber, "a", 1))
	mustRegister(t, ctx, r, releaseAt(exampleNumber, "b", 2))
	mustRegister(t, ctx, r, again)
	wantNumber(t, ctx, r, again)
}

func raceNumbers(t *testing.T, ctx context.Context, r orders.Registry) {
	const writers = 8
	var facts []orders.Holding
	for i := range writers {
		facts = append(facts, HoldingAt(exampleNumber, orders.ID(fmt.Sprintf("k%d", i)), i))
	}
	newest := facts[writers-1]
	rand.Shuffle(writers, func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i, h := range facts {
		wg.Go(func() { errs[i] = r.Register(ctx, []orders.Holding{h}) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("a writer that lost a race must try again: %v", err)
	}
	wantNumber(t, ctx, r, newest)
}

func manyNumbers(t *testing.T, ctx context.Context, r orders.Registry) {
	const count = 5000
	all := make([]orders.Holding, count)
	for i := range all {
		all[i] = HoldingAt(fmt.Sprintf("+1919%07d", 2000000+i), "a", 1)
	}
	start := time.Now()
	mustRegister(t, ctx, r, all...)
	first := time.Since(start)
	mustRegister(t, ctx, r, all...)
	t.Logf("%d numbers in %s, again in %s", count, first, time.Since(start)-first)
	if first > 20*time.Second {
		t.Errorf("%d numbers took %s", count, first)
	}
	for i := 0; i < count; i += 97 {
		wantNumber(t, ctx, r, all[i])
	}
	wantNumber(t, ctx, r, all[count-1])
}

func cancelled(t *testing.T, ctx context.Context, r orders.Registry) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if err := r.Register(ctx, []orders.Holding{HoldingAt(exampleNumber, "a", 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Register = %v, want context.Canceled", err)
	}
}
