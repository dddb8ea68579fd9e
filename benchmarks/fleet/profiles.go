package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profileFor is how long the CPU profile of the steady state takes.
const profileFor = 20 * time.Second

// keepProfiles writes a CPU and a heap profile of the measured process to the
// folder of results. It comes after the measure, which it would disturb.
func (b *bench) keepProfiles(ctx context.Context) error {
	if b.options.profiles == "" {
		return nil
	}
	base := strings.TrimSuffix(b.options.profiles, "/")
	for name, path := range map[string]string{
		"cpu":  fmt.Sprintf("/profile?seconds=%d", int(profileFor.Seconds())),
		"heap": "/heap?gc=1",
	} {
		file := filepath.Join(b.options.results, "fleet-"+name+".prof")
		if err := download(ctx, base+path, file); err != nil {
			return fmt.Errorf("keeping a %s profile: %w", name, err)
		}
		b.log("%s profile: go tool pprof -top %s", name, file)
	}
	return nil
}

func download(ctx context.Context, url, file string) error {
	ctx, cancel := context.WithTimeout(ctx, profileFor+callLimit)
	defer cancel()
	body, err := fetch(ctx, url)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	if err := os.WriteFile(file, body, 0o644); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("writing it: %w", err)
	}
	return nil
}

// fetch gets a page without authentication.
func fetch(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: %s", url, resp.Status)
	}
	return body, nil
}
