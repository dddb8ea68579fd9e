package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// certificateOptions are the flags of what webhooks and external metrics are served
// with.
type certificateOptions struct {
	// rotate has Freshet make its certificate itself, in the Secret; otherwise it
	// is in dir.
	rotate bool
	secret string
	dir    string
	life   time.Duration
	// service is what the certificate is made for beside the Service of webhooks,
	// and domain is of both.
	service string
	domain  string
	// patch has the APIServices told whom to trust.
	patch bool
}

// apiServices are those that Freshet serves, and that are told to trust it.
var apiServices = []string{"v1beta1.external.metrics.k8s.io", "v1alpha1.why.freshet.io"}

func (o *options) addCertificateFlags(fs *pflag.FlagSet) {
	c := &o.certificates
	fs.BoolVar(&c.rotate, "enable-cert-rotation", true, "make and renew the certificate of webhooks and external metrics; without, it is in --cert-dir")
	fs.StringVar(&c.secret, "cert-secret-name", "kedaorg-certs", "Secret in Freshet's own namespace where the replicas keep their certificate")
	fs.StringVar(&c.dir, "cert-dir", "/certs", "folder of tls.crt and tls.key to serve with, when --enable-cert-rotation is off; read again when they change")
	fs.DurationVar(&c.life, "cert-validity", 90*24*time.Hour, "life of the certificate, which is renewed after two thirds of it; its authority lives ten times as long")
	fs.StringVar(&c.service, "metrics-server-service-name", "freshet", "Service of external metrics, that the certificate is made for")
	fs.StringVar(&c.domain, "k8s-cluster-domain", "cluster.local", "domain of the cluster's Services")
	fs.BoolVar(&c.patch, "enable-apiservice-patching", true, "tell the APIServices of external metrics and explanations to trust the certificate; off when somebody else does")
}

// validateCertificates adds the faults of what concerns certificates.
func (o *options) validateCertificates(add func(format string, args ...any)) {
	c := &o.certificates
	if c.life < 10*time.Second {
		add("--cert-validity is %s, and at least 10s is needed", c.life)
	}
	if problems := validation.IsDNS1123Label(c.service); len(problems) > 0 {
		add("--metrics-server-service-name is %q: %s", c.service, problems[0])
	}
	if problems := validation.IsDNS1123Subdomain(c.secret); len(problems) > 0 {
		add("--cert-secret-name is %q: %s", c.secret, problems[0])
	}
	const made, named = "--enable-cert-rotation has Freshet make a certificate", "the authorities that the cluster names count"
	for _, f := range []struct{ flag, path, without string }{
		{"--tls-cert-file", o.certFile, made}, {"--tls-private-key-file", o.keyFile, made}, {"--client-ca-file", o.clientCAFile, named},
	} {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			add("%s: %w (without it, %s)", f.flag, err, f.without)
		}
	}
	if o.webhooks.port == 0 || c.rotate {
		return
	}
	for _, path := range []string{c.file("tls.crt"), c.file("tls.key")} {
		if _, err := os.Stat(path); err != nil {
			add("--cert-dir: %w (--enable-cert-rotation has Freshet make a certificate)", err)
		}
	}
}

func (c *certificateOptions) file(name string) string { return filepath.Join(c.dir, name) }

// adapterFiles are the certificate and key that external metrics are served with;
// "" when they are not in files.
func (o *options) adapterFiles() (certificate, key string) {
	if o.certFile != "" || o.certificates.rotate {
		return o.certFile, o.keyFile
	}
	certificate, key = o.certificates.file("tls.crt"), o.certificates.file("tls.key")
	if _, err := os.Stat(certificate); err != nil {
		return "", ""
	}
	return certificate, key
}

// certificateNames are what the certificate is made for. This machine is for those
// who run Freshet as a process.
func (o *options) certificateNames() []string {
	var names []string
	for _, service := range []string{o.webhooks.service, o.certificates.service} {
		in := service + "." + o.namespace
		names = append(names, in+".svc", in, service, in+".svc."+o.certificates.domain)
	}
	return append(names, "localhost", "127.0.0.1", "::1")
}
