package queue

import (
	"regexp"
	"strings"
)

// portable are regular expressions that mean the same to RabbitMQ, whose kind is
// Perl's, as to package regexp, for names of printable ASCII: characters,
// classes of them, groups, alternatives, repetitions and anchors. What is not
// good with them, as what is repeated twice, does not compile.
var portable = regexp.MustCompile(`^(?:\((?:\?:)?|\||(?:` + strings.Join([]string{
	literal, `[.^$)]`, `\\[dwsDWSbB]`, escaped,
	`\[\^?(?:` + literal + `|[.^$|*+?(){}]|\\[dws]|` + escaped + `)+\]`,
}, "|") + `)(?:(?:[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})\??)?)+$`)

const (
	literal = `[A-Za-z0-9_ ,/:@#~!%&=<>;'"-]`
	escaped = `\\[!-/:-@\[-` + "`" + `{-~]`
)

// compile returns the expression as RabbitMQ means it, which takes upper and
// lower case alike, or nil when only RabbitMQ can tell what it means.
func compile(expression string) *regexp.Regexp {
	if !portable.MatchString(expression) {
		return nil
	}
	r, err := regexp.Compile("(?i)" + expression)
	if err != nil {
		return nil
	}
	return r
}

// plain tells whether the name is of printable ASCII.
func plain(name string) bool {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// namesOnly is an expression that matches the names and, as RabbitMQ means it,
// no others but for the case of their letters.
func namesOnly(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return "^(?:" + strings.Join(quoted, "|") + ")$"
}

// quote is an expression that matches the name. RabbitMQ takes it byte by byte.
func quote(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		word := c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if c < 0x80 && !word {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
