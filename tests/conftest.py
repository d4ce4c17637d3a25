"""What every test has: a loop that nobody blocks, and the same examples in every run of CI."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

# Small files, read once, before anything else runs on the loop.
READS_THE_KUBECONFIG = {
    "connect",
    "_load",
    "_from_file",
    "_from_pod",
}

# No deadline: a shared machine stalls, and timings belong to bench/. CI repeats its examples; a laptop looks further.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _nobody_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """A blocking call inside a running event loop fails the test, unless it is marked `blocking`."""
    if request.node.get_closest_marker("blocking"):
        yield None
        return
    with blockbuster_ctx(scanned_modules=["jobflow"]) as detector:
        for function in detector.functions.values():
            function.can_block_in("jobflow/kube/http.py", READS_THE_KUBECONFIG)
        yield detector


@pytest.fixture(scope="session", autouse=True)
def _loop_of_last_resort() -> Iterator[None]:
    """A current loop for the session: pytest-asyncio makes one for sync tests otherwise, and never closes it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
