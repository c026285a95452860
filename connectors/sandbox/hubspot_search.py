"""The search of the sandbox account: an index that lags behind the writes, filters, sorting, paging."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connectors.sandbox.hubspot_errors import RefusedError
from connectors.sandbox.hubspot_records import Records
from connectors.sandbox.hubspot_schema import TYPES, moment

MAX_GROUPS, MAX_FILTERS, MAX_ALL = 5, 6, 18
MAX_LIMIT, MAX_RESULTS, MAX_BODY = 200, 10_000, 3_000
SUFFIX = 7
"""`*9161234567` is looked up by so many last characters."""
QUICK = (
    "email",
    "phone",
    "mobilephone",
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
    "leadhub_external_id",
    "leadhub_activity_id",
    "dealname",
)
"""Properties with a table of their values: a search by one of these reads no record that it does not show."""
LINK_PREFIX = "associations."
OPERATORS = [
    "EQ",
    "NEQ",
    "LT",
    "LTE",
    "GT",
    "GTE",
    "BETWEEN",
    "IN",
    "NOT_IN",
    "HAS_PROPERTY",
    "NOT_HAS_PROPERTY",
    "CONTAINS_TOKEN",
    "NOT_CONTAINS_TOKEN",
]

Properties = Mapping[str, str | None]


class SearchIndex:
    def __init__(self, lag_s: float, monotonic: Callable[[], float]) -> None:
        self.lag_s = lag_s
        self._monotonic = monotonic
        self._pending: deque[tuple[float, str, str]] = deque()
        self._seen: dict[str, dict[str, dict[str, str | None]]] = {type_: {} for type_ in TYPES}
        self._equal: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._ends: dict[tuple[str, str], dict[str, set[str]]] = {}

    def touched(self, type_: str, id_: str) -> None:
        self._pending.append((self._monotonic() + self.lag_s, type_, id_))

    def search(self, records: Records, type_: str, body: Mapping[str, Any], size: int) -> dict[str, Any]:
        self._catch_up(records)
        groups, limit, start = _limits(records, type_, body, size)
        found = self._matching(records, type_, groups, str(body.get("query") or "").lower())
        _sort(found, body.get("sorts"))
        asked = body.get("properties") or ()
        page = found[start : start + limit]
        results = [records.view(type_, {**records.live[type_][id_], "properties": seen}, asked) for id_, seen in page]
        answer: dict[str, Any] = {"total": len(found), "results": results}
        if start + limit < len(found):
            answer["paging"] = {"next": {"after": str(start + limit)}}
        return answer

    # --- the index ------------------------------------------------------------------------

    def _catch_up(self, records: Records) -> None:
        now = self._monotonic()
        while self._pending and self._pending[0][0] <= now:
            _, type_, id_ = self._pending.popleft()
            self._drop(type_, id_)
            record = records.live[type_].get(id_)
            if record is not None:
                self._add(type_, id_, dict(record["properties"]))

    def _add(self, type_: str, id_: str, properties: dict[str, str | None]) -> None:
        self._seen[type_][id_] = properties
        for name in QUICK:
            value = (properties.get(name) or "").lower()
            if value:
                self._equal.setdefault((type_, name), {}).setdefault(value, set()).add(id_)
                self._ends.setdefault((type_, name), {}).setdefault(value[-SUFFIX:], set()).add(id_)

    def _drop(self, type_: str, id_: str) -> None:
        properties = self._seen[type_].pop(id_, {})
        for name in QUICK:
            value = (properties.get(name) or "").lower()
            if value:
                self._equal[(type_, name)][value].discard(id_)
                self._ends[(type_, name)][value[-SUFFIX:]].discard(id_)

    # --- matching ---------------------------------------------------------------------------

    def _matching(
        self, records: Records, type_: str, groups: list[list[Mapping[str, Any]]], query: str
    ) -> list[tuple[str, Properties]]:
        seen = self._seen[type_]
        hits: set[str] = set()
        for filters in groups or [[]]:
            for id_ in self._candidates(records, type_, filters):
                if id_ in seen and all(_matches(records, type_, id_, seen[id_], one) for one in filters):
                    hits.add(id_)
        live = records.live[type_]
        return [(id_, seen[id_]) for id_ in hits if id_ in live and (not query or _mentions(seen[id_], query))]

    def _candidates(self, records: Records, type_: str, filters: list[Mapping[str, Any]]) -> Iterable[str]:
        """Ids among which all matches of a group are: as few as a table can tell."""
        for one in filters:
            name, operator = str(one["propertyName"]), one["operator"]
            if name.startswith(LINK_PREFIX) and operator == "EQ":
                return [id_ for id_ in self._seen[type_] if _linked(records, type_, id_, name, str(one.get("value")))]
            if name not in QUICK:
                continue
            if operator in ("EQ", "IN"):
                table = self._equal.get((type_, name), {})
                values = one.get("values") or [] if operator == "IN" else [one.get("value")]
                return set().union(*(table.get(str(value).lower(), set()) for value in values))
            text = str(one.get("value") or "").lower()
            if operator == "CONTAINS_TOKEN" and text.startswith("*") and "*" not in text[1:] and len(text) > SUFFIX:
                return set(self._ends.get((type_, name), {}).get(text[-SUFFIX:], set()))
        return list(self._seen[type_])


def _limits(
    records: Records, type_: str, body: Mapping[str, Any], size: int
) -> tuple[list[list[Mapping[str, Any]]], int, int]:
    """(groups of filters, limit, offset); raises RefusedError for what HubSpot would not search."""
    if size > MAX_BODY:
        raise RefusedError(400, "The request body is too long")
    groups = [list(group.get("filters") or []) for group in body.get("filterGroups") or []]
    filters = [one for group in groups for one in group]
    if len(groups) > MAX_GROUPS or any(len(group) > MAX_FILTERS for group in groups) or len(filters) > MAX_ALL:
        raise RefusedError(400, "There are too many filters or filter groups in the request")
    for one in filters:
        name, operator = str(one.get("propertyName") or ""), one.get("operator")
        if operator not in OPERATORS:
            raise RefusedError(400, f"Invalid input JSON: operator {operator}")
        if not name.startswith(LINK_PREFIX) and name not in records.schema.properties[type_]:
            raise RefusedError(400, f"There was a problem with the request: no property {name}")
        if operator in ("IN", "NOT_IN") and any(str(value) != str(value).lower() for value in one.get("values") or []):
            raise RefusedError(400, "values of IN must be in lower case")
    if len(body.get("sorts") or []) > 1:
        raise RefusedError(400, "Only one sort is allowed")
    limit = int(body.get("limit") or 10)
    after = str(body.get("after") or "0")
    if limit > MAX_LIMIT or not after.isdigit():
        raise RefusedError(400, f"limit must be at most {MAX_LIMIT}, after a number")
    if int(after) + limit > MAX_RESULTS:
        raise RefusedError(400, f"The search gives at most {MAX_RESULTS} results")
    return groups, limit, int(after)


def _matches(records: Records, type_: str, id_: str, seen: Properties, one: Mapping[str, Any]) -> bool:
    name, operator = str(one["propertyName"]), one["operator"]
    if name.startswith(LINK_PREFIX):
        return _linked(records, type_, id_, name, str(one.get("value")))
    held = seen.get(name)
    match operator:
        case "HAS_PROPERTY":
            return bool(held)
        case "NOT_HAS_PROPERTY":
            return not held
        case "NEQ":
            return (held or "").lower() != str(one.get("value")).lower()
        case "NOT_IN":
            return (held or "").lower() not in [str(value) for value in one.get("values") or []]
        case "NOT_CONTAINS_TOKEN":
            return not _has_token(held or "", str(one.get("value")))
    if not held:
        return False
    match operator:
        case "EQ":
            return held.lower() == str(one.get("value")).lower() or _number(held) == _number(one.get("value"), "")
        case "IN":
            return held.lower() in [str(value) for value in one.get("values") or []]
        case "CONTAINS_TOKEN":
            return _has_token(held, str(one.get("value")))
        case _:
            return _between(_number(held), one)


def _between(held: float | str | None, one: Mapping[str, Any]) -> bool:
    value, high = _number(one.get("value")), _number(one.get("highValue"))
    if not isinstance(held, float) or not isinstance(value, float):
        return False
    match one["operator"]:
        case "LT":
            return held < value
        case "LTE":
            return held <= value
        case "GT":
            return held > value
        case "GTE":
            return held >= value
        case _:
            return isinstance(high, float) and value <= held <= high


def _number(value: Any, default: str | None = None) -> float | str | None:
    """Numbers as they are, dates as epoch milliseconds."""
    text = str(value)
    try:
        return float(text)
    except ValueError:
        found = moment(text)
        return default if found is None else found.timestamp() * 1000


def _has_token(held: str, wanted: str) -> bool:
    wanted = wanted.lower()
    tokens = [held.lower(), *held.lower().replace("@", " ").replace(";", " ").split()]
    bare = wanted.strip("*")
    if wanted.startswith("*") and wanted.endswith("*"):
        return any(bare in token for token in tokens)
    if wanted.startswith("*"):
        return any(token.endswith(bare) for token in tokens)
    if wanted.endswith("*"):
        return any(token.startswith(bare) for token in tokens)
    return wanted in tokens


def _linked(records: Records, type_: str, id_: str, name: str, value: str) -> bool:
    other = name.removeprefix(LINK_PREFIX)
    to = {"company": "companies"}.get(other, f"{other}s")
    return value in records.links.get((type_, id_), {}).get(to, {})


def _mentions(seen: Properties, query: str) -> bool:
    names = (
        "firstname",
        "lastname",
        "email",
        "phone",
        "mobilephone",
        "company",
        "hs_additional_emails",
        "name",
        "dealname",
    )
    return any(query in (seen.get(name) or "").lower() for name in names)


def _sort(found: list[tuple[str, Properties]], sorts: Any) -> None:
    """By one property, else in the order of creation."""
    found.sort(key=lambda one: int(one[0]))
    if not sorts:
        return
    first = sorts[0]
    name = first.get("propertyName", "") if isinstance(first, dict) else str(first).lstrip("-")
    descending = first.get("direction") == "DESCENDING" if isinstance(first, dict) else str(first).startswith("-")

    def place(one: tuple[str, Properties]) -> tuple[float, str]:
        held = one[1].get(name) or ""
        number = _number(held)
        return (number if isinstance(number, float) else 0.0, held)

    found.sort(key=place, reverse=descending)
