"""`python -m jobflow.testing`: what it prints, and its exit codes."""

from __future__ import annotations

import shlex
import signal
import threading
from random import Random

import pytest

from jobflow.app import App
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Request
from jobflow.testing.__main__ import main
from jobflow.testing.faults import FAULTS
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.sweep import Selection, sweep
from jobflow.testing.world import play

SOME = Selection(("chain",), part=(1, 100))


def test_replay_prints_the_timeline_and_keeps_quiet_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "chain", "--plan", "crash-after:4"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("scenario chain, seed 0, plan crash-after:4\n")
    assert "controller-1 crashed" in told
    assert "BROKEN" not in told


def test_replay_says_which_fault_did_not_take_effect(capsys: pytest.CaptureFixture[str]) -> None:
    main(["replay", "chain", "--plan", "crash-after:4 crash-after:9999"])
    assert "-- crash-after:9999 did not take effect" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["replay", "chian"], "no scenario is called 'chian'; known are chain, diamond"),
        (["replay", "chain", "--plan", "bang:1"], "no fault is called 'bang'"),
        (["replay", "chain", "--seed", "-1"], "'-1' is not a number from 0 on"),
        (["--scenario", "chian"], "no scenario is called 'chian'"),
        (["--slice", "3/2"], "'3/2' is not a slice such as 1/2"),
        (["--pairs", "few"], "'few' is not a number from 0 on"),
        (["mutants", "nonsuch"], "no mutant is called 'nonsuch'; known are adopt what has the name; "),
    ],
)
def test_what_does_not_exist_is_refused_with_exit_code_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_faults_lists_how_each_fault_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[::2]] == sorted(FAULTS)


def test_mutants_are_told_with_what_caught_them_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "write what is written", "create after the outcome"]) == 0
    told = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [[word.strip() for word in line if word] for line in told] == [
        ["caught", "write what is written", "every write changes something", "chain"],
        ["caught", "create after the outcome", "nothing after the end", "failing"],
        ["2 of 2 caught"],
    ]


def test_one_command_prints_all_that_is_promised(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenario", "chain", "--slice", "7/60"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line[:24].strip() for line in told] == [
        "standard flows", "plans", "histories", "faults injected", "oracle checks", "failures", "mutants caught",
        "histories per CPU-minute",
    ]  # fmt: skip
    assert told[5].split() == ["failures", "0"]


def test_a_sweep_counts_what_it_did() -> None:
    report = sweep(SOME)

    assert (report.scenarios, report.failures, report.left_out) == (["chain"], [], 0)
    assert report.histories == -(-report.plans // 100)
    assert report.checks > report.histories
    assert "histories per CPU-minute" in report.text()


def test_ctrl_c_ends_a_sweep_after_the_history_at_hand_and_keeps_its_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell runs us in the background
    threading.Timer(1.0, signal.raise_signal, (signal.SIGINT,)).start()
    assert main(["--scenario", "chain"]) == 130
    told = capsys.readouterr().out
    assert "ending after this history" in told
    assert "histories" in told
    assert signal.getsignal(signal.SIGINT) is before


def test_slices_together_are_the_whole() -> None:
    whole = sweep(Selection(("chain",), minutes=0)).left_out
    parts = [sweep(Selection(("chain",), part=(number, 3), minutes=0)).left_out for number in (1, 2, 3)]
    assert sum(parts) == whole


class Doubling(Client):
    """Makes the first Job twice, under two names: a bug that any history shows."""

    async def _attempt(self, request: Request) -> bytes:
        answer = await super()._attempt(request)
        if request.method == "POST" and request.path.endswith("/jobs"):
            twin = request.body.replace(b'"name":"chain-a"', b'"name":"chain-a-2"')
            await self._transport.request(Request("POST", request.path, request.query, twin), 30)
        return answer


def doubling(client: Client, clock: Clock, random: Random) -> App:
    return App(Doubling(client._transport, clock, random=client.random), clock, Settings(workers=2), random)


def test_a_failure_is_told_with_the_command_that_replays_it_and_shrunk() -> None:
    told: list[str] = []

    report = sweep(Selection(("chain",), pairs=3, part=(1, 400)), tell=told.append, app_factory=doubling)

    assert len(report.failures) == report.histories > 0
    for failure, text in zip(report.failures, told, strict=True):
        assert failure.run.command() in text
        assert text.startswith("FAILED ")
        if failure.shrunk is not None:
            assert failure.shrunk.plan == (), "no fault is needed"
    command = shlex.split(report.failures[0].run.command())
    assert command[:5] == ["python", "-m", "jobflow.testing", "replay", "chain"]
    assert any("controller-1  create Job default/chain-a-2" in text for text in told)


def test_standard_flows_are_those_that_are_promised() -> None:
    assert list(STANDARD)[:6] == ["chain", "diamond", "retain", "delete", "failing", "ttl"]
    assert play(STANDARD["chain"]).expected == {"chain": "Succeeded"}
