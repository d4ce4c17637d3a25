"""Termination: what a container says at its end, for `status.containerStatuses[].state.terminated.message`.

In: the file of its terminationMessagePath, its log, its exit code. Out: at most 4096 bytes of the file; where that is
empty, the container failed and its policy is FallbackToLogsOnError, the end of the log: at most 80 lines and 2048
bytes.
"""

from __future__ import annotations

from pathlib import Path

from jobflow.local.kubelet.spec import Container

MAX_BYTES = 4096  # Kubernetes' limits
MAX_LOG_BYTES = 2048
MAX_LOG_LINES = 80
RECORD_BYTES = 64  # of a log record beside its text, at most
FALL_BACK = "FallbackToLogsOnError"


def last_words(container: Container, said: Path, log: Path, exit_code: int) -> str:
    """What it said. Blocks."""
    text = _tail(said, MAX_BYTES)
    if not text and exit_code != 0 and container.termination_message_policy == FALL_BACK:
        return log_tail(log)
    return text.decode(errors="replace")


def log_tail(log: Path) -> str:
    """The end of a log, without the times. Blocks."""
    records = _tail(log, MAX_LOG_BYTES + MAX_LOG_LINES * RECORD_BYTES).split(b"\n")
    texts = [record.split(b" ", 3)[3] for record in records if record.count(b" ") >= 3]
    return b"\n".join(texts[-MAX_LOG_LINES:])[-MAX_LOG_BYTES:].decode(errors="replace")


def _tail(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            return file.read(most)
    except OSError:
        return b""
