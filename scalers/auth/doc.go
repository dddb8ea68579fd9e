// Package auth resolves what a trigger authenticates with: the parameters that
// a TriggerAuthentication names, from wherever it keeps them, and the identity
// it signs in by. A thing that is missing is an error and never an empty
// credential.
//
// The way of a resolve: resolver.go finds the authentication and runs the
// sources in order. Each source is a file: env.go, file.go, configmap.go,
// secret.go, serviceaccount.go, oauth2.go; those of remote stores are packages
// of their own, which a program imports for it to have them: vault, azurekv,
// gcpsm, awssm. identity.go turns podIdentity into a [scalers.Identity].
//
// What no watch tells of is asked through cache.go: once for all objects that
// ask the same, again when it is due, and from memory while its server is down.
package auth
