package observe

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// selector chooses samples of one metric by their labels.
type selector struct {
	name     string
	matchers []matcher
}

// matcher is a condition on the value of a label.
type matcher struct {
	label, value string
	negative     bool
	pattern      *regexp.Regexp // nil compares with value
}

// holds tells whether the label's value meets the condition.
func (m matcher) holds(value string) bool {
	met := value == m.value
	if m.pattern != nil {
		met = m.pattern.MatchString(value)
	}
	return met != m.negative
}

// parseSelector reads a selector of PromQL: name{label="value",…} with the
// operators = != =~ and !~. The name may be that of the label __name__.
func parseSelector(text string) (*selector, error) {
	s := &selector{}
	name, rest, braces := strings.Cut(strings.TrimSpace(text), "{")
	s.name = strings.TrimSpace(name)
	if braces {
		if err := s.parseMatchers(rest); err != nil {
			return nil, fmt.Errorf("parameter valueLocation is %q, which is not a selector such as queue_size{queue=\"orders\"}: %w", text, err)
		}
	}
	if !metricName.MatchString(s.name) {
		return nil, fmt.Errorf("parameter valueLocation is %q, which does not name a metric, as in queue_size{queue=\"orders\"}", text)
	}
	return s, nil
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	// matcherText is a label, an operator and a quoted value.
	matcherText = regexp.MustCompile("^\\s*([a-zA-Z_][a-zA-Z0-9_]*)\\s*(=~|!~|!=|=)\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`)\\s*")
)

// parseMatchers reads what follows the opening brace.
func (s *selector) parseMatchers(rest string) error {
	for {
		if after, closed := strings.CutPrefix(strings.TrimSpace(rest), "}"); closed {
			if strings.TrimSpace(after) != "" {
				return fmt.Errorf("nothing may follow the braces, and %q does", after)
			}
			return nil
		}
		found := matcherText.FindStringSubmatch(rest)
		if found == nil {
			return fmt.Errorf("%q is not a label, an operator and a value in quotes", rest)
		}
		if err := s.add(found[1], found[2], found[3]); err != nil {
			return err
		}
		rest = rest[len(found[0]):]
		if after, more := strings.CutPrefix(rest, ","); more {
			rest = after
		} else if !strings.HasPrefix(rest, "}") {
			return errors.New("a comma or the closing brace is missing")
		}
	}
}

// add takes a matcher, or the name.
func (s *selector) add(label, operator, quoted string) error {
	value, err := unquote(quoted)
	if err != nil {
		return fmt.Errorf("%s has an escape that is not known", quoted)
	}
	if label == "__name__" && operator == "=" && s.name == "" {
		s.name = value
		return nil
	}
	m := matcher{label: label, value: value, negative: operator[0] == '!'}
	if strings.HasSuffix(operator, "~") {
		if m.pattern, err = regexp.Compile("^(?s:" + value + ")$"); err != nil {
			return fmt.Errorf("%s is not a regular expression", quoted)
		}
	}
	s.matchers = append(s.matchers, m)
	return nil
}

// unquote is the text in quotes of any of three kinds.
func unquote(quoted string) (string, error) {
	if quoted[0] == '\'' {
		inner := strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\'`, `'`), `"`, `\"`)
		quoted = `"` + inner + `"`
	}
	return strconv.Unquote(quoted) //nolint:wrapcheck // the caller has its own words
}
