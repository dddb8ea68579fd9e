package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// azurite is the emulator of Azure Storage, at the last version that runs on the
// node of Debian.
var azurite = npmPackage{name: "azurite", version: "3.35.0", program: "azurite-queue"}

// The account of every Azurite, and its key, which are public.
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// AzuriteOptions say how an Azurite is to run. The zero value speaks HTTP.
type AzuriteOptions struct {
	// Dir is where the server keeps its log; "" is a folder of its own that goes
	// with the server.
	Dir string
	// TLS, when set, makes the server speak nothing else.
	TLS *TLSFiles
	// OAuth accepts access tokens too, of which it checks the claims and not the
	// signature. It needs TLS.
	OAuth bool
	// Port to listen on; 0 takes a free one.
	Port int
}

// Azurite is the queues of an emulated storage account, kept in memory.
type Azurite struct {
	options AzuriteOptions
	ownDir  bool
	process process
}

// StartAzurite starts a server and returns when it answers.
func StartAzurite(ctx context.Context, o AzuriteOptions) (*Azurite, error) {
	program, err := azurite.look()
	if err != nil {
		return nil, err
	}
	a := &Azurite{options: o}
	if o.Dir == "" {
		a.ownDir = true
		if a.options.Dir, err = os.MkdirTemp("", "azurite"); err != nil {
			return nil, fmt.Errorf("making the server's folder: %w", err)
		}
	}
	a.process = process{program: program, dir: a.options.Dir, logFile: filepath.Join(a.options.Dir, "azurite.log")}
	for attempt := 0; ; attempt++ { // another process may take the port that was free
		if o.Port == 0 {
			if a.options.Port, err = freePort(); err != nil {
				break
			}
		}
		if err = a.Start(ctx); err == nil {
			return a, nil
		}
		if attempt == 3 || o.Port != 0 || ctx.Err() != nil || !strings.Contains(err.Error(), "already in use") {
			break
		}
	}
	return nil, a.errJoinStop(err)
}

func (a *Azurite) errJoinStop(err error) error {
	if stopErr := a.Stop(); stopErr != nil {
		return fmt.Errorf("%w; %w", err, stopErr)
	}
	return err
}

// Start starts a server that was killed again, on the same port and empty, and
// returns when it answers.
func (a *Azurite) Start(ctx context.Context) error {
	if err := os.MkdirAll(a.options.Dir, 0o700); err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	a.process.args = []string{
		"--queueHost", "127.0.0.1", "--queuePort", strconv.Itoa(a.options.Port),
		"--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent",
	}
	if t := a.options.TLS; t != nil {
		a.process.args = append(a.process.args, "--cert", t.Cert, "--key", t.Key)
	}
	if a.options.OAuth {
		a.process.args = append(a.process.args, "--oauth", "basic")
	}
	if err := a.process.start(strings.NewReader("")); err != nil {
		return err
	}
	return a.process.waitReady(ctx, a.answers)
}

// answers is nil when the server says that it listens: who answers at its port
// might be another one.
func (a *Azurite) answers(context.Context) error {
	if !strings.Contains(a.process.logTail(), "successfully listens on") {
		return errors.New("it does not listen")
	}
	return nil
}

// Addr is where the server listens, as host:port.
func (a *Azurite) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.options.Port))
}

// Endpoint is the address of the account's queues.
func (a *Azurite) Endpoint() string {
	if a.options.TLS != nil {
		return "https://" + a.Addr() + "/" + AzuriteAccount
	}
	return "http://" + a.Addr() + "/" + AzuriteAccount
}

// ConnectionString is that of the account, with its key.
func (a *Azurite) ConnectionString() string { return AzuriteConnection(a.Endpoint()) }

// AzuriteConnection is the connection string of the account, with its key, whose
// queues are at endpoint.
func AzuriteConnection(endpoint string) string {
	return "AccountName=" + AzuriteAccount + ";AccountKey=" + AzuriteKey + ";QueueEndpoint=" + endpoint + ";"
}

// Stop ends the server for good and returns when it is gone. To stop a server
// that is gone does nothing.
func (a *Azurite) Stop() error {
	err := a.process.end(syscall.SIGTERM)
	if a.ownDir {
		_ = os.RemoveAll(a.options.Dir) // leaves a log behind, at worst
	}
	return err
}

// Kill ends the server as a crash would and returns when it is gone. Its port
// stays its own: see [Azurite.Start].
func (a *Azurite) Kill() error { return a.process.end(syscall.SIGKILL) }
