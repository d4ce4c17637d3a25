package main

// The wire shape of Volcano's flow.volcano.sh/v1alpha1 and batch.volcano.sh/v1alpha1: names of fields and their Go
// types, which decide what JSON a Go client accepts. A client decodes a list as a whole: one field of another type,
// in one object, and it sees none of them.

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type object[S, T any] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              S `json:"spec,omitempty"`
	Status            T `json:"status,omitempty"`
}

type list[O any] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []O `json:"items"`
}

type (
	jobFlow     = object[flowSpec, flowStatus]
	jobTemplate = object[jobSpec, templateStatus]
	job         = object[jobSpec, jobStatus]
)

type flowSpec struct {
	Flows           []step `json:"flows,omitempty"`
	JobRetainPolicy string `json:"jobRetainPolicy,omitempty"`
}

type step struct {
	Name      string     `json:"name"`
	DependsOn *dependsOn `json:"dependsOn,omitempty"`
	Patch     *patch     `json:"patch,omitempty"`
}

type patch struct {
	JobSpec jobSpec `json:"jobSpec,omitempty"`
}

type dependsOn struct {
	Targets []string `json:"targets,omitempty"`
	Probe   *probe   `json:"probe,omitempty"`
}

type probe struct {
	HTTPGetList []struct {
		TaskName   string            `json:"taskName,omitempty"`
		Path       string            `json:"path,omitempty"`
		Port       int               `json:"port,omitempty"`
		HTTPHeader corev1.HTTPHeader `json:"httpHeader,omitempty"`
	} `json:"httpGetList,omitempty"`
	TCPSocketList []struct {
		TaskName string `json:"taskName,omitempty"`
		Port     int    `json:"port"`
	} `json:"tcpSocketList,omitempty"`
	TaskStatusList []struct {
		TaskName string `json:"taskName,omitempty"`
		Phase    string `json:"phase,omitempty"`
	} `json:"taskStatusList,omitempty"`
}

type flowStatus struct {
	PendingJobs    []string             `json:"pendingJobs,omitempty"`
	RunningJobs    []string             `json:"runningJobs,omitempty"`
	FailedJobs     []string             `json:"failedJobs,omitempty"`
	CompletedJobs  []string             `json:"completedJobs,omitempty"`
	TerminatedJobs []string             `json:"terminatedJobs,omitempty"`
	UnKnowJobs     []string             `json:"unKnowJobs,omitempty"`
	JobStatusList  []listed             `json:"jobStatusList,omitempty"`
	Conditions     map[string]condition `json:"conditions,omitempty"`
	State          struct {
		Phase string `json:"phase,omitempty"`
	} `json:"state,omitempty"`
}

type listed struct {
	Name             string      `json:"name,omitempty"`
	State            string      `json:"state,omitempty"`
	StartTimestamp   metav1.Time `json:"startTimestamp,omitempty"`
	EndTimestamp     metav1.Time `json:"endTimestamp,omitempty"`
	RestartCount     int32       `json:"restartCount,omitempty"`
	RunningHistories []struct {
		StartTimestamp metav1.Time `json:"startTimestamp,omitempty"`
		EndTimestamp   metav1.Time `json:"endTimestamp,omitempty"`
		State          string      `json:"state,omitempty"`
	} `json:"runningHistories,omitempty"`
}

type condition struct {
	Phase           string               `json:"phase,omitempty"`
	CreateTime      metav1.Time          `json:"createTime,omitempty"`
	RunningDuration *metav1.Duration     `json:"runningDuration,omitempty"`
	TaskStatusCount map[string]taskState `json:"taskStatusCount,omitempty"`
}

type taskState struct {
	Phase map[corev1.PodPhase]int32 `json:"phase,omitempty"`
}

type templateStatus struct {
	JobDependsOnList []string `json:"jobDependsOnList,omitempty"`
}

type jobSpec struct {
	SchedulerName           string              `json:"schedulerName,omitempty"`
	MinAvailable            int32               `json:"minAvailable,omitempty"`
	MinSuccess              *int32              `json:"minSuccess,omitempty"`
	Volumes                 []volume            `json:"volumes,omitempty"`
	Tasks                   []task              `json:"tasks,omitempty"`
	Policies                []policy            `json:"policies,omitempty"`
	Plugins                 map[string][]string `json:"plugins,omitempty"`
	RunningEstimate         *metav1.Duration    `json:"runningEstimate,omitempty"`
	Queue                   string              `json:"queue,omitempty"`
	MaxRetry                int32               `json:"maxRetry,omitempty"`
	TTLSecondsAfterFinished *int32              `json:"ttlSecondsAfterFinished,omitempty"`
	PriorityClassName       string              `json:"priorityClassName,omitempty"`
	NetworkTopology         *topology           `json:"networkTopology,omitempty"`
}

type topology struct {
	Mode               string `json:"mode,omitempty"`
	HighestTierAllowed *int   `json:"highestTierAllowed,omitempty"`
	HighestTierName    string `json:"highestTierName,omitempty"`
}

type volume struct {
	MountPath       string                            `json:"mountPath"`
	VolumeClaimName string                            `json:"volumeClaimName,omitempty"`
	VolumeClaim     *corev1.PersistentVolumeClaimSpec `json:"volumeClaim,omitempty"`
}

type policy struct {
	Action   string           `json:"action,omitempty"`
	Event    string           `json:"event,omitempty"`
	Events   []string         `json:"events,omitempty"`
	ExitCode *int32           `json:"exitCode,omitempty"`
	Timeout  *metav1.Duration `json:"timeout,omitempty"`
}

type task struct {
	Name            string                 `json:"name,omitempty"`
	Replicas        int32                  `json:"replicas,omitempty"`
	MinAvailable    *int32                 `json:"minAvailable,omitempty"`
	Template        corev1.PodTemplateSpec `json:"template,omitempty"`
	Policies        []policy               `json:"policies,omitempty"`
	TopologyPolicy  string                 `json:"topologyPolicy,omitempty"`
	MaxRetry        int32                  `json:"maxRetry,omitempty"`
	PartitionPolicy *struct {
		TotalPartitions int32     `json:"totalPartitions"`
		PartitionSize   int32     `json:"partitionSize"`
		MinPartitions   int32     `json:"minPartitions,omitempty"`
		NetworkTopology *topology `json:"networkTopology,omitempty"`
	} `json:"partitionPolicy,omitempty"`
	DependsOn *struct {
		Name      []string `json:"name,omitempty"`
		Iteration string   `json:"iteration,omitempty"`
	} `json:"dependsOn,omitempty"`
}

type jobStatus struct {
	State struct {
		Phase              string      `json:"phase,omitempty"`
		Reason             string      `json:"reason,omitempty"`
		Message            string      `json:"message,omitempty"`
		LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
	} `json:"state,omitempty"`
	MinAvailable        int32                `json:"minAvailable,omitempty"`
	TaskStatusCount     map[string]taskState `json:"taskStatusCount,omitempty"`
	Pending             int32                `json:"pending,omitempty"`
	Running             int32                `json:"running,omitempty"`
	Succeeded           int32                `json:"succeeded,omitempty"`
	Failed              int32                `json:"failed,omitempty"`
	Terminating         int32                `json:"terminating,omitempty"`
	Unknown             int32                `json:"unknown,omitempty"`
	Version             int32                `json:"version,omitempty"`
	RetryCount          int32                `json:"retryCount,omitempty"`
	RunningDuration     *metav1.Duration     `json:"runningDuration,omitempty"`
	ControlledResources map[string]string    `json:"controlledResources,omitempty"`
	Conditions          []struct {
		Status             string       `json:"status"`
		LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
	} `json:"conditions,omitempty"`
}
