"""What the sandbox CRMs hold, as a check of the promises wants to see it: deals by our key, contacts by phone."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

_MARKER = re.compile(r"\[lh-([0-9a-f-]{36})\]")
_COMMENT = re.compile(r"enquiry \d+\.\d+")


def deal_keys(vendor: Any, by_comment: Mapping[str, str]) -> list[tuple[str, str]]:
    """(record id, our key) of every deal and lead.

    A record without our key, made while the field for it could not be, is known by the
    comment of its enquiry: `by_comment` is "enquiry 1.2" -> our key.
    """
    found = []
    for record_id, key, text in deals(vendor):
        marked = _MARKER.search(text)
        said = _COMMENT.search(text)
        found.append((record_id, key or (marked and marked[1]) or (said and by_comment.get(said[0])) or "?"))
    return found


def deals(vendor: Any) -> Iterator[tuple[str, str, str]]:
    """(id, our key or "", texts of the record)."""
    if vendor.name == "amocrm":
        for record in vendor.deals.values():
            fields = {one.get("field_code"): one["values"][0]["value"] for one in record["custom_fields_values"] or []}
            yield str(record["id"]), str(fields.get("LEADHUB_ID", "")), record["name"]
    elif vendor.name == "bitrix24":
        for record in (*vendor.deals.values(), *vendor.leads.values()):
            yield str(record["ID"]), str(record.get("ORIGIN_ID") or ""), str(record.get("COMMENTS") or "")
    else:
        for record in vendor.deals.values():
            known = record["properties"]
            yield str(record["id"]), known.get("leadhub_external_id") or "", known.get("description") or ""


def contact_phones(vendor: Any) -> dict[str, list[str]]:
    """Digits of a phone -> ids of contacts that have it."""
    phones: dict[str, list[str]] = defaultdict(list)
    for record_id, record in vendor.contacts.items():
        if vendor.name == "amocrm":
            values = [
                value["value"]
                for field_ in record.get("custom_fields_values") or []
                if field_.get("field_code") == "PHONE"
                for value in field_["values"]
            ]
        elif vendor.name == "bitrix24":
            values = [one["VALUE"] for one in record.get("PHONE") or []]
        else:
            values = [record["properties"].get("phone") or ""]
        for value in {"".join(filter(str.isdigit, value))[-10:] for value in values if value}:
            phones[value].append(str(record_id))
    return phones


def is_comment(text: str) -> bool:
    """Whether it is the comment of an enquiry of ours, and nothing else."""
    return _COMMENT.fullmatch(text) is not None


def note_comments(vendor: Any) -> list[str]:
    """The "enquiry 1.2" of every note that holds one, doubles included."""
    if vendor.name == "amocrm":
        texts = [str((note.get("params") or {}).get("text", "")) for note in vendor.notes.values()]
    elif vendor.name == "bitrix24":
        texts = [str(note.get("COMMENT", "")) for note in vendor.comments.values()]
    else:
        texts = [str(note["properties"].get("hs_note_body") or "") for note in vendor.notes.values()]
    return [said for text in texts for said in sorted(set(_COMMENT.findall(text)))]


def task_comments(vendor: Any) -> list[str]:
    """The same of tasks."""
    if vendor.name == "amocrm":
        texts = [str(task["text"]) for task in vendor.tasks.values()]
    elif vendor.name == "bitrix24":
        texts = [str(one.get("SUBJECT", "")) for one in vendor.activities.values()]
    else:
        texts = [str(task["properties"].get("hs_task_subject") or "") for task in vendor.tasks.values()]
    return [said for text in texts for said in sorted(set(_COMMENT.findall(text)))]


def contacts_of_deals(vendor: Any) -> dict[str, list[str]]:
    """Id of a deal -> ids of its contacts."""
    if vendor.name == "amocrm":
        return {
            str(deal["id"]): [str(one["id"]) for one in deal["_embedded"]["contacts"]] for deal in vendor.deals.values()
        }
    if vendor.name == "bitrix24":
        return {str(deal["ID"]): [str(deal.get("CONTACT_ID") or "")] for deal in vendor.deals.values()}
    return {deal_id: vendor.linked("deals", deal_id, "contacts") for deal_id in vendor.deals}
