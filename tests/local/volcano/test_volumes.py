"""Volumes of a Job: claims that exist, claims that are made, and their mounts."""

import re

import pytest

from jobflow.api.resources import VOLCANO_JOB
from jobflow.local.volcano.volumes import CLAIM

pytestmark = pytest.mark.looptime

STORAGE = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


async def test_a_claim_that_is_described_is_made_named_and_mounted(world, build_task):
    task = build_task(runs="100h")
    task["template"]["spec"]["initContainers"] = [{"name": "prepare", "image": "busybox"}]
    await world.create("train", task, volumes=[{"mountPath": "/data", "volumeClaim": STORAGE}])
    status = await world.until("train", "Running")
    [volume] = (await world.job("train"))["spec"]["volumes"]
    name = volume["volumeClaimName"]
    assert re.fullmatch(r"train-pvc-[0-9a-z]{12}", name)
    claim = await world.find(CLAIM, name)
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["metadata"]["ownerReferences"][0]["name"] == "train"
    assert status["controlledResources"] == {f"volume-pvc-{name}": name}
    spec = (await world.pods())["train-work-0"]["spec"]
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": name}
    mounts = {container["name"]: container.get("volumeMounts", []) for container in spec["containers"]}
    assert mounts["main"] == [{"name": spec["volumes"][0]["name"], "mountPath": "/data"}]
    assert "volumeMounts" not in spec["initContainers"][0]


async def test_it_is_made_once_and_goes_with_the_job(world, build_task, policy):
    task = build_task(runs="5s", exits=1)
    policies = [policy("PodFailed", "RestartJob")]
    await world.create("train", task, policies=policies, volumes=[{"mountPath": "/data", "volumeClaim": STORAGE}])
    await world.until("train", "Failed")
    assert len(await world.items(CLAIM)) == 1
    await world.client.delete(VOLCANO_JOB, "default", "train")
    await world.clock.sleep(60)
    assert await world.items(CLAIM) == []


async def test_a_job_waits_for_a_claim_that_it_names(world, build_task):
    await world.create("train", build_task(), volumes=[{"mountPath": "/data", "volumeClaimName": "shared"}])
    await world.clock.sleep(60)
    assert (await world.status("train"))["state"]["phase"] == "Pending"
    assert await world.pods() == {}
    assert await world.group("train") is None
    told = "pvc shared is not found, the job will be in the Pending state until the PVC is created"
    assert ("Warning", "PVCError", told) in await world.events()
    await world.make(CLAIM, "shared", spec=STORAGE)
    await world.until("train", "Completed")
    assert await world.find(CLAIM, "shared") is not None
    assert "controlledResources" not in await world.status("train")


async def test_a_second_volume_with_the_same_claim_is_left_out(world, build_task):
    await world.make(CLAIM, "shared", spec=STORAGE)
    volumes = [{"mountPath": path, "volumeClaimName": "shared"} for path in ("/a", "/b")]
    await world.create("train", build_task(), volumes=volumes)
    await world.until("train", "Completed")
    spec = (await world.pods())["train-work-0"]["spec"]
    assert [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]] == ["/a"]
