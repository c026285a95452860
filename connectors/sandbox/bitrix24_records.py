"""Records of one kind in the Bitrix24 sandbox: what is stored, how it is found and how it is shown."""

import bisect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from connectors.sandbox.bitrix24_php import as_id

PAGE = 50
OPERATORS = ("!=", ">=", "<=", "=%", "%=", "!%", "!@", "=", "!", ">", "<", "@", "%")
UTM = ("UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM")
LISTS = {"CONTACT_IDS": "CONTACT_ID", "COMPANY_IDS": "COMPANY_ID"}
"""Links of which there may be several -> the main one. `crm.item.*` shows them, the classic lists do not."""
MULTI = ("PHONE", "EMAIL", "WEB", "IM", "LINK")

_COMMON = {
    "ID": "integer",
    "ASSIGNED_BY_ID": "user",
    "CREATED_BY_ID": "user",
    "MODIFY_BY_ID": "user",
    "DATE_CREATE": "datetime",
    "DATE_MODIFY": "datetime",
    "OPENED": "char",
    "COMMENTS": "string",
    "ORIGINATOR_ID": "string",
    "ORIGIN_ID": "string",
    **dict.fromkeys(UTM, "string"),
}
_SALE = {
    "TITLE": "string",
    "SOURCE_ID": "crm_status",
    "SOURCE_DESCRIPTION": "string",
    "OPPORTUNITY": "double",
    "CURRENCY_ID": "crm_currency",
    "CONTACT_ID": "crm_contact",
    "CONTACT_IDS": "crm_contacts",
    "COMPANY_ID": "crm_company",
}
_PERSON = {"NAME": "string", "SECOND_NAME": "string", "LAST_NAME": "string", "POST": "string", "BIRTHDATE": "date"}
_MULTI = dict.fromkeys(MULTI, "crm_multifield")
FIELDS: dict[str, dict[str, str]] = {
    "lead": {
        **_COMMON,
        **_SALE,
        **_PERSON,
        **_MULTI,
        "COMPANY_TITLE": "string",
        "STATUS_ID": "crm_status",
        "STATUS_SEMANTIC_ID": "string",
    },
    "deal": {
        **_COMMON,
        **_SALE,
        "TYPE_ID": "crm_status",
        "CATEGORY_ID": "crm_category",
        "STAGE_ID": "crm_status",
        "STAGE_SEMANTIC_ID": "string",
        "PROBABILITY": "integer",
        "BEGINDATE": "date",
        "CLOSEDATE": "date",
        "CLOSED": "char",
        "ADDITIONAL_INFO": "string",
        "LEAD_ID": "crm_lead",
    },
    "contact": {
        **_COMMON,
        **_PERSON,
        **_MULTI,
        "TYPE_ID": "crm_status",
        "SOURCE_ID": "crm_status",
        "SOURCE_DESCRIPTION": "string",
        "COMPANY_ID": "crm_company",
        "COMPANY_IDS": "crm_companies",
    },
    "company": {**_COMMON, **_MULTI, "TITLE": "string", "COMPANY_TYPE": "crm_status", "INDUSTRY": "crm_status"},
}
READ_ONLY = {
    "ID",
    "CREATED_BY_ID",
    "MODIFY_BY_ID",
    "DATE_CREATE",
    "DATE_MODIFY",
    "STAGE_SEMANTIC_ID",
    "STATUS_SEMANTIC_ID",
    "CLOSED",
    "LEAD_ID",
}
TITLES = {"TITLE": "Название", "NAME": "Имя", "PHONE": "Телефон", "EMAIL": "E-mail", "SOURCE_ID": "Источник"}

_NUMBERS = {"integer", "user", "crm_contact", "crm_company", "crm_category", "crm_lead"}
_ALIASES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
    "COMPANY_TYPE": "typeId",
}


@lru_cache(4096)
def camel(name: str) -> str:
    """A classic field name as `crm.item.*` calls it."""
    head, *rest = name.lower().split("_")
    return _ALIASES.get(name) or head + "".join(part.capitalize() for part in rest)


def compared_phone(text: str) -> str:
    """The duplicates index keeps digits only: no extension, a leading 8 as 7 from ten digits on, no 00, 011, 0."""
    digits = re.sub(r"[^0-9]", "", re.split(r"[,;#]", text)[0])
    if len(digits) >= 10:
        if digits[0] == "8" and digits[1] not in "012":
            return "7" + digits[1:]
        return re.sub(r"^(00|011|0)", "", digits)
    return digits


@dataclass(slots=True)
class Box:
    """All records of one kind. `records` is id -> the record as classic methods show it."""

    entity: str
    custom: dict[str, dict[str, Any]]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_id: int = 0
    ids: list[int] = field(default_factory=list)
    by_origin: dict[str, set[int]] = field(default_factory=dict)
    by_contact: dict[str, set[int]] = field(default_factory=dict)
    by_comm: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def types(self) -> dict[str, str]:
        return {**FIELDS[self.entity], **{name: info["USER_TYPE_ID"] for name, info in self.custom.items()}}

    def insert(self, record: dict[str, Any]) -> str:
        self.last_id += 1
        record["ID"] = str(self.last_id)
        self.records[record["ID"]] = record
        self.ids.append(self.last_id)
        self._index(record)
        return str(record["ID"])

    def change(self, record_id: str, values: Mapping[str, Any]) -> None:
        record = self.records[record_id]
        self._unindex(record)
        record.update(values)
        self._index(record)

    def remove(self, record_id: str) -> None:
        self._unindex(self.records.pop(record_id))
        del self.ids[bisect.bisect_left(self.ids, int(record_id))]

    def rebuild(self) -> None:
        """After `records` was replaced as a whole."""
        self.ids = sorted(int(each) for each in self.records)
        self.last_id = max([self.last_id, *self.ids])
        for index in (self.by_origin, self.by_contact, self.by_comm):
            index.clear()
        for record in self.records.values():
            self._index(record)

    def _index(self, record: dict[str, Any]) -> None:
        number = int(record["ID"])
        self.by_origin.setdefault(str(record.get("ORIGIN_ID") or ""), set()).add(number)
        self.by_contact.setdefault(str(record.get("CONTACT_ID") or ""), set()).add(number)
        for key in _comm_keys(record):
            self.by_comm.setdefault(key, set()).add(number)

    def _unindex(self, record: dict[str, Any]) -> None:
        number = int(record["ID"])
        self.by_origin.get(str(record.get("ORIGIN_ID") or ""), set()).discard(number)
        self.by_contact.get(str(record.get("CONTACT_ID") or ""), set()).discard(number)
        for key in _comm_keys(record):
            self.by_comm.get(key, set()).discard(number)

    # --- lists --------------------------------------------------------------------------------

    def select(
        self, conditions: list["Condition"], order: list[tuple[str, bool]], start: int
    ) -> tuple[list[dict[str, Any]], int | None, int]:
        """(rows of the page, start of the next page, total). `start` -1: the first rows, nothing is counted."""
        numbers = self._candidates(conditions)
        rows = (self.records[str(number)] for number in numbers)
        matching = (row for row in rows if all(condition.holds(row) for condition in conditions))
        if start < 0 and order in ([], [("ID", False)]):
            return _first(matching, PAGE), None, 0
        found = list(matching)
        for name, descending in reversed(order):
            found.sort(key=_sort_key(name), reverse=descending)
        if start < 0:
            return found[:PAGE], None, 0
        start -= start % PAGE
        if start >= len(found):
            start = 0  # beyond the end is page one again
        following = start + PAGE if start + PAGE < len(found) else None
        return found[start : start + PAGE], following, len(found)

    def _candidates(self, conditions: list["Condition"]) -> Iterable[int]:
        for condition in conditions:
            wanted = condition.values
            match (condition.name, condition.operator):
                case ("ID", "=" | "@"):
                    return sorted(int(each) for each in set(wanted) if each in self.records)
                case ("ORIGIN_ID", "=" | "@"):
                    return sorted({number for each in wanted for number in self.by_origin.get(each, ())})
                case ("CONTACT_ID", "=" | "@"):
                    return sorted({number for each in wanted for number in self.by_contact.get(each, ())})
        first, end = 0, len(self.ids)
        for condition in conditions:
            if condition.name == "ID" and condition.values[0].isdecimal():
                number = int(condition.values[0])
                if condition.operator in (">", ">="):
                    first = max(first, bisect.bisect_left(self.ids, number))
                elif condition.operator in ("<", "<="):
                    end = min(end, bisect.bisect_right(self.ids, number))
        return self.ids[first:end]

    # --- views --------------------------------------------------------------------------------

    def classic(self, record: Mapping[str, Any], select: list[str] | None) -> dict[str, Any]:
        """A row of a classic list: ID and what was asked for; `*` is all plain fields, `UF_*` all custom ones."""
        if select is None:
            hidden = (*MULTI, *LISTS)
            return {name: value for name, value in record.items() if not name.startswith("UF_") and name not in hidden}
        names = {"ID", *select} - LISTS.keys()
        if "*" in names:
            names |= {name for name in record if not name.startswith("UF_") and name not in (*MULTI, *LISTS)}
        if "UF_*" in names:
            names |= {name for name in record if name.startswith("UF_")}
        return {name: record[name] for name in record if name in names and record[name] != []}

    def item(self, record: Mapping[str, Any], select: list[str] | None) -> dict[str, Any]:
        """An item of `crm.item.*`: JSON types, phones as `fm`."""
        types = self.types()
        wanted = None if not select or "*" in select else {"id", *select}
        shown: dict[str, Any] = {}
        for name, value in record.items():
            key = camel(name)
            if name in MULTI or (wanted is not None and key not in wanted):
                continue
            shown[key] = _typed(types.get(name, "string"), value)
        if wanted is None and any(name in types for name in MULTI):
            shown["fm"] = [
                {"id": int(each["ID"]), "typeId": kind, "valueType": each["VALUE_TYPE"], "value": each["VALUE"]}
                for kind in MULTI
                for each in record.get(kind, ())
            ]
        return shown


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a filter. `values` are strings, several for `@` and for a list."""

    name: str
    operator: str
    values: tuple[str, ...]
    is_time: bool = False

    def holds(self, record: Mapping[str, Any]) -> bool:
        value = str(record.get(self.name) if record.get(self.name) is not None else "")
        match self.operator:
            case "=" | "@":
                return value in self.values or (self.is_time and _moment(value) in map(_moment, self.values))
            case "!" | "!=" | "!@":
                return value not in self.values
            case "%" | "=%" | "%=":
                return any(each.strip("%").lower() in value.lower() for each in self.values)
            case "!%":
                return not any(each.lower() in value.lower() for each in self.values)
        left, right = self._order(value), self._order(self.values[0])
        if left is None or right is None:
            return False
        return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[self.operator]

    def _order(self, text: str) -> float | None:
        if self.is_time:
            return _moment(text)
        try:
            return float(text)
        except ValueError:
            return None


def read_filter(given: Any, types: Mapping[str, str], rename: Callable[[str], str | None]) -> list[Condition]:
    """Raises KeyError with the name of a field that `rename` does not know."""
    conditions = []
    for key, value in given.items() if isinstance(given, dict) else ():
        operator = next((each for each in OPERATORS if key.startswith(each)), "")
        name = rename(key[len(operator) :])
        if name is None:
            raise KeyError(key)
        if operator[:1] in ("<", ">") and isinstance(value, dict | list):
            value = as_id(value)  # a failed reference of a batch: the list starts again near ID 1
        values = tuple(_plain(each) for each in value) if isinstance(value, list) else (_plain(value),)
        conditions.append(Condition(name, operator or "=", values, types.get(name) == "datetime"))
    return conditions


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _first(rows: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [row for _, row in zip(range(count), rows, strict=False)]


def _sort_key(name: str) -> Callable[[dict[str, Any]], Any]:
    def key(row: dict[str, Any]) -> Any:
        value = str(row.get(name) or "")
        return (0, int(value), "") if value.isdecimal() else (1, 0, value)

    return key


def _typed(kind: str, value: Any) -> Any:
    if kind in ("crm_contacts", "crm_companies"):
        return [int(each) for each in value or ()]
    if value in (None, ""):
        return None if kind not in ("string", "char") else value
    if kind in _NUMBERS:
        return int(value)
    return float(value) if kind == "double" else value


def _comm_keys(record: Mapping[str, Any]) -> set[tuple[str, str]]:
    phones = {("PHONE", compared_phone(each["VALUE"])) for each in record.get("PHONE", ())}
    return phones | {("EMAIL", each["VALUE"].strip().lower()) for each in record.get("EMAIL", ())}
