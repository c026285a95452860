"""One field of two CRMs kept equal: how a value gets from one side to the other, and when the two are the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeGuard, get_args

from leads.merge import FLOWS as DIRECTIONS
from leads.merge import RULES, Rule, Side
from leads.merge import Flow as Direction
from leads.normalize import email
from leads.phones import phones
from mappings.accounts import Account, AccountField, AccountStage, FieldType
from mappings.checker import ExpressionError
from mappings.compare import Comparable, comparable, moment, time_of, to_places, truth
from mappings.expressions import Condition, Value, scope
from mappings.names import RecordView, labels_read, stage_named, stage_of, user_id, value_id, value_name
from mappings.nodes import Place
from mappings.transforms import Around, Transform, TransformError, apply
from mappings.values import amount, decimal, is_empty, text_of

__all__ = [
    "DIRECTIONS",
    "ON_MISSING",
    "RULES",
    "SIDES",
    "Direction",
    "End",
    "FieldPair",
    "NotCarried",
    "OnMissing",
    "Rule",
    "Side",
    "other",
]

OnMissing = Literal["clear", "skip"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)
ON_MISSING: Final[tuple[OnMissing, ...]] = get_args(OnMissing)


def other(side: Side) -> Side:
    return "left" if side == "right" else "right"


class NotCarried(Exception):
    """A value that cannot be given to the other side: why, without the value."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a pair. `label` is how the mapping calls the field, `key` where a record holds it.

    `steps` are applied to what arrives here; `value` is computed instead of taken from the other end.
    """

    label: str
    key: str
    field: AccountField | None = None
    steps: tuple[Transform, ...] = ()
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class FieldPair:
    """Frozen; every method is a function of its arguments. What a record holds never makes one raise but NotCarried.

    `conflict` is what to do when both sides changed since they last agreed: `newest`, `left`, `right`; `ask` a
    person; `append` (lists: keep what either side has); `first` (what is filled is never overwritten); `max`, `min`.
    `on_missing`: whether an emptied value empties the other side (`clear`) or not (`skip`). `optional`: nothing is
    said where one of the CRMs lacks the field or the value.

    A key that is absent from a record was not read, so that nothing is carried from it; what is empty is "" or None.
    """

    name: str
    left: End
    right: End
    place: Place
    type: FieldType = "text"
    several: bool = False
    direction: Direction = "both"
    conflict: Rule = "newest"
    on_missing: OnMissing = "clear"
    required: bool = False
    optional: bool = False
    when: Condition | None = None
    table: Mapping[str, str] = field(default_factory=dict)
    """Left name -> right name, for values that the two CRMs call differently; used both ways."""
    table_places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Left name -> where the dictionary says it."""
    default: Value | None = None
    decimals: int = -1
    accounts: tuple[Account, Account] = (Account(), Account())

    def end(self, side: Side) -> End:
        return self.left if side == "left" else self.right

    def account(self, side: Side) -> Account:
        return self.accounts[0] if side == "left" else self.accounts[1]

    def goes(self, to: Side) -> bool:
        """Whether values are carried to this side."""
        return self.direction in ("both", "left_to_right" if to == "right" else "right_to_left")

    def keys(self, side: Side) -> tuple[str, ...]:
        """What of a record this pair reads and writes: a stage comes with its pipeline, a condition reads others."""
        key, account = self.end(side).key, self.account(side)
        texts = [one.text for one in (self.when, self.default, self.end(other(side)).value) if one]
        read = [
            known.key if (known := account.field(label)) else label
            for text in texts
            for label in labels_read(text, side)
        ]
        own = (key, "pipeline") if self.type == "stage" else (key,)
        return tuple(dict.fromkeys((*own, *read)))

    def comparable(self, record: Mapping[str, Any], side: Side) -> Comparable:
        """This side's value in the form in which it is compared and remembered: text, or a tuple of texts."""
        account = self.account(side)
        return comparable(
            self.named(record, side),
            self.type,
            several=self.several,
            region=account.region,
            zone=account.zone,
            decimals=self.decimals,
        )

    def carry(self, record: Mapping[str, Any], to: Side) -> dict[str, Any]:
        """What the record of the other side says that this side shall hold: record keys of `to` -> values.

        Empty where nothing is to be written: `when` does not hold, or nothing is there and `on_missing` is skip.
        A value is "" (of a list: an empty tuple) to make it empty. Raises NotCarried.
        """
        source = other(to)
        if self.end(source).key not in record and self.end(to).value is None:
            return {}
        value = self._carried(record, to)
        if value is None:
            return {}
        if is_empty(value):
            return {self.end(to).key: () if self._several(to) else ""}
        if self.type == "stage":
            return self._stage(text_of(value), stage_of(record, self.account(source)), to)
        return {self.end(to).key: self._typed(value, to)}

    def carry_onto(self, record: Mapping[str, Any], source: Mapping[str, Any], to: Side) -> dict[str, Any]:
        """As `carry` from `source`; of a list that has no room on this side, what `record` holds of it stays there."""
        key, most = self.end(other(to)).key, self.room(to)
        parts = _parts(source.get(key))
        if 0 < most < len(parts):
            held = set(self.comparable(record, to))
            parts = tuple(sorted(parts, key=lambda one: not set(self.comparable({key: (one,)}, other(to))) <= held))
            source = {**source, key: parts}
        return self.carry(source, to)

    def room(self, side: Side) -> int:
        """How many values of a list this side can be told; 0 for as many as there are."""
        return known.max_values if self.several and (known := self.end(side).field) else 0

    def begins(self, record: Mapping[str, Any], made: Mapping[str, Any], to: Side) -> bool:
        """Whether this side's list, which is longer than can be written, begins with what is to be written."""
        key, most = self.end(to).key, self.room(to)
        own = _parts(record.get(key))
        if not (0 < most < len(own) and key in made):
            return False
        return set(self.comparable({key: own[:most]}, to)) == set(self.comparable(made, to))

    def same(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
        """Whether the two records agree in this field, as far as each side can hold what the other has.

        With `append` they do when neither side lacks, and has room for, what the other has.
        """
        records: dict[Side, Mapping[str, Any]] = {"left": left, "right": right}
        if self.conflict == "append":
            return all(
                self.comparable(self.appended(records[to], records[other(to)], to), to)
                == self.comparable(records[to], to)
                for to in SIDES
                if self.goes(to)
            )
        told: list[bool] = []
        for to in SIDES:
            if self.goes(to):
                try:
                    part = self.carry(records[other(to)], to)
                except NotCarried:
                    told += [] if self.optional else [False]
                    continue
                if part:
                    told.append(self.comparable(part, to) == self.comparable(records[to], to))
        return any(told) or not told

    def appended(self, record: Mapping[str, Any], source: Mapping[str, Any], to: Side) -> dict[str, Any]:
        """For `append`: this side's own list and, after it, what the other side has and this one lacks."""
        own = _parts(record.get(self.end(to).key))
        try:
            carried = _parts(self.carry(source, to).get(self.end(to).key))
        except NotCarried:
            carried = ()
        held = set(self.comparable(record, to)) if self.several else {self.comparable(record, to)}
        key = self.end(to).key
        new = [one for one in carried if not set(_parts(self.comparable({key: (one,)}, to))) <= held]
        return {key: self._cut((*own, *new), to)}

    def order(self, record: Mapping[str, Any], side: Side) -> Any:
        """For `max` and `min`: what values of this kind are ordered by; None for nothing."""
        value = self.comparable(record, side)
        if not value:
            return None
        return amount(value) if self.type in ("number", "money") else value

    def misfit(self) -> tuple[str, str]:
        """What is wrong with the conflict rule for this kind of value, and what to do; ("", "") when nothing is."""
        if self.conflict == "append" and not self.several:
            return "append is for lists", "add several: true, or take another conflict rule"
        ordered = self.type in ("number", "money", "date", "datetime") and not self.several
        if self.conflict in ("max", "min") and not ordered:
            what = "lists" if self.several else f"the type {self.type}"
            return f"{self.conflict} does not fit {what}", "it is for the types number, money, date and datetime"
        return "", ""

    def swapped(self) -> "FieldPair":
        """The same pair seen from the other side."""
        ways: dict[str, Any] = {"left_to_right": "right_to_left", "right_to_left": "left_to_right"}
        turned: dict[str, Any] = {"left": "right", "right": "left"}
        return replace(
            self,
            left=self.right,
            right=self.left,
            direction=ways.get(self.direction, self.direction),
            conflict=turned.get(self.conflict, self.conflict),
            table={right: left for left, right in self.table.items()},
            accounts=(self.accounts[1], self.accounts[0]),
        )

    # --- what both ways share -------------------------------------------------------------------

    def named(self, record: Mapping[str, Any], side: Side) -> Any:
        """This side's value, ids as names that the other side can understand."""
        account = self.account(side)
        if self.type == "stage":
            stage = stage_of(record, account)
            return f"{stage.pipeline}/{stage.name}" if stage else record.get(self.end(side).key)
        value = record.get(self.end(side).key)
        known = self.end(side).field
        if (known.type if known else self.type) in ("number", "money"):
            return tuple(decimal(one) for one in value) if _is_list(value) else decimal(value)
        if self.type in ("enum", "user") or (known or _PLAIN).enums:
            return value_name(value, known or AccountField("", type=self.type), account)
        if self.type in ("phone", "date", "datetime"):
            return (
                tuple(_read(one, self.type, account) for one in value)
                if _is_list(value)
                else _read(value, self.type, account)
            )
        return value

    def _carried(self, record: Mapping[str, Any], to: Side) -> Any:
        """The value after dictionary, steps and default, still with names; None for "write nothing"."""
        source, target = other(to), self.end(to)
        around = Around(
            self.account(to).zone, self.account(source).region, target.field.max_chars if target.field else 0
        )
        try:
            context = scope({source: RecordView(record, self.account(source)), to: {}})
            if self.when is not None and not self.when(context):
                return None
            value = target.value(context) if target.value else self.named(record, source)
            value = _filled(apply(target.steps, self._translated(_filled(value), to), around))
            if is_empty(value) and self.default is not None:
                value = _filled(self.default(context))
        except (ExpressionError, TransformError) as error:
            raise NotCarried(str(error)) from error
        if is_empty(value):
            if self.required:
                raise NotCarried("is required and empty")
            return None if self.on_missing == "skip" or self.type == "stage" else ""
        return value

    def _translated(self, value: Any, to: Side) -> Any:
        """By the pair's own dictionary. A stage may be called `Pipeline/Stage` in it, or by its own name."""
        if not self.table or is_empty(value):
            return value
        if isinstance(value, list | tuple):
            return tuple(self._translated(one, to) for one in value)
        table = self.table if to == "right" else {right: left for left, right in reversed(list(self.table.items()))}
        folded = {name.casefold(): target for name, target in table.items()}
        text = text_of(value).strip().casefold()
        ways = (text, text.rpartition("/")[2]) if self.type == "stage" else (text,)
        return next((folded[way] for way in ways if way in folded), value)

    def _several(self, side: Side) -> bool:
        known = self.end(side).field
        return self.several if known is None else known.several

    def _cut(self, value: tuple[Any, ...], side: Side) -> tuple[Any, ...]:
        """As much of a list as this side can hold."""
        most = self.room(side)
        return value[:most] if most else value

    def _stage(self, name: str, near: AccountStage | None, to: Side) -> dict[str, Any]:
        known = stage_named(name, self.account(to), near, put=True)
        if known is None:
            raise NotCarried(f'is at the stage "{name}", which {_title(self.account(to))} does not have')
        return {self.end(to).key: known.id, "pipeline": known.pipeline_id}

    def _typed(self, value: Any, to: Side) -> Any:
        """As the vendor wants it: ids for names, numbers as Decimal, times aware, a list where lists are kept."""
        parts = _parts(value)
        if not self._several(to):
            return self._one(parts[0], to)
        return self._cut(tuple(self._one(one, to) for one in parts), to)

    def _one(self, value: Any, to: Side) -> Any:
        account, known = self.account(to), self.end(to).field
        match self.type:
            case "number" | "money":
                if (number := amount(value)) is None:
                    raise NotCarried("is not a number")
                placed = to_places(number, self.decimals) if self.decimals >= 0 else number
                return placed if placed or not number else ""
            case "date" | "datetime":
                if (found := time_of(value, account.zone)) is None:
                    raise NotCarried("is not a date")
                if self.type == "datetime":
                    return moment(found, account.zone)
                return found.date() if isinstance(found, datetime) else found
            case "bool":
                if (flag := truth(value)) not in ("0", "1"):
                    raise NotCarried("is neither true nor false")
                return flag == "1"
            case "phone":
                return text_of(value)
            case "email":
                return email(text_of(value)) or text_of(value)
            case "user":
                found_id = user_id(value, account)
            case _:
                found_id = value_id(value, known)
        if found_id is None:
            raise NotCarried(f"has a value that {_title(account)} does not know")
        return found_id


_PLAIN: Final = AccountField("")


def _title(account: Account) -> str:
    return account.title or "the other side"


def _is_list(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)


def _read(value: Any, kind: FieldType, account: Account) -> Any:
    """A phone as of this side's country, a time as of its zone; what cannot be read as it is."""
    if is_empty(value):
        return ""
    if kind == "phone":
        return next(iter(phones(text_of(value), account.region).found), text_of(value))
    found = time_of(value, account.zone)
    if found is None:
        return value
    return found.date() if kind == "date" and isinstance(found, datetime) else found


def _filled(value: Any) -> Any:
    """A list without its empty parts: one of nothing is nothing."""
    return tuple(one for one in value if not is_empty(one)) if _is_list(value) else value


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if _is_list(value) else () if is_empty(value) else (value,)
