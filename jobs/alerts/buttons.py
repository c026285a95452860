"""Buttons under an alert: mute it for an hour, take it on. Only in the chat that the channel writes to."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.telegram.client import TelegramClient
from jobs.alerts.delivering import IncidentStore
from jobs.alerts.words import Style
from leads.clock import Clock
from leads.incidents import Incident, button_token

log = logging.getLogger(__name__)

MUTE_FOR = timedelta(hours=1)
ASK_S = 10
PAUSE_S = 1.0
PAUSE_MOST_S = 60.0
REFUSED_PAUSE_S = 300.0
"""Somebody else reads this bot, or it has a webhook: ask again seldom, the alerts go on without buttons."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button as it was pressed; `chats` are the names by which its chat may be configured."""

    callback_id: str
    chats: tuple[str, str]
    action: str
    token: str
    who: str


def pressed(update: Mapping[str, Any]) -> Pressed | None:
    """The pressed button of an update, or None for any other update."""
    query = update.get("callback_query")
    if not isinstance(query, Mapping):
        return None
    chat = _object(_object(query.get("message")).get("chat"))
    action, _, token = str(query.get("data", "")).partition(":")
    who = str(_object(query.get("from")).get("first_name") or "?")
    return Pressed(str(query.get("id", "")), (str(chat.get("id", "")), f"@{chat.get('username')}"), action, token, who)


class ButtonListener:
    """Reads pressed buttons of one bot by long polling; an update is confirmed after it was acted upon."""

    def __init__(
        self,
        client: TelegramClient,
        chat_id: str,
        stores: Sequence[IncidentStore],
        style: Style,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called after an incident was muted or taken."""
        self._client = client
        self._chat_id = chat_id
        self._stores = stores
        self._style = style
        self._clock = clock
        self._changed = changed
        self._offset = 0
        self._failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(await self.listen())

    async def listen(self) -> float:
        """One question; returns the seconds until the next."""
        wait_s = min(ASK_S, int(self._client.timeout_s / 2))
        try:
            for update in await self._client.get_updates(self._offset, wait_s=wait_s, allowed=["callback_query"]):
                button = pressed(update)
                if button is not None and self._is_here(button):
                    await self._act(button)
                self._offset = int(update["update_id"]) + 1
        except (PermanentError, AuthError) as error:
            log.warning("buttons cannot be read", extra={"event": "alert.buttons_refused", "error": str(error)})
            return REFUSED_PAUSE_S
        except ConnectorError:
            self._failures += 1
            return min(PAUSE_S * 2.0 ** min(self._failures, 10), PAUSE_MOST_S)
        except Exception:  # the store, whatever it raises: the same update comes again
            log.exception("a pressed button waits", extra={"event": "alert.button_failed"})
            return PAUSE_S * 5
        self._failures = 0
        return PAUSE_S

    def _is_here(self, button: Pressed) -> bool:
        return self._client.moved.get(self._chat_id, self._chat_id) in button.chats

    async def _act(self, button: Pressed) -> None:
        found = await self._find(button.token)
        reply = "button_too_late"
        if found is not None:
            store, incident = found
            if button.action == "mute":
                await store.mute(incident.id, self._clock.now() + MUTE_FOR)
                reply = "button_muted"
            elif button.action == "ack":
                await store.acknowledge(incident.id, button.who)
                reply = "button_taken"
            self._changed()
            log.info("alert button", extra={"event": f"alert.{reply}", "incident_id": incident.id})
        await self._client.answer(button.callback_id, self._style.say(reply))

    async def _find(self, token: str) -> tuple[IncidentStore, Incident] | None:
        for store in self._stores:
            for incident in await store.list_dirty([]):
                if button_token(incident.id) == token:
                    return store, incident
        return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
