package scaledjob

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

const (
	// parallel is how many calls for one object are under way at most.
	parallel = 16
	// callLimit is the deadline of a call.
	callLimit = 10 * time.Second
	// lost is how long it takes at most until a Job that was made is seen.
	lost = 10 * time.Second
)

// create makes Jobs of the batch until the chunk is full or one cannot be made, and
// returns how many it made. It begins with a single one, so that what refuses all is
// asked once. Those that were not made are first in m.todo.
func (r *Reconciler) create(ctx context.Context, sj *kedav1alpha1.ScaledJob, m *making) (made int32, err error) {
	left := min(len(m.todo), chunk)
	for width := 1; left > 0; width = min(2*width, parallel) {
		wave := m.todo[:min(width, left)]
		errs := each(len(wave), func(i int) error { return r.createOne(ctx, sj, m.sequence, wave[i]) })
		var failed []int32
		for i, one := range errs {
			if one != nil {
				failed, err = append(failed, wave[i]), one
			}
		}
		made += int32(len(wave) - len(failed))
		left -= len(wave)
		m.todo = append(failed, m.todo[len(wave):]...)
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

// each calls f for 0 to n-1, some of them at a time, and returns the errors.
func each(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var calls sync.WaitGroup
	free := make(chan struct{}, parallel)
	for i := range n {
		free <- struct{}{}
		calls.Go(func() {
			errs[i] = f(i)
			<-free
		})
	}
	calls.Wait()
	return errs
}

// createOne makes the Job at a place of a batch. That it exists is as good. Until it
// is seen, or known not to be made, it counts as one that runs.
func (r *Reconciler) createOne(ctx context.Context, sj *kedav1alpha1.ScaledJob, sequence int64, place int32) error {
	if err := r.Rate.Wait(ctx); err != nil {
		return fmt.Errorf("waiting to create a Job: %w", err)
	}
	owner, job := client.ObjectKeyFromObject(sj), newJob(sj, r.Version, sequence, place)
	r.Jobs.Expect(owner, job.Name)
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := r.Client.Create(ctx, job)
	switch {
	case err == nil:
		return nil
	case apierrors.IsAlreadyExists(err):
		return r.expectOurs(ctx, sj, job.Name)
	case !mayHaveHappened(err):
		r.Jobs.Unexpect(owner, job.Name)
	}
	// The name is another one each time, and what is said should stay the same.
	return fmt.Errorf("creating a Job: %s", strings.ReplaceAll(err.Error(), job.Name, sj.Name+"-…"))
}

// mayHaveHappened tells whether a call that failed may have done what it was for.
func mayHaveHappened(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	code := status.Status().Code
	return code == 0 || code >= 500
}

// expectOurs makes sure that a Job that exists is of the object. One that went away
// meanwhile was.
func (r *Reconciler) expectOurs(ctx context.Context, sj *kedav1alpha1.ScaledJob, name string) error {
	owner := client.ObjectKeyFromObject(sj)
	var job batchv1.Job
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: sj.Namespace, Name: name}, &job)
	switch {
	case apierrors.IsNotFound(err):
		r.Jobs.Unexpect(owner, name)
		return nil
	case err != nil:
		return fmt.Errorf("reading Job %s: %w", name, err)
	case !metav1.IsControlledBy(&job, sj):
		r.Jobs.Unexpect(owner, name)
		return fmt.Errorf("creating a Job: %s exists and is somebody else's: delete it", name)
	}
	return nil
}

// confirm looks for Jobs that should have been seen by now: the answer to the call
// that made them was lost, or they came and went while nobody watched.
func (r *Reconciler) confirm(ctx context.Context, sj *kedav1alpha1.ScaledJob, now time.Time) error {
	owner := client.ObjectKeyFromObject(sj)
	missing := r.Jobs.Missing(owner, now.Add(-lost))
	return errors.Join(each(len(missing), func(i int) error {
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		var job batchv1.Job
		err := r.Live.Get(ctx, client.ObjectKey{Namespace: sj.Namespace, Name: missing[i]}, &job)
		if apierrors.IsNotFound(err) {
			r.Jobs.Unexpect(owner, missing[i])
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for Job %s: %w", missing[i], err)
		}
		return nil
	})...)
}
