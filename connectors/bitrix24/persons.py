"""Phones and e-mails: as the vendor keeps and compares them, and what a known contact still lacks. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from connectors.base import ContactDraft

ORIGINATOR = "leadhub"
MULTIFIELD_CHARS = 250
"""A longer phone or e-mail makes the vendor refuse the whole record."""
NAME_CHARS = 100
_PHONE_END = re.compile(r"[,;#]")


def phone_digits(phone: str) -> str:
    """A phone as the vendor compares it: digits, no extension, 8 -> 7, no leading 00, 011, 0."""
    digits = "".join(char for char in _PHONE_END.split(phone, maxsplit=1)[0] if char in "0123456789")
    if len(digits) < 10:
        return digits
    if digits.startswith("8") and digits[:2] not in ("80", "81", "82"):
        return f"7{digits[1:]}"
    for prefix in ("00", "011", "0"):
        if digits.startswith(prefix):
            return digits[len(prefix) :]
    return digits


def phone_forms(phone: str) -> tuple[str, ...]:
    """What to look a number up by: `9161234567` does not equal `79161234567` for the vendor, so both."""
    digits = phone_digits(phone)
    if phone.startswith("+7") and len(digits) == 11:
        return phone, digits[1:]
    return (phone,)


def same_phones(stored: Iterable[str], wanted: Iterable[str]) -> bool:
    forms = {phone_digits(form) for phone in wanted for form in phone_forms(phone)}
    return any(phone_digits(phone) in forms for phone in stored if phone_digits(phone))


def same_email(stored: Iterable[str], wanted: Iterable[str]) -> bool:
    return bool({email.strip().lower() for email in stored} & {email.strip().lower() for email in wanted})


def multifield(record: Mapping[str, Any], name: str) -> list[str]:
    """Values of PHONE or EMAIL; the vendor leaves the key out when there are none."""
    items = record.get(name)
    if isinstance(items, dict):
        items = list(items.values())
    return (
        [str(item["VALUE"]) for item in items if isinstance(item, dict) and item.get("VALUE")]
        if isinstance(items, list)
        else []
    )


def missing_parts(record: Mapping[str, Any], draft: ContactDraft) -> dict[str, Any]:
    """Fields of an update that adds what `record` lacks and overwrites nothing; {} when nothing is missing."""
    phones, emails = multifield(record, "PHONE"), multifield(record, "EMAIL")
    update: dict[str, Any] = multifields(
        [phone for phone in draft.phones if not same_phones(phones, [phone])],
        [email for email in draft.emails if not same_email(emails, [email])],
    )
    stand_ins = {*draft.phones, *draft.emails, *phones, *emails}
    named = str(record.get("NAME") or "").strip() not in ({"", *stand_ins}) or bool(record.get("LAST_NAME"))
    if draft.name and not named:
        update["NAME"] = draft.name[:NAME_CHARS]
    if draft.company_id and empty(record.get("COMPANY_ID")):
        update["COMPANY_ID"] = number(draft.company_id)
    lacking = {code: value for code, value in draft.fields.items() if empty(record.get(code)) and not empty(value)}
    update |= field_values(lacking)
    if draft.key and empty(record.get("ORIGIN_ID")) and empty(record.get("ORIGINATOR_ID")):
        update |= {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": draft.key}
    return update


def empty(value: Any) -> bool:
    """Classic methods write nothing as null, "" or "0", an empty list or map as []."""
    return value in (None, "", "0", 0, False) or value == [] or value == {}


def field_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by their code, as the vendor wants them."""
    return {code: field_value(value, custom=code.upper().startswith("UF_")) for code, value in fields.items()}


def field_value(value: Any, *, custom: bool) -> Any:
    """Times with their offset: one that the vendor cannot read is silently not set. Yes and no are Y and N in its own
    fields, 1 and 0 in custom ones."""
    match value:
        case bool():
            return ("1" if value else "0") if custom else ("Y" if value else "N")
        case date():
            return value.isoformat()
        case list() | tuple():
            return [field_value(one, custom=custom) for one in value]
        case _:
            return value


def number(value: str) -> int | str:
    """Ids go out as JSON numbers where they are."""
    return int(value) if value.isascii() and value.isdecimal() else value


def multifields(phones: Iterable[str], emails: Iterable[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if phones := tuple(phones):
        fields["PHONE"] = [phone_item(phone) for phone in phones]
    if emails := tuple(emails):
        fields["EMAIL"] = [{"VALUE": email, "VALUE_TYPE": "WORK"} for email in emails]
    return fields


def phone_item(phone: str) -> dict[str, str]:
    return {"VALUE": phone, "VALUE_TYPE": "MOBILE" if phone.startswith("+79") else "WORK"}


def too_long(phones: Iterable[str], emails: Iterable[str]) -> tuple[str, ...]:
    """Which of "phones" and "emails" holds a value that the vendor would refuse the record for."""
    kinds = (("phones", phones), ("emails", emails))
    return tuple(kind for kind, values in kinds if any(len(value) > MULTIFIELD_CHARS for value in values))
