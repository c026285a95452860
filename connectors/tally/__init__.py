"""Tally: answers by its webhook, signed if a secret is set there."""

from connectors.doors import Door, Inbound, check_token
from connectors.formfields import check_hmac
from connectors.tally.parse import parse
from connectors.tally.settings import TallySettings

__all__ = ["SOURCE", "TallySettings"]


def verify(settings: TallySettings, inbound: Inbound) -> None:
    """Token and signature, each where it is set. Raises Refused."""
    check_token(settings, inbound)
    if settings.secret is not None:
        check_hmac(settings.secret, inbound.body, inbound.headers.get("tally-signature", ""))


SOURCE = Door(name="tally", title="Tally", settings=TallySettings, group="form", parse=parse, verify=verify)
