"""Three-way merge of one field, and what decides when both sides changed it.

A field is compared in a form in which equal things are equal (`Form`): a text, or of a list its different parts.
What both sides had when they last agreed is kept, long texts as a digest: so a change is known from a value that
was always so, changes of different fields both survive, and only a change of the same field on both sides needs
a rule.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Final, Literal

Form = str | tuple[str, ...]
Side = Literal["left", "right"]
Rule = Literal["newest", "left", "right", "ask", "append", "first", "max", "min"]
RULES: Final[tuple[Rule, ...]] = ("newest", "left", "right", "ask", "append", "first", "max", "min")
Flow = Literal["both", "left_to_right", "right_to_left"]
FLOWS: Final[tuple[Flow, ...]] = ("both", "left_to_right", "right_to_left")
OTHER: Final[dict[Side, Side]] = {"left": "right", "right": "left"}
LONGEST_KEPT: Final = 64
"""Characters: a longer text is kept as a digest."""
_DIGEST: Final = "#"


UNSEEN: Final = "#?"
"""The mark of what a CRM put into a record by itself when we made it: whatever is seen there first is agreed on."""
UNTOLD: Final = "#!"
"""The mark of what a record has never told: whatever it holds is news, nothing too."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What each side had, in its own form, when they last agreed; as `mark` gives it, or UNSEEN."""

    left: Form
    right: Form

    def seen(self, left: Form, right: Form) -> "Agreed":
        """With what is there now in place of what was not seen."""
        return Agreed(
            mark(left) if self.left == UNSEEN else self.left, mark(right) if self.right == UNSEEN else self.right
        )


@dataclass(frozen=True, slots=True)
class FieldNow:
    """One field of a pair of records. `equal`: each side has what it would have if the other's were carried over."""

    left: Form
    right: Form
    equal: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to happen. `to` names the sides that get the other's value, with `append` the union.

    `agreed`: the sides are equal by the rules, or a difference is left as it is: both forms are the new base.
    `asks`: nothing happens and the base stays, until a person decides or the sides become equal.
    `conflict`: both had changed.
    """

    to: tuple[Side, ...] = ()
    agreed: bool = True
    asks: bool = False
    conflict: bool = False
    union: bool = False


EQUAL: Final = Verdict()


def mark(form: Form) -> Form:
    """The form as it is kept."""
    if isinstance(form, str):
        return form if len(form) <= LONGEST_KEPT and not form.startswith(_DIGEST) else _digest(form)
    return tuple(sorted(str(mark(part)) for part in form))


def same(kept: Form, now: Form) -> bool:
    return mark(now) == kept or (not kept and not now)


def merge(now: FieldNow, base: Agreed | None, rule: Rule, flow: Flow, newer: Side | None = None) -> Verdict:
    """Decides one field. `newer`: which record was modified later, None where that is not known (then the left)."""
    if now.equal:
        return EQUAL
    changed = _changed(now, base)
    if not changed:
        return EQUAL  # a difference that was left as it is
    source = _one_way(flow)
    if source is not None and rule == "append" and _several(now):
        return _joined(source, changed)
    if len(changed) == 1:
        return _copy(changed[0], now, rule, flow)
    if source is not None and rule == OTHER[source]:
        return Verdict(conflict=True)  # what people wrote into the copy stays
    if source is not None:
        return _copy(source, now, rule, flow, conflict=True)
    if rule == "append" and _several(now):
        return Verdict(("left", "right"), conflict=True, union=True)
    if rule == "ask":
        return Verdict(agreed=False, asks=True, conflict=True)
    return _copy(_winner(now, rule, newer), now, rule, flow, conflict=True)


def taken_away(now: FieldNow, base: Agreed | None) -> set[Form]:
    """Of a list: the marks of what either side took out since they agreed; the union of both shall not have it."""
    if base is None:
        return set()
    return _taken_away(base.left, now.left) | _taken_away(base.right, now.right)


def flipped(writes: Sequence[tuple[Side, float]], at: float, window_s: float) -> int:
    """How often in a row the values went to and fro within the window: writes (side, time) that changed sides."""
    recent = [side for side, when in writes if at - when <= window_s]
    return sum(one != before for before, one in pairwise(recent))


def _changed(now: FieldNow, base: Agreed | None) -> list[Side]:
    """The sides that changed since the base; without one, the sides that have a value at all."""
    if base is None:
        sides: list[Side] = [side for side, form in _sides(now) if form]
        return sides
    kept = {"left": base.left, "right": base.right}
    return [side for side, form in _sides(now) if not same(kept[side], form)]


def _sides(now: FieldNow) -> tuple[tuple[Side, Form], tuple[Side, Form]]:
    return ("left", now.left), ("right", now.right)


def _one_way(flow: Flow) -> Side | None:
    return {"left_to_right": "left", "right_to_left": "right"}.get(flow)  # type: ignore[return-value]  # these are sides


def _copy(source: Side, now: FieldNow, rule: Rule, flow: Flow, *, conflict: bool = False) -> Verdict:
    only = _one_way(flow)
    target = OTHER[source]
    has = now.left if target == "left" else now.right
    if (only is not None and only != source) or (rule == "first" and has):
        return Verdict(conflict=conflict)
    return Verdict((target,), conflict=conflict)


def _joined(source: Side, changed: Sequence[Side]) -> Verdict:
    """One way, a list of which the copy keeps what it has of its own."""
    if source not in changed:
        return EQUAL
    return Verdict((OTHER[source],), conflict=len(changed) > 1, union=True)


def _winner(now: FieldNow, rule: Rule, newer: Side | None) -> Side:
    if rule in ("left", "right"):
        return "left" if rule == "left" else "right"
    if rule in ("max", "min"):
        return "left" if _at_least(now.left, now.right) == (rule == "max") else "right"
    return newer or "left"


def _at_least(left: Form, right: Form) -> bool:
    """Numbers as numbers, all else as text: dates and times in their ISO form are in order so."""
    try:
        one, other = Decimal(str(left)), Decimal(str(right))
    except InvalidOperation:
        return str(left) >= str(right)
    return one >= other if one.is_finite() and other.is_finite() else str(left) >= str(right)


def _several(now: FieldNow) -> bool:
    return isinstance(now.left, tuple) and isinstance(now.right, tuple)


def _taken_away(kept: Form, now: Form) -> set[Form]:
    return {mark(part) for part in kept} - {mark(part) for part in now} if isinstance(kept, tuple) else set()


def _digest(text: str) -> str:
    return _DIGEST + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
