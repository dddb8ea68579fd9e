// Package metricsadapter answers the HPA. It serves external.metrics.k8s.io
// from the readings in package store; a reading that is too old is read anew,
// once for everyone who asks meanwhile. A missing or failed reading is an
// error, on which the HPA holds its replicas, and never 0.
package metricsadapter
