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

// Fingerprint hashes the type and all parameters of src, a pointer to the
// plan's struct.
func (p *Plan) Fingerprint(src any) Fingerprint {
	h := hmac.New(sha256.New, fingerprintKey)
	writeText(h, p.typ.String())
	v := reflect.ValueOf(src).Elem()
	for i := range p.fields {
		writeValue(h, v.FieldByIndex(p.fields[i].index))
	}
	return Fingerprint(h.Sum(nil)[:16])
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
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				writeValue(h, v.Field(i))
			}
		}
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
