package main

import (
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func logLevel(text string) (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(text))
	return level, err
}

// newLogger makes the one logger of the process, which the Kubernetes libraries
// are given too.
func newLogger(w io.Writer, o *options) *slog.Logger {
	level, _ := logLevel(o.logLevel) // validated
	settings := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(w, settings)
	if o.logFormat == "text" {
		handler = slog.NewTextHandler(w, settings)
	}
	log := slog.New(handler)
	ctrl.SetLogger(logr.FromSlogHandler(handler))
	klog.SetSlogLogger(log.With("logger", "klog"))
	return log
}
