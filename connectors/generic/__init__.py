"""Any sender of JSON or forms: a map of paths says what is what."""

import hmac

from connectors.doors import Door, Inbound, Refused, same_secret, token_only
from connectors.formfields import bearer_of
from connectors.generic.parse import parse
from connectors.generic.settings import GenericSettings

__all__ = ["SOURCE", "GenericSettings"]


def verify(settings: GenericSettings, inbound: Inbound) -> None:
    """The token in the address where it is set, and a key, bearer token or signature where any of them is.

    One of the three is enough, but none that is given may be wrong. A browser's form can send
    none of them: with a token in the address it needs no more. Raises Refused.
    """
    token_only(settings, inbound)
    proofs = [
        right
        for right in (_bearer(settings, inbound), _signature(settings, inbound), _key(settings, inbound))
        if right is not None
    ]
    if not all(proofs):
        raise Refused("the bearer token, signature or key is wrong")
    wanted = settings.bearer or settings.secret or settings.key
    if wanted and not proofs and not (settings.url_token and _is_form(inbound)):
        raise Refused("a bearer token, signature or key is missing")


def _bearer(settings: GenericSettings, inbound: Inbound) -> bool | None:
    """None where it was not asked for or not given."""
    if settings.bearer is None or "authorization" not in inbound.headers:
        return None
    return same_secret(bearer_of(inbound), settings.bearer.get_secret_value())


def _signature(settings: GenericSettings, inbound: Inbound) -> bool | None:
    """`X-Signature: sha256=<hex>`, with or without its first word."""
    given = inbound.headers.get("x-signature", "").strip().lower()
    if settings.secret is None or not given:
        return None
    digest = hmac.digest(settings.secret.get_secret_value().encode(), inbound.body, "sha256").hex()
    return same_secret(given.removeprefix("sha256="), digest)


def _key(settings: GenericSettings, inbound: Inbound) -> bool | None:
    given = inbound.headers.get("x-leadhub-key") or inbound.param("key")
    if settings.key is None or not given:
        return None
    return same_secret(given, settings.key.get_secret_value())


def _is_form(inbound: Inbound) -> bool:
    return inbound.body.lstrip()[:1] not in (b"{", b"[", b'"')


SOURCE = Door(
    name="generic",
    title="Any form or JSON",
    settings=GenericSettings,
    group="form",
    parse=parse,
    verify=verify,
)
