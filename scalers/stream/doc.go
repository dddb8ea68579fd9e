// Package stream holds the triggers that read logs and streams.
package stream
