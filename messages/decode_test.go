package messages_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bandwidthworker/messages"
)

// files returns the files that a pattern under testdata names; there have to be some.
func files(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files testdata/%s: %v", pattern, err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = data
	}
	return out
}

// kindOf returns the kind in a file's name, such as provision-all.json.
func kindOf(t testing.TB, name string) messages.Kind {
	t.Helper()
	word, _, _ := strings.Cut(strings.TrimSuffix(name, ".json"), "-")
	if !slices.Contains(messages.Kinds(), messages.Kind(word)) {
		t.Fatalf("%s names no kind", name)
	}
	return messages.Kind(word)
}

func TestGoodRequests(t *testing.T) {
	seen := map[messages.Kind]bool{}
	for name, body := range files(t, "requests/*.json") {
		kind := kindOf(t, name)
		seen[kind] = true
		r, err := messages.Decode(kind, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := r.Validate(kind); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.RequestID == "" {
			t.Errorf("%s: the request id was lost", name)
		}
	}
	for _, kind := range messages.Kinds() {
		if !seen[kind] {
			t.Errorf("no good request of kind %s in testdata", kind)
		}
	}
}

// refusal checks what is refused: reason, field, and a sentence that names the field.
func refusal(t *testing.T, what string, err error, reason messages.Reason, field, phrase string) {
	t.Helper()
	var refused *messages.RequestError
	if !errors.As(err, &refused) {
		t.Errorf("%s: %v; want it refused as %s", what, err, reason)
		return
	}
	if refused.Reason != reason || refused.Field != field {
		t.Errorf("%s: refused as %s for the field %q, want %s for %q (%s)", what, refused.Reason, refused.Field, reason, field, refused)
	}
	if !strings.Contains(refused.Error(), field) || !strings.Contains(refused.Error(), phrase) {
		t.Errorf("%s: the sentence names %q and %q not: %s", what, field, phrase, refused)
	}
	if len(refused.Error()) > 500 {
		t.Errorf("%s: the sentence has %d bytes", what, len(refused.Error()))
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []struct{ name, body, field, phrase string }{
		{"empty", "", "", "empty"},
		{"blank", " \n\t", "", "empty"},
		{"not JSON", "hello", "", "not JSON"},
		{"XML", "<Order/>", "", "not JSON"},
		{"cut off", `{"request_id":"a","numbers":["+1919`, "", "ends too early"},
		{"cut off after a key", `{"request_id"`, "", "ends too early"},
		{"a trailing comma", `{"request_id":"a",}`, "", "not JSON"},
		{"single quotes", `{'request_id':'a'}`, "", "not JSON"},
		{"null", "null", "", "null"},
		{"a list", `[{"request_id":"a"}]`, "", "array"},
		{"a string", `"request_id"`, "", "string"},
		{"a number", "12", "", "number"},
		{"true", "true", "", "bool"},
		{"something after it", `{"request_id":"a"} {}`, "", "after"},
		{"garbage after it", `{"request_id":"a"}x`, "", "after"},
		{"a brace after it", `{"request_id":"a"}}`, "", "after"},
		{"a byte order mark", "\ufeff{}", "", "not JSON"},
		{"not UTF-8", "{\"request_id\":\"a\",\"metadata\":{\"k\":\"\xff\"}}", "", "UTF-8"},
		{"not UTF-8 in a key", "{\"request_id\xff\":\"a\"}", "", "UTF-8"},
		{"unknown field", `{"colour":"red"}`, "colour", "no such field"},
		{"a field without a name", `{"":1}`, `""`, "no such field"},
		{"unknown field of criteria", `{"criteria":{"colour":"red"}}`, "criteria.colour", "no such field"},
		{"a field of another kind", `{"order_request_id":"b"}`, "order_request_id", "a provision request has no such field"},
		{"a field of another kind, null", `{"mode":null}`, "mode", "a provision request has no such field"},
		{"the embedded struct's name", `{"PortInFields":{}}`, "PortInFields", "no such field"},
		{"other letter case", `{"Request_ID":"a"}`, "Request_ID", "no such field"},
		{"other letter case of criteria", `{"criteria":{"Area_Code":"919"}}`, "criteria.Area_Code", "no such field"},
		{"a letter that folds", `{"criteria":{"ſtate":"NC"}}`, "criteria.ſtate", "no such field"},
		{"a letter that folds, at the top", `{"ſite_id":"1"}`, "ſite_id", "no such field"},
		{"a field twice", `{"request_id":"a","request_id":"a"}`, "request_id", "twice"},
		{"a field twice, escaped once", `{"request_id":"a","request_\u0069d":"b"}`, "request_id", "twice"},
		{"a field of criteria twice", `{"criteria":{"area_code":"919","area_code":"252"}}`, "criteria.area_code", "twice"},
		{"a key of metadata twice", `{"metadata":{"k":"1","k":"2"}}`, "metadata.k", "twice"},
		{"null in a field", `{"request_id":null}`, "request_id", "null"},
		{"null criteria", `{"criteria":null}`, "criteria", "null"},
		{"null in criteria", `{"criteria":{"area_code":null}}`, "criteria.area_code", "null"},
		{"null among numbers", `{"numbers":["+19195551234",null]}`, "numbers", "null"},
		{"null in metadata", `{"metadata":{"k":null}}`, "metadata.k", "null"},
		{"17 levels", `{"metadata":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, "", "16 levels"},
		{"a bomb", strings.Repeat("[", 200_000), "", "16 levels"},
		{"a bomb of objects", strings.Repeat(`{"metadata":`, 20_000), "", "16 levels"},
		{"a long name", `{"` + strings.Repeat("<", 200_000) + `":1}`, strings.Repeat("<", 100) + "…", "no such field"},
	} {
		r, err := messages.Decode(messages.Provision, []byte(c.body))
		if r != nil {
			t.Errorf("%s: a request came with the error", c.name)
		}
		refusal(t, c.name, err, messages.ReasonMalformed, c.field, c.phrase)
	}
	for name, body := range files(t, "bad/*.json") {
		if name == "surrogate.json" { // half a character is written as an escape, which is UTF-8
			continue
		}
		if _, err := messages.Decode(messages.Provision, body); err == nil {
			t.Errorf("testdata/bad/%s was taken", name)
		}
	}
	_, err := messages.Decode("rent", []byte(`{}`))
	refusal(t, "unknown kind", err, messages.ReasonMalformed, "", "rent")
	_, err = messages.Decode(messages.Unknown, []byte(`{}`))
	refusal(t, "the kind unknown", err, messages.ReasonMalformed, "", "unknown")
	r := messages.Request{RequestID: "a"}
	refusal(t, "validate an unknown kind", r.Validate("rent"), messages.ReasonMalformed, "", "rent")
}

// TestSixteenLevels: the deepest body that is looked at.
func TestSixteenLevels(t *testing.T) {
	deep := func(n int) []byte {
		return []byte(`{"request_id":"a","numbers":["+19195551234"],"metadata":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	_, err := messages.Decode(messages.PortIn, deep(15)) // of the wrong type, and not too deep
	refusal(t, "16 levels", err, messages.ReasonMalformed, "metadata", "a list")
	_, err = messages.Decode(messages.PortIn, deep(16))
	refusal(t, "17 levels", err, messages.ReasonMalformed, "", "16 levels")
}

// fields are the fields of each kind, as the contract has them.
var fields = map[messages.Kind]string{
	messages.Search:     "request_id tenant metadata criteria quantity detail",
	messages.Provision:  "request_id tenant metadata site_id sip_peer numbers criteria quantity partial_allowed backorder reserve",
	messages.Disconnect: "request_id tenant metadata numbers mode protected",
	messages.Cancel:     "request_id tenant metadata order_request_id",
	messages.PortIn: "request_id tenant metadata site_id sip_peer numbers billing_telephone_number new_billing_telephone_number requested_foc_date " +
		"loa_authorizing_person subscriber wireless_info tn_attributes triggered partial_port alternate_spid target_resp_org_id draft",
}

// criteriaFields are those of criteria.
const criteriaFields = "prefix area_code npa_nxx npa_nxx_x rate_center city state zip lata local_vanity ends_in toll_free_vanity toll_free_wildcard local_calling_area"

// jsonTypes returns the type of each field of a struct, by its JSON name.
func jsonTypes(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for name, typ := range jsonTypes(f.Type) {
				out[name] = typ
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = f.Type
	}
	return out
}

// samples are a JSON value of each type, by what a sentence calls it.
var samples = map[string]string{
	"a string": `"x"`, "a number": "1", "true or false": "true", "a list": `["x"]`, "an object": `{"x":"y"}`, "a number 1.5": "1.5",
}

// fitting says which samples a field takes.
func fitting(t *testing.T, name string, typ reflect.Type) []string {
	t.Helper()
	switch {
	case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct, typ.Kind() == reflect.Map:
		return []string{"an object"}
	case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Bool:
		return []string{"true or false"}
	case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Int:
		return []string{"a number"}
	case typ.Kind() == reflect.Slice:
		return []string{"a list"}
	case typ.Kind() == reflect.String:
		return []string{"a string"}
	}
	t.Fatalf("%s has the type %s, which this test does not know", name, typ)
	return nil
}

// TestEveryFieldOfEveryKind: each field is taken by the kinds that have it and by no other, in its own type alone.
func TestEveryFieldOfEveryKind(t *testing.T) {
	types := jsonTypes(reflect.TypeFor[messages.Request]())
	known := map[string]bool{}
	for _, kind := range messages.Kinds() {
		of := strings.Fields(fields[kind])
		for _, name := range of {
			known[name] = true
		}
		for name, typ := range types {
			for called, value := range samples {
				body := fmt.Sprintf(`{%q:%s}`, name, value)
				what := fmt.Sprintf("%s %s", kind, body)
				_, err := messages.Decode(kind, []byte(body))
				switch {
				case !slices.Contains(of, name):
					refusal(t, what, err, messages.ReasonMalformed, name, "a "+string(kind)+" request has no such field")
				case slices.Contains([]string{"criteria", "subscriber", "wireless_info"}, name) && called == "an object":
					refusal(t, what, err, messages.ReasonMalformed, name+".x", "no such field")
				case slices.Contains(fitting(t, name, typ), called):
					if err != nil {
						t.Errorf("%s: %v", what, err)
					}
				default:
					refusal(t, what, err, messages.ReasonMalformed, name, strings.TrimSuffix(called, " 1.5"))
				}
			}
			if slices.Contains(of, name) {
				_, err := messages.Decode(kind, fmt.Appendf(nil, `{%q:null}`, name))
				refusal(t, string(kind)+" null "+name, err, messages.ReasonMalformed, name, "null")
				upper := strings.ToUpper(name)
				_, err = messages.Decode(kind, fmt.Appendf(nil, `{%q:%s}`, upper, samples[fitting(t, name, typ)[0]]))
				refusal(t, string(kind)+" "+upper, err, messages.ReasonMalformed, upper, "no such field")
			}
		}
	}
	for name := range types {
		if !known[name] {
			t.Errorf("the field %s belongs to no kind", name)
		}
	}
	if len(known) != len(types) {
		t.Errorf("%d fields in the contract, %d in Request", len(known), len(types))
	}
}

func TestEveryFieldOfCriteria(t *testing.T) {
	types := jsonTypes(reflect.TypeFor[messages.Criteria]())
	names := strings.Fields(criteriaFields)
	if len(names) != len(types) {
		t.Errorf("%d fields in the contract, %d in Criteria", len(names), len(types))
	}
	for _, name := range names {
		typ, ok := types[name]
		if !ok {
			t.Errorf("Criteria lacks %s", name)
			continue
		}
		for called, value := range samples {
			body := fmt.Sprintf(`{"criteria":{%q:%s}}`, name, value)
			_, err := messages.Decode(messages.Search, []byte(body))
			if slices.Contains(fitting(t, name, typ), called) {
				if err != nil {
					t.Errorf("%s: %v", body, err)
				}
				continue
			}
			refusal(t, body, err, messages.ReasonMalformed, "criteria."+name, strings.TrimSuffix(called, " 1.5"))
		}
	}
}

// TestFieldsOfPortIns: the objects of a port-in are as strict as its body.
func TestFieldsOfPortIns(t *testing.T) {
	types := map[string]reflect.Type{
		"subscriber": reflect.TypeFor[messages.Subscriber](), "subscriber.service_address": reflect.TypeFor[messages.ServiceAddress](),
		"wireless_info": reflect.TypeFor[messages.WirelessInfo](),
	}
	for path, names := range map[string]string{
		"subscriber": "subscriber_type business_name first_name last_name service_address",
		"subscriber.service_address": "house_prefix house_number house_suffix pre_directional street_name street_suffix post_directional address_line2 " +
			"city state_code zip plus_four county country address_type",
		"wireless_info": "account_number pin_number",
	} {
		in := func(name, value string) []byte {
			body := fmt.Sprintf("{%q:%s}", name, value)
			for _, outer := range slices.Backward(strings.Split(path, ".")) {
				body = fmt.Sprintf("{%q:%s}", outer, body)
			}
			return []byte(body)
		}
		have := jsonTypes(types[path])
		if len(have) != len(strings.Fields(names)) {
			t.Errorf("%s has %d fields, and %q in the contract", path, len(have), names)
		}
		for _, name := range strings.Fields(names) {
			for called, value := range samples {
				_, err := messages.Decode(messages.PortIn, in(name, value))
				switch {
				case name == "service_address" && called == "an object":
					refusal(t, name, err, messages.ReasonMalformed, path+"."+name+".x", "no such field")
				case called == fitting(t, name, have[name])[0]:
					if err != nil {
						t.Errorf("%s.%s: %v", path, name, err)
					}
				default:
					refusal(t, name, err, messages.ReasonMalformed, path+"."+name, strings.TrimSuffix(called, " 1.5"))
				}
			}
			_, err := messages.Decode(messages.PortIn, in(strings.ToUpper(name), `"x"`))
			refusal(t, name, err, messages.ReasonMalformed, path+"."+strings.ToUpper(name), "no such field")
		}
	}
}

// TestElements: what stands in lists and maps has a type too.
func TestElements(t *testing.T) {
	for body, field := range map[string]string{
		`{"numbers":[19195551234]}`:          "numbers",
		`{"numbers":[["+19195551234"]]}`:     "numbers",
		`{"metadata":{"ticket":77}}`:         "metadata",
		`{"metadata":{"ticket":["77"]}}`:     "metadata",
		`{"quantity":99999999999999999999}`:  "quantity",
		`{"quantity":1e3}`:                   "quantity",
		`{"criteria":[{"area_code":"919"}]}`: "criteria",
	} {
		_, err := messages.Decode(messages.Provision, []byte(body))
		var refused *messages.RequestError
		if !errors.As(err, &refused) || refused.Reason != messages.ReasonMalformed || !strings.HasPrefix(refused.Field, field) || !strings.Contains(refused.Text, field) {
			t.Errorf("%s: %v; want it refused as malformed for %s", body, err, field)
		}
	}
}

// TestP40_BodySize: the limit is met exactly, and the largest valid request fits.
func TestP40_BodySize(t *testing.T) {
	if messages.MaxBody != 262144 {
		t.Errorf("the limit is %d bytes, want 262144", messages.MaxBody)
	}
	body := []byte(`{"request_id":"a","numbers":["+19195551234"]}`)
	full := append(body, []byte(strings.Repeat(" ", 262144-len(body)))...)
	if _, err := messages.Decode(messages.Provision, full); err != nil {
		t.Errorf("256 KiB: %v", err)
	}
	_, err := messages.Decode(messages.Provision, append(full, ' '))
	refusal(t, "256 KiB and a byte", err, messages.ReasonMalformed, "", "262145 bytes")

	largest := &messages.Request{
		RequestID: strings.Repeat("r", 128), Tenant: strings.Repeat("t", 32), SiteID: strings.Repeat("1", 20), SIPPeer: strings.Repeat("2", 20),
		Numbers: numbers(5000), Metadata: map[string]string{"k": strings.Repeat("\x01", 4095)}, // six bytes each in JSON
		PartialAllowed: new(bool), Backorder: new(bool), Reserve: new(bool),
	}
	if err := largest.Validate(messages.Provision); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(largest)
	if err != nil {
		t.Fatal(err)
	}
	r, err := messages.Decode(messages.Provision, data)
	if err != nil {
		t.Fatalf("the largest valid request, %d bytes: %v", len(data), err)
	}
	if !reflect.DeepEqual(r, largest) {
		t.Error("the largest valid request was changed on the way")
	}
}

// numbers returns n different telephone numbers.
func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("+1919%07d", 2000000+i)
	}
	return out
}
