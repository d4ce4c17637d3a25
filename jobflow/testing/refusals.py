"""Refusals: what no simulation may do, each refused by its name.

In: calls of the event loop that would reach the machine, and what the interpreter reports before it does it (PEP 578).
Out: RealWorldTouched. A simulation that waits for a real socket or a real second is no longer decided by its seed;
better it fails at once, in the line that did it, than one time in a thousand.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

# Audit events. Reading the wall clock has none: code that takes a Clock cannot do it, and a test looks at the rest.
REFUSED_EVENTS = frozenset(
    {
        "time.sleep",
        "socket.__new__",
        "socket.connect",
        "socket.bind",
        "socket.getaddrinfo",
        "subprocess.Popen",
        "os.system",
        "os.posix_spawn",
        "os.fork",
        "_thread.start_new_thread",
    }
)


class RealWorldTouched(RuntimeError):
    """Something inside the simulation reached for the machine: its message names what."""


def refuse(name: str) -> NoReturn:
    """Say that it was called, and that there is no machine to call."""
    raise RealWorldTouched(f"{name} was called inside a simulation, where there is no machine to call")


def _refused(name: str) -> Any:
    def refused(self: asyncio.AbstractEventLoop, *arguments: Any, **options: Any) -> NoReturn:
        refuse(f"loop.{name}")

    return refused


class NoMachine(asyncio.BaseEventLoop):
    """An event loop that has no threads, sockets, pipes, processes or signals."""

    run_in_executor = _refused("run_in_executor")
    getaddrinfo = _refused("getaddrinfo")
    getnameinfo = _refused("getnameinfo")
    create_connection = _refused("create_connection")
    create_server = _refused("create_server")
    create_datagram_endpoint = _refused("create_datagram_endpoint")
    create_unix_connection = _refused("create_unix_connection")
    create_unix_server = _refused("create_unix_server")
    connect_accepted_socket = _refused("connect_accepted_socket")
    connect_read_pipe = _refused("connect_read_pipe")
    connect_write_pipe = _refused("connect_write_pipe")
    subprocess_exec = _refused("subprocess_exec")
    subprocess_shell = _refused("subprocess_shell")
    start_tls = _refused("start_tls")
    sendfile = _refused("sendfile")
    add_reader = _refused("add_reader")
    remove_reader = _refused("remove_reader")
    add_writer = _refused("add_writer")
    remove_writer = _refused("remove_writer")
    add_signal_handler = _refused("add_signal_handler")
    remove_signal_handler = _refused("remove_signal_handler")
    sock_accept = _refused("sock_accept")
    sock_connect = _refused("sock_connect")
    sock_recv = _refused("sock_recv")
    sock_recv_into = _refused("sock_recv_into")
    sock_recvfrom = _refused("sock_recvfrom")
    sock_recvfrom_into = _refused("sock_recvfrom_into")
    sock_sendall = _refused("sock_sendall")
    sock_sendto = _refused("sock_sendto")
    sock_sendfile = _refused("sock_sendfile")


@functools.cache
def watch_the_interpreter(simulated: Callable[[], bool]) -> None:
    """From now on refuse what `REFUSED_EVENTS` names where `simulated()`. Audit hooks stay: once for the process."""

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in REFUSED_EVENTS and simulated():
            refuse(event)

    sys.addaudithook(audit)
