"""When a person is told of something wrong, when the message changes, and when it is over.

An incident is one cause in one place, from the first sign of it to the end. It makes one
message per channel, edited while it develops, and a fresh one when it is over. Everything
here is a function of values; `jobs.alerts.delivering` sends, the store keeps.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Level = Literal["red", "yellow", "info"]
End = Literal["reply", "edit", "none"]
_REQUEST_ID = re.compile(r"\s*\(request [^)]*\)$")
_LONG_ID = re.compile(r"[0-9a-f-]*\d{4,}[0-9a-f-]*")
RECOVERED = "recovered_at"
"""In `Incident.data`, ISO time."""
REOPEN_S = 600.0
"""The same trouble again within this time is the same incident: its next end is believed later."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`end`: how the end is told: by a fresh message, by changing the first, or there is none.

    `by_cause`: each cause is an incident of its own; otherwise the cause may change while it lasts.
    `brief_s`: one that was over so soon that nobody was told of it stays untold.
    """

    level: Level
    end: End = "reply"
    by_cause: bool = False
    brief_s: float = 0.0
    remind_s: float = 0.0
    """Told again after so long while it lasts; 0: red ones as the policy says, others never."""


KINDS: Mapping[str, Kind] = {
    "lead_failed": Kind("red", by_cause=True),
    "lead_late": Kind("red"),
    "connection_down": Kind("red", brief_s=30.0),
    "token_refused": Kind("red"),
    "connection_missing": Kind("red"),
    "lead_doubled": Kind("yellow"),
    "field_removed": Kind("yellow", by_cause=True),
    "hub_restarted": Kind("yellow", end="edit"),
    "spool_in_use": Kind("red", brief_s=10.0),
    "storage_trouble": Kind("red", by_cause=True, brief_s=10.0),
    "spam_held": Kind("yellow", end="edit"),
    "source_unrouted": Kind("red"),
    "source_silent": Kind("yellow"),
    "errand_late": Kind("red"),
    "note_failed": Kind("yellow"),
    "reply_failed": Kind("red"),
    "errand_failed": Kind("red"),
    "source_disconnected": Kind("red"),
    "events_stuck": Kind("red"),
    "list_unread": Kind("yellow"),
    "copies_failing": Kind("yellow"),
    "unclaimed": Kind("yellow", end="edit"),
    "source_recovered": Kind("info", end="none", by_cause=True),
    "channel_down": Kind("red"),
    "not_called_back": Kind("yellow", end="edit"),
    "sync_braked": Kind("yellow"),
    "sync_failed": Kind("red", brief_s=300.0),
    "sync_late": Kind("red"),
    "sync_loop": Kind("yellow"),
    "sync_waiting": Kind("yellow", end="edit", remind_s=24 * 3600.0),
    "alert_test": Kind("info", end="none", by_cause=True),
    "owner_digest": Kind("info", end="none"),
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What somebody saw. `connection` is the name of a connection, a source or a channel, as the kind has it.

    `cause` is a short code (see `jobs.alerts.causes`) or the text of an error, `count` how many leads it concerns now,
    `oldest_at` since when the oldest of them waits. `data`: what the text may show, JSON values.
    """

    kind: str
    connection: str = ""
    cause: str = ""
    count: int = 0
    oldest_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return incident_key(self.kind, self.connection, self.cause)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one channel shows of an incident.

    `state` "open" or "over"; "over" also when the end need not be told there. `at` is the
    last message or edit, `told_at` the last message that rang. `reads` is the digest of the
    text. An empty `message_id`: nothing was sent, or nobody told us under which id.
    """

    state: Literal["open", "over"]
    at: datetime
    told_at: datetime
    reads: str = ""
    flaps: int = 0
    chat_id: str = ""
    message_id: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat(), "told_at": self.told_at.isoformat()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Sent":
        times = {name: datetime.fromisoformat(kept[name]) for name in ("at", "told_at")}
        return cls(**{**kept, **times})


@dataclass(frozen=True, slots=True)
class Incident:
    """`sent` is channel name -> what it shows. `resolved_at` None: still open."""

    id: str
    key: str
    kind: str
    opened_at: datetime
    updated_at: datetime
    connection: str = ""
    cause: str = ""
    resolved_at: datetime | None = None
    count: int = 0
    oldest_at: datetime | None = None
    muted_until: datetime | None = None
    acked_by: str = ""
    sent: Mapping[str, Sent] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def flaps(self) -> int:
        """How often it came back soon after it was over."""
        return int(self.data.get("flaps", 0))

    @property
    def recovered_at(self) -> datetime | None:
        """When the trouble itself ended although the incident is open: what waited is still on its way."""
        text = self.data.get(RECOVERED)
        return datetime.fromisoformat(text) if text else None

    @property
    def level(self) -> Level:
        return KINDS[self.kind].level


def incident_key(kind: str, connection: str = "", cause: str = "") -> str:
    """One key per incident that may be open at a time. Raises KeyError for an unknown kind.

    Where each cause is an incident of its own, record numbers and request ids in its text
    make no difference: a hundred leads refused alike are one incident.
    """
    return ":".join((kind, connection, _alike(cause)) if KINDS[kind].by_cause else (kind, connection))


def _alike(cause: str) -> str:
    text = _REQUEST_ID.sub("", cause).lower()
    return _LONG_ID.sub("#", " ".join(text.split()))[:120]


def button_token(incident_id: str) -> str:
    """Sixteen characters that stand for an incident in a button (which holds 64 bytes at most)."""
    return hashlib.blake2b(incident_id.encode(), digest_size=8).hexdigest()


# --- how an incident changes ------------------------------------------------------------------


def observe(last: Incident | None, seen: Observation, now: datetime, new_id: str) -> Incident:
    """The incident after `seen`. `last` is the newest one with the same key, open or over, or None.

    An open one is updated (and stays as it is when nothing changed), one that ended within
    REOPEN_S is opened again (its id stays), else there is a new one under `new_id`. A kind
    without an end happens once per key.
    """
    once = KINDS[seen.kind].end == "none"
    if once and last is not None:
        return last
    if last is None or not (last.resolved_at is None or within(last.resolved_at, now, REOPEN_S)):
        return Incident(
            id=new_id,
            key=seen.key,
            kind=seen.kind,
            connection=seen.connection,
            cause=seen.cause,
            opened_at=now,
            updated_at=now,
            resolved_at=now if once else None,
            count=seen.count,
            oldest_at=seen.oldest_at,
            data=dict(seen.data),
        )
    data = {**last.data, **seen.data}
    if last.resolved_at is not None:
        data.pop(RECOVERED, None)
    if last.resolved_at is not None:
        data["flaps"] = last.flaps + 1
    changed = replace(
        last,
        cause=seen.cause or last.cause,
        resolved_at=None,
        acked_by=last.acked_by if last.resolved_at is None else "",
        count=seen.count,
        oldest_at=seen.oldest_at,
        data=data,
    )
    return last if changed == last else replace(changed, updated_at=max(now, last.updated_at))


def resolve(incident: Incident, now: datetime, data: Mapping[str, Any] | None = None) -> Incident:
    """It is over; `data` is what the last message may show. Again: nothing changes."""
    if incident.resolved_at is not None:
        return incident
    ended = max(now, incident.opened_at)
    merged = {**incident.data, **(data or {})}
    return replace(incident, resolved_at=ended, updated_at=max(ended, incident.updated_at), data=merged)


def mute(incident: Incident, until: datetime, now: datetime) -> Incident:
    """Nothing rings before `until`; what is true by then is told."""
    return replace(incident, muted_until=until, updated_at=max(now, incident.updated_at))


def acknowledge(incident: Incident, who: str, now: datetime) -> Incident:
    """Somebody looks after it: no more reminders. An end or a return is still told."""
    return replace(incident, acked_by=who, updated_at=max(now, incident.updated_at))


# --- what a channel should do about it now ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Policy:
    """How talkative the hub is. Seconds."""

    edit_first_s: float = 15.0
    edit_last_s: float = 900.0
    remind_s: float = 6 * 3600.0
    hold_s: float = 30.0
    hold_most_s: float = REOPEN_S
    """No longer than REOPEN_S: an end that is still held back can then only belong to the newest incident."""
    burst: int = 5
    burst_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Send:
    """A message that rings; `reply`: as an answer to what the channel already shows."""

    state: Literal["open", "over"]
    reply: bool


@dataclass(frozen=True, slots=True)
class Edit:
    state: Literal["open", "over"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing for `seconds`, unless the incident changes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more to say here."""


Step = Send | Edit | Wait | Done


def next_step(
    incident: Incident,
    sent: Sent | None,
    now: datetime,
    reads: str,
    *,
    edits: bool,
    superseded: bool = False,
    policy: Policy | None = None,
) -> Step:
    """What a channel that shows `sent` should do; `reads` is the digest of the text as it would be now.

    `superseded`: there is a newer incident with the same key; the end of this one is then no
    news. Pauses are measured on the wall clock, which may jump: a time that lies in the
    future counts as long past, so that a clock set back delays nothing.
    """
    policy = policy or Policy()
    can_edit = edits and _was_sent(sent)
    if incident.resolved_at is None:
        return _while_open(incident, sent, now, reads, can_edit, policy)
    quiet = superseded or _muted_s(incident, now) > 0
    return _when_over(incident, incident.resolved_at, sent, now, can_edit, quiet, policy)


def _while_open(
    incident: Incident, sent: Sent | None, now: datetime, reads: str, can_edit: bool, policy: Policy
) -> Step:
    muted_s = _muted_s(incident, now)
    if muted_s > 0:
        return Wait(muted_s)
    if sent is None or sent.state == "over":
        return Send("open", reply=_was_sent(sent))
    waits = []
    every_s = KINDS[incident.kind].remind_s or (policy.remind_s if incident.level == "red" else 0.0)
    if every_s and not incident.acked_by:
        remind_s = every_s - (now - sent.told_at).total_seconds()  # a clock set back need not ring
        if remind_s <= 0:
            return Send("open", reply=True)
        waits.append(remind_s)
    if can_edit:
        edit_s = remaining_s(sent.at, now, _edit_gap_s(incident, now, policy))
        if edit_s <= 0 and sent.reads != reads:
            return Edit("open")
        waits.append(edit_s or policy.edit_first_s)
    return Wait(min(waits, default=policy.edit_last_s))


def _when_over(
    incident: Incident, ended: datetime, sent: Sent | None, now: datetime, can_edit: bool, quiet: bool, policy: Policy
) -> Step:
    kind = KINDS[incident.kind]
    if sent is None:
        lasted_s = (ended - incident.opened_at).total_seconds()
        untold = quiet or kind.level == "yellow" or lasted_s < kind.brief_s
        return Done() if untold else Send("over", reply=False)
    if sent.state == "over":
        return Done()
    if incident.flaps and not quiet:
        hold_s = min(policy.hold_s * 2.0 ** min(incident.flaps, 20), policy.hold_most_s)
        wait_s = remaining_s(ended, now, hold_s)
        if wait_s > 0:
            return Wait(wait_s)
    if can_edit and (quiet or kind.end == "edit"):
        return Edit("over")
    return Done() if quiet else Send("over", reply=_was_sent(sent))


def release(waiting: int, told: Sequence[datetime], now: datetime, policy: Policy) -> Literal["each", "bundle", "hold"]:
    """How `waiting` new messages leave when the channel rang at `told`: one by one, as one, or not yet.

    A storm is one message in a while with a list in it, not a chat that nobody can read.
    """
    recent = sum(within(at, now, policy.burst_s) for at in told)
    if recent + waiting <= policy.burst:
        return "each"
    return "bundle" if recent < policy.burst else "hold"


def within(since: datetime, now: datetime, seconds: float) -> bool:
    """Whether `since` is less than `seconds` ago; a time in the future is not."""
    return timedelta(0) <= now - since < timedelta(seconds=seconds)


def remaining_s(since: datetime, now: datetime, seconds: float) -> float:
    """What is left of `seconds` from `since` on; 0 when they passed or the clock was set back."""
    return seconds - (now - since).total_seconds() if within(since, now, seconds) else 0.0


def _edit_gap_s(incident: Incident, now: datetime, policy: Policy) -> float:
    """A twentieth of its age: a young incident changes quickly, an old one need not be followed by the minute."""
    age_s = max(0.0, (now - incident.opened_at).total_seconds())
    return min(max(age_s / 20, policy.edit_first_s), policy.edit_last_s)


def _muted_s(incident: Incident, now: datetime) -> float:
    return (incident.muted_until - now).total_seconds() if incident.muted_until else 0.0


def _was_sent(sent: Sent | None) -> bool:
    return sent is not None and bool(sent.message_id)
