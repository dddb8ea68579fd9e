package conn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Defaults hold for every connection whose trigger says nothing else. A program
// sets them once, before it opens any.
var Defaults = struct {
	// MinTLS is the oldest version of TLS to speak.
	MinTLS uint16
	// Ciphers are the suites to use up to TLS 1.2; nil are Go's own choice.
	Ciphers []uint16
	// OneRequest closes each HTTP connection after one request.
	OneRequest bool
	// RootCAs are the authorities to trust; nil are the system's.
	RootCAs *x509.CertPool
	// OnHTTP, when set, is told of every HTTP request of a trigger's read: the
	// kind's label, the status, 0 when there was no answer, and how long the head of
	// the answer took.
	OnHTTP func(scaler string, status int, took time.Duration)
}{MinTLS: tls.VersionTLS12}

// MinTLSVariable is the variable of the environment that says which version of
// TLS is the oldest to speak, in the words of [MinTLS].
const MinTLSVariable = "KEDA_HTTP_MIN_TLS_VERSION"

// CiphersVariable is the variable of the environment that says which suites to use,
// in the words of [Ciphers], and KeepAliveVariable the one that has connections closed
// after each request.
const (
	CiphersVariable   = "KEDA_HTTP_TLS_CIPHER_LIST"
	KeepAliveVariable = "KEDA_HTTP_DISABLE_KEEP_ALIVE"
)

// Ciphers are the suites that the text names, with commas between them, as package
// crypto/tls names them. Those of TLS 1.3 may be named, and are always in use.
func Ciphers(text string) ([]uint16, error) {
	known := map[string]uint16{}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		known[suite.Name] = suite.ID
	}
	var suites []uint16
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		id, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("%q is no suite of ciphers: give names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, with commas between them", name)
		}
		suites = append(suites, id)
	}
	return suites, nil
}

// MinTLS is the version of TLS that the text names: TLS10, TLS11, TLS12 or
// TLS13. No text is TLS12.
func MinTLS(text string) (uint16, error) {
	switch strings.TrimSpace(text) {
	case "TLS10":
		return tls.VersionTLS10, nil
	case "TLS11":
		return tls.VersionTLS11, nil
	case "TLS12", "":
		return tls.VersionTLS12, nil
	case "TLS13":
		return tls.VersionTLS13, nil
	default:
		return 0, fmt.Errorf("%q is no version of TLS: give TLS10, TLS11, TLS12 or TLS13", text)
	}
}

// RootCAs are the system's authorities and those in PEM files of the folders. A
// folder that does not exist is as good as an empty one. Without any file the
// answer is nil, which is the system's.
func RootCAs(folders ...string) (*x509.CertPool, error) {
	var roots *x509.CertPool
	var faults []error
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fmt.Errorf("reading authorities: %w", err))
		}
		for _, entry := range entries {
			file := filepath.Join(folder, entry.Name())
			info, err := os.Stat(file) // a mounted secret is links to its files
			if strings.HasPrefix(entry.Name(), ".") || err == nil && info.IsDir() {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				faults = append(faults, fmt.Errorf("reading authorities: %w", err))
				continue
			}
			if roots == nil {
				roots = systemRoots()
			}
			if !roots.AppendCertsFromPEM(text) {
				faults = append(faults, fmt.Errorf("reading authorities: %s holds no PEM certificate", file))
			}
		}
	}
	return roots, errors.Join(faults...)
}

// systemRoots are the system's authorities, to add to.
func systemRoots() *x509.CertPool {
	if roots, err := x509.SystemCertPool(); err == nil {
		return roots
	}
	return x509.NewCertPool()
}
