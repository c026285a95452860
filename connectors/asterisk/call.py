"""One call of a PBX as its channels' events tell it so far."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.callfields import call_lead, less, outcome
from connectors.doors import ParsedLead
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.numbers import NOBODY, Number

LIVE: Final = timedelta(minutes=2)  # a channel's own id and our clock agree this well when we hear of it at once
_SAME_LENGTH_S: Final = 3  # Cdr and our own ear agree on the length of a call
_BUSY: Final = ("17", "21")
_FAILED: Final = ("1", "3", "27", "28", "34", "38", "41", "42", "58")  # Q.850: no route, network, congestion


@dataclass(slots=True)
class ChannelCall:
    """`channels` are the ids of all its channels, the first one's in front."""

    id: str
    direction: Direction = ""
    client: Number = NOBODY
    line: Number = NOBODY
    own: str = ""
    """Extension of the colleague who calls."""
    rung: str = ""
    talker: str = ""
    talked: bool = False
    talk_s: int | None = None
    """As a queue counts it: without menu and waiting."""
    started_at: datetime | None = None
    heard_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    exact: bool = False
    """Times of its events are those of the PBX: stamped, or heard at once."""
    gap: bool = False
    """The connection was lost while it went on, or it was heard of in its middle."""
    voicemail: bool = False
    dial_status: str = ""
    name: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    channels: list[str] = field(default_factory=list)

    @property
    def extension(self) -> str:
        """Who talks, else who is rung; of an outgoing call who calls."""
        return self.own if self.direction == "out" else self.talker or self.rung or self.own

    def is_first(self, channel: str) -> bool:
        return channel == self.id or channel in self.channels[:1]

    def heard(self) -> tuple[int | None, int | None]:
        """Seconds of ringing and talk by our own ear, where it can be trusted; a talk of none is not worth telling."""
        if self.talk_s is not None or not self.exact or self.ended_at is None or self.started_at is None:
            return None, self.talk_s
        if not self.talked or self.answered_at is None:
            return _between(self.started_at, self.ended_at), None if self.talked else 0
        return _between(self.started_at, self.answered_at), _between(self.answered_at, self.ended_at) or None

    def lengths(self, whole_s: int | None, billed_s: int | None) -> tuple[int | None, int | None]:
        """Seconds of ringing and talk of a call of which Cdr says `whole_s` and `billed_s`.

        Cdr counts talk from the PBX's own answer, menu and queue included: what was heard is better, if it fits.
        """
        if not self.talked:
            return whole_s, 0
        ring_s, talk_s = self.heard()
        heard_s = _between(self.heard_at, self.ended_at) if self.heard_at and self.ended_at else None
        agreed = heard_s is not None and whole_s is not None and abs(heard_s - whole_s) <= _SAME_LENGTH_S
        if talk_s is not None and (agreed or self.talk_s is not None):
            return ring_s, talk_s
        return less(whole_s, billed_s), billed_s

    def disposition(self, cause: str = "") -> Disposition:
        """How it came out; `cause` is the Q.850 code of the hangup."""
        if self.voicemail and not self.talked:
            return "voicemail"
        busy = cause in _BUSY or self.dial_status == "BUSY"
        failed = cause in _FAILED or self.dial_status in ("CHANUNAVAIL", "CONGESTION")
        return outcome(self.direction, self.talked, "busy" if busy else "failed" if failed else "")

    def tell(
        self,
        event: str,
        which: str,
        state: CallState,
        at: datetime,
        *,
        ring_s: int | None = None,
        talk_s: int | None = None,
        disposition: Disposition = "",
        answered_at: datetime | None = None,
        recording_id: str = "",
        recording_url: str = "",
    ) -> ParsedCall:
        """One event of it; `which` makes the event's id unique among those of its name."""
        return ParsedCall(
            call_id=self.id,
            event=event,
            event_id=f"{event}:{which}",
            state=state,
            direction=self.direction,
            client="" if self.direction == "internal" else self.client.outside,
            line=self.line.outside,
            extension=self.extension,
            at=at,
            started_at=self.started_at,
            answered_at=answered_at,
            ended_at=at if state == "ended" else None,
            ring_s=ring_s,
            talk_s=talk_s,
            disposition=disposition,
            recording_id=recording_id,
            recording_url=recording_url,
            lead=self._lead(at),
            extra={name: value for name, value in self.extra.items() if value} if state == "ended" else {},
        )

    def _lead(self, at: datetime) -> ParsedLead | None:
        if not self.name or self.direction != "in":
            return None
        return call_lead({}, self.started_at or at, name=self.name)


def _between(first: datetime, last: datetime) -> int:
    return max(0, int((last - first).total_seconds()))
