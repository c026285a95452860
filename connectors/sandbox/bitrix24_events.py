"""Events of the Bitrix24 sandbox: handlers that are told at once and never again, and the offline queue."""

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox.bitrix24_php import as_id
from connectors.sandbox.bitrix24_saving import Refused
from connectors.sandbox.bitrix24_timeline import Params, param, start_of
from connectors.sandbox.posts import KEPT, Post

PAGE = 50
FORM = {"content-type": "application/x-www-form-urlencoded"}
APP_TOKEN = "51856fefc120afa4b628cc82d3935cce"  # noqa: S105 - of a sandbox
METHODS = ("event.bind", "event.get", "event.unbind", "event.offline.list")
"""All of them are for applications: a webhook is refused."""


class Events:
    """`handlers` are (event, address); `queue` is (event, record id) -> row, one for each pair and no history."""

    def __init__(self, now: Callable[[], str]) -> None:
        self._now = now
        self.handlers: list[tuple[str, str]] = []
        self.offline: set[str] = set()
        self.queue: dict[tuple[str, str], dict[str, Any]] = {}
        self.posts: deque[Post] = deque(maxlen=KEPT)
        self.application_token = APP_TOKEN
        self._last = 0

    def methods(self) -> dict[str, Callable[[Params], Any]]:
        return dict(zip(METHODS, (self.bind, self.get, self.unbind, self.offline_list), strict=True))

    def happened(self, entity: str, action: str, record_id: str) -> None:
        event = f"ONCRM{entity.upper()}{action}"
        for bound, address in self.handlers:
            if bound == event:
                form = {
                    "event": event,
                    "event_handler_id": "1",
                    "data[FIELDS][ID]": record_id,
                    "ts": "1764072000",
                    "auth[application_token]": self.application_token,
                    "auth[domain]": "sandbox.bitrix24.ru",
                }
                self.posts.append(Post(address, urlencode(form).encode(), FORM))
        if event in self.offline:
            self._last += 1
            self.queue[event, record_id] = {
                "ID": str(self._last),
                "TIMESTAMP_X": self._now(),
                "EVENT_NAME": event,
                "EVENT_DATA": {"FIELDS": {"ID": record_id}},
                "EVENT_ADDITIONAL": {},
                "MESSAGE_ID": f"{self._last:032x}",
                "PROCESS_ID": "",
            }

    def bind(self, params: Params) -> bool:
        event, address = str(param(params, "event") or "").upper(), str(param(params, "handler") or "")
        if not event.startswith("ON"):
            raise Refused(400, "ERROR_EVENT_NOT_FOUND", "Event not found")
        if str(params.get("event_type") or "") == "offline":
            if event in self.offline:
                raise Refused(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
            self.offline.add(event)
            return True
        if not address.startswith(("http://", "https://")):
            raise Refused(400, "ERROR_CORE", "Unable to set event handler: Wrong handler URL")
        if (event, address) in self.handlers:
            raise Refused(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
        self.handlers.append((event, address))
        return True

    def get(self, params: Params) -> list[dict[str, Any]]:
        online = [
            {"event": event, "handler": address, "auth_type": "0", "offline": 0} for event, address in self.handlers
        ]
        return [*online, *({"event": event, "connector_id": "", "offline": 1} for event in sorted(self.offline))]

    def unbind(self, params: Params) -> dict[str, int]:
        event, address = str(param(params, "event") or "").upper(), str(param(params, "handler") or "")
        before = len(self.handlers)
        self.handlers = [one for one in self.handlers if one != (event, address)]
        return {"count": before - len(self.handlers)}

    def offline_list(self, params: Params) -> tuple[list[dict[str, Any]], int | None, int]:
        """Rows stay as they are; filters by event's name and by id."""
        given = param(params, "filter")
        wanted = given if isinstance(given, dict) else {}
        name = str(wanted.get("=EVENT_NAME") or wanted.get("EVENT_NAME") or "")
        after = int(as_id(wanted.get(">ID") or 0))
        rows = [
            row for row in self.queue.values() if (not name or row["EVENT_NAME"] == name) and int(row["ID"]) > after
        ]
        start = max(0, start_of(params)) // PAGE * PAGE
        following = start + PAGE if start + PAGE < len(rows) else None
        return rows[start : start + PAGE], following, len(rows)
