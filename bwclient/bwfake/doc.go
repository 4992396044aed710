// Package bwfake is Bandwidth's Numbers API in a box: a stateful simulator with its own wire format, so that a wrong
// tag in a client cannot cancel itself out. It is as strict with credentials and XML as the vendor documents, keeps a
// ledger of purchases that tests can count, and misbehaves on request.
//
// A [Server] is an [http.Handler] without goroutines of its own: states are computed from the time at each read, so
// that it also runs in a bubble of testing/synctest.
//
// Every well-formed number is for sale until it is sold, but for these, by their last four digits:
//
//	0404  is held by another system: orders for it fail with 5005
//	0400  makes the POST be refused with 400 and 5070
//	0500  makes the POST answer 500 once, without an order
//	0599  makes the POST create the order and then lose its reply, once
//	0777  stays RECEIVED for ten seconds
//
// With [Options.Control] these endpoints steer it from outside: GET /_sim/purchases, GET /_sim/orders,
// GET /_sim/requests, POST and DELETE /_sim/faults, POST /_sim/sell {"number","customer_order_id"},
// POST /_sim/credentials {"username","password"}.
package bwfake
