package main

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
)

// Exit codes.
const (
	exitCompleted    = 0
	exitFailed       = 1
	exitUsage        = 2
	exitPartial      = 3
	exitTimedOut     = 4 // the order goes on
	exitNoConnection = 5
)

// exitError is an error with its exit code. Without an error of its own, all that there is to say was said.
type exitError struct {
	code int
	error
}

func (e exitError) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

func (e exitError) Unwrap() error { return e.error }

// exitCode returns the exit code of an error; 0 for nil.
func exitCode(err error) int {
	var exit exitError
	switch {
	case err == nil:
		return exitCompleted
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut
	case errors.Is(err, bus.ErrNoWorker), errors.Is(err, bus.ErrNoStream), errors.Is(err, nats.ErrConnectionClosed):
		return exitNoConnection
	default:
		return exitFailed
	}
}

// codeOf returns the exit code of an outcome.
func codeOf(o messages.Outcome) int {
	switch o {
	case messages.Completed:
		return exitCompleted
	case messages.Partial:
		return exitPartial
	default:
		return exitFailed
	}
}
