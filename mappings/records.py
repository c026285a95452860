"""The compiled mapping of one kind of record between two CRMs: what record sync and migration work with.

    mapping = load_record_mapping("amocrm", "hubspot", "contact", folder)     # labels as written in YAML
    mapping = mapping.bound(left_account, right_account)                      # field ids, enums, users, stages
    mapping.to_right(left_record)          -> {"firstname": …}                what the right record shall hold
    mapping.differences(left, right)       -> ("city",)                       names of the pairs that do not agree
    mapping.comparables(record, "left")    -> {"city": "казань", …}           what to remember as last agreed
    mapping.match_keys(record, "left")     -> {"phones": ("+79161234567",)}

A record is a mapping of attribute names (`mappings.attributes`) and field ids to values, as a connector reads it.
It holds each of `mapping.keys(side)`; a key that is absent was not read, and nothing is carried from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mappings.accounts import Account
from mappings.attributes import RecordObject
from mappings.compare import Comparable, site
from mappings.engine import FieldProblem
from mappings.load import SYNC, find_file, mapping_names, whole_tree
from mappings.nodes import Place
from mappings.pairs import SIDES, End, FieldPair, NotCarried, Side, other
from mappings.problems import MappingError, Problem, allowed
from mappings.record_schema import RecordReader

__all__ = [
    "Converted",
    "FieldPair",
    "NotCarried",
    "RecordMapping",
    "Side",
    "load_record_mapping",
    "other",
    "parse_record_mapping",
    "preset_names",
]


@dataclass(frozen=True, slots=True)
class Converted:
    """`values` are for one side: record key -> value. A field that could not be carried is left out and told."""

    values: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordMapping:
    """Pairs of fields of one kind of record. Frozen; nothing here raises for what is in a record.

    `types` are the connector names that it was written for, `match` the names of the pairs by which records of the
    two sides are recognised, the surest first.
    """

    name: str
    object: RecordObject
    pairs: tuple[FieldPair, ...] = ()
    match: tuple[str, ...] = ()
    types: tuple[str, str] = ("", "")

    def pair(self, name: str) -> FieldPair:
        """Raises KeyError."""
        return {pair.name: pair for pair in self.pairs}[name]

    def keys(self, side: Side) -> tuple[str, ...]:
        """All that must be read of a record of this side."""
        return tuple(dict.fromkeys(key for pair in self.pairs for key in pair.keys(side)))

    def to_right(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What a left record makes of the right one: record key -> value. What cannot be carried is left out."""
        return dict(self.convert(record, "right").values)

    def to_left(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What a right record makes of the left one."""
        return dict(self.convert(record, "left").values)

    def convert(self, record: Mapping[str, Any], to: Side, only: Iterable[str] | None = None) -> Converted:
        """`to_right` or `to_left` with the problems; `only` these pairs, by name."""
        wanted = None if only is None else set(only)
        values: dict[str, Any] = {}
        problems: list[FieldProblem] = []
        for pair in self.pairs:
            if not pair.goes(to) or (wanted is not None and pair.name not in wanted):
                continue
            try:
                values |= pair.carry(record, to)
            except NotCarried as error:
                if pair.optional:
                    continue
                problems.append(FieldProblem(pair.place.path, pair.place.line, pair.place.file, str(error)))
        return Converted(values, tuple(problems))

    def comparables(self, record: Mapping[str, Any], side: Side) -> dict[str, Comparable]:
        """Each pair's value of this side in the form in which it is compared: text or a tuple of texts, JSON-ready."""
        return {pair.name: pair.comparable(record, side) for pair in self.pairs}

    def differences(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the pairs in which two records do not agree, as far as each side can hold what the other has."""
        return tuple(pair.name for pair in self.pairs if not pair.same(left, right))

    def match_keys(self, record: Mapping[str, Any], side: Side) -> dict[str, tuple[str, ...]]:
        """By the name of each pair to match by, the record's values in compared form; without empty ones."""
        return self.keys_among({name: self.pair(name).comparable(record, side) for name in self.match})

    def keys_among(self, comparables: Mapping[str, Comparable]) -> dict[str, tuple[str, ...]]:
        """As `match_keys`, of what `comparables` has told."""
        found = {name: comparables[name] for name in self.match}
        keys = {name: (value,) if isinstance(value, str) else value for name, value in found.items() if value}
        sites = [name for name in keys if self.pair(name).type == "url"]
        return keys | {name: tuple(dict.fromkeys(site(one) for one in keys[name])) for name in sites}

    def swapped(self) -> "RecordMapping":
        """The same mapping with left and right exchanged."""
        left, right = self.types
        return replace(self, pairs=tuple(pair.swapped() for pair in self.pairs), types=(right, left))

    def bound(self, left: Account, right: Account) -> "RecordMapping":
        """Labels become keys of records, types and limits are those of the accounts' fields.

        Raises MappingError with every field that an account does not have (but optional ones: they are left out).
        """
        binder = _Binder(left, right)
        pairs = tuple(bound for pair in self.pairs if (bound := binder.pair(pair)))
        binder.no_field_twice(pairs)
        if binder.problems:
            raise MappingError(binder.problems)
        names = {pair.name for pair in pairs}
        return replace(self, pairs=pairs, match=tuple(name for name in self.match if name in names))


class _Binder:
    """Looks up each label in its account and notes what is not there."""

    def __init__(self, left: Account, right: Account) -> None:
        self._accounts = (left, right)
        self.problems: list[Problem] = []

    def pair(self, pair: FieldPair) -> FieldPair | None:
        at_left, at_right = self._end(pair, "left"), self._end(pair, "right")
        if at_left is None or at_right is None:
            return None
        ends: dict[Side, End] = {"left": at_left, "right": at_right}
        left, right = at_left.field, at_right.field
        kind, several = pair.type, pair.several
        if kind == "text":  # not said in the mapping: what the fields are
            kind = next((one.type for one in (left, right) if one and one.type != "text"), kind)
        several = several or bool(left and right and left.several and right.several)
        limits = [one.decimals for one in (left, right) if one and one.decimals >= 0]
        decimals = pair.decimals if pair.decimals >= 0 else min(limits, default=-1)
        bound = replace(
            pair,
            left=ends["left"],
            right=ends["right"],
            type=kind,
            several=several,
            decimals=decimals,
            accounts=self._accounts,
        )
        message, hint = bound.misfit()
        if message:
            self.problems.append(pair.place.problem(message, hint))
        return bound

    def no_field_twice(self, pairs: Iterable[FieldPair]) -> None:
        """One field by two of its names would go to and fro between the pairs that write it."""
        seen: dict[tuple[Side, str], FieldPair] = {}
        for pair in pairs:
            for side in SIDES:
                end = pair.end(side)
                first = seen.setdefault((side, end.key), pair) if pair.goes(side) else pair
                if first is not pair:
                    message = f'the {side} field "{end.label}" is already written by {first.place.path}'
                    hint = f'there it is called "{first.end(side).label}"; null removes a pair of the extended mapping'
                    self.problems.append(pair.place.problem(message, hint))

    def _end(self, pair: FieldPair, side: Side) -> End | None:
        end, account = pair.end(side), self._accounts[0 if side == "left" else 1]
        if account.fields is None:
            return end
        known = account.field(end.label)
        if known is None:
            if not pair.optional:
                self._report(pair.place, f'{account.title or side} has no field "{end.label}"', account, end.label)
            return None
        if known.read_only and pair.goes(side):
            if pair.goes(other(side)) and pair.direction == "both":
                hint = f"set direction: {'left_to_right' if side == 'left' else 'right_to_left'}"
            else:
                hint = "take another field, or remove the pair"
            message = f'the field "{end.label}" of {account.title or side} is read-only'
            self.problems.append(pair.place.problem(message, hint))
            return None
        return replace(end, key=known.key, field=known)

    def _report(self, place: Place, message: str, account: Account, label: str) -> None:
        self.problems.append(place.problem(message, allowed(label, account.labels(), "fields")))


def preset_names(left: str, right: str, about: RecordObject) -> tuple[str, str]:
    """What the shipped mapping of two connector types is called, and what that of the two exchanged would be."""
    return f"{left}-{right}-{about}", f"{right}-{left}-{about}"


def load_record_mapping(
    left: str, right: str, about: RecordObject, folder: Path | None = None, *, name: str | None = None
) -> RecordMapping:
    """The mapping `name` of `folder`/sync, else the one for these connector types and this kind of record.

    A mapping that was written for the two types the other way round is turned. A file of the integrator's goes
    before the shipped one of its name. Raises MappingError with all problems.
    """
    names = [name] if name else [*preset_names(left, right, about), about]
    for wanted in names:
        found = find_file(wanted, folder, SYNC)
        if found is None:
            continue
        path, shown = found
        mapping = parse_record_mapping(path.read_bytes(), shown, name=wanted, folder=folder)
        if mapping.object != about:
            message = f"is about {mapping.object}, and here it is used for {about}"
            raise MappingError([Place(shown, 1, 1, "object").problem(message)])
        if all(mapping.types) and mapping.types not in ((left, right), (right, left)):
            written, wanted = " and ".join(mapping.types), f"{left} and {right}"
            raise MappingError([Place(shown, 1, 1, "").problem(f"is for {written}, and here it is used for {wanted}")])
        return mapping.swapped() if left != right and mapping.types == (right, left) else mapping
    hint = allowed(names[0], mapping_names(folder, SYNC), "there are")
    raise MappingError([Place(names[0], 0, 0, "").problem("there is no such mapping", hint)])


def parse_record_mapping(raw: bytes, file: str, *, name: str = "", folder: Path | None = None) -> RecordMapping:
    """A mapping from the text of a file; `file` is how messages call it. Raises MappingError."""
    reader = RecordReader()
    parts = reader.parts(whole_tree(raw, file, folder, under=SYNC, problems=reader.problems))
    if reader.problems:
        raise MappingError(sorted(reader.problems, key=lambda one: (one.file != file, one.line)))
    return RecordMapping(name or Path(file).stem, **parts)
