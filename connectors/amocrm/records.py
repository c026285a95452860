"""amoCRM JSON -> what we make of it: pure functions that trust no shape."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from connectors.amocrm.fieldkinds import BY_CODE, KINDS, SEVERAL, SHORT_TEXTS
from connectors.amocrm.payloads import KEY_FIELD, NAME_MAX, OWN_PREFIX, SOURCE_FIELD, EntityFields, FieldRef
from connectors.base import CrmUser, DealState, FieldInfo, FoundDeal, Pipeline, Stage
from mappings.accounts import Outcome

OUTCOMES: Mapping[str, Outcome] = {"142": "won", "143": "lost"}
"""The same in every pipeline of every account."""
CLOSED = frozenset(OUTCOMES)
"""Won and lost: the same ids in every pipeline."""
INCOMING = 1
"""`type` of the "incoming leads" status, where nothing can be put by an ordinary create."""
_NAME_MARKER = re.compile(r"\[lh-([^\]\s]+)\]")
_CUSTOM_PATH = re.compile(r"custom_fields_values(?:\.(\d+))?")
ATTRIBUTES = {
    "responsible_user_id": "responsible",
    "call_responsible": "responsible",
    "link": "recording_url",
    "phone": "phone",
    "created_at": "started_at",
    "status_id": "stage",
    "pipeline_id": "pipeline",
    "price": "price",
    "tags": "tags",
    "contacts": "contact_id",
    "companies": "company_id",
    "complete_till": "due_at",
    "params": "text",
    "text": "text",
    "name": "name",
    "entity_id": "deal_id",
}
"""Part of an error's path -> the draft's attribute; the first that fits, in this order."""

Row = dict[str, Any]


def rows_of(answer: Any, collection: str) -> list[Row] | None:
    """The records of a list answer, None when it is no such answer (204, an empty body, is an empty list)."""
    if answer is None:
        return []
    embedded = answer.get("_embedded") if isinstance(answer, dict) else None
    rows = embedded.get(collection) if isinstance(embedded, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def has_next(answer: Any) -> bool:
    links = answer.get("_links") if isinstance(answer, dict) else None
    return isinstance(links, dict) and bool(links.get("next"))


def created_ids(answer: Any, collection: str, count: int) -> list[str | None]:
    """Ids of the records just posted, by the index that comes back as `request_id`, else by their order."""
    rows = rows_of(answer, collection) or []
    ids: list[str | None] = [None] * count
    indexes = [str(row.get("request_id", "")) for row in rows]
    by_index = len(set(indexes)) == len(rows) and all(text.isdecimal() and int(text) < count for text in indexes)
    if not by_index and len(rows) != count:
        return ids
    for order, row in enumerate(rows):
        if _id(row):
            ids[int(indexes[order]) if by_index else order] = _id(row)
    return ids


def errors_by_request(answer: Any) -> dict[int, list[Row]]:
    """Index of a posted record -> what is wrong with it, from a 400 in the vendor's shape; empty for any other."""
    items = answer.get("validation-errors") if isinstance(answer, dict) else None
    found: dict[int, list[Row]] = {}
    for item in items if isinstance(items, list) else ():
        index = str(item.get("request_id", "")) if isinstance(item, dict) else ""
        errors = item.get("errors") if isinstance(item, dict) else None
        if index.isdecimal() and isinstance(errors, list):
            found.setdefault(int(index), []).extend(error for error in errors if isinstance(error, dict))
    return found


def refused_fields(errors: Iterable[Row], origins: tuple[str, ...]) -> tuple[str, ...]:
    """Error paths as the draft's own names, without repeats."""
    names: list[str] = []
    for error in errors:
        path = str(error.get("path", ""))
        custom = _CUSTOM_PATH.search(path)
        if custom and custom.group(1) and int(custom.group(1)) < len(origins):
            names.append(origins[int(custom.group(1))])
        elif custom:
            names.extend(origins)
        else:
            parts = path.split(".")
            names.extend([name for part, name in ATTRIBUTES.items() if part in parts][:1])
    return tuple(dict.fromkeys(names))


def missing_fields(errors: Iterable[Row], fields: EntityFields) -> tuple[FieldRef, ...]:
    """The account's fields that FieldMissing is about: those named by id, code or name, else all that are mandatory."""
    lacking = [error for error in errors if error.get("code") == "FieldMissing"]
    if not lacking:
        return ()
    said = {part for error in lacking for part in re.split(r"[^\w]+", str(error.get("path", "")))}
    told = " ".join(str(error.get("detail", "")) for error in lacking)
    refs = [ref for ref in fields.by_id.values() if ref.id not in fields.demanded and not own_code(ref.code)]
    named = [ref for ref in refs if {str(ref.id), ref.code} - {""} & said or (ref.name and f'"{ref.name}"' in told)]
    return tuple(named or [ref for ref in refs if ref.mandatory])


def error_text(errors: Iterable[Row]) -> str:
    """Code and path of each error; never `detail`, which may repeat what was sent."""
    texts = [f"{error.get('code', 'refused')} at {error.get('path', '?')}" for error in errors]
    return "; ".join(texts[:5]) or "refused"


# --- custom fields ---------------------------------------------------------------------------


def fields_from(rows: Iterable[Row]) -> EntityFields:
    refs = [ref for ref in map(field_ref, rows) if ref is not None]
    return EntityFields(True, {ref.id: ref for ref in refs}, {ref.code: ref for ref in refs if ref.code})


def field_ref(row: Row) -> FieldRef | None:
    if not _id(row).isdecimal():
        return None
    enums = row.get("enums")
    enum_ids = {int(enum["id"]) for enum in enums if _id(enum).isdecimal()} if isinstance(enums, list) else set()
    return FieldRef(
        id=int(row["id"]),
        code=str(row.get("code") or ""),
        type=str(row.get("type") or "text"),
        enum_ids=frozenset(enum_ids),
        name=str(row.get("name") or ""),
        mandatory=bool(row.get("required_statuses") or row.get("is_required")),
    )


def values_of(row: Row, code: str, fields: EntityFields = EntityFields()) -> list[Row]:  # noqa: B008 - frozen
    """`values` of the field `code` in a record."""
    ref = fields.by_code.get(code)
    custom = row.get("custom_fields_values")
    for item in custom if isinstance(custom, list) else ():
        if not isinstance(item, dict):
            continue
        if item.get("field_code") == code or (ref is not None and str(item.get("field_id")) == str(ref.id)):
            values = item.get("values")
            return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    return []


def filled_ids(row: Row) -> set[str]:
    """Ids and codes of the custom fields that hold something."""
    custom = row.get("custom_fields_values")
    filled: set[str] = set()
    for item in custom if isinstance(custom, list) else ():
        if isinstance(item, dict) and item.get("values"):
            filled.update(str(item[name]) for name in ("field_id", "field_code") if item.get(name))
    return filled


def texts_of(row: Row, code: str, fields: EntityFields = EntityFields()) -> list[str]:  # noqa: B008 - frozen
    return [str(value["value"]) for value in values_of(row, code, fields) if value.get("value") not in (None, "")]


def key_of(row: Row, fields: EntityFields = EntityFields()) -> str:  # noqa: B008 - frozen
    """Our key in a record: from our field, else from the mark in its name."""
    texts = texts_of(row, KEY_FIELD, fields)
    if texts:
        return texts[0]
    marked = _NAME_MARKER.search(str(row.get("name") or ""))
    return marked.group(1) if marked else ""


# --- contacts --------------------------------------------------------------------------------


def same_phone(stored: str, e164: str) -> bool:
    """Whether what somebody typed into the CRM is the number `e164`, read as a number of that country."""
    if stored.strip() == e164:
        return True
    try:
        wanted = phonenumbers.parse(e164, None)
        region = phonenumbers.region_code_for_number(wanted)
        country = wanted.country_code or 0
        found = phonenumbers.parse(stored, region or phonenumbers.region_code_for_country_code(country))
    except phonenumbers.NumberParseException:
        return False
    return (found.country_code, found.national_number) == (wanted.country_code, wanted.national_number)


def same_email(stored: str, email: str) -> bool:
    return stored.strip().casefold() == email.strip().casefold()


def is_person(phones: tuple[str, ...], emails: tuple[str, ...], fields: EntityFields, row: Row) -> bool:
    """Whether the contact has one of these phones or e-mails."""
    if row.get("is_deleted"):
        return False
    stored_phones = texts_of(row, "PHONE", fields)
    stored_emails = texts_of(row, "EMAIL", fields)
    return any(same_phone(stored, phone) for stored in stored_phones for phone in phones) or any(
        same_email(stored, email) for stored in stored_emails for email in emails
    )


def kept_values(row: Row, code: str, fields: EntityFields) -> list[Row]:
    """The values of PHONE or EMAIL in the form that is written: a write replaces all of them."""
    kept: list[Row] = []
    for value in values_of(row, code, fields):
        enum = value.get("enum_code") or value.get("enum")
        if value.get("value") in (None, ""):
            continue
        kept.append({"value": value["value"], **({"enum_code": enum} if isinstance(enum, str) else {})})
    return kept


# --- deals -----------------------------------------------------------------------------------


def contact_ids(row: Row) -> tuple[str, ...]:
    """Linked contacts, the main one first."""
    embedded = row.get("_embedded")
    contacts = embedded.get("contacts") if isinstance(embedded, dict) else None
    linked = [item for item in contacts if isinstance(item, dict) and _id(item)] if isinstance(contacts, list) else []
    return tuple(_id(item) for item in sorted(linked, key=lambda item: not item.get("is_main")))


def deal_state(row: Row) -> DealState:
    return DealState(
        id=_id(row),
        closed=str(row.get("status_id")) in CLOSED,
        contact_ids=contact_ids(row),
        responsible=str(row.get("responsible_user_id") or ""),
        pipeline=str(row.get("pipeline_id") or ""),
        stage=str(row.get("status_id") or ""),
        updated_at=moment(row.get("updated_at")),
    )


def found_deal(row: Row, fields: EntityFields) -> FoundDeal:
    contacts = contact_ids(row)
    embedded = row.get("_embedded")
    tags = embedded.get("tags") if isinstance(embedded, dict) else None
    return FoundDeal(
        id=_id(row),
        key=key_of(row, fields),
        has_contact=bool(contacts),
        has_source=bool(texts_of(row, SOURCE_FIELD, fields) or texts_of(row, "UTM_SOURCE", fields) or tags),
        responsible=str(row.get("responsible_user_id") or ""),
        contact_id=contacts[0] if contacts else "",
    )


def moment(value: Any) -> datetime | None:
    """Unix seconds -> aware UTC."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        return None
    return datetime.fromtimestamp(value, UTC)


def made_before(row: Row, when: datetime) -> bool:
    """Whether the record says that it is older than `when`; False when it does not say."""
    made = moment(row.get("created_at"))
    return made is not None and made < when


def newest_first(rows: list[Row]) -> bool:
    """Whether the page really is in the order that was asked for."""
    ids = [int(row["id"]) for row in rows if _id(row).isdecimal()]
    return ids == sorted(ids, reverse=True)


# --- metadata --------------------------------------------------------------------------------


def user(row: Row) -> CrmUser:
    rights = row.get("rights")
    active = bool(rights.get("is_active", True)) if isinstance(rights, dict) else True
    return CrmUser(_id(row), str(row.get("name") or ""), str(row.get("email") or ""), active)


def pipelines(rows: Iterable[Row], *, whole: bool = False) -> Iterator[Pipeline]:
    """Pipelines in use with the stages where a lead can be put; `whole`: also those in which leads are only found."""
    for row in rows:
        archived = bool(row.get("is_archive"))
        if not _id(row) or (archived and not whole):
            continue
        stages = sorted(rows_of(row, "statuses") or [], key=lambda stage: int(stage.get("sort") or 0))
        yield Pipeline(
            _id(row),
            str(row.get("name") or ""),
            tuple(
                Stage(
                    _id(stage),
                    str(stage.get("name") or ""),
                    _id(stage) in CLOSED,
                    OUTCOMES.get(_id(stage), ""),
                    takes=not archived and stage.get("type") != INCOMING,
                )
                for stage in stages
                if whole or stage.get("type") != INCOMING
            ),
            bool(row.get("is_main")),
        )


def field_info(row: Row) -> FieldInfo:
    enums = row.get("enums")
    kind = str(row.get("type") or "text")
    code = str(row.get("code") or "")
    return FieldInfo(
        id=_id(row),
        name=str(row.get("name") or ""),
        code=code,
        type=kind,
        enums={str(enum.get("value")): _id(enum) for enum in enums if isinstance(enum, dict)}
        if isinstance(enums, list)
        else {},
        read_only=bool(row.get("is_computed")),
        kind=BY_CODE.get(code) or KINDS.get(kind, "text"),
        several=kind in SEVERAL,
        max_chars=NAME_MAX if kind in SHORT_TEXTS else 0,
    )


def own_code(origin: str) -> bool:
    return origin.startswith(OWN_PREFIX)


def _id(row: Any) -> str:
    value = row.get("id") if isinstance(row, dict) else None
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) and value != "" else ""
