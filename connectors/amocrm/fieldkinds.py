"""What kinds of values amoCRM's fields hold, and what its records are made of. Types: reference, "Custom fields"."""

from collections.abc import Mapping
from typing import Final

from mappings.accounts import AccountField, FieldType
from mappings.attributes import RecordObject

KINDS: Final[Mapping[str, FieldType]] = {
    "numeric": "number",
    "price": "money",
    "monetary": "money",
    "checkbox": "bool",
    "select": "enum",
    "radiobutton": "enum",
    "category": "enum",
    "multiselect": "enum",
    "date": "date",
    "birthday": "date",
    "date_time": "datetime",
    "url": "url",
}
BY_CODE: Final[Mapping[str, FieldType]] = {"PHONE": "phone", "EMAIL": "email", "WEB": "url"}
SEVERAL: Final = frozenset({"multiselect", "multitext"})
SHORT_TEXTS: Final = frozenset({"text", "streetaddress", "tracking_data"})
"""Kept up to as many characters as a name (unverified)."""
_NAME_CHARS: Final = 255
_PHONES = AccountField("phones", code="PHONE", type="phone", several=True)
_EMAILS = AccountField("emails", code="EMAIL", type="email", several=True)
_COMMON = (
    AccountField("responsible", code="responsible_user_id", type="user"),
    AccountField("tags", code="tags", several=True),
    AccountField("created_at", code="created_at", type="datetime"),
)
ATTRIBUTES: Final[Mapping[RecordObject, tuple[AccountField, ...]]] = {
    "contact": (
        AccountField("name", code="name", max_chars=_NAME_CHARS),
        AccountField("first_name", code="first_name", max_chars=_NAME_CHARS),
        AccountField("last_name", code="last_name", max_chars=_NAME_CHARS),
        AccountField("position", code="POSITION", max_chars=_NAME_CHARS),
        _PHONES,
        _EMAILS,
        *_COMMON,
    ),
    "company": (
        AccountField("name", code="name", max_chars=_NAME_CHARS),
        AccountField("website", code="WEB", type="url"),
        AccountField("address", code="ADDRESS"),
        _PHONES,
        _EMAILS,
        *_COMMON,
    ),
    "deal": (
        AccountField("title", code="name", max_chars=_NAME_CHARS),
        AccountField("price", code="price", type="money", decimals=0),
        AccountField("stage", code="status_id", type="stage"),
        AccountField("pipeline", code="pipeline_id"),
        AccountField("closed_at", code="closed_at", type="datetime"),
        *(AccountField(f"utm_{name}", code=f"UTM_{name.upper()}") for name in ("source", "medium", "campaign")),
        *(AccountField(f"utm_{name}", code=f"UTM_{name.upper()}") for name in ("content", "term")),
        *_COMMON,
    ),
}
