"""Tokens of the sandbox account: the fixed one, and those got by OAuth, which run out."""

from connectors.sandbox.base import SandboxResponse
from connectors.sandbox.hubspot_account import PORTAL_ID
from connectors.sandbox.hubspot_errors import unauthorised
from leads.clock import Clock


class Tokens:
    def __init__(
        self, clock: Clock, *, fixed: str, client_id: str, client_secret: str, code: str, life_s: float
    ) -> None:
        self._clock = clock
        self.fixed = fixed
        self.client_id, self.client_secret, self.code = client_id, client_secret, code
        self.life_s = life_s
        self.access: dict[str, float] = {}
        """Token got by OAuth -> when it runs out (monotonic seconds)."""
        self.refresh: set[str] = set()
        self.issued = 0

    def check(self, header: str) -> None:
        """Raises the 401 for an `Authorization` header that is not good."""
        token = header.removeprefix("Bearer ").strip()
        if not header.startswith("Bearer ") or not token:
            raise unauthorised()
        if token == self.fixed:
            return
        until = self.access.get(token)
        if until is None:
            raise unauthorised()
        if self._clock.monotonic() >= until:
            raise unauthorised("EXPIRED_AUTHENTICATION")

    def grant(self, form: dict[str, str]) -> SandboxResponse:
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _no_grant("invalid_client", "BAD_CLIENT_ID", "the client is unknown")
        match form.get("grant_type"):
            case "authorization_code" if self.code and form.get("code") == self.code:
                refresh = f"sandbox-refresh-{len(self.refresh) + 1}"
                self.refresh.add(refresh)
            case "refresh_token" if form.get("refresh_token") in self.refresh:
                refresh = form["refresh_token"]
            case "authorization_code":
                return _no_grant("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
            case _:
                return _no_grant("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        self.issued += 1
        access = f"sandbox-access-{self.issued}"
        self.access[access] = self._clock.monotonic() + self.life_s
        answer = {"access_token": access, "refresh_token": refresh, "expires_in": int(self.life_s)}
        return SandboxResponse(200, answer | {"token_type": "bearer", "token_use": "access_token", "hub_id": PORTAL_ID})

    def expire(self) -> None:
        """All access tokens got by OAuth run out now."""
        self.access = dict.fromkeys(self.access, self._clock.monotonic())


def _no_grant(error: str, status: str, text: str) -> SandboxResponse:
    return SandboxResponse(400, {"error": error, "error_description": text, "status": status, "message": text})
