package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/sirupsen/logrus"
)

// EmbeddedOptions say how to run the embedded server.
type EmbeddedOptions struct {
	// Listen is host:port; port 0 takes a free one.
	Listen   string
	StoreDir string
	// SyncInterval is how often writes are synced to disk; 0 means each write (P30).
	SyncInterval time.Duration
	Log          *logrus.Entry
}

// Embedded is a NATS server with JetStream in this process.
type Embedded struct {
	*server.Server
	// URL is where clients connect.
	URL string

	release func() // lets go of the store directory; harmless to repeat
}

// readyWait is how long the embedded server may take to start.
const readyWait = 30 * time.Second

// StartEmbedded starts a server and returns when it takes connections. The caller must call Shutdown.
func StartEmbedded(o EmbeddedOptions) (*Embedded, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("nats_listen %q is not host:port: %w", o.Listen, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("nats_listen %q is not host:port: the port is not a number", o.Listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	} else if l, err := net.Listen("tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("the embedded NATS server cannot listen on %s: %w: set nats_listen to another address, or nats_url to the server that runs there", o.Listen, err)
	} else {
		_ = l.Close()
	}
	if err := os.MkdirAll(o.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the store directory: %w", err)
	}
	unlock, err := lock(o.StoreDir)
	if err != nil {
		return nil, err
	}
	release := sync.OnceFunc(unlock)
	opts := &server.Options{
		ServerName: "bandwidth-worker", Host: host, Port: port, NoSigs: true, JetStream: true, StoreDir: o.StoreDir,
		SyncInterval: o.SyncInterval, SyncAlways: o.SyncInterval == 0, MaxPayload: 1 << 20,
	}
	if o.SyncInterval == 0 {
		opts.SyncInterval = 2 * time.Minute // unused beside SyncAlways
	}
	s, err := server.NewServer(opts)
	if err != nil {
		release()
		return nil, fmt.Errorf("the embedded NATS server: %w", err)
	}
	s.SetLoggerV2(serverLog{o.Log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(readyWait) {
		s.Shutdown()
		s.WaitForShutdown()
		release()
		return nil, fmt.Errorf("the embedded NATS server did not start within %s; see the log", readyWait)
	}
	return &Embedded{Server: s, URL: s.ClientURL(), release: release}, nil
}

// Shutdown stops the server and returns when it has stopped. It may be called more than once.
func (e *Embedded) Shutdown() {
	e.Server.Shutdown()
	e.Server.WaitForShutdown()
	e.release()
}

// serverLog hands the server's log lines on.
type serverLog struct{ log *logrus.Entry }

func (l serverLog) Noticef(format string, v ...any) { l.log.Debugf(format, v...) }
func (l serverLog) Warnf(format string, v ...any)   { l.log.Warnf(format, v...) }
func (l serverLog) Fatalf(format string, v ...any)  { l.log.Errorf(format, v...) }
func (l serverLog) Errorf(format string, v ...any)  { l.log.Errorf(format, v...) }
func (l serverLog) Debugf(format string, v ...any)  { l.log.Debugf(format, v...) }
func (l serverLog) Tracef(format string, v ...any)  { l.log.Tracef(format, v...) }

// errInUse says that another process runs on the store directory.
var errInUse = errors.New("the store directory is in use by another worker: give each its own store_dir, or one nats_url to all")
