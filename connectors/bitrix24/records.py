"""Bitrix24 records -> ours. Classic methods write everything as strings, `crm.item.*` as JSON types. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.base import DealState, FoundDeal
from connectors.bitrix24.payloads import Entity, typed_id
from connectors.bitrix24.persons import ORIGINATOR

_CAMEL = {
    "ID": "id",
    "ORIGINATOR_ID": "originatorId",
    "ORIGIN_ID": "originId",
    "CONTACT_ID": "contactId",
    "ASSIGNED_BY_ID": "assignedById",
    "SOURCE_ID": "sourceId",
    "DATE_CREATE": "createdTime",
    "STAGE_ID": "stageId",
    "CATEGORY_ID": "categoryId",
    "STAGE_SEMANTIC_ID": "stageSemanticId",
    "DATE_MODIFY": "updatedTime",
    "CLOSED": "closed",
    "TITLE": "title",
}


def camel(name: str) -> str:
    """A classic field name as `crm.item.*` calls it."""
    return _CAMEL[name]


def classic_row(item: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `crm.item.list` under classic names; what has no classic name here is left as it is."""
    back = {new: old for old, new in _CAMEL.items()}
    return {back.get(name, name): value for name, value in item.items()}


def text(value: Any) -> str:
    """An id or a string whatever type the vendor gave it; "" for nothing and for the "0" that means nothing."""
    return "" if value in (None, "", 0, "0", False) else str(value)


def deal_state(entity: Entity, row: Mapping[str, Any], usual: Entity) -> DealState:
    stage = text(row.get("STATUS_ID") if entity == "lead" else row.get("STAGE_ID")) or text(row.get("STAGE_ID"))
    contact = text(row.get("CONTACT_ID"))
    more = row.get("CONTACT_IDS")
    contacts = [contact, *(text(each) for each in more)] if isinstance(more, list) else [contact]
    return DealState(
        id=typed_id(entity, str(row.get("ID")), usual),
        closed=is_closed(row, stage),
        contact_ids=tuple(dict.fromkeys(each for each in contacts if each)),
        responsible=text(row.get("ASSIGNED_BY_ID")),
        pipeline="" if entity == "lead" else str(row.get("CATEGORY_ID") or "0"),
        stage=stage,
        updated_at=when(row.get("DATE_MODIFY")),
    )


def is_closed(row: Mapping[str, Any], stage: str) -> bool:
    semantic = (text(row.get("STATUS_SEMANTIC_ID")) or text(row.get("STAGE_SEMANTIC_ID"))).upper()
    if semantic:
        return semantic in ("S", "F")
    if row.get("CLOSED") in ("Y", True):
        return True
    return stage.rpartition(":")[2] in ("WON", "LOSE", "APOLOGY", "CONVERTED", "JUNK")


def when(value: Any) -> datetime | None:
    """An ISO time with offset; None for anything else."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def found_deal(entity: Entity, row: Mapping[str, Any], usual: Entity) -> FoundDeal:
    ours = text(row.get("ORIGINATOR_ID")) in ("", ORIGINATOR)
    contact = text(row.get("CONTACT_ID"))
    return FoundDeal(
        id=typed_id(entity, str(row.get("ID")), usual),
        key=text(row.get("ORIGIN_ID")) if ours else "",
        has_contact=bool(contact),
        has_source=bool(text(row.get("SOURCE_ID"))),
        responsible=text(row.get("ASSIGNED_BY_ID")),
        contact_id=contact,
    )
