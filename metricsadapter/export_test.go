package metricsadapter

// WithQuick is for tests.
var WithQuick = withQuick
