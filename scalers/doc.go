// Package scalers holds the triggers: what Freshet reads to decide how many
// replicas a workload needs.
//
// # The life of a trigger
//
//  1. An entry of spec.triggers names a type, parameters and, maybe, an
//     authentication. Package auth resolves the authentication to parameters.
//  2. [Decode] finds the type in the registry and fills the trigger's struct
//     from its parameters (package param). The decoded struct is the scaler:
//     [Trigger] is what it implements, [Kind] how its file registers it.
//  3. Package poll groups scalers by their [Source], opens one connection for
//     each (package conn has what connections share), reads them on one
//     schedule and hands each [Reading] on.
//  4. metricsadapter/store keeps the last reading; the adapter answers the HPA
//     from it and the controller decides 0 ↔ N on it.
//
// # Writing a trigger
//
// A trigger is one file in the folder of its family; store/redis.go is the
// example to follow. From the struct alone come parsing, validation, the
// metric name, the HPA's target, activity, self-metrics, its page and its
// schema (package describe). The host owns time, retries, naming, targets and
// activation; [Trigger.Read] returns a number or an error with a [Class].
//
// Some need more, each by one field of their [Kind] or one small interface:
//
//   - to read many of one source in one call: [Kind.ReadAll];
//   - to know their object, namespace, identity or cluster: [Binder];
//   - to check rules that span parameters: [Validator];
//   - a target that is not one parameter: [Targeter];
//   - to be read on an event: [Kind.Watch]; at a time: [Kind.Next];
//   - metrics that the source names: [Kind.Named];
//   - metadata that the source reads: [Kind.OpenMetadata];
//   - metrics that the HPA measures itself: [RegisterResource].
//
// Package scalertest has the suite that every trigger passes beside its real
// server, and runs recorded replies.
//
// A missing number is never a zero: whoever cannot tell returns an error.
package scalers
