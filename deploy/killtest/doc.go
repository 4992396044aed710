// Package killtest has tests only: it runs workers as processes on a separate nats-server, kills both in the middle
// of hundreds of orders, and counts in the simulated Bandwidth what was bought. It needs nothing but the go command.
package killtest
