// Package observe holds the triggers that read monitoring systems and other
// HTTP endpoints that publish numbers.
package observe
