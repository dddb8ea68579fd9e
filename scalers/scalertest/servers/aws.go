package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

var moto = pythonPackage{name: "moto", extra: "[server]", version: "5.2.1", program: "moto_server"}

// AWS is a server of Moto, which imitates the services of AWS in memory: there
// is no real one to be had. It checks neither signatures nor rights.
type AWS struct {
	port    int
	process process
	client  http.Client
}

// StartAWS starts a server that writes its log into dir and returns when it
// answers.
func StartAWS(ctx context.Context, dir string) (*AWS, error) {
	program, err := moto.look()
	if err != nil {
		return nil, err
	}
	a := &AWS{process: process{program: program, dir: dir, logFile: filepath.Join(dir, "aws.log")}}
	if a.port, err = freePort(); err != nil {
		return nil, err
	}
	a.process.args = []string{"-H", "127.0.0.1", "-p", strconv.Itoa(a.port)}
	if err := a.process.start(strings.NewReader("")); err != nil {
		return nil, err
	}
	if err := a.process.waitReady(ctx, a.answers); err != nil {
		_ = a.Stop() // the first error counts
		return nil, err
	}
	return a, nil
}

func (a *AWS) answers(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+"/moto-api/data.json", nil)
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // the status is what counts
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers with %s", response.Status)
	}
	return nil
}

// URL is the address of every service.
func (a *AWS) URL() string { return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(a.port)) }

// Stop ends the server for good and returns when it is gone.
func (a *AWS) Stop() error {
	err := a.process.end(syscall.SIGKILL) // it has nothing to lose
	a.client.CloseIdleConnections()
	return err
}
