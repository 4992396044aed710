// Package bwfake is Bandwidth's Numbers API in a box: a stateful simulator with its own wire format, so that a wrong
// tag in a client cannot cancel itself out. It is as strict with credentials and XML as the vendor documents, keeps a
// ledger of purchases that tests can count, and misbehaves on request.
//
// A [Server] is an [http.Handler] without goroutines of its own: states are computed from the time at each read, so
// that it also runs in a bubble of testing/synctest.
//
// Without an inventory of its own ([Options.Inventory]) every well-formed number is for sale until it is sold, but for these, by their last four digits:
//
//	0404  is held by another system: orders for it fail with 5005
//	0400  makes the POST be refused with 400 and 5070
//	0500  makes the POST answer 500 once, without an order
//	0599  makes the POST create the order and then lose its reply, once
//	0777  stays RECEIVED for ten seconds
//
// Searches then find numbers of a few exchanges in each area code, always the same first ones that are free: in 919,
// 704, 973, 801, 303, 415 and 212 in real cities, elsewhere in ANYTOWN and OTHERTOWN, KS. [Server.SellElsewhere] takes a
// number away.
//
// Orders by search take the numbers that fit: those that were put up for sale with [Server.Restock], and for most
// searches many that are always there. In area code 710 ([DryAreaCode], also the whole of DC) there are none, so that
// an order there that may wait for stock is BACKORDERED until they are brought; [Server.RestockAfter] brings them
// later. An order that leaves out EnableLCA gets numbers of other exchanges, as the vendor's default allows.
//
// A disconnect takes effect after [Options.CompleteAfter], whichever order holds its numbers. Those that were ordered
// with the attribute Protected are not purged.
//
// A reservation holds a number for [Options.ReservationLife]: searches leave it out, and only an order that names the
// reservation gets it. [Server.EndReservations] ends all.
//
// A port-in goes SUBMITTED, FOC, COMPLETE, each word for [Options.PortInStep], and then its numbers are the account's. With
// ProcessingStatus DRAFT it stays a draft, which lists leave out unless they ask for it, until [Server.SetPortIn] submits
// it or [Options.DraftLife] is over. By the last four digits of a number:
//
//	0720  is an EXCEPTION from the start, in the answer to its POST too, until [Server.SetPortIn] mends it
//	0730  is CANCELLED after SUBMITTED
//
// 0400, 0500 and 0599 do to it what they do to an order. Numbers that are on their way here or in service here are refused
// with 7205 and 7206. Where a number comes from is not simulated.
//
// With [Options.Control] these endpoints steer it from outside: GET /_sim/purchases, GET /_sim/orders,
// GET /_sim/requests, GET /_sim/releases, GET /_sim/reservations, GET /_sim/portins, POST and DELETE /_sim/faults, POST /_sim/restock {"numbers"},
// POST /_sim/sell {"number","customer_order_id"}, POST /_sim/release {"number"},
// POST /_sim/portin {"order_id","status","errors"}, POST /_sim/status {"order_id","status"}, POST /_sim/credentials {"username","password"}.
package bwfake
