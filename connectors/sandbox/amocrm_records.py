"""The sandbox account's records: what amoCRM accepts, how it shows it, how its search finds it."""

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from connectors.sandbox.amocrm_data import ACCOUNT_ID, USERS, Record

CHOICES = frozenset({"select", "radiobutton", "category", "multiselect"})
SHORT = frozenset({"text", "streetaddress", "tracking_data"})
DATES = frozenset({"date", "date_time", "birthday"})
NAME_MAX = 255
CALL_STATUSES = range(1, 8)
_WORD = re.compile(r"[\w@.+-]+")
_NOT_DIGIT = re.compile(r"[^0-9]")


class Invalid(Exception):
    """What is wrong with one item: (code, path) pairs."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        self.errors = errors
        super().__init__(str(errors))


class SearchIndex:
    """`query`: whole words and last ten digits of any value of a record, visible `lag_s` after the write."""

    def __init__(self, lag_s: float) -> None:
        self.lag_s = lag_s
        self._terms: dict[str, dict[str, float]] = {}

    def add(self, record: Record, now_s: float) -> None:
        record_id = str(record["id"])
        for term in _terms(record):
            self._terms.setdefault(term, {}).setdefault(record_id, now_s + self.lag_s)

    def find(self, query: str, now_s: float) -> list[str]:
        text = query.strip().lower()
        digits = _NOT_DIGIT.sub("", text)
        term = digits[-10:] if len(digits) >= 7 and len(digits) >= len(text) - 6 else text
        return [record_id for record_id, seen_at in self._terms.get(term, {}).items() if seen_at <= now_s]


def _terms(record: Record) -> set[str]:
    texts = [str(record.get("name") or "")]
    for item in record.get("custom_fields_values") or []:
        texts.extend(str(value.get("value", "")) for value in item["values"])
    found: set[str] = set()
    for text in texts:
        low = text.lower()
        found.update((low, *_WORD.findall(low)))
        digits = _NOT_DIGIT.sub("", low)
        if len(digits) >= 7:
            found.add(digits[-10:])
    found.discard("")
    return found


class Store:
    """One kind of entity: records by id, their order of change, their search index."""

    def __init__(self, entity: str, first_id: int, records: dict[str, Record], lag_s: float) -> None:
        self.entity = entity
        self.records = records
        self.next_id = first_id
        self.by_change: OrderedDict[str, None] = OrderedDict()
        self.index = SearchIndex(lag_s)

    def add(self, record: Record, now_s: float) -> None:
        self.records[str(record["id"])] = record
        self.touch(record, now_s)

    def touch(self, record: Record, now_s: float) -> None:
        key = str(record["id"])
        self.by_change[key] = None
        self.by_change.move_to_end(key)
        self.index.add(record, now_s)

    def get(self, record_id: str) -> Record | None:
        record = self.records.get(record_id)
        return record if record is not None and not record.get("is_deleted") else None

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def ordered(self, query: str, order_by: str, descending: bool, now_s: float) -> Iterable[Record]:
        """Not deleted ones; ids grow with time, so that the order of making is the order of ids."""
        if query:
            found = [self.records[key] for key in self.index.find(query, now_s)]
            found.sort(key=lambda row: (row["updated_at"] if order_by == "updated_at" else 0, row["id"]))
            rows: Iterable[Record] = reversed(found) if descending else found
        else:
            keys = self.by_change if order_by == "updated_at" else self.records
            rows = (self.records[key] for key in (reversed(keys) if descending else keys))
        return (row for row in rows if not row.get("is_deleted"))

    def deleted(self, order_by: str, descending: bool) -> Iterable[Record]:
        keys = self.by_change if order_by == "updated_at" else self.records
        rows = (self.records[key] for key in (reversed(keys) if descending else keys))
        return (row for row in rows if row.get("is_deleted"))


def read_custom(values: Any, fields: dict[int, Record]) -> list[Record]:
    """`custom_fields_values` as written -> as shown; raises Invalid."""
    if values is None:
        return []
    if not isinstance(values, list):
        raise Invalid(("InvalidType", "custom_fields_values"))
    shown: list[Record] = []
    errors: list[tuple[str, str]] = []
    by_code = {row["code"]: row for row in fields.values() if row["code"]}
    for order, item in enumerate(values):
        path = f"custom_fields_values.{order}"
        named = "field_id" if isinstance(item, dict) and item.get("field_id") is not None else "field_code"
        field = fields.get(item["field_id"]) if named == "field_id" else by_code.get((item or {}).get("field_code"))
        if field is None:
            errors.append(("NotSupportedChoice", f"{path}.{named}"))
            continue
        given = item.get("values")
        if given is not None and not isinstance(given, list):
            errors.append(("InvalidType", f"{path}.values"))
            continue
        try:
            kept = [_value(field, value, f"{path}.values.{index}") for index, value in enumerate(given or [])]
        except Invalid as invalid:
            errors.extend(invalid.errors)
            continue
        shown.append(
            {
                "field_id": field["id"],
                "field_name": field["name"],
                "field_code": field["code"],
                "field_type": field["type"],
                "is_computed": False,
                "values": kept,
            }
        )
    if errors:
        raise Invalid(*errors)
    return shown


def _value(field: Record, given: Any, path: str) -> Record:
    if not isinstance(given, dict):
        raise Invalid(("InvalidType", path))
    kind = field["type"]
    if kind in CHOICES or kind == "multitext":
        return _choice(field, given, path)
    value = given.get("value")
    if kind == "checkbox":
        if not isinstance(value, bool):
            raise Invalid(("InvalidType", f"{path}.value"))
        return {"value": value}
    if kind in DATES:
        if not isinstance(value, int | str) or isinstance(value, bool):
            raise Invalid(("InvalidType", f"{path}.value"))
        return {"value": value}
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise Invalid(("InvalidType", f"{path}.value"))
    if kind in SHORT and len(str(value)) > NAME_MAX:
        raise Invalid(("TooLong", f"{path}.value"))
    return {"value": str(value)}


def _choice(field: Record, given: Record, path: str) -> Record:
    enums = field["enums"] or []
    if field["type"] == "multitext":
        code = given.get("enum_code") or enums[0]["code"]
        enum = next((enum for enum in enums if enum["code"] == code or enum["id"] == given.get("enum_id")), None)
        if enum is None:
            raise Invalid(("NotSupportedChoice", f"{path}.enum_code"))
        if not isinstance(given.get("value"), str):
            raise Invalid(("InvalidType", f"{path}.value"))
        return {"value": given["value"], "enum_id": enum["id"], "enum_code": enum["code"]}
    for name, key in (("enum_id", "id"), ("enum_code", "code"), ("value", "value")):
        if given.get(name) is not None:
            enum = next((enum for enum in enums if enum[key] == given[name]), None)
            if enum is None:
                raise Invalid(("NotSupportedChoice", f"{path}.{name}"))
            return {"value": enum["value"], "enum_id": enum["id"], "enum_code": enum["code"]}
    raise Invalid(("FieldMissing", f"{path}.value"))


def merge_custom(old: list[Record] | None, new: list[Record]) -> list[Record] | None:
    """A write replaces all values of the fields in it; empty values clear the field. None when nothing is left."""
    merged = {row["field_id"]: row for row in [*(old or []), *new]}
    kept = [row for row in merged.values() if row["values"]]
    return kept or None


def check_call(params: Any) -> None:
    """A call note lives by its parameters; their names and types are those of the vendor's client."""
    given = params if isinstance(params, dict) else {}
    missing = [name for name in ("uniq", "duration", "source", "phone") if given.get(name) is None]
    if missing:
        raise Invalid(*(("FieldMissing", f"params.{name}") for name in missing))
    texts = [name for name in ("uniq", "source", "phone", "link", "call_result") if name in given]
    wrong = [name for name in texts if not isinstance(given[name], str)]
    wrong += [name for name in ("duration",) if not isinstance(given[name], int) or isinstance(given[name], bool)]
    if wrong:
        raise Invalid(*(("InvalidType", f"params.{name}") for name in wrong))
    if given.get("call_status", CALL_STATUSES[0]) not in CALL_STATUSES:
        raise Invalid(("NotSupportedChoice", "params.call_status"))


def making_of(item: Record) -> Record:
    """When and by whom a note or task was made, where that is told; 0 is a robot."""
    told: Record = {name: item[name] for name in ("created_at", "created_by") if item.get(name) is not None}
    wrong = [name for name, value in told.items() if not isinstance(value, int) or isinstance(value, bool)]
    if wrong:
        raise Invalid(*(("InvalidType", name) for name in wrong))
    if told.get("created_by", 0) not in (0, *(user[0] for user in USERS)):
        raise Invalid(("NotSupportedChoice", "created_by"))
    return told


def check_name(item: Record) -> None:
    name = item.get("name")
    if name is not None and not isinstance(name, str):
        raise Invalid(("InvalidType", "name"))
    if isinstance(name, str) and len(name) > NAME_MAX:
        raise Invalid(("TooLong", "name"))


def new_record(record_id: int, item: Record, now_s: int, creator: int) -> Record:
    """What every entity has."""
    return {
        "id": record_id,
        "name": item.get("name") or "",
        "responsible_user_id": item.get("responsible_user_id") or creator,
        "group_id": 0,
        "created_by": item.get("created_by", creator),
        "updated_by": item.get("updated_by", creator),
        "created_at": item.get("created_at") or now_s,
        "updated_at": item.get("updated_at") or now_s,
        "closest_task_at": None,
        "is_deleted": False,
        "custom_fields_values": None,
        "account_id": ACCOUNT_ID,
    }
