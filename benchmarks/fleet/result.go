package main

// result is what a run measured, as it is written to JSON. What was not measured
// is absent.
type result struct {
	Date     string             `json:"date"`
	Commit   string             `json:"commit,omitempty"`
	Machine  machine            `json:"machine"`
	Settings settings           `json:"settings"`
	Ready    *readyFigures      `json:"ready,omitempty"`
	Steady   *usage             `json:"steady,omitempty"`
	Reads    []readFigures      `json:"reads,omitempty"`
	Idle     *usage             `json:"idle,omitempty"`
	Activate *activationFigures `json:"activate,omitempty"`
	Faults   *faultFigures      `json:"faults,omitempty"`
	Restart  *restartFigures    `json:"restart,omitempty"`
	Rows     []row              `json:"rows,omitempty"`
}

// machine is what the figures were measured on. Loads are averages over a minute.
type machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	CPU        string `json:"cpu,omitempty"`
	Cores      int    `json:"cores"`
	Go         string `json:"go"`
	LoadBefore string `json:"loadBefore,omitempty"`
	LoadAfter  string `json:"loadAfter,omitempty"`
}

// settings are the flags that decide what the figures mean. Times are in seconds.
type settings struct {
	Objects       int     `json:"objects"`
	Items         int     `json:"items"`
	Interval      float64 `json:"interval"`
	Window        float64 `json:"window"`
	ReadFor       float64 `json:"readFor"`
	Activations   int     `json:"activations"`
	FaultInterval float64 `json:"faultInterval"`
}

func settingsOf(o *options) settings {
	return settings{
		o.objects, o.items, o.interval.Seconds(), o.window.Seconds(), o.readFor.Seconds(), o.activations, o.faultInterval.Seconds(),
	}
}

// readyFigures are from the first posted ScaledObject to the last that is Ready
// and has its HPA.
type readyFigures struct {
	Seconds float64 `json:"seconds"`
	HPAs    int     `json:"hpas"`
	Objects int     `json:"objects"`
	// Work is absent where the API server does not tell.
	Work *workFigures `json:"apiServer,omitempty"`
}

// workFigures are what the API server had to do for each object: of all its clients,
// and of the measured process when that was asked. CPU is in milliseconds for each
// object: the API server's by its own word, and that of processes that are known.
type workFigures struct {
	CPU      float64            `json:"cpuMilliseconds"`
	Total    float64            `json:"requests"`
	Own      float64            `json:"ownRequests,omitempty"`
	Requests map[string]float64 `json:"requestsOfEachKind"`
	Used     map[string]float64 `json:"processesCPUMilliseconds,omitempty"`
}

// usage is what the measured processes used over a while, and what Redis was
// asked meanwhile. CPU is in percent of one core.
type usage struct {
	Seconds             float64            `json:"seconds"`
	Processes           int                `json:"processes"`
	CPUPercent          float64            `json:"cpuPercent"`
	ResidentMiB         float64            `json:"residentMiB"`
	AnonymousMiB        float64            `json:"anonymousMiB"`
	Connections         int                `json:"redisConnections"`
	CommandsPerSecond   float64            `json:"redisCommandsPerSecond"`
	ReadsPerSecond      float64            `json:"redisReadsPerSecond"`
	RoundTripsPerSecond float64            `json:"redisRoundTripsPerSecond"`
	OwnCPUPercent       float64            `json:"benchmarkCPUPercent"`
	Beside              map[string]float64 `json:"besideCPUPercent,omitempty"`
}

// readFigures are of one server and number of connections. Times are in
// milliseconds, CPU in percent of one core and, per read, in microseconds.
type readFigures struct {
	Server           string  `json:"server"`
	Connections      int     `json:"connections"`
	Reads            int     `json:"reads"`
	Bad              int     `json:"bad"`
	P50              float64 `json:"p50ms"`
	P99              float64 `json:"p99ms"`
	PerSecond        float64 `json:"perSecond"`
	ServerCPUPercent float64 `json:"serverCPUPercent,omitempty"`
	ServerCPUPerRead float64 `json:"serverCPUPerReadMicroseconds,omitempty"`
	ClientCPUPercent float64 `json:"clientCPUPercent"`
}

// activationFigures are seconds from a push to the Deployment's replicas.
type activationFigures struct {
	Objects  int    `json:"objects"`
	First    spread `json:"firstReplica"`
	Demanded spread `json:"demandedReplicas"`
}

// faultFigures are of the same objects before, while and after three of their
// ten sources are broken.
type faultFigures struct {
	Before usage `json:"before"`
	// Beginning is the settle time after the sources broke, in which it is written on
	// each object that it fails, and During the window after that.
	Beginning    usage  `json:"beginning"`
	During       usage  `json:"during"`
	LatenessFrom spread `json:"latenessBefore"`
	// Lateness is by how many seconds the healthy sources' keys were read later
	// than their pollingInterval after they were read last.
	Lateness spread `json:"lateness"`
	Gaps     int    `json:"gaps"`
	// SelfLateness is what the measured process says, when it was asked.
	SelfLateness *spread `json:"selfLateness,omitempty"`
	// CPURatio is During against Before, and CPURatioFirst Beginning.
	CPURatio      float64 `json:"cpuRatio"`
	CPURatioFirst float64 `json:"cpuRatioFirst"`
	// Fresh are seconds from the moment that all sources were back until each
	// object's metric was the number that was pushed then.
	Fresh          spread `json:"fresh"`
	Stale          int    `json:"stale"`
	ReplicaChanges int    `json:"replicaChanges"`
	MostInFlight   int    `json:"mostInFlight"`
}

// restartFigures are seconds from the order to restart until the metric of each
// object was served again, from the process that came then.
type restartFigures struct {
	// Gone is when the process before had ended.
	Gone           float64 `json:"gone"`
	Served         spread  `json:"served"`
	Unserved       int     `json:"unserved"`
	ReplicaChanges int     `json:"replicaChanges"`
	MostInFlight   int     `json:"mostInFlight"`
}
