// Package external holds the triggers that read scalers written by others: gRPC
// servers that say which metrics there are and what they are worth. Package
// externalscaler is the protocol.
package external
