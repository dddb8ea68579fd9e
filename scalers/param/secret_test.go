package param_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/scalers/param"
)

const secretText = "hunter2"

// holders are the ways in which a secret may come to be printed.
func holders() map[string]any {
	s := param.NewSecret(secretText)
	type block struct {
		User     string
		Password param.Secret
	}
	type outer struct {
		Block   block
		Pointer *param.Secret
		List    []param.Secret
		Map     map[string]param.Secret
		Any     any
	}
	return map[string]any{
		"value": s, "pointer": &s, "struct": block{"u", s}, "pointer to struct": &block{"u", s},
		"slice": []param.Secret{s}, "map": map[string]param.Secret{"k": s}, "interface": []any{s},
		"nested": outer{block{"u", s}, &s, []param.Secret{s}, map[string]param.Secret{"k": s}, s},
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	for name, v := range holders() {
		for _, verb := range "vsqxXdbotTpUceEfFgGwk" {
			for _, flags := range []string{"", "+", "#", "-10", "010", " ", ".2", "+#"} {
				format := "%" + flags + string(verb)
				if got := fmt.Sprintf(format, v); leaks(got) {
					t.Errorf("%s: %s prints %q", name, format, got)
				}
			}
		}
		if got := fmt.Sprint(v) + fmt.Sprintln(v) + fmt.Errorf("wrapped: %v", v).Error(); leaks(got) {
			t.Errorf("%s: Sprint prints %q", name, got)
		}
	}
}

func TestSecretsDoNotMarshal(t *testing.T) {
	for name, v := range holders() {
		for how, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
			got, err := marshal(v)
			if err != nil {
				t.Errorf("%s: %s: %v", name, how, err)
			}
			if leaks(string(got)) {
				t.Errorf("%s: %s gives %s", name, how, got)
			}
		}
		if got, _ := xml.Marshal(v); leaks(string(got)) {
			t.Errorf("%s: XML gives %s", name, got)
		}
	}
}

func TestSecretsDoNotLog(t *testing.T) {
	for name, v := range holders() {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(h).With("with", v).WithGroup("g").Error("message", "attr", v, slog.Group("group", slog.Any("any", v)))
		}
		if out.Len() == 0 || leaks(out.String()) {
			t.Errorf("%s: the log holds %s", name, out.String())
		}
	}
}

func leaks(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, secretText) || strings.Contains(lower, fmt.Sprintf("%x", secretText)) ||
		strings.Contains(lower, secretText[:3])
}

func TestSecretReveals(t *testing.T) {
	s := param.NewSecret(secretText)
	if s.Reveal() != secretText || s.Empty() {
		t.Errorf("revealed %q, empty is %v", s.Reveal(), s.Empty())
	}
	var none param.Secret
	if none.Reveal() != "" || !none.Empty() || none.String() != "" {
		t.Errorf("no secret reveals %q, empty is %v, prints %q", none.Reveal(), none.Empty(), none)
	}
	if s.String() == "" {
		t.Error("a secret that is there prints as if it was not")
	}
}

// A value that is no number is quoted in its fault, but not when it is secret.
func TestFaultsDoNotQuoteSecrets(t *testing.T) {
	type trigger struct {
		Password param.Secret `param:"password" from:"metadata,auth" exclusive:"x"`
		Token    param.Secret `param:"token,optional" from:"auth" exclusive:"x" deprecated:"use password"`
		Gone     param.Secret `param:"gone" removed:"use password"`
	}
	_, notices, err := decode[trigger](t, param.Input{
		Metadata: m{"password": secretText, "gone": secretText, "unknown": secretText}, Auth: m{"token": secretText},
	})
	var faults param.Faults
	if !errors.As(err, &faults) || len(faults) != 2 || len(notices) != 2 {
		t.Fatalf("got %v and notices %v, want two of each", err, notices)
	}
	if text := fmt.Sprintf("%v %+v %#v", err, faults, notices); leaks(text) {
		t.Errorf("the faults print %s", text)
	}
}

func TestSecretsCompare(t *testing.T) {
	if !reflect.DeepEqual(param.NewSecret("a"), param.NewSecret("a")) || param.NewSecret("a") == param.NewSecret("b") {
		t.Error("secrets do not compare by their text")
	}
}
