"""What config.yaml may say about a sender that has no door of its own."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from connectors.bodies import plain_path
from connectors.doors import Rate
from connectors.webform.fields import OURS
from connectors.webform.settings import WebformSettings


def _paths(fields: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(fields) - set(OURS))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r} on the left side; allowed: {', '.join(OURS)}")
    paths = {ours: plain_path(path.removeprefix("$").removeprefix(".")) for ours, path in fields.items()}
    empty = sorted(ours for ours, path in paths.items() if not path)
    if empty:
        raise ValueError(f"{empty[0]}: expected a path such as contacts.phone or answers[0].a")
    return paths


class GenericSettings(WebformSettings):
    """A source of type `generic`: as a web form, but for servers, and mapped the other way round."""

    signed_with = ("secret",)
    keyed_with = ("bearer", "key")
    open_is_usual = False

    bearer: SecretStr | None = Field(None, description="secret that senders give as Authorization: Bearer")
    secret: SecretStr | None = Field(
        None, description="signing secret: X-Signature is sha256= and the hex HMAC-SHA256 of the raw body"
    )
    key: SecretStr | None = Field(None, description="secret that senders give as X-Leadhub-Key header or ?key=")
    rate_limit: Rate = Field(None, description="requests from one address, e.g. 60/m; off: no limit")
    fields: Annotated[dict[str, str], AfterValidator(_paths)] = Field(
        default_factory=dict, description="our field -> path in what they send, e.g. phone: contacts.phone"
    )
