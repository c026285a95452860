"""`POST /hooks/{connection}`: the CRMs' own webhooks. A hint is stored, then answered; the record is read later."""

import logging
from dataclasses import dataclass
from typing import Final

from connectors.doors import Inbound, Refused, Reply, Unreadable
from jobs.hub import Hub
from leads.clock import Clock
from store.db import StoreUnavailable
from web.intake import (
    ClientGone,
    IntakeApp,
    Receive,
    Scope,
    Send,
    TooLarge,
    drain,
    error_reply,
    headers_of,
    send_reply,
)

log = logging.getLogger(__name__)

PREFIX: Final = "/hooks/"
RETRY_AFTER_S: Final = 10
BURST: Final = 1_000
PER_S: Final = 20
"""More than people edit; an import by hand is a burst."""


@dataclass(slots=True)
class Allowance:
    """Hints that may still be taken from a sender who proves nothing: BURST at once, PER_S on the long run."""

    clock: Clock
    _left: float = BURST
    _at: float | None = None

    def take(self, many: int) -> bool:
        now = self.clock.monotonic()
        passed_s = 0.0 if self._at is None else now - self._at
        self._left, self._at = min(float(BURST), self._left + passed_s * PER_S), now
        if self._left < many:
            return False
        self._left -= many
        return True


class HooksApp:
    """An answer below 300 is sent only after what the CRM told is stored. `reader` reads requests as doors do.

    Where the settings do not tell the CRM from anybody else, what is told costs calls of the CRM's limit: so it is
    taken slowly, and what is refused the next poll finds.
    """

    def __init__(self, hub: Hub, reader: IntakeApp) -> None:
        self._hub = hub
        self._reader = reader
        self._unproven = {
            name: Allowance(hub.clock)
            for name, one in hub.connections.items()
            if not one.connector.proves_hooks(hub.settings.connections[name].settings)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, _, tail = scope["path"][len(PREFIX) :].partition("/")
        if scope["method"] != "POST" or name not in self._hub.connections:
            await drain(receive)
            refusal = (405, "send it with POST") if name in self._hub.connections else (404, "unknown connection")
            await send_reply(send, error_reply(*refusal))
            return
        try:
            reply = await self._answer(name, await self._reader.inbound(scope, headers_of(scope), tail, receive))
        except TooLarge:
            reply = error_reply(413, "the request is too large")
        except ClientGone:
            return
        await send_reply(send, reply)

    async def _answer(self, name: str, inbound: Inbound) -> Reply:
        connection = self._hub.connections[name]
        read, extra = connection.connector.hooks, {"connection": name}
        if read is None:
            return Reply()  # nothing is made of it, and the sender need not send it again
        try:
            hints = read(self._hub.settings.connections[name].settings, inbound)
        except Refused as refusal:
            log.warning("webhook refused", extra={"event": "hook.refused", "reason": refusal.reason, **extra})
            return error_reply(refusal.status, refusal.reason)
        except Unreadable as error:
            return error_reply(400, error.reason)
        if name in self._unproven and not self._unproven[name].take(len(hints)):
            log.warning("webhooks come too fast", extra={"event": "hook.too_fast", **extra})
            headers = {"retry-after": str(RETRY_AFTER_S)}
            return Reply(429, b'{"error": "too many webhooks that nothing proves"}', headers=headers)
        try:
            kept = await self._hub.hints.take(name, hints)
        except StoreUnavailable:
            headers = {"retry-after": str(RETRY_AFTER_S)}
            return Reply(503, b'{"error": "cannot store anything now, please send it again"}', headers=headers)
        log.info("webhook taken", extra={"event": "hook.taken", "hints": kept, **extra})
        return Reply()
