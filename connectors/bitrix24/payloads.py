"""Drafts -> Bitrix24 fields. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from connectors.base import CallDraft, CompanyDraft, ContactDraft, DealDraft, Disposition, NoteDraft, TaskDraft
from connectors.bitrix24.persons import NAME_CHARS, ORIGINATOR, field_values, multifields, number

Entity = Literal["lead", "deal", "contact", "company"]
TYPE_IDS: dict[Entity, int] = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
TAGS_FIELD = "UF_CRM_LEADHUB_TAGS"
TITLE_CHARS = 255
PING_MINUTES = (0, 15)
CALL_CODES: Mapping[Disposition, str] = {
    "answered": "200",
    "missed": "304",
    "no_answer": "480",
    "busy": "486",
    "failed": "503",
    "voicemail": "304",
}
"""STATUS_CODE of `telephony.externalCall.finish` [telephony/telephony-external-call-finish]."""

_LETTERS: dict[Entity, str] = {"lead": "L", "deal": "D"}
_SPOKEN_PHONE = re.compile(r"\+?\d[\d\s()-]{8,18}\d")


def typed_id(entity: Entity, record_id: str, usual: Entity) -> str:
    """A plain id for the kind of record that this connection writes, `L_15` or `D_15` for the other one."""
    return record_id if entity == usual else f"{_LETTERS[entity]}_{record_id}"


def entity_of(deal_id: str, usual: Entity) -> tuple[Entity, str]:
    """What `typed_id` made, taken apart."""
    letter, underscore, number = deal_id.partition("_")
    if underscore and letter in ("L", "D"):
        return ("lead" if letter == "L" else "deal"), number
    return usual, deal_id


def record_id(value: Any) -> str:
    """The id in the answer of an add, "" when there is none."""
    if isinstance(value, dict):
        inner = value.get("item", value)
        value = inner.get("id", inner.get("ID")) if isinstance(inner, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value).strip()
    return text if text.isascii() and text.isdecimal() and int(text) > 0 else ""


def contact_fields(draft: ContactDraft) -> dict[str, Any]:
    """Fields of `crm.contact.add`."""
    # The vendor wants a name: without one the record could not be told apart in lists.
    name = draft.name or next(iter((*draft.phones, *draft.emails)), "")
    fields: dict[str, Any] = {"NAME": name[:NAME_CHARS], **multifields(draft.phones, draft.emails)}
    if draft.company_id:
        fields["COMPANY_ID"] = number(draft.company_id)
    return _own(fields, draft)


def company_fields(draft: CompanyDraft) -> dict[str, Any]:
    """Fields of `crm.company.add`."""
    return _own({"TITLE": draft.name[:TITLE_CHARS]}, draft)


def deal_fields(draft: DealDraft, entity: Entity, source_id: str, *, with_tags: bool = True) -> dict[str, Any]:
    """Fields of `crm.deal.add` or `crm.lead.add`: all that is known of the enquiry in one record."""
    fields: dict[str, Any] = {"TITLE": draft.title[:TITLE_CHARS]}
    if entity == "lead":
        fields |= {"NAME": draft.name[:NAME_CHARS]} if draft.name else {}
        fields |= multifields(draft.phones, draft.emails)
        if draft.stage:
            fields["STATUS_ID"] = draft.stage
    else:
        category = category_of(draft)
        if category:
            fields["CATEGORY_ID"] = number(category)
        if draft.stage:
            fields["STAGE_ID"] = draft.stage
    if draft.contact_id:
        fields["CONTACT_ID"] = number(draft.contact_id)
    if draft.company_id:
        fields["COMPANY_ID"] = number(draft.company_id)
    if draft.price:
        fields["OPPORTUNITY"] = draft.price
    if draft.comment:
        fields["COMMENTS"] = draft.comment
    if source_id:
        fields["SOURCE_ID"] = source_id
    if draft.source:
        fields["SOURCE_DESCRIPTION"] = draft.source
    if draft.tags and with_tags:
        fields[TAGS_FIELD] = ", ".join(draft.tags)
    fields |= {name.upper(): value for name, value in draft.utm.items() if value}
    return _own(fields, draft)


def category_of(draft: DealDraft) -> str:
    """The pipeline: as given, else as the stage id says (`C5:NEW` is of pipeline 5)."""
    match = re.match(r"C(\d+):", draft.stage)
    return draft.pipeline or (match[1] if match else "")


def _own(fields: dict[str, Any], draft: ContactDraft | CompanyDraft | DealDraft) -> dict[str, Any]:
    if draft.responsible:
        fields["ASSIGNED_BY_ID"] = number(draft.responsible)
    return {**fields, **field_values(draft.fields), "ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": draft.key}


def marker(key: str) -> str:
    """How a comment or a task, which have no field for a key, are known again."""
    return f"#leadhub:{key}"


def is_marked(text: str, key: str) -> bool:
    """`text` bears this key, not one that only begins like it."""
    return re.search(re.escape(marker(key)) + r"(?![\w:.-])", text) is not None


def comment_params(draft: NoteDraft, entity: Entity, owner_id: str) -> dict[str, Any]:
    """Parameters of `crm.timeline.comment.add`."""
    text = f"{draft.text}\n\n{marker(draft.key)}"
    return {"fields": {"ENTITY_TYPE": entity, "ENTITY_ID": number(owner_id), "COMMENT": text}}


def todo_params(draft: TaskDraft, entity: Entity, owner_id: str) -> dict[str, Any]:
    """Parameters of `crm.activity.todo.add`."""
    params: dict[str, Any] = {
        "ownerTypeId": TYPE_IDS[entity],
        "ownerId": number(owner_id),
        "deadline": moment(draft.due_at),
        "title": _first_line(draft.text),
        "description": f"{draft.text}\n\n{marker(draft.key)}",
        "pingOffsets": list(PING_MINUTES),
    }
    if draft.responsible:
        params["responsibleId"] = number(draft.responsible)
    return params


def activity_params(draft: TaskDraft, entity: Entity, owner_id: str) -> dict[str, Any]:
    """Parameters of `crm.activity.add`, for portals without to-dos: a planned call, else (no phone) a meeting."""
    phone = _SPOKEN_PHONE.search(draft.text)
    fields: dict[str, Any] = {
        "OWNER_TYPE_ID": TYPE_IDS[entity],
        "OWNER_ID": number(owner_id),
        "TYPE_ID": 2 if phone else 1,
        "SUBJECT": _first_line(draft.text),
        "DESCRIPTION": f"{draft.text}\n\n{marker(draft.key)}",
        "START_TIME": moment(draft.due_at),
        "END_TIME": moment(draft.due_at),
        "DEADLINE": moment(draft.due_at),
        "COMPLETED": "N",
        "ORIGINATOR_ID": ORIGINATOR,
        "ORIGIN_ID": draft.key,
    }
    if phone:
        person: tuple[Entity, str] = ("contact", draft.contact_id) if draft.contact_id else (entity, owner_id)
        fields["DIRECTION"] = 2
        fields["COMMUNICATIONS"] = [
            {"VALUE": phone[0], "ENTITY_TYPE_ID": TYPE_IDS[person[0]], "ENTITY_ID": number(person[1])}
        ]
    if draft.responsible:
        fields["RESPONSIBLE_ID"] = number(draft.responsible)
    return {"fields": fields}


def register_params(draft: CallDraft, usual: Entity) -> dict[str, Any]:
    """Parameters of `telephony.externalCall.register`, which knows contacts and leads but no deals.

    It neither makes a lead nor opens the call's card on somebody's screen.
    """
    params: dict[str, Any] = {
        "USER_ID": number(draft.responsible),
        "PHONE_NUMBER": draft.phone,
        "TYPE": 2 if draft.direction == "in" else 1,
        "CALL_START_DATE": moment(draft.started_at),
        "CRM_CREATE": 0,
        "SHOW": 0,
        "EXTERNAL_CALL_ID": draft.key,
    }
    if draft.line:
        params["LINE_NUMBER"] = draft.line
    entity, owner_id = entity_of(draft.deal_id, usual)
    if draft.contact_id:
        entity, owner_id = "contact", draft.contact_id
    if owner_id and entity != "deal":
        params |= {"CRM_ENTITY_TYPE": entity.upper(), "CRM_ENTITY_ID": number(owner_id)}
    return params


def finish_params(draft: CallDraft, call_id: str) -> dict[str, Any]:
    """Parameters of `telephony.externalCall.finish`."""
    return {
        "CALL_ID": call_id,
        "USER_ID": number(draft.responsible),
        "DURATION": draft.talk_s,
        "STATUS_CODE": CALL_CODES[draft.disposition],
        "ADD_TO_CHAT": 0,
    }


def call_text(draft: CallDraft) -> str:
    """What a person reads where the call has no form of its own."""
    return "\n".join(line for line in (draft.text, draft.recording_url) if line)


def call_activity_params(draft: CallDraft, entity: Entity, owner_id: str) -> dict[str, Any]:
    """Parameters of `crm.activity.add` for a call that is over."""
    person: tuple[Entity, str] = ("contact", draft.contact_id) if draft.contact_id else (entity, owner_id)
    fields: dict[str, Any] = {
        "OWNER_TYPE_ID": TYPE_IDS[entity],
        "OWNER_ID": number(owner_id),
        "TYPE_ID": 2,
        "SUBJECT": _first_line(draft.text or draft.phone),
        "DESCRIPTION": f"{call_text(draft)}\n\n{marker(draft.key)}",
        "DIRECTION": 1 if draft.direction == "in" else 2,
        "COMMUNICATIONS": [
            {"VALUE": draft.phone, "ENTITY_TYPE_ID": TYPE_IDS[person[0]], "ENTITY_ID": number(person[1])}
        ],
        "START_TIME": moment(draft.started_at),
        "END_TIME": moment(draft.started_at + timedelta(seconds=draft.ring_s + draft.talk_s)),
        "COMPLETED": "Y",
        "ORIGINATOR_ID": ORIGINATOR,
        "ORIGIN_ID": draft.key,
    }
    if draft.responsible:
        fields["RESPONSIBLE_ID"] = number(draft.responsible)
    return {"fields": fields}


def moment(at: datetime) -> str:
    """With an explicit offset: a date that the vendor cannot read is silently not set."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "leadhub")[:TITLE_CHARS]
