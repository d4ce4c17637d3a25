"""SqliteJournal: the store's changes in a file, so that a server that is started again has what it had.

In: changes, from the event loop. Out: commits, on one writer thread, each of all changes that came since the last one;
the store hears of each commit and only then lets replies and events go. What is promised: whatever was answered
survives the end of the process in any way, kill -9 included. It may not survive a power failure or a crash of the
machine: WAL with synchronous=NORMAL does not flush each commit to the platter, and a development tool need not pay for
that.

One process at a time: the directory is locked, and who comes second is told by whom.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from jobflow.local.apiserver.storage.store import Change, Collection, Store, Stored

FILE_NAME = "objects.sqlite"
LOCK_NAME = "lock"
APPLICATION_ID = 0x6A6F6266  # "jobf" in the file's header: says whose file it is
FORMAT = 1  # of the tables; a file of another one is not touched
PRIVATE = 0o700  # Secrets are in there

_TABLES = """
CREATE TABLE objects (
    collection_group TEXT NOT NULL, plural TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (collection_group, plural, namespace, name)
) WITHOUT ROWID;
CREATE TABLE latest (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL);
INSERT INTO latest VALUES (1, 0);
"""
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM objects WHERE collection_group = ? AND plural = ? AND namespace = ? AND name = ?"


class DataDirectoryLocked(Exception):
    """Another process has the directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        self.path = path
        self.pid = pid
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{path} is in use by {holder}: stop it (kill {pid or 'PID'}), or give this one a directory of its own"
        )


class StoreCorrupted(Exception):
    """The file is not one of ours, of another version, or damaged. Nothing was written to it."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: {why}. Nothing was changed; move the file away to start with an empty store, "
            "or restore it from a copy"
        )


class _Owner(msgspec.Struct, gc=False):
    uid: str


class _Meta(msgspec.Struct, gc=False):
    uid: str
    labels: dict[str, str] = {}
    ownerReferences: list[_Owner] = []
    deletionTimestamp: str | None = None


class _Head(msgspec.Struct, gc=False):
    apiVersion: str
    metadata: _Meta


_decode_head = msgspec.json.Decoder(_Head).decode


class SqliteJournal:
    """One file, one writer thread."""

    def __init__(self, path: Path, lock: int, database: sqlite3.Connection) -> None:
        self._path = path
        self._lock = lock
        self._database = database
        self._queue: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._store: Store | None = None
        self._found: list[tuple[Collection, Stored]] = []
        self._revision = 0
        self._thread = threading.Thread(target=self._write, name="api server: journal", daemon=True)

    @classmethod
    async def open(cls, directory: Path) -> SqliteJournal:
        """Lock the directory, open its file and read it. Raises DataDirectoryLocked or StoreCorrupted."""
        lock, database, rows, revision = await asyncio.to_thread(_open, directory)
        journal = cls(directory / FILE_NAME, lock, database)
        journal._found, journal._revision = rows, revision
        return journal

    def load(self) -> Store:
        """The store as it was; from now on its changes are written."""
        self._store = Store(self, self._revision)
        for collection, obj in self._found:
            self._store.load(collection, obj)
        self._found = []
        self._thread.start()
        return self._store

    def append(self, change: Change) -> None:
        """Take a change for the next commit."""
        self._queue.put(change)

    async def close(self) -> None:
        """Write what is left, and let go of the directory."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._database.close()
        os.close(self._lock)  # and with it the lock goes; the file stays, or two could lock two files

    def _write(self) -> None:
        open_for_more = True
        while open_for_more:
            changes = [self._queue.get()]
            with suppress(queue.Empty):
                while True:
                    changes.append(self._queue.get_nowait())
            open_for_more = None not in changes
            batch = [change for change in changes if change is not None]
            if not batch:
                continue
            try:
                self._commit(batch)
            except sqlite3.Error as error:
                self._tell_failure(
                    f"{self._path} cannot be written: {error}; what was answered until now is kept, nothing more is "
                    "accepted: see to the disk (is it full?), then start again"
                )
                return
            self._tell(batch[-1].obj.revision)

    def _commit(self, batch: list[Change]) -> None:
        with self._database:  # a transaction: all of it, or nothing
            for change in batch:
                key = (*change.collection, change.obj.namespace, change.obj.name)
                if change.removed:
                    self._database.execute(_REMOVE, key)
                else:
                    self._database.execute(_PUT, (*key, change.obj.revision, change.obj.data))
            self._database.execute("UPDATE latest SET revision = ?", (batch[-1].obj.revision,))

    def _tell(self, revision: int) -> None:
        if self._store is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._store.publish, revision)

    def _tell_failure(self, why: str) -> None:
        if self._store is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._store.fail, why)


_Opened = tuple[int, sqlite3.Connection, list[tuple[Collection, Stored]], int]


def _open(directory: Path) -> _Opened:
    directory.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    lock = _take_lock(directory / LOCK_NAME)
    database: sqlite3.Connection | None = None
    try:
        path = directory / FILE_NAME
        fresh = not path.exists()
        if fresh:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        database = sqlite3.connect(path, check_same_thread=False)
        try:
            if fresh or path.stat().st_size == 0:
                _create(database)
            else:
                _check(database, path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            rows, revision = _read(database)
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise StoreCorrupted(path, f"cannot be read ({error})") from error
        return lock, database, rows, revision
    except BaseException:
        if database is not None:
            database.close()
        os.close(lock)
        raise


def _take_lock(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        told = os.pread(lock, 32, 0).decode(errors="replace").strip()
        os.close(lock)
        raise DataDirectoryLocked(path.parent, int(told) if told.isdigit() else None) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _create(database: sqlite3.Connection) -> None:
    script = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
    database.executescript(f"BEGIN; {script} {_TABLES} COMMIT;")


def _check(database: sqlite3.Connection, path: Path) -> None:
    if _number(database, "application_id") != APPLICATION_ID:
        raise StoreCorrupted(path, "is not a store of jobflow")
    found = _number(database, "user_version")
    if found != FORMAT:
        raise StoreCorrupted(path, f"has format {found}, and this version of jobflow reads format {FORMAT}")
    state = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if state != "ok":
        raise StoreCorrupted(path, f"is damaged ({state})")


def _number(database: sqlite3.Connection, pragma: str) -> int:
    row: tuple[Any, ...] = database.execute(f"PRAGMA {pragma}").fetchone()
    return int(row[0])


def _read(database: sqlite3.Connection) -> tuple[list[tuple[Collection, Stored]], int]:
    found = []
    rows = database.execute("SELECT collection_group, plural, namespace, name, revision, data FROM objects")
    for group, plural, namespace, name, revision, data in rows:
        head = _decode_head(data)
        meta = head.metadata
        owners = tuple(owner.uid for owner in meta.ownerReferences)
        deleting = meta.deletionTimestamp is not None
        obj = Stored(namespace, name, meta.uid, revision, head.apiVersion, data, meta.labels, owners, deleting)
        found.append((Collection(group, plural), obj))
    revision = database.execute("SELECT revision FROM latest").fetchone()[0]
    return found, int(revision)
