package param

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"reflect"
	"slices"
)

// Fingerprint identifies a configuration: equal configurations have equal
// fingerprints within one process. It is a keyed hash, so that no secret can be
// guessed from it.
type Fingerprint [16]byte

var fingerprintKey = func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return key
}()

// FingerprintOf hashes parts in order: structs by their exported fields, maps
// by sorted key, secrets by their text. Parts may be what parameters can be,
// structs of them, and pointers to those; anything else panics.
func FingerprintOf(parts ...any) Fingerprint {
	h := hmac.New(sha256.New, fingerprintKey)
	for _, part := range parts {
		writeValue(h, reflect.ValueOf(part))
	}
	return Fingerprint(h.Sum(nil)[:16])
}

// Fingerprint hashes the type and all exported fields of src, a pointer to the
// plan's struct.
func (p *Plan) Fingerprint(src any) Fingerprint { return p.fingerprint(src, nil) }

// SharedFingerprint is [Plan.Fingerprint] without the target and activation,
// which decide what a value means and not what it is.
func (p *Plan) SharedFingerprint(src any) Fingerprint {
	skip := map[string]bool{}
	for i := range p.fields {
		if p.fields[i].Role != Plain {
			skip[fmt.Sprint(p.fields[i].index)] = true
		}
	}
	return p.fingerprint(src, skip)
}

func (p *Plan) fingerprint(src any, skip map[string]bool) Fingerprint {
	h := hmac.New(sha256.New, fingerprintKey)
	writeText(h, p.typ.String())
	writeFields(h, reflect.ValueOf(src).Elem(), nil, skip)
	return Fingerprint(h.Sum(nil)[:16])
}

// writeFields hashes the exported fields of v but for those at the places of
// skip. The zero value of skip skips nothing.
func writeFields(h hash.Hash, v reflect.Value, path []int, skip map[string]bool) {
	for i := range v.NumField() {
		index := slices.Concat(path, []int{i})
		switch field := v.Field(i); {
		case !v.Type().Field(i).IsExported(), len(skip) > 0 && skip[fmt.Sprint(index)]:
		case len(skip) > 0 && field.Kind() == reflect.Struct && field.Type() != secretType:
			writeFields(h, field, index, skip)
		default:
			writeValue(h, field)
		}
	}
}

func writeText(h hash.Hash, text string) {
	writeInt(h, uint64(len(text)))
	h.Write([]byte(text))
}

func writeInt(h hash.Hash, n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	h.Write(b[:])
}

func writeValue(h hash.Hash, v reflect.Value) {
	h.Write([]byte{byte(v.Kind())})
	if v.Type() == secretType {
		writeText(h, v.Interface().(Secret).Reveal())
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		writeValue(h, v.Elem())
	case reflect.String:
		writeText(h, v.String())
	case reflect.Bool, reflect.Float32, reflect.Float64:
		writeText(h, fmt.Sprint(v.Interface()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		writeInt(h, uint64(v.Int()))
	case reflect.Slice, reflect.Array:
		writeInt(h, uint64(v.Len()))
		for i := range v.Len() {
			writeValue(h, v.Index(i))
		}
	case reflect.Map:
		writeMap(h, v)
	case reflect.Struct:
		writeFields(h, v, nil, nil)
	default:
		panic(fmt.Sprintf("param: %s has no fingerprint", v.Type()))
	}
}

func writeMap(h hash.Hash, v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.String() < b.String():
			return -1
		case a.String() > b.String():
			return 1
		}
		return 0
	})
	writeInt(h, uint64(len(keys)))
	for _, key := range keys {
		writeValue(h, key)
		writeValue(h, v.MapIndex(key))
	}
}
