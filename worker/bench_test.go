package worker_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/orders"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/workertest"
)

// benchSlots is how many orders are worked on at once, in the pipeline and in its baseline.
const benchSlots = 64

// BenchmarkOrders measures orders through the whole pipeline: request, record, timer, POST, poll, event. Beside it, in
// the same run, stand the same operations on the broker and over HTTP with no logic between them. One round is a
// fixed number of orders; the figures are orders/s and, for the pipeline, calls to Bandwidth for each order.
//
//	go test ./worker -run '^$' -bench BenchmarkOrders -benchtime 3x
func BenchmarkOrders(b *testing.B) {
	for _, sync := range []struct {
		name     string
		interval time.Duration // negative: each write
		orders   int
	}{
		{"sync=2m", 2 * time.Minute, 4000},
		{"sync=always", -1, 400},
	} {
		b.Run(sync.name+"/pipeline", func(b *testing.B) { benchPipeline(b, sync.interval, sync.orders) })
		b.Run(sync.name+"/bare", func(b *testing.B) { benchBare(b, sync.interval, sync.orders) })
	}
}

// benchNumber returns the i-th number, of those that the simulator sells without ado: their last four digits are 2000
// to 2999.
func benchNumber(i int) string {
	return fmt.Sprintf("+1%03d%03d2%03d", 300+i/500_000, 300+i/1000%500, i%1000)
}

// benchPipeline publishes orders and waits for their completed events.
func benchPipeline(b *testing.B, interval time.Duration, count int) {
	w := workertest.Start(b, workertest.Options{Sync: interval, Sim: bwfake.Options{Quiet: true}, NoEvents: true})
	w.Work(func(o *worker.Options) {
		o.Settings, o.AckWait, o.Concurrency = orders.DefaultSettings(), 30*time.Second, benchSlots
		o.Settings.PollMinInterval = 10 * time.Millisecond
	})
	completed := make(chan struct{}, 1)
	var left atomic.Int64
	sub, err := w.Conn.Subscribe(w.Names.Event(messages.Provision, messages.Completed, "*", "*"), func(*nats.Msg) {
		if left.Add(-1) == 0 {
			completed <- struct{}{}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sub.Unsubscribe() })
	serial := 0
	calls := func() int { return w.Sim.Calls(bwfake.EndpointCreate) + w.Sim.Calls(bwfake.EndpointGet) }
	before, began := calls(), time.Now()
	b.ResetTimer()
	for b.Loop() {
		left.Store(int64(count))
		for range count {
			serial++
			body := fmt.Appendf(nil, `{"request_id":"b%d","numbers":[%q]}`, serial, benchNumber(serial))
			if _, err := w.JS.PublishAsync(w.Names.Request(messages.Provision, ""), body); err != nil {
				b.Fatal(err)
			}
		}
		select {
		case <-completed:
		case <-time.After(5 * time.Minute):
			b.Fatalf("%d of %d orders did not complete", left.Load(), count)
		}
	}
	done := float64(serial)
	b.ReportMetric(done/time.Since(began).Seconds(), "orders/s")
	b.ReportMetric(float64(calls()-before)/done, "calls/order")
	if n := len(w.Sim.Purchases()); n != serial {
		b.Fatalf("%d purchases for %d orders", n, serial)
	}
}

// benchBare does for each order what the pipeline does on the broker and over HTTP, with no logic between.
func benchBare(b *testing.B, interval time.Duration, count int) {
	w := workertest.Start(b, workertest.Options{Sync: interval, Sim: bwfake.Options{Quiet: true}, NoEvents: true})
	records, err := w.JS.KeyValue(b.Context(), w.Names.OrdersBucket())
	if err != nil {
		b.Fatal(err)
	}
	open, err := w.JS.KeyValue(b.Context(), w.Names.OpenBucket())
	if err != nil {
		b.Fatal(err)
	}
	numbers, err := w.JS.KeyValue(b.Context(), w.Names.NumbersBucket())
	if err != nil {
		b.Fatal(err)
	}
	holding := []byte(strings.Repeat("n", 230))
	record := []byte(strings.Repeat("r", 1000))
	event := []byte(strings.Repeat("e", 600))
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * benchSlots}}
	serial := 0
	began := time.Now()
	b.ResetTimer()
	for b.Loop() {
		first := serial
		serial += count
		for i := range count {
			if _, err := w.JS.PublishAsync(w.Names.Request(messages.Provision, ""), fmt.Appendf(nil, `{"request_id":"b%d"}`, first+i)); err != nil {
				b.Fatal(err)
			}
		}
		// The first half of each order, up to its timer.
		drain(b, w, w.Names.RequestsStream(), messages.WorkersConsumer, count, func(ctx context.Context, i int, msg jetstream.Msg) error {
			key := w.Names.Key("", string(msg.Data()))
			if _, err := open.Put(ctx, key, []byte(`{"generation":1}`)); err != nil {
				return err
			}
			revision, err := records.Update(ctx, key, record, 0)
			if err != nil {
				return err
			}
			if err := broker.Schedule(ctx, w.JS, w.Names, key, time.Now().Add(30*time.Second), revision); err != nil {
				return err
			}
			if err := msg.Ack(); err != nil {
				return err
			}
			if revision, err = records.Update(ctx, key, record, revision); err != nil {
				return err
			}
			if err := call(ctx, &client, http.MethodPost, w.Sim.URL+"/accounts/20902288/orders", benchOrder(key, benchNumber(first+i+1))); err != nil {
				return err
			}
			if revision, err = records.Update(ctx, key, record, revision); err != nil {
				return err
			}
			if _, err := w.JS.PublishAsync(w.Names.Event(messages.Provision, messages.Submitted, "", key), event); err != nil {
				return err
			}
			return broker.Schedule(ctx, w.JS, w.Names, key, time.Now().Add(10*time.Millisecond), revision)
		})
		// The second half, from its tick.
		drain(b, w, w.Names.TimersStream(), messages.TimersConsumer, count, func(ctx context.Context, i int, msg jetstream.Msg) error {
			key, err := w.Names.KeyOfDue(msg.Subject())
			if err != nil {
				return err
			}
			entry, err := records.Get(ctx, key)
			if err != nil {
				return err
			}
			if err := call(ctx, &client, http.MethodGet, w.Sim.URL+"/accounts/20902288/orders?page=1&size=1&customerOrderId="+key, nil); err != nil {
				return err
			}
			revision, err := records.Update(ctx, key, record, entry.Revision())
			if err != nil {
				return err
			}
			if _, err := numbers.Create(ctx, key, holding); err != nil {
				return err
			}
			if _, err := w.JS.Publish(ctx, w.Names.Event(messages.Provision, messages.Completed, "", key), event); err != nil {
				return err
			}
			if _, err := records.Update(ctx, key, record, revision); err != nil {
				return err
			}
			marked, err := open.Get(ctx, key)
			if err != nil {
				return err
			}
			if err := open.Purge(ctx, key, jetstream.LastRevision(marked.Revision()), jetstream.PurgeTTL(time.Minute)); err != nil {
				return err
			}
			return msg.Ack()
		})
	}
	b.ReportMetric(float64(serial)/time.Since(began).Seconds(), "orders/s")
}

// drain handles count messages of a consumer, benchSlots at once.
func drain(b *testing.B, w *workertest.World, stream, consumer string, count int, handle func(context.Context, int, jetstream.Msg) error) {
	b.Helper()
	source, err := w.JS.Consumer(b.Context(), stream, consumer)
	if err != nil {
		b.Fatal(err)
	}
	iter, err := source.Messages(jetstream.PullMaxMessages(2 * benchSlots))
	if err != nil {
		b.Fatal(err)
	}
	defer iter.Stop()
	slots := make(chan struct{}, benchSlots)
	var working sync.WaitGroup
	for i := range count {
		msg, err := iter.Next()
		if err != nil {
			b.Fatal(err)
		}
		slots <- struct{}{}
		working.Go(func() {
			defer func() { <-slots }()
			if err := handle(b.Context(), i, msg); err != nil {
				b.Errorf("bare operation: %v", err)
			}
		})
	}
	working.Wait()
}

func benchOrder(key, number string) []byte {
	type list struct {
		Numbers []string `xml:"TelephoneNumberList>TelephoneNumber"`
	}
	data, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Order"`
		ID      string   `xml:"CustomerOrderId"`
		Site    string   `xml:"SiteId"`
		List    list     `xml:"ExistingTelephoneNumberOrderType"`
	}{ID: key, Site: "1234", List: list{[]string{strings.TrimPrefix(number, "+1")}}})
	if err != nil {
		panic(err)
	}
	return data
}

func call(ctx context.Context, client *http.Client, method, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(workertest.Username, workertest.Password)
	req.Header.Set("Content-Type", "application/xml")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, data)
	}
	return err
}
