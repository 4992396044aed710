package orders_test

import (
	"testing"

	"bandwidthworker/orders"
	"bandwidthworker/orders/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Backend { return new(orders.Memory) })
}
