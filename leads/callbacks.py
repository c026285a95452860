"""Which missed calls nobody has called back, as all calls with one number tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from leads.calls import Call


@dataclass(frozen=True, slots=True)
class PastCall:
    """`at` is when it began."""

    id: str
    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class Missed:
    """`closed` is the first later call in which we talked to the client, or tried to; None while there was none.

    `talked` is the first in which both talked: what was to be done is done.
    """

    id: str
    at: datetime
    closed: PastCall | None = None
    talked: PastCall | None = None


def is_missed(call: Call) -> bool:
    """Over, and nobody of us talked; hidden numbers cannot be called back."""
    return call.final and call.direction == "in" and not call.answered and call.client.startswith("+")


def reaches(call: Call) -> bool:
    """A call of ours to the client counts as soon as it is made, one of his when somebody answers it."""
    talks = call.answered or (call.state == "talking" and not call.final)
    return call.direction == "out" or (call.direction == "in" and talks)


def missed_of(calls: Iterable[PastCall]) -> tuple[Missed, ...]:
    """The missed ones of all calls with one number, the oldest first; in which order they are given does not matter."""
    in_order = sorted(calls, key=lambda one: (one.at, one.id))
    found: list[Missed] = []
    closed: PastCall | None = None
    talked: PastCall | None = None
    for one in reversed(in_order):
        if is_missed(one.call):
            found.append(Missed(one.id, one.at, closed, talked))
        elif reaches(one.call):
            closed = one
            talked = one if one.call.answered else talked
    return tuple(reversed(found))
