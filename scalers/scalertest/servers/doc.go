// Package servers runs real servers on free ports of 127.0.0.1, for tests and
// demonstrations. A server is a process of its own that ends with this one,
// however that ends; [External], of which everybody has their own, is in this one.
package servers
