// Package externalscaler is the protocol that external scalers serve. Its code is
// made from externalscaler.proto by make generate-proto.
package externalscaler
