package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestStateSurvivesItsFile(t *testing.T) {
	dir := t.TempDir()
	want := state{
		Programs: "bin", Boot: bootID(), Starting: true, Temporary: true,
		Ports:     ports{Etcd: 1, EtcdPeer: 2, APIServer: 3, ControllerManager: 4, Scheduler: 5},
		Processes: []*process{{Name: "etcd", PID: 12, Started: "345"}},
	}
	if err := writeState(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("state is %+v, want %+v", got, want)
	}
}

func TestProcessesEndWithTheirBoot(t *testing.T) {
	dir := t.TempDir()
	own := &process{Name: "this test", PID: os.Getpid(), Started: startTime(os.Getpid())}
	for boot, want := range map[string]bool{bootID(): true, "another boot": false} {
		if err := writeState(dir, state{Boot: boot, Processes: []*process{own}}); err != nil {
			t.Fatal(err)
		}
		s, err := readState(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Processes[0].running(); got != want {
			t.Errorf("in boot %q the process is running: %v, want %v", boot, got, want)
		}
	}
}

func TestAttach(t *testing.T) {
	stopped := newFolder(t)
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, stateName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir    string
		absent bool // the error says that there is none
	}{
		"no folder":       {filepath.Join(t.TempDir(), "none"), true},
		"empty folder":    {t.TempDir(), true},
		"stopped cluster": {stopped, true},
		"broken state":    {broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Attach(c.dir)
			if err == nil || errors.Is(err, ErrNoCluster) != c.absent {
				t.Errorf("error %v, want one that says there is none: %v", err, c.absent)
			}
		})
	}
}

func TestOpenFolder(t *testing.T) {
	t.Run("clears an earlier cluster", func(t *testing.T) {
		dir := t.TempDir()
		_, unlock, err := openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		old := filepath.Join(dir, etcdDir, "old")
		if err := os.WriteFile(old, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, unlock, err = openFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		if _, err := os.Stat(old); !os.IsNotExist(err) {
			t.Errorf("data of the earlier cluster: %v, want none", err)
		}
	})
	t.Run("leaves others' files alone", func(t *testing.T) {
		dir := t.TempDir()
		theirs := filepath.Join(dir, logsDir)
		if err := os.Mkdir(theirs, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openFolder(dir); err == nil {
			t.Error("a folder with others' files was taken")
		}
		if _, err := os.Stat(theirs); err != nil {
			t.Error(err)
		}
	})
	t.Run("refuses a running cluster", func(t *testing.T) {
		dir := t.TempDir()
		own := &process{Name: "this test", PID: os.Getpid(), Started: startTime(os.Getpid())}
		if err := writeState(dir, state{Processes: []*process{own}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openFolder(dir); !errors.Is(err, ErrRunning) {
			t.Errorf("error %v, want ErrRunning", err)
		}
	})
	t.Run("refuses a second start", func(t *testing.T) {
		if _, _, err := openFolder(newFolder(t)); !errors.Is(err, errLocked) {
			t.Errorf("error %v, want errLocked", err)
		}
	})
}
