"""A webhook of Gravity Forms -> a lead. "All fields" gives numbers for names: 1.3 is a first name, 1.6 a last one."""

import re
from collections import defaultdict
from collections.abc import Mapping

from connectors.bodies import Pairs
from connectors.doors import Inbound, Parsed
from connectors.formfields import body_of, lead_of, plain_values
from connectors.gravityforms.settings import GravityformsSettings
from leads.normalize import email
from leads.phones import phones

_NAME_PARTS = {"3": "first_name", "4": "middle_name", "6": "last_name"}
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?")
_PHONE_LIKE = re.compile(r"\+?[\d\s().-]{9,24}")
_DATE_LIKE = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{1,2}[./]\d{1,2}[./]\d{4}")
_ENTRY = (
    *("is_starred", "is_read", "currency", "payment_status", "payment_date", "payment_method", "transaction_type"),
    *("is_fulfilled", "created_by", "status", "post_id", "date_created", "date_updated", "source_id", "transaction_id"),
)
"""Columns of an entry that say nothing of the person."""


def parse(settings: GravityformsSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody."""
    body = body_of(inbound)
    if body is None:
        return Parsed()
    values = plain_values(body.pairs, _ENTRY)
    is_entry = "form_id" in values and "id" in values
    uid = values.pop("id", "") if is_entry else ""
    if values.get("form_title"):
        values.pop("form_id", None)
    own = {**_numbered(body.pairs, values, settings.region or region, settings.fields), **settings.fields}
    lead = lead_of(
        settings,
        inbound,
        region,
        values,
        own_names=own,
        lead_uid=uid,
        flags=("charset_guessed",) if body.charset_guessed else (),
    )
    return Parsed((lead,))


def _numbered(pairs: Pairs, values: Mapping[str, str], region: str, known: Mapping[str, str]) -> dict[str, str]:
    """What fields with a number for a name hold, by their parts and by what stands in them."""
    parts: dict[str, set[str]] = defaultdict(set)
    for path, _ in pairs:
        number, dot, part = path.partition(".")
        if dot and number.isdigit():
            parts[number].add(part)
    found: dict[str, str] = {}
    # An address has the parts 1 to 6, choices begin with 1: only a name has 3 and 6 without 1.
    person = min((number for number, of in parts.items() if {"3", "6"} <= of and "1" not in of), key=int, default="")
    if person:
        found = {f"{person}.{part}": ours for part, ours in _NAME_PARTS.items()}
    has_phone = "phone" in known.values()
    for path, value in values.items():
        if path in found or path in known or not _NUMBER.fullmatch(path):
            continue
        if email(value):
            found[path] = "email"
        elif not has_phone and _is_phone(value, region):
            found[path] = "phone"
            has_phone = True
    return found


def _is_phone(value: str, region: str) -> bool:
    digits = sum(char.isdigit() for char in value)
    if not 10 <= digits <= 15 or not _PHONE_LIKE.fullmatch(value) or _DATE_LIKE.fullmatch(value):
        return False
    read = phones(value, region)
    return bool(read.found) and not read.rest
