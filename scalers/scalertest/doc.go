// Package scalertest holds what tests of triggers share.
//
//   - [Conform] is the suite that every trigger passes beside its real server.
//   - [Fixtures] runs folders of a trigger, recorded replies and what it must
//     make of them; [ReplayHTTP] serves such replies over HTTP.
//   - Package servers starts real servers; [Redis] and its like tie one to a test.
package scalertest
