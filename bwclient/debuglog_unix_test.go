//go:build unix

package bwclient_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bandwidthworker/bwclient"
)

func TestDebugLogFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(at(name), []byte("before\n"), 0o600), os.Chmod(at(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("open", 0o666)
	write("private", 0o600)
	for _, name := range []string{"new", "open", "private"} {
		l, err := bwclient.OpenDebugLog(at(name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(at(name))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", name, info.Mode(), err)
		}
		if data, err := os.ReadFile(at(name)); err != nil || name != "new" && string(data) != "before\n" {
			t.Errorf("%s: what stood in it is gone: %q, %v", name, data, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	write("target", 0o644)
	write("first", 0o600)
	if err := errors.Join(
		os.Symlink(at("target"), at("link")), os.Symlink(at("nowhere"), at("dangling")), os.Mkdir(at("folder"), 0o700),
		syscall.Mkfifo(at("fifo"), 0o600), os.Link(at("first"), at("second")),
	); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "dangling", "folder", "fifo", "second", "no/such/folder"} {
		l, err := bwclient.OpenDebugLog(at(name))
		if err == nil {
			_ = l.Close()
			t.Errorf("%s is taken", name)
		} else if !strings.Contains(err.Error(), "debug_log") {
			t.Errorf("%s: %v does not name the setting", name, err)
		}
	}
	if info, err := os.Stat(at("target")); err != nil || info.Mode() != 0o644 {
		t.Errorf("the target of a link was changed: %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(at("nowhere")); err == nil {
		t.Error("a file was made through a link")
	}
}
