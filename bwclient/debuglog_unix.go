//go:build unix

package bwclient

import (
	"os"
	"syscall"
)

// openFlags make opening fail for a symbolic link, and not wait for a reader of a named pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// oursAlone reports whether the file belongs to this process's user and has one name: a second one could be that of
// a file which is not meant to be written to.
func oursAlone(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && stat.Nlink == 1
}
