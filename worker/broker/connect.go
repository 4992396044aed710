// Package broker sets up the message bus: the connection, the streams, buckets and consumers as code, the timers, and
// the embedded server.
package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/sirupsen/logrus"
	"github.com/synadia-io/orbit.go/natscontext"
)

// ConnectOptions say where the server is. The zero value connects to nats.DefaultURL.
type ConnectOptions struct {
	URL   string
	Creds string
	// Context names a context of the nats command; it goes before URL and Creds.
	Context string
	// Name is shown in the server's list of connections.
	Name string
	// InProcess connects to an embedded server without a socket; nil for none.
	InProcess nats.InProcessConnProvider
	Log       *logrus.Entry
}

// sayEvery is how often the log says that the server is still waited for.
const sayEvery = 5 * time.Second

// Connect connects to the server, waits for it where it is not up yet and says so in the log, and refuses servers
// older than 2.12, which have no message schedules. The connection reconnects for ever. It blocks until connected, or
// until ctx is done.
func Connect(ctx context.Context, o ConnectOptions) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name(o.Name), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.Timeout(5 * time.Second), nats.PingInterval(5 * time.Second), // a connection that is cut silently is noticed within 15 seconds

		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.WithError(err).Warn("lost the connection to NATS; reconnecting")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			o.Log.WithField("server", nc.ConnectedUrlRedacted()).Info("connected to NATS again")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Log.WithError(err).Warn("NATS reports an error")
		}),
	}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	url := o.URL
	if url == "" {
		url = nats.DefaultURL
	}
	var said time.Time
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		nc, err := dial(url, o.Context, opts)
		if err == nil {
			if err := checkVersion(nc.ConnectedServerVersion()); err != nil {
				nc.Close()
				return nil, err
			}
			return nc, nil
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || strings.Contains(err.Error(), "Authorization Violation") {
			return nil, fmt.Errorf("NATS refuses the credentials: %w", err)
		}
		if time.Since(said) >= sayEvery {
			said = time.Now()
			o.Log.WithError(err).Warn("waiting for the NATS server")
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("waiting for the NATS server: %w (%w)", context.Cause(ctx), err)
		}
	}
}

func dial(url, contextName string, opts []nats.Option) (*nats.Conn, error) {
	if contextName != "" {
		nc, _, err := natscontext.Connect(contextName, opts...)
		return nc, err
	}
	return nats.Connect(url, opts...)
}

// checkVersion refuses servers that cannot keep timers.
func checkVersion(version string) error {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) >= 2 {
		major, err1 := strconv.Atoi(parts[0])
		minor, err2 := strconv.Atoi(parts[1])
		if err1 == nil && err2 == nil && (major > 2 || major == 2 && minor >= 12) {
			return nil
		}
	}
	return fmt.Errorf("the NATS server is of version %s; message schedules need 2.12 or later (2.14.4 or later is recommended): upgrade the server", version)
}
