"""Sends our messages of one source: each once, in order, and never again by itself when nobody can say."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    TooEarlyError,
    UnknownOutcomeError,
)
from connectors.events import ParsedMessage
from connectors.links import Outgoing, Replies
from jobs.checkpoints import Checkpoint, passed
from jobs.delivery.outcomes import outcome_of
from jobs.pace import NORMAL, Pace
from jobs.talks.conversations import MESSAGE, Said, TalkKeeper
from jobs.waking import in_rounds, stored
from leads import retry
from leads.clock import Clock
from leads.retry import Outcome, RetryAt
from store import conversations, events, outgoing
from store.db import Database, StoreUnavailable
from store.events import Arrival
from store.intake import RawRequest
from store.leases import Held, LostLease
from store.outgoing import Outbound

log = logging.getLogger(__name__)

TOKEN_PAUSE_S = 60.0
"""Between two tries with a token that was refused: somebody may have mended its rights."""
REPLY_AGE = timedelta(hours=1)
"""A reply that could not be sent for so long is given up: its writer should decide whether it still makes sense."""
STOP_WAIT_S = 6.0
NOT_REQUESTED = RawRequest("", "", {}, b"")


def name_of(author: str) -> str:
    """`user:anna` -> `anna`; programs and the hub itself write in the name of the company."""
    return author.removeprefix("user:") if author.startswith("user:") else ""


@dataclass(slots=True)
class Sending:
    """Keeps `jobs.sources.worker.Part`."""

    source: str
    link: Replies
    db: Database
    clock: Clock
    keeper: TalkKeeper
    checkpoint: Checkpoint = passed
    pace: Pace = NORMAL
    policy: retry.RetryPolicy = field(default_factory=lambda: retry.RetryPolicy(max_age=REPLY_AGE))
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _paused_until: float = float("-inf")

    def wake(self) -> None:
        self._wake.set()

    def try_now(self) -> None:
        self._paused_until = float("-inf")
        self._wake.set()

    async def run(self, held: Held) -> None:
        """Raises LostLease, StoreUnavailable."""
        now, safe = self.clock.now(), self.link.repeats_safely
        left = await self.db.write(outgoing.take_over, held=held, source=self.source, now=now, repeats_safely=safe)
        if left:
            log.warning("messages of an earlier owner", extra={**self._fields("reply.took_over"), "count": left})
        await in_rounds(self._wake, partial(self._round, held))

    async def _round(self, held: Held) -> float:
        """Sends one message that is due; returns how long nothing else can happen by itself."""
        paused_s = self._paused_until - self.clock.monotonic()
        if paused_s > 0:
            return min(paused_s, self.pace.idle_s)
        now = self.clock.now()
        due = await self.db.read(outgoing.next_due, source=self.source)
        if due is None or due > now:
            return self.pace.until(due, now)
        one = await self.db.write(outgoing.claim, held=held, source=self.source, now=now)
        if one is None:
            return self.pace.idle_s
        sending = asyncio.ensure_future(self._send(held, one))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            # Told to stop in the middle: the answer is waited for, or nobody would know whether it was sent.
            await asyncio.wait([sending], timeout=STOP_WAIT_S)
            sending.cancel()
            raise
        return 0.0

    async def _send(self, held: Held, one: Outbound) -> None:
        await self.checkpoint("reply intended")
        try:
            vendor_id = await self.link.send(Outgoing(one.id, one.chat_id, one.channel, one.text, one.client_wrote_at))
        except (LostLease, StoreUnavailable):
            raise
        except Exception as error:  # not foreseen: the message may have been sent
            await self._failed(held, one, error)
            return
        await self.checkpoint("reply sent")
        await stored(partial(self.db.write, self._sent, held, one, vendor_id), self.clock)
        log.info("message sent", extra={**self._fields("reply.sent"), "message_id": one.id, "attempt": one.attempts})

    def _sent(self, conn: Connection, held: Held, one: Outbound, vendor_id: str) -> None:
        """It is sent, and the conversation has it: one commit. Its echo may have come before."""
        now = self.clock.now()
        outgoing.settle(conn, held, one.id, "sent", now, vendor_id=vendor_id)
        if why := outgoing.why_undelivered(conn, self.source, vendor_id):
            outgoing.not_delivered(conn, self.source, vendor_id, why, now)
        talk = conversations.lock_talk(conn, one.conversation_id)
        if talk is None:
            return
        message = ParsedMessage(
            chat_id=one.chat_id,
            message_id=vendor_id or f"sent:{one.id}",
            channel=one.channel,
            author="us",
            at=now.replace(microsecond=0),
            text=one.text,
            author_name=name_of(one.author),
        )
        data: dict[str, Any] = {"message": MESSAGE.dump_python(message, mode="json")}
        told = Arrival(self.source, "message", one.chat_id, message.message_id, now, data, NOT_REQUESTED)
        if events.append(conn, [told], self.clock):
            self.keeper.said(conn, Said(talk, message, now, talk.lead_id, told=False))

    async def _failed(self, held: Held, one: Outbound, error: Exception) -> None:
        text = str(error) if isinstance(error, ConnectorError) else type(error).__name__
        how = self._after(one, error)
        log.log(
            logging.WARNING if isinstance(error, ConnectorError) else logging.ERROR,
            "message not sent",
            exc_info=None if isinstance(error, ConnectorError) else error,
            extra={**self._fields("reply.failed"), "message_id": one.id, "state": how["state"], "error": text},
        )
        now = self.clock.now()
        settle = partial(outgoing.settle, held=held, message_id=one.id, now=now, error=text, **how)
        await stored(partial(self.db.write, settle), self.clock)

    def _after(self, one: Outbound, error: Exception) -> dict[str, Any]:
        now = self.clock.now()
        match error:
            case AuthError():
                if error.status != 403:  # which may be about this chat alone: the others are tried
                    self._paused_until = self.clock.monotonic() + TOKEN_PAUSE_S
                if now - one.created_at >= REPLY_AGE:
                    return {"state": "failed", "error_kind": "auth"}
                due_at = now + timedelta(seconds=TOKEN_PAUSE_S)
                return {"state": "ready", "error_kind": "auth", "count_attempt": False, "due_at": due_at}
            case TooEarlyError():
                due_at = now + timedelta(seconds=error.wait_s)
                return {"state": "ready", "error_kind": "retryable", "due_at": due_at, "count_attempt": False}
            case PermanentError():
                return {"state": "failed", "error_kind": "refused"}
        outcome = outcome_of(error)
        if outcome is Outcome.UNKNOWN and not (self.link.repeats_safely and isinstance(error, UnknownOutcomeError)):
            return {"state": "unknown", "error_kind": "unknown"}
        told_s = error.retry_after_s if isinstance(error, RateLimitedError) else None
        decision = retry.decide(
            outcome, one.attempts, one.created_at, now, self.clock.random(), retry_after_s=told_s, policy=self.policy
        )
        if isinstance(decision, RetryAt) and now - one.created_at < REPLY_AGE:
            return {
                "state": "ready",
                "error_kind": str(outcome),
                "due_at": decision.at,
                "count_attempt": decision.spends_attempt,
            }
        given_up = "unknown" if outcome is Outcome.UNKNOWN else "failed"
        return {"state": given_up, "error_kind": "gave_up"}

    def _fields(self, event: str) -> dict[str, Any]:
        return {"event": event, "source": self.source}
