package scaledjob

import (
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/jobs"
)

// rollout deletes the Jobs of former specs, also those that run, unless they are to
// end by themselves. They count until they are gone.
func (r *Reconciler) rollout(ctx context.Context, sj *kedav1alpha1.ScaledJob) error {
	if sj.RolloutStrategy() == kedav1alpha1.RolloutStrategyGradual {
		return nil
	}
	old := r.Jobs.Outdated(client.ObjectKeyFromObject(sj), sj.UID, generation(sj))
	if len(old) == 0 {
		return nil
	}
	r.Events.Note(sj, events.RolloutCleanupStarted, fmt.Sprintf("Deleting %d jobs of the former spec", len(old)))
	if err := r.deleteJobs(ctx, sj, old, sj.DeletionPropagation()); err != nil {
		r.Events.Warn(sj, events.RolloutCleanupFailed, err.Error())
		return err
	}
	r.Events.Note(sj, events.RolloutCleanupCompleted, fmt.Sprintf("Deleted %d jobs of the former spec", len(old)))
	return nil
}

// clean deletes the finished Jobs beyond those that are to be kept.
func (r *Reconciler) clean(ctx context.Context, sj *kedav1alpha1.ScaledJob) error {
	surplus := r.Jobs.Surplus(client.ObjectKeyFromObject(sj), sj.UID, sj.SuccessfulJobsHistoryLimit(), sj.FailedJobsHistoryLimit())
	return r.deleteJobs(ctx, sj, surplus, metav1.DeletePropagationBackground)
}

// deleteJobs deletes Jobs, and not others that took their names.
func (r *Reconciler) deleteJobs(ctx context.Context, sj *kedav1alpha1.ScaledJob, list []jobs.Job, propagation metav1.DeletionPropagation) error {
	return errors.Join(each(len(list), func(i int) error {
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		uid := list[i].UID
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: sj.Namespace, Name: list[i].Name}}
		err := r.Client.Delete(ctx, job, &client.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &propagation,
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting Job %s: %w", list[i].Name, err)
		}
		r.Jobs.Deleting(client.ObjectKeyFromObject(sj), list[i].Name)
		return nil
	})...)
}
