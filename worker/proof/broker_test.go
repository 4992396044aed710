package proof

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// box is the broker of one run: a NATS server with its files.
type box struct {
	dir  string // a new one below it for each life of the server
	life int
	port int
	sync bool
	s    *server.Server
}

func startBox(dir string, sync bool) (*box, error) {
	b := &box{dir: dir, port: server.RANDOM_PORT, sync: sync}
	return b, b.start()
}

func (b *box) store() string { return filepath.Join(b.dir, fmt.Sprint(b.life)) }

func (b *box) start() error {
	s, err := server.NewServer(&server.Options{
		ServerName: "proof", Host: "127.0.0.1", Port: b.port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.store(),
		SyncInterval: 2 * time.Minute, SyncAlways: b.sync, MaxPayload: 1 << 20,
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return fmt.Errorf("the broker of the run did not start")
	}
	b.s, b.port = s, s.Addr().(*net.TCPAddr).Port
	return nil
}

func (b *box) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", b.port) }

// crash ends the server as SIGKILL does, and starts another one on its files: they are copied as they are, so that
// whatever the server writes when it ends is not in them. The caller sees to it that nobody hears from the old server
// any more.
// Where each write is synced, what nobody had heard of is gone as well: that many messages are returned.
func (b *box) crash(acked map[string]uint64) (cut int, err error) {
	old := b.store()
	b.life++
	for try := 0; ; try++ {
		err := os.CopyFS(b.store(), os.DirFS(old))
		if err == nil {
			break
		}
		if try == 20 { // the server deletes a file now and then
			return 0, err
		}
		if err := os.RemoveAll(b.store()); err != nil {
			return 0, err
		}
	}
	if b.sync {
		if cut, err = cutUnsynced(b.store(), acked); err != nil {
			return 0, err
		}
	}
	b.s.Shutdown()
	b.s.WaitForShutdown()
	return cut, b.start()
}

func (b *box) stop() {
	b.s.Shutdown()
	b.s.WaitForShutdown()
}
