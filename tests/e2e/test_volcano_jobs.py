"""Volcano Jobs as a user of kubectl sees them: real processes that find each other, commands, queues, schedules."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

RUN_SECONDS = 120

TALK = """
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: talk}
spec:
  minAvailable: 1
  plugins: {env: [], svc: [], ssh: [], pytorch: []}
  policies: [{event: TaskCompleted, action: CompleteJob}]
  volumes:
    - {mountPath: /data, volumeClaim: {accessModes: [ReadWriteOnce]}}
  tasks:
    - name: master
      replicas: 1
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: python
              readinessProbe: {tcpSocket: {port: 23456}, periodSeconds: 1}
              command:
                - python3
                - -c
                - |
                  import os, pathlib, socket, time
                  time.sleep(1)
                  pathlib.Path("/data/from-master").write_text("1")
                  print("hosts:", pathlib.Path("/etc/volcano/worker.host").read_text())
                  print("key:", pathlib.Path("/root/.ssh/id_rsa").read_text()[:31])
                  server = socket.create_server(("0.0.0.0", int(os.environ["MASTER_PORT"])))
                  ranks = {""}
                  while len(ranks) < 3:
                      ranks.add(server.accept()[0].recv(100).decode())  # nothing from a probe
                  print("ranks:", *sorted(ranks), "of", os.environ["WORLD_SIZE"])
    - name: worker
      replicas: 2
      dependsOn: {name: [master]}
      template:
        spec:
          restartPolicy: OnFailure
          containers:
            - name: main
              image: python
              command:
                - python3
                - -c
                - |
                  import os, pathlib, socket, time
                  assert pathlib.Path("/data/from-master").exists()
                  assert os.environ["VC_MASTER_HOSTS"] == os.environ["MASTER_ADDR"]
                  address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
                  socket.create_connection(address).sendall(os.environ["RANK"].encode())
                  time.sleep(60)
"""

SLEEPER = """
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {{name: sleeper}}
spec:
  queue: {queue}
  tasks:
    - name: main
      replicas: 1
      template:
        spec:
          restartPolicy: Never
          containers: [{{name: main, image: busybox, command: [sleep, "300"]}}]
"""

COMMAND = """
apiVersion: bus.volcano.sh/v1alpha1
kind: Command
metadata: {{generateName: sleeper-, namespace: default}}
action: {action}
target: {{apiVersion: {api}, kind: {kind}, name: {name}, uid: {uid}}}
"""

CRON = """
apiVersion: batch.volcano.sh/v1alpha1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "@every 1s"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      tasks:
        - name: main
          replicas: 1
          template:
            spec:
              restartPolicy: Never
              containers: [{name: main, image: busybox, command: [echo, ticked]}]
"""


def test_the_pods_of_a_job_find_each_other(jobflow: str, tmp_path: Path) -> None:
    """Host names, files of the plugins at their places, a volume, ranks: all by real processes."""
    (tmp_path / "talk.yaml").write_text(TALK)
    data = tmp_path / "data"
    command = [jobflow, "run", "--allow-root", "--data", str(data), str(tmp_path / "talk.yaml")]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, env=environment)
    [log] = data.glob("run/logs/default_talk-master-0_*/main/0.log")
    said = log.read_text()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{said}"
    assert "hosts: talk-worker-0.talk\n" in said
    assert "key: -----BEGIN RSA PRIVATE KEY-----" in said
    assert "ranks:  1 2 of 3" in said


def test_suspend_resume_and_a_closed_queue(up) -> None:
    kubectl = up().kubectl

    def phase(wanted: str) -> None:
        kubectl("wait", "vcjob/sleeper", f"--for=jsonpath={{.status.state.phase}}={wanted}", "--timeout=60s")

    def ask(action: str, plural: str, name: str) -> None:
        about = json.loads(kubectl("get", plural, name, "-o", "json").stdout)
        named = {"api": about["apiVersion"], "kind": about["kind"], "name": name, "uid": about["metadata"]["uid"]}
        kubectl("create", "-f", "-", stdin=COMMAND.format(action=action, **named))

    applied = kubectl("apply", "-f", "-", stdin=SLEEPER.format(queue="gold"))
    assert "Warning: queue gold does not exist and is created" in applied.stderr
    phase("Running")
    group = json.loads(kubectl("get", "podgroups", "-o", "json").stdout)["items"][0]
    assert (group["spec"]["minMember"], group["spec"]["queue"]) == (1, "gold")

    for action, wanted in (("AbortJob", "Aborted"), ("ResumeJob", "Running"), ("TerminateJob", "Terminated")):
        ask(action, "vcjob", "sleeper")
        phase(wanted)
    assert kubectl("get", "commands", "-o", "name").stdout == ""
    assert "Start to execute command TerminateJob" in kubectl("describe", "vcjob", "sleeper").stdout
    kubectl("delete", "vcjob", "sleeper")

    ask("CloseQueue", "queue", "gold")
    kubectl("wait", "queue/gold", "--for=jsonpath={.status.state}=Closed", "--timeout=60s")
    refused = kubectl("apply", "-f", "-", stdin=SLEEPER.format(queue="gold"), check=False)
    assert refused.returncode != 0
    assert "can only submit job to queue with state `Open`, queue `gold` status is `Closed`" in refused.stderr


def test_strict_refuses_a_queue_that_is_not_there(up) -> None:
    kubectl = up("--strict").kubectl
    refused = kubectl("apply", "-f", "-", stdin=SLEEPER.format(queue="gold"), check=False)
    assert 'unable to find job queue: queues.scheduling.volcano.sh "gold" not found;' in refused.stderr


def test_a_cron_job_makes_jobs(up) -> None:
    kubectl = up().kubectl
    kubectl("apply", "-f", "-", stdin=CRON)
    kubectl("wait", "cronvj/tick", "--for=jsonpath={.status.lastSuccessfulTime}", "--timeout=90s")
    kubectl("patch", "cronvj", "tick", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    pod = kubectl("get", "pods", "-o", "name").stdout.split()[0]
    assert kubectl("logs", pod).stdout == "ticked\n"
    assert kubectl("get", "cronvj").stdout.split()[:5] == ["NAME", "SCHEDULE", "SUSPEND", "LAST", "SCHEDULE"]
    bad = kubectl("patch", "cronvj", "tick", "--type=merge", "-p", '{"spec":{"schedule":"never"}}', check=False)
    assert "schedule is not a valid cron expression" in bad.stderr
