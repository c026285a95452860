"""Web forms of any site, leadhub.js and plain JSON senders."""

import json
from collections.abc import Sequence

from connectors.doors import Door, Inbound, Parsed, Receipt, Refused, Reply, same_secret, token_only
from connectors.webform.parse import parse
from connectors.webform.settings import WebformSettings

__all__ = ["SOURCE", "WebformSettings"]


def verify(settings: WebformSettings, inbound: Inbound) -> None:
    """The token in the address and the key, each where it is set. Raises Refused."""
    token_only(settings, inbound)
    if settings.key is None:
        return
    given = inbound.headers.get("x-leadhub-key") or inbound.param("key") or _bearer(inbound)
    if not same_secret(given, settings.key.get_secret_value()):
        raise Refused("the key is wrong or missing")


def reply(settings: WebformSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """202 with the lead's id, or of a repeat the first one's; a plain form may be sent on to a page."""
    if parsed.reply is not None or not receipts:
        return parsed.reply or Reply()
    first = receipts[0]
    answer: dict[str, object] = {"lead_id": first.lead_id, "status": "duplicate" if first.duplicate else "accepted"}
    if len(receipts) > 1:
        answer["leads"] = [
            {"lead_id": lead_id, "status": "duplicate" if duplicate else "accepted"} for lead_id, duplicate in receipts
        ]
    return Reply(202, json.dumps(answer).encode())


def _bearer(inbound: Inbound) -> str:
    scheme, _, token = inbound.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


SOURCE = Door(
    name="webform",
    title="Web form",
    settings=WebformSettings,
    group="form",
    parse=parse,
    verify=verify,
    reply=reply,
)
