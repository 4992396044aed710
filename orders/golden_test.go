package orders

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden records")

var goldenTime = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// golden is a record as this version writes it, and where it stands.
type golden struct {
	name   string
	state  State
	action ActionKind // what is done next, an hour later
	record func(*Record)
	ask    func(*Arrival)
}

// goldens are records of every state, as they are on their way and at their end.
var goldens = []golden{
	{name: "accepted", state: Accepted, action: ActPlace, record: func(*Record) {}},
	{name: "resolving", state: Resolving, action: ActPlace, record: func(r *Record) {
		r.plan(goldenNames(), r.Ask.Numbers).PreLooked = true
		r.postponed(PostFact{Detail: "dial: connection refused"}, goldenSettings(), goldenTime)
	}},
	{name: "submitting", state: Submitting, action: ActExpire, record: func(r *Record) {
		r.plan(goldenNames(), r.Ask.Numbers)
		r.claim(1, "token-1", goldenTime, goldenTime)
		r.Purchases[0].Posts[0].Timeout = time.Minute
	}},
	{name: "unknown", state: Unknown, action: ActLook, record: func(r *Record) { unanswered(r) }},
	{name: "unknown-second-post", state: Submitting, action: ActExpire, record: func(r *Record) {
		unanswered(r)
		for i := range looksNeeded {
			at := goldenTime.Add(10*time.Minute + time.Duration(i)*time.Second)
			r.looked(LookFact{ID: fmt.Sprint("look-", i), N: 1, Counted: true}, goldenSettings(), at, at)
		}
		r.claim(1, "token-2", goldenTime.Add(11*time.Minute), goldenTime.Add(11*time.Minute))
	}},
	{name: "submitted", state: Submitted, action: ActPoll, record: func(r *Record) { placed(r) }},
	{name: "completed", state: StateCompleted, action: ActDone, record: func(r *Record) { placed(r); poll(r, "COMPLETE", r.Ask.Numbers...); end(r, 0) }},
	{name: "partial", state: StatePartial, action: ActDone, record: func(r *Record) { placed(r); poll(r, "PARTIAL", r.Ask.Numbers[0]); end(r, 17) }},
	{name: "failed-unpublished", state: StateFailed, action: ActPublish, record: func(r *Record) {
		placed(r)
		poll(r, "FAILED")
		r.finish(Next(r, Conditions{Provisioning: true}, goldenSettings(), goldenTime).Outcome)
	}},
	{name: "failed-outcome-unknown", state: StateFailed, action: ActDone, record: func(r *Record) {
		unanswered(r)
		r.finish(Outcome{Outcome: Failed, Reason: ReasonOutcomeUnknown, At: goldenTime.Add(time.Hour), Detail: "a POST was never answered", Sequence: 7})
		r.settle(1, "token-1", PostFact{State: PostCreated, OrderID: "late-1"}, goldenSettings(), goldenTime.Add(2*time.Hour))
		r.published(18)
	}},
	{name: "refused", state: StateFailed, action: ActDone, record: func(r *Record) {
		r.plan(goldenNames(), r.Ask.Numbers)
		r.claim(1, "token-1", goldenTime, goldenTime)
		r.settle(1, "token-1", PostFact{State: PostRefused, Errors: []VendorError{{Code: "5016", Description: "bad site"}}, Detail: "400"}, goldenSettings(), goldenTime)
		end(r, 19)
	}},
	{name: "replayed", state: Accepted, action: ActDropLetters, record: func(r *Record) {
		placed(r)
		poll(r, "PARTIAL", r.Ask.Numbers[0])
		end(r, 17)
		r.LastN = 3
		*r = *r.nextGeneration(Arrival{Hash: "hash-2", Body: []byte(`{"numbers":["+19195550102"],"request_id":"crm-1042"}`), Ask: Ask{
			Numbers: r.Ask.Numbers[1:], SiteID: "1234", PeerID: "234222", PartialAllowed: true}}, goldenSettings(), goldenTime.Add(time.Hour))
	}},
	{name: "criteria", state: Submitted, action: ActPoll, ask: askCriteria, record: func(r *Record) {
		r.plan(goldenNames(), []string{"+19195550101", "+19195550102"})
		r.claim(1, "token-1", goldenTime, goldenTime)
		r.settle(1, "token-1", PostFact{State: PostCreated, OrderID: "order-1", Status: "RECEIVED"}, goldenSettings(), goldenTime)
	}},
	{name: "criteria-search-refused", state: StateFailed, action: ActDone, ask: askCriteria, record: func(r *Record) {
		r.searched(FindFact{Refused: true, Errors: []VendorError{{Code: "4000", Description: "bad area code"}}, Detail: "400"}, goldenSettings(), goldenTime)
		r.searched(FindFact{}, goldenSettings(), goldenTime)
		end(r, 20)
	}},
	{name: "backordered", state: Backordered, action: ActPoll, ask: func(a *Arrival) { askCriteria(a); a.Ask.Backorder = true }, record: func(r *Record) {
		placed(r)
		poll(r, "BACKORDERED", "+19195550101")
	}},
	{name: "backordered-cancelled", state: Backordered, action: ActClose, ask: func(a *Arrival) { askCriteria(a); a.Ask.Backorder = true }, record: func(r *Record) {
		placed(r)
		poll(r, "BACKORDERED")
		r.wish("bbbbbbbbbbbbbbbbbbbb", goldenTime)
		r.closed("order-1", CloseFact{Detail: "503"}, goldenSettings(), goldenTime)
		r.Purchases[0].Orders[0].NextPollAt = goldenTime.Add(2 * time.Hour)
	}},
	{name: "cancel", state: Accepted, action: ActCancel, ask: func(a *Arrival) {
		a.Kind, a.Ask = Cancel, Ask{Target: "cccccccccccccccccccc", TargetGeneration: 1}
	}, record: func(*Record) {}},
	{name: "portin-submitted", state: Submitted, action: ActPoll, ask: func(a *Arrival) {
		a.Kind, a.Ask.PortIn, a.Ask.Draft, a.Ask.CarrierModule = PortIn, json.RawMessage(`{"billing_telephone_number":"+19195550101"}`), true, "knm_local"
	}, record: func(r *Record) { placed(r) }},
	{name: "disconnect-submitting", state: Submitting, action: ActExpire, ask: askDisconnect, record: func(r *Record) {
		r.claimRelease(r.Ask.Numbers, map[string]string{r.Ask.Numbers[0]: pinOf("order-1"), r.Ask.Numbers[1]: pinOf("order-2")}, "token-1", goldenTime, goldenTime)
	}},
	{name: "disconnect-submitted", state: Submitted, action: ActPollRelease, ask: askDisconnect, record: func(r *Record) { released(r) }},
	{name: "disconnect-partial", state: StatePartial, action: ActDone, ask: askDisconnect, record: func(r *Record) {
		released(r)
		r.polledRelease(1, PollFact{ID: "poll-1", Status: "PARTIAL", Completed: r.Ask.Numbers[:1],
			FailedNumbers: []FailedNumber{{Number: r.Ask.Numbers[1], Code: "5109"}}, Errors: []VendorError{{Code: "5109", Description: "protected"}}}, goldenSettings(), goldenTime)
		end(r, 21)
	}},
	{name: "sandbox", state: StateCompleted, action: ActDone, ask: func(a *Arrival) { askCriteria(a); a.Sandbox = true }, record: func(r *Record) {
		r.pretended(FindFact{Numbers: []string{"+19195550101", "+19195550102", "+19195550103"}}, goldenSettings(), goldenTime)
		end(r, 0)
	}},
	{name: "rebuilt-unasked", state: Submitted, action: ActWait, record: func(r *Record) {
		*r = Record{Key: r.Key, Kind: Provision, AcceptedAt: goldenTime}
		for n := 1; n <= 2; n++ {
			r.restore(Listed{OrderID: OrderID(fmt.Sprint("order-", n)), Status: "COMPLETE", At: goldenTime.Add(-time.Hour)}, n, goldenNames(), goldenSettings(), goldenTime)
		}
	}},
	{name: "rebuilt-taken", state: Submitted, action: ActPoll, record: func(r *Record) {
		a := goldenArrival()
		stub := Record{Key: r.Key, Kind: Provision, AcceptedAt: goldenTime}
		stub.restore(Listed{OrderID: "order-1", Status: "COMPLETE", At: goldenTime.Add(-time.Hour)}, 1, goldenNames(), goldenSettings(), goldenTime)
		*r = *stub.taken(a, goldenTime.Add(time.Minute))
	}},
	{name: "rebuilt-late", state: StateCompleted, action: ActDone, record: func(r *Record) {
		placed(r)
		poll(r, "COMPLETE", r.Ask.Numbers...)
		end(r, 0)
		r.restore(Listed{OrderID: "order-9", Status: "COMPLETE"}, 9, goldenNames(), goldenSettings(), goldenTime.Add(time.Hour))
	}},
}

func goldenNames() Namer {
	names, err := NewNamer("East coast Kazoo")
	if err != nil {
		panic(err)
	}
	return names
}

func goldenSettings() Settings {
	s := DefaultSettings()
	s.Random = func() float64 { return 0.5 }
	return s
}

func goldenArrival() Arrival {
	return Arrival{
		Key: testKey, RequestID: "crm-1042", Tenant: "acme", Kind: Provision, Subject: "bandwidth.v1.request.provision.acme", Hash: "hash-1",
		Body:     []byte(`{"metadata":{"ticket":"77"},"numbers":["+19195550101","+19195550102"],"request_id":"crm-1042"}`),
		Metadata: map[string]string{"ticket": "77"}, Headers: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		Ask: Ask{Numbers: []string{"+19195550101", "+19195550102"}, SiteID: "1234", PeerID: "234222", PartialAllowed: true},
	}
}

func askCriteria(a *Arrival) {
	a.Ask.Numbers, a.Ask.Criteria, a.Ask.Quantity = nil, json.RawMessage(`{"area_code":"919"}`), 3
}

func askDisconnect(a *Arrival) {
	a.Kind, a.Ask = Disconnect, Ask{Numbers: a.Ask.Numbers, Mode: "normal", Protected: "unchanged"}
}

func unanswered(r *Record) {
	r.plan(goldenNames(), r.Ask.Numbers)
	r.claim(1, "token-1", goldenTime, goldenTime)
	r.WrittenAt = goldenTime
	r.expire(1, "token-1", goldenTime.Add(time.Minute))
}

func placed(r *Record) {
	r.plan(goldenNames(), r.Ask.Numbers)
	r.claim(1, "token-1", goldenTime, goldenTime)
	r.settle(1, "token-1", PostFact{State: PostCreated, OrderID: "order-1", Status: "RECEIVED"}, goldenSettings(), goldenTime)
}

func poll(r *Record, word string, completed ...string) {
	n := len(completed)
	f := PollFact{ID: "poll-1", OrderID: "order-1", Status: word, Completed: completed, CompletedQuantity: &n}
	for _, number := range r.Ask.Numbers {
		if !slices.Contains(completed, number) {
			f.FailedNumbers = append(f.FailedNumbers, FailedNumber{Number: number, Code: "5005"})
			f.Errors = []VendorError{{Code: "5005", Description: "The telephone number is unavailable for ordering"}}
		}
	}
	r.polled(f, goldenSettings(), goldenTime.Add(time.Second))
}

func released(r *Record) {
	r.claimRelease(r.Ask.Numbers, map[string]string{r.Ask.Numbers[0]: pinOf("order-1"), r.Ask.Numbers[1]: pinOf("order-2")}, "token-1", goldenTime, goldenTime)
	r.settleRelease(1, "token-1", PostFact{State: PostCreated, OrderID: "disconnect-1", Status: "RECEIVED"}, goldenSettings(), goldenTime)
}

// end writes the outcome that the record has come to, and publishes it.
func end(r *Record, letter uint64) {
	a := Next(r, Conditions{Provisioning: true}, goldenSettings(), goldenTime.Add(2*time.Second))
	if a.Kind != ActFinish {
		panic(fmt.Sprintf("%+v is no end", a))
	}
	r.finish(a.Outcome)
	r.Outcome.Sequence = 5
	r.published(letter)
}

func (g golden) build() *Record {
	a := goldenArrival()
	if g.ask != nil {
		g.ask(&a)
	}
	r := NewRecord(a, goldenTime)
	g.record(r)
	return r
}

func goldenFile(name string) string { return filepath.Join("testdata", "records", name+".json") }

// compareGolden compares what this version writes with the file, or writes the file.
func compareGolden(t *testing.T, name string, data []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(goldenFile(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenFile(name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile(name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("%s: this version writes another record than the file holds. A field may be added, with -update, where the version before can work on without it; none may be renamed or change its meaning.\n%s", name, b.Bytes())
	}
}

// TestGoldenRecords: records of every state are written as the files hold them, and read from the files as they were
// written: the same state, the same next step, and not a byte lost on the way back.
func TestGoldenRecords(t *testing.T) {
	states, kinds := map[State]bool{}, map[Kind]bool{}
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			r := g.build()
			data, err := r.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, g.name, data)
			file, err := os.ReadFile(goldenFile(g.name))
			if err != nil {
				t.Fatal(err)
			}
			read, err := Unmarshal(file)
			if err != nil {
				t.Fatal(err)
			}
			again, err := read.Clone().Marshal()
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("read and written again, %v:\n%s\nwant\n%s", err, again, data)
			}
			read.WrittenAt = goldenTime
			if got := StateOf(read); got != g.state {
				t.Errorf("its state is %s, want %s", got, g.state)
			}
			if a := Next(read, Conditions{Provisioning: true}, goldenSettings(), goldenTime.Add(time.Hour)); a.Kind != g.action {
				t.Errorf("next: %+v, want action %d", a, g.action)
			}
			states[g.state], kinds[r.Kind] = true, true
		})
	}
	for _, s := range States() {
		if !states[s] {
			t.Errorf("there is no golden record of the state %s", s)
		}
	}
	for _, k := range []Kind{Provision, Disconnect, Cancel, PortIn} {
		if !kinds[k] {
			t.Errorf("there is no golden record of a %s", k)
		}
	}
	files, err := filepath.Glob(goldenFile("*"))
	if err != nil || len(files) != len(goldens)+1 { // and the one with every field
		t.Errorf("%d files for %d records: %v", len(files), len(goldens)+1, err)
	}
}

// fill sets every field below a value to something that is not its zero value.
func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(goldenTime))
			return
		}
		for i := range v.NumField() {
			if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag != "-" && tag != "all_numbers" { // which stands for numbers
				fill(v.Field(i), tag)
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"is":"` + name + `"}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		m, key, value := reflect.MakeMap(v.Type()), reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, name)
		fill(value, name)
		m.SetMapIndex(key, value)
		v.Set(m)
	case reflect.String:
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
	}
}

// full is a record with every field in use.
func full() *Record {
	r := new(Record)
	fill(reflect.ValueOf(r).Elem(), "")
	r.Version = 1
	return r
}

// TestGoldenFields: a record with every field in use is written as the file holds it. Whoever adds a field sees it here,
// and thinks of the version before.
func TestGoldenFields(t *testing.T) {
	data, err := full().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "every-field", data)
	file, err := os.ReadFile(goldenFile("every-field"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Unmarshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Marshal(); err != nil || !bytes.Equal(again, data) {
		t.Errorf("read and written again, %v:\n%s\nwant\n%s", err, again, data)
	}
}
