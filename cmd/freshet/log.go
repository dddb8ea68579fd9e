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
	handler := newHandler(w, o, settings)
	log := slog.New(handler)
	ctrl.SetLogger(logr.FromSlogHandler(handler))
	if level > slog.LevelDebug { // the libraries' own progress is for debugging
		settings = &slog.HandlerOptions{Level: max(level, slog.LevelWarn)}
	}
	klog.SetSlogLogger(slog.New(newHandler(w, o, settings)).With("logger", "klog"))
	return log
}

func newHandler(w io.Writer, o *options, settings *slog.HandlerOptions) slog.Handler {
	if o.logFormat == "text" {
		return slog.NewTextHandler(w, settings)
	}
	return slog.NewJSONHandler(w, settings)
}
