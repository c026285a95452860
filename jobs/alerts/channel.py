"""One alert channel as the loop knows it: how it is doing, and when it may be tried again."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from html import escape, unescape
from typing import Literal

from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError
from connectors.notify import Channel, MessageRef, Notice
from jobs.alerts.words import Style

log = logging.getLogger(__name__)

BACKOFF_FIRST_S, BACKOFF_MOST_S = 2.0, 60.0
WEARY_AFTER, WEARY_S = 10, 600.0
"""A channel that takes messages, loses every answer and is otherwise well: some fifteen doubles in the first hour."""


@dataclass(slots=True)
class ChannelState:
    """`health`: "refused" needs a person, "failing" may come back by itself. Times are monotonic seconds."""

    name: str
    channel: Channel
    style: Style
    vendor: str = "Telegram"
    digest: bool = False
    health: Literal["ok", "failing", "refused"] = "ok"
    since: float = 0.0
    error: str = ""
    failures: int = 0
    unknowns: int = 0
    """Messages in a row of which nobody knows whether they arrived."""
    provable: bool = True
    """While refused: whether a read shows that it works again. Not if one was answered while messages are refused."""
    not_before: float = 0.0
    told: deque[datetime] = field(default_factory=lambda: deque(maxlen=20))
    attempts: dict[str, int] = field(default_factory=dict)
    """Incident id -> how often its message failed: those that failed least go first."""
    held: dict[str, float] = field(default_factory=dict)
    """Incident id -> when it may be tried again: its message was refused as such."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    rounds: int = 0

    async def send_somehow(self, notice: Notice, reply_to: MessageRef | None) -> MessageRef:
        """The whole message; when it is refused for what is in it, its headline alone."""
        try:
            return await self.channel.send(notice, reply_to)
        except PermanentError as error:
            fields = {"event": "alert.text_refused", "channel": self.name, "error": str(error)}
            log.warning("alert text refused, sending its headline", extra=fields)
            headline = unescape(notice.headline.replace("<b>", "").replace("</b>", ""))
            return await self.channel.send(Notice(html=escape(headline, quote=False), topic=notice.topic))

    def failed(self, error: ConnectorError, now_s: float, jitter: float) -> None:
        """Rests as long as told or as seems right; being asked to slow down is no failure."""
        if isinstance(error, RateLimitedError):
            self.not_before = now_s + error.retry_after_s + jitter
            return
        if self.health == "ok":
            self.since = now_s
            fields = {"event": "alert.channel_lost", "channel": self.name, "error": str(error)}
            log.warning("alert channel lost", extra=fields)
        self.failures += 1
        self.error = str(error)
        refused = isinstance(error, AuthError)
        if refused and self.health != "refused":
            self.provable = False  # as long as no read is refused, too
        self.health = "refused" if refused else "failing"
        self.not_before = now_s + backoff_s(self.failures, jitter, weary=self.unknowns >= WEARY_AFTER)

    def inherit(self, down_s: float, now_s: float) -> None:
        """A process before us told that nothing arrives here, `down_s` ago, and has not told that this is over."""
        if self.health == "ok":
            self.health, self.since = "failing", now_s - down_s

    def rest(self, now_s: float) -> None:
        """Nothing shows yet that it works again."""
        self.not_before = now_s + BACKOFF_MOST_S

    def works(self) -> bool:
        """It took something; whether it did not before."""
        was_ok = self.health == "ok"
        self.health, self.failures, self.error, self.provable = "ok", 0, "", True
        if not was_ok:
            log.info("alert channel back", extra={"event": "alert.channel_back", "channel": self.name})
        return not was_ok

    def hold(self, incident_ids: Iterable[str], error: ConnectorError, now_s: float) -> None:
        """Refused for what is in it, even as a headline: later again, and the others go on."""
        for incident_id in incident_ids:
            self.held[incident_id] = now_s + WEARY_S
            fields = {"event": "alert.held", "channel": self.name, "incident_id": incident_id, "error": str(error)}
            log.error("alert refused", extra=fields)


def backoff_s(failures: int, jitter: float, *, weary: bool = False) -> float:
    """Seconds before the next try; `failures` counts from 1, `jitter` is in [0, 1)."""
    if weary:
        return WEARY_S
    return float(min(BACKOFF_FIRST_S * 2 ** min(failures - 1, 10), BACKOFF_MOST_S) * (0.5 + jitter / 2))
