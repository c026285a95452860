"""What kinds of values Bitrix24's fields hold, and what its records are made of. Types: docs, `crm.contact.fields`."""

from collections.abc import Mapping
from typing import Any, Final

from mappings.accounts import AccountField, FieldType
from mappings.attributes import RecordObject

_KINDS: Final[Mapping[str, FieldType]] = {
    "integer": "number",
    "double": "number",
    "money": "money",
    "boolean": "bool",
    "char": "bool",
    "enumeration": "enum",
    "crm_status": "enum",
    "date": "date",
    "datetime": "datetime",
    "url": "url",
    "user": "user",
    "employee": "user",
}
_FOREIGN: Final = frozenset({"crm", "file", "disk_file", "iblock_element", "iblock_section", "resourcebooking"})
_OWN_CRM: Final = frozenset({"crm_status", "crm_multifield", "crm_currency", "crm_category"})
_MULTIFIELDS: Final[Mapping[str, FieldType]] = {"PHONE": "phone", "EMAIL": "email", "WEB": "url"}
MULTIFIELD_CHARS: Final = 250
"""A longer one makes the vendor refuse the whole record."""
_CHARS: Final[Mapping[str, int]] = {"TITLE": 255, "NAME": 100, "LAST_NAME": 100, "SECOND_NAME": 100}

_MARKS = tuple(
    AccountField(f"utm_{name}", code=f"UTM_{name.upper()}")
    for name in ("source", "medium", "campaign", "content", "term")
)
_COMMON = (
    AccountField("responsible", code="ASSIGNED_BY_ID", type="user"),
    AccountField("comment", code="COMMENTS"),
    AccountField("created_at", code="DATE_CREATE", type="datetime", read_only=True),
    *_MARKS,
)
_PERSON = (
    AccountField("first_name", code="NAME", max_chars=_CHARS["NAME"]),
    AccountField("last_name", code="LAST_NAME", max_chars=_CHARS["LAST_NAME"]),
    AccountField("middle_name", code="SECOND_NAME", max_chars=_CHARS["SECOND_NAME"]),
    AccountField("position", code="POST"),
    AccountField("birthday", code="BIRTHDATE", type="date"),
)
_REACHED = (
    AccountField("phones", code="PHONE", type="phone", several=True, max_chars=MULTIFIELD_CHARS),
    AccountField("emails", code="EMAIL", type="email", several=True, max_chars=MULTIFIELD_CHARS),
    AccountField("website", code="WEB", type="url", max_chars=MULTIFIELD_CHARS),
)
_PLACE = (
    AccountField("address", code="ADDRESS"),
    AccountField("city", code="ADDRESS_CITY"),
    AccountField("country", code="ADDRESS_COUNTRY"),
)
_SALE = (
    AccountField("title", code="TITLE", max_chars=_CHARS["TITLE"]),
    AccountField("price", code="OPPORTUNITY", type="money", decimals=2),
    AccountField("currency", code="CURRENCY_ID"),
    AccountField("source", code="SOURCE_DESCRIPTION"),
)
ATTRIBUTES: Final[Mapping[RecordObject, tuple[AccountField, ...]]] = {
    "contact": (AccountField("name", read_only=True), *_PERSON, *_REACHED, *_PLACE, *_COMMON),
    "company": (
        AccountField("name", code="TITLE", max_chars=_CHARS["TITLE"]),
        AccountField("industry", code="INDUSTRY", type="enum"),
        *_REACHED,
        *_PLACE,
        *_COMMON,
    ),
    "deal": (
        *_SALE,
        AccountField("stage", code="STAGE_ID", type="stage"),
        AccountField("pipeline", code="CATEGORY_ID"),
        AccountField("closed_at", code="CLOSEDATE", type="datetime"),
        *_COMMON,
    ),
    "lead": (
        AccountField("name", read_only=True),
        *_PERSON,
        *_REACHED,
        *_PLACE,
        *_SALE,
        AccountField("company_name", code="COMPANY_TITLE"),
        AccountField("stage", code="STATUS_ID", type="stage"),
        AccountField("pipeline", read_only=True),
        *_COMMON,
    ),
}


def kind_of(code: str, info: Mapping[str, Any]) -> FieldType:
    """A field's kind by its type; the multifields are told by their code."""
    return _MULTIFIELDS.get(code) or _KINDS.get(str(info.get("type")), "text")


def is_several(info: Mapping[str, Any]) -> bool:
    return info.get("isMultiple") in (True, "Y", "true") or info.get("type") == "crm_multifield"


def is_foreign(info: Mapping[str, Any]) -> bool:
    """Binds to records, files or elements of lists of this portal."""
    kind = str(info.get("type"))
    return kind in _FOREIGN or (kind.startswith("crm_") and kind not in _OWN_CRM)


def max_chars(code: str) -> int:
    return MULTIFIELD_CHARS if code in _MULTIFIELDS else _CHARS.get(code, 0)
