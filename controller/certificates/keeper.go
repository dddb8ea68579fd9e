package certificates

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Options say what to keep where.
type Options struct {
	// Client reads and writes without a cache: what it reads is changed.
	Client client.Client
	// Secret is what the replicas share.
	Secret client.ObjectKey
	// Names are the DNS names and IP addresses to serve as; the first is the
	// subject.
	Names []string
	// Life is that of a certificate. Its authority lives ten times as long.
	Life time.Duration
	// Webhooks is the ValidatingWebhookConfiguration that is told whom to trust;
	// "" leaves that to somebody else.
	Webhooks string
	// APIServices are told whom to trust too, as far as they are served by a Service
	// that is among the Names.
	APIServices []string
	// Log says what changed and what failed.
	Log *slog.Logger
}

// Keeper keeps a certificate. It runs on every replica: one of them renews, and
// all serve what it wrote.
type Keeper struct {
	Options

	current atomic.Pointer[serving]
	// said is the last failure that was logged, and foreign what was said of
	// APIServices that others serve.
	said    string
	foreign map[string]string
	// settle is how long the API server may take to heed what it was told to trust.
	settle time.Duration

	listeners listeners
}

// New returns a Keeper that has no certificate yet.
func New(o Options) *Keeper {
	return &Keeper{Options: o, settle: 2 * time.Second, foreign: map[string]string{}}
}

// NeedLeaderElection is false: every replica serves.
func (*Keeper) NeedLeaderElection() bool { return false }

// Start looks at the Secret now and then, until ctx ends. A failure is logged
// once and tried again: without a certificate nothing else is worse off.
func (k *Keeper) Start(ctx context.Context) error {
	const retry = time.Second
	period := min(max(k.Life/20, 100*time.Millisecond), 30*time.Second)
	for {
		wait := period
		if err := k.tend(ctx, time.Now()); err != nil {
			wait = min(retry, period)
			if text := err.Error(); text != k.said && ctx.Err() == nil {
				k.said = text
				k.Log.Error("keeping the certificate", "error", text)
			}
		} else {
			k.said = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// tend brings the Secret, what is trusted and what is served up to date.
func (k *Keeper) tend(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	held, err := k.secret(ctx, now)
	if err != nil {
		return err
	}
	old := k.current.Load()
	changed, err := k.trust(ctx, held.authorities)
	switch {
	case err != nil && old != nil && now.Before(old.tls.Leaf.NotAfter):
		return err // go on as before: the new one may not be trusted yet
	case changed && old != nil:
		select {
		case <-ctx.Done():
		case <-time.After(k.settle):
		}
	}
	if old == nil || !bytes.Equal(old.tls.Leaf.Raw, held.serving.Leaf.Raw) {
		k.serve(held)
		k.Log.Info("serving with a new certificate", "until", held.serving.Leaf.NotAfter)
	}
	return err
}

// secret returns what the Secret holds, once that is good. When another replica
// writes first, what it wrote counts.
func (k *Keeper) secret(ctx context.Context, now time.Time) (*contents, error) {
	const attempts = 5
	for range attempts {
		var s corev1.Secret
		err := k.Client.Get(ctx, k.Secret, &s)
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return nil, fmt.Errorf("reading Secret %s: %w", k.Secret, err)
		}
		held, changed, err := renew(s.Data, k.Names, k.Life, now)
		if err != nil {
			return nil, err
		}
		if !changed {
			return held, nil
		}
		if missing {
			s.ObjectMeta = metav1.ObjectMeta{
				Namespace: k.Secret.Namespace, Name: k.Secret.Name, Labels: map[string]string{"app.kubernetes.io/name": "freshet"},
			}
		}
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		for key, value := range held.data {
			s.Data[key] = value
		}
		if missing {
			err = k.Client.Create(ctx, &s)
		} else {
			err = k.Client.Update(ctx, &s) // fails when it changed since it was read
		}
		switch {
		case err == nil:
			return held, nil
		case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("writing Secret %s: %w", k.Secret, err)
		}
	}
	return nil, fmt.Errorf("writing Secret %s: others write it all the time", k.Secret)
}
