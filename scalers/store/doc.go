// Package store holds the triggers that read key-value stores and caches.
// redis.go is the trigger to read first: it is the example for new ones.
package store
