// Package messages is the contract of the bus: subjects, stream and bucket names, the bodies of requests, events and
// dead letters, and the rules that a request must keep. It needs no connection and imports nothing of ours, so that
// any program may use it. Bodies are JSON, telephone numbers E.164 everywhere; within v1 fields are only ever added.
package messages
