"""What is to be written so that two records agree: from what both hold, and what they last agreed on. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.records import RecordObject
from jobs.sync.model import SIDES, Sync
from leads.merge import OTHER, UNSEEN, Agreed, FieldNow, Flow, Form, Side, Verdict, mark, merge, same, taken_away
from mappings.pairs import FieldPair, NotCarried

LINK = "link:"
"""Before the names of links in a base."""


@dataclass(frozen=True, slots=True)
class RecordNow:
    """One record of a pair. `edited_at`: last changed by anybody but us, by our clock."""

    id: str
    values: Mapping[str, Any]
    edited_at: datetime | None = None
    edited_by: str = ""
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """object -> token of a pair -> the linked record's id; only those that have a partner."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A field that both changed and whose rule is to ask. Values of the two records, users and choices by name."""

    field: str
    left: Any
    right: Any


@dataclass(slots=True)
class Decision:
    """`values`: side -> what to write; `fields`: side -> the names of the fields that it carries.

    `base`: what to remember once it is written. `links`: side -> object -> tokens to add and to remove.
    """

    values: dict[Side, dict[str, Any]] = field(default_factory=lambda: {"left": {}, "right": {}})
    before: dict[Side, dict[str, Any]] = field(default_factory=lambda: {"left": {}, "right": {}})
    fields: dict[Side, list[str]] = field(default_factory=lambda: {"left": [], "right": []})
    base: dict[str, Agreed] = field(default_factory=dict)
    links: dict[Side, dict[RecordObject, tuple[tuple[str, ...], tuple[str, ...]]]] = field(
        default_factory=lambda: {"left": {}, "right": {}}
    )
    asks: list[Asked] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    sources: dict[str, Side] = field(default_factory=dict)
    """Field of which `problems` tell -> the side whose value cannot be carried over."""
    conflicts: int = 0

    @property
    def writes(self) -> bool:
        return any(self.values[side] or self.links[side] for side in SIDES)

    def goes_to(self, side: Side) -> list[str]:
        """What is carried there: names of fields, and `link:OBJECT:TOKEN` of each link that is made or taken away."""
        links = self.links[side].items()
        return [*self.fields[side], *(f"{LINK}{to}:{token}" for to, (add, gone) in links for token in (*add, *gone))]


def decide(sync: Sync, base: Mapping[str, Agreed], left: RecordNow, right: RecordNow) -> Decision:
    found = Decision(base=dict(base))
    newer = _newer(left.edited_at, right.edited_at)
    for pair in sync.mapping.pairs:
        flow = sync.flow(pair)
        if flow is not None:
            _field(pair, flow, found, left, right, newer)
    for sibling in sync.linked:
        _links(sibling.object, sync.settings.direction, found, left, right)
    return found


def unchanged(sync: Sync, side: Side, base: Mapping[str, Agreed], values: Mapping[str, Any]) -> bool:
    """Whether this side holds what was agreed on: then nothing of it has to be carried anywhere."""
    for pair in sync.mapping.pairs:
        if sync.flow(pair) is None:
            continue
        agreed = base.get(pair.name)
        if agreed is None or not same(agreed.left if side == "left" else agreed.right, pair.comparable(values, side)):
            return False
    return True


def first_seen(sync: Sync, side: Side, base: Mapping[str, Agreed], values: Mapping[str, Any]) -> dict[str, Agreed]:
    """The base with what this side's CRM put into a record by itself when we made it."""
    found = dict(base)
    for pair in sync.mapping.pairs:
        agreed = base.get(pair.name)
        if agreed is not None and (agreed.left if side == "left" else agreed.right) == UNSEEN:
            form = mark(pair.comparable(values, side))
            found[pair.name] = Agreed(form, agreed.right) if side == "left" else Agreed(agreed.left, form)
    return found


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be made. `missing`: the required field that is empty or cannot be carried; then nothing is."""

    values: Mapping[str, Any]
    base: Mapping[str, Agreed]
    problems: Sequence[tuple[str, str]] = ()
    missing: str = ""

    @property
    def by_itself(self) -> dict[str, Agreed]:
        """Of the base, the fields into which the CRM puts what it likes."""
        return {name: agreed for name, agreed in self.base.items() if UNSEEN in (agreed.left, agreed.right)}


def draft(sync: Sync, to: Side, source: Mapping[str, Any]) -> Draft:
    """What the other side's record shall be. What the CRM puts where nothing can be carried is nobody's change."""
    values: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    missing = ""
    base: dict[str, Agreed] = {}
    carried = []
    for pair in sync.mapping.pairs:
        flow = sync.flow(pair)
        if flow is None:
            continue
        if flow in ("both", "left_to_right" if to == "right" else "right_to_left"):
            try:
                values |= {key: value for key, value in pair.carry(source, to).items() if _filled(value)}
            except NotCarried as error:
                if not pair.optional:
                    problems.append((pair.name, str(error)))
                if pair.required:
                    missing = missing or f"{pair.name} {error}"
                had = mark(pair.comparable(source, OTHER[to]))
                base[pair.name] = Agreed(had, UNSEEN) if to == "right" else Agreed(UNSEEN, had)
                continue
        carried.append(pair)
    base |= {pair.name: _agreed(pair, to, source, values) for pair in carried}
    return Draft(values, base, problems, missing)


def _agreed(pair: FieldPair, to: Side, source: Mapping[str, Any], made: Mapping[str, Any]) -> Agreed:
    had, got = mark(pair.comparable(source, OTHER[to])), mark(pair.comparable(made, to))
    if not got and (pair.type == "user" or pair.right.key == "currency" or pair.left.key == "currency"):
        got = UNSEEN  # whom the CRM makes responsible, and its own currency, where nothing was named: nobody's change
    return Agreed(had, got) if to == "right" else Agreed(got, had)


def _field(pair: FieldPair, flow: Flow, found: Decision, left: RecordNow, right: RecordNow, newer: Side | None) -> None:
    now = FieldNow(pair.comparable(left.values, "left"), pair.comparable(right.values, "right"), equal=False)
    base = found.base.get(pair.name)
    if base is not None and UNSEEN in (base.left, base.right):
        base = found.base[pair.name] = base.seen(now.left, now.right)
    if base is not None and same(base.left, now.left) and same(base.right, now.right):
        return  # nothing happened; a difference that is left as it was stays so
    now = FieldNow(now.left, now.right, equal=pair.same(left.values, right.values))
    verdict = merge(now, base, pair.conflict, flow, newer)
    found.conflicts += verdict.conflict
    if verdict.asks:
        found.asks.append(Asked(pair.name, _raw(pair, "left", left), _raw(pair, "right", right)))
        return
    try:
        written = _carried(pair, verdict, base, now, left, right)
    except NotCarried as error:
        found.problems.append((pair.name, str(error)))
        found.sources[pair.name] = OTHER[verdict.to[0]]
        found.base[pair.name] = Agreed(mark(now.left), mark(now.right))
        return
    forms: dict[Side, Form] = {"left": now.left, "right": now.right}
    for side, values in written.items():
        record = left if side == "left" else right
        form = pair.comparable({**record.values, **values}, side)
        if form != forms[side] and not pair.begins(record.values, values, side):
            forms[side] = form
            found.values[side] |= values
            found.before[side] |= {key: record.values.get(key) for key in values}
            found.fields[side].append(pair.name)
    found.base[pair.name] = Agreed(mark(forms["left"]), mark(forms["right"]))


def _carried(
    pair: FieldPair, verdict: Verdict, base: Agreed | None, now: FieldNow, left: RecordNow, right: RecordNow
) -> dict[Side, dict[str, Any]]:
    # Both were asked for this field: what a record does not tell is empty there.
    records: dict[Side, Mapping[str, Any]] = {
        "left": {pair.left.key: "", **left.values},
        "right": {pair.right.key: "", **right.values},
    }
    if verdict.union:
        gone = taken_away(now, base)
        kept = {side: _without(pair, side, records[side], gone) for side in SIDES}
        return {side: pair.appended(kept[side], kept[OTHER[side]], side) for side in verdict.to}
    return {side: _copied(pair, side, base, records) for side in verdict.to}


def _copied(
    pair: FieldPair, to: Side, base: Agreed | None, records: Mapping[Side, Mapping[str, Any]]
) -> dict[str, Any]:
    """The other side's value. Of a list that has no room there, only what changed there since they agreed."""
    source = OTHER[to]
    before = (base.left if source == "left" else base.right) if base is not None else ""
    if not pair.room(source) or not isinstance(before, tuple):
        return pair.carry_onto(records[to], records[source], to)
    gone = set(before) - {mark(part) for part in pair.comparable(records[source], source)}
    new = _without(pair, source, records[source], before)
    return pair.appended(_without(pair, to, records[to], gone), new, to)


def _without(pair: FieldPair, side: Side, record: Mapping[str, Any], gone: Collection[Form]) -> Mapping[str, Any]:
    """The record without the parts of this list that somebody took out."""
    key = pair.end(side).key
    parts = record.get(key)
    if not gone or not isinstance(parts, list | tuple):
        return record
    kept = tuple(part for part in parts if not {mark(one) for one in pair.comparable({key: (part,)}, side)} & set(gone))
    return {**record, key: kept}


def _links(to: RecordObject, flow: Flow, found: Decision, left: RecordNow, right: RecordNow) -> None:
    """Links as a set of pairs: what either side made or took away since they agreed."""
    has = {"left": set(left.links.get(to, {})), "right": set(right.links.get(to, {}))}
    name = f"{LINK}{to}"
    base = found.base.get(name)
    sources = [side for side in SIDES if flow == "both" or flow.startswith(side)]
    agreed = {side: set(base.left if side == "left" else base.right) if base else set() for side in SIDES}
    gone = {token for side in sources for token in agreed[side] - has[side]}
    wanted = {token for side in sources for token in has[side]} - gone
    if len(sources) == 1:  # one way, what somebody took out of the copy stays out
        wanted -= agreed[sources[0]]
    after: dict[Side, set[str]] = {"left": set(has["left"]), "right": set(has["right"])}
    for side in SIDES:
        if OTHER[side] in sources:
            add, remove = tuple(sorted(wanted - has[side])), tuple(sorted(gone & has[side]))
            if add or remove:
                found.links[side][to] = add, remove
            after[side] = (has[side] | wanted) - gone
    found.base[name] = Agreed(tuple(sorted(after["left"])), tuple(sorted(after["right"])))


def _newer(left: datetime | None, right: datetime | None) -> Side | None:
    if left is None or right is None or left == right:
        return None
    return "left" if left > right else "right"


def _raw(pair: FieldPair, side: Side, record: RecordNow) -> Any:
    return pair.named(record.values, side)


def _filled(value: Any) -> bool:
    return value not in (None, "", (), [])
