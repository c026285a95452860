"""The authorization server of the Bitrix24 sandbox: codes of 30 seconds, refresh tokens that work once."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from connectors.sandbox.bitrix24_saving import Refused
from leads.clock import Clock

CODE_S = 30.0
MEMBER_ID = "a223c6b3710f85df22e9377d6c4f7553"


@dataclass(slots=True)
class AuthorityState:
    """`access` is token -> unix second of its end; `refresh` the tokens not yet used; `codes` code -> end."""

    access: dict[str, float] = field(default_factory=dict)
    refresh: list[str] = field(default_factory=list)
    codes: dict[str, float] = field(default_factory=dict)
    made: int = 0


class Authority:
    """`redirect_uri` is what the application's card says."""

    def __init__(self, clock: Clock, client_id: str, client_secret: str, access_ttl_s: float, user_id: int) -> None:
        self.clock = clock
        self.client_id = client_id
        self.client_secret = client_secret
        self.access_ttl_s = access_ttl_s
        self.user_id = user_id
        self.redirect_uri = "http://127.0.0.1/oauth/callback"
        self.state = AuthorityState()
        self.refreshes = 0

    def code(self) -> str:
        """A code as the consent page hands it out."""
        self.state.made += 1
        code = f"code{self.state.made:06d}"
        self.state.codes[code] = self._now() + CODE_S
        return code

    def pair(self) -> tuple[str, str]:
        """A new (access token, refresh token)."""
        self.state.made += 1
        access, refresh = f"access{self.state.made:06d}", f"refresh{self.state.made:06d}"
        self.state.access[access] = self._now() + self.access_ttl_s
        self.state.refresh.append(refresh)
        return access, refresh

    def expire(self) -> None:
        """All access tokens have run out."""
        self.state.access = dict.fromkeys(self.state.access, 0.0)

    def revoke(self) -> None:
        """The application was uninstalled."""
        self.state = AuthorityState(made=self.state.made)

    def check(self, token: str) -> None:
        if not token:
            raise Refused(401, "NO_AUTH_FOUND", "Wrong authorization data")
        ends = self.state.access.get(token)
        if ends is None:
            raise Refused(401, "invalid_token", "Unable to get application by token")
        if ends <= self._now():
            raise Refused(401, "expired_token", "The access token provided has expired.")

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        if request.path.rstrip("/") == "/oauth/authorize":
            if request.param("client_id") != self.client_id:
                return SandboxResponse(
                    404, b"<html><body>Application not found</body></html>", content_type="text/html"
                )
            answer = {
                "code": self.code(),
                "state": request.param("state"),
                "domain": request.headers.get("host", ""),
                "member_id": MEMBER_ID,
                "scope": "crm,user",
                "server_domain": request.headers.get("host", ""),
            }
            return SandboxResponse(302, b"", {"location": f"{self.redirect_uri}?{urlencode(answer)}"}, "text/html")
        if request.path.rstrip("/") == "/oauth/token":
            return self._token(request)
        return SandboxResponse(404, b"<html><body>404</body></html>", content_type="text/html")

    def restore(self, state: dict[str, Any]) -> None:
        self.state = AuthorityState(**state)

    def _token(self, request: SandboxRequest) -> SandboxResponse:
        if request.param("client_id") != self.client_id or request.param("client_secret") != self.client_secret:
            return _refused("invalid_client", "Wrong client credentials")
        match request.param("grant_type"):
            case "authorization_code":
                if self.state.codes.pop(request.param("code"), 0.0) <= self._now():
                    return _refused("invalid_grant", "Wrong or expired authorization code")
            case "refresh_token":
                used = request.param("refresh_token")
                if used not in self.state.refresh:
                    return _refused("invalid_grant", "Wrong refresh token")
                self.state.refresh.remove(used)
                self.refreshes += 1
            case _:
                return _refused("invalid_request", "Unknown grant type")
        access, refresh = self.pair()
        host = request.headers.get("host", "")
        return SandboxResponse(
            200,
            {
                "access_token": access,
                "refresh_token": refresh,
                "expires_in": int(self.access_ttl_s),
                "expires": int(self._now() + self.access_ttl_s),
                "client_endpoint": f"https://{host}/rest/",
                "server_endpoint": f"https://{host}/rest/",
                "domain": host,
                "member_id": MEMBER_ID,
                "scope": "crm,user",
                "status": "L",
                "user_id": self.user_id,
            },
        )

    def _now(self) -> float:
        return self.clock.now().timestamp()


def _refused(code: str, text: str) -> SandboxResponse:
    return SandboxResponse(400, {"error": code, "error_description": text})
