"""Lists of CRM records: `crm.item.list` where it is known, else the classic list; rows come with classic names."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from connectors.bitrix24.answers import MethodMissingError
from connectors.bitrix24.payloads import TYPE_IDS, Entity
from connectors.bitrix24.persons import ORIGINATOR, number
from connectors.bitrix24.portal import Portal
from connectors.bitrix24.records import camel, classic_row, text
from connectors.errors import PermanentError, RetryableError
from leads.clock import Clock

PAGE = 50
ASK_AGAIN_S = 600.0
"""`crm.item.list` was unknown: so long the classic lists are asked at once."""
MAX_PAGES = 2_000

Filter = Mapping[tuple[str, str], Any]
"""(operator, classic field name) -> value. Operators of the vendor: "=", ">", ">=", "<=", "@" (one of), "%" (has)."""


class Rows:
    """Reads of one portal. A list that does not do what it was asked is an error, never an empty answer."""

    def __init__(self, portal: Portal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock
        self._classic_until = float("-inf")

    async def by_key(self, entity: Entity, key: str) -> str | None:
        """Lowest id of the record whose ORIGIN_ID is `key`, or None.

        Raises RetryableError when the rows are not those asked for: then nothing is known.
        """
        where = {("=", "ORIGINATOR_ID"): ORIGINATOR, ("=", "ORIGIN_ID"): key}
        rows = await self.page(entity, where, ("ID", "ORIGINATOR_ID", "ORIGIN_ID"))
        ours = [
            int(row["ID"])
            for row in rows
            if text(row.get("ORIGIN_ID")) == key and text(row.get("ORIGINATOR_ID")) in ("", ORIGINATOR)
        ]
        if rows and not ours:
            raise RetryableError("the list does not filter by our key", f"crm.{entity}.list")
        return str(min(ours)) if ours else None

    async def page(self, entity: Entity, where: Filter, select: Iterable[str]) -> list[dict[str, Any]]:
        """At most 50 rows by ascending id."""
        names = tuple(select)
        if self._clock.monotonic() >= self._classic_until:
            try:
                return await self._items(entity, where, names)
            except MethodMissingError:
                self._classic_until = self._clock.monotonic() + ASK_AGAIN_S
            except PermanentError:
                pass  # an old portal that does not know one of the fields by its new name
        return await self._classic(entity, where, names)

    async def all(self, entity: Entity, where: Filter, select: Iterable[str]) -> AsyncIterator[dict[str, Any]]:
        """Every row, page by page by id: the vendor's fast way, without counting."""
        last = 0
        for _ in range(MAX_PAGES):
            rows = await self.page(entity, {**where, (">", "ID"): last}, select)
            fresh = [row for row in rows if int(row["ID"]) > last]
            for row in fresh:
                yield row
            # A list that ignores the filter or the order would hand out the same page for ever.
            if len(rows) < PAGE or not fresh:
                return
            last = max(int(row["ID"]) for row in fresh)

    async def get(self, entity: Entity, record_id: str) -> dict[str, Any] | None:
        """One record with its phones, or None when there is none."""
        try:
            answer = await self._portal.call(f"crm.{entity}.get", {"id": number(record_id)})
        except MethodMissingError:
            raise
        except PermanentError as error:
            if error.gone or not getattr(error, "code", "x"):
                return None  # "Not found" comes without a code and in the portal's language
            raise
        row = answer.result
        if not isinstance(row, dict) or not row:
            return None
        return row if "ID" in row else {"ID": record_id, **classic_row(row)}

    async def of_contact(self, entity: Entity, contact_id: str) -> list[dict[str, Any]]:
        """The contact's newest 50 deals (or leads), newest first."""
        select = ["ID", "CONTACT_ID", "ASSIGNED_BY_ID", "DATE_MODIFY"]
        select += (
            ["STATUS_ID", "STATUS_SEMANTIC_ID"]
            if entity == "lead"
            else ["STAGE_ID", "STAGE_SEMANTIC_ID", "CATEGORY_ID", "CLOSED"]
        )
        try:
            params = {"filter": {"CONTACT_ID": number(contact_id)}, "select": select, "order": {"ID": "DESC"}}
            answer = await self._portal.call(f"crm.{entity}.list", {**params, "start": -1})
            rows = _rows(f"crm.{entity}.list", answer.result)
        except MethodMissingError:
            rows = await self._items(entity, {("=", "CONTACT_ID"): number(contact_id)}, ("*",), order="DESC")
        # A filter that the list does not know is dropped in silence.
        rows = [row for row in rows if text(row.get("CONTACT_ID")) == contact_id]
        return sorted(rows, key=lambda row: int(row["ID"]), reverse=True)

    async def _items(
        self, entity: Entity, where: Filter, select: tuple[str, ...], *, order: str = "ASC"
    ) -> list[dict[str, Any]]:
        params = {
            "entityTypeId": TYPE_IDS[entity],
            "filter": {f"{operator}{camel(name)}": value for (operator, name), value in where.items()},
            "select": [name if name == "*" else camel(name) for name in select],
            "order": {"id": order},
            "start": -1,
        }
        answer = await self._portal.call("crm.item.list", params)
        result = answer.result
        if isinstance(result, list) and not result:  # PHP writes an empty map as []
            return []
        items = result.get("items") if isinstance(result, dict) else None
        return _rows("crm.item.list", items)

    async def _classic(self, entity: Entity, where: Filter, select: tuple[str, ...]) -> list[dict[str, Any]]:
        params = {
            "filter": {f"{operator.lstrip('=')}{name}": value for (operator, name), value in where.items()},
            "select": list(select),
            "order": {"ID": "ASC"},
            "start": -1,
        }
        method = f"crm.{entity}.list"
        answer = await self._portal.call(method, params)
        return _rows(method, answer.result)


def _rows(method: str, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        raise RetryableError("the answer holds no list", method, 200)
    found = [classic_row(row) for row in rows if isinstance(row, dict)]
    if any(not str(row.get("ID", "")).isdecimal() for row in found):
        raise RetryableError("a row has no id", method, 200)
    return found
