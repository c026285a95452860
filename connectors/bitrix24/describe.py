"""What a portal is made of: users, pipelines, fields; and the custom fields that leadhub wants there."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from connectors.base import CrmUser, FieldInfo, Kind, Metadata, NeededField, Pipeline, Stage
from connectors.bitrix24.account import Account
from connectors.bitrix24.fieldkinds import is_foreign, is_several, kind_of, max_chars
from connectors.bitrix24.payloads import TYPE_IDS, Entity
from connectors.bitrix24.portal import Portal
from connectors.errors import AuthError, ConnectorError, PermanentError

log = logging.getLogger(__name__)
Part = TypeVar("Part")

USER_PAGE = 50
MAX_USERS = 5_000
LEADS_PIPELINE = "0"
"""Leads have one list of statuses and no pipelines; it is shown as one."""


class Describer:
    """Reads of metadata; each part stands alone."""

    def __init__(self, portal: Portal, account: Account) -> None:
        self._portal = portal
        self._account = account
        self.labels: dict[str, str] = {}
        """Title of a field -> its code, as last read: refusals name fields by title."""
        self.codes: dict[Entity, frozenset[str]] = {}
        self.infos: dict[str, FieldInfo] = {}

    async def metadata(self) -> Metadata:
        record = await self._record()
        kinds: dict[Kind, Entity] = {"deal": record, "contact": "contact", "company": "company"}
        users, pipelines, fields = await asyncio.gather(
            self._part(self._users()),
            self._part(self.pipelines(record)),
            asyncio.gather(*(self._part(self.fields(entity)) for entity in kinds.values())),
        )
        readable: dict[Kind, tuple[FieldInfo, ...]] = {
            kind: found for kind, found in zip(kinds, fields, strict=True) if found
        }
        parts = {
            "users": bool(users),
            "pipelines": any(pipeline.stages for pipeline in pipelines or ()),
            "fields": "deal" in readable and "contact" in readable,
        }
        return Metadata(
            users=users or (),
            pipelines=pipelines or (),
            fields=readable,
            known=frozenset(part for part, known in parts.items() if known),
            deal_is="lead" if record == "lead" else "deal",
        )

    @staticmethod
    async def _part(reading: Awaitable[Part]) -> Part | None:
        """None for what cannot be read: a lead never waits for metadata."""
        try:
            return await reading
        except ConnectorError as error:
            log.info("metadata cannot be read", extra={"event": "bitrix24.metadata", "error": str(error)})
            return None

    async def missing(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        """The needed fields that the portal lacks; with `create` they are made, by an administrator's token."""
        record = await self._record()
        entities: dict[Kind, Entity] = {"deal": record, "contact": "contact", "company": "company"}
        absent: list[NeededField] = []
        for kind in dict.fromkeys(field.kind for field in needed if field.kind in entities):
            entity = entities[kind]
            there = {field.id.upper() for field in await self.fields(entity)}
            lacking = [field for field in needed if field.kind == kind and field.code.upper() not in there]
            absent += lacking
            if create:
                for field in lacking:
                    await self._make(entity, field)
        return absent

    async def read_fields(self, entity: Entity) -> None:
        """Brings `labels`, `codes` and `infos` up to date, if the portal lets us."""
        await self._part(self.fields(entity))

    def stand_in(self, code: str) -> Any:
        """A value for a field that was made mandatory and that we have nothing for."""
        info = self.infos.get(code)
        match info.type if info else "":
            case "enumeration":
                return next(iter(info.enums.values()), "") if info else ""
            case "integer" | "double" | "boolean" | "employee":
                return 1
            case "date" | "datetime":
                return self._account.now_text()
            case _:
                return "-"

    async def _record(self) -> Entity:
        try:
            return await self._account.record()
        except ConnectorError:
            return self._account.usual

    async def _make(self, entity: Entity, field: NeededField) -> None:
        labels = {"ru": field.name_ru, "en": field.name_en}
        fields = {
            "FIELD_NAME": field.code,
            "USER_TYPE_ID": "string",
            "XML_ID": field.code,
            "EDIT_FORM_LABEL": labels,
            "LIST_COLUMN_LABEL": labels,
            "LIST_FILTER_LABEL": labels,
        }
        try:
            await self._portal.call(f"crm.{entity}.userfield.add", {"fields": fields}, writes=True)
        except PermanentError:
            there = {found.id.upper() for found in await self.fields(entity)}
            if field.code.upper() not in there:  # else somebody made it meanwhile
                raise

    async def _users(self) -> tuple[CrmUser, ...]:
        first = await self._portal.call("user.get", {"start": 0})
        rows = list(_list(first.result))
        if first.next is not None:
            total = min(first.total or MAX_USERS, MAX_USERS)
            pages = range(1, math.ceil(total / USER_PAGE))
            # Together they leave in one request.
            more = await asyncio.gather(*(self._portal.call("user.get", {"start": page * USER_PAGE}) for page in pages))
            rows += [row for answer in more for row in _list(answer.result)]
        users = {str(row["ID"]): _user(row) for row in rows if row.get("ID")}
        return tuple(users.values())

    async def pipelines(self, record: Entity) -> tuple[Pipeline, ...]:
        if record == "lead":
            await self._account.statuses()
            return (Pipeline(LEADS_PIPELINE, "Leads", self._stages("lead", ""), is_default=True),)
        statuses, categories = await asyncio.gather(
            self._account.statuses(),
            self._portal.call("crm.category.list", {"entityTypeId": TYPE_IDS["deal"]}),
            return_exceptions=True,
        )
        if isinstance(statuses, BaseException):
            raise statuses
        if isinstance(categories, BaseException):
            if not isinstance(categories, PermanentError | AuthError):
                raise categories
            return self._by_stages()
        rows = categories.result.get("categories") if isinstance(categories.result, dict) else categories.result
        return tuple(
            Pipeline(
                id=str(row.get("id", row.get("ID", "0"))),
                name=str(row.get("name", row.get("NAME", ""))),
                stages=self._stages("deal", str(row.get("id", row.get("ID", "0")))),
                is_default=row.get("isDefault") in ("Y", True) or str(row.get("id", row.get("ID"))) == "0",
            )
            for row in _list(rows)
        )

    def _by_stages(self) -> tuple[Pipeline, ...]:
        """Old portals without `crm.category.list`: the pipelines that the stages speak of."""
        groups = dict.fromkeys(status.group for status in self._account.known_statuses)
        ids = [
            "0" if group == "DEAL_STAGE" else group.removeprefix("DEAL_STAGE_")
            for group in groups
            if group.startswith("DEAL_STAGE")
        ]
        return tuple(Pipeline(each, f"#{each}", self._stages("deal", each), is_default=each == "0") for each in ids)

    def _stages(self, entity: Entity, category: str) -> tuple[Stage, ...]:
        statuses = self._account.stages(entity, category)
        return tuple(Stage(status.id, status.name, status.closed, status.outcome) for status in statuses)

    async def fields(self, entity: Entity) -> tuple[FieldInfo, ...]:
        answer = await self._portal.call(f"crm.{entity}.fields")
        known = answer.result if isinstance(answer.result, dict) else {}
        found = tuple(_field(str(code), info) for code, info in known.items() if isinstance(info, dict))
        self.labels |= {field.name: field.id for field in found if field.name and field.name != field.id}
        self.infos |= {field.id: field for field in found}
        self.codes[entity] = frozenset(field.id for field in found)
        return found


def _list(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _user(row: Mapping[str, Any]) -> CrmUser:
    name = " ".join(part for part in (str(row.get(key) or "").strip() for key in ("NAME", "LAST_NAME")) if part)
    return CrmUser(
        id=str(row["ID"]),
        name=name or str(row.get("EMAIL") or row["ID"]),
        email=str(row.get("EMAIL") or ""),
        active=row.get("ACTIVE", True) in (True, "Y", "1", 1, "true"),
    )


def _field(code: str, info: Mapping[str, Any]) -> FieldInfo:
    labels = (info.get(key) for key in ("formLabel", "listLabel", "filterLabel", "title"))
    name = next((str(label) for label in labels if label and str(label) != code), code)
    items = info.get("items")
    return FieldInfo(
        id=code,
        name=name,
        code=code,
        type=str(info.get("type") or "string"),
        enums={str(item["VALUE"]): str(item["ID"]) for item in _list(items) if "VALUE" in item and "ID" in item},
        read_only=info.get("isReadOnly") in (True, "Y", "true"),
        kind=kind_of(code, info),
        several=is_several(info),
        max_chars=max_chars(code),
        foreign=is_foreign(info),
    )
