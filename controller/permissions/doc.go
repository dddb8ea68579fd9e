// Package permissions lists every right that Freshet asks of the cluster:
// config/rbac/role.yaml is generated from it.
//
// Objects of any kind are read, and their scale subresources read and written,
// because any kind may be a target. Secrets and ConfigMaps are read for the
// authentications, target environments and triggers that name them, ServiceAccounts
// for the cloud roles they are annotated with. Pods are read once a trigger counts
// them. Tokens of ServiceAccounts are created for the authentications that ask for
// them: where none does, take that right away. On authentications it is said who uses
// them, and a finalizer of the operator that was there before is removed.
//
// The certificate of webhooks and external metrics is kept in a Secret of Freshet's
// own namespace, and the configuration of its own webhooks and its APIService are told
// to trust it. LimitRanges say what containers request by default.
//
// Jobs are made, watched and deleted for ScaledJobs. They are owned by their
// ScaledJob, for which some clusters ask the right to write its finalizers.
package permissions

// +kubebuilder:rbac:groups=keda.sh,resources=scaledobjects;scaledobjects/status;scaledobjects/finalizers,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=keda.sh,resources=scaledjobs;scaledjobs/status;scaledjobs/finalizers,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=keda.sh,resources=triggerauthentications;clustertriggerauthentications,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=keda.sh,resources=triggerauthentications/status;clustertriggerauthentications/status,verbs=patch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="*",resources="*/scale",verbs=get;update;patch
// +kubebuilder:rbac:groups="*",resources="*",verbs=get
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps;pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get
// +kubebuilder:rbac:groups="",resources=serviceaccounts/token,verbs=create
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=freshet,resources=leases,verbs=get;list;watch;create;update;patch
// +kubebuilder:rbac:groups="",resources=limitranges,verbs=get;list;watch
// +kubebuilder:rbac:groups="",namespace=freshet,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=freshet,resources=secrets,resourceNames=kedaorg-certs,verbs=get;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=keda-admission,verbs=get;update;patch
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,resourceNames=v1beta1.external.metrics.k8s.io;v1alpha1.why.freshet.io,verbs=get;update;patch
