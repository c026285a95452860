"""What a fresh HubSpot account has: properties, pipelines, owners, association types; and what values are valid."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from connectors.sandbox.hubspot_errors import RefusedError, bad_values, not_set

TYPES = ("contacts", "companies", "deals", "notes", "tasks", "calls", "emails", "communications", "meetings")
SINGULAR = {
    "contacts": "CONTACT",
    "companies": "COMPANY",
    "deals": "DEAL",
    "notes": "NOTE",
    "tasks": "TASK",
    "calls": "CALL",
    "emails": "EMAIL",
    "communications": "COMMUNICATION",
    "meetings": "MEETING_EVENT",
}
ALIASES = {
    "contact": "contacts",
    "0-1": "contacts",
    "company": "companies",
    "0-2": "companies",
    "deal": "deals",
    "0-3": "deals",
    "note": "notes",
    "0-46": "notes",
    "task": "tasks",
    "0-27": "tasks",
    "call": "calls",
    "0-48": "calls",
    "email": "emails",
    "0-49": "emails",
    "communication": "communications",
    "0-18": "communications",
    "meeting": "meetings",
    "0-47": "meetings",
}
MODIFIED = {type_: "lastmodifieddate" if type_ == "contacts" else "hs_lastmodifieddate" for type_ in TYPES}
SHOWN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(TYPES, ()),
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("name", "domain"),
    "deals": ("dealname", "amount", "dealstage", "pipeline", "closedate"),
}
"""Properties in an answer that was not asked for any."""

_ACTIVITY_TO: Mapping[str, tuple[int, int, int]] = {
    "notes": (202, 190, 214),
    "tasks": (204, 192, 216),
    "calls": (194, 182, 206),
    "emails": (198, 186, 210),
    "communications": (81, 87, 85),
    "meetings": (200, 188, 212),
}
"""Association types from an activity to a contact, a company and a deal; the way back is the number before it, of
communications the one after it."""
ASSOCIATIONS: Mapping[tuple[str, str], tuple[int, int]] = {
    ("contacts", "companies"): (279, 1),
    ("companies", "contacts"): (280, 2),
    ("deals", "contacts"): (3, 0),
    ("contacts", "deals"): (4, 0),
    ("deals", "companies"): (341, 5),
    ("companies", "deals"): (342, 6),
    **{
        ends: (number + (0 if ends[0] == activity else 1 if activity == "communications" else -1), 0)
        for activity, numbers in _ACTIVITY_TO.items()
        for other, number in zip(("contacts", "companies", "deals"), numbers, strict=True)
        for ends in ((activity, other), (other, activity))
    },
}
"""(from, to) -> (unlabelled type, primary type or 0)."""

LIFECYCLE = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
DISPOSITIONS = (
    "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "73a0d17f-1163-4015-bdd5-ec830791da20",
    "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "17b47fee-58de-441e-a44c-c6300d46f273",
)
"""Outcomes of a call: connected, no answer, busy, left voicemail, wrong number."""
_NAMED_OPTIONS = {"LIFECYCLE": LIFECYCLE, "DISPOSITIONS": DISPOSITIONS}
MAX_TEXT = 65_536
MAX_UNIQUE = 10
GROUPS = {
    **dict.fromkeys(TYPES, "engagement_info"),
    "contacts": "contactinformation",
    "companies": "companyinformation",
    "deals": "dealinformation",
}

_PHONE_NAMES = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")

_EVERYWHERE = "hs_object_id:r hs_updated_by_user_id:number:r hs_merged_object_ids:r"
_DEFAULTS: Mapping[str, str] = {
    "contacts": """
        email firstname lastname phone:phone_number mobilephone:phone_number company jobtitle website city country
        message hubspot_owner_id:owner hs_lead_status:enumeration=NEW|OPEN|IN_PROGRESS|OPEN_DEAL|UNQUALIFIED
        lifecyclestage:enumeration=LIFECYCLE hs_additional_emails:r hs_analytics_source:r
        hs_searchable_calculated_phone_number:r hs_searchable_calculated_mobile_number:r
        createdate:datetime:r lastmodifieddate:datetime:r""",
    "companies": """
        name domain phone:phone_number industry city country description hubspot_owner_id:owner
        createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "deals": """
        dealname amount:number deal_currency_code pipeline:pipeline dealstage:stage closedate:datetime
        dealtype:enumeration=newbusiness|existingbusiness description hubspot_owner_id:owner
        createdate:datetime hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "notes": """
        hs_timestamp:datetime hs_note_body hubspot_owner_id:owner
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "tasks": """
        hs_timestamp:datetime hs_task_subject hs_task_body
        hs_task_status:enumeration=NOT_STARTED|COMPLETED|IN_PROGRESS|WAITING|DEFERRED
        hs_task_priority:enumeration=LOW|MEDIUM|HIGH|NONE hs_task_type:enumeration=EMAIL|CALL|TODO
        hubspot_owner_id:owner
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "calls": """
        hs_timestamp:datetime hs_call_title hs_call_body hs_call_direction:enumeration=INBOUND|OUTBOUND
        hs_call_status:enumeration=BUSY|CALLING_CRM_USER|CANCELED|COMPLETED|CONNECTING|FAILED|IN_PROGRESS|NO_ANSWER|QUEUED|RINGING
        hs_call_duration:number hs_call_from_number hs_call_to_number hs_call_recording_url
        hs_call_disposition:enumeration=DISPOSITIONS hubspot_owner_id:owner
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "emails": """
        hs_timestamp:datetime hs_email_direction:enumeration=EMAIL|INCOMING_EMAIL|FORWARDED_EMAIL hs_email_subject
        hs_email_text hs_email_html hs_email_from_email:r hs_email_to_email:r hubspot_owner_id:owner
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "communications": """
        hs_timestamp:datetime hs_communication_channel_type:enumeration=WHATS_APP|SMS|LINKEDIN_MESSAGE
        hs_communication_logged_from:enumeration=CRM hs_communication_body hubspot_owner_id:owner
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "meetings": """
        hs_timestamp:datetime hs_meeting_title hs_meeting_body hs_meeting_outcome hubspot_owner_id:owner
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
}
"""name[:type][=option|option][:r for read-only]"""
_TYPES = {"owner": "enumeration", "pipeline": "enumeration", "stage": "enumeration", "r": "string"}


def type_of(name: str) -> str:
    """The type by any of its names; raises RefusedError."""
    type_ = ALIASES.get(name, name)
    if type_ not in TYPES:
        raise RefusedError(400, f"Unable to infer object type from: {name}")
    return type_


def default_properties(type_: str, now: datetime) -> dict[str, dict[str, Any]]:
    found = {}
    for item in f"{_DEFAULTS[type_]} {_EVERYWHERE}".split():
        name, *rest = item.split(":")
        kind, _, options = (rest[0] if rest else "string").partition("=")
        values = _NAMED_OPTIONS.get(options) or tuple(filter(None, options.split("|")))
        definition = property_definition(
            {
                "name": name,
                "label": name.replace("_", " ").capitalize(),
                "type": _TYPES.get(kind, kind),
                "fieldType": "select" if kind in ("enumeration", "owner", "pipeline", "stage") else "text",
                "groupName": GROUPS[type_],
                "options": [option(value, number) for number, value in enumerate(values)],
            },
            now,
        )
        definition["hubspotDefined"] = True
        definition["hasUniqueValue"] = name == "hs_object_id"
        definition["modificationMetadata"]["readOnlyValue"] = "r" in rest
        definition["hidden"] = name.startswith("hs_searchable")
        if kind in ("owner", "pipeline", "stage"):
            definition["externalOptions"] = True
            definition["referencedObjectType"] = {"owner": "OWNER"}.get(kind, "DEAL_PIPELINE")
        found[name] = definition
    return found


def option(value: str, number: int) -> dict[str, Any]:
    label = value.replace("_", " ").capitalize()
    return {"label": label, "value": value, "displayOrder": number, "hidden": False, "description": ""}


def property_definition(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A stored definition from what was sent; raises RefusedError."""
    missing = [name for name in ("groupName", "name", "label", "type", "fieldType") if not given.get(name)]
    if missing:
        raise RefusedError(400, f"Invalid input JSON: some required fields were not set: {missing}")
    if not _NAME.fullmatch(str(given["name"])):
        raise RefusedError(400, f"Invalid property name: {given['name']}")
    return {
        "name": given["name"],
        "label": given["label"],
        "description": given.get("description", ""),
        "groupName": given["groupName"],
        "type": given["type"],
        "fieldType": given["fieldType"],
        "options": list(given.get("options") or []),
        "displayOrder": given.get("displayOrder", -1),
        "hasUniqueValue": bool(given.get("hasUniqueValue", False)),
        "hidden": bool(given.get("hidden", False)),
        "formField": bool(given.get("formField", False)),
        "calculated": False,
        "externalOptions": False,
        "archived": False,
        "hubspotDefined": False,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
        "createdAt": stamp(now),
        "updatedAt": stamp(now),
    }


def default_owners(now: datetime) -> dict[str, dict[str, Any]]:
    people = (
        ("80510101", "Анна", "Петрова", "anna.petrova@example.com", 61010001),
        ("80510102", "Олег", "Смирнов", "oleg.smirnov@example.com", 61010002),
        ("80510103", "Мария", "Кузнецова", "maria.kuznetsova@example.com", 61010003),
    )
    return {
        id_: {
            "id": id_,
            "email": email,
            "type": "PERSON",
            "firstName": first,
            "lastName": last,
            "userId": user_id,
            "userIdIncludingInactive": user_id,
            "createdAt": stamp(now),
            "updatedAt": stamp(now),
            "archived": False,
            "teams": [],
        }
        for id_, first, last, email, user_id in people
    }


def default_pipelines(now: datetime) -> dict[str, dict[str, Any]]:
    sales = (
        ("appointmentscheduled", "Новая заявка", "0.2"),
        ("qualifiedtobuy", "Квалификация", "0.4"),
        ("presentationscheduled", "Встреча назначена", "0.6"),
        ("decisionmakerboughtin", "Решение принимается", "0.8"),
        ("contractsent", "Договор отправлен", "0.9"),
        ("closedwon", "Сделка заключена", "1.0"),
        ("closedlost", "Сделка потеряна", "0.0"),
    )
    service = (
        ("91300001", "Новая заявка", "0.2"),
        ("91300002", "Выезд мастера", "0.6"),
        ("91300003", "Выполнено", "1.0"),
        ("91300004", "Отказ", "0.0"),
    )
    pipelines = (("default", "Продажи", sales), ("90700001", "Сервис", service))
    return {
        id_: {
            "id": id_,
            "label": label,
            "displayOrder": number,
            "stages": [_stage(stage, order, now) for order, stage in enumerate(stages)],
            "archived": False,
            "createdAt": stamp(now),
            "updatedAt": stamp(now),
        }
        for number, (id_, label, stages) in enumerate(pipelines)
    }


def _stage(stage: tuple[str, str, str], order: int, now: datetime) -> dict[str, Any]:
    id_, label, probability = stage
    closed = "true" if probability in ("1.0", "0.0") else "false"
    return {
        "id": id_,
        "label": label,
        "displayOrder": order,
        "metadata": {"isClosed": closed, "probability": probability},
        "archived": False,
        "createdAt": stamp(now),
        "updatedAt": stamp(now),
    }


class Schema:
    """One account's definitions; `check` is what every write passes."""

    def __init__(self, now: datetime) -> None:
        self.properties = {type_: default_properties(type_, now) for type_ in TYPES}
        self.pipelines = default_pipelines(now)
        self.owners = default_owners(now)

    def unique(self, type_: str) -> list[str]:
        found = self.properties[type_]
        return [name for name, item in found.items() if item["hasUniqueValue"] and name != "hs_object_id"]

    def check(self, type_: str, given: Mapping[str, Any], held: Mapping[str, Any]) -> dict[str, str | None]:
        """`given` as it is stored (None for a cleared value); `held` is what the record has. Raises RefusedError."""
        defined = self.properties[type_]
        problems, clean = [], {}
        for name, value in given.items():
            definition = defined.get(name)
            if definition is None or definition["archived"]:
                problems.append((name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
                continue
            text = "" if value is None else "true" if value is True else "false" if value is False else str(value)
            code = self._problem(definition, text, {**held, **given})
            if code:
                problems.append((name, code, f'"{name}" was not valid'))
            clean[name] = text or None
        if problems:
            raise bad_values(problems)
        return clean

    def _problem(self, definition: Mapping[str, Any], text: str, record: Mapping[str, Any]) -> str:
        name = definition["name"]
        if definition["modificationMetadata"]["readOnlyValue"]:
            return "READ_ONLY_VALUE"
        if not text:
            return ""
        if len(text) > MAX_TEXT:
            return "PROPERTY_TOO_LONG"
        if name == "email" and not _EMAIL.fullmatch(text):
            return "INVALID_EMAIL"
        if name == "hubspot_owner_id" and text not in self.owners:
            return "INVALID_OWNER_ID"
        if name == "pipeline" and text not in self.pipelines:
            return "INVALID_OPTION"
        if name == "dealstage":
            pipeline = self.pipelines.get(str(record.get("pipeline") or "default"))
            stages = [stage["id"] for stage in pipeline["stages"]] if pipeline else []
            return "" if text in stages else "INVALID_OPTION"
        if definition["type"] == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", text):
            return "INVALID_INTEGER"
        if definition["type"] in ("datetime", "date") and moment(text) is None:
            return "INVALID_DATE"
        options = [item["value"] for item in definition["options"]]
        return "INVALID_OPTION" if options and not set(text.strip(";").split(";")) <= set(options) else ""

    def check_required(self, type_: str, given: Mapping[str, str | None]) -> None:
        def lacks(*names: str) -> bool:
            return not any(given.get(name) for name in names)

        missing: list[str] = []
        if type_ == "contacts" and lacks("email", "firstname", "lastname"):
            missing = ["email", "firstname", "lastname"]
        if type_ == "companies" and lacks("name", "domain"):
            missing = ["name", "domain"]
        if type_ == "deals":
            wanted = ("dealname", "dealstage", *(["pipeline"] if len(self.pipelines) > 1 else []))
            missing = [name for name in wanted if lacks(name)]
        if type_ in ("notes", "tasks", "calls") and lacks("hs_timestamp"):
            missing = ["hs_timestamp"]
        if missing:
            raise not_set(SINGULAR[type_], missing)


def stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """ISO or epoch milliseconds."""
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def derived(properties: Mapping[str, str | None]) -> dict[str, str | None]:
    """What HubSpot calculates from what was written: numbers without their country code."""
    return {target: _national(properties[name]) for name, target in _PHONE_NAMES.items() if name in properties}


def _national(typed: str | None) -> str | None:
    if not typed:
        return None
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(typed, "RU"))
    except phonenumbers.NumberParseException:
        return "".join(char for char in typed if char.isdigit()) or None
