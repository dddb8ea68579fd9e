package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/bcrypt"
)

// PrometheusOptions say how a Prometheus is to run. The zero value is an open
// server that holds nothing.
type PrometheusOptions struct {
	// Dir is where the server keeps its data and log; "" is a folder of its own
	// that goes with the server.
	Dir string
	// Series are what the server holds.
	Series []PrometheusSeries
	// Username and Password are those of basic authentication, when given.
	Username, Password string
	// TLS, when set, makes the server speak nothing else.
	TLS *TLSFiles
	// Port to listen on; 0 takes a free one.
	Port int
}

// PrometheusSeries is a series that a rule of the server records every 100 ms:
// scraping begins no sooner than five seconds after the start.
type PrometheusSeries struct {
	Name   string            `json:"record"`
	Labels map[string]string `json:"labels,omitempty"`
	// Value is an expression in PromQL, such as vector(5).
	Value string `json:"expr"`
}

// Prometheus is a Prometheus server.
type Prometheus struct {
	options PrometheusOptions
	ownDir  bool
	process process
	client  http.Client
}

// StartPrometheus starts a server and returns when it answers queries and holds
// its series.
func StartPrometheus(ctx context.Context, o PrometheusOptions) (*Prometheus, error) {
	program, err := lookPath("prometheus")
	if err != nil {
		return nil, err
	}
	p := &Prometheus{options: o}
	if o.Dir == "" {
		p.ownDir = true
		if p.options.Dir, err = os.MkdirTemp("", "prometheus"); err != nil {
			return nil, fmt.Errorf("making the server's folder: %w", err)
		}
	}
	if o.TLS != nil {
		tlsConfig, err := o.TLS.client()
		if err != nil {
			return nil, p.errJoinStop(err)
		}
		p.client.Transport = &http.Transport{TLSClientConfig: tlsConfig}
	}
	p.process = process{program: program, dir: p.options.Dir, logFile: filepath.Join(p.options.Dir, "prometheus.log")}
	for attempt := 0; ; attempt++ { // another process may take the port that was free
		if o.Port == 0 {
			if p.options.Port, err = freePort(); err != nil {
				break
			}
		}
		if err = p.Start(ctx); err == nil {
			return p, nil
		}
		if attempt == 3 || o.Port != 0 || ctx.Err() != nil || !strings.Contains(err.Error(), "already in use") {
			break
		}
	}
	return nil, p.errJoinStop(err)
}

func (p *Prometheus) errJoinStop(err error) error {
	if stopErr := p.Stop(); stopErr != nil {
		return fmt.Errorf("%w; %w", err, stopErr)
	}
	return err
}

// Start starts a server that was killed again, on the same port and with what
// it knew, and returns when it answers.
func (p *Prometheus) Start(ctx context.Context) error {
	dir := p.options.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	web, err := p.webConfig()
	if err != nil {
		return err
	}
	rules, err := json.Marshal(map[string]any{"groups": []any{map[string]any{
		"name": "series", "interval": "100ms", "rules": p.options.Series,
	}}})
	if err != nil {
		return fmt.Errorf("writing the server's rules: %w", err)
	}
	files := map[string]string{"prometheus.yml": "{}\n", "web.yml": web}
	if len(p.options.Series) > 0 {
		files["rules.yml"] = string(rules)
		files["prometheus.yml"] = "rule_files: [rules.yml]\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing the server's configuration: %w", err)
		}
	}
	p.process.args = []string{
		"--config.file", filepath.Join(dir, "prometheus.yml"), "--web.config.file", filepath.Join(dir, "web.yml"),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", p.Addr(),
	}
	if err := p.process.start(strings.NewReader("")); err != nil {
		return err
	}
	return p.process.waitReady(ctx, p.answers)
}

// webConfig is how the server is spoken to.
func (p *Prometheus) webConfig() (string, error) {
	var text string
	if p.options.Username != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(p.options.Password), bcrypt.MinCost)
		if err != nil {
			return "", fmt.Errorf("hashing the password: %w", err)
		}
		text = fmt.Sprintf("basic_auth_users: {%q: %q}\n", p.options.Username, hash)
	}
	if t := p.options.TLS; t != nil {
		text += fmt.Sprintf("tls_server_config: {cert_file: %q, key_file: %q", t.Cert, t.Key)
		if t.RequireClient {
			text += fmt.Sprintf(", client_auth_type: RequireAndVerifyClientCert, client_ca_file: %q", t.CA)
		}
		text += "}\n"
	}
	return text, nil
}

// answers is nil when the server answers queries and holds its series.
func (p *Prometheus) answers(ctx context.Context) error {
	if _, err := p.get(ctx, "/-/ready"); err != nil || len(p.options.Series) == 0 {
		return err
	}
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	body, err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(`count({__name__!=""})`))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("reading what the server answers: %w", err)
	}
	if r := answer.Data.Result; len(r) != 1 || r[0].Value[1] != strconv.Itoa(len(p.options.Series)) {
		return errors.New("the server does not hold its series yet")
	}
	return nil
}

// get asks the server for a path.
func (p *Prometheus) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+path, nil)
	if err != nil {
		return nil, err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	if p.options.Username != "" {
		request.SetBasicAuth(p.options.Username, p.options.Password)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answers with %s", response.Status)
	}
	return body, err
}

// Addr is where the server listens, as host:port.
func (p *Prometheus) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.options.Port))
}

// URL is the address of the server.
func (p *Prometheus) URL() string {
	if p.options.TLS != nil {
		return "https://" + p.Addr()
	}
	return "http://" + p.Addr()
}

// Stop ends the server for good and returns when it is gone. To stop a server
// that is gone does nothing.
func (p *Prometheus) Stop() error {
	err := p.process.end(syscall.SIGTERM)
	p.client.CloseIdleConnections()
	if p.ownDir {
		_ = os.RemoveAll(p.options.Dir) // leaves data behind, at worst
	}
	return err
}

// Kill ends the server as a crash would and returns when it is gone. Its port
// stays its own: see [Prometheus.Start].
func (p *Prometheus) Kill() error { return p.process.end(syscall.SIGKILL) }
