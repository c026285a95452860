"""Users, pipelines and fields of one account, each part on its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from connectors.amocrm.account import ENTITIES, AccountFields, list_field_rows
from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.records import Row, field_info, pipelines, rows_of, user
from connectors.base import CrmUser, FieldInfo, Kind, Metadata
from connectors.errors import ConnectorError, RetryableError

log = logging.getLogger(__name__)

ENTITY_OF: Mapping[Kind, str] = {"deal": "leads", "contact": "contacts", "company": "companies"}
USER_PAGES = 20
Part = TypeVar("Part")


async def read_metadata(api: AmocrmApi, account: AccountFields) -> Metadata:
    """Users need an administrator's token, the rest does not; what cannot be read is left out of `known`.

    All at once: the first lead after a start waits for this.
    """
    users, found_pipelines, lists = await asyncio.gather(
        _part("users", partial(_users, api)),
        _part("pipelines", partial(pipeline_rows, api)),
        asyncio.gather(
            *(
                _part(
                    "fields",
                    partial(account.rows, entity) if entity in ENTITIES else partial(list_field_rows, api, entity),
                )
                for entity in ENTITY_OF.values()
            )
        ),
    )
    readable = {kind: rows for kind, rows in zip(ENTITY_OF, lists, strict=True) if rows is not None}
    known = {
        "users": users is not None,
        "pipelines": found_pipelines is not None,
        "fields": len(readable) == len(ENTITY_OF),
    }
    fields: dict[Kind, tuple[FieldInfo, ...]] = {kind: tuple(map(field_info, rows)) for kind, rows in readable.items()}
    parts = frozenset(part for part, read in known.items() if read)
    return Metadata(users or (), tuple(pipelines(found_pipelines or [])), fields, parts)


async def _part(name: str, read: Callable[[], Awaitable[Part]]) -> Part | None:
    """None for what cannot be read."""
    try:
        return await read()
    except ConnectorError as error:
        extra = {"event": "metadata.missing", "part": name, "error": str(error)}
        log.info("part of the metadata cannot be read", extra=extra)
        return None


async def pipeline_rows(api: AmocrmApi) -> list[Row]:
    rows = rows_of(await api.get("list pipelines", "/api/v4/leads/pipelines"), "pipelines")
    if rows is None:
        raise RetryableError("the answer is no list of pipelines", "list pipelines", 200)
    return rows


async def _users(api: AmocrmApi) -> tuple[CrmUser, ...]:
    pages = api.pages("list users", "/api/v4/users", "users", [("with", "role,group")], max_pages=USER_PAGES)
    return tuple([user(row) async for page in pages for row in page])
