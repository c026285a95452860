"""Users, pipelines and fields of one account, each part on its own."""

import logging
from collections.abc import Mapping

from connectors.amocrm.account import ENTITIES, AccountFields, list_field_rows
from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.records import Row, field_info, pipelines, rows_of, user
from connectors.base import CrmUser, FieldInfo, Kind, Metadata, Pipeline
from connectors.errors import ConnectorError, RetryableError

log = logging.getLogger(__name__)

ENTITY_OF: Mapping[Kind, str] = {"deal": "leads", "contact": "contacts", "company": "companies"}
USER_PAGES = 20


async def read_metadata(api: AmocrmApi, account: AccountFields) -> Metadata:
    """Users need an administrator's token, the rest does not; what cannot be read is left out of `known`."""
    known: set[str] = set()
    users: tuple[CrmUser, ...] = ()
    found_pipelines: tuple[Pipeline, ...] = ()
    fields: dict[Kind, tuple[FieldInfo, ...]] = {}
    try:
        users = await _users(api)
        known.add("users")
    except ConnectorError as error:
        _missing("users", error)
    try:
        found_pipelines = tuple(pipelines(await pipeline_rows(api)))
        known.add("pipelines")
    except ConnectorError as error:
        _missing("pipelines", error)
    try:
        for kind, entity in ENTITY_OF.items():
            rows = await (account.rows(entity) if entity in ENTITIES else list_field_rows(api, entity))
            fields[kind] = tuple(map(field_info, rows))
        known.add("fields")
    except ConnectorError as error:
        _missing("fields", error)
    return Metadata(users, found_pipelines, fields, frozenset(known))


async def pipeline_rows(api: AmocrmApi) -> list[Row]:
    rows = rows_of(await api.get("list pipelines", "/api/v4/leads/pipelines"), "pipelines")
    if rows is None:
        raise RetryableError("the answer is no list of pipelines", "list pipelines", 200)
    return rows


async def _users(api: AmocrmApi) -> tuple[CrmUser, ...]:
    pages = api.pages("list users", "/api/v4/users", "users", [("with", "role,group")], max_pages=USER_PAGES)
    return tuple([user(row) async for page in pages for row in page])


def _missing(part: str, error: ConnectorError) -> None:
    fields = {"event": "metadata.missing", "part": part, "error": str(error)}
    log.info("part of the metadata cannot be read", extra=fields)
