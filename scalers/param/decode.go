package param

import (
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Input is what a trigger's parameters are taken from. Nil maps are empty.
type Input struct {
	// Metadata is the trigger's own metadata.
	Metadata map[string]string
	// Env is the resolved environment of the target's container.
	Env map[string]string
	// Auth is what the referenced TriggerAuthentication resolves to.
	Auth map[string]string
	// FreeTarget lets the parameter of role [Target] be missing, or below its
	// bound: a formula stands in for it.
	FreeTarget bool
	// Unseen, when set, tells of values that are there and cannot be seen: of a
	// key of the authentication, or a variable of the environment. Their
	// parameters become a placeholder where they are texts, else the zero value.
	Unseen func(place Origin, name string) bool
}

// Notice is something the user should be told although the parameters are good.
type Notice struct {
	// Key is the metadata key it is about.
	Key string
	// Message is one sentence.
	Message string
}

// Decode fills dst, a pointer to the plan's struct, from in. The error is of
// type [Faults] and holds every fault; dst is then in an undefined state.
// Notices tell of unknown (see [Plan.Open]) and deprecated keys, sorted by key.
func (p *Plan) Decode(dst any, in Input) ([]Notice, error) {
	notices, _, err := p.DecodeSeen(dst, in)
	return notices, err
}

// DecodeSeen is [Plan.Decode] that also tells how many parameters have values
// that cannot be seen: rules that span parameters may not be judged by dst then.
func (p *Plan) DecodeSeen(dst any, in Input) (notices []Notice, unseen int, err error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.Elem().Type() != p.typ {
		panic(fmt.Sprintf("param: decoding %s into %T", p.typ, dst))
	}
	var faults Faults
	notices = p.unknown(in.Metadata)
	given := map[string]string{}
	for i := range p.fields {
		f := &p.fields[i]
		at, text, found := f.lookup(in)
		if !found && at.origin != 0 {
			unseen++
			f.placehold(v.Elem().FieldByIndex(f.index), at.key)
			continue
		}
		if found && f.Exclusive != "" {
			if other := given[f.Exclusive]; other != "" {
				faults = append(faults, Fault{Key: at.key, From: at.from(), Problem: "may not be given together with " + other})
			}
			given[f.Exclusive] = at.key
		}
		switch {
		case found && f.Removed != "":
			faults = append(faults, Fault{Key: at.key, From: at.from(), Problem: "was removed: " + f.Removed})
			continue
		case found && f.Deprecated != "":
			notices = append(notices, Notice{at.key, fmt.Sprintf("parameter %s is deprecated: %s", at.key, f.Deprecated)})
		case !found && f.Default != "":
			text = f.Default
		case !found && !f.Optional && !f.free(in):
			faults = append(faults, Fault{Key: f.Key, From: f.From, Problem: "is missing"})
			continue
		case !found:
			continue
		}
		field := v.Elem().FieldByIndex(f.index)
		problem := f.set(field, text)
		if problem == "" && !f.free(in) {
			problem = f.checkBounds(field)
		}
		if problem != "" {
			faults = append(faults, Fault{Key: at.key, From: at.from(), Problem: problem})
		}
	}
	slices.SortStableFunc(notices, func(a, b Notice) int { return strings.Compare(a.Key, b.Key) })
	if len(faults) > 0 {
		return notices, unseen, faults
	}
	return notices, unseen, nil
}

// free tells whether the field's target may be left out.
func (f *Field) free(in Input) bool { return in.FreeTarget && f.Role == Target }

// RoleValue returns the number that the parameter with role r has in src, a
// pointer to the plan's struct. ok is false when no parameter has that role.
func (p *Plan) RoleValue(src any, r Role) (value float64, ok bool) {
	v := reflect.ValueOf(src).Elem()
	for i := range p.fields {
		if p.fields[i].Role == r {
			fv := v.FieldByIndex(p.fields[i].index)
			return fv.Convert(reflect.TypeFor[float64]()).Float(), true
		}
	}
	return 0, false
}

func (p *Plan) unknown(metadata map[string]string) []Notice {
	if p.open {
		return nil
	}
	var notices []Notice
	for key := range metadata {
		if !p.known[key] {
			notices = append(notices, Notice{key, fmt.Sprintf("parameter %s is not known and has no effect", key)})
		}
	}
	return notices
}

// where is the place that a value was found in.
type where struct {
	key    string
	origin Origin
}

// from is the place, for a fault; none when the value is the default.
func (w where) from() []Origin {
	if w.origin == 0 {
		return nil
	}
	return []Origin{w.origin}
}

// lookup returns the first value that is not blank: places in order, and in
// each the key before its aliases. For one that cannot be seen the place is
// known, and ok false.
func (f *Field) lookup(in Input) (at where, text string, ok bool) {
	for _, origin := range f.From {
		for _, name := range f.names() {
			switch origin {
			case Metadata:
				text = in.Metadata[name]
			case Env:
				text = in.Env[in.Metadata[name+"FromEnv"]]
			case Auth:
				text = in.Auth[name]
			}
			if text = strings.TrimSpace(text); text != "" {
				return where{name, origin}, text, true
			}
			if in.unseen(origin, name) {
				return where{name, origin}, "", false
			}
		}
	}
	return where{key: f.Key}, "", false
}

// placehold puts the parameter's name in the place of a text.
func (f *Field) placehold(v reflect.Value, key string) {
	if key = "<" + key + ">"; f.Type.Kind() == reflect.String {
		v.SetString(key)
	} else if f.Type.Kind() == reflect.Slice && f.Type.Elem() == stringType {
		v.Set(reflect.ValueOf([]string{key}).Convert(f.Type))
	}
}

// unseen tells whether the place has a value of the parameter that cannot be
// seen.
func (in *Input) unseen(place Origin, name string) bool {
	switch {
	case in.Unseen == nil || place == Metadata:
		return false
	case place == Env:
		variable := in.Metadata[name+"FromEnv"]
		return variable != "" && in.Unseen(place, variable)
	}
	return in.Unseen(place, name)
}

// set parses text into v and returns what is wrong with it, or nothing. The
// problem never quotes a secret.
func (f *Field) set(v reflect.Value, text string) (problem string) {
	switch f.Type {
	case secretType:
		v.Set(reflect.ValueOf(NewSecret(text)))
		return ""
	case durationType:
		d, problem := duration(text)
		v.SetInt(int64(d))
		return problem
	case valuesType:
		values, err := url.ParseQuery(text)
		if err != nil {
			return fmt.Sprintf("is %q, which is not a query string such as a=b&c=d", text)
		}
		v.Set(reflect.ValueOf(values))
		return ""
	}
	switch f.Type.Kind() {
	case reflect.Slice:
		return f.setList(v, text)
	case reflect.Map:
		return f.setMap(v, text)
	case reflect.String:
		v.SetString(text)
		return f.checkEnum(text)
	default:
		return setScalar(v, text)
	}
}

func (f *Field) checkEnum(text string) string {
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, text) {
		return fmt.Sprintf("is %q, which is not one of %s", text, strings.Join(f.Enum, ", "))
	}
	return ""
}

// checkBounds tells whether a number or duration is out of its bounds.
func (f *Field) checkBounds(v reflect.Value) string {
	if f.Min == nil && f.Max == nil {
		return ""
	}
	n := v.Convert(reflect.TypeFor[float64]()).Float()
	show := func(n float64) string {
		if f.Type == durationType {
			return time.Duration(n).String()
		}
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	switch {
	case f.Min != nil && n < *f.Min:
		return fmt.Sprintf("is %s, and must be at least %s", show(n), show(*f.Min))
	case f.Max != nil && n > *f.Max:
		return fmt.Sprintf("is %s, and must be at most %s", show(n), show(*f.Max))
	}
	return ""
}

func setScalar(v reflect.Value, text string) string {
	switch v.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Sprintf("is %q, which is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Sprintf("is %q, which is not a finite number", text)
		}
		v.SetFloat(n)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Sprintf("is %q, which is not an integer of %d bits", text, v.Type().Bits())
		}
		v.SetInt(n)
	}
	return ""
}

// duration reads Go's text form, or an integer that counts milliseconds.
func duration(text string) (time.Duration, string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		ms, errInt := strconv.ParseInt(text, 10, 64)
		const most = math.MaxInt64 / int64(time.Millisecond)
		if errInt != nil || ms > most || ms < -most {
			return 0, fmt.Sprintf("is %q, which is neither a duration such as 10s nor a number of milliseconds", text)
		}
		d = time.Duration(ms) * time.Millisecond
	}
	if d < 0 {
		return 0, fmt.Sprintf("is %q: a duration may not be negative", text)
	}
	return d, ""
}

func (f *Field) setList(v reflect.Value, text string) string {
	parts := strings.Split(text, f.Separator)
	if f.Type.Elem().Kind() == reflect.String {
		list := make([]string, 0, len(parts))
		for _, part := range parts {
			part = strings.TrimSpace(part)
			if problem := f.checkEnum(part); problem != "" {
				return problem
			}
			list = append(list, part)
		}
		if both := slices.DeleteFunc(slices.Clone(list), func(e string) bool { return !slices.Contains(f.OneOf, e) }); len(both) > 1 {
			return fmt.Sprintf("holds %s: keep one of them", strings.Join(both, " and "))
		}
		v.Set(reflect.ValueOf(list).Convert(f.Type))
		return ""
	}
	var list []int64
	for _, part := range parts {
		first, last, problem := f.ends(strings.TrimSpace(part))
		if problem != "" {
			return problem
		}
		length := last - first // negative when it has no int64
		if length < 0 || length >= maxItems-int64(len(list)) {
			return fmt.Sprintf("holds more than %d integers", maxItems)
		}
		for n := range length + 1 {
			list = append(list, first+n)
		}
	}
	v.Set(reflect.ValueOf(list).Convert(f.Type))
	return ""
}

// maxItems bounds the integers of a list, so that no input can exhaust memory.
const maxItems = 100_000

// ends reads an integer or, where the field allows it, a range of integers.
func (f *Field) ends(part string) (first, last int64, problem string) {
	low, high := part, part
	if f.Range != "" {
		if a, b, ok := strings.Cut(part, f.Range); ok && a != "" {
			low, high = a, b
		}
	}
	first, err1 := strconv.ParseInt(strings.TrimSpace(low), 10, 64)
	last, err2 := strconv.ParseInt(strings.TrimSpace(high), 10, 64)
	switch {
	case err1 != nil || err2 != nil:
		return 0, 0, fmt.Sprintf("holds %q, which is not an integer", part)
	case last < first:
		return 0, 0, fmt.Sprintf("holds the range %q, whose end is before its start", part)
	}
	return first, last, ""
}

func (f *Field) setMap(v reflect.Value, text string) string {
	m := map[string]string{}
	for _, part := range strings.Split(text, f.Separator) {
		key, value, ok := strings.Cut(part, "=")
		if !ok || strings.Contains(value, "=") {
			return fmt.Sprintf("holds %q, which is not of the form key=value", part)
		}
		m[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	v.Set(reflect.ValueOf(m).Convert(f.Type))
	return ""
}
