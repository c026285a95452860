"""A webhook of Tilda -> a lead. The API key may be a field of the body, so it is checked here."""

from connectors.bodies import Body, Pairs
from connectors.doors import Inbound, Parsed, Refused, same_secret
from connectors.formfields import bearer_of, body_of, lead_of, plain_values
from connectors.tilda.order import order_of
from connectors.tilda.settings import TildaSettings

_TEST = [("test", "test")]


def parse(settings: TildaSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody, or Refused for a wrong or missing API key; the test ping needs none."""
    body = body_of(inbound)
    if body is None:
        return Parsed()
    key_name = settings.api_key_name.casefold()
    pairs = [(path, value) for path, value in body.pairs if path.casefold() != key_name]
    if pairs == _TEST:
        return Parsed()
    _check_key(settings, inbound, body)
    fields, order = order_of(pairs)
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


def _check_key(settings: TildaSettings, inbound: Inbound, body: Body) -> None:
    """In the field or header of the configured name; marketplace integrations may send it as a Bearer token."""
    if settings.api_key is None:
        return
    expected, name = settings.api_key.get_secret_value(), settings.api_key_name.casefold()
    given = [value for path, value in body.pairs if path.casefold() == name]
    given += [inbound.headers.get(name, ""), inbound.headers.get(name.replace("_", "-"), ""), bearer_of(inbound)]
    if not any(same_secret(value, expected) for value in given):
        raise Refused("the API key is wrong or missing")


def _named(pairs: Pairs) -> Pairs:
    """The form's name before its id, which is then of no use to a reader."""
    has_name = any(path.casefold() == "formname" and value.strip() for path, value in pairs)
    return [(path, value) for path, value in pairs if not (has_name and path.casefold() == "formid")]
