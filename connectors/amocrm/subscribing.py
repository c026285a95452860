"""Asking amoCRM to send its webhooks to the hub (docs, "Вебхуки"): an administrator's token, by address."""

from typing import Final

from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.records import rows_of
from connectors.webhooks import Subscribed

EVENTS: Final = (
    *(f"{action}_{object}" for object in ("lead", "contact", "company") for action in ("add", "update", "delete")),
    *(f"{action}_{object}" for object in ("lead", "contact", "company") for action in ("restore", "responsible")),
    "status_lead",
)
PATH: Final = "/api/v4/webhooks"


async def subscribe(api: AmocrmApi, address: str, *, make: bool) -> Subscribed:
    missing = await _missing(api, address)
    if missing and make:
        body = {"destination": address, "settings": list(EVENTS), "sort": 10}
        await api.post("register webhook", PATH, body)  # the same address again changes what is there
        missing = await _missing(api, address)
    return Subscribed(address, missing)


async def _missing(api: AmocrmApi, address: str) -> tuple[str, ...]:
    """All of them where the webhook is switched off: the vendor does so after too many bad answers."""
    answer = await api.get("list webhooks", PATH, [("filter[destination]", address)])
    there: set[str] = set()
    for row in rows_of(answer, "webhooks") or []:
        if row.get("destination") == address and not row.get("disabled"):
            there |= {str(event) for event in row.get("settings") or ()}
    return tuple(event for event in EVENTS if event not in there)
