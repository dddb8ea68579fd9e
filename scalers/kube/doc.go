// Package kube holds the triggers that read the cluster itself, or only the
// clock: usage of pods, schedules, numbers of pods, and ConfigMaps and Secrets.
package kube
