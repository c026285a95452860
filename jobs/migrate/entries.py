"""Which entries of a history become the new CRM's own and which are gathered in a note, and what is kept of each."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast

from connectors.activities import ACTIVITY_KINDS, Activity, ActivityKind, cut
from connectors.histories import Entry
from connectors.records import RecordObject
from jobs.migrate.opening import Ready
from jobs.migrate.originals import Copy, Originals
from jobs.migrate.telling import NOTE_CHARS, ROOM, Teller, in_order

MOST_CHARS: Final = NOTE_CHARS - ROOM


@dataclass(slots=True)
class Piece:
    """One thing to be written for the old record `id`.

    `entry`: what becomes one of its own, None for a gathering note; that holds `telling` (mark -> digest) besides what
    was `told` by `number` notes before (mark -> digest and the note's id). `sent`: as an earlier try, of unknown
    outcome, sent it at `sent_at` with `sent_telling`; `again`: whether it may be sent again. `there`: its id in the new
    CRM, `declined`: refused, once that is known.
    """

    name: str
    id: str
    activity: Activity
    sent: Activity
    entry: Entry | None = None
    digest: str = ""
    cut: bool = False
    sent_at: datetime | None = None
    again: bool = True
    told: Mapping[str, Sequence[str]] = field(default_factory=dict)
    telling: Mapping[str, str] = field(default_factory=dict)
    sent_telling: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    there: str = ""
    declined: bool = False


@dataclass(slots=True)
class Sorted:
    """`rest`: by old record, what is to be gathered. `before`: written by an earlier run, `changed`: of those."""

    pieces: list[Piece] = field(default_factory=list)
    rest: dict[str, list[Entry]] = field(default_factory=dict)
    before: int = 0
    changed: int = 0
    seen: set[str] = field(default_factory=set)


class Entries:
    """Of a move whose new CRM can write activities."""

    def __init__(self, ready: Ready, whose: Originals) -> None:
        assert ready.activities is not None
        self._ready, self._whose, self._new = ready, whose, ready.activities
        hub = ready.move.settings.hub
        self._teller = Teller(ready.old_title, hub.locale, hub.zone, ready.old_users)

    def name(self, entry: Entry) -> str:
        """Where the state of one of its own is kept: the same whichever record shows it."""
        return f"migrate:{self._ready.move.name}:entry:{entry.id}"

    def sort(
        self,
        id: str,
        copy: Copy,
        entries: Sequence[Entry],
        kept: Mapping[str, Mapping[str, Any]],
        into: Sorted,
    ) -> None:
        before = kept.get(self._whose.note_name(id), {})
        if before.get("state") == "done" and "told" not in before:  # all of it is one note, by an earlier version
            into.before += 1
            return
        for one in in_order(entries):
            name = self.name(one)
            state = kept.get(name, {}) if one.id else {}
            if one.id and name in into.seen:
                continue
            match state.get("state"):
                case "done":
                    here = state["on"] == list(copy)
                    into.before += here
                    into.changed += here and state["digest"] != digest_of(one)
                case "sent":
                    into.pieces.append(self._own(name, id, copy, one, state))
                case None | "" if self.is_own(one):
                    into.pieces.append(self._own(name, id, copy, one, state))
                case _:
                    into.rest.setdefault(id, []).append(one)
                    continue
            into.seen.add(name)
        told = before.get("told", {})
        into.before += len(told)
        into.changed += sum(told.get(mark_of(one), [digest_of(one)])[0] != digest_of(one) for one in entries)

    def is_own(self, one: Entry) -> bool:
        """A note or call without a time would seem to be of today; an open task is somebody's and has its day."""
        if one.kind not in ACTIVITY_KINDS or not one.id or not self._new.takes(one):
            return False
        if one.kind == "call":
            return one.at is not None
        if one.kind == "note":
            return one.at is not None and bool(one.text)
        return one.due_at is not None and bool(one.text) and (one.done or bool(self._user(one.responsible)))

    def note(self, id: str, copy: Copy, rest: Sequence[Entry], kept: Mapping[str, Any]) -> Piece | None:
        """One more note with what none before tells, the oldest of it where it is much; None where there is nothing."""
        told = kept.get("told", {})
        fresh = self._teller.first_that_fit([one for one in rest if mark_of(one) not in told])
        sent_at, number = _sent_at(kept), int(kept.get("number", 0)) + (kept.get("state") == "done")
        if not (fresh or sent_at):
            return None
        about = self._whose.object
        words = self._teller.note(about, id, fresh)
        key = _key(f"{self._ready.move.name}:{about}:{id}:{number}")
        activity = Activity(key, copy.object, copy.id, "note", Entry("note", None, text=words.text))
        return Piece(
            self._whose.note_name(id),
            id,
            activity,
            activity,
            cut=words.cut,
            sent_at=sent_at,
            told=told,
            telling={mark_of(one): digest_of(one) for one in fresh},
            sent_telling=kept.get("telling", {}),
            number=number,
        )

    def _own(self, name: str, id: str, copy: Copy, one: Entry, state: Mapping[str, Any]) -> Piece:
        kind = cast(ActivityKind, one.kind)
        author, responsible = self._user(one.author), self._user(one.responsible)
        signed = kind in self._new.signed and bool(author)
        text = self._teller.own(one, dated=kind in self._new.dated, signed=signed, assigned=bool(responsible))
        entry = replace(one, author=author, responsible=responsible, text=cut(text, MOST_CHARS))
        key = _key(f"{self._ready.move.name}:{one.id}")
        activity = sent = Activity(key, copy.object, copy.id, kind, entry)
        sent_at = _sent_at(state)
        if sent_at is not None:
            about, record_id = state["on"]
            sent = replace(activity, about=cast(RecordObject, about), record_id=record_id)
        shortened, again = len(text) > MOST_CHARS, self.is_own(one)
        return Piece(name, id, activity, sent, one, digest_of(one), cut=shortened, sent_at=sent_at, again=again)

    def _user(self, user: str) -> str:
        return self._ready.user_for(self._whose.step, user)


def own_of(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Those that may have a state of their own."""
    return (one for one in entries if one.id and one.kind in ACTIVITY_KINDS)


def digest_of(one: Entry) -> str:
    return _hash(repr(one))[:16]


def mark_of(one: Entry) -> str:
    """Which entry it is, whatever it says by now, where the old CRM tells. Short: many are kept with one note."""
    return _hash(one.id or repr(one))[:12]


def state_of(state: str, one: Piece, *, at: datetime | None = None) -> dict[str, Any]:
    """`on` tells where it was sent to, so that it is looked for there."""
    found: dict[str, Any] = {"state": state, "id": one.there} | ({"at": at.isoformat()} if at else {})
    if one.entry is not None:
        return {**found, "digest": one.digest, "on": [one.activity.about, one.activity.record_id]}
    if state == "done":
        newly = {mark: [digest, one.there] for mark, digest in one.telling.items()}
        return {**found, "told": {**one.told, **newly}, "number": one.number}
    return {**found, "told": dict(one.told), "telling": dict(one.telling), "number": one.number}


def _sent_at(state: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(state["at"]) if state.get("state") == "sent" else None


def _key(text: str) -> str:
    return f"h-{_hash(text)[:20]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
