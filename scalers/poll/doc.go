// Package poll is the engine: it reads triggers on one schedule, with as few
// calls as their sources allow.
//
//	object ──Set──▶ Subscription ─┐
//	object ──Set──▶ Subscription ─┴▶ query (one resolved configuration)
//	                                   └▶ group (what is read in one call)
//	                                        └▶ source (one connection)
//
// Subscriptions with equal configuration share a query. Queries of one source,
// kind and interval form a group, when the kind can read many at once; else
// each query is a group. The schedule holds groups, so its cost does not grow
// with the number of objects.
//
// A round reads one group. It is started by the schedule, by a subscription
// that has no reading yet, or by [Subscription.Refresh] (a demand read, which
// everyone who asks meanwhile joins). At most one round of a group and
// [Options.PerSource] rounds of a source (more where its kind says so) are in
// flight, at most [Options.Workers] in all; each has the deadline
// [Options.Timeout].
//
// What a round reads is chosen by need: the queries that were never read, that an
// event or a demand asks for and, when the group is due as a whole, those that do not
// rest. A query rests while it is active to nobody and its source is sure to tell of
// a change (see [scalers.Teller]). Idle queries of kinds that say so are read more
// often than their interval when nobody tells of them.
//
// A source that fails is left alone for a back-off and then probed by one
// round; until a probe succeeds, every due group is given the source's error
// without a call. A group that fails while its source answers others is backed
// off alone.
//
// A kind that is told of events has a watch for each query, on a connection that
// the watches of a source share. An event is a reason to read: it makes the group
// due. A watch that ends begins anew after a pause and, while the source is down,
// not before it is back.
package poll
