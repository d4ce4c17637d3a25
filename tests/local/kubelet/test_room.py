"""Room: pods wait for what others hold, and never for what there is not."""

import json
from fractions import Fraction

import pytest

from jobflow.api.resources import POD
from jobflow.local.kubelet.capacity import Amount, of_pod
from jobflow.local.kubelet.node import NODE
from jobflow.local.kubelet.quantities import bytes_text, cpu_text, in_units, parse_quantity
from jobflow.local.kubelet.room import Fits, Never, Room, Waits
from jobflow.local.kubelet.simulated import SimulatedRuntime

GIB = 1024**3


def amount(cpu=0, memory=0):
    return Amount(Fraction(cpu), Fraction(memory * GIB))


MACHINE = amount(2, 4)


class TestRoom:
    def test_what_fits_is_held_until_it_leaves(self):
        room = Room(MACHINE)
        assert room.ask("a", amount(cpu=2)) == Fits()
        assert isinstance(room.ask("b", amount(cpu="1/2")), Waits)
        assert room.leave("a")
        assert room.ask("b", amount(cpu="1/2")) == Fits()

    def test_a_small_one_passes_one_that_does_not_fit(self):
        room = Room(MACHINE)
        room.ask("a", amount(cpu=1))
        assert isinstance(room.ask("big", amount(cpu=2)), Waits)
        assert room.ask("small", amount(cpu=1)) == Fits()

    @pytest.mark.parametrize(
        ("asked", "reason", "told"),
        [
            (amount(cpu=3), "OutOfcpu", "cpu 3, memory 0; this machine has cpu 2, memory 4Gi"),
            (amount(memory=5), "OutOfmemory", "cpu 0, memory 5Gi; this machine has cpu 2, memory 4Gi"),
        ],
    )
    def test_what_can_never_fit_is_told_with_both_numbers(self, asked, reason, told):
        verdict = Room(MACHINE).ask("a", asked)
        assert isinstance(verdict, Never)
        assert (verdict.reason, told in verdict.message) == (reason, True)

    def test_who_asks_again_still_fits(self):
        room = Room(MACHINE)
        room.ask("a", amount(cpu=2))
        assert room.ask("a", amount(cpu=2)) == Fits()

    def test_who_asks_for_nothing_always_fits(self):
        room = Room(MACHINE)
        room.ask("a", MACHINE)
        assert room.ask("b", amount()) == Fits()

    def test_without_a_capacity_everything_fits(self):
        assert Room(None).ask("a", amount(cpu=10**6)) == Fits()


class TestWhatAPodAsksFor:
    def asked(self, pod, *containers, init=()):
        return of_pod(pod(*containers, init=init).spec)

    def test_the_sum_of_its_containers_limits_standing_in_for_requests(self, pod, container):
        first = container("a", resources={"requests": {"cpu": "500m"}, "limits": {"cpu": 1, "memory": "1Gi"}})
        second = container("b", resources={"limits": {"cpu": "250m"}})
        assert self.asked(pod, first, second) == amount(cpu="3/4", memory=1)

    def test_its_largest_init_container_if_that_is_more(self, pod, container):
        big = container("big", resources={"requests": {"cpu": 2}})
        assert self.asked(pod, container(resources={"requests": {"cpu": 1}}), init=[big]) == amount(cpu=2)

    def test_sidecars_run_beside_all_that_come_after(self, pod, container):
        side = container("side", resources={"requests": {"cpu": 1}}, restartPolicy="Always")
        later = container("later", resources={"requests": {"cpu": 2}})
        main = container(resources={"requests": {"cpu": 1}})
        assert self.asked(pod, main, init=[side, later]) == amount(cpu=3)
        assert self.asked(pod, main, init=[side]) == amount(cpu=2)

    def test_other_resources_are_not_counted(self, pod, container):
        assert self.asked(pod, container(resources={"limits": {"nvidia.com/gpu": 8}})) == amount()

    def test_what_is_no_quantity_is_named(self, pod, container):
        with pytest.raises(ValueError, match='container main: resources: cpu: "many" is not a quantity'):
            self.asked(pod, container(resources={"requests": {"cpu": "many"}}))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("2", 2), ("500m", Fraction(1, 2)), ("1.5", Fraction(3, 2)), (".5", Fraction(1, 2)), (3, 3)),
        *(
            ("1Ki", 1024),
            ("1.5Gi", 1536 * 1024**2),
            ("1k", 1000),
            ("2E", 2 * 10**18),
            ("1e3", 1000),
            ("12E-1", Fraction(6, 5)),
        ),
        *((0.25, Fraction(1, 4)), ("100n", Fraction(1, 10**7))),
    ],
)
def test_quantities(text, number):
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "1.2.3", "Gi", "1mi"])
def test_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="is not a quantity: write it like 500m"):
        parse_quantity(text)


def test_quantities_for_people():
    assert [cpu_text(Fraction(n)) for n in ("2", "1/2", "3/2")] == ["2", "500m", "1500m"]
    assert [bytes_text(Fraction(n)) for n in (0, 10, 1536, 3 * GIB // 2)] == ["0", "10", "1.5Ki", "1.5Gi"]
    assert in_units(Fraction(1, 4), 1) == 1


@pytest.mark.looptime
class TestOnTheApiServer:
    def main(self, **requests):
        return [{"name": "main", "image": "i", "resources": {"requests": requests}}]

    async def test_a_pod_waits_for_another_and_is_told_why(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock), MACHINE):
            await cluster.create("first", {"duration": "30s"}, containers=self.main(cpu="2"))
            await cluster.until("Running", "first")
            await cluster.create("second", {"duration": "30s"}, containers=self.main(cpu="500m"))
            told = (
                "Unschedulable",
                "the pod asks for cpu 500m, memory 0; of this machine's cpu 2, memory 4Gi "
                "others hold too much: it waits for them",
            )
            assert await cluster.events("second") == [told]
            pod = await cluster.pod("second")
            [condition] = pod["status"]["conditions"]
            assert (condition["type"], condition["status"], condition["reason"]) == (
                "PodScheduled",
                "False",
                "Unschedulable",
            )
            assert "nodeName" not in pod["spec"]
            assert (await cluster.pod("first"))["status"]["phase"] == "Running"
            ended = await cluster.until("Succeeded", "second")
            conditions = {each["type"]: each["status"] for each in ended["status"]["conditions"]}
            assert conditions["PodScheduled"] == "True"

    async def test_a_pod_that_can_never_fit_has_failed_at_once(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock), MACHINE):
            await cluster.create(containers=self.main(memory="8Gi"), nodeName="local")
            status = (await cluster.until("Failed"))["status"]
            assert status["reason"] == "OutOfmemory"
            assert "memory 8Gi; this machine has cpu 2, memory 4Gi: it can never run here" in status["message"]

    async def test_a_pod_that_waits_can_be_deleted_and_another_takes_its_place(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock), MACHINE):
            await cluster.create("first", {"duration": "100h"}, containers=self.main(cpu="2"), nodeName="local")
            await cluster.until("Running", "first")
            await cluster.create("second", containers=self.main(cpu="1"), nodeName="local")
            await cluster.events("second")
            await cluster.client.delete(POD, "default", "second")
            await cluster.until_gone("second")
            await cluster.create("third", containers=self.main(cpu="1"), nodeName="local")
            await cluster.client.delete(POD, "default", "first")
            await cluster.until("Succeeded", "third")

    async def test_the_node_tells_what_there_is(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock), MACHINE):
            node = json.loads(await cluster.client.get(NODE, None, "local"))
        assert node["status"]["allocatable"] == {"cpu": "2", "memory": str(4 * GIB)}
        assert [(each["type"], each["status"]) for each in node["status"]["conditions"]] == [("Ready", "True")]
