"""Caller: who sends a request, as authentication found out, and with which program.

In: nothing. Out: the facts that field ownership, access rules and admission webhooks are decided by.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

MAX_MANAGER_CHARACTERS = 128  # of the name under which a program owns fields

MASTERS = "system:masters"  # whoever is in this group may do everything
AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and the program it uses; `agent` is the User-Agent header."""

    name: str
    groups: tuple[str, ...] = (AUTHENTICATED,)
    uid: str = ""
    agent: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_admin(self) -> bool:
        """Whether no rule holds the caller back."""
        return MASTERS in self.groups

    @property
    def program(self) -> str:
        """The first word of the agent: the name of the manager where a request does not give one."""
        name = self.agent.split("/", 1)[0]
        return "".join(letter for letter in name if letter.isprintable())[:MAX_MANAGER_CHARACTERS]

    def user_info(self) -> dict[str, object]:
        """The caller as reviews tell it."""
        told: dict[str, object] = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            told["uid"] = self.uid
        if self.extra:
            told["extra"] = self.extra
        return told


ADMIN = Caller("admin", (MASTERS, AUTHENTICATED))
ITSELF = replace(ADMIN, agent="jobflow")  # the process that the server is part of
