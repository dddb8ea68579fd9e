package param_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/freshet-io/freshet/scalers/param"
)

type mode string

// Malformed structs: each has one field that is not right.
type (
	noKey struct {
		Field string `param:",optional"`
	}
	emptyTag struct {
		Field string `param:""`
	}
	emptyAlias struct {
		Field string `param:"a||b"`
	}
	unknownWord struct {
		Field string `param:"a,required"`
	}
	unknownPlace struct {
		Field string `param:"a" from:"metadata,file"`
	}
	placeTwice struct {
		Field string `param:"a" from:"env,env"`
	}
	badDefault struct {
		Field int `param:"a" default:"x"`
	}
	notInEnum struct {
		Field string `param:"a" default:"c" enum:"a,b"`
	}
	unknownRole struct {
		Field int `param:"a" role:"goal"`
	}
	textRole struct {
		Field string `param:"a" role:"target"`
	}
	secretRole struct {
		Field param.Secret `param:"a" role:"target"`
	}
	private struct {
		field string `param:"a"` //nolint:unused // it is wrong on purpose
	}
	pointer struct {
		Field *string `param:"a"`
	}
	channel struct {
		Field chan int `param:"a"`
	}
	unsigned struct {
		Field uint `param:"a"`
	}
	floats struct {
		Field []float64 `param:"a"`
	}
	structs struct {
		Field []struct{} `param:"a"`
	}
	namedItems struct {
		Field []mode `param:"a"`
	}
	namedInts struct {
		Field []time.Duration `param:"a"`
	}
	namedKeys struct {
		Field map[mode]string `param:"a"`
	}
	namedValues struct {
		Field map[string]mode `param:"a"`
	}
	emptySep struct {
		Field []string `param:"a" sep:""`
	}
	twice struct {
		One string `param:"a"`
		Two string `param:"a"`
	}
	aliasTwice struct {
		One string `param:"a"`
		Two string `param:"b|a"`
	}
)

func TestMalformedTagsPanic(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[noKey](), reflect.TypeFor[emptyTag](), reflect.TypeFor[emptyAlias](), reflect.TypeFor[unknownWord](),
		reflect.TypeFor[unknownPlace](), reflect.TypeFor[placeTwice](), reflect.TypeFor[badDefault](), reflect.TypeFor[notInEnum](),
		reflect.TypeFor[unknownRole](), reflect.TypeFor[textRole](), reflect.TypeFor[secretRole](), reflect.TypeFor[private](),
		reflect.TypeFor[pointer](), reflect.TypeFor[channel](), reflect.TypeFor[unsigned](), reflect.TypeFor[floats](),
		reflect.TypeFor[structs](), reflect.TypeFor[namedItems](), reflect.TypeFor[namedInts](), reflect.TypeFor[namedKeys](),
		reflect.TypeFor[namedValues](), reflect.TypeFor[emptySep](), reflect.TypeFor[twice](), reflect.TypeFor[aliasTwice](),
		reflect.TypeFor[string](), reflect.TypeFor[*kinds](),
	} {
		t.Run(typ.String(), func(t *testing.T) {
			defer func() {
				switch p := recover(); {
				case p == nil:
					t.Error("it did not panic")
				case !strings.Contains(fmt.Sprint(p), typ.String()):
					t.Errorf("the panic does not name the type: %v", p)
				}
			}()
			param.NewPlan(typ)
		})
	}
}

// Named types of the supported kinds are as good as the kinds themselves.
func TestNamedTypes(t *testing.T) {
	type names []string
	type labels map[string]string
	type count int32
	type named struct {
		Mode   mode   `param:"mode" enum:"fast,slow"`
		Names  names  `param:"names"`
		Labels labels `param:"labels"`
		Count  count  `param:"count" role:"target"`
	}
	got, _, err := decode[named](t, param.Input{Metadata: m{"mode": "slow", "names": "a,b", "labels": "a=b", "count": "3"}})
	if err != nil {
		t.Fatal(err)
	}
	want := named{Mode: "slow", Names: names{"a", "b"}, Labels: labels{"a": "b"}, Count: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFieldsTellWhatIsDeclared(t *testing.T) {
	type declared struct {
		Address []string     `param:"address|addresses,optional" from:"metadata,auth,env"`
		Length  int64        `param:"length" default:"5" role:"target"`
		Secret  param.Secret `param:"secret" from:"auth"`
		Old     string       `param:"old,optional" deprecated:"use address"`
		Mode    string       `param:"mode" default:"a" enum:"a,b" exclusive:"x"`
		Ids     []int64      `param:"ids" sep:";" range:".."`
	}
	got := param.NewPlan(reflect.TypeFor[declared]()).Fields()
	want := []param.Field{
		{Key: "address", Aliases: []string{"addresses"}, From: []param.Origin{param.Metadata, param.Auth, param.Env}, Optional: true, Separator: ","},
		{Key: "length", From: []param.Origin{param.Metadata}, Optional: true, Default: "5", Separator: ",", Role: param.Target},
		{Key: "secret", From: []param.Origin{param.Auth}, Separator: ","},
		{Key: "old", From: []param.Origin{param.Metadata}, Optional: true, Separator: ",", Deprecated: "use address"},
		{Key: "mode", From: []param.Origin{param.Metadata}, Optional: true, Default: "a", Enum: []string{"a", "b"}, Separator: ",", Exclusive: "x"},
		{Key: "ids", From: []param.Origin{param.Metadata}, Separator: ";", Range: ".."},
	}
	for i := range want {
		want[i].Type = reflect.TypeFor[declared]().Field(i).Type
		if len(want[i].Aliases) == 0 {
			want[i].Aliases = []string{}
		}
	}
	same := cmpopts.IgnoreUnexported(param.Field{})
	types := cmp.Comparer(func(a, b reflect.Type) bool { return a == b })
	if diff := cmp.Diff(want, got, same, types); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
