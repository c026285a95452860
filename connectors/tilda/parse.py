"""A webhook of Tilda -> a lead."""

from connectors.bodies import Body, Pairs
from connectors.doors import Inbound, Parsed
from connectors.formfields import body_of, lead_of, plain_values
from connectors.tilda.order import order_of
from connectors.tilda.settings import TildaSettings

_TEST = [("test", "test")]


def parse(settings: TildaSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. The test ping makes nothing."""
    body = body_of(inbound)
    if body is None or is_ping(settings, body):
        return Parsed()
    fields, order = order_of(without_key(settings, body))
    lead = lead_of(
        settings,
        inbound,
        region,
        plain_values(_named(fields)),
        own_names=settings.fields,
        extra=order,
        flags=("charset_guessed",) if body.charset_guessed else (),
    )
    return Parsed((lead,))


def without_key(settings: TildaSettings, body: Body) -> Pairs:
    name = settings.api_key_name.casefold()
    return [(path, value) for path, value in body.pairs if path.casefold() != name]


def is_ping(settings: TildaSettings, body: Body) -> bool:
    """What Tilda sends when the webhook is saved."""
    return without_key(settings, body) == _TEST


def _named(pairs: Pairs) -> Pairs:
    """The form's name before its id, which is then of no use to a reader."""
    has_name = any(path.casefold() == "formname" and value.strip() for path, value in pairs)
    return [(path, value) for path, value in pairs if not (has_name and path.casefold() == "formid")]
