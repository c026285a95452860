"""A Bitrix24 portal of our own: REST "v2" by webhook or OAuth, with its limits, batches and oddities."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from connectors.base import Rate
from connectors.sandbox.base import OwnFault, SandboxRequest, SandboxResponse, Table
from connectors.sandbox.bitrix24_crm import Crm
from connectors.sandbox.bitrix24_events import METHODS as EVENT_METHODS
from connectors.sandbox.bitrix24_oauth import Authority
from connectors.sandbox.bitrix24_page import tables
from connectors.sandbox.bitrix24_php import parse_pairs, parse_query, php_map, substituted
from connectors.sandbox.bitrix24_saving import Refused
from connectors.sandbox.posts import Post
from leads.clock import Clock

RATE = Rate(calls=50, leak_per_s=2.0)
BATCH = 50
BASKETS = 10
APP_ONLY = ("telephony.externalcall.register", "telephony.externalcall.finish", "telephony.externalcall.attachrecord")
"""Methods for applications: a webhook is refused."""
PAGE = b"<html><body>404 Not Found</body></html>"
PORTAL_ZONE = timezone(timedelta(hours=3))


class Bitrix24Sandbox:
    """One portal. `deals`, `leads`, `contacts`, `companies`, `comments`, `activities`: id -> record as shown.
    `phone_calls` are the finished ones, CALL_ID -> row of the statistics.

    `simple`: without leads (mode 2), else classic (mode 1). `rate` None: no limit. `operating_limit_s`: seconds
    that a method may work in ten minutes, each call costing `call_cost_s`; None: no limit. `moved_to`: the
    address that the portal has moved to; every call is answered with 302. `without`: methods that an old box
    or a narrow scope does not have, in lower case; `missing_as_page`: its web server says so. `telephony`: whether
    tokens have that scope. `crm` holds the rest, `crm.robots_fail` among it.
    """

    name = "bitrix24"

    def __init__(
        self,
        clock: Clock,
        *,
        token: str = "sandbox",  # noqa: S107  # of a sandbox
        user_id: int = 1,
        simple: bool = True,
        rate: Rate | None = RATE,
        operating_limit_s: float | None = 480.0,
        call_cost_s: float = 0.01,
        client_id: str = "local.sandbox",
        client_secret: str = "sandbox-secret",  # noqa: S107  # nothing secret is behind it
        access_ttl_s: float = 3600.0,
    ) -> None:
        self.clock = clock
        self.token = token
        self.user_id = user_id
        self.rate = rate
        self.operating_limit_s = operating_limit_s
        self.call_cost_s = call_cost_s
        self.moved_to = ""
        self.without: set[str] = set()
        self.missing_as_page = False
        self.telephony = True
        self.crm = Crm(clock, simple=simple, caller=str(user_id), zone=PORTAL_ZONE)
        self.authority = Authority(clock, client_id, client_secret, access_ttl_s, user_id)
        self.calls: dict[str, int] = {}
        self._level = 0.0
        self._level_at = clock.monotonic()
        self._operating: dict[str, dict[int, float]] = {}

    @property
    def posts(self) -> deque[Post]:
        """Events that are still to be sent."""
        return self.crm.events.posts

    # --- state for tests ------------------------------------------------------------------------

    @property
    def leads(self) -> dict[str, dict[str, Any]]:
        return self.crm.boxes["lead"].records

    @property
    def deals(self) -> dict[str, dict[str, Any]]:
        return self.crm.boxes["deal"].records

    @property
    def contacts(self) -> dict[str, dict[str, Any]]:
        return self.crm.boxes["contact"].records

    @property
    def companies(self) -> dict[str, dict[str, Any]]:
        return self.crm.boxes["company"].records

    @property
    def comments(self) -> dict[str, dict[str, Any]]:
        return self.crm.timeline.comments

    @property
    def activities(self) -> dict[str, dict[str, Any]]:
        return self.crm.timeline.activities

    @property
    def phone_calls(self) -> dict[str, dict[str, Any]]:
        return self.crm.calls.state.finished

    @property
    def users(self) -> dict[str, dict[str, Any]]:
        return self.crm.users

    # --- requests -------------------------------------------------------------------------------

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        if request.path.startswith("/oauth/"):
            return self.authority.handle(request)
        if self.moved_to:
            return SandboxResponse(302, b"", {"location": f"{self.moved_to}{request.path}"}, "text/html")
        if not request.path.startswith("/rest/"):
            return SandboxResponse(404, PAGE, content_type="text/html")
        if not self._admit():
            return _error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
        try:
            params = _params(request)
            method = self._authorized(request, params)
            result, following, total = self._run(method, params, webhook=_by_webhook(request))
        except Refused as refused:
            if self.missing_as_page and refused.code == "ERROR_METHOD_NOT_FOUND":
                return SandboxResponse(404, PAGE, content_type="text/html")
            return _error(refused.status, refused.code, refused.text)
        body: dict[str, Any] = {"result": result}
        if following is not None:
            body["next"] = following
        if total is not None:
            body["total"] = total
        return SandboxResponse(200, {**body, "time": self._time(method)})

    def fault_answer(self, kind: OwnFault) -> SandboxResponse:
        match kind:
            case "500":
                return _error(500, "INTERNAL_SERVER_ERROR", "Internal server error")
            case "429":
                return _error(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
            case "503":
                return _error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
            case "401":
                return _error(401, "expired_token", "The access token provided has expired.")
            case "403":
                return _error(403, "insufficient_scope", "The request requires higher privileges than provided")

    def _admit(self) -> bool:
        """The leaky bucket: a refused request adds nothing."""
        if self.rate is None:
            return True
        now = self.clock.monotonic()
        leak = self.rate.leak_per_s or self.rate.calls / self.rate.per_s
        self._level = max(0.0, self._level - (now - self._level_at) * leak)
        self._level_at = now
        if self._level + 1 > self.rate.calls:
            return False
        self._level += 1
        return True

    def _authorized(self, request: SandboxRequest, params: dict[str, Any]) -> str:
        """The method that is asked for; raises when the caller may not."""
        parts = [part for part in request.path.removeprefix("/rest/").split("/") if part]
        if len(parts) == 3:
            if parts[0] != str(self.user_id) or parts[1] != self.token:
                raise Refused(401, "INVALID_CREDENTIALS", "Invalid request credentials")
        elif len(parts) == 1:
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            self.authority.check(str(params.pop("auth", "") or bearer))
        else:
            raise Refused(401, "NO_AUTH_FOUND", "Wrong authorization data")
        return parts[-1].removesuffix(".json").lower()

    # --- methods --------------------------------------------------------------------------------

    def _run(self, method: str, params: dict[str, Any], *, webhook: bool) -> tuple[Any, int | None, int | None]:
        """(result, next, total)"""
        if method == "batch":
            return self._batch(params, webhook=webhook), None, None
        handler: Callable[[dict[str, Any]], Any] | None = self.crm.methods.get(method)
        if handler is None or method in self.without:
            raise Refused(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        self._scoped(method, webhook=webhook)
        self._spend(method)
        self.calls[method] = self.calls.get(method, 0) + 1
        answer = handler(params)
        if isinstance(answer, tuple):
            rows, following, total = answer
            return rows, following, total
        return answer, None, None

    def _scoped(self, method: str, *, webhook: bool) -> None:
        if method.startswith(("telephony.", "voximplant.")) and not self.telephony:
            raise Refused(403, "insufficient_scope", "The request requires higher privileges than provided")
        if method in (*APP_ONLY, *EVENT_METHODS) and webhook:
            raise Refused(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")

    def _batch(self, params: dict[str, Any], *, webhook: bool) -> dict[str, Any]:
        if "batch" in self.without:
            raise Refused(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        given = params.get("cmd")
        commands = given if isinstance(given, dict) else dict(enumerate(given)) if isinstance(given, list) else {}
        halt = str(params.get("halt", 0)) in ("1", "true", "True")
        done: dict[str, Any] = {}
        refused: dict[str, Any] = {}
        following: dict[str, Any] = {}
        totals: dict[str, Any] = {}
        times: dict[str, Any] = {}
        for number, (key, command) in enumerate((str(key), value) for key, value in commands.items()):
            if not isinstance(command, str):
                continue  # skipped in silence
            try:
                if number >= BATCH:
                    raise Refused(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
                method, _, query = command.partition("?")
                method = method.strip("/").removesuffix(".json").lower()
                if method == "batch":
                    raise Refused(400, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
                earlier = {"result": done, "error": refused, "total": totals, "next": following, "time": times}
                result, after, total = self._run(method, substituted(parse_query(query), earlier), webhook=webhook)
            except Refused as error:
                refused[key] = {"error": error.code, "error_description": error.text}
                if halt:
                    break
                continue
            done[key] = result
            times[key] = self._time(method)
            if after is not None:
                following[key] = after
            if total is not None:
                totals[key] = total
        return {
            "result": php_map(done),
            "result_error": php_map(refused),
            "result_total": php_map(totals),
            "result_next": php_map(following),
            "result_time": php_map(times),
        }

    # --- operating time -------------------------------------------------------------------------

    def _spend(self, method: str) -> None:
        """Ten baskets of a minute; checked before the call."""
        minute = int(self.clock.now().timestamp() // 60)
        baskets = self._operating.setdefault(method, {})
        for old in [each for each in baskets if each <= minute - BASKETS]:
            del baskets[old]
        if self.operating_limit_s is not None and sum(baskets.values()) >= self.operating_limit_s:
            raise Refused(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
        baskets[minute] = baskets.get(minute, 0.0) + self.call_cost_s

    def _time(self, method: str) -> dict[str, Any]:
        now = self.clock.now().timestamp()
        shown = datetime.fromtimestamp(now, UTC).astimezone(PORTAL_ZONE).isoformat(timespec="seconds")
        baskets = self._operating.get(method, {})
        return {
            "start": now,
            "finish": now,
            "duration": 0.0,
            "processing": 0.0,
            "date_start": shown,
            "date_finish": shown,
            "operating": round(sum(baskets.values()), 6),
            "operating_reset_at": (min(baskets, default=int(now // 60)) + BASKETS) * 60,
        }

    # --- the little page, and keeping -------------------------------------------------------------

    def tables(self) -> list[Table]:
        return tables(self.crm)

    def snapshot(self) -> dict[str, Any]:
        return {"crm": self.crm.snapshot(), "authority": asdict(self.authority.state)}

    def restore(self, state: dict[str, Any]) -> None:
        self.crm.restore(state["crm"])
        self.authority.restore(state["authority"])


def _params(request: SandboxRequest) -> dict[str, Any]:
    params = parse_pairs(request.query)
    if "json" in request.headers.get("content-type", ""):
        try:
            body = request.json()
        except (ValueError, json.JSONDecodeError):
            raise Refused(400, "INVALID_REQUEST", "The request body cannot be read") from None
        return {**params, **body} if isinstance(body, dict) else params
    return {**params, **parse_pairs(request.form())} if request.body else params


def _by_webhook(request: SandboxRequest) -> bool:
    """`/rest/USER/SECRET/method`, not `/rest/method`."""
    return len([part for part in request.path.removeprefix("/rest/").split("/") if part]) == 3


def _error(status: int, code: str, text: str) -> SandboxResponse:
    return SandboxResponse(status, {"error": code, "error_description": text})
