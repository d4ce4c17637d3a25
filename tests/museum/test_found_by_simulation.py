"""Bugs of our own that the simulation found, each by the plan that showed it; none may come back."""

from __future__ import annotations

import pytest

from jobflow.testing.scenarios import STANDARD


@pytest.mark.parametrize("status", [404, 409])
def test_a_delete_that_was_refused_wrongly_is_tried_again(exhibit, status):
    """A Job whose time had come stayed for ever: 404 was taken for gone and 409 for replaced, and nobody looked again.

    Found by `ttl --plan answer:22:409`. No correct server gives a false 404; one that does now costs two minutes.
    """
    ttl = exhibit(STANDARD["ttl"])
    writes = [call.write for call in ttl.undisturbed.calls if call.verb == "delete"]
    assert len(writes) == 3
    for write in writes:
        history = ttl.with_faults(f"answer:{write}:{status}")
        assert [name for kind, _, name in history.objects() if kind == "Job"] == []
