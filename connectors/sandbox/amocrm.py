"""An amoCRM account in memory: API v4 over `handle`, with its limits, its block and its single-use tokens."""

import base64
import json
from collections import deque
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode

from connectors.sandbox import amocrm_data as data
from connectors.sandbox.amocrm_account import CALLS, values_text
from connectors.sandbox.amocrm_data import Record
from connectors.sandbox.amocrm_routes import RefusedRequest, Routes, problem
from connectors.sandbox.base import GATEWAY, OwnFault, SandboxRequest, SandboxResponse, Table
from connectors.sandbox.posts import Post
from leads.clock import Clock

ACCESS_LIFE_S = 86400.0
CODE_LIFE_S = 1200
SHOWN_ROWS = 50


class AmocrmSandbox(Routes):
    """`deals`, `contacts`, `companies`, `notes`, `tasks` are id -> record as the vendor shows it, links included.

    `calls` are those of the notes that log a call.

    `rate` is (calls, seconds) or None; `blocked` is the block against floods; `retry_after_s`
    goes into a 429, None leaves it out.
    """

    name = "amocrm"

    def __init__(
        self,
        clock: Clock,
        *,
        token: str = "sandbox",  # noqa: S107 - a sandbox has no secrets
        rate: tuple[int, float] | None = (7, 1.0),
        search_lag_s: float = 0.0,
        filters: bool = False,
        admin: bool = True,
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107 - nothing secret is behind it
        redirect_uri: str = "http://127.0.0.1:8080/oauth",
        access_life_s: float = ACCESS_LIFE_S,
        host: str = "sandbox.amocrm.ru",
    ) -> None:
        super().__init__(clock, search_lag_s=search_lag_s, filters=filters, admin=admin, host=host)
        self.token = token
        self.rate = rate
        self.client_id, self.client_secret, self.redirect_uri = client_id, client_secret, redirect_uri
        self.access_life_s = access_life_s
        self.blocked = False
        self.paid = True
        self.retry_after_s: float | None = 1
        self.codes: dict[str, float] = {}
        self.refreshes = 0
        self._window: deque[float] = deque()

    @property
    def posts(self) -> deque[Post]:
        """Webhooks that are still to be sent."""
        return self.subscriptions.posts

    @property
    def calls(self) -> dict[str, Record]:
        return {key: row for key, row in self.notes.items() if row["note_type"] in CALLS}

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        if self.blocked:
            return SandboxResponse(403, GATEWAY.replace(b"502 Bad Gateway", b"403 Forbidden"), content_type="text/html")
        if self._too_fast():
            return self.fault_answer("429")
        try:
            if request.path == "/oauth2/access_token" and request.method == "POST":
                return self._token_endpoint(request)
            if request.path == "/oauth":
                return self._consent(request)
            if not request.path.startswith("/api/v4/"):
                return self._problem(404)
            if not self._authorised(request):
                return self.fault_answer("401")
            if not self.paid:
                return self._problem(402, "Payment Required")
            return self._route(request, request.path.removeprefix("/api/v4/").rstrip("/").split("/"))
        except RefusedRequest as refused:
            return refused.response

    def fault_answer(self, kind: OwnFault) -> SandboxResponse:
        if kind == "500":
            body = {"title": "ErrInternalServer", "status": 500, "trace_id": "5f1c2d"}
            return SandboxResponse(500, body, content_type="application/problem+json")
        if kind == "503":
            page = GATEWAY.replace(b"502 Bad Gateway", b"503 Service Temporarily Unavailable")
            return SandboxResponse(503, page, content_type="text/html")
        if kind == "429":
            more = {"retry_after": self.retry_after_s} if self.retry_after_s is not None else {}
            return self._problem(429, "Too many requests", **more)
        if kind == "403":
            return self._problem(403, "Forbidden")
        return self._problem(401, "Неверный логин или пароль")

    def tables(self) -> list[Table]:
        return [
            Table(
                "Сделки",
                ("id", "название", "контакт", "этап", "ответственный", "теги"),
                [_deal_row(row) for row in _last(self.deals)],
            ),
            Table(
                "Контакты",
                ("id", "имя", "телефоны", "почта"),
                [
                    (str(row["id"]), row["name"], values_text(row, "PHONE"), values_text(row, "EMAIL"))
                    for row in _last(self.contacts)
                ],
            ),
            Table(
                "Примечания",
                ("id", "сделка", "текст"),
                [
                    (str(row["id"]), str(row["entity_id"]), str(row["params"].get("text", "")))
                    for row in _last({key: row for key, row in self.notes.items() if row["note_type"] not in CALLS})
                ],
            ),
            Table(
                "Звонки",
                ("id", "сделка", "направление", "телефон", "секунд", "итог"),
                [_call_row(row) for row in _last(self.calls)],
            ),
            Table(
                "Задачи",
                ("id", "сделка", "текст", "до"),
                [
                    (str(row["id"]), str(row["entity_id"]), row["text"], str(row["complete_till"]))
                    for row in _last(self.tasks)
                ],
            ),
        ]

    # --- tokens --------------------------------------------------------------------------------

    def issue_tokens(self) -> Record:
        """A token pair as the token endpoint gives it."""
        now = self.clock.now().timestamp()
        serial = self.clock.random_bits(64)
        claims = {
            "exp": int(now + self.access_life_s),
            "iat": int(now),
            "account_id": data.ACCOUNT_ID,
            "api_domain": "api-b.amocrm.ru",
            "sub": str(data.USERS[0][0]),
            "jti": f"{serial:016x}",
        }
        head = {"typ": "JWT", "alg": "HS256"}
        access = ".".join([_b64(json.dumps(head).encode()), _b64(json.dumps(claims).encode()), _b64(b"sandbox")])
        refresh = f"def502{serial:016x}"
        self.access_tokens[access] = now + self.access_life_s
        self.refresh_tokens.add(refresh)
        return {
            "token_type": "Bearer",
            "expires_in": int(self.access_life_s),
            "server_time": int(now),
            "access_token": access,
            "refresh_token": refresh,
        }

    def issue_code(self) -> str:
        code = f"code{self.clock.random_bits(64):016x}"
        self.codes[code] = self.clock.now().timestamp() + CODE_LIFE_S
        return code

    def _token_endpoint(self, request: SandboxRequest) -> SandboxResponse:
        try:
            asked = request.json()
        except ValueError:
            asked = dict(request.form())
        if asked.get("client_id") != self.client_id:
            return self._oauth_problem(400, "Check the `client_id` parameter")
        if asked.get("client_secret") != self.client_secret:
            return self._oauth_problem(400, "Check the `client_secret` parameter")
        if asked.get("redirect_uri") != self.redirect_uri:
            return self._oauth_problem(400, "Redirect URI is not associated with client")
        if asked.get("grant_type") == "authorization_code":
            until = self.codes.pop(asked.get("code", ""), None)
            if until is None:
                return self._oauth_problem(400, "Authorization code has been revoked")
            if until <= self.clock.now().timestamp():
                return self._oauth_problem(400, "Authorization code has expired")
            return SandboxResponse(200, self.issue_tokens())
        if asked.get("grant_type") == "refresh_token":
            if asked.get("refresh_token") not in self.refresh_tokens:
                return self._oauth_problem(401, "Token has been revoked")
            self.refresh_tokens.discard(asked["refresh_token"])
            self.refreshes += 1
            return SandboxResponse(200, self.issue_tokens())
        return self._oauth_problem(400, "Check the `grant_type` parameter")

    def _oauth_problem(self, status: int, hint: str) -> SandboxResponse:
        body = {
            "hint": hint,
            "title": "Некорректный запрос",
            "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
            "status": status,
            "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
        }
        return problem(status, body)

    def _consent(self, request: SandboxRequest) -> SandboxResponse:
        """The sandbox's owner always consents."""
        query = {"code": self.issue_code(), "state": request.param("state"), "referer": request.headers.get("host", "")}
        return SandboxResponse(302, None, {"location": f"{self.redirect_uri}?{urlencode(query)}"})

    def _authorised(self, request: SandboxRequest) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        return token == self.token or self.access_tokens.get(token, 0) > self.clock.now().timestamp()

    def _too_fast(self) -> bool:
        if self.rate is None:
            return False
        calls, per_s = self.rate
        now = self.clock.monotonic()
        while self._window and self._window[0] <= now - per_s:
            self._window.popleft()
        if len(self._window) >= calls:
            return True
        self._window.append(now)
        return False


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _last(rows: dict[str, Record]) -> Iterator[Record]:
    return islice(reversed(rows.values()), SHOWN_ROWS)


def _call_row(row: Record) -> tuple[str, ...]:
    params = row["params"]
    way = "входящий" if row["note_type"] == "call_in" else "исходящий"
    told = str(params.get("call_result") or params.get("call_status") or "")
    return (str(row["id"]), str(row["entity_id"]), way, params["phone"], str(params["duration"]), told)


def _deal_row(row: Record) -> tuple[str, ...]:
    contacts = ", ".join(str(link["id"]) for link in row["_embedded"]["contacts"])
    tags = ", ".join(tag["name"] for tag in row["_embedded"]["tags"])
    return (str(row["id"]), row["name"], contacts, str(row["status_id"]), str(row["responsible_user_id"]), tags)
