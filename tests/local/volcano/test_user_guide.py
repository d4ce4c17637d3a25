"""Jobs of the kinds that Volcano's user guide shows: they are taken as they are written, and end as told there."""

import pytest
import yaml

from jobflow.api.resources import POD, VOLCANO_JOB

pytestmark = pytest.mark.looptime

QUICK_START = """
minAvailable: 1
schedulerName: volcano
queue: default
policies:
  - {event: PodEvicted, action: RestartJob}
tasks:
  - replicas: 1
    name: nginx
    policies:
      - {event: TaskCompleted, action: CompleteJob}
    template:
      spec:
        restartPolicy: Never
        containers:
          - name: nginx
            image: nginx:latest
            command: [sleep, 10m]
            resources: {requests: {cpu: 1}, limits: {cpu: 1}}
"""

MPI = """
minAvailable: 3
schedulerName: volcano
plugins: {ssh: [], svc: []}
tasks:
  - replicas: 1
    name: mpimaster
    policies:
      - {event: TaskCompleted, action: CompleteJob}
    template:
      spec:
        restartPolicy: OnFailure
        containers:
          - name: mpimaster
            image: mpi
            workingDir: /home
            command: [/bin/sh, -c, "MPI_HOST=`paste -sd, /etc/volcano/mpiworker.host`; mpiexec --host $MPI_HOST hi"]
            ports: [{containerPort: 22, name: mpijob-port}]
  - replicas: 2
    name: mpiworker
    template:
      spec:
        restartPolicy: OnFailure
        containers:
          - name: mpiworker
            image: mpi
            workingDir: /home
            command: [/bin/sh, -c, "mkdir -p /var/run/sshd; /usr/sbin/sshd -D"]
            ports: [{containerPort: 22, name: mpijob-port}]
"""

TENSORFLOW = """
minAvailable: 3
schedulerName: volcano
plugins: {env: [], svc: []}
policies:
  - {event: PodEvicted, action: RestartJob}
queue: default
tasks:
  - replicas: 1
    name: ps
    template:
      spec:
        restartPolicy: Never
        containers:
          - name: tensorflow
            image: tf
            command: [sh, -c, "PS_HOST=`cat /etc/volcano/ps.host`; python train.py --task_index=${VK_TASK_INDEX}"]
            ports: [{containerPort: 2222, name: tfjob-port}]
  - replicas: 2
    name: worker
    policies:
      - {event: TaskCompleted, action: CompleteJob}
    template:
      spec:
        restartPolicy: Never
        containers:
          - name: tensorflow
            image: tf
            command: [sh, -c, "python train.py --job_name=worker --task_index=${VK_TASK_INDEX}"]
            ports: [{containerPort: 2222, name: tfjob-port}]
"""

PYTORCH = """
minAvailable: 1
schedulerName: volcano
plugins: {pytorch: ["--master=master", "--worker=worker", "--port=23456"]}
tasks:
  - replicas: 1
    name: master
    policies:
      - {event: TaskCompleted, action: CompleteJob}
    template:
      spec:
        restartPolicy: OnFailure
        containers: [{image: pytorch, imagePullPolicy: IfNotPresent, name: master}]
  - replicas: 2
    name: worker
    template:
      spec:
        restartPolicy: OnFailure
        containers: [{image: pytorch, imagePullPolicy: IfNotPresent, name: worker, workingDir: /home}]
"""

ALL_FIELDS = """
minAvailable: 4
schedulerName: volcano
priorityClassName: high-priority
policies:
  - {event: PodEvicted, action: RestartJob}
plugins: {ssh: [], env: [], svc: []}
maxRetry: 5
queue: default
volumes:
  - mountPath: /myinput
  - mountPath: /myoutput
    volumeClaimName: testvolumeclaimname
    volumeClaim:
      accessModes: [ReadWriteOnce]
      storageClassName: my-storage-class
      resources: {requests: {storage: 1Gi}}
tasks:
  - replicas: 6
    name: default-nginx
    template:
      metadata: {name: web}
      spec:
        containers:
          - {image: nginx, imagePullPolicy: IfNotPresent, name: nginx, resources: {requests: {cpu: 1}}}
        restartPolicy: OnFailure
"""


async def run(world, spec, runs):
    """Create the Job; `runs` says how long the pods of each task run."""
    for task in spec["tasks"]:
        metadata = task["template"].setdefault("metadata", {})
        metadata["annotations"] = {"simulate.jobflow.volcano.sh/duration": runs[task["name"]]}
    await world.create("guide", *spec.pop("tasks"), **spec)


@pytest.mark.parametrize(
    ("text", "runs", "phases", "pods"),
    [
        (QUICK_START, {"nginx": "600s"}, ["Pending", "Running", "Completing", "Completed"], 1),
        (
            MPI,
            {"mpimaster": "30s", "mpiworker": "100h"},
            ["Pending", "Running", "Completing", "Completed"],
            3,
        ),
        (TENSORFLOW, {"ps": "100h", "worker": "60s"}, ["Pending", "Running", "Completing", "Completed"], 3),
        (PYTORCH, {"master": "60s", "worker": "100h"}, ["Pending", "Running", "Completing", "Completed"], 3),
    ],
    ids=["quick start", "mpi", "tensorflow", "pytorch"],
)
async def test_a_job_of_the_guide(world, text, runs, phases, pods):
    await run(world, yaml.safe_load(text), runs)
    await world.until_status("guide", lambda status: status.get("running") == pods)
    status = await world.until("guide", "Completed")
    assert [condition["status"] for condition in status["conditions"]] == phases
    assert status["taskStatusCount"]


async def test_the_long_one_is_refused_for_its_volumes_in_volcanos_words(world):
    """The guide's template of all fields names and describes one claim, and gives a volume neither."""
    with pytest.raises(Exception, match="either VolumeClaim or VolumeClaimName must be specified") as refused:
        await run(world, yaml.safe_load(ALL_FIELDS), {"default-nginx": "60s"})
    assert "conflict: If you want to use an existing PVC, just specify VolumeClaimName." in str(refused.value)
    spec = yaml.safe_load(ALL_FIELDS)
    spec["volumes"] = [{"mountPath": "/myoutput", "volumeClaim": spec["volumes"][1]["volumeClaim"]}]
    await run(world, spec, {"default-nginx": "60s"})
    await world.until("guide", "Completed")


async def test_a_pod_that_is_evicted_restarts_the_job(world):
    await run(world, yaml.safe_load(QUICK_START), {"nginx": "600s"})
    await world.until("guide", "Running")
    await world.client.delete(POD, "default", "guide-nginx-0")
    await world.until_status("guide", lambda status: status.get("retryCount") == 1 and status.get("running") == 1)
    assert (await world.find(VOLCANO_JOB, "guide"))["status"]["version"] == 1
