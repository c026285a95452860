"""Tilda: forms and shop orders by its webhook."""

from collections.abc import Sequence

from connectors.doors import Door, Inbound, Parsed, Receipt, Refused, Reply, same_secret, token_only
from connectors.formfields import bearer_of, body_of
from connectors.tilda.parse import is_ping, parse
from connectors.tilda.settings import TildaSettings

__all__ = ["SOURCE", "TildaSettings"]


def verify(settings: TildaSettings, inbound: Inbound) -> None:
    """The token in the address, and the API key in the field or header of the configured name.

    Marketplace integrations may send the key as a Bearer token; the test ping needs none. Raises
    Refused, or UnreadableBody, since the key may stand in the body.
    """
    token_only(settings, inbound)
    body = body_of(inbound) if settings.api_key is not None else None
    if settings.api_key is None or body is None or is_ping(settings, body):
        return
    name = settings.api_key_name.casefold()
    given = [value for path, value in body.pairs if path.casefold() == name]
    given += [inbound.headers.get(name, ""), inbound.headers.get(name.replace("_", "-"), ""), bearer_of(inbound)]
    if not any(same_secret(value, settings.api_key.get_secret_value()) for value in given):
        raise Refused("the API key is wrong or missing")


def reply(settings: TildaSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """`ok`, which Tilda wants within 5 s, also for its test."""
    return Reply(200, b"ok", "text/plain")


SOURCE = Door(
    name="tilda",
    title="Tilda",
    settings=TildaSettings,
    group="form",
    parse=parse,
    verify=verify,
    reply=reply,
)
