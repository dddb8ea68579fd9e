package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/freshet-io/freshet/scalers/conn"
)

// webhookOptions are the flags of admission webhooks.
type webhookOptions struct {
	// port is where they are served; 0 is nowhere.
	port int
	// rotate has Freshet make its certificate itself, in the Secret; otherwise it
	// is in dir.
	rotate bool
	secret string
	dir    string
	life   time.Duration
	// configuration is told whom to trust, when patch is set.
	configuration string
	patch         bool
	// service and domain are what the certificate is made for.
	service string
	domain  string
	// minTLS is what the server accepts at least.
	minTLS uint16
}

// minServiceTLS is the variable of what Freshet's own servers accept at least.
const minServiceTLS = "KEDA_SERVICE_MIN_TLS_VERSION"

// webhooksFromEnv takes what concerns webhooks from the environment. It comes
// after tlsFromEnv, whose version is the default.
func (o *options) webhooksFromEnv(getenv func(string) string) {
	o.webhooks.minTLS = o.minTLS
	text := getenv(minServiceTLS)
	if text == "" {
		return
	}
	version, err := conn.MinTLS(text)
	if err != nil {
		o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s: %w", minServiceTLS, err))
		return
	}
	o.webhooks.minTLS = version
}

func (o *options) addWebhookFlags(fs *pflag.FlagSet) {
	w := &o.webhooks
	fs.IntVar(&w.port, "webhook-port", 0, "port that admission webhooks are served on, with TLS; 0 serves none")
	fs.BoolVar(&w.rotate, "enable-cert-rotation", true, "make and renew the certificate of webhooks; without, it is in --cert-dir")
	fs.StringVar(&w.secret, "cert-secret-name", "kedaorg-certs", "Secret in Freshet's own namespace where the replicas keep the certificate of webhooks")
	fs.StringVar(&w.dir, "cert-dir", "/certs", "folder of tls.crt and tls.key to serve webhooks with, when --enable-cert-rotation is off; read again when they change")
	fs.DurationVar(&w.life, "cert-validity", 90*24*time.Hour, "life of the certificate of webhooks, which is renewed after two thirds of it; its authority lives ten times as long")
	fs.StringVar(&w.configuration, "validating-webhook-name", "keda-admission", "ValidatingWebhookConfiguration that is told to trust the certificate")
	fs.BoolVar(&w.patch, "enable-webhook-patching", true, "tell --validating-webhook-name to trust the certificate; off when somebody else does")
	fs.StringVar(&w.service, "webhooks-service-name", "keda-admission-webhooks", "Service that the certificate of webhooks is made for")
	fs.StringVar(&w.domain, "k8s-cluster-domain", "cluster.local", "domain of the cluster's Services")
}

// validateWebhooks adds the faults of what concerns webhooks.
func (o *options) validateWebhooks(add func(format string, args ...any)) {
	w := &o.webhooks
	if w.port < 0 || w.port > 65535 {
		add("--webhook-port is %d, which is not between 0 and 65535", w.port)
	}
	if w.life < 10*time.Second {
		add("--cert-validity is %s, and at least 10s is needed", w.life)
	}
	if problems := validation.IsDNS1123Label(w.service); len(problems) > 0 {
		add("--webhooks-service-name is %q: %s", w.service, problems[0])
	}
	if problems := validation.IsDNS1123Subdomain(w.secret); len(problems) > 0 {
		add("--cert-secret-name is %q: %s", w.secret, problems[0])
	}
	if w.port == 0 || w.rotate {
		return
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		if _, err := os.Stat(filepath.Join(w.dir, name)); err != nil {
			add("--cert-dir: %w (--enable-cert-rotation has Freshet make a certificate)", err)
		}
	}
}

// names are what the certificate is made for. This machine is for those who run
// Freshet as a process.
func (o *options) webhookNames() []string {
	in := o.webhooks.service + "." + o.namespace
	return []string{in + ".svc", in, o.webhooks.service, in + ".svc." + o.webhooks.domain, "localhost", "127.0.0.1", "::1"}
}

// tls makes what was asked for hold for the server of webhooks.
func (w *webhookOptions) tls(c *tls.Config) { c.MinVersion = w.minTLS }
