// Package externalscaler is the protocol that external scalers serve. All but
// this file is generated from externalscaler.proto: see make generate-proto.
package externalscaler
