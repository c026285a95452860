"""What the account is made of: whether it answers, its users, pipelines and fields, where a person sees it."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from connectors.base import Kind, Metadata, NeededField
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.deals import Deals
from connectors.hubspot.properties import PropertyBook
from connectors.hubspot.records import next_page, owner_to_user, record_id, results_of, to_field
from connectors.hubspot.settings import HubSpotSettings

FIELD_KINDS: tuple[Kind, ...] = ("contact", "company", "deal")
RECORD_TYPE: Mapping[Kind, str] = {
    "contact": "0-1",
    "company": "0-2",
    "deal": "0-3",
    "note": "0-46",
    "task": "0-27",
    "call": "0-48",
}


class AccountReader:
    def __init__(self, api: HubSpotApi, book: PropertyBook, deals: Deals, settings: HubSpotSettings) -> None:
        self._api = api
        self._book = book
        self._deals = deals
        self._app_url = settings.app_url
        self._portal = settings.portal_id

    async def ping(self) -> None:
        """A token without the right to read account details has the right to read contacts."""
        try:
            await self._account()
        except (PermanentError, AuthError) as error:
            if error.status == 401:
                raise
            path = self._api.paths.objects("contacts")
            with contextlib.suppress(PermanentError):
                await self._api.call("ping", "GET", path, writes=False, params={"limit": "1"})

    async def _account(self) -> None:
        answer = await self._api.call("ping", "GET", self._api.paths.account, writes=False)
        self._portal = self._portal or str(answer.get("portalId") or "")

    async def metadata(self) -> Metadata:
        users, pipelines, *fields = await asyncio.gather(
            self._users(), self._deals.read_pipelines(), *map(self._fields, FIELD_KINDS), return_exceptions=True
        )
        if not self._portal:
            with contextlib.suppress(ConnectorError):
                await self._account()
        for result in (users, pipelines, *fields):
            if isinstance(result, BaseException) and not isinstance(result, ConnectorError):
                raise result
        readable = {
            kind: one for kind, one in zip(FIELD_KINDS, fields, strict=True) if not isinstance(one, BaseException)
        }
        parts = {
            "users": not isinstance(users, BaseException),
            "pipelines": not isinstance(pipelines, BaseException) and bool(pipelines),
            "fields": len(readable) == len(FIELD_KINDS),
        }
        return Metadata(
            users=() if isinstance(users, BaseException) else users,
            pipelines=() if isinstance(pipelines, BaseException) else pipelines,
            fields=readable,
            known=frozenset(part for part, known in parts.items() if known),
        )

    async def _users(self) -> tuple[Any, ...]:
        users, after = [], ""
        while True:
            params = {"limit": "100", "archived": "false"} | ({"after": after} if after else {})
            answer = await self._api.call("read owners", "GET", self._api.paths.owners, writes=False, params=params)
            users += [owner_to_user(owner) for owner in results_of(answer) if record_id(owner)]
            after = next_page(answer)
            if not after:
                return tuple(users)

    async def _fields(self, kind: Kind) -> tuple[Any, ...]:
        asked_at = self._api.clock.monotonic()
        definitions = await self._book.definitions(kind)
        self._book.note(kind, definitions, asked_at)
        return tuple(to_field(item) for item in definitions if item.get("name"))

    async def ensure_fields(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        kinds = list(dict.fromkeys(field.kind for field in needed))
        there = {kind: await self._names(kind) for kind in kinds}
        missing = [field for field in needed if (names := there[field.kind]) is not None and field.code not in names]
        if create and missing:
            for field in missing:
                await self._book.make(field)
            for kind in dict.fromkeys(field.kind for field in missing):
                asked_at = self._api.clock.monotonic()
                self._book.note(kind, await self._book.definitions(kind), asked_at)
        return missing

    async def _names(self, kind: Kind) -> set[Any] | None:
        """Names of the kind's properties; None for an activity that the account does not have: it needs none."""
        try:
            return {item.get("name") for item in await self._book.definitions(kind)}
        except PermanentError as error:
            if error.status == 404 and kind not in FIELD_KINDS:
                return None
            raise

    def record_url(self, kind: Kind, record_id: str) -> str:
        """Empty while the number of the account is not known: it is after `ping` or `metadata`, or by `portal_id`."""
        if not self._portal:
            return ""
        return f"{self._app_url}/contacts/{self._portal}/record/{RECORD_TYPE[kind]}/{record_id}"
