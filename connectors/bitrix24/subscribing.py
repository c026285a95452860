"""Asking Bitrix24 to send events to the hub: applications can, incoming webhooks cannot. Docs, `event.bind`."""

import asyncio
from typing import Any, Final

from connectors.bitrix24.answers import RefusedError
from connectors.bitrix24.portal import Portal
from connectors.webhooks import Subscribed

EVENTS: Final = tuple(
    f"ONCRM{object}{action}"
    for object in ("CONTACT", "COMPANY", "DEAL", "LEAD")
    for action in ("ADD", "UPDATE", "DELETE")
)
GONE: Final = tuple(event for event in EVENTS if event.endswith("DELETE"))
"""These go into the offline queue as well, where a deletion can still be seen when its event was lost."""
BY_HAND: Final = (
    "An incoming webhook cannot ask for events. In Bitrix24: Developer resources > Other > Outbound webhook,\n"
    "    handler {address}\n    events {events}\n"
    "    and its application token into application_token of the connection.",
    "Входящий вебхук не может подписаться на события. В Битрикс24: Разработчикам > Другое > Исходящий вебхук,\n"
    "    адрес обработчика {address}\n    события {events}\n"
    "    и его токен приложения — в application_token подключения.",
)


async def subscribe(portal: Portal, address: str, *, make: bool) -> Subscribed:
    if portal.by_webhook:
        return Subscribed(address, EVENTS, BY_HAND)
    missing = await _missing(portal, address)
    if missing and make:
        wanted: list[dict[str, Any]] = [{"event": event, "handler": address} for event in missing]
        wanted += [{"event": event, "event_type": "offline"} for event in GONE]
        await asyncio.gather(*(_bind(portal, one) for one in wanted))
        missing = await _missing(portal, address)
    return Subscribed(address, missing)


async def _bind(portal: Portal, params: dict[str, Any]) -> None:
    try:
        await portal.call("event.bind", params, writes=True)
    except RefusedError as refused:
        known = "already bind" in refused.text.lower()
        if not known and "event_type" not in params:  # the offline queue is an extra that a plan may lack
            raise


async def _missing(portal: Portal, address: str) -> tuple[str, ...]:
    rows = (await portal.call("event.get")).result
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    there = {str(row.get("event") or "").upper() for row in found if str(row.get("handler") or "") == address}
    return tuple(event for event in EVENTS if event not in there)
