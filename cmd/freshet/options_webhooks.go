package main

import (
	"crypto/tls"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// webhookOptions are the flags of admission webhooks.
type webhookOptions struct {
	// port is where they are served; 0 is nowhere.
	port int
	// configuration is told whom to trust, when patch is set.
	configuration string
	patch         bool
	// service is what the certificate is made for.
	service string
}

func (o *options) addWebhookFlags(fs *pflag.FlagSet) {
	w := &o.webhooks
	fs.IntVar(&w.port, "webhook-port", 0, "port that admission webhooks are served on, with TLS; 0 serves none")
	fs.StringVar(&w.configuration, "validating-webhook-name", "keda-admission", "ValidatingWebhookConfiguration that is told to trust the certificate")
	fs.BoolVar(&w.patch, "enable-webhook-patching", true, "tell --validating-webhook-name to trust the certificate; off when somebody else does")
	fs.StringVar(&w.service, "webhooks-service-name", "keda-admission-webhooks", "Service of webhooks, that the certificate is made for")
}

// validateWebhooks adds the faults of what concerns webhooks.
func (o *options) validateWebhooks(add func(format string, args ...any)) {
	w := &o.webhooks
	if w.port < 0 || w.port > 65535 {
		add("--webhook-port is %d, which is not between 0 and 65535", w.port)
	}
	if problems := validation.IsDNS1123Label(w.service); len(problems) > 0 {
		add("--webhooks-service-name is %q: %s", w.service, problems[0])
	}
}

// tls makes what was asked for hold for the server of webhooks.
func (t *tlsOptions) tls(c *tls.Config) { c.MinVersion, c.CipherSuites = t.min, t.ciphers }
