//go:build !linux

package main

import "errors"

// trimProgram is for Linux, where the kernel can be told.
func trimProgram() error { return errors.New("this system cannot be told") }
