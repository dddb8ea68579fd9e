package certificates

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

const life = 90 * 24 * time.Hour

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	names = []string{"webhooks.freshet.svc", "127.0.0.1"}
)

// must renews, and fails the test on an error.
func must(t *testing.T, data map[string][]byte, now time.Time) (*contents, bool) {
	t.Helper()
	c, changed, err := renew(data, names, life, now)
	if err != nil {
		t.Fatal(err)
	}
	return c, changed
}

// verifies tells whether who trusts the authorities trusts the certificate.
func verifies(authorities []byte, c *tls.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	for _, name := range names {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
			return err
		}
	}
	return nil
}

func count(authorities []byte) int {
	n := 0
	for block, rest := pem.Decode(authorities); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	return n
}

// TestRenew follows a Secret over its life: at no time does a replica serve what
// one that looked last would not trust.
func TestRenew(t *testing.T) {
	held, changed := must(t, nil, start)
	if !changed {
		t.Fatal("an empty Secret stays so")
	}
	var leaves, authorities int
	for now := start; now.Before(start.Add(25 * life)); now = now.Add(life / 15) {
		next, changed := must(t, held.data, now)
		if err := verifies(next.authorities, next.serving, now); err != nil {
			t.Fatalf("at %s: %v", now, err)
		}
		if left := next.serving.Leaf.NotAfter.Sub(now); left < life/3 {
			t.Fatalf("at %s there are %s left", now, left)
		}
		if err := verifies(next.authorities, held.serving, now); err != nil {
			t.Fatalf("at %s a replica that serves the former certificate is not trusted: %v", now, err)
		}
		if !bytes.Equal(held.serving.Leaf.Raw, next.serving.Leaf.Raw) != changed {
			t.Fatalf("at %s changed is %t", now, changed)
		}
		if changed {
			leaves++
		}
		if !bytes.Equal(held.data[keyAuthorityKey], next.data[keyAuthorityKey]) {
			authorities++
		}
		if n := count(next.authorities); n > 2 {
			t.Fatalf("at %s %d authorities are trusted", now, n)
		}
		held = next
	}
	if leaves < 35 || leaves > 40 || authorities != 3 {
		t.Errorf("over 25 lives there were %d certificates and %d authorities", leaves, authorities)
	}
}

// TestRenewWhatIsNoGood: whatever the Secret holds, it is good afterwards.
func TestRenewWhatIsNoGood(t *testing.T) {
	good, _ := must(t, nil, start)
	other, _ := must(t, nil, start)
	for reason, edit := range map[string]func(map[string][]byte){
		"nonsense":      func(d map[string][]byte) { d[keyCertificate] = []byte("a") },
		"no key":        func(d map[string][]byte) { delete(d, keyKey) },
		"another's key": func(d map[string][]byte) { d[keyKey] = other.data[keyKey] },
		"another authority": func(d map[string][]byte) {
			d[keyAuthorities], d[keyAuthorityKey] = other.data[keyAuthorities], other.data[keyAuthorityKey]
		},
		"an authority without its key": func(d map[string][]byte) { delete(d, keyAuthorityKey) },
		"an authority that is none": func(d map[string][]byte) {
			d[keyAuthorities], d[keyAuthorityKey] = d[keyCertificate], d[keyKey]
		},
	} {
		data := map[string][]byte{}
		for k, v := range good.data {
			data[k] = v
		}
		edit(data)
		next, changed := must(t, data, start.Add(time.Hour))
		if err := verifies(next.authorities, next.serving, start.Add(time.Hour)); err != nil || !changed {
			t.Errorf("%s: changed is %t, %v", reason, changed, err)
		}
	}
	if _, changed, err := renew(good.data, []string{"webhooks.other.svc"}, life, start); err != nil || !changed {
		t.Errorf("for another name changed is %t, %v", changed, err)
	}
	if _, changed := must(t, good.data, start.Add(time.Hour)); changed {
		t.Error("a good one is renewed")
	}
}

func newClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func newKeeper(c client.Client) *Keeper {
	k := New(Options{
		Client: c, Secret: client.ObjectKey{Namespace: "freshet", Name: "certs"}, Names: names, Life: life, Webhooks: "keda-admission",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	k.settle = 0
	return k
}

func webhooks() *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "keda-admission"},
		Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "a.keda.sh"}, {Name: "b.keda.sh"}},
	}
}

// trusted are the authorities that all webhooks are told to trust.
func trusted(t *testing.T, c client.Client) []byte {
	t.Helper()
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	if err := c.Get(t.Context(), client.ObjectKey{Name: "keda-admission"}, &config); err != nil {
		t.Fatal(err)
	}
	first := config.Webhooks[0].ClientConfig.CABundle
	for _, w := range config.Webhooks {
		if !bytes.Equal(w.ClientConfig.CABundle, first) {
			t.Error("webhooks trust different authorities")
		}
	}
	return first
}

// TestReplicasAgree: however many replicas begin at once, one certificate is
// served and trusted, and again after it was renewed.
func TestReplicasAgree(t *testing.T) {
	c := newClient(t, webhooks())
	replicas := make([]*Keeper, 8)
	for i := range replicas {
		replicas[i] = newKeeper(c)
	}
	for _, now := range []time.Time{start, start.Add(life * 7 / 10), start.Add(7 * life)} {
		var wg sync.WaitGroup
		for _, k := range replicas {
			wg.Go(func() {
				if err := k.tend(t.Context(), now); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		first, err := replicas[0].Certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifies(trusted(t, c), first, now); err != nil {
			t.Error(err)
		}
		for _, k := range replicas {
			if got, err := k.Certificate(nil); err != nil || !bytes.Equal(got.Leaf.Raw, first.Leaf.Raw) {
				t.Errorf("at %s a replica serves another certificate (%v)", now, err)
			}
		}
	}
}

// TestOtherKeysStay: what else is in the Secret, such as what a chart put there,
// stays.
func TestOtherKeysStay(t *testing.T) {
	c := newClient(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "freshet", Name: "certs"}, Data: map[string][]byte{"note": []byte("a")}})
	k := newKeeper(c) // there are no webhooks either
	if _, err := k.Certificate(nil); err == nil {
		t.Error("there is a certificate before there is one")
	}
	if err := k.tend(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	var s corev1.Secret
	if err := c.Get(t.Context(), k.Secret, &s); err != nil || string(s.Data["note"]) != "a" || len(s.Data) != 5 {
		t.Errorf("the Secret holds %d keys (%v)", len(s.Data), err)
	}
}

// unwilling is a cluster that does not let webhooks be told.
type unwilling struct{ client.Client }

func (unwilling) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return context.DeadlineExceeded
}

// TestNotTrustedYet: a certificate that the API server could not be told to trust
// is not served while the former one is good.
func TestNotTrustedYet(t *testing.T) {
	c := newClient(t, webhooks())
	k := newKeeper(c)
	if err := k.tend(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	was, _ := k.Certificate(nil)
	k.Client = unwilling{c}
	if err := k.tend(t.Context(), start.Add(6*life/10)); err != nil {
		t.Errorf("nothing is to be told, and yet: %v", err)
	}
	var s corev1.Secret // another authority, before the certificate expires
	if err := c.Get(t.Context(), k.Secret, &s); err != nil {
		t.Fatal(err)
	}
	delete(s.Data, keyAuthorityKey)
	if err := c.Update(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if err := k.tend(t.Context(), start.Add(6*life/10)); err == nil {
		t.Error("that it was not told is no failure")
	}
	if is, _ := k.Certificate(nil); is != was {
		t.Error("a certificate is served that is not trusted yet")
	}
	k.Client = c
	if err := k.tend(t.Context(), start.Add(6*life/10)); err != nil {
		t.Fatal(err)
	}
	if is, _ := k.Certificate(nil); is == was || verifies(trusted(t, c), is, start.Add(6*life/10)) != nil {
		t.Error("the new certificate is not served once it is trusted")
	}
}
