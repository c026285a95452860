"""A sync made ready: both connections' records, the mapping bound to what the accounts have."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors.base import Connector, Metadata
from connectors.errors import ConnectorError, PermanentError, RetryableError
from connectors.records import RecordField, RecordObject, RecordPipelines, RecordPort
from jobs.accounts import account_of
from jobs.config.loading import Settings
from jobs.config.syncs import SyncSettings
from jobs.delivery.account import address_of
from jobs.refusals import Refusal
from jobs.sync.model import End, Sibling, Sync, blame, conditions_of
from leads.merge import Side
from mappings.accounts import Account, AccountField
from mappings.live_names import unknown_names
from mappings.problems import MappingError
from mappings.records import load_record_mapping


class CannotSync(Refusal):
    """Says for people why this sync cannot run, and what would help."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One open connection. `settings` are the connection's own."""

    name: str
    connector: Connector
    target: Any
    settings: Any

    def port(self) -> RecordPort:
        if self.connector.records is None:
            title = self.connector.title
            raise CannotSync(f"records of {title} cannot be synced", f"записи {title} синхронизировать нельзя")
        return self.connector.records(self.target)

    async def metadata(self) -> Metadata:
        found: Metadata = await self.target.metadata()
        return found


async def open_sync(settings: Settings, name: str, opened: Mapping[str, Opened]) -> Sync:
    """`opened`: both connections by name. Raises CannotSync, ConnectorError, mappings.problems.MappingError.

    Safe to repeat: RetryableError where an account cannot be read for the moment. A stage that the mapping names and a
    CRM lacks stops the sync, like a missing field: its deals would go to the CRM's first stage.
    """
    sync = await read_sync(settings, name, opened)
    if unknown_names(sync.mapping, "stage"):
        raise MappingError(unknown_names(sync.mapping))
    return sync


async def read_sync(settings: Settings, name: str, opened: Mapping[str, Opened]) -> Sync:
    """As `open_sync`, whatever names its mapping holds."""
    chosen = settings.syncs[name]
    left, right = opened[chosen.left], opened[chosen.right]
    folder = settings.base_dir / "mappings"
    mapping = load_record_mapping(left.connector.name, right.connector.name, chosen.object, folder, name=chosen.mapping)
    ends = await asyncio.gather(*(_end(settings, chosen, one) for one in (left, right)))
    bound = mapping.bound(ends[0].account, ends[1].account)
    for end in ends:  # without them every deal would seem to be at a stage that the other CRM does not have
        if end.account.stages is None and any(pair.type == "stage" for pair in bound.pairs):
            raise RetryableError("the stages cannot be read", end.title)
    return Sync(
        name,
        chosen,
        bound,
        ends[0],
        ends[1],
        siblings_of(settings.syncs, name),
        conditions_of(chosen),
        others_of(settings.syncs, name),
    )


def siblings_of(syncs: Mapping[str, SyncSettings], name: str) -> tuple[Sibling, ...]:
    """The other syncs between the same two connections."""
    own = syncs[name]
    return tuple(
        Sibling(other, one.object, swapped=one.left == own.right)
        for other, one in syncs.items()
        if other != name and {one.left, one.right} == {own.left, own.right}
    )


def others_of(syncs: Mapping[str, SyncSettings], name: str) -> dict[Side, tuple[tuple[str, Side], ...]]:
    """See `Sync.others`."""
    own = syncs[name]

    def found(connection: str) -> Iterator[tuple[str, Side]]:
        for other, one in syncs.items():
            if other != name and one.object == own.object and connection in (one.left, one.right):
                yield other, "left" if one.left == connection else "right"

    return {"left": tuple(found(own.left)), "right": tuple(found(own.right))}


async def _end(settings: Settings, chosen: SyncSettings, opened: Opened) -> End:
    port = opened.port()
    if chosen.object not in port.capabilities.objects:
        crm, name, about = opened.connector.title, opened.name, chosen.object
        raise CannotSync(f'{crm} "{name}" has no {about} records to sync', f"в {crm} «{name}» нет записей {about}")
    title = f'{opened.connector.title} "{opened.name}"'
    try:
        account = await account_for(settings, chosen.object, opened, port)
    except ConnectorError as error:
        blame(title, error)
        raise
    look_again_s = opened.connector.capabilities(opened.settings).look_again_s
    return End(opened.name, port, account, look_again_s, title, address_of(opened.settings))


async def account_for(settings: Settings, about: RecordObject, opened: Opened, port: RecordPort) -> Account:
    """What the CRM does not tell this token is not known, and then nothing is checked against it.

    What it does not tell for the moment is raised: a field whose name is not known would be taken for an empty one.
    """
    try:
        metadata = await opened.metadata()
    except PermanentError:
        metadata = Metadata()
    if about in ("deal", "lead") and isinstance(opened.target, RecordPipelines):
        metadata = await _with_stages(metadata, about, opened.target)
    known = account_of(
        opened.connector,
        opened.name,
        metadata,
        about,
        zone=settings.hub.timezone,
        region=settings.hub.default_region or "",
    )
    try:
        fields = await port.fields(about)
    except PermanentError:
        return known
    return replace(known, fields=tuple(_field(one) for one in fields)) if fields else known


async def _with_stages(metadata: Metadata, about: RecordObject, target: RecordPipelines) -> Metadata:
    try:
        found = await target.record_pipelines(about)
    except PermanentError:
        return metadata
    return metadata if found is None else replace(metadata, pipelines=found, known=metadata.known | {"pipelines"})


def _field(one: RecordField) -> AccountField:
    return AccountField(
        key=one.key,
        name=one.name,
        code=one.code,
        id=one.key,
        type=one.type,
        several=one.several,
        enums=one.enums,
        read_only=one.read_only,
        max_chars=one.max_chars,
        max_values=one.max_values,
        decimals=one.decimals,
        foreign=one.foreign,
    )
