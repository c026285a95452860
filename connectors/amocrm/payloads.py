"""Drafts -> amoCRM JSON: pure functions."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from connectors.base import CallDraft, CompanyDraft, ContactDraft, DealDraft, Disposition, NoteDraft, TaskDraft
from connectors.errors import PermanentError

OWN_PREFIX = "LEADHUB_"
KEY_FIELD = "LEADHUB_ID"
SOURCE_FIELD = "LEADHUB_SOURCE"
NAME_MAX = 255
"""Not documented for v4, but no name longer than this has been seen to be kept."""
TASK_FOLLOW_UP = 1
CALL_SOURCE = "leadhub"
CALL_STATUS: Mapping[Disposition, int] = {
    "answered": 4,
    "missed": 6,
    "no_answer": 6,
    "failed": 6,
    "busy": 7,
    "voicemail": 1,
}
"""The vendor's outcomes: 1 left a message, 4 talked, 6 no connection, 7 busy (Kommo docs, "Calls")."""
TRACKING = {
    "utm_source": "UTM_SOURCE",
    "utm_medium": "UTM_MEDIUM",
    "utm_campaign": "UTM_CAMPAIGN",
    "utm_content": "UTM_CONTENT",
    "utm_term": "UTM_TERM",
    "utm_referrer": "UTM_REFERRER",
    "referrer": "REFERRER",
    "gclid": "GCLID",
    "yclid": "YCLID",
    "fbclid": "FBCLID",
    "_ym_uid": "_YM_UID",
    "client_id": "GCLIENTID",
    "roistat_visit": "ROISTAT",
}
"""Our key -> code of the predefined `tracking_data` field of a lead."""
ALWAYS_THERE = frozenset({"UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM"})
"""Sent even when the field list could not be read; the rest differs by region and age of the account."""
CHOICES = frozenset({"select", "radiobutton", "category", "multiselect"})
DATES = frozenset({"date", "date_time", "birthday"})
NO_DATE = 43_200
"""1 January 1970 at noon."""


@dataclass(frozen=True, slots=True)
class FieldRef:
    """One custom field of the account."""

    id: int
    code: str = ""
    type: str = "text"
    enum_ids: frozenset[int] = frozenset()
    name: str = ""
    mandatory: bool = False
    """In some stage, for people; the API as a rule does not ask for it (unverified)."""


@dataclass(frozen=True, slots=True)
class EntityFields:
    """The custom fields of leads or of contacts; `known` is False when the list could not be read."""

    known: bool = False
    by_id: Mapping[int, FieldRef] = field(default_factory=dict)
    by_code: Mapping[str, FieldRef] = field(default_factory=dict)
    demanded: frozenset[int] = frozenset()
    """Fields without which the account has refused a record: never left empty from then on."""

    def without(self, codes: Iterable[str]) -> "EntityFields":
        gone = frozenset(codes)
        if not gone:
            return self
        return EntityFields(
            self.known,
            {ref.id: ref for ref in self.by_id.values() if ref.code not in gone},
            {code: ref for code, ref in self.by_code.items() if code not in gone},
            self.demanded,
        )

    def among(self, code: str, given: Collection[str]) -> bool:
        """Whether this field is in `given`, by its code or its id."""
        ref = self.by_code.get(code)
        return code in given or (ref is not None and str(ref.id) in given)

    def and_also(self, ref: FieldRef) -> "EntityFields":
        return replace(self, by_id={**self.by_id, ref.id: ref}, by_code={**self.by_code, ref.code: ref})

    def tracks(self, code: str) -> bool:
        """Whether to send the tracking field `code`: known to be there, or nothing is known against it."""
        if self.known and any(ref.type == "tracking_data" or ref.code in ALWAYS_THERE for ref in self.by_id.values()):
            return code in self.by_code
        return code in ALWAYS_THERE


@dataclass(frozen=True, slots=True)
class Body:
    """What is posted. `origins[i]` names what `custom_fields_values[i]` came from, as the draft calls it."""

    json: dict[str, Any]
    origins: tuple[str, ...] = ()
    path: str = ""
    """Endpoint of the single-record form, where that is not the one for many."""

    @property
    def own(self) -> tuple[str, ...]:
        """Codes of our own fields in it."""
        return tuple(origin for origin in self.origins if origin.startswith(OWN_PREFIX))


class _Custom:
    """Collects `custom_fields_values`."""

    def __init__(self, fields: EntityFields) -> None:
        self.fields = fields
        self.values: list[dict[str, Any]] = []
        self.origins: list[str] = []

    def add(self, key: str, values: list[dict[str, Any]], origin: str) -> None:
        """`key` is a field's id or code."""
        if not values:
            return
        where: dict[str, Any] = {"field_id": int(key)} if key.isdecimal() else {"field_code": key}
        self.values.append({**where, "values": values})
        self.origins.append(origin)

    def add_own(self, code: str, value: Any) -> bool:
        """One of leadhub's own fields: only where the account is known to have it. True when it was added."""
        ref = self.fields.by_code.get(code)
        if ref is None or code in self.origins:
            return False
        self.add(str(ref.id), field_values(value, ref), code)
        return code in self.origins

    def add_all(self, fields: Mapping[str, Any]) -> None:
        for key, value in fields.items():
            ref = self.fields.by_id.get(int(key)) if key.isdecimal() else self.fields.by_code.get(key)
            code = ref.code if ref else key
            if code.startswith(OWN_PREFIX):
                self.add_own(code, value)
            else:
                self.add(key, field_values(value, ref), key)

    def add_demanded(self) -> None:
        """A stand-in for each field that the account insists on and that nothing was known for."""
        sent = {str(value.get(way)) for value in self.values for way in ("field_id", "field_code")}
        for ref in (self.fields.by_id.get(key) for key in sorted(self.fields.demanded)):
            if ref is not None and not {str(ref.id), ref.code} & sent:
                self.add(str(ref.id), [stand_in(ref)], str(ref.id))


# --- bodies ---------------------------------------------------------------------------------


def deal_body(draft: DealDraft, fields: EntityFields) -> Body:
    """A lead with everything in one request: key, source, tracking, tags, contact."""
    custom = _Custom(fields)
    keyed = custom.add_own(KEY_FIELD, draft.key)
    custom.add_own(SOURCE_FIELD, draft.source)
    for key, value in draft.utm.items():
        code = TRACKING.get(key)
        if not code or not value or fields.among(code, draft.fields):  # what a mapping says goes before
            continue
        if fields.tracks(code):
            custom.add(code, [{"value": str(value)[:NAME_MAX]}], "utm")  # a refusal of one would cost all
    custom.add_all(draft.fields)
    custom.add_demanded()
    json: dict[str, Any] = {"name": draft.title[:NAME_MAX] if keyed else marked_name(draft.title, draft.key)}
    if draft.price:
        json["price"] = whole_price(draft.price)
    put_number(json, "responsible_user_id", draft.responsible, "responsible")
    put_number(json, "pipeline_id", draft.pipeline, "pipeline")
    put_number(json, "status_id", draft.stage, "stage")
    _put_custom(json, custom)
    embedded: dict[str, Any] = {}
    tags = list(dict.fromkeys(tag.strip() for tag in (*draft.tags, draft.source) if tag.strip()))
    if tags:
        embedded["tags"] = [{"name": tag} for tag in tags]
    if draft.contact_id:
        embedded["contacts"] = [{"id": number(draft.contact_id, "contact_id"), "is_main": True}]
    if draft.company_id:
        embedded["companies"] = [{"id": number(draft.company_id, "company_id")}]
    if embedded:
        json["_embedded"] = embedded
    return Body(json, tuple(custom.origins))


def contact_body(draft: ContactDraft, fields: EntityFields) -> Body:
    custom = _Custom(fields)
    custom.add("PHONE", [{"value": phone, "enum_code": "WORK"} for phone in draft.phones], "phones")
    custom.add("EMAIL", [{"value": email, "enum_code": "WORK"} for email in draft.emails], "emails")
    keyed = custom.add_own(KEY_FIELD, draft.key)
    custom.add_all(draft.fields)
    custom.add_demanded()
    name = draft.name.strip() or next(iter((*draft.phones, *draft.emails)), "")
    if not keyed and not draft.phones and not draft.emails:
        name = marked_name(name, draft.key)  # nothing else to look this contact up by
    json: dict[str, Any] = {"name": name[:NAME_MAX]}
    put_number(json, "responsible_user_id", draft.responsible, "responsible")
    _put_custom(json, custom)
    if draft.company_id:
        json["_embedded"] = {"companies": [{"id": number(draft.company_id, "company_id")}]}
    return Body(json, tuple(custom.origins))


def company_body(draft: CompanyDraft, fields: EntityFields) -> Body:
    custom = _Custom(fields)
    custom.add_all(draft.fields)
    json: dict[str, Any] = {"name": draft.name[:NAME_MAX]}
    put_number(json, "responsible_user_id", draft.responsible, "responsible")
    _put_custom(json, custom)
    return Body(json, tuple(custom.origins))


def noted_on(draft: NoteDraft | TaskDraft | CallDraft) -> tuple[str, str]:
    """(entity, id) that the note, task or call hangs on."""
    return ("leads", draft.deal_id) if draft.deal_id else ("contacts", draft.contact_id)


def note_body(draft: NoteDraft) -> Body:
    """`entity_id` is needed by the form for many and ignored by the one for one."""
    entity, entity_id = noted_on(draft)
    text = f"{draft.text.rstrip()}\n{text_marker(draft.key)}"
    json = {"entity_id": number(entity_id, "deal_id"), "note_type": "common", "params": {"text": text}}
    return Body(json, path=f"/api/v4/{entity}/{entity_id}/notes")


def call_body(draft: CallDraft) -> Body:
    """A call note. `uniq` holds our key: it is not unique to the vendor, but it is shown, so it is what we look up.

    `link` goes along empty, as the vendor's own client sends it; seconds of ringing have no field.
    """
    entity, entity_id = noted_on(draft)
    params: dict[str, Any] = {
        "uniq": draft.key,
        "duration": draft.talk_s,
        "source": CALL_SOURCE,
        "link": draft.recording_url,
        "phone": draft.phone,
        "call_status": CALL_STATUS[draft.disposition],
    }
    if draft.text:
        params["call_result"] = draft.text
    json: dict[str, Any] = {
        "entity_id": number(entity_id, "deal_id"),
        "note_type": f"call_{draft.direction}",
        "params": params,
        "created_at": int(draft.started_at.timestamp()),
    }
    put_number(params, "call_responsible", draft.responsible, "responsible")
    put_number(json, "responsible_user_id", draft.responsible, "responsible")
    if draft.employee and not draft.responsible:
        params["call_responsible"] = draft.employee
    return Body(json, path=f"/api/v4/{entity}/{entity_id}/notes")


def task_body(draft: TaskDraft) -> Body:
    entity, entity_id = noted_on(draft)
    json: dict[str, Any] = {
        "text": f"{draft.text.rstrip()} {text_marker(draft.key)}",
        "complete_till": int(draft.due_at.timestamp()),
        "task_type_id": TASK_FOLLOW_UP,
        "entity_id": number(entity_id, "deal_id"),
        "entity_type": entity,
    }
    put_number(json, "responsible_user_id", draft.responsible, "responsible")
    return Body(json)


def update_body(fields: Mapping[str, Any], known: EntityFields) -> Body:
    """Custom fields of an existing record; `json` is empty when none of them can be sent."""
    custom = _Custom(known)
    custom.add_all(fields)
    json: dict[str, Any] = {}
    _put_custom(json, custom)
    return Body(json, tuple(custom.origins))


# --- pieces ---------------------------------------------------------------------------------


def field_values(value: Any, ref: FieldRef | None = None) -> list[dict[str, Any]]:
    """`values` of a custom field; empty for an empty value, which is then not sent."""
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple | set | frozenset):
        return [item for part in value for item in field_values(part, ref)]
    if isinstance(value, Mapping):
        return [dict(value)]
    kind = ref.type if ref else ""
    if isinstance(value, bool):
        return [{"value": value}]
    if isinstance(value, datetime):
        return [{"value": int(value.timestamp())}]
    if isinstance(value, date):  # at noon: the same day in almost every zone
        return [{"value": int(datetime(value.year, value.month, value.day, 12, tzinfo=UTC).timestamp())}]
    text = str(value)
    if kind == "checkbox":
        return [{"value": text.strip().lower() in ("1", "true", "yes", "on", "да")}]
    if kind in DATES and text.isdecimal():
        return [{"value": int(text)}]
    if kind in CHOICES and ref and text.isdecimal() and int(text) in ref.enum_ids:
        return [{"enum_id": int(text)}]
    return [{"value": text}]


def stand_in(ref: FieldRef) -> dict[str, Any]:
    """What a field that must not be empty is sent with when nothing is known: nobody takes it for an answer."""
    if ref.type in CHOICES and ref.enum_ids:
        return {"enum_id": min(ref.enum_ids)}
    if ref.type == "checkbox":
        return {"value": False}
    if ref.type in DATES:
        return {"value": NO_DATE}
    return {"value": "0" if ref.type in ("numeric", "price", "monetary") else "-"}


def marked_name(name: str, key: str) -> str:
    """The name with our key at its end, for accounts without our key field."""
    marker = f"[lh-{key}]"
    return f"{name[: NAME_MAX - len(marker) - 1]} {marker}".strip()


def text_marker(key: str) -> str:
    """What marks a note or a task as made from `key`: short, because people read it."""
    return f"#lh-{hashlib.blake2s(key.encode(), digest_size=5).hexdigest()}"


def whole_price(price: str) -> int:
    """amoCRM keeps whole units only."""
    try:
        return int(Decimal(price).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (InvalidOperation, ValueError):
        raise PermanentError("the price is not a number", "create deal", fields=("price",)) from None


def number(text: str, attribute: str) -> int:
    """An id as amoCRM wants it; raises PermanentError naming the draft's attribute."""
    if not (text.isascii() and text.isdecimal()):
        raise PermanentError(f"{attribute} is not an amoCRM id", fields=(attribute,))
    return int(text)


def put_number(json: dict[str, Any], key: str, text: str, attribute: str) -> None:
    if text:
        json[key] = number(text, attribute)


def _put_custom(json: dict[str, Any], custom: _Custom) -> None:
    if custom.values:
        json["custom_fields_values"] = custom.values


def without_origins(body: Body, origins: list[str]) -> Body:
    """Without the custom fields that come from these."""
    custom = body.json.get("custom_fields_values", [])
    kept = [(value, origin) for value, origin in zip(custom, body.origins, strict=True) if origin not in origins]
    json = {key: value for key, value in body.json.items() if key != "custom_fields_values"}
    if kept:
        json["custom_fields_values"] = [value for value, _ in kept]
    return Body(json, tuple(origin for _, origin in kept))
