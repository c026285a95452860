"""Who we are to HubSpot: a token from the settings, or an OAuth app that was granted access (fact sheet, section 2)."""

from typing import Any
from urllib.parse import quote, urlencode

from connectors.base import Opening, Rate
from connectors.errors import AuthError, NoRightsError, UnknownOutcomeError
from connectors.http import VendorHttp
from connectors.hubspot.answers import Interpreter, Refusal, is_no_address
from connectors.hubspot.paths import Paths
from connectors.hubspot.settings import HubSpotOAuth, HubSpotSettings
from connectors.limits import Limiter
from connectors.oauth import Bearer, FixedToken, OAuthTokens, token_from_answer

SCOPES = (
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
)
OPTIONAL_SCOPES = (
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
)
"""For our own properties; without them leads still flow."""


def bearer_for(opening: Opening, settings: HubSpotSettings, http: VendorHttp, paths: Paths) -> Bearer:
    if settings.access_token is not None:
        return FixedToken(settings.access_token.get_secret_value())
    if settings.oauth is None:
        raise ValueError("neither access_token nor oauth")
    app = settings.oauth

    async def refresh(old: dict[str, Any]) -> dict[str, Any]:
        grant = {"grant_type": "refresh_token", "refresh_token": str(old["refresh_token"])}
        return await _ask(http, paths, app, grant, opening, old)

    return OAuthTokens(opening.tokens, refresh, opening.clock, name=opening.name)


def authorize_url(settings: HubSpotSettings, state: str) -> str:
    """Where a person grants access; HubSpot sends them back to `redirect_uri` with `code` and `state`."""
    if settings.oauth is None:
        raise ValueError("this connection has no oauth settings")
    query = {
        "client_id": settings.oauth.client_id,
        "redirect_uri": settings.oauth.redirect_uri,
        "scope": " ".join(SCOPES),
        "optional_scope": " ".join(OPTIONAL_SCOPES),
        "state": state,
    }
    return f"{settings.app_url}/oauth/authorize?{urlencode(query, quote_via=quote)}"


async def exchange_code(opening: Opening, code: str, extra: dict[str, str]) -> dict[str, Any]:
    """The code from the redirect -> tokens, stored. AuthError when HubSpot refuses the code."""
    settings = opening.settings
    if not isinstance(settings, HubSpotSettings) or settings.oauth is None:
        raise ValueError("this connection has no oauth settings")
    app = settings.oauth
    http = VendorHttp(
        base_url=settings.base_url,
        clock=opening.clock,
        limiter=Limiter(Rate(calls=1), opening.clock),
        interpret=Interpreter(opening.clock),
        transport=opening.transport,
        user_agent=opening.user_agent,
        secrets=[app.client_secret.get_secret_value()],
    )
    try:
        grant = {"grant_type": "authorization_code", "redirect_uri": app.redirect_uri, "code": code}
        token = await _ask(http, Paths(settings.api_version), app, grant, opening, None)
    finally:
        await http.close()
    async with opening.tokens.exclusively():
        await opening.tokens.save(token)
    return token


async def _ask(
    http: VendorHttp,
    paths: Paths,
    app: HubSpotOAuth,
    grant: dict[str, str],
    opening: Opening,
    old: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything goes into the form body, never into the query. Only a refused grant is an AuthError."""
    form = {**grant, "client_id": app.client_id, "client_secret": app.client_secret.get_secret_value()}
    try:
        try:
            answer = await http.send("token", "POST", paths.token, writes=True, data=form)
        except Refusal as refused:
            if not is_no_address(refused):
                raise
            answer = await http.send("token", "POST", paths.other().token, writes=True, data=form)
    except NoRightsError as error:  # of the application: no lead can go without it
        raise AuthError(error.message, "token", error.status, error.request_id) from error
    except Refusal as error:
        if error.page:
            raise UnknownOutcomeError("a page instead of an answer", "token", error.status) from error
        raise AuthError("HubSpot refused the grant", "token", error.status, error.request_id) from error
    try:
        token = token_from_answer(answer, opening.clock.now(), old)
    except ValueError:
        raise UnknownOutcomeError("no token in the answer", "token", 200) from None
    http.secrets.extend(str(token[name]) for name in ("access_token", "refresh_token") if token.get(name))
    return token
