package store_test

import (
	"bufio"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/scalers/scalertest"
)

// scripted is a server that answers commands as replies say, which are by the
// beginnings of commands: the longest counts, and "" is that of all. {{HOST}} and
// {{PORT}} in them are the server's. It takes what logs in for granted, and does
// not know what replies do not.
func scripted(t testing.TB, replies m) (addr string) {
	t.Helper()
	all := m{"": "-ERR unknown command\r\n", "AUTH": "+OK\r\n", "SELECT": "+OK\r\n", "CLIENT": "+OK\r\n", "HELLO": "-ERR unknown command 'HELLO'\r\n"}
	maps.Copy(all, replies)
	return fakeServer(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		host, port, _ := net.SplitHostPort(c.LocalAddr().String())
		self := strings.NewReplacer("{{HOST}}", host, "{{PORT}}", port)
		for {
			words, err := readWords(in)
			if err != nil || len(words) == 0 {
				_ = c.Close()
				return
			}
			words[0] = strings.ToUpper(words[0])
			command := strings.Join(words, " ")
			if words[0] == "XINFO" || words[0] == "CLUSTER" || words[0] == "SENTINEL" {
				command = strings.ToUpper(words[0]+" "+words[1]) + strings.TrimPrefix(command, words[0]+" "+words[1])
			}
			best := ""
			for beginning := range all {
				if strings.HasPrefix(command, beginning) && len(beginning) > len(best) {
					best = beginning
				}
			}
			if _, err := self.WriteString(c, all[best]); err != nil {
				return
			}
		}
	})
}

// readWords reads a command as clients send it.
func readWords(in *bufio.Reader) ([]string, error) {
	n, err := readLength(in)
	if err != nil {
		return nil, err
	}
	words := make([]string, n)
	for i := range words {
		length, err := readLength(in)
		if err != nil {
			return nil, err
		}
		word := make([]byte, length+len("\r\n"))
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:length])
	}
	return words, nil
}

func readLength(in *bufio.Reader) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line)[1:])
}

// TestFixtures has each type make of recorded replies what it must. Replies are
// in replies.yaml, by the beginnings of commands, with an end of line for \r\n.
func TestFixtures(t *testing.T) {
	scalertest.Fixtures(t, "testdata", func(t testing.TB, folder string) string {
		text, err := os.ReadFile(filepath.Join(folder, "replies.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		replies := m{}
		if err := yaml.UnmarshalStrict(text, &replies); err != nil {
			t.Fatal(err)
		}
		for command, reply := range replies {
			replies[command] = strings.ReplaceAll(strings.TrimSuffix(reply, "\n")+"\n", "\n", "\r\n")
		}
		return scripted(t, replies)
	})
}
