// Package scalertest holds what tests of triggers share.
package scalertest
