package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep a body may nest.
const maxDepth = 16

// nestedFields are the fields of the objects that a body may hold, by the object's path.
var nestedFields = map[string][]string{
	"criteria":                   jsonFields(reflect.TypeFor[Criteria]()),
	"subscriber":                 jsonFields(reflect.TypeFor[Subscriber]()),
	"subscriber.service_address": jsonFields(reflect.TypeFor[ServiceAddress]()),
	"wireless_info":              jsonFields(reflect.TypeFor[WirelessInfo]()),
}

func jsonFields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Decode decodes the body of a request of a kind. It is strict: an unknown field, a field of another kind, one that
// stands twice or in other letter case, null, a wrong type, anything after the object, or text that is not UTF-8 is a
// [*RequestError] with the reason malformed that names the field; a nested one as "criteria.area_code".
func Decode(kind Kind, body []byte) (*Request, error) {
	fields, ok := fieldsOf[kind]
	switch {
	case !ok:
		return nil, malformed("", "the kind %q is not known", kind)
	case len(body) > MaxBody:
		return nil, malformed("", "the body is %d bytes long; at most %d are taken", len(body), MaxBody)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, malformed("", "the body is empty; a JSON object is wanted")
	case !utf8.Valid(body):
		return nil, malformed("", "the body is not UTF-8") // the decoder would put other characters in its place
	}
	check := keyCheck{kind: kind, fields: slices.Concat(common, fields)}
	if err := check.run(body); err != nil {
		return nil, err
	}
	r := new(Request)
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil {
		return nil, decodeError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, malformed("", "there is something after the JSON object")
	}
	return r, nil
}

// decodeError turns the decoder's error into a sentence.
func decodeError(err error) *RequestError {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ):
		field := typ.Field
		if field == "" {
			return malformed("", "the body is a JSON %s; an object is wanted", clip(typ.Value))
		}
		field = clip(strings.TrimPrefix(field, "PortInFields.")) // the embedded struct is no part of the contract
		return malformed(field, "%s: %s stands where %s is wanted", field, valueName(typ.Value), typeName(typ.Type))
	case errors.As(err, &syntax):
		return malformed("", "the body is not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed("", "the body is not JSON: it ends too early")
	}
	return malformed("", "the body cannot be decoded: %s", clip(err.Error()))
}

// valueName returns the decoder's word for a JSON value in ours.
func valueName(word string) string {
	switch word {
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	default:
		return "a " + clip(word) // a string, a number, a number 1.5
	}
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	default:
		return "an object"
	}
}

// maxQuoted is how much of a name or value of the sender's is quoted in a sentence, in bytes.
const maxQuoted = 100

// clip shortens what is quoted: sentences travel in events and dead letters, where a quarter of a megabyte of the
// sender's, escaped, would not fit.
func clip(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// keyCheck refuses what the decoder would take: a field that stands twice in one object (it takes the last), one in
// other letter case than documented (it does not care), null (it leaves the field out), and bodies that nest deep. It
// names unknown fields by their path.
type keyCheck struct {
	kind   Kind
	fields []string // those of the kind
	stack  []level
}

// level is an object or a list that is being read.
type level struct {
	path   string // as it is named in sentences
	object bool
	key    string // the last key of an object
	value  bool   // the value of that key comes next, not a key
	seen   map[string]bool
}

func (c *keyCheck) run(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // how large a number may be is its field's business
	for {
		tok, err := dec.Token()
		if err != nil {
			return decodeError(err)
		}
		if refused := c.take(tok); refused != nil {
			return refused
		}
		if len(c.stack) == 0 {
			return nil // what follows is Decode's business
		}
	}
}

// take looks at the next token.
func (c *keyCheck) take(tok json.Token) *RequestError {
	path := ""
	if n := len(c.stack); n > 0 {
		top := &c.stack[n-1]
		if key, ok := tok.(string); ok && top.object && !top.value {
			return c.takeKey(top, key)
		}
		path = top.path
		if top.object {
			path = join(top.path, top.key)
		}
		top.value = false
	}
	switch tok {
	case json.Delim('{'), json.Delim('['):
		if len(c.stack) == maxDepth {
			return malformed("", "the body nests more than %d levels deep", maxDepth)
		}
		c.stack = append(c.stack, level{path: path, object: tok == json.Delim('{'), seen: map[string]bool{}})
	case json.Delim('}'), json.Delim(']'):
		c.stack = c.stack[:len(c.stack)-1]
	case nil:
		if path == "" {
			return malformed("", "the body is a JSON null; an object is wanted")
		}
		return malformed(path, "%s: null is no value; leave it out", path)
	}
	return nil
}

func (c *keyCheck) takeKey(l *level, key string) *RequestError {
	path, depth := join(l.path, key), len(c.stack)
	nested, strict := nestedFields[l.path]
	switch {
	case l.seen[key]:
		return malformed(path, "%s: the field stands twice", path)
	case depth == 1 && !slices.Contains(c.fields, key) && ofAnotherKind(key):
		return malformed(path, "%s: a %s request has no such field", path, c.kind)
	case depth == 1 && !slices.Contains(c.fields, key), strict && !slices.Contains(nested, key):
		return malformed(path, "%s: there is no such field", path)
	}
	l.seen[key] = true
	l.key, l.value = key, true
	return nil
}

func ofAnotherKind(field string) bool {
	for _, fields := range fieldsOf {
		if slices.Contains(fields, field) {
			return true
		}
	}
	return false
}

// join returns the path of a key, short enough for a sentence.
func join(path, key string) string {
	if key == "" {
		key = `""`
	}
	if path != "" {
		key = path + "." + key
	}
	return clip(key)
}
