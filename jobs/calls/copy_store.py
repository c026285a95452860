"""Where copies of recordings are kept: a folder of this machine, or S3-compatible storage."""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

import httpx
from pydantic import SecretStr

from connectors.errors import PermanentError
from connectors.pbx import CopySettings
from connectors.s3 import S3, Bucket

CHUNK = 65_536
EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
}


class TooLarge(Exception):
    """The recording has more bytes than the settings allow."""


@dataclass(frozen=True, slots=True)
class Copied:
    place: str
    size: int


class CopyStore(Protocol):
    async def put(self, name: str, content_type: str, content: AsyncIterator[bytes], now: datetime) -> Copied:
        """Durable when it returns; the same name again replaces it. Raises ConnectorError, OSError, TooLarge."""
        ...

    async def get(self, place: str, now: datetime) -> AsyncIterator[bytes]:
        """Raises ConnectorError: PermanentError when it is gone."""
        ...

    async def close(self) -> None: ...


def open_store(settings: CopySettings, base: Path, transport: httpx.AsyncBaseTransport | None = None) -> CopyStore:
    """`base`: what a relative folder is below."""
    if settings.in_s3:
        bucket, _, prefix = settings.copy_to.removeprefix("s3://").partition("/")
        endpoint = settings.endpoint or f"https://s3.{settings.region}.amazonaws.com"
        empty = SecretStr("")
        keys = (settings.access_key or empty, settings.secret_key or empty)
        return Storage(S3(Bucket(endpoint, bucket, settings.region, *keys), transport), prefix, settings.max_size)
    return Folder(base / settings.copy_to, settings.max_size)


def file_name(call_id: str, at: datetime, content_type: str) -> str:
    """`2026/11/<call>.mp3`"""
    return f"{at:%Y/%m}/{call_id}.{EXTENSIONS.get(content_type, 'bin')}"


@dataclass(slots=True)
class Folder:
    """Files for the owner only, whole or not there at all."""

    root: Path
    max_size: int

    async def put(self, name: str, content_type: str, content: AsyncIterator[bytes], now: datetime) -> Copied:
        target = self.root / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".copying-")  # made with 0600
        try:
            with os.fdopen(handle, "wb") as out:
                size, _ = await _gather(content, out, self.max_size)
                out.flush()
                await asyncio.to_thread(os.fsync, out.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        await asyncio.to_thread(_sync_folder, target.parent)
        return Copied(name, size)

    async def get(self, place: str, now: datetime) -> AsyncIterator[bytes]:
        try:
            file = (self.root / place).open("rb")
        except FileNotFoundError:
            raise PermanentError("the copy is gone from the disk", "recording copy", gone=True) from None
        return _chunks(file)

    async def close(self) -> None:
        return


@dataclass(slots=True)
class Storage:
    s3: S3
    prefix: str
    max_size: int

    async def put(self, name: str, content_type: str, content: AsyncIterator[bytes], now: datetime) -> Copied:
        """By way of a nameless file: the signature covers the whole before its first byte leaves."""
        with tempfile.TemporaryFile() as out:
            size, sha256 = await _gather(content, out, self.max_size)
            out.seek(0)
            await self.s3.put(self._key(name), _rest(out), size=size, sha256=sha256, content_type=content_type, now=now)
        return Copied(name, size)

    async def get(self, place: str, now: datetime) -> AsyncIterator[bytes]:
        return await self.s3.get(self._key(place), now)

    async def close(self) -> None:
        await self.s3.close()

    def _key(self, name: str) -> str:
        return f"{self.prefix.strip('/')}/{name}" if self.prefix.strip("/") else name


async def _gather(content: AsyncIterator[bytes], out: IO[bytes], max_size: int) -> tuple[int, str]:
    """Bytes and their SHA-256. Raises TooLarge."""
    size, digest = 0, hashlib.sha256()
    try:
        async for chunk in content:
            size += len(chunk)
            if size > max_size:
                raise TooLarge
            digest.update(chunk)
            out.write(chunk)
    finally:
        close: Callable[[], Any] | None = getattr(content, "aclose", None)
        if close is not None:
            await close()
    return size, digest.hexdigest()


async def _rest(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
