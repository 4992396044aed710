package orders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Rolling upgrades. Workers of two versions share the ledger while one takes the other's place, and either may write a
// record that the other wrote last. A field that this version does not know is kept where it stands, and written back:
// each part of a record that may get new fields has a map Later for them. What a worker of this version must not act on
// at all carries a higher version, and is refused until a worker that knows it comes by.

// laterFields is the type of the maps.
type laterFields = map[string]json.RawMessage

var laterType = reflect.TypeFor[laterFields]()

// decodeKeeping decodes data into a part of a record, and keeps the fields that it does not know.
func decodeKeeping(data []byte, r *Record) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if dec.Decode(r) == nil && !dec.More() {
		return nil // the usual case: nothing to be kept
	}
	*r = Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return err
	}
	return keepLater(reflect.ValueOf(r), data)
}

// part is a field of a part of a record.
type part struct {
	name  string
	value reflect.Value
}

// parts returns the encoded fields of a struct, and its map of later ones; false for a struct without one.
func parts(v reflect.Value) (fields []part, later reflect.Value, ok bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Type == laterType && f.Name == "Later":
			later, ok = v.Field(i), true
		case name != "-" && name != "":
			fields = append(fields, part{name: name, value: v.Field(i)})
		}
	}
	return fields, later, ok
}

// keepLater walks a decoded value along its JSON and fills the maps.
func keepLater(v reflect.Value, data json.RawMessage) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return keepLater(v.Elem(), data)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct || v.Len() == 0 {
			return nil
		}
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return err
		}
		for i := range min(v.Len(), len(items)) {
			if err := keepLater(v.Index(i), items[i]); err != nil {
				return err
			}
		}
	case reflect.Struct:
		fields, later, ok := parts(v)
		if !ok {
			return nil
		}
		all := laterFields{}
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for _, f := range fields {
			if one, there := all[f.name]; there {
				delete(all, f.name)
				if err := keepLater(f.value, one); err != nil {
					return err
				}
			}
		}
		if len(all) > 0 {
			later.Set(reflect.ValueOf(all))
		}
	}
	return nil
}

// withLater returns the JSON of a value with the fields that were kept.
func withLater(v reflect.Value, data json.RawMessage) (json.RawMessage, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return data, nil
		}
		return withLater(v.Elem(), data)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct || v.Len() == 0 {
			return data, nil
		}
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return nil, err
		}
		for i := range items {
			item, err := withLater(v.Index(i), items[i])
			if err != nil {
				return nil, err
			}
			items[i] = item
		}
		return json.Marshal(items)
	case reflect.Struct:
		fields, later, ok := parts(v)
		if !ok {
			return data, nil
		}
		all := laterFields{}
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, err
		}
		for _, f := range fields {
			one, there := all[f.name]
			if !there {
				continue
			}
			with, err := withLater(f.value, one)
			if err != nil {
				return nil, err
			}
			all[f.name] = with
		}
		for name, value := range later.Interface().(laterFields) {
			all[name] = value
		}
		return json.Marshal(all)
	default:
		return data, nil
	}
}

// keepsLater reports whether some part of the record holds fields of a later version.
func (r *Record) keepsLater() bool {
	n := len(r.Later) + len(r.Ask.Later)
	for i := range r.Purchases {
		p := &r.Purchases[i]
		n += len(p.Later)
		if p.Reserving != nil {
			n += len(p.Reserving.Later)
		}
		for j := range p.Posts {
			n += len(p.Posts[j].Later)
		}
		for j := range p.Orders {
			n += len(p.Orders[j].Later)
		}
	}
	for i := range r.Releases {
		n += len(r.Releases[i].Later) + len(r.Releases[i].Post.Later)
	}
	for i := range r.Late {
		n += len(r.Late[i].Later)
	}
	for i := range r.History {
		n += len(r.History[i].Later)
	}
	if r.Cancel != nil {
		n += len(r.Cancel.Later)
	}
	if r.Outcome != nil {
		n += len(r.Outcome.Later)
	}
	return n > 0
}

const (
	// recordVersion is the greatest version of a record that this program acts on.
	recordVersion = 2
	// versionUnasked is that of a rebuilt record whose request has not come: a program that knows no such record would
	// take it for an order of nothing, and end it.
	versionUnasked = 2
	// versionPortIn is that of a port-in: a program that knows none would buy its numbers.
	versionPortIn = 2
	// versionReserving is that of an unfinished order that is reserved first: a program that knows no reservations would
	// order its numbers without them, and Bandwidth would refuse them as taken.
	versionReserving = 2
)

// version is the least version that a program must know to act on the record.
func (r *Record) version() int {
	switch {
	case r.Unasked():
		return versionUnasked
	case r.Kind == PortIn:
		return versionPortIn
	case r.Ask.Reserve && r.Outcome == nil:
		return versionReserving
	}
	return 1
}

// checkVersion refuses a record that this program must not act on.
func (r *Record) checkVersion() error {
	if r.Version < 1 || r.Version > recordVersion {
		return fmt.Errorf("order record %s has version %d; this program reads versions 1 to %d, and leaves it to a worker of a later version", r.Key, r.Version, recordVersion)
	}
	return nil
}
