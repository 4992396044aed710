package proof

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a power cut takes from a broker that syncs each write before it acknowledges it: at most the writes of which
// nobody has heard. These are cut off the copies of the files that the next broker starts on. The streams of requests and
// timers are left whole: others than workers write to them.

// cutStreams are the streams that only workers write to, whose acknowledgements the wires see.
var cutStreams = []string{"KV_bandwidth_orders", "KV_bandwidth_open", "KV_bandwidth_numbers", "BANDWIDTH_EVENTS", "BANDWIDTH_DLQ"}

// noteAck keeps up to which message a worker has heard that a stream holds it.
func (r *run) noteAck(payload []byte) {
	var ack struct {
		Stream string `json:"stream"`
		Seq    uint64 `json:"seq"`
	}
	if json.Unmarshal(payload, &ack) != nil || ack.Stream == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acked[ack.Stream] = max(r.acked[ack.Stream], ack.Seq)
}

// cutUnsynced takes from a store what was not acknowledged, and returns how many messages that were.
func cutUnsynced(store string, acked map[string]uint64) (int, error) {
	cut := 0
	for _, stream := range cutStreams {
		dir := filepath.Join(store, "jetstream", "$G", "streams", stream, "msgs")
		blocks, err := filepath.Glob(filepath.Join(dir, "*.blk"))
		if err != nil {
			return cut, err
		}
		if len(blocks) == 0 {
			return cut, fmt.Errorf("the stream %s has no files in %s", stream, dir)
		}
		for _, block := range blocks {
			n, err := cutBlock(block, acked[stream])
			if err != nil {
				return cut, err
			}
			cut += n
		}
		// The server's summary of the blocks is made anew where it is missing.
		if err := os.Remove(filepath.Join(dir, "index.db")); err != nil && !os.IsNotExist(err) {
			return cut, err
		}
	}
	return cut, nil
}

// The form of a record in a file of nats-server's: its length, whose highest bit tells of headers, its number, of which
// the two highest bits mark what was erased or is a tombstone, and more that does not matter here.
const (
	recordHeader  = 22
	headersBit    = 1 << 31
	erasedBit     = 1 << 63
	tombstoneBit  = 1 << 62
	recordMinimum = recordHeader + 8 // with its checksum
)

// cutBlock truncates a file before the first message with a number greater than last.
func cutBlock(path string, last uint64) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for at := 0; at+recordHeader <= len(data); {
		length := int(binary.LittleEndian.Uint32(data[at:]) &^ headersBit)
		number := binary.LittleEndian.Uint64(data[at+4:])
		if length < recordMinimum || at+length > len(data) {
			return 0, nil // torn: the server cuts it itself
		}
		if number&(erasedBit|tombstoneBit) == 0 && number > last {
			cut := 0
			for rest := at; rest+recordHeader <= len(data); cut++ {
				length := int(binary.LittleEndian.Uint32(data[rest:]) &^ headersBit)
				if length < recordMinimum {
					break
				}
				rest += length
			}
			return cut, os.Truncate(path, int64(at))
		}
		at += length
	}
	return 0, nil
}

// TestCutUnsynced: a cut takes just the messages that nobody had heard of, and the server starts on what is left.
func TestCutUnsynced(t *testing.T) {
	b, err := startBox(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.stop() }()
	connect := func() jetstream.JetStream {
		nc, err := nats.Connect(b.url())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		return js
	}
	js := connect()
	acked := map[string]uint64{}
	for i, name := range cutStreams {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}}); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := js.Publish(t.Context(), name, []byte("a message")); err != nil {
				t.Fatal(err)
			}
		}
		acked[name] = uint64(i + 1)
	}
	cut, err := b.crash(acked)
	if err != nil || cut != 4+3+2+1 {
		t.Fatalf("a cut took %d messages, %v", cut, err)
	}
	js = connect()
	for i, name := range cutStreams {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if state := stream.CachedInfo().State; state.Msgs != uint64(i+1) || state.LastSeq != uint64(i+1) {
			t.Errorf("%s holds %d messages up to %d, want %d", name, state.Msgs, state.LastSeq, i+1)
		}
	}
}
