// Package proof shows the promise: no order placed twice, none lost.
//
// [Check] compares three independent records of a run: what was requested, what the simulated Bandwidth sold, and
// everything that stood on the streams of events and dead letters. It does not use package orders, whose decisions it
// judges. Its users are the tests of this package, which run workers under seeded schedules of faults, and those of
// deploy/killtest, which kill processes.
//
// The tests here run the real pipeline: an embedded NATS server with JetStream, the simulated Bandwidth over HTTP, and
// workers as they are. Between each worker and its two servers lies a wire (wire_test.go) that reads what the worker
// sends and can end its life right before or right after any of it takes effect, as SIGKILL does: whatever the worker
// does from then on reaches nobody. So no part of the program knows that it is being tested.
//
//	go test ./worker/proof -run Proof -proof.runs=500
//	go test ./worker/proof -run Proof -proof.seed=1234 -proof.runs=1 -proof.trace
package proof
