"""HubSpot's records and definitions -> canonical values; pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.base import CrmUser, FieldInfo, Kind, NeededField, Pipeline, Stage
from connectors.errors import RetryableError
from connectors.hubspot.fieldkinds import MAX_CHARS, kind_of
from mappings.accounts import Outcome

STAPLE: Mapping[Kind, str] = {
    "contact": "email",
    "company": "name",
    "deal": "dealname",
    "note": "hs_note_body",
    "task": "hs_task_subject",
    "call": "hs_call_title",
}
"""A list of properties without this one is not the whole list."""

_INFO_LINE = re.compile(r"^leadhub: .*\bsource=", re.M)
"""What `payloads` writes into a deal whose account has no property for the source."""


def when(value: Any) -> datetime | None:
    """A HubSpot time, ISO or epoch milliseconds."""
    try:
        if str(value).isdigit():
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        parsed = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def record_id(record: Any) -> str:
    """The id of an answer's record as text, "" when there is none."""
    value = record.get("id") if isinstance(record, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def properties_of(record: Any) -> dict[str, str]:
    """Properties of a record; None becomes ""."""
    found = record.get("properties") if isinstance(record, dict) else None
    return {str(name): "" if value is None else str(value) for name, value in found.items()} if found else {}


def results_of(answer: Any) -> list[dict[str, Any]]:
    found = answer.get("results") if isinstance(answer, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def whole(answer: dict[str, Any]) -> bool:
    """Whether a batch read told about everything: what it left out was not found, rather than not read."""
    errors = answer.get("errors") or []
    told = all(isinstance(item, dict) and item.get("category") == "OBJECT_NOT_FOUND" for item in errors)
    return told and isinstance(answer.get("results"), list) and answer.get("status", "COMPLETE") == "COMPLETE"


def found_records(answer: dict[str, Any], operation: str) -> list[dict[str, Any]]:
    """The hits of a search; an answer without a list of them is no "nothing found"."""
    if not isinstance(answer.get("results"), list):
        raise RetryableError("no results in the answer", operation, 200)
    return results_of(answer)


def next_page(answer: Any) -> str:
    """The `after` of the next page, "" on the last."""
    paging = answer.get("paging") if isinstance(answer, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    return str(following.get("after") or "") if isinstance(following, dict) else ""


def linked_ids(record: Any, type_: str) -> tuple[str, ...]:
    """Ids in the `associations` of a record that was read with them."""
    links = record.get("associations") if isinstance(record, dict) else None
    return tuple(dict.fromkeys(filter(None, map(record_id, results_of((links or {}).get(type_))))))


def lowest(ids: Iterable[str]) -> str | None:
    return min(ids, key=lambda id_: (len(id_), id_), default=None)


def has_source(properties: Mapping[str, str]) -> bool:
    return bool(properties.get("leadhub_source")) or bool(_INFO_LINE.search(properties.get("description", "")))


def owner_to_user(owner: dict[str, Any]) -> CrmUser:
    """`id` is what is assigned, not `userId`, which is who changes records."""
    name = " ".join(str(owner.get(part) or "") for part in ("firstName", "lastName")).strip()
    email = str(owner.get("email") or "")
    login = str(owner.get("userIdIncludingInactive") or owner.get("userId") or "")
    return CrmUser(record_id(owner), name or email, email, active=not owner.get("archived"), login=login)


def to_pipeline(pipeline: dict[str, Any], *, is_default: bool) -> Pipeline:
    stages = pipeline.get("stages")
    live = [stage for stage in stages if isinstance(stage, dict)] if isinstance(stages, list) else []
    live = sorted((stage for stage in live if not stage.get("archived")), key=_order)
    return Pipeline(
        id=record_id(pipeline),
        name=str(pipeline.get("label") or ""),
        stages=tuple(
            Stage(record_id(stage), str(stage.get("label") or ""), _is_closed(stage), _outcome(stage)) for stage in live
        ),
        is_default=is_default,
    )


def to_pipelines(answer: Any) -> tuple[Pipeline, ...]:
    """The live pipelines in order; the default is the one so named, else the first."""
    live = sorted((item for item in results_of(answer) if not item.get("archived")), key=_order)
    default = next((item for item in live if record_id(item) == "default"), live[0] if live else None)
    return tuple(to_pipeline(item, is_default=item is default) for item in live)


def _order(item: dict[str, Any]) -> int:
    order = item.get("displayOrder")
    return order if isinstance(order, int) else 0


def _is_closed(stage: dict[str, Any]) -> bool:
    metadata = stage.get("metadata")
    told = metadata.get("isClosed") if isinstance(metadata, dict) else None
    if told is None:
        return record_id(stage) in CLOSED_STAGES
    return str(told).lower() == "true"


def _outcome(stage: dict[str, Any]) -> Outcome:
    """By the probability of a closed stage, which is 1 for won and 0 for lost; else by the default stages' names."""
    if not _is_closed(stage):
        return ""
    metadata = stage.get("metadata")
    told = str(metadata.get("probability") or "") if isinstance(metadata, dict) else ""
    if told:
        return "won" if told.startswith("1") else "lost"
    return "won" if record_id(stage) == "closedwon" else "lost" if record_id(stage) == "closedlost" else ""


CLOSED_STAGES = ("closedwon", "closedlost")


def to_field(definition: dict[str, Any]) -> FieldInfo:
    options = definition.get("options")
    modification = definition.get("modificationMetadata")
    return FieldInfo(
        id=str(definition.get("name") or ""),
        name=str(definition.get("label") or definition.get("name") or ""),
        code=str(definition.get("name") or ""),
        type=str(definition.get("type") or "string"),
        enums={
            str(option.get("label") or option.get("value")): str(option.get("value"))
            for option in (options if isinstance(options, list) else [])
            if isinstance(option, dict)
        },
        read_only=bool(isinstance(modification, dict) and modification.get("readOnlyValue"))
        or bool(definition.get("calculated")),
        kind=kind_of(definition),
        several=definition.get("fieldType") == "checkbox",
        max_chars=MAX_CHARS if definition.get("type") == "string" else 0,
    )


def new_property(field: NeededField, group: str) -> dict[str, Any]:
    """A text property; `hasUniqueValue` can be set at this moment only."""
    body: dict[str, Any] = {
        "groupName": group,
        "name": field.code,
        "label": field.name_en,
        "type": "string",
        "fieldType": "text",
    }
    if field.unique:
        body["hasUniqueValue"] = True
    return body


GROUPS: Mapping[Kind, str] = {
    "contact": "contactinformation",
    "company": "companyinformation",
    "deal": "dealinformation",
    "note": "note",
    "task": "task",
    "call": "call",
}
"""Where a property goes when the account's groups cannot be read; those of notes, tasks and calls are a guess."""


def choose_group(kind: Kind, answer: Any) -> str:
    names = [str(item.get("name")) for item in results_of(answer) if item.get("name") and not item.get("archived")]
    return GROUPS[kind] if GROUPS[kind] in names or not names else names[0]
