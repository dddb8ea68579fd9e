package horizontal

import "time"

// Verdict says what became of a metric's answer.
type Verdict string

// The verdicts on metrics.
const (
	// Won: no metric asks for more.
	Won Verdict = "Won"
	// Lost: another metric asks for more, or for as many and comes first.
	Lost Verdict = "Lost"
	// Broken: the metric could not be computed.
	Broken Verdict = "Broken"
	// Overruled: it has an answer, but all answers ask for fewer replicas, and the
	// failure of another metric keeps the HPA from scaling in on that.
	Overruled Verdict = "Overruled"
)

// MetricStep is how one metric came to its answer.
type MetricStep struct {
	Metric  Metric
	Verdict Verdict
	// Short is by how many replicas it lost.
	Short int32
	// Err says why it could not be computed, and Reason is that of the condition.
	Err    error
	Reason string
	// Usage is what was compared with the target, in thousandths: of all series
	// together, or on average of the pods that count. Utilization is in percent.
	Usage       int64
	Utilization int32
	// Average is what the HPA's status shows for one replica, in thousandths.
	Average int64
	// Ratio is Usage by target (with an AverageValue of External and Object by
	// target and replicas): 1 is exactly on target.
	Ratio float64
	// Tolerated tells that the ratio is within the tolerance, so that the count
	// stays. It does not apply when the target has no replicas.
	Tolerated bool
	// Desired is the count that this metric asks for.
	Desired int32
	// Untolerated is the count it would ask for without any tolerance.
	Untolerated int32
	// Pods is how the pods were counted, of metrics that look at them.
	Pods *PodStep
}

// PodStep is how pods were sorted for a metric.
type PodStep struct {
	// Ready count as they are. Unready ones count as using nothing when more are
	// asked for, else not at all. Missing ones have no value: they count as using
	// nothing when more are asked for, and as on target when less. Ignored ones
	// are going away.
	Ready, Unready, Missing, Ignored int
	// Guessed tells that Ratio was taken again with values put in for unready or
	// missing pods, and First is the ratio without them.
	Guessed bool
	First   float64
	// Turned tells that with them the direction would turn, so the count stays.
	Turned bool
}

// Direction is that of a change.
type Direction string

// The directions. The zero value is no change.
const (
	Up   Direction = "Up"
	Down Direction = "Down"
)

// Stabilization is what the windows made of the proposed count.
type Stabilization struct {
	// From is the count before, To after.
	From, To int32
	// Held is the direction that a window holds back; empty when none does.
	Held Direction
	// By is the recommendation that holds, and Window the window it is in.
	By     Recommendation
	Window time.Duration
	// Until is when it leaves the window: with the same metrics the count could
	// change with the first sync after. Others may hold then.
	Until time.Time
}

// Bound says what limited the count.
type Bound string

// The bounds. The zero value is none.
const (
	ByMax    Bound = "Max"
	ByMin    Bound = "Min"
	ByPolicy Bound = "Policy"
)

// Limit is what the policies, the maximum and the minimum made of the count.
type Limit struct {
	// From is the count before, To after.
	From, To int32
	// Direction is that of From, seen from the current count.
	Direction Direction
	// Bound is what cut it; empty when nothing did.
	Bound Bound
	// Allowed is the count that the policies allow in this direction, or without
	// a behavior the built-in limit up. It is only there where one was computed.
	Allowed *int32
	// Disabled tells that the behavior forbids this direction.
	Disabled bool
	// Raised tells that the count is the minimum in the end, because somebody
	// raised that while the target had no replicas.
	Raised bool
	// Policies are all that were looked at, and Decisive the index of the one
	// that Allowed comes from: -1 when none does.
	Policies []PolicyStep
	Decisive int
	// Frees is when the next counted change leaves the period of the decisive
	// policy, so that more is allowed; zero when there is none.
	Frees time.Time
}

// PolicyStep is what one policy allows.
type PolicyStep struct {
	Policy Policy
	// Added and Removed are the changes of its period, and Start is the count
	// that its change is taken from: the current one without them.
	Added, Removed, Start int32
	// Allows is the count it allows.
	Allows int32
	// Frees is when the first of the counted changes leaves its period.
	Frees time.Time
}
