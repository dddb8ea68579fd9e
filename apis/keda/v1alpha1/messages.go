package v1alpha1

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxMessageLength bounds the message of a condition, in bytes. What a source answers can be a whole page.
const maxMessageLength = 1024

// unsteady finds the parts of an error's text that are new each time the same thing fails.
var unsteady = []struct {
	find    *regexp.Regexp
	replace string
}{
	// The port this side dialled from: "read tcp 10.0.0.4:51234->10.0.0.9:6379: i/o timeout".
	{regexp.MustCompile(`(?:\[[0-9a-fA-F:.]+(?:%\w+)?\]|\d{1,3}(?:\.\d{1,3}){3}):\d+->`), ""},
	// The number a service gives to one call: "StatusCode: 403, RequestID: 3f9c-…, api error …".
	{regexp.MustCompile(`(?i),? ?\b(?:x-[a-z]+-)?request[ -]?id(?:: ?|=)"?[a-z-]*[0-9][0-9a-z-]*"?`), ""},
}

// SteadyMessage gives the text of a message in a form that stays the same while the cause does: one line, at most
// 1,024 bytes, without local ports and request numbers. It is idempotent.
func SteadyMessage(message string) string {
	for _, u := range unsteady {
		message = u.find.ReplaceAllString(message, u.replace)
	}
	message = strings.Join(strings.Fields(message), " ")
	if len(message) <= maxMessageLength {
		return message
	}
	const more = "…"
	cut := maxMessageLength - len(more)
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return strings.TrimRight(message[:cut], " ") + more
}

// JoinMessages makes one message of several: each once, in alphabetical order, so that the order in which triggers
// happened to fail does not show.
func JoinMessages(messages ...string) string {
	steady := make([]string, 0, len(messages))
	for _, m := range messages {
		if m = SteadyMessage(m); m != "" {
			steady = append(steady, m)
		}
	}
	slices.Sort(steady)
	return SteadyMessage(strings.Join(slices.Compact(steady), "; "))
}
