package conn

import (
	"strings"
	"unicode"
)

// mostQuoted is how many bytes of a server's own words an error has.
const mostQuoted = 300

// Quote is a server's own words as part of an error: on one line, and not long.
func Quote(said string) string {
	if len(said) > mostQuoted {
		said = said[:mostQuoted] + "…"
	}
	said = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(said, ""))
	return strings.TrimSpace(said)
}
