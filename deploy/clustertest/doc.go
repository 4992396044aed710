// Package clustertest has tests only: it runs NATS servers, workers and the simulated Bandwidth as containers, of
// images built from the program's static binaries. It needs Docker and pulls nothing.
package clustertest
