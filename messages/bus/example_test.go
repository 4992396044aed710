package bus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"bandwidthworker/bwclient"
	"bandwidthworker/bwclient/bwfake"
	"bandwidthworker/messages"
	"bandwidthworker/messages/bus"
	"bandwidthworker/worker"
	"bandwidthworker/worker/broker"
	"bandwidthworker/worker/workertest"
)

// site is what the examples talk to: a NATS server and one worker on a simulated Bandwidth, all in this process.
func site() (url string, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	log := logrus.NewEntry(logger)
	dir, err := os.MkdirTemp("", "bus-example")
	if err != nil {
		return "", nil, err
	}
	stops = append(stops, func() { _ = os.RemoveAll(dir) })
	server, err := broker.StartEmbedded(broker.EmbeddedOptions{Listen: "127.0.0.1:0", StoreDir: dir, SyncInterval: 2 * time.Minute, Log: log})
	if err != nil {
		return "", nil, err
	}
	stops = append(stops, server.Shutdown)
	vendor, err := bwfake.Start(bwfake.Options{Username: workertest.Username, Password: workertest.Password}, "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	stops = append(stops, func() { _ = vendor.Close() })
	client, err := bwclient.New(bwclient.Config{AccountID: "20902288", BaseURL: vendor.URL, Auth: bwclient.Basic(workertest.Username, workertest.Password)})
	if err != nil {
		return "", nil, err
	}
	nc, err := nats.Connect(server.URL)
	if err != nil {
		return "", nil, err
	}
	stops = append(stops, nc.Close)
	ctx, cancel := context.WithCancel(context.Background())
	w, err := worker.New(ctx, worker.Options{
		Conn: nc, Client: client, Prefix: messages.DefaultPrefix, Account: "20902288", Site: "1234", Peer: "234222", OrderNamePrefix: "Example",
		Provisioning: true, Settings: workertest.Settings(), AckWait: 2 * time.Second, Concurrency: 8, EventsMaxAge: time.Hour, ManageStreams: true,
		Metrics: worker.NewMetrics(prometheus.NewRegistry()), Log: log,
	})
	if err != nil {
		cancel()
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	stops = append(stops, func() { cancel(); <-ended })
	return server.URL, stop, nil
}

// Publish returns when the server has stored the request. Publishing it again, after a crash or an error, is safe: it
// is the same order.
func ExampleClient_Publish() {
	url, stop, err := site()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	nc, err := nats.Connect(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	client, err := bus.New(nc, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	receipt, err := client.Publish(ctx, messages.Provision, &messages.Request{
		RequestID: "crm-1042", Tenant: "acme", Numbers: []string{"+19195551234"},
	})
	var refused *messages.RequestError
	switch {
	case errors.As(err, &refused):
		fmt.Println("the request is wrong:", refused.Field)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(receipt.Key, receipt.Sequence, receipt.Subject)
	}
	// Output: ikgwauvoer62lrvvq32t 1 bandwidth.v1.request.provision.acme
}

// Request waits for the outcome as well.
func ExampleClient_Request() {
	url, stop, err := site()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	nc, err := nats.Connect(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	client, err := bus.New(nc, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	receipt, event, err := client.Request(ctx, messages.Provision, &messages.Request{
		RequestID: "crm-1042", Numbers: []string{"+19195551234"},
	}, nil)
	switch {
	case err != nil && receipt.Key != "":
		fmt.Println("the order goes on:", receipt.Key) // client.Wait takes up waiting again
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(event.Outcome, event.Numbers)
	}
	// Output: completed [+19195551234]
}
