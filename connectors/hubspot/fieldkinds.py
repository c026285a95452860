"""What kinds of values HubSpot's properties hold, and what its records are made of. Types: docs, "Properties"."""

from collections.abc import Mapping
from typing import Any, Final

from mappings.accounts import AccountField, FieldType
from mappings.attributes import RecordObject

MAX_CHARS: Final = 65_536
_KINDS: Final[Mapping[str, FieldType]] = {
    "number": "number",
    "date": "date",
    "datetime": "datetime",
    "enumeration": "enum",
    "bool": "bool",
    "phone_number": "phone",
}
_COMMON = (
    AccountField("responsible", code="hubspot_owner_id", type="user"),
    AccountField("created_at", code="createdate", type="datetime", read_only=True),
)
_PLACE = (AccountField("address", code="address"), AccountField("city", code="city"))
ATTRIBUTES: Final[Mapping[RecordObject, tuple[AccountField, ...]]] = {
    "contact": (
        AccountField("name", read_only=True),
        AccountField("first_name", code="firstname", max_chars=MAX_CHARS),
        AccountField("last_name", code="lastname", max_chars=MAX_CHARS),
        AccountField("position", code="jobtitle", max_chars=MAX_CHARS),
        AccountField("phones", code="phone", type="phone", several=True, max_values=2),
        AccountField("emails", code="email", type="email", several=True, max_values=1),
        AccountField("website", code="website", type="url"),
        *_PLACE,
        AccountField("country", code="country"),
        *_COMMON,
    ),
    "company": (
        AccountField("name", code="name", max_chars=MAX_CHARS),
        AccountField("website", code="domain", type="url"),
        AccountField("phones", code="phone", type="phone", several=True, max_values=1),
        AccountField("industry", code="industry", type="enum"),
        *_PLACE,
        AccountField("country", code="country"),
        AccountField("comment", code="description", max_chars=MAX_CHARS),
        *_COMMON,
    ),
    "deal": (
        AccountField("title", code="dealname", max_chars=MAX_CHARS),
        AccountField("price", code="amount", type="money"),
        AccountField("currency", code="deal_currency_code"),
        AccountField("stage", code="dealstage", type="stage"),
        AccountField("pipeline", code="pipeline"),
        AccountField("closed_at", code="closedate", type="datetime"),
        AccountField("comment", code="description", max_chars=MAX_CHARS),
        AccountField("responsible", code="hubspot_owner_id", type="user"),
        AccountField("created_at", code="createdate", type="datetime"),
    ),
}
"""A second phone is `mobilephone`; further e-mails are `hs_additional_emails`, which only HubSpot itself writes."""


def kind_of(definition: Mapping[str, Any]) -> FieldType:
    """A property's kind by its type, and by how it is shown where the type says only "string"."""
    if definition.get("fieldType") == "phonenumber":
        return "phone"
    if definition.get("referencedObjectType") == "OWNER":
        return "user"
    if definition.get("showCurrencySymbol"):
        return "money"
    return _KINDS.get(str(definition.get("type")), "text")
