// Package azure holds the triggers that read services of Azure. It alone, with
// the identities that it signs in by, needs the libraries of Azure: a program
// that leaves it out is built without them.
package azure
