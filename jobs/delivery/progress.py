"""What of one delivery is done, and what was being sent when we last heard: kept in `delivery.progress`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.base import KINDS, Draft, Kind
from leads.clock import Clock
from store.tables import from_us, to_us

_PLAIN = ("mode", "deal_id", "found_contact", "person", "user", "user_reason")


@dataclass(slots=True)
class Step:
    """One record to write. With `id` it exists; with `sent_at` alone its fate is unknown.

    `refused` names what the CRM would not take; `bare` means that only the minimum is sent.
    `repeats` counts sends after a look-up that found nothing.
    """

    id: str = ""
    sent_at: datetime | None = None
    refused: list[str] = field(default_factory=list)
    bare: bool = False
    repeats: int = 0

    @property
    def unknown(self) -> bool:
        return not self.id and self.sent_at is not None


@dataclass(slots=True)
class Progress:
    """`mode`: "" while not decided, "new", "note" or "reopen" (leads.repeats). `found_contact`: it was there before us.

    `notes` are (what, value, why) of fields that did not fit; the note carries them.
    """

    steps: dict[Kind, Step] = field(default_factory=lambda: {kind: Step() for kind in KINDS})
    mode: str = ""
    deal_id: str = ""
    """The existing deal that a repeat joins."""
    found_contact: bool = False
    person: str = ""
    """Whose the contact was when it was looked for: its key. He may have turned out to be another one since."""
    user: str = ""
    user_reason: str = ""

    def step(self, kind: Kind) -> Step:
        return self.steps[kind]

    @property
    def unknown(self) -> bool:
        return any(step.unknown for step in self.steps.values())

    def forget_refusals(self) -> None:
        """A person tries again after a change: what is not written yet is offered whole once more."""
        for step in self.steps.values():
            if not step.id:
                step.refused, step.bare = [], False

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for kind, step in self.steps.items():
            entry: dict[str, Any] = {}
            if step.id:
                entry["id"] = step.id
            if step.sent_at:
                entry["sent_at"] = to_us(step.sent_at)
            if step.refused:
                entry["refused"] = step.refused
            if step.bare:
                entry["bare"] = True
            if step.repeats:
                entry["repeats"] = step.repeats
            if entry:
                data[kind] = entry
        for name in _PLAIN:
            if value := getattr(self, name):
                data[name] = value
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Progress":
        progress = cls()
        for kind in KINDS:
            entry = data.get(kind, {})
            sent = entry.get("sent_at")
            progress.steps[kind] = Step(
                id=entry.get("id", ""),
                sent_at=None if sent is None else from_us(sent),
                refused=list(entry.get("refused", [])),
                bare=entry.get("bare", False),
                repeats=entry.get("repeats", 0),
            )
        for name in _PLAIN:
            if name in data:
                setattr(progress, name, data[name])
        return progress


@dataclass(slots=True)
class SentTimes:
    """How long ago something was sent, in time that really passed in this process.

    What another process sent counts from when we first ask: the wall clock may have been set in between, and
    an hour that never passed would let us send again what is still on its way.
    """

    clock: Clock
    _sent: dict[tuple[str, Kind], tuple[datetime, float]] = field(default_factory=dict)
    """(delivery, kind) -> the step's `sent_at`, and monotonic seconds."""

    def sent(self, delivery_id: str, kind: Kind, sent_at: datetime) -> None:
        self._sent[delivery_id, kind] = sent_at, self.clock.monotonic()

    def elapsed_s(self, delivery_id: str, kind: Kind, sent_at: datetime) -> float:
        known = self._sent.get((delivery_id, kind))
        if known is None or known[0] != sent_at:
            known = self._sent[delivery_id, kind] = sent_at, self.clock.monotonic()
        return self.clock.monotonic() - known[1]

    def forget(self, delivery_id: str) -> None:
        for kind in KINDS:
            self._sent.pop((delivery_id, kind), None)


SAME_S = 0.001
"""What a look lacks only because seconds are counted in fractions would make it due at once, again and again."""


def next_look(elapsed_s: float, look_again_s: tuple[float, ...]) -> float | None:
    """After a look that found nothing `elapsed_s` after sending: when to look next, in seconds after sending.

    None: every look that the vendor's recipe asks for has been made, so it may be sent again.
    """
    return min((delay for delay in look_again_s if delay > elapsed_s + SAME_S), default=None)


def earliest_look(sent_at: datetime, look_again_s: tuple[float, ...]) -> datetime:
    """When the first look is worth making."""
    return sent_at + timedelta(seconds=min(look_again_s, default=0.0))


def kind_of(draft: Draft) -> Kind:
    kinds: dict[str, Kind] = {
        "ContactDraft": "contact",
        "CompanyDraft": "company",
        "DealDraft": "deal",
        "NoteDraft": "note",
        "TaskDraft": "task",
        "CallDraft": "call",
    }
    return kinds[type(draft).__name__]
