"""The words that every CRM's records share: what a contact, a company, a deal is made of apart from own fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from mappings.accounts import FieldType

RecordObject = Literal["contact", "company", "deal", "lead"]
OBJECTS: Final[tuple[RecordObject, ...]] = get_args(RecordObject)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`several`: a list of values."""

    type: FieldType = "text"
    several: bool = False


_TEXT, _LIST = Attribute(), Attribute(several=True)
_PHONES, _EMAILS, _USER = Attribute("phone", several=True), Attribute("email", several=True), Attribute("user")
_MARKS: Final[dict[str, Attribute]] = {
    **dict.fromkeys(("source", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"), _TEXT),
}
_COMMON: Final[dict[str, Attribute]] = {
    "responsible": _USER,
    "comment": _TEXT,
    "tags": _LIST,
    "created_at": Attribute("datetime"),
}
_PERSON: Final[dict[str, Attribute]] = {
    **dict.fromkeys(("name", "first_name", "last_name", "middle_name", "position"), _TEXT),
    "phones": _PHONES,
    "emails": _EMAILS,
    "website": Attribute("url"),
    "birthday": Attribute("date"),
    **dict.fromkeys(("address", "city", "country"), _TEXT),
}
_SALE: Final[dict[str, Attribute]] = {
    "title": _TEXT,
    "price": Attribute("money"),
    "currency": _TEXT,
    "stage": Attribute("stage"),
    "pipeline": _TEXT,
    "closed_at": Attribute("datetime"),
}

ATTRIBUTES: Final[Mapping[RecordObject, Mapping[str, Attribute]]] = {
    "contact": {**_PERSON, **_COMMON, **_MARKS},
    "company": {
        "name": _TEXT,
        "phones": _PHONES,
        "emails": _EMAILS,
        "website": Attribute("url"),
        **dict.fromkeys(("inn", "industry", "address", "city", "country"), _TEXT),
        **_COMMON,
        **_MARKS,
    },
    "deal": {**_SALE, **_COMMON, **_MARKS},
    "lead": {**_PERSON, **_SALE, "company_name": _TEXT, **_COMMON, **_MARKS},
}
"""What a connector names so in the records that it reads and writes; everything else goes by the field's id.

`first_name` and `last_name` are always given, also by a CRM that keeps one name (then all of it is
`first_name`); `name` is the whole. `stage` and `pipeline` are ids and go together. `responsible` is the CRM's
user id. Lists are tuples of text; money and numbers Decimal or text; times aware datetimes or ISO text.
"""
