package main

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestTrim(t *testing.T) {
	cases := map[string]struct{ reason, text, want string }{
		"None": {"text without rules stays", "a:\n  b: c\n", "a:\n  b: c\n"},
		"Keep": {
			"a rule about the present stays",
			"a:\n  x-kubernetes-validations:\n  - rule: self > 1\n  b: c\n",
			"a:\n  x-kubernetes-validations:\n  - rule: self > 1\n  b: c\n",
		},
		"Drop": {
			"a list with a rule about the past goes, and nothing else",
			"a:\n  x-kubernetes-validations:\n  - message: m\n    rule: self == oldSelf\n  - rule: self > 1\n  b: c\n",
			"a:\n  b: c\n",
		},
		"DropAtEnd": {
			"also at the end of a file, and of a block",
			"a:\n    x-kubernetes-validations:\n    - rule: self == oldSelf\nb:\n  x-kubernetes-validations:\n  - rule: |-\n      oldSelf\n",
			"a:\nb:\n",
		},
		"Prose": {
			"a description that names the key is not a list of rules",
			"description: |-\n  x-kubernetes-validations: are not oldSelf\n",
			"description: |-\n  x-kubernetes-validations: are not oldSelf\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, trim(tc.text)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
