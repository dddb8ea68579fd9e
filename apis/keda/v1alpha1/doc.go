// Package v1alpha1 is the keda.sh/v1alpha1 API: what users write to have a workload scaled, and what Freshet tells them
// back in status. Manifests written for KEDA decode into these types unchanged; field names, enums and defaults are the
// contract and do not move.
//
// Four kinds make up the group:
//
//   - ScaledObject scales something that runs for long, through a HorizontalPodAutoscaler and to and from zero.
//   - ScaledJob starts one Job for each piece of pending work.
//   - TriggerAuthentication says where the credentials of triggers come from, for the objects of its namespace.
//   - ClusterTriggerAuthentication says the same for the objects of every namespace.
//
// Each kind is told in up to three files. The _types file is the schema: every field has the sentence that
// "kubectl explain" shows. The _defaults file answers what an optional field amounts to when it is left out: stored
// objects keep their absent fields absent, so code asks so.PollingInterval() and never reads the pointer itself. The
// _validation file lists every fault that the object alone can show. All of it is pure: nothing here reads a clock,
// a cluster or the environment.
//
// Shared by the kinds are triggers_types.go (a trigger and its reference to credentials), conditions.go (how status
// says Ready, Active, Fallback, Paused and HPAActive), annotations.go (every annotation, label and finalizer, and
// what they ask for) and names.go (names that Freshet derives).
//
// Zero values are never defaults in disguise: an optional number is a pointer, because minReplicaCount 0 and no
// minReplicaCount are different things to say.
//
// +kubebuilder:object:generate=true
// +groupName=keda.sh
package v1alpha1
