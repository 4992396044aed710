package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"bandwidthworker/messages"
)

// Layout is what the workers need on the bus.
type Layout struct {
	Names        messages.Names
	Replicas     int
	EventsMaxAge time.Duration
	AckWait      time.Duration
	// Manage creates and updates what is missing; without it everything is only checked, for sites where other
	// tooling owns the streams.
	Manage bool
}

const (
	// letterWindow is how long a dead letter that is published again is recognised by its id.
	letterWindow = 24 * time.Hour
	// publishWindow is that for requests, events and timers.
	publishWindow = 2 * time.Minute
	// markerTTL is the shortest life of the index's marks of removed orders.
	markerTTL = time.Minute
)

// streams returns the streams that the workers need.
func (l Layout) streams() []jetstream.StreamConfig {
	n := l.Names
	replicas := max(l.Replicas, 1)
	return []jetstream.StreamConfig{
		{
			Name: n.RequestsStream(), Subjects: []string{n.RequestFilter()}, Description: "requests for telephone numbers",
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage,
			MaxAge: 0, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, Duplicates: publishWindow, Replicas: replicas,
		},
		{
			// P39: a work queue. Interest retention would drop the schedules, limits would keep every fired tick.
			Name: n.TimersStream(), Subjects: []string{n.Timer("*"), n.DueFilter()}, Description: "the next look at each order",
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage,
			MaxAge: 0, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, Duplicates: publishWindow, Replicas: replicas,
			AllowMsgSchedules: true, AllowMsgTTL: true, AllowDirect: true,
		},
		{
			Name: n.EventsStream(), Subjects: []string{n.EventFilter()}, Description: "what became of the requests",
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage,
			MaxAge: l.EventsMaxAge, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, Duplicates: publishWindow, Replicas: replicas, AllowDirect: true,
		},
		{
			Name: n.DLQStream(), Subjects: []string{n.DeadLetterFilter()}, Description: "requests that ended without full success",
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage,
			MaxAge: 0, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: -1, Duplicates: letterWindow, Replicas: replicas, AllowDirect: true,
		},
	}
}

// buckets returns the key-value buckets that the workers need.
func (l Layout) buckets() []jetstream.KeyValueConfig {
	n := l.Names
	replicas := max(l.Replicas, 1)
	return []jetstream.KeyValueConfig{
		{Bucket: n.OrdersBucket(), Description: "the ledger: one record for each order", History: 1, Storage: jetstream.FileStorage, Replicas: replicas, MaxValueSize: -1},
		{Bucket: n.OpenBucket(), Description: "the orders that are not finished", History: 1, Storage: jetstream.FileStorage, Replicas: replicas, MaxValueSize: -1, LimitMarkerTTL: markerTTL},
		{Bucket: n.NumbersBucket(), Description: "the numbers held through us", History: 1, Storage: jetstream.FileStorage, Replicas: replicas, MaxValueSize: -1},
		{Bucket: n.ControlBucket(), Description: "the fleet's pauses", History: 1, Storage: jetstream.FileStorage, Replicas: replicas, MaxValueSize: -1},
	}
}

// consumers returns the durable consumers, by their stream.
func (l Layout) consumers() map[string]jetstream.ConsumerConfig {
	n := l.Names
	consumer := func(name, filter string) jetstream.ConsumerConfig {
		return jetstream.ConsumerConfig{
			Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.AckWait,
			// A message past its last delivery would stay in the queue, seen by nobody; attempts are counted in the
			// order's record instead.
			MaxDeliver: -1,
			// Each worker asks for no more than it has slots; the fleet as a whole has no limit.
			MaxAckPending: -1,
		}
	}
	return map[string]jetstream.ConsumerConfig{
		n.RequestsStream(): consumer(messages.WorkersConsumer, n.RequestFilter()),
		n.TimersStream():   consumer(messages.TimersConsumer, n.DueFilter()),
	}
}

// ErrMissing says of a stream, bucket or consumer that it is not there, and was not to be made.
var ErrMissing = errors.New("is missing")

// Ensure makes sure that everything the workers need is there, and safe for money (P39). With Manage it creates what
// is missing and corrects what it may; it never narrows what somebody has widened, and refuses with a sentence what
// endangers orders. It may be called by many workers at once.
func Ensure(ctx context.Context, js jetstream.JetStream, l Layout) error {
	for _, want := range l.streams() {
		if err := ensureStream(ctx, js, want, l); err != nil {
			return err
		}
	}
	for _, want := range l.buckets() {
		if err := ensureBucket(ctx, js, want, l); err != nil {
			return err
		}
	}
	for stream, want := range l.consumers() {
		if err := ensureConsumer(ctx, js, stream, want, l); err != nil {
			return err
		}
	}
	return nil
}

func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, l Layout) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !l.Manage {
			return fmt.Errorf("the stream %s %w, and manage_streams is false: create it on %s", want.Name, ErrMissing, strings.Join(want.Subjects, ", "))
		}
		if s, err = js.CreateStream(ctx, want); errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = js.Stream(ctx, want.Name) // another worker was faster
		}
	}
	if err != nil {
		return fmt.Errorf("the stream %s: %w", want.Name, err)
	}
	have := s.CachedInfo().Config
	if err := dangers(have, want); err != nil {
		return err
	}
	if l.Manage && have.Replicas < want.Replicas || have.MaxAge != want.MaxAge && want.Name == l.Names.EventsStream() && have.MaxAge < want.MaxAge && have.MaxAge != 0 {
		// More replicas, or a longer life of events: widening only.
		have.Replicas, have.MaxAge = max(have.Replicas, want.Replicas), want.MaxAge
		if _, err := js.UpdateStream(ctx, have); err != nil {
			return fmt.Errorf("update the stream %s: %w", want.Name, err)
		}
	}
	return nil
}

// dangers refuses a stream whose settings lose orders or timers (P39).
func dangers(have, want jetstream.StreamConfig) error {
	refuse := func(setting, why string, args ...any) error {
		return fmt.Errorf("the stream %s is not safe for orders: %s %s; correct it with `nats stream edit %s`, or delete it while nothing is in it", have.Name, setting, fmt.Sprintf(why, args...), have.Name)
	}
	for _, subject := range want.Subjects {
		if !slices.Contains(have.Subjects, subject) {
			return refuse("subjects", "lack %s", subject)
		}
	}
	// An events stream may forget; what it holds is a copy of what the ledger says.
	mayForget := want.MaxAge > 0
	switch {
	case have.Retention != want.Retention:
		return refuse("retention", "is %s, but must be %s", have.Retention, want.Retention)
	case !mayForget && have.MaxAge != 0:
		return refuse("max age", "is %s: what waits longer would be deleted unworked", have.MaxAge)
	case want.AllowMsgSchedules && (have.MaxBytes > 0 || have.MaxMsgs > 0):
		return refuse("limits", "are set: a full stream would lose timers")
	case !mayForget && have.MaxBytes > 0 && have.Discard != jetstream.DiscardNew:
		return refuse("max bytes", "is %d with discard old: a full stream would delete what is unworked", have.MaxBytes)
	case !mayForget && have.MaxMsgs > 0 && have.Discard != jetstream.DiscardNew:
		return refuse("max messages", "is %d with discard old: a full stream would delete what is unworked", have.MaxMsgs)
	case !mayForget && have.MaxMsgsPerSubject > 0:
		return refuse("max messages per subject", "is %d: a second message on a subject would delete the first", have.MaxMsgsPerSubject)
	case want.AllowMsgSchedules && !have.AllowMsgSchedules:
		return refuse("message schedules", "are off: timers would never fire")
	case want.Discard == jetstream.DiscardNew && have.Discard != jetstream.DiscardNew:
		return refuse("discard", "is old, but must be new: a full queue has to refuse, not to forget")
	case have.Storage == jetstream.MemoryStorage && !mayForget:
		return refuse("storage", "is memory: a restart would lose it")
	}
	return nil
}

func ensureBucket(ctx context.Context, js jetstream.JetStream, want jetstream.KeyValueConfig, l Layout) error {
	kv, err := js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if !l.Manage {
			return fmt.Errorf("the bucket %s %w, and manage_streams is false: create it", want.Bucket, ErrMissing)
		}
		if kv, err = js.CreateKeyValue(ctx, want); errors.Is(err, jetstream.ErrBucketExists) {
			kv, err = js.KeyValue(ctx, want.Bucket)
		}
	}
	if err != nil {
		return fmt.Errorf("the bucket %s: %w", want.Bucket, err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return fmt.Errorf("the bucket %s: %w", want.Bucket, err)
	}
	info, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return nil
	}
	have := info.StreamInfo().Config
	refuse := func(setting, why string) error {
		return fmt.Errorf("the bucket %s is not safe for orders: %s %s; correct its stream %s with `nats stream edit`", want.Bucket, setting, why, have.Name)
	}
	switch {
	case have.MaxAge != 0:
		return refuse("its time to live", "is set: records would be deleted")
	case have.MaxBytes > 0, have.MaxMsgs > 0:
		// P39: with discard old records would be deleted, with discard new one could not be written after its purchase.
		return refuse("a limit on its size", "is set: a full bucket loses records, or cannot take what a purchase brought")
	case have.MaxMsgSize > 0 && have.MaxMsgSize < 1<<20:
		return refuse("the size of its values", "is limited below 1 MiB: a record could become unwritable after its purchase")
	case have.Storage == jetstream.MemoryStorage:
		return refuse("its storage", "is memory: a restart would lose it")
	case want.LimitMarkerTTL > 0 && !have.AllowMsgTTL:
		return refuse("the limit marker TTL", "is off: it could not be cleaned")
	}
	if l.Manage && have.Replicas < want.Replicas {
		have.Replicas = want.Replicas
		if _, err := js.UpdateStream(ctx, have); err != nil {
			return fmt.Errorf("update the bucket %s: %w", want.Bucket, err)
		}
	}
	return nil
}

func ensureConsumer(ctx context.Context, js jetstream.JetStream, stream string, want jetstream.ConsumerConfig, l Layout) error {
	c, err := js.Consumer(ctx, stream, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if !l.Manage {
			return fmt.Errorf("the consumer %s of the stream %s %w, and manage_streams is false: create it", want.Durable, stream, ErrMissing)
		}
		c, err = js.CreateOrUpdateConsumer(ctx, stream, want)
	}
	if err != nil {
		return fmt.Errorf("the consumer %s of the stream %s: %w", want.Durable, stream, err)
	}
	have := c.CachedInfo().Config
	refuse := func(setting, why string) error {
		return fmt.Errorf("the consumer %s of the stream %s is not safe for orders: %s %s; delete it while no worker runs", want.Durable, stream, setting, why)
	}
	switch {
	case have.MaxDeliver > 0:
		return refuse("max deliver", "is set: a message past it stays in the queue, seen by nobody")
	case have.AckPolicy != jetstream.AckExplicitPolicy:
		return refuse("its ack policy", "is not explicit: messages would count as worked before they are")
	case have.FilterSubject != want.FilterSubject:
		return refuse("its filter", "is not "+want.FilterSubject)
	case len(have.BackOff) > 0:
		return refuse("backoff", "is set: delays asked for would not be kept")
	}
	if l.Manage && (have.AckWait != want.AckWait || have.MaxAckPending != want.MaxAckPending) {
		have.AckWait, have.MaxAckPending = want.AckWait, want.MaxAckPending
		if _, err := js.UpdateConsumer(ctx, stream, have); err != nil {
			return fmt.Errorf("update the consumer %s: %w", want.Durable, err)
		}
	}
	return nil
}
