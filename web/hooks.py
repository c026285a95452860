"""`POST /hooks/{connection}`: the CRMs' own webhooks. A hint is stored, then answered; the record is read later."""

import logging
from typing import Final

from connectors.doors import Inbound, Refused, Reply, Unreadable
from jobs.app import Hub
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


class HooksApp:
    """An answer below 300 is sent only after what the CRM told is stored. `reader` reads requests as doors do."""

    def __init__(self, hub: Hub, reader: IntakeApp) -> None:
        self._hub = hub
        self._reader = reader

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
            await drain(receive)
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
        try:
            kept = await self._hub.hints.take(name, hints)
        except StoreUnavailable:
            headers = {"retry-after": str(RETRY_AFTER_S)}
            return Reply(503, b'{"error": "cannot store anything now, please send it again"}', headers=headers)
        log.info("webhook taken", extra={"event": "hook.taken", "hints": kept, **extra})
        return Reply()
