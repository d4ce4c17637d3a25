"""Parameters on both control planes: what the CRDs keep and refuse, and flows that come to the same end."""

from __future__ import annotations

import pytest
from conformance.volcano import playing

from jobflow.api.resources import CONFIG_MAP, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.kube.errors import Invalid
from jobflow.testing.builders import flow, template

pytestmark = pytest.mark.asyncio(loop_scope="session")

VALUES = [8, 0.5, True, False, 0, "", "1.10", "$(x)", [1, "a", {"b": None}], {"deep": {"er": [[]]}}, []]
WORKER = (
    template("worker")
    .task("worker", command=["work", "$(params.samples)", "$(HOSTNAME)", "$$(params.samples)"])
    .having(parameters=[{"name": "samples", "value": 10}, {"name": "mode", "value": "a", "enum": ["a", "b"]}])
    .having(minAvailable=1)
)
SIZED = {"minAvailable": "$(params.n)", "tasks": [{"name": "worker", "replicas": "$(params.n)"}]}
F = flow("f").step("a").having(templateRef={"name": "worker"}, patch={"spec": SIZED})
FROM_MAP = {"valueFrom": {"configMapKeyRef": {"name": "sizes", "key": "large"}}}


async def config(world, **data) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sizes"}, "data": data}
    await world.client.create(CONFIG_MAP, world.namespace, body)


async def test_a_value_of_any_type_is_kept_as_it_is_written(world):
    built = F
    for index, value in enumerate(VALUES):
        built = built.parameter(f"p{index}", value)
    arguments = [{"name": f"p{index}", "value": value} for index, value in enumerate(VALUES)]
    await world.create(JOB_FLOW, built.having(arguments=arguments).body())
    spec = (await world.flow("f"))["spec"]
    assert [parameter["value"] for parameter in spec["parameters"]] == VALUES
    assert [argument["value"] for argument in spec["flows"][0]["arguments"]] == VALUES


async def test_a_template_keeps_its_parameters(world):
    await world.templates(WORKER)
    stored = await world.read(JOB_TEMPLATE, "worker")
    assert stored["spec"]["parameters"] == WORKER.spec["parameters"]


REFUSED = [
    ("a name that no placeholder can have", F.parameter("a.b", 1), "spec.parameters[0].name"),
    ("no name", F.parameter("", 1), "spec.parameters[0].name"),
    ("the same name twice", F.parameter("n", 1).parameter("n", 2), "spec.parameters[1]"),
    ("a reference without its key", F.parameter("n", valueFrom={"configMapKeyRef": {"name": "m"}}), "key"),
    ("nothing allowed", F.parameter("n", 1, enum=[]), "spec.parameters[0].enum"),
    ("an argument without a value", F.having(arguments=[{"name": "n"}]), "spec.flows[0].arguments[0].value"),
    ("the same argument twice", F.having(arguments=[{"name": "n", "value": 1}] * 2), "spec.flows[0].arguments[1]"),
]


@pytest.mark.parametrize(("said", "built", "path"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_the_crd_refuses(world, said, built, path):
    with pytest.raises(Invalid) as told:
        await world.create(JOB_FLOW, built.body())
    assert path in str(told.value)


async def test_parameters_are_frozen_as_steps_are(world):
    await world.create(JOB_FLOW, F.parameter("n", 2).parameter("m", {"a": [1]}).body())
    for changed in ([{"name": "n", "value": 3}], [{"name": "n", "value": 2}]):
        with pytest.raises(Invalid, match="the parameters of a flow are frozen from its creation"):
            await world.client.patch(JOB_FLOW, world.namespace, "f", {"spec": {"parameters": changed}})


async def test_one_template_at_two_sizes(world):
    await world.templates(WORKER)
    await config(world, large="8")
    built = flow("sizes").parameter("n", 2).parameter("m", **FROM_MAP)
    built = built.step("small").having(templateRef={"name": "worker"}, patch={"spec": SIZED})
    large = {"minAvailable": "$(params.m)", "tasks": [{"name": "worker", "replicas": "$(params.m)"}]}
    built = built.step("large", after="small").having(
        templateRef={"name": "worker"},
        patch={"spec": large, "metadata": {"labels": {"size": "of-$(params.m)"}}},
        arguments=[{"name": "samples", "value": "$(params.m)000"}, {"name": "mode", "value": "b"}],
    )
    await world.create(JOB_FLOW, built.body())
    async with playing(world.client, world.namespace), world.controller():
        await world.phase("sizes", "Succeed")
        await world.is_quiet("sizes")
    jobs = await world.jobs()
    told = {
        name: (
            job["spec"]["minAvailable"],
            job["spec"]["tasks"][0]["replicas"],
            job["spec"]["tasks"][0]["template"]["spec"]["containers"][0]["command"],
        )
        for name, job in jobs.items()
    }
    assert told == {
        "sizes-small": (2, 2, ["work", "10", "$(HOSTNAME)", "$(params.samples)"]),
        "sizes-large": (8, 8, ["work", "8000", "$(HOSTNAME)", "$(params.samples)"]),
    }
    assert jobs["sizes-large"]["metadata"]["labels"]["size"] == "of-8"
    assert all("parameters" not in job["spec"] for job in jobs.values())


async def test_a_configmap_that_comes_late_starts_its_step(world):
    await world.templates(WORKER)
    await world.create(JOB_FLOW, F.parameter("n", **FROM_MAP).body())
    async with playing(world.client, world.namespace) as volcano, world.controller():
        status = await world.until("f", lambda told: _reason(told) == "ParameterNotFound")
        said = f"parameter n has no value: there is no ConfigMap sizes in namespace {world.namespace}"
        assert status["flowStatuses"][0]["message"].startswith(said)
        assert volcano.born == []
        await config(world, large="3")
        await world.phase("f", "Succeed")
    assert (await world.read(VOLCANO_JOB, "f-a"))["spec"]["minAvailable"] == 3


def _reason(status) -> str:
    return next((entry.get("reason", "") for entry in status.get("flowStatuses", ())), "")


async def test_an_argument_that_no_template_takes_fails_its_step(world):
    await world.templates(WORKER)
    built = F.parameter("n", 1).having(arguments=[{"name": "sample", "value": 1}])
    await world.create(JOB_FLOW, built.body())
    async with playing(world.client, world.namespace) as volcano, world.controller():
        status = await world.phase("f", "Failed")
        (told,) = status["flowStatuses"]
        assert (told["phase"], told["reason"]) == ("Failed", "ParameterInvalid")
        assert 'JobTemplate worker has no parameter sample; did you mean "samples"?' in told["message"]
        assert volcano.born == []
