//go:build !unix

package broker

// lock does nothing on systems without flock.
func lock(string) (release func(), err error) { return func() {}, nil }
