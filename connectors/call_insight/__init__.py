"""Transcripts and scores of calls that were made elsewhere."""

from connectors.call_insight.parse import parse
from connectors.call_insight.settings import CallInsightSettings
from connectors.doors import Door, Inbound, Refused, same_secret, token_only
from connectors.formfields import bearer_of

__all__ = ["SOURCE", "CallInsightSettings"]


def verify(settings: CallInsightSettings, inbound: Inbound) -> None:
    """The token in the address and the bearer token, each where it is set. Raises Refused."""
    token_only(settings, inbound)
    if settings.bearer is not None and not same_secret(bearer_of(inbound), settings.bearer.get_secret_value()):
        raise Refused("the bearer token is wrong or missing")


SOURCE = Door(
    name="call_insight",
    title="Call analysis",
    settings=CallInsightSettings,
    group="telephony",
    parse=parse,
    verify=verify,
)
