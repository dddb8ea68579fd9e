package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNoCluster is wrapped by the error of [Attach] when the folder holds no
// cluster, or one that was stopped.
var ErrNoCluster = errors.New("no cluster")

// ErrRunning is wrapped by the error of [Start] when the folder already holds a
// cluster of which something runs.
var ErrRunning = errors.New("a cluster already runs")

// Names below a cluster's folder. The state file also marks the folder as ours:
// only a folder with it is ever cleared.
const (
	stateName      = "cluster.json"
	lockName       = "lock"
	adminName      = "admin.kubeconfig"
	kubeconfigsDir = "kubeconfigs"
	pkiDir         = "pki"
	logsDir        = "logs"
	etcdDir        = "etcd"
	configDir      = "config"
	kubectlDir     = "kubectl-cache"
)

// state is what a cluster's folder tells other processes about it.
type state struct {
	Programs  string     `json:"programs"`            // their folder
	Boot      string     `json:"boot,omitempty"`      // of the machine: after another one no process is left
	Starting  bool       `json:"starting,omitempty"`  // the start has not come to its end
	Temporary bool       `json:"temporary,omitempty"` // the folder goes when the cluster does
	Ports     ports      `json:"ports"`
	Processes []*process `json:"processes,omitempty"` // in the order of their start
}

// openFolder makes dir, or a temporary folder when dir is empty, ready for a
// fresh cluster: locked against another start, cleared of an earlier cluster,
// and with the folders that a cluster needs.
func openFolder(dir string) (opened string, unlock func(), err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "freshet-cluster-"); err != nil {
			return "", nil, fmt.Errorf("making the cluster's folder: %w", err)
		}
	} else if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, fmt.Errorf("finding the cluster's folder: %w", err)
	}
	if err := checkOurs(dir); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("making the cluster's folder: %w", err)
	}
	unlock, err = tryLock(filepath.Join(dir, lockName))
	if err != nil {
		return "", nil, err
	}
	if err := clearFolder(dir); err != nil {
		unlock()
		return "", nil, err
	}
	return dir, unlock, nil
}

// checkOurs refuses a folder with somebody else's files in it.
func checkOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cluster's folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == stateName {
			return nil
		}
	}
	if len(entries) > 0 && (len(entries) > 1 || entries[0].Name() != lockName) {
		return fmt.Errorf("using %s: it is not empty and not a cluster's folder", dir)
	}
	return nil
}

// clearFolder removes what an earlier cluster left, unless it still runs.
func clearFolder(dir string) error {
	before, err := readState(dir)
	if err != nil && !errors.Is(err, ErrNoCluster) {
		return err
	}
	for _, p := range before.Processes {
		if p.running() {
			return fmt.Errorf("using %s: %w", dir, ErrRunning)
		}
	}
	for _, name := range []string{adminName, kubeconfigsDir, pkiDir, logsDir, etcdDir, configDir, kubectlDir} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("clearing the cluster's folder: %w", err)
		}
	}
	for _, name := range []string{kubeconfigsDir, pkiDir, logsDir, etcdDir, configDir} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return fmt.Errorf("making the cluster's folder: %w", err)
		}
	}
	return writeState(dir, state{})
}

// readState reads the record of dir. Without one the error wraps [ErrNoCluster].
func readState(dir string) (state, error) {
	var s state
	text, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("looking into %s: %w", dir, ErrNoCluster)
	}
	if err != nil {
		return s, fmt.Errorf("reading the cluster's state: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", filepath.Join(dir, stateName), err)
	}
	if s.Boot != "" && s.Boot != bootID() {
		for _, p := range s.Processes {
			p.Started = "" // ended with that boot, whoever has its number now
		}
	}
	return s, nil
}

// writeState replaces the record of dir at once, so that a reader never sees half of it.
func writeState(dir string, s state) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the cluster's state: %w", err)
	}
	path := filepath.Join(dir, stateName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the cluster's state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the cluster's state: %w", err)
	}
	return nil
}
