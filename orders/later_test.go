package orders

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// laterPaths are the parts of a record in which a later version may add fields.
var laterPaths = []string{
	"", "ask", "purchases.0", "purchases.0.posts.0", "purchases.0.orders.0", "purchases.0.reserving", "releases.0", "releases.0.post", "late.0", "cancel", "outcome", "history.0",
}

// object returns the JSON object at a path; nil where there is none.
func object(root any, path string) map[string]any {
	at := root
	for step := range strings.SplitSeq(path, ".") {
		switch x := at.(type) {
		case map[string]any:
			if step != "" {
				at = x[step]
			}
		case []any:
			if len(x) == 0 {
				return nil
			}
			at = x[0]
		}
	}
	o, _ := at.(map[string]any)
	return o
}

// TestLaterFields: a field that a later version has written in any part of a record is there after this version has
// changed the record, in each golden record and in one with every field.
func TestLaterFields(t *testing.T) {
	files, err := filepath.Glob(goldenFile("*"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden records: %v", len(files), err)
	}
	found := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range laterPaths { // one at a time, so that none hides behind another
			var root any
			if err := json.Unmarshal(data, &root); err != nil {
				t.Fatal(err)
			}
			o := object(root, path)
			if o == nil {
				continue
			}
			found[path] = true
			o["zz_later"] = map[string]any{"n": 12345678901234567.0, "list": []any{"<&>", nil}}
			with, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Unmarshal(with)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			next := r.Clone()
			next.note(goldenTime, "changed", "by this version")
			next.keepSequence()
			out, err := next.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var written any
			if err := json.Unmarshal(out, &written); err != nil {
				t.Fatal(err)
			}
			if got := object(written, path)["zz_later"]; !reflect.DeepEqual(got, o["zz_later"]) {
				t.Errorf("%s: the later field in %q is %v, want %v", file, path, got, o["zz_later"])
			}
			if n := len(object(written, "")["history"].([]any)); n != len(r.History)+1 {
				t.Errorf("%s: %q: the change of this version is lost", file, path)
			}
		}
	}
	for _, path := range laterPaths {
		if !found[path] {
			t.Errorf("no golden record has a %q", path)
		}
	}
}

// TestLaterParts: every part of a record keeps the fields that it does not know. A Bandwidth error alone is fixed: its
// code and description are all there is.
func TestLaterParts(t *testing.T) {
	seen := map[reflect.Type]bool{reflect.TypeFor[time.Time](): true, reflect.TypeFor[VendorError](): true}
	var walk func(reflect.Type)
	walk = func(x reflect.Type) {
		switch x.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(x.Elem())
		case reflect.Struct:
			if seen[x] {
				return
			}
			seen[x] = true
			if f, ok := x.FieldByName("Later"); !ok || f.Type != laterType {
				t.Errorf("%s has no map Later: what a later version writes there is lost", x)
			}
			for i := range x.NumField() {
				walk(x.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[Record]())
	if len(seen) != len(laterPaths)+1 { // a POST stands in two places
		t.Errorf("%d types; every one must be among laterPaths: %v", len(seen), seen)
	}
}

// TestLaterDriven: a worker of this version drives a record of a later one without losing what it does not know.
func TestLaterDriven(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := NewRecord(arrivalOf("+19195550001"), time.Now())
		r.Later = laterFields{"zz_later": json.RawMessage(`[1]`)}
		stored := w.stored(r)
		if err := w.driver().Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err != nil {
			t.Fatal(err)
		}
		w.run()
		if got := w.record(); string(got.Later["zz_later"]) != "[1]" || got.Outcome == nil || got.Outcome.Outcome != Completed {
			t.Errorf("later %s, outcome %+v", got.Later, got.Outcome)
		}
		w.run(replay(1, "+19195550001"))
		if got := w.record(); string(got.Later["zz_later"]) != "[1]" {
			t.Errorf("after a replay: %s", got.Later)
		}
	})
}

// TestLaterVersion: a record that this version must not act on is left alone, and one of a kind that it does not know is
// bought nothing for.
func TestLaterVersion(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		data, err := full().Marshal()
		if err != nil {
			t.Fatal(err)
		}
		for version, ok := range map[string]bool{"0": false, "1": true, "2": true, "3": false, "-1": false} {
			_, err := Unmarshal([]byte(strings.Replace(string(data), `"v":1`, `"v":`+version, 1)))
			if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "later version") {
				t.Errorf("version %s: %v", version, err)
			}
		}
		r := NewRecord(arrivalOf("+19195550001"), time.Now())
		r.Kind = "lease"
		stored := w.stored(r)
		if err := w.driver().Drive(t.Context(), Tick{Key: testKey, At: time.Now(), Revision: stored.Revision}); err != nil {
			t.Fatal(err)
		}
		if len(w.vendor.posts) > 0 || !w.timerSet() || w.record().Revision != stored.Revision {
			t.Errorf("%d POSTs, timer set %t, record changed %t", len(w.vendor.posts), w.timerSet(), w.record().Revision != stored.Revision)
		}
		r.Outcome = &Outcome{Outcome: Failed}
		if a := Next(r, Conditions{Provisioning: true}, w.settings, time.Now()); a.Kind != ActWait {
			t.Errorf("its outcome is published by a version that cannot read it: %+v", a)
		}
		for name, c := range map[string]struct {
			r    Record
			want string
		}{
			"a rebuilt record, which an older version would end":                 {Record{Kind: Provision}, `"v":2`},
			"a port-in, which an older version would buy":                        {Record{Kind: PortIn, Generation: 1}, `"v":2`},
			"a port-in that has ended":                                           {Record{Kind: PortIn, Generation: 1, Outcome: &Outcome{}}, `"v":2`},
			"an order that reserves, which an older version would order without": {Record{Kind: Provision, Generation: 1, Ask: Ask{Reserve: true}}, `"v":2`},
			"an order that has ended":                                            {Record{Kind: Provision, Generation: 1, Ask: Ask{Reserve: true}, Outcome: &Outcome{}}, `"v":1`},
			"an order":                                                           {Record{Kind: Provision, Generation: 1}, `"v":1`},
		} {
			if data, err := c.r.Marshal(); err != nil || !strings.Contains(string(data), c.want) {
				t.Errorf("%s says %s, %v; want %s", name, data, err, c.want)
			}
		}
	})
}
