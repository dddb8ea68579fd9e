// Package queue holds the triggers that read message brokers whose queues hold
// what is not yet done.
package queue
