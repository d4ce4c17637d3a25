"""The reflector against a scripted API server, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

import pytest

from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.errors import (
    Forbidden,
    Gone,
    KindNotFound,
    SilentStream,
    TruncatedStream,
    Unauthorized,
    Unavailable,
)
from jobflow.kube.reflector import (
    Absent,
    Listing,
    Pace,
    Reflector,
    Selection,
    Turn,
    Watching,
    next_state,
)

pytestmark = pytest.mark.looptime


class Held:
    """A sink that holds versions by name and remembers how often all of them were replaced."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.replaced: list[str] = []

    def replace(self, objects: Sequence, resource_version: str) -> None:
        self.versions = {obj.name: obj.version for obj in objects}
        self.replaced.append(resource_version)

    def put(self, obj) -> None:
        self.versions[obj.name] = obj.version

    def remove(self, obj) -> None:
        del self.versions[obj.name]


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def reflector(api, client: Client, codec, held: Held) -> Reflector:
    return Reflector(client, SystemClock(), api.widget, codec, held)


@pytest.fixture
async def run(reflector: Reflector) -> AsyncIterator:
    """Let the reflector run for some virtual seconds."""
    tasks: list[asyncio.Task] = []

    async def for_seconds(seconds: float) -> None:
        if not tasks:
            tasks.append(asyncio.create_task(reflector.run()))
        done, _ = await asyncio.wait(tasks, timeout=seconds)
        assert not done, done.pop().result()

    yield for_seconds
    for task in tasks:
        task.cancel()
        await asyncio.wait({task})


async def test_a_list_comes_in_pages_and_the_watch_starts_at_its_version(api, held, reflector, run):
    api.lists = [api.page("a", "b", version="7", more="token"), api.page("c", version="7")]
    api.watches = [api.stream_of()]
    await run(1)
    assert held.versions == {"a": "7", "b": "7", "c": "7"}
    assert held.replaced == ["7"]
    first, second = (query for _, query in api.asked("list"))
    assert first == {"limit": "500"}  # no resourceVersion: a quorum read
    assert second == {"limit": "500", "continue": "token"}
    ((_, watch),) = api.asked("watch")
    assert watch["resourceVersion"] == "7"
    assert watch["allowWatchBookmarks"] == "true"
    assert 300 <= int(watch["timeoutSeconds"]) <= 600


async def test_the_watch_timeout_varies(api, held, reflector, run):
    api.lists = [api.page(version="7")]
    api.watches = [api.stream_of(10.0, end=None)]
    await run(200)
    assert len({query["timeoutSeconds"] for _, query in api.asked("watch")}) > 5


async def test_a_selection_is_sent_with_lists_and_watches(api, client, codec, held):
    selected = Reflector(client, SystemClock(), api.widget, codec, held, Selection("ns", "volcano.sh/createdByJobFlow"))
    api.lists, api.watches = [api.page(version="7")], [api.stream_of()]
    task = asyncio.create_task(selected.run())
    await selected.synced()
    await asyncio.sleep(1)
    task.cancel()
    assert {request.path for _, request in api.log} == {"/apis/example.com/v1/namespaces/ns/widgets"}
    assert {dict(request.query)["labelSelector"] for _, request in api.log} == {"volcano.sh/createdByJobFlow"}


async def test_events_change_what_is_held(api, held, reflector, run):
    api.lists = [api.page("a", "b", version="7")]
    api.watches = [
        api.stream_of(api.event("ADDED", "c", "8"), api.event("MODIFIED", "a", "9"), api.event("DELETED", "b", "10"))
    ]
    await run(1)
    assert held.versions == {"a": "9", "c": "8"}
    assert reflector.problem is None


async def test_synced_waits_for_the_first_list(api, held, reflector, run):
    api.lists = [api.refusal(500), api.refusal(500), api.page("a", version="7")]
    api.watches = [api.stream_of()]
    assert reflector.problem == "not listed yet"
    waiting = asyncio.create_task(reflector.synced())
    await run(0.01)
    assert not waiting.done()
    await run(60)
    assert waiting.done()


@pytest.mark.parametrize(
    ("how", "end"),
    [
        ("clean end", None),
        ("reset", Unavailable("connection reset")),
        ("half a line", TruncatedStream("half a line")),
        ("silence", SilentStream("silent for 90 s")),
    ],
)
async def test_a_stream_that_ends_is_resumed_from_the_last_version(how, end, api, held, reflector, run):
    api.lists = [api.page("a", version="7")]
    api.watches = [
        api.stream_of(api.event("ADDED", "b", "8"), 20.0, end=end),
        api.stream_of(20.0, end=end),
        api.stream_of(),
    ]
    await run(60)
    assert api.versions_watched() == ["7", "8", "8"]
    assert held.replaced == ["7"]
    assert reflector.problem is None


async def test_a_bookmark_moves_the_version_to_resume_from(api, held, reflector, run):
    api.lists = [api.page("a", version="7")]
    api.watches = [api.stream_of(api.bookmark("90"), 20.0, end=None), api.stream_of()]
    await run(60)
    assert api.versions_watched() == ["7", "90"]
    assert held.versions == {"a": "7"}


async def test_a_healthy_stream_that_ends_is_resumed_at_once(api, held, reflector, run):
    api.lists = [api.page(version="7")]
    api.watches = [api.stream_of(400.0, end=None)]
    await run(1300)
    assert [at for at, _ in api.asked("watch")] == pytest.approx([0, 400, 800, 1200])


@pytest.mark.parametrize("how", ["HTTP 410", "ERROR event", "bare Status line"])
async def test_an_expired_version_is_listed_anew_and_diffed(how, api, held, reflector, run):
    expired = {
        "HTTP 410": api.refusal(410, "Expired"),
        "ERROR event": api.stream_of(api.error_event(410, "Expired")),
        "bare Status line": api.stream_of(api.refusal(410, "Expired").body),
    }[how]
    api.lists = [api.page("a", "b", version="7"), api.page("b", "c", version="50")]
    api.watches = [expired, api.stream_of()]
    await run(10)
    assert held.replaced == ["7", "50"]
    assert held.versions == {"b": "50", "c": "50"}
    assert api.versions_watched() == ["7", "50"]


async def test_an_expired_continue_token_begins_the_list_again(api, held, reflector, run):
    api.lists = [
        api.page("a", version="7", more="old"),
        api.refusal(410, "Expired"),
        api.page("b", version="9"),
    ]
    api.watches = [api.stream_of()]
    await run(10)
    assert held.replaced == ["9"]
    assert held.versions == {"b": "9"}


async def test_a_version_ahead_of_the_server_is_listed_anew(api, held, reflector, run):
    """After a restore of etcd from a backup the server is behind us: resuming would wait for ever."""
    ahead = api.refusal(504, "Timeout", details={"causes": [{"reason": "ResourceVersionTooLarge"}]})
    api.lists = [api.page("a", version="700"), api.page("a", version="7")]
    api.watches = [ahead, api.stream_of()]
    await run(10)
    assert api.versions_watched() == ["700", "7"]


async def test_a_server_that_ends_every_stream_at_once_sees_few_requests(api, held, reflector, run):
    api.lists, api.watches = [api.page(version="7")], [api.stream_of(end=None)]
    await run(10)
    assert len(api.asked("watch")) <= 4 * 10
    await run(290)
    assert len(api.asked("watch")) < 80  # it backs off, to one in 15 s on average


async def test_a_server_that_sends_one_event_and_ends_sees_few_requests(api, held, reflector, run):
    api.lists = [api.page(version="7")]
    api.watches = [api.stream_of(api.event("ADDED", "a", "8"), end=None)]
    await run(10)
    assert len(api.log) <= 4 * 10


async def test_a_server_whose_versions_always_expire_sees_few_lists(api, held, reflector, run):
    api.lists, api.watches = [api.page(version="7")], [api.refusal(410, "Expired")]
    await run(300)
    assert len(api.asked("list")) < 80


@pytest.mark.parametrize("answer", ["500 with text", "line that is no event"])
async def test_what_is_no_event_is_an_error_and_backs_off(answer, api, held, reflector, run):
    broken = {
        "500 with text": api.page_type(500, b"<html>bad gateway"),
        "line that is no event": api.stream_of(b"<html>bad gateway"),
    }[answer]
    api.lists, api.watches = [api.page("a", version="7")], [broken]
    await run(300)
    assert held.versions == {"a": "7"}
    assert held.replaced == ["7"]
    assert "bad gateway" in reflector.problem
    assert len(api.asked("watch")) < 80


async def test_an_object_that_cannot_be_read_does_not_stop_the_others(api, held, reflector, run, codec):
    api.lists = [api.page("a", version="7")]
    api.watches = [
        api.stream_of(api.event("ADDED", "bad", "8", size="huge"), api.event("ADDED", "b", "9"), 9.0, end=None),
        api.stream_of(),
    ]
    await run(10)
    assert held.versions == {"a": "7", "b": "9"}
    assert api.versions_watched() == ["7", "9"]
    assert codec.left_out == 1


async def test_an_unreadable_deletion_lists_anew_so_that_nothing_stays_behind(api, held, reflector, run):
    api.lists = [api.page("a", "b", version="7"), api.page("b", version="8")]
    api.watches = [api.stream_of(api.event("DELETED", "a", "8", size="huge")), api.stream_of()]
    await run(10)
    assert held.versions == {"b": "8"}


async def test_an_absent_kind_is_synced_and_empty_and_looked_for_every_30_s(api, held, reflector, run):
    api.lists = [api.refusal(404, "NotFound"), api.refusal(404), api.page("a", version="7")]
    api.watches = [api.stream_of()]
    await run(1)
    await reflector.synced()
    assert held.replaced == [""]
    assert reflector.problem == "kind absent"
    await run(100)
    assert [at for at, _ in api.asked("list")] == pytest.approx([0, 30, 60])
    assert held.replaced == ["", "7"]  # emptied once, not at every look
    assert reflector.problem is None


async def test_retry_now_looks_for_an_absent_kind_at_once(api, held, reflector, run):
    api.lists = [api.refusal(404), api.refusal(404), api.page("a", version="7")]
    api.watches = [api.stream_of()]
    await run(3)
    reflector.retry_now()
    await run(10)
    assert [at for at, _ in api.asked("list")] == pytest.approx([0, 3, 4])  # Established, but not served yet
    assert held.versions == {"a": "7"}


async def test_a_kind_that_leaves_while_it_is_watched_empties_the_sink(api, held, reflector, run):
    api.lists = [api.page("a", version="7"), api.refusal(404)]
    api.watches = [api.stream_of(9.0, end=None), api.refusal(404)]
    await run(20)
    assert held.versions == {}
    assert reflector.problem == "kind absent"


async def test_a_forbidden_kind_is_told_retried_and_never_synced(api, held, reflector, run):
    api.lists = [api.refusal(403, "Forbidden", message="widgets is forbidden")]
    waiting = asyncio.create_task(reflector.synced())
    await run(300)
    assert not waiting.done()
    assert held.replaced == []
    assert reflector.problem == "forbidden: widgets is forbidden"
    assert 8 < len(api.log) < 80
    api.lists, api.watches = [api.page("a", version="7")], [api.stream_of()]
    await run(31)
    assert waiting.done()
    assert reflector.problem is None


async def test_a_right_that_is_taken_away_and_given_back(api, held, reflector, run):
    """While it is away the sink is told to be unseen; it is in sight again when a watch stands after a new list."""
    seen: list[dict[str, str]] = []
    reflector.on_sight = lambda: seen.append(dict(held.versions))
    api.lists = [api.page("a", version="7"), api.refusal(403, "Forbidden", message="widgets is forbidden")]
    api.watches = [api.stream_of(9.0, end=None), api.refusal(403, "Forbidden", message="widgets is forbidden")]
    await run(100)
    assert (reflector.refusal, held.versions) == ("forbidden: widgets is forbidden", {"a": "7"})
    assert seen == []
    api.lists, api.watches = [api.page("b", version="9")], [api.stream_of()]
    await run(31)
    assert (reflector.refusal, reflector.problem) == ("", None)
    assert seen == [{"b": "9"}]


async def test_a_list_alone_is_no_sight(api, held, reflector, run):
    """Where the verb `watch` is missing, what is listed is old the moment after."""
    api.lists = [api.page("a", version="7")]
    api.watches = [api.refusal(403, "Forbidden", message="widgets is forbidden")]
    reflector.on_sight = lambda: pytest.fail("it cannot be watched")
    await run(100)
    assert reflector.refusal == "forbidden: widgets is forbidden"
    assert len(api.log) < 60


async def test_a_refused_kind_that_leaves_is_no_longer_refused(api, held, reflector, run):
    seen: list[str] = []
    reflector.on_sight = lambda: seen.append("again")
    api.lists = [api.refusal(403, "Forbidden"), api.refusal(404)]
    await run(40)
    assert (reflector.refusal, reflector.problem, seen) == ("", "kind absent", ["again"])


async def test_credentials_that_are_not_accepted_are_no_refusal(api, reflector, run):
    api.lists = [api.refusal(401, "Unauthorized", message="Unauthorized")]
    await run(10)
    assert (reflector.refusal, reflector.problem) == ("", "credentials not accepted: Unauthorized")


async def test_retry_after_is_honoured(api, held, reflector, run):
    api.lists = [api.page(version="7")]
    api.watches = [api.refusal(429, "TooManyRequests", {"retry-after": "12"}), api.stream_of()]
    await run(20)
    assert api.asked("watch")[1][0] == pytest.approx(12)


WATCHING = Watching("7")


@pytest.mark.parametrize(
    ("why", "state", "turn", "expected"),
    [
        ("a list was delivered", Listing(), Turn("9", listed=True), Watching("9")),
        ("a stream ended", WATCHING, Turn("9"), Watching("9")),
        ("a stream broke", WATCHING, Turn("9", Unavailable("reset")), Watching("9")),
        ("a list failed", Listing(), Turn("", Unavailable("reset")), Listing()),
        ("the version expired", WATCHING, Turn("9", Gone("old")), Listing()),
        ("the kind left", WATCHING, Turn("9", KindNotFound("")), Absent()),
        ("the right was taken away", WATCHING, Turn("9", Forbidden("")), Listing()),
        ("the credentials expired", WATCHING, Turn("9", Unauthorized("")), Watching("9")),
        ("absent, and now forbidden", Absent(), Turn("", Forbidden("")), Absent()),
        ("the kind arrived", Absent(), Turn("9", listed=True), Watching("9")),
    ],
)
def test_next_state(why, state, turn, expected):
    assert next_state(state, turn) == expected


def test_waits_grow_to_30_s_and_start_over_only_after_a_healthy_stream():
    pace = Pace(Random(1))
    failed, listed = Turn("", Unavailable("reset")), Turn("7", listed=True)
    waits = [pace.wait(turn, elapsed=1.0) for _ in range(200) for turn in (failed, listed)][::2]
    assert max(waits) <= 30
    assert max(waits[20:]) > 25
    assert min(waits[20:]) < 5  # full jitter
    pace.wait(Turn("7", healthy=True), elapsed=60)
    assert pace.wait(failed, elapsed=1.0) <= 0.2
