package orders_test

import (
	"testing"

	"bandwidthworker/orders"
	"bandwidthworker/orders/storetest"
)

func TestMemoryRegistry(t *testing.T) {
	storetest.RunRegistry(t, func(*testing.T) orders.Registry { return new(orders.Memory) })
}
