"""The second way in: an append-only file with a flush per group, for when the database cannot be written.

A record is 4 bytes of length, 4 bytes of CRC-32, then the bytes. Each process appends to a
file of its own and holds a lock on it, so that files of processes that died can be told
from those in use and are taken in as well. A record cut off by a crash was never answered.
"""

import asyncio
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from leads.clock import Clock
from leads.ids import new_id

HEAD = struct.Struct(">II")
MAX_RECORD_BYTES = 200_000_000
SUFFIX = ".spool"


class SpoolUnavailable(Exception):
    """The spool cannot be written either: the sender must be told to come again."""


@dataclass(slots=True)
class _Segment:
    path: Path
    file: BinaryIO
    size: int = 0


class Spool:
    """Appends durable records and gives them back, oldest first.

    `inline` flushes on the caller's own thread (simulator, tests).
    """

    def __init__(self, folder: Path, clock: Clock, *, inline: bool = False) -> None:
        self.folder = folder
        self._clock = clock
        self._inline = inline
        self._thread = None if inline else ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._segment: _Segment | None = None
        self._sealing = threading.Lock()
        """Held while a group is written and while a file is closed: no file ends under a write."""
        self._pending: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing = False
        self.waiting = 0
        """Records appended here or found at start that were not taken in yet."""

    def open(self) -> None:
        """Counts what an earlier run left. Raises SpoolUnavailable when the folder cannot be made."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.recount()
        except OSError as exc:
            raise SpoolUnavailable(str(exc)) from exc

    def recount(self) -> int:
        """Counts what may be taken in: our own and what processes left that do not live any more."""
        own = self._segment.path if self._segment is not None else None
        mine = [path for path in self._segments() if path == own or not _in_use(path)]
        self.waiting = sum(sum(1 for _ in read_records(path)) for path in mine)
        return self.waiting

    async def append(self, record: bytes) -> None:
        """Returns when the record is on disk. Raises SpoolUnavailable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((record, future))
        if not self._flushing:
            self._flushing = True
            try:
                while self._pending:
                    group, self._pending = self._pending, []
                    await self._flush(group)
            finally:
                self._flushing = False
        await future

    async def _flush(self, group: list[tuple[bytes, asyncio.Future[None]]]) -> None:
        records = [record for record, _ in group]
        error: SpoolUnavailable | None = None
        try:
            if self._thread is None:
                self._write(records)
            else:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write, records)
            self.waiting += len(records)
        except OSError as exc:
            error = SpoolUnavailable(str(exc))
        for _, future in group:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def _write(self, records: list[bytes]) -> None:
        with self._sealing:
            self._write_group(records)

    def _write_group(self, records: list[bytes]) -> None:
        segment = self._segment or self._new_segment()
        data = b"".join(HEAD.pack(len(record), zlib.crc32(record)) + record for record in records)
        try:
            _write_whole(segment.file, data)
            os.fsync(segment.file.fileno())
            segment.size += len(data)
        except OSError:
            # Part of it may be there: cut back to what was answered, or start a new file if even that fails.
            try:
                segment.file.seek(segment.size)
                segment.file.truncate(segment.size)
            except OSError:
                self._segment = None
            raise

    def _new_segment(self) -> _Segment:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{new_id(self._clock)}{SUFFIX}"
        # Locked before it has its name: seen without its lock it would be taken for that of a dead process.
        draft = path.with_suffix(".new")
        file = open(draft, "wb", buffering=0)  # noqa: SIM115  # kept open: the lock on it says that it is in use
        os.chmod(draft, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(path)
        sync_folder(self.folder)
        self._segment = _Segment(path, file)
        return self._segment

    def take(self) -> list[tuple[Path, list[bytes]]]:
        """Everything not taken in yet, by file, oldest first; later appends go to a new file."""
        with self._sealing:
            if self._segment is not None and self._segment.size:
                self._segment.file.close()
                self._segment = None
        found = []
        for path in self._segments():
            if self._segment is not None and path == self._segment.path:
                continue
            if not _in_use(path):
                found.append((path, list(read_records(path))))
        return found

    def done(self, path: Path, count: int) -> None:
        """All `count` records of the file are in the database: it may go."""
        path.unlink(missing_ok=True)
        self.waiting = max(0, self.waiting - count)

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    def abandon(self) -> None:
        """What the operating system does when the process dies: the file is closed as it is, its lock ends."""
        if self._segment is not None:
            self._segment.file.close()
            self._segment = None

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        if self._segment is not None:
            self._segment.file.close()
            if self._segment.size == 0:
                self._segment.path.unlink(missing_ok=True)
            self._segment = None


def read_records(path: Path) -> Iterator[bytes]:
    """The whole records of a file; ends at the first that is cut off or damaged."""
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed by the with below
    except FileNotFoundError:
        return
    with file:
        while len(head := file.read(HEAD.size)) == HEAD.size:
            size, crc = HEAD.unpack(head)
            if size > MAX_RECORD_BYTES:
                return
            record = file.read(size)
            if len(record) < size or zlib.crc32(record) != crc:
                return
            yield record


def _write_whole(file: BinaryIO, data: bytes) -> None:
    """A disk that is nearly full takes a part of it and reports no error; what is left over then fails."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _in_use(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return True
    return False


def sync_folder(folder: Path) -> None:
    """Makes a new name in `folder` survive a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
