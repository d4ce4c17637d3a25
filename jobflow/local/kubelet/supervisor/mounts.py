"""Mounts: a file system of a container's own, made of this machine's and the pod's volumes.

In: which directories and files are to be seen where. Out: the calling process stands in a mount namespace (and, where
it is not root, a user namespace) whose root is a mirror of this machine's: everything is where it was, and each target
shows its source. Nothing is created on the machine: a directory that must get a new entry (`/` for `/data`, `/etc` for
`/etc/volcano`) is shown as a copy in memory whose old entries are bound into it, one by one. Linux only; standard
library only, since it runs between fork and exec in a process that must be small.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

LINUX = sys.platform.startswith("linux")

CLONE_NEWNS = 0x00020000  # <linux/sched.h>
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
MS_RDONLY = 1  # <sys/mount.h>
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
TRIAL_TARGET = "/jobflow-trial/volume"  # nowhere on this machine: the mirror has to grow
LOCKED_FLAGS = os.ST_RDONLY | os.ST_NOSUID | getattr(os, "ST_NODEV", 4) | getattr(os, "ST_NOEXEC", 8)

# Devices that no job opens, a hundred binds where they are shown: consoles, serial lines, loop devices.
_CONSOLES = re.compile(r"(tty|ttyS|vcs[au]?|loop|ram)\d+")

_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


class Mount(NamedTuple):
    """A file or directory of the machine, and where a container sees it."""

    source: str
    target: str
    read_only: bool = False


class MountFailed(Exception):
    """A mount that was asked for could not be made; the message names it."""


def enter(mounts: Iterable[Mount], staging: str, hostname: str = "") -> None:
    """Put this process into a root that has the mounts. `staging` is an empty directory. Raises MountFailed.

    With a `hostname` that is what the process finds this machine to be called.
    """
    resolved = sorted((mount._replace(target=os.path.realpath(mount.target)) for mount in mounts), key=_depth)
    try:
        _unshare(CLONE_NEWNS | (CLONE_NEWUTS if hostname else 0))
        if hostname:
            _call("sethostname", os.fsencode(hostname), ctypes.c_size_t(len(os.fsencode(hostname))))
        _mount("none", "/", "", MS_REC | MS_PRIVATE)
        _mount("jobflow", staging, "tmpfs", 0, "mode=0755")
        _mount("none", staging, "", MS_UNBINDABLE)  # else a bind of what it lies in would show it in itself
    except OSError as error:
        raise MountFailed(f"no mount namespace: {error.strerror}") from error
    _mirror("/", staging, _directories_that_grow(mount.target for mount in resolved))
    for mount in resolved:
        try:
            _bind(mount, staging)
        except OSError as error:
            raise MountFailed(f"{mount.target}: {error.strerror}: {mount.source}") from error
    _change_root(staging)


def _depth(mount: Mount) -> int:
    return mount.target.count("/")


def _unshare(namespaces: int) -> None:
    """Namespaces of its own; where that needs rights we lack, inside a user namespace that has just our own user."""
    try:
        _call("unshare", namespaces)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _call("unshare", CLONE_NEWUSER | namespaces)
        Path("/proc/self/setgroups").write_text("deny")  # else the kernel refuses a map of groups
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _directories_that_grow(targets: Iterable[str]) -> set[str]:
    """Directories of the machine that must show an entry they do not have, and all above them."""
    found = {"/"}
    for target in targets:
        if os.path.exists(target):
            continue
        parent = os.path.dirname(target)
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        while parent not in found:
            found.add(parent)
            parent = os.path.dirname(parent)
    return found


def _mirror(directory: str, staging: str, growing: set[str]) -> None:
    """Show a directory's entries below `staging`; of those that grow, their entries in turn."""
    with os.scandir(directory) as entries:
        for entry in entries:
            shown = staging + entry.path
            if entry.path == staging:
                os.mkdir(shown)
            elif directory == "/dev" and _CONSOLES.fullmatch(entry.name):
                continue
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), shown)
            elif entry.path in growing:
                mode = stat.S_IMODE(entry.stat().st_mode)
                os.mkdir(shown)
                os.chmod(shown, mode | stat.S_IRWXU)
                _mirror(entry.path, staging, growing)
            else:
                _show(entry.path, shown, is_directory=entry.is_dir())


def _show(path: str, shown: str, *, is_directory: bool) -> None:
    _make_point(shown, is_directory=is_directory)
    try:
        _mount(path, shown, "", MS_BIND | MS_REC)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTCONN, errno.ESTALE):
            raise
        # It went meanwhile, or belongs to another user's FUSE: it stays as the empty point it is.


def _make_point(path: str, *, is_directory: bool) -> None:
    if is_directory:
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o644))


def _bind(mount: Mount, staging: str) -> None:
    shown = staging + mount.target
    if not os.path.exists(shown):
        _make_point(shown, is_directory=os.path.isdir(mount.source))
    _mount(mount.source, shown, "", MS_BIND | MS_REC)
    if mount.read_only:
        kept = os.statvfs(shown).f_flag & LOCKED_FLAGS  # flags of the machine's mount that we may not take off
        _mount("none", shown, "", MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def _change_root(staging: str) -> None:
    os.chdir(staging)
    try:
        _call("pivot_root", b".", b".")  # the old root is then mounted on top of the new one
        _call("umount2", b".", MNT_DETACH)
    except (OSError, AttributeError):  # not exported by every libc, not possible on every root
        os.chroot(".")
    os.chdir("/")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _call("mount", os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())


def _call(name: str, *arguments: object) -> None:
    function: Callable[..., int] = getattr(_libc, name)
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        target = next((os.fsdecode(one) for one in arguments[1:2] if isinstance(one, bytes)), None)
        raise OSError(number, os.strerror(number), target)


def trouble(staging: str) -> str:
    """Why mounts are not possible here; empty where they are. Tried in a child, nothing of it stays."""
    if not LINUX:
        return "only Linux has mount namespaces"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writing, _try(staging).encode() or b"\0")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return "the attempt ended without an answer" if not told else told.strip(b"\0").decode()


def _try(staging: str) -> str:
    try:
        enter([Mount(os.devnull, TRIAL_TARGET)], staging, "trial")
    except (MountFailed, OSError) as error:
        return str(error)
    return ""
