"""Gate: what others than the server have to say about a write before it is done: admission webhooks.

In: a call, the object as it would be stored, and the one before it. Out: the object, perhaps changed; or a StatusError.
A gate that is open for a call answers without waiting, so that a write without webhooks is one step.
"""

from __future__ import annotations

from typing import Any, Protocol

from jobflow.local.apiserver.calls import Call

Object = dict[str, Any]


class Gate(Protocol):
    """Admission of writes. `operation` is CREATE, UPDATE or DELETE; of a delete `obj` is None."""

    def mutates(self, call: Call, operation: str) -> bool:
        """Whether somebody wants to change such objects; `mutate` need not be asked otherwise."""

    def validates(self, call: Call, operation: str) -> bool:
        """Whether somebody wants to judge such objects; `check` need not be asked otherwise."""

    async def mutate(self, call: Call, operation: str, obj: Object, old: Object | None) -> tuple[Object, list[str]]:
        """The object as it shall be, and warnings for the client. Raises StatusError."""

    async def check(self, call: Call, operation: str, obj: Object | None, old: Object | None) -> list[str]:
        """Let it pass, with warnings; or raise StatusError."""
