"""Signing in to a CRM by OAuth: the link, what comes back, the tokens kept encrypted."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from authlib.common.security import generate_token

from connectors.doors import same_secret
from jobs.config.loading import Settings
from jobs.opening import only_told_to_wait, opened, opening_of, patiently
from jobs.refusals import Refusal
from leads.clock import Clock
from leads.sealed import CannotUnseal
from store.db import Database


class CannotSignIn(Refusal):
    """Says for people why not; nothing was stored."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`account`: what the vendor calls it, "" if it does not say. `until`: end of the access token, if known."""

    account: str
    until: datetime | None
    renewable: bool


def begin(settings: Settings, name: str) -> tuple[str, str]:
    """(link for a person, state to compare afterwards). Raises CannotSignIn for a connection without OAuth."""
    configured = settings.connections[name]
    if getattr(configured.settings, "oauth", None) is None:
        raise CannotSignIn(
            f'"{name}" uses a fixed token or webhook from the configuration: there is nothing to sign in to',
            f"«{name}» работает с постоянным токеном или вебхуком из конфигурации: входить не во что",
        )
    state = generate_token(32)
    return str(_flow(configured.type).authorize_url(configured.settings, state)), state


def read_answer(text: str, state: str = "") -> tuple[str, dict[str, str]]:
    """A code, or the whole address to which the vendor sent the person -> (code, the other parameters).

    With `state`, an address must bear the same. Raises CannotSignIn.
    """
    text = text.strip().strip("'\"")
    if "code=" not in text and "error=" not in text:
        if not text or "://" in text or any(char.isspace() for char in text):
            raise CannotSignIn(
                "there is no code in it: paste the whole address of the page that opened, or its code",
                "кода в этом нет: вставьте весь адрес открывшейся страницы или код из него",
            )
        return text, {}
    query = urlsplit(text).query if "://" in text or "?" in text else text
    params = dict(parse_qsl(query))
    if params.get("error"):
        why = params.get("error_description") or params["error"]
        raise CannotSignIn(f"it was refused: {why}", f"CRM отказала: {why}")
    if state and "state" in params and not same_secret(params["state"], state):
        raise CannotSignIn(
            "the answer belongs to another link: open the newest one and paste what came of it",
            "это ответ на другую ссылку: откройте последнюю и вставьте адрес, который получится",
        )
    code = params.pop("code", "")
    if not code:
        raise CannotSignIn("there is no code in the address", "в адресе нет кода")
    return code, params


async def finish(
    settings: Settings,
    name: str,
    db: Database,
    clock: Clock,
    code: str,
    extra: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None = None,
) -> SignedIn:
    """Exchanges the code, stores the tokens and tries them. Raises ConnectorError, StoreUnavailable."""
    configured = settings.connections[name]
    opening = opening_of(settings, name, db, clock, transport=transport)
    flow = _flow(configured.type)

    async def exchanged() -> dict[str, Any]:
        token: dict[str, Any] = await flow.exchange_code(opening, code, dict(extra))
        return token

    token = await patiently(exchanged, clock, may_pass=only_told_to_wait)
    try:
        stored = await opening.tokens.load()
    except CannotUnseal:  # its key is lost, which may be why somebody signs in
        stored = None
    if stored is None or stored.get("access_token") != token["access_token"]:
        async with opening.tokens.exclusively():
            await opening.tokens.save(token)
    async with opened(configured.type, opening) as target:
        await patiently(target.ping, clock)
    until = token.get("expires_at")
    return SignedIn(
        account=str(
            token.get("domain") or extra.get("referer") or token.get("hub_domain") or token.get("hub_id") or ""
        ),
        until=datetime.fromtimestamp(float(until), UTC) if until else None,
        renewable=bool(token.get("refresh_token")),
    )


def _flow(kind: str) -> Any:
    """The connector's own two functions: authorize_url(settings, state), exchange_code(opening, code, extra)."""
    flow = importlib.import_module(f"connectors.{kind}")
    if not hasattr(flow, "authorize_url"):
        raise CannotSignIn(f"{kind} has no sign-in by OAuth", f"у {kind} нет входа по OAuth")
    return flow
