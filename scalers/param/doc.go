// Package param turns the parameters of a trigger into a typed struct.
//
// A trigger declares each parameter once, as a tagged field:
//
//	// Name of the list whose length is read.
//	ListName string `param:"listName"`
//	// Address of the server.
//	Address string `param:"address|addresses,optional" from:"metadata,auth,env"`
//	// Length that one replica should handle.
//	ListLength int64 `param:"listLength" default:"5" role:"target"`
//
// The tags are:
//
//   - param: the key, its aliases after "|", and the word "optional" after a
//     comma for a parameter that may be absent;
//   - from: where a value may come from, in order of precedence: metadata
//     (the trigger's own metadata), env (metadata "<key>FromEnv" names a
//     variable of the target's container), auth (a TriggerAuthentication).
//     Default: metadata;
//   - default: the text used when no source has a value; implies optional;
//   - enum: the accepted texts, separated by commas; each element of a list
//     must be one of them;
//   - sep: the separator of a list, default ",";
//   - range: for lists of integers, the text that joins the ends of a range;
//   - oneof: for lists, elements of which at most one may be given;
//   - min, max: the bounds of a number or duration;
//   - exclusive: the name of a set of which at most one parameter may be given;
//   - deprecated: why the key should not be used any more; it still works;
//   - removed: what to use instead; giving the key is a fault;
//   - role: "target" (what one replica should handle) or "activation" (the
//     number above which the trigger is active).
//
// Kinds of fields: string, bool, all integers, float64, time.Duration (a bare
// integer is milliseconds), [Secret], url.Values, []string, []int64,
// map[string]string and, nested by value, structs of such fields. Any other
// field with a param tag, and any malformed tag, makes [NewPlan] panic: it is
// a mistake of the programmer, seen at start.
//
// [Plan.Decode] reports all faults of an input together, each with the key,
// the place it came from, or may come from, and what is wrong.
package param
