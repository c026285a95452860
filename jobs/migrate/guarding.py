"""The old CRM while it is moved from: it is read and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from connectors.errors import PermanentError
from connectors.records import (
    Change,
    LinkChange,
    NewRecord,
    Page,
    Record,
    RecordCapabilities,
    RecordField,
    RecordObject,
    RecordPort,
    StubPage,
    Written,
)
from leads.identity import Key


class OldCrmTouched(PermanentError):
    """Somebody wanted to write into the CRM that is moved from: a fault of ours, stopped before it left."""


class ReadOnly:
    """A port that reads as the other one does."""

    def __init__(self, port: RecordPort) -> None:
        self._port = port

    @property
    def capabilities(self) -> RecordCapabilities:
        return self._port.capabilities

    async def server_time(self) -> datetime | None:
        return await self._port.server_time()

    async def fields(self, object: RecordObject) -> tuple[RecordField, ...]:
        return await self._port.fields(object)

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        return await self._port.changed(object, since, fields, cursor)

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        return await self._port.listing(object, cursor)

    async def count(self, object: RecordObject) -> int | None:
        return await self._port.count(object)

    async def read(self, object: RecordObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        return await self._port.read(object, ids, fields)

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        return await self._port.find(object, keys)

    async def find_created(self, object: RecordObject, keys: Sequence[str], sent_at: datetime) -> dict[str, str]:
        return await self._port.find_created(object, keys, sent_at)

    async def links(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        return await self._port.links(object, ids, to)

    async def deleted(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        return await self._port.deleted(object, since)

    # --- never ---------------------------------------------------------------------------------------------------

    async def create(self, object: RecordObject, records: Sequence[NewRecord]) -> list[Written]:
        _refuse("create", object)

    async def update(self, object: RecordObject, changes: Sequence[Change]) -> list[Written]:
        _refuse("update", object)

    async def archive(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        _refuse("archive", object)

    async def delete(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        _refuse("delete", object)

    async def tag(self, object: RecordObject, ids: Sequence[str], tag: str) -> list[Written]:
        _refuse("tag", object)

    async def link(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        _refuse("link", object)


def _refuse(verb: str, object: RecordObject) -> NoReturn:
    raise OldCrmTouched("the CRM that is moved from is only read", f"{verb} {object}")
