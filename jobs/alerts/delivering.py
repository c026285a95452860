"""Incidents to messages: sends, edits, answers, through restarts and outages of the messenger.

Nothing is queued. Each round compares what is true with what each channel shows and says
the difference, so after an outage only the present is told. What was said is kept with the
incident; only the answer to a message that was just sent can be lost, and then the message
is sent again: a double costs a glance, silence costs leads (connectors/telegram/NOTES.md).
"""

import asyncio
import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any, Protocol

from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.notify import MessageRef, Notice
from jobs.alerts.causes import cause_of
from jobs.alerts.channel import ChannelState
from jobs.alerts.memory import MemoryIncidents
from jobs.alerts.texts import bundle, render
from jobs.alerts.words import Style
from jobs.waking import woken
from leads.clock import Clock
from leads.incidents import Done, Edit, Incident, Observation, Policy, Send, Sent, Wait, next_step, release

__all__ = ["Alerts", "ChannelState", "IncidentStore"]

log = logging.getLogger(__name__)

IDLE_S = 5.0
"""A missed wake-up costs at most this."""
EDITS_PER_ROUND = 3
"""Edits wait for the vendor's limit; a new message must not wait behind many of them."""
TELL_OTHERS_AFTER_S = 300.0
STORE_GONE_S = 60.0


class IncidentStore(Protocol):
    """Where incidents are kept; `jobs.alerts.incidents` has the one in the database."""

    async def list_dirty(self, channels: Collection[str]) -> list[Incident]:
        """Every open one, and every one that is over and not shown as "over" by each of `channels`."""
        ...

    async def mark_sent(self, incident_id: str, channel: str, sent: Sent) -> None:
        """Keeps what `channel` shows now. Durable when it returns; again with the same changes nothing."""
        ...

    async def observe(self, seen: Observation) -> None: ...

    async def resolve(self, key: str, data: Mapping[str, Any] | None = None) -> None:
        """The open incident with this key, if there is one, is over."""
        ...

    async def mute(self, incident_id: str, until: datetime) -> None: ...

    async def acknowledge(self, incident_id: str, who: str) -> None: ...


class _StopRoundError(Exception):
    """The channel takes nothing now."""


class Alerts:
    """Runs one loop per channel. `local` has the incidents that the database cannot keep."""

    def __init__(
        self,
        store: IncidentStore,
        channels: Sequence[ChannelState],
        clock: Clock,
        *,
        local: MemoryIncidents | None = None,
        policy: Policy | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self.store = store
        self.local = local or MemoryIncidents(clock)
        self.channels = {one.name: one for one in channels}
        self.policy = policy or Policy()
        self._clock = clock
        self._idle_s = idle_s
        self._unsaved: dict[tuple[str, str], Sent] = {}
        self._store_lost_at: float | None = None
        self.round_at = clock.monotonic()
        """Monotonic time of the last finished round of any channel: the heartbeat asks for it."""

    def wake(self) -> None:
        """Something changed: look at once."""
        for one in self.channels.values():
            one.awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while not self.channels:
            await self._clock.sleep(3600)
        async with asyncio.TaskGroup() as group:
            for one in self.channels.values():
                group.create_task(self._run(one), name=f"alerts {one.name}")

    async def _run(self, one: ChannelState) -> None:
        while True:
            one.awake.clear()
            try:
                wait_s = await self.look(one.name)
            except Exception:  # the loop outlives whatever one round ran into
                log.exception("alert round failed", extra={"event": "alert.round_failed", "channel": one.name})
                wait_s = self._idle_s
            await woken(one.awake, wait_s)

    async def look(self, name: str) -> float:
        """One round for one channel; returns the seconds until the next is worth it."""
        one = self.channels[name]
        if one.not_before > self._clock.monotonic():
            return max(0.01, one.not_before - self._clock.monotonic())
        try:
            incidents = await self._incidents(one)
            answer = await self._probe(one)
            wait_s = await self._round(one, incidents, answer)
        except _StopRoundError:
            wait_s = max(0.01, one.not_before - self._clock.monotonic())
        one.rounds += 1
        self.round_at = self._clock.monotonic()
        return wait_s

    # --- one round ------------------------------------------------------------------------

    async def _probe(self, one: ChannelState) -> ConnectorError | None:
        """After a failure a harmless read goes first: while that fails too, no message is doubled.

        How it was refused, if it was: whether messages are taken nevertheless shows when one is sent.
        """
        if one.health == "ok":
            return None
        try:
            await one.channel.ping()
        except (AuthError, PermanentError) as error:
            one.provable = True
            return error
        except ConnectorError as error:
            await self._failed(one, error)
            raise _StopRoundError from error
        return None

    async def _round(self, one: ChannelState, incidents: list[Incident], answer: ConnectorError | None) -> float:
        now = self._clock.now()
        newest: dict[str, Incident] = {}
        for incident in incidents:
            newest[incident.key] = max(newest.get(incident.key, incident), incident, key=lambda i: i.opened_at)
        wait_s = self._idle_s
        sends: list[tuple[Incident, Notice, Send]] = []
        edits: list[tuple[Incident, Notice, Edit]] = []
        for incident in incidents:
            notice = _rendered(incident, one.style, now)
            sent = self._shown(incident, one)
            step = next_step(
                incident,
                sent,
                now,
                digest_of(notice),
                edits=one.channel.edits,
                superseded=newest[incident.key].id != incident.id,
                policy=self.policy,
            )
            match step:
                case Send():
                    sends.append((incident, notice, step))
                case Edit():
                    edits.append((incident, notice, step))
                case Wait():
                    wait_s = min(wait_s, step.seconds)
                case Done() if sent is None or sent.state != "over":
                    await self._mark(incident, one, _untold(sent, now))
        if one.health != "ok" and not sends and not edits:
            await self._judge(one, answer)
        if await self._send_all(one, sends, now):
            wait_s = min(wait_s, 1.0)
        for incident, notice, edit in edits[:EDITS_PER_ROUND]:
            await self._edit(one, incident, notice, edit)
        return 0.0 if len(edits) > EDITS_PER_ROUND else wait_s

    async def _incidents(self, one: ChannelState) -> list[Incident]:
        """What this channel is to show, those that failed least first, then by age.

        Without the database it is only what this process knows.
        """
        found = await self.local.list_dirty(self.channels)
        try:
            found = found + await self.store.list_dirty(self.channels)
            await self._save_what_was_said()
        except Exception as error:  # whatever a database may raise: it is the trouble that must be told
            await self._store_failed(error)
        else:
            await self._store_works()
        known = {incident.id for incident in found}
        now_s = self._clock.monotonic()
        one.attempts = {key: count for key, count in one.attempts.items() if key in known}
        one.held = {key: until for key, until in one.held.items() if key in known and until > now_s}
        mine = []
        for incident in found:
            if await self._heeded(one, incident):
                continue
            if not _concerns(one, incident):
                if incident.resolved_at is not None and self._shown(incident, one) is None:
                    await self._mark(incident, one, _untold(None, self._clock.now()))
            elif incident.id not in one.held:
                mine.append(incident)
        return sorted(mine, key=lambda incident: (one.attempts.get(incident.id, 0), incident.opened_at))

    async def _send_all(self, one: ChannelState, sends: list[tuple[Incident, Notice, Send]], now: datetime) -> bool:
        """Whether some are held back for later because the chat had its share."""
        how = release(len(sends), list(one.told), now, self.policy) if sends else "each"
        if how == "each":
            for incident, notice, send in sends:
                await self._send(one, [(incident, send)], notice)
        elif how == "bundle":
            await self._send(one, [(i, send) for i, _, send in sends], bundle([n for _, n, _ in sends], one.style))
        return how == "hold"

    async def _send(self, one: ChannelState, about: Sequence[tuple[Incident, Send]], notice: Notice) -> None:
        alone = len(about) == 1
        shown = self._shown(about[0][0], one) if alone and about[0][1].reply else None
        for incident, _ in about:  # counted before: if it fails, the others come first
            one.attempts[incident.id] = one.attempts.get(incident.id, 0) + 1
        try:
            ref = await one.send_somehow(notice, MessageRef(shown.chat_id, shown.message_id) if shown else None)
        except PermanentError as error:
            one.hold([incident.id for incident, _ in about], error, self._clock.monotonic())
            return
        except ConnectorError as error:
            one.unknowns += isinstance(error, UnknownOutcomeError)
            await self._failed(one, error)
            raise _StopRoundError from error
        one.unknowns = 0
        await self._works(one)
        now = self._clock.now()
        one.told.append(now)
        for incident, send in about:
            one.attempts.pop(incident.id, None)
            sent = Sent(send.state, at=now, told_at=now, flaps=incident.flaps)
            if alone:
                sent = replace(sent, reads=digest_of(notice), chat_id=ref.chat_id, message_id=ref.message_id)
            await self._mark(incident, one, sent)
            fields = {"event": "alert.sent", "channel": one.name, "incident_id": incident.id, "kind": incident.kind}
            log.info("alert sent", extra={**fields, "state": send.state})

    async def _edit(self, one: ChannelState, incident: Incident, notice: Notice, edit: Edit) -> None:
        sent = self._shown(incident, one)
        assert sent is not None
        changed = replace(sent, state=edit.state, at=self._clock.now(), reads=digest_of(notice), flaps=incident.flaps)
        try:
            await one.channel.edit(MessageRef(sent.chat_id, sent.message_id), notice)
        except PermanentError as error:
            if not error.gone:
                one.hold([incident.id], error, self._clock.monotonic())
                return
            changed = replace(changed, state="over", message_id="")  # deleted by somebody: shows nothing any more
            one.awake.set()
        except ConnectorError as error:
            await self._failed(one, error)
            raise _StopRoundError from error
        await self._works(one)
        await self._mark(incident, one, changed)

    # --- what was said ----------------------------------------------------------------------

    def _shown(self, incident: Incident, one: ChannelState) -> Sent | None:
        return self._unsaved.get((incident.id, one.name)) or incident.sent.get(one.name)

    async def _mark(self, incident: Incident, one: ChannelState, sent: Sent) -> None:
        """Kept in memory until the store has it, so that a broken database repeats no message."""
        keeper: IncidentStore = self.local if incident.id in self.local.incidents else self.store
        self._unsaved[incident.id, one.name] = sent
        try:
            await keeper.mark_sent(incident.id, one.name, sent)
        except Exception as error:  # whatever a database may raise
            await self._store_failed(error)
            return
        self._unsaved.pop((incident.id, one.name), None)

    async def _store_failed(self, error: Exception) -> None:
        now = self._clock.monotonic()
        if self._store_lost_at is None:
            self._store_lost_at = now
            name = type(error).__name__
            log.warning("incidents cannot be read or kept", extra={"event": "alert.store_lost", "error": name})
        told = any(one.resolved_at is None for one in self.local.incidents.values())
        if now - self._store_lost_at >= STORE_GONE_S and not told:
            await self.local.observe(Observation("storage_trouble", cause="database_down"))

    async def _store_works(self) -> None:
        if self._store_lost_at is not None:
            self._store_lost_at = None
            log.info("incidents can be read and kept again", extra={"event": "alert.store_back"})
            await self.local.resolve(Observation("storage_trouble", cause="database_down").key)

    async def _save_what_was_said(self) -> None:
        for (incident_id, channel), sent in list(self._unsaved.items()):
            if incident_id not in self.local.incidents:
                await self.store.mark_sent(incident_id, channel, sent)
            self._unsaved.pop((incident_id, channel), None)

    # --- how the channel is doing -------------------------------------------------------------

    async def _failed(self, one: ChannelState, error: ConnectorError) -> None:
        now_s = self._clock.monotonic()
        one.failed(error, now_s, self._clock.random())
        if one.health == "refused" or (one.health == "failing" and now_s - one.since >= TELL_OTHERS_AFTER_S):
            await self._tell_others(one, cause_of(error))

    async def _judge(self, one: ChannelState, answer: ConnectorError | None) -> None:
        """There is nothing to say that would show whether it works: what the probe was answered must do."""
        if answer is not None:
            await self._failed(one, answer)
            one.provable = True
        elif one.provable:
            await self._works(one)
        else:
            one.rest(self._clock.monotonic())

    async def _works(self, one: ChannelState) -> None:
        if one.works():
            await self._quietly(self.store.resolve(Observation("channel_down", connection=one.name).key))

    async def _tell_others(self, one: ChannelState, cause: str) -> None:
        seen = Observation("channel_down", connection=one.name, cause=cause, data={"vendor": one.vendor})
        await self._quietly(self.store.observe(seen))
        for other in self.channels.values():
            if other is not one:
                other.awake.set()

    async def _heeded(self, one: ChannelState, incident: Incident) -> bool:
        """That a channel is down, told by a process before us: whether it is over by now.

        Of our own channel we find out; of one that is not configured any more nobody else would say it.
        """
        if incident.kind != "channel_down" or incident.resolved_at is not None:
            return False
        if incident.connection == one.name:
            down_s = (self._clock.now() - incident.opened_at).total_seconds()
            one.inherit(max(0.0, down_s), self._clock.monotonic())
        elif incident.connection not in self.channels:
            await self._quietly(self.store.resolve(incident.key, {"removed": True}))
            return True
        return False

    async def _quietly(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # whatever a database may raise
            await self._store_failed(error)


def _concerns(one: ChannelState, incident: Incident) -> bool:
    match incident.kind:
        case "owner_digest":
            return one.digest
        case "alert_test":
            return incident.connection in ("", one.name)
        case "channel_down":
            return incident.connection != one.name
        case _:
            return True


def _rendered(incident: Incident, style: Style, now: datetime) -> Notice:
    try:
        return render(incident, style, now)
    except Exception:  # data of a shape that nobody foresaw: better a bare alert than none
        log.exception("alert text failed", extra={"event": "alert.text_failed", "incident_id": incident.id})
        mark = "🟢" if incident.resolved_at else "🔴"
        return Notice(html=escape(f"{mark} {incident.kind} {incident.connection}", quote=False), topic=incident.id)


def digest_of(notice: Notice) -> str:
    """Equal for equal messages, buttons included."""
    return hashlib.blake2b(repr((notice.html, notice.buttons)).encode(), digest_size=8).hexdigest()


def _untold(sent: Sent | None, now: datetime) -> Sent:
    return replace(sent, state="over", at=now) if sent is not None else Sent("over", at=now, told_at=now)
