"""Drafts -> the bodies of HubSpot's creates; pure."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from connectors.activities import first_line
from connectors.base import (
    CallDraft,
    CompanyDraft,
    ContactDraft,
    DealDraft,
    Disposition,
    Draft,
    Kind,
    NoteDraft,
    TaskDraft,
)

TYPES: Mapping[Kind, str] = {
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "note": "notes",
    "task": "tasks",
    "call": "calls",
}
KEY_PROPERTY: Mapping[Kind, str] = {
    "contact": "leadhub_external_id",
    "company": "leadhub_external_id",
    "deal": "leadhub_external_id",
    "note": "leadhub_activity_id",
    "task": "leadhub_activity_id",
    "call": "leadhub_activity_id",
}
TEXT_PROPERTY: Mapping[Kind, str] = {
    "deal": "description",
    "note": "hs_note_body",
    "task": "hs_task_body",
    "call": "hs_call_body",
}
"""Where our mark goes when there is no unique property."""

OWN_PREFIX = "leadhub_"
OPTIONAL = frozenset(
    {
        *("description", "mobilephone", "hs_task_body", "hs_task_priority", "hs_task_type", "hs_task_status"),
        *("hs_call_title", "hs_call_body", "hs_call_direction", "hs_call_status", "hs_call_duration"),
        *("hs_call_from_number", "hs_call_to_number", "hs_call_recording_url", "hs_call_disposition"),
    }
)
"""Built-in properties that a record can do without; so can it without all of ours except the key."""

CONTACT_TO_COMPANY, DEAL_TO_CONTACT, DEAL_TO_COMPANY = 279, 3, 341
NOTE_TO_CONTACT, NOTE_TO_DEAL, TASK_TO_CONTACT, TASK_TO_DEAL = 202, 214, 204, 216
CALL_TO_CONTACT, CALL_TO_DEAL = 194, 206

CALL_STATUS: Mapping[Disposition, str] = {
    "answered": "COMPLETED",
    "missed": "NO_ANSWER",
    "no_answer": "NO_ANSWER",
    "busy": "BUSY",
    "failed": "FAILED",
    "voicemail": "COMPLETED",
}
CALL_DISPOSITION: Mapping[Disposition, str] = {
    "answered": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "missed": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
}
"""Every account's own outcomes, by the ids that are the same in all; none of them means "failed"."""

MAX_TEXT = 65_536
MAX_SUBJECT = 250
NO_NAME = "No name"
"""HubSpot takes no contact with a phone alone, and this one has not even that."""

_HALF_A_SIGN = re.compile(r"(&[a-z0-9#]*|<[^>]*)$")


@dataclass(frozen=True, slots=True)
class Taken:
    """What the account takes: its property names (None: not known), and those that it refused lately."""

    names: frozenset[str] | None = None
    refused: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        if name in self.refused:
            return False
        if self.names is None or not is_optional(name):
            return True
        return name in self.names


def is_optional(name: str) -> bool:
    return name.startswith(OWN_PREFIX) or name in OPTIONAL


def kind_of(draft: Draft) -> Kind:
    match draft:
        case ContactDraft():
            return "contact"
        case CompanyDraft():
            return "company"
        case DealDraft():
            return "deal"
        case NoteDraft():
            return "note"
        case TaskDraft():
            return "task"
        case CallDraft():
            return "call"


def key_of(draft: Draft) -> str:
    """Lower case: whether HubSpot compares unique values with regard to case is not documented."""
    return draft.key.lower()


def mark(key: str) -> str:
    """What makes a text ours when there is no unique property to hold the key."""
    return f"[lh:{key.lower()}]"


def create_body(draft: Draft, *, now: datetime, taken: Taken, marked: bool, default: tuple[str, str]) -> dict[str, Any]:
    """One record with its links. `marked`: write our mark into the text; `default`: (pipeline, stage) of a deal."""
    match draft:
        case ContactDraft():
            properties, links = _contact(draft), [(draft.company_id, CONTACT_TO_COMPANY)]
        case CompanyDraft():
            properties, links = _company(draft), []
        case DealDraft():
            properties = _deal(draft, taken, marked=marked, default=default)
            links = [(draft.contact_id, DEAL_TO_CONTACT), (draft.company_id, DEAL_TO_COMPANY)]
        case NoteDraft():
            properties = {"hs_timestamp": iso(now), "hs_note_body": html_of(draft.text, draft.key if marked else "")}
            links = [(draft.deal_id, NOTE_TO_DEAL), (draft.contact_id, NOTE_TO_CONTACT)]
        case TaskDraft():
            properties = _task(draft, marked=marked)
            links = [(draft.deal_id, TASK_TO_DEAL), (draft.contact_id, TASK_TO_CONTACT)]
        case CallDraft():
            properties = _call(draft, marked=marked)
            links = [(draft.deal_id, CALL_TO_DEAL), (draft.contact_id, CALL_TO_CONTACT)]
    properties[KEY_PROPERTY[kind_of(draft)]] = key_of(draft)
    return {
        "properties": {name: value for name, value in properties.items() if value != "" and name in taken},
        "associations": [
            {"to": {"id": id_}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_}]}
            for id_, type_ in links
            if id_
        ],
    }


def _contact(draft: ContactDraft) -> dict[str, str]:
    first, last = person_name(draft.name)
    phones = list(dict.fromkeys(draft.phones))
    properties = {
        "email": draft.emails[0] if draft.emails else "",
        "firstname": first,
        "lastname": last,
        "phone": phones[0] if phones else "",
        "mobilephone": phones[1] if len(phones) > 1 else "",
        "hubspot_owner_id": draft.responsible,
        **values(draft.fields),
    }
    if not (properties["email"] or properties["firstname"] or properties["lastname"]):
        properties["firstname"] = placeholder(draft.phones)
    return properties


def placeholder(phones: tuple[str, ...]) -> str:
    """A first name for who gave none: HubSpot wants an e-mail or a name, and a list of numbers can be called."""
    return phones[0] if phones else NO_NAME


def person_name(name: str) -> tuple[str, str]:
    first, _, last = " ".join(name.split()).partition(" ")
    return first, last


def _company(draft: CompanyDraft) -> dict[str, str]:
    return {"name": draft.name, "hubspot_owner_id": draft.responsible, **values(draft.fields)}


def title(draft: DealDraft) -> str:
    return draft.title or draft.name or draft.key


def _deal(draft: DealDraft, taken: Taken, *, marked: bool, default: tuple[str, str]) -> dict[str, str]:
    own = {
        "leadhub_source": draft.source,
        "leadhub_tags": "; ".join(draft.tags),
        **{f"{OWN_PREFIX}{name}": value for name, value in draft.utm.items() if value},
    }
    homeless = [
        f"{name.removeprefix(OWN_PREFIX)}={value}" for name, value in own.items() if value and name not in taken
    ]
    lines = [draft.comment, f"leadhub: {', '.join(homeless)}" if homeless else "", mark(draft.key) if marked else ""]
    return {
        "dealname": title(draft),
        "pipeline": draft.pipeline or default[0],
        "dealstage": draft.stage or default[1],
        "amount": draft.price,
        "hubspot_owner_id": draft.responsible,
        "description": "\n".join(line for line in lines if line)[-MAX_TEXT:],
        **own,
        **values(draft.fields),
    }


def _task(draft: TaskDraft, *, marked: bool) -> dict[str, str]:
    subject = first_line(draft.text) or draft.key
    return {
        "hs_timestamp": iso(draft.due_at),
        "hs_task_subject": subject[:MAX_SUBJECT],
        "hs_task_body": html_of(draft.text, draft.key if marked else ""),
        "hs_task_status": "NOT_STARTED",
        "hs_task_priority": "HIGH",
        "hs_task_type": "CALL",
        "hubspot_owner_id": draft.responsible,
    }


def _call(draft: CallDraft, *, marked: bool) -> dict[str, str]:
    """Only a recording under https can be heard in HubSpot; any other goes into the text."""
    incoming, playable = draft.direction == "in", draft.recording_url.startswith("https://")
    lines = [draft.text, "" if playable else draft.recording_url]
    return {
        "hs_timestamp": iso(draft.started_at),
        "hs_call_title": (first_line(draft.text) or draft.phone)[:MAX_SUBJECT],
        "hs_call_body": html_of("\n".join(line for line in lines if line), draft.key if marked else ""),
        "hs_call_direction": "INBOUND" if incoming else "OUTBOUND",
        "hs_call_status": CALL_STATUS[draft.disposition],
        "hs_call_disposition": CALL_DISPOSITION.get(draft.disposition, ""),
        "hs_call_duration": str(draft.talk_s * 1000),
        "hs_call_from_number": draft.phone if incoming else draft.line,
        "hs_call_to_number": draft.line if incoming else draft.phone,
        "hs_call_recording_url": draft.recording_url if playable else "",
        "hubspot_owner_id": draft.responsible,
    }


def html_of(text: str, key: str) -> str:
    """Plain text as HTML, cut so that it ends whole; with a key, our mark as the last line."""
    tail = f"<br>{mark(key)}" if key else ""
    lines = html.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>")
    return _HALF_A_SIGN.sub("", lines[: MAX_TEXT - len(tail)]) + tail


def values(fields: Mapping[str, Any]) -> dict[str, str]:
    """Everything is text in HubSpot; None is left out (use "" to clear)."""
    return {name: text(value) for name, value in fields.items() if value is not None}


def text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case str():
            return value[:MAX_TEXT]
        case list() | tuple() | set() | frozenset():
            return ";".join(text(item) for item in value)
        case None:
            return ""
        case _:
            return str(value)


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
