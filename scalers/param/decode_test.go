package param_test

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers/param"
)

// decode decodes in into a new T.
func decode[T any](t *testing.T, in param.Input) (T, []param.Notice, error) {
	t.Helper()
	var dst T
	notices, err := param.NewPlan(reflect.TypeFor[T]()).Decode(&dst, in)
	return dst, notices, err
}

// faultKeys are the keys of the faults that err must be made of.
func faultKeys(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var faults param.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("the error is %T, not Faults: %v", err, err)
	}
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	return keys
}

type m = map[string]string

func TestPlaces(t *testing.T) {
	type target struct {
		Value string `param:"value|val|v,optional" from:"metadata,auth,env"`
	}
	type reversed struct {
		Value string `param:"value|val,optional" from:"env,auth,metadata"`
	}
	type metadataOnly struct {
		Value string `param:"value,optional"`
	}
	for name, tc := range map[string]struct {
		reason string
		in     param.Input
		want   string
		decode func(*testing.T, param.Input) string
	}{
		"none":                 {"nothing given leaves the zero value", param.Input{}, "", placed[target]},
		"metadata":             {"metadata is a place", param.Input{Metadata: m{"value": "a"}}, "a", placed[target]},
		"alias":                {"an alias is as good", param.Input{Metadata: m{"v": "a"}}, "a", placed[target]},
		"key before alias":     {"the key wins over its aliases", param.Input{Metadata: m{"val": "b", "value": "a", "v": "c"}}, "a", placed[target]},
		"first alias":          {"aliases count in order", param.Input{Metadata: m{"v": "c", "val": "b"}}, "b", placed[target]},
		"auth":                 {"the authentication is a place", param.Input{Auth: m{"value": "a"}}, "a", placed[target]},
		"auth alias":           {"aliases hold in the authentication", param.Input{Auth: m{"val": "a"}}, "a", placed[target]},
		"env":                  {"FromEnv names a variable", param.Input{Metadata: m{"valueFromEnv": "V"}, Env: m{"V": "a"}}, "a", placed[target]},
		"env alias":            {"FromEnv holds for aliases", param.Input{Metadata: m{"valFromEnv": "V"}, Env: m{"V": "a"}}, "a", placed[target]},
		"env not set":          {"a variable that is not set is absent", param.Input{Metadata: m{"valueFromEnv": "V"}}, "", placed[target]},
		"env without a name":   {"an environment says nothing by itself", param.Input{Env: m{"value": "y"}}, "", placed[target]},
		"metadata before auth": {"places count in the order of the tag", param.Input{Metadata: m{"value": "a"}, Auth: m{"value": "b"}}, "a", placed[target]},
		"alias before auth":    {"a place with an alias comes before the next place", param.Input{Metadata: m{"v": "a"}, Auth: m{"value": "b"}}, "a", placed[target]},
		"auth before env": {"places count in the order of the tag",
			param.Input{Metadata: m{"valueFromEnv": "V"}, Auth: m{"value": "b"}, Env: m{"V": "c"}}, "b", placed[target]},
		"env first": {"another tag has another order",
			param.Input{Metadata: m{"value": "a", "valueFromEnv": "V"}, Auth: m{"value": "b"}, Env: m{"V": "c"}}, "c", placed[reversed]},
		"blank is absent": {"a blank value lets the next place answer",
			param.Input{Metadata: m{"value": " \t\n"}, Auth: m{"value": "b"}}, "b", placed[target]},
		"blank variable": {"a blank variable lets the next place answer",
			param.Input{Metadata: m{"valueFromEnv": "V", "value": "a"}, Env: m{"V": " "}}, "a", placed[reversed]},
		"trimmed":          {"values lose blanks around them", param.Input{Metadata: m{"value": "  a b\n"}}, "a b", placed[target]},
		"case counts":      {"keys are case sensitive", param.Input{Metadata: m{"Value": "a"}}, "", placed[target]},
		"only its places":  {"a place that is not named does not count", param.Input{Auth: m{"value": "a"}}, "", placed[metadataOnly]},
		"no env for it":    {"FromEnv does not count for a parameter without env", param.Input{Metadata: m{"valueFromEnv": "V"}, Env: m{"V": "a"}}, "", placed[metadataOnly]},
		"env names itself": {"a variable's value is not looked up again", param.Input{Metadata: m{"valueFromEnv": "V"}, Env: m{"V": "W", "W": "x"}}, "W", placed[target]},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.decode(t, tc.in)); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func placed[T any](t *testing.T, in param.Input) string {
	t.Helper()
	got, _, err := decode[T](t, in)
	if err != nil {
		t.Fatal(err)
	}
	return reflect.ValueOf(got).Field(0).String()
}

type kinds struct {
	Text     string            `param:"text,optional"`
	Flag     bool              `param:"flag,optional"`
	Int      int               `param:"int,optional"`
	Int8     int8              `param:"int8,optional"`
	Int64    int64             `param:"int64,optional"`
	Float    float64           `param:"float,optional"`
	Duration time.Duration     `param:"duration,optional"`
	Query    url.Values        `param:"query,optional"`
	List     []string          `param:"list,optional"`
	Parts    []string          `param:"parts,optional" sep:";"`
	Ints     []int64           `param:"ints,optional"`
	Ranges   []int64           `param:"ranges,optional" range:"-"`
	Map      map[string]string `param:"map,optional"`
	Mode     string            `param:"mode,optional" enum:"fast,slow"`
	Modes    []string          `param:"modes,optional" enum:"a,b,c"`
}

func TestKinds(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		key      string
		text     string
		want     kinds
		wantFail bool
	}{
		"text":               {reason: "a text is taken as it is", key: "text", text: "a,b=c", want: kinds{Text: "a,b=c"}},
		"bool true":          {reason: "as Go reads it", key: "flag", text: "true", want: kinds{Flag: true}},
		"bool 1":             {reason: "as Go reads it", key: "flag", text: "1", want: kinds{Flag: true}},
		"bool T":             {reason: "as Go reads it", key: "flag", text: "T", want: kinds{Flag: true}},
		"bool FALSE":         {reason: "as Go reads it", key: "flag", text: "FALSE"},
		"bool yes":           {reason: "yes is neither", key: "flag", text: "yes", wantFail: true},
		"int":                {reason: "decimal", key: "int", text: "-42", want: kinds{Int: -42}},
		"int hex":            {reason: "only decimal", key: "int", text: "0x10", wantFail: true},
		"int float":          {reason: "no fraction", key: "int", text: "5.0", wantFail: true},
		"int8":               {reason: "bounds are the type's", key: "int8", text: "127", want: kinds{Int8: 127}},
		"int8 too large":     {reason: "bounds are the type's", key: "int8", text: "128", wantFail: true},
		"int64":              {reason: "bounds are the type's", key: "int64", text: "9223372036854775807", want: kinds{Int64: math.MaxInt64}},
		"int64 too large":    {reason: "bounds are the type's", key: "int64", text: "9223372036854775808", wantFail: true},
		"float":              {reason: "any notation", key: "float", text: "1.5e3", want: kinds{Float: 1500}},
		"float NaN":          {reason: "no number", key: "float", text: "NaN", wantFail: true},
		"float Inf":          {reason: "not finite", key: "float", text: "-Inf", wantFail: true},
		"float too large":    {reason: "not finite", key: "float", text: "1e999", wantFail: true},
		"duration":           {reason: "Go's text", key: "duration", text: "1m30s", want: kinds{Duration: 90 * time.Second}},
		"duration bare":      {reason: "an integer is milliseconds", key: "duration", text: "1500", want: kinds{Duration: 1500 * time.Millisecond}},
		"duration 0":         {reason: "0 is 0 either way", key: "duration", text: "0"},
		"duration negative":  {reason: "time goes one way", key: "duration", text: "-1s", wantFail: true},
		"duration minus":     {reason: "time goes one way", key: "duration", text: "-5", wantFail: true},
		"duration wraps":     {reason: "a number that is no duration is not one of another sign", key: "duration", text: "-9223372036854775807", wantFail: true},
		"duration too long":  {reason: "a number that is no duration", key: "duration", text: "9223372036854775807", wantFail: true},
		"duration unit":      {reason: "no such unit", key: "duration", text: "3 days", wantFail: true},
		"query":              {reason: "a query string", key: "query", text: "a=b&c=d&a=e%20f", want: kinds{Query: url.Values{"a": {"b", "e f"}, "c": {"d"}}}},
		"query bad":          {reason: "no query string", key: "query", text: "a=%zz", wantFail: true},
		"list":               {reason: "items lose blanks", key: "list", text: "a, b ,c", want: kinds{List: []string{"a", "b", "c"}}},
		"list of one":        {reason: "one item is a list", key: "list", text: "a;b", want: kinds{List: []string{"a;b"}}},
		"list separator":     {reason: "the tag names the separator", key: "parts", text: "a,b;c", want: kinds{Parts: []string{"a,b", "c"}}},
		"ints":               {reason: "a list of integers", key: "ints", text: "1, -2,3", want: kinds{Ints: []int64{1, -2, 3}}},
		"ints largest":       {reason: "the largest integer is one", key: "ints", text: "9223372036854775807", want: kinds{Ints: []int64{math.MaxInt64}}},
		"ints empty item":    {reason: "nothing is no integer", key: "ints", text: "1,,2", wantFail: true},
		"ints no range":      {reason: "ranges only where the tag allows them", key: "ints", text: "1-3", wantFail: true},
		"range":              {reason: "a range holds its ends", key: "ranges", text: "1-3, 7", want: kinds{Ranges: []int64{1, 2, 3, 7}}},
		"range of one":       {reason: "equal ends", key: "ranges", text: "4-4", want: kinds{Ranges: []int64{4}}},
		"range negative":     {reason: "a minus in front is a sign", key: "ranges", text: "-3", want: kinds{Ranges: []int64{-3}}},
		"range reversed":     {reason: "the end is before the start", key: "ranges", text: "3-1", wantFail: true},
		"range open":         {reason: "no end", key: "ranges", text: "3-", wantFail: true},
		"range too long":     {reason: "no input may exhaust memory", key: "ranges", text: "0-9223372036854775807", wantFail: true},
		"ranges too long":    {reason: "nor by many ranges", key: "ranges", text: strings.Repeat("1-99999,", 50) + "1", wantFail: true},
		"range at the end":   {reason: "counting stops at the largest integer", key: "ranges", text: "9223372036854775806-9223372036854775807", want: kinds{Ranges: []int64{math.MaxInt64 - 1, math.MaxInt64}}},
		"map":                {reason: "pairs lose blanks", key: "map", text: "a=1, b = 2", want: kinds{Map: m{"a": "1", "b": "2"}}},
		"map empty value":    {reason: "a value may be empty", key: "map", text: "a=", want: kinds{Map: m{"a": ""}}},
		"map no pair":        {reason: "each item has one =", key: "map", text: "a=1,b", wantFail: true},
		"map two equals":     {reason: "each item has one =", key: "map", text: "a=1=2", wantFail: true},
		"enum":               {reason: "one of the texts", key: "mode", text: "fast", want: kinds{Mode: "fast"}},
		"enum other":         {reason: "none of the texts", key: "mode", text: "medium", wantFail: true},
		"enum case":          {reason: "case counts", key: "mode", text: "Fast", wantFail: true},
		"enum of list":       {reason: "every item is one of the texts", key: "modes", text: "a, c", want: kinds{Modes: []string{"a", "c"}}},
		"enum of list other": {reason: "one item is none of the texts", key: "modes", text: "a,d", wantFail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := decode[kinds](t, param.Input{Metadata: m{tc.key: tc.text}})
			if tc.wantFail {
				if diff := cmp.Diff([]string{tc.key}, faultKeys(t, err)); diff != "" {
					t.Errorf("%s: faults (-want +got)\n%s", tc.reason, diff)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

// Shared is a block of parameters that a trigger embeds or nests.
type Shared struct {
	User     string       `param:"username,optional" from:"auth"`
	Password param.Secret `param:"password" from:"auth,env"`
}

type nested struct {
	Name string `param:"name"`
	Shared
	Inner struct {
		Depth int `param:"depth" default:"3"`
	}
	Other struct{ NotAParameter string }
	seen  int //nolint:unused // fields without a tag are the trigger's own
}

func TestNesting(t *testing.T) {
	got, _, err := decode[nested](t, param.Input{
		Metadata: m{"name": "n", "passwordFromEnv": "PW"}, Auth: m{"username": "u"}, Env: m{"PW": "p"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "n" || got.User != "u" || got.Password.Reveal() != "p" || got.Inner.Depth != 3 {
		t.Errorf("decoded %+v, password %q", got, got.Password.Reveal())
	}
}

type rules struct {
	Need    string `param:"need"`
	Both    string `param:"both" from:"auth,env"`
	Num     int64  `param:"num" default:"5"`
	Old     string `param:"old,optional" deprecated:"use num instead"`
	Gone    string `param:"gone" removed:"use need instead"`
	OneWay  string `param:"oneWay|ow,optional" exclusive:"way"`
	Another string `param:"another,optional" exclusive:"way"`
}

func TestRules(t *testing.T) {
	good := m{"need": "x"}
	auth := m{"both": "y"}
	with := func(more m) param.Input {
		all := m{}
		for _, from := range []m{good, more} {
			for k, v := range from {
				all[k] = v
			}
		}
		return param.Input{Metadata: all, Auth: auth}
	}
	for name, tc := range map[string]struct {
		reason  string
		in      param.Input
		faults  []string
		notices []string
		num     int64
	}{
		"good":               {reason: "the default holds", in: with(nil), num: 5},
		"default given":      {reason: "a value replaces the default", in: with(m{"num": "7"}), num: 7},
		"default blank":      {reason: "a blank value does not", in: with(m{"num": " "}), num: 5},
		"all missing":        {reason: "all that is missing is named", in: param.Input{}, faults: []string{"need", "both"}},
		"blank is missing":   {reason: "a blank value is none", in: param.Input{Metadata: m{"need": " "}, Auth: auth}, faults: []string{"need"}},
		"missing and wrong":  {reason: "faults of any kind come together", in: param.Input{Metadata: m{"num": "x", "gone": "y"}}, faults: []string{"need", "both", "num", "gone"}},
		"deprecated":         {reason: "a deprecated key works and is told of", in: with(m{"old": "x"}), num: 5, notices: []string{"old"}},
		"removed":            {reason: "a removed key is a fault", in: with(m{"gone": "x"}), faults: []string{"gone"}},
		"removed blank":      {reason: "unless it is blank", in: with(m{"gone": ""}), num: 5},
		"exclusive one":      {reason: "one of a set may be given", in: with(m{"another": "x"}), num: 5},
		"exclusive both":     {reason: "two may not", in: with(m{"another": "x", "oneWay": "y"}), faults: []string{"another"}},
		"exclusive by alias": {reason: "by any name", in: with(m{"another": "x", "ow": "y"}), faults: []string{"another"}},
		"unknown":            {reason: "unknown keys are told of", in: with(m{"zzz": "x", "aaa": "y"}), num: 5, notices: []string{"aaa", "zzz"}},
		"unknown FromEnv":    {reason: "FromEnv is known only where env is a place", in: with(m{"needFromEnv": "X", "bothFromEnv": "Y"}), num: 5, notices: []string{"needFromEnv"}},
		"unknown auth":       {reason: "an authentication serves many triggers", in: param.Input{Metadata: good, Auth: m{"both": "y", "else": "z"}}, num: 5},
		"unknown with fault": {reason: "notices come with faults too", in: param.Input{Metadata: m{"zzz": "x"}}, faults: []string{"need", "both"}, notices: []string{"zzz"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, notices, err := decode[rules](t, tc.in)
			if diff := cmp.Diff(tc.faults, faultKeys(t, err)); diff != "" {
				t.Errorf("%s: faults (-want +got)\n%s", tc.reason, diff)
			}
			if err == nil && got.Num != tc.num {
				t.Errorf("%s: num is %d, want %d", tc.reason, got.Num, tc.num)
			}
			var keys []string
			for _, n := range notices {
				keys = append(keys, n.Key)
				if !strings.Contains(n.Message, n.Key) {
					t.Errorf("the notice %q does not name its key", n.Message)
				}
			}
			if diff := cmp.Diff(tc.notices, keys); diff != "" {
				t.Errorf("%s: notices (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestFaultsSayWhereToMendThem(t *testing.T) {
	_, _, err := decode[rules](t, param.Input{Metadata: m{"num": "seven"}})
	for _, want := range []string{
		"metadata need",                 // where it may be given
		"authentication parameter both", // in another place
		"bothFromEnv",                   // or by a variable
		`"seven"`,                       // what was given
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not hold %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is more than a line: %q", err)
	}
}

func TestRoles(t *testing.T) {
	type roles struct {
		Length     int64   `param:"length" default:"5" role:"target"`
		Activation float64 `param:"activation,optional" role:"activation"`
	}
	type none struct {
		Length int64 `param:"length" default:"5"`
	}
	got, _, err := decode[roles](t, param.Input{Metadata: m{"activation": "2.5"}})
	if err != nil {
		t.Fatal(err)
	}
	plan := param.NewPlan(reflect.TypeFor[roles]())
	if v, ok := plan.RoleValue(&got, param.Target); !ok || v != 5 {
		t.Errorf("the target is %v, %v", v, ok)
	}
	if v, ok := plan.RoleValue(&got, param.Activation); !ok || v != 2.5 {
		t.Errorf("the activation is %v, %v", v, ok)
	}
	if v, ok := param.NewPlan(reflect.TypeFor[none]()).RoleValue(&none{}, param.Target); ok || v != 0 {
		t.Errorf("a struct without a target has one: %v, %v", v, ok)
	}
}

func TestDecodingIntoAnotherTypePanics(t *testing.T) {
	plan := param.NewPlan(reflect.TypeFor[rules]())
	for name, dst := range map[string]any{"another struct": &kinds{}, "no pointer": rules{}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			_, _ = plan.Decode(dst, param.Input{})
		})
	}
}

func TestBounds(t *testing.T) {
	type trigger struct {
		Length  int64         `param:"length" role:"target" min:"1"`
		Share   float64       `param:"share,optional" min:"0.5" max:"1"`
		Timeout time.Duration `param:"timeout,optional" max:"1m"`
		Modes   []string      `param:"modes,optional" oneof:"a,b"`
	}
	plan := param.NewPlan(reflect.TypeFor[trigger]())
	for name, tc := range map[string]struct {
		in    map[string]string
		free  bool
		fault string
	}{
		"good":          {map[string]string{"length": "1", "share": "1", "timeout": "1m", "modes": "a,c"}, false, ""},
		"low":           {map[string]string{"length": "0"}, false, "parameter length is 0, and must be at least 1 (set in metadata length)"},
		"high":          {map[string]string{"length": "1", "share": "1.5"}, false, "parameter share is 1.5, and must be at most 1 (set in metadata share)"},
		"long":          {map[string]string{"length": "1", "timeout": "2m"}, false, "parameter timeout is 2m0s, and must be at most 1m0s (set in metadata timeout)"},
		"two of one":    {map[string]string{"length": "1", "modes": "b,c,a"}, false, "parameter modes holds b and a: keep one of them (set in metadata modes)"},
		"free, missing": {nil, true, ""},
		"free, low":     {map[string]string{"length": "0"}, true, ""},
		"free, no text": {map[string]string{"length": "x"}, true, `parameter length is "x", which is not an integer of 64 bits (set in metadata length)`},
	} {
		_, err := plan.Decode(&trigger{}, param.Input{Metadata: tc.in, FreeTarget: tc.free})
		if got := fmt.Sprint(err); (tc.fault == "" && err != nil) || (tc.fault != "" && got != tc.fault) {
			t.Errorf("%s: got %v, want %q", name, err, tc.fault)
		}
	}
}

func TestMalformedBoundsPanic(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"no number": reflect.TypeFor[struct {
			F int `param:"f" min:"x"`
		}](),
		"of a text": reflect.TypeFor[struct {
			F string `param:"f" max:"1"`
		}](),
		"no duration": reflect.TypeFor[struct {
			F time.Duration `param:"f" max:"1"`
		}](),
		"no list": reflect.TypeFor[struct {
			F string `param:"f" oneof:"a,b"`
		}](),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it did not panic", name)
				}
			}()
			param.NewPlan(typ)
		}()
	}
}

func TestUnseenValues(t *testing.T) {
	type trigger struct {
		Address []string     `param:"address" from:"metadata,auth,env"`
		Topic   string       `param:"topic" from:"metadata,env"`
		Length  int64        `param:"length" from:"auth" min:"1"`
		Token   param.Secret `param:"token" from:"auth"`
		Mode    string       `param:"mode,optional" from:"auth"`
	}
	plan := param.NewPlan(reflect.TypeFor[trigger]())
	unseen := func(place param.Origin, name string) bool {
		return place == param.Auth && name != "mode" || place == param.Env && name == "TOPIC"
	}
	var got trigger
	_, n, err := plan.DecodeSeen(&got, param.Input{Metadata: map[string]string{"address": "h:1", "topicFromEnv": "TOPIC"}, Unseen: unseen})
	if want := (trigger{Address: []string{"h:1"}, Topic: "<topic>"}); err != nil || n != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %d unseen, %v; want %+v and 3", got, n, err, want)
	}
	_, n, err = plan.DecodeSeen(&trigger{}, param.Input{Metadata: map[string]string{"topicFromEnv": "OTHER"}, Unseen: unseen})
	var faults param.Faults
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Key != "topic" || n != 3 {
		t.Errorf("got %v, %d unseen; want the topic missing and 3", err, n)
	}
}

// A trigger that hands its metadata on knows every key; its own rules hold.
func TestOpenPlanKnowsEveryKey(t *testing.T) {
	closed := param.NewPlan(reflect.TypeFor[rules]())
	in := param.Input{Metadata: m{"need": "x", "zzz": "z", "old": "x", "gone": "y"}, Auth: m{"both": "y"}}
	notices, err := closed.Open().Decode(&rules{}, in)
	if keys := faultKeys(t, err); !slices.Equal(keys, []string{"gone"}) {
		t.Errorf("the faults are %q", keys)
	}
	if len(notices) != 1 || notices[0].Key != "old" {
		t.Errorf("the notices are %+v, want one of the deprecated key", notices)
	}
	if notices, _ = closed.Decode(&rules{}, in); len(notices) != 2 {
		t.Errorf("the plan that it was made of has the notices %+v", notices)
	}
}
