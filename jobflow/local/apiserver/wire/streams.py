"""Streams: answers that go on, as the in-process transport and the HTTP adaptor read them.

In: a reader of chunks, from a watch or a log. Out: the `Stream` of `jobflow.kube.transport` (complete lines), and the
chunks themselves for the wire, several lines in one wherever several were ready. Iterators, not generators: a client
may drop them half-way, and there is nothing then that would have to be finalised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from jobflow.kube.transport import JSON, Response

Reader = Callable[[], Awaitable[bytes | None]]  # the next chunk; None at the end


class Answer:
    """A stream: its status is known, its chunks are read as they come."""

    def __init__(self, read: Reader, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self._read = read
        self.status = status
        self.headers: Mapping[str, str] = headers or {"content-type": JSON}

    @classmethod
    def whole(cls, response: Response) -> Answer:
        """An answer that does not go on: a refusal above all."""
        rest = [response.body]

        async def read() -> bytes | None:
            return rest.pop() if rest else None

        return cls(read, response.status, response.headers)

    async def body(self) -> bytes:
        """What there is to read: the Status of a refusal."""
        chunks = []
        while (chunk := await self._read()) is not None:
            chunks.append(chunk)
        return b"".join(chunks)

    async def next_chunk(self) -> bytes | None:
        """The bytes as they come; None at the end."""
        return await self._read()

    def lines(self) -> AsyncIterator[bytes]:
        """Complete lines without their newline; the last one of a log may have had none. None of a refusal's."""
        return Lines(self._read if self.status == 200 else _nothing)


class Lines:
    """Chunks cut into lines."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> bytes:
        while not self._lines:
            chunk = await self._read()
            if chunk is None:
                if not self._rest:
                    raise StopAsyncIteration
                last, self._rest = self._rest, b""
                return last
            *complete, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(complete)
        return self._lines.popleft()


async def _nothing() -> bytes | None:
    return None
