"""Bitrix24's answer -> parsed result or one of the five outcomes (fact sheet, sections 2, 3 and 11).

Decided by the code in `error`, compared without regard to case, not by the status: the
documented statuses and those of the vendor's own source differ.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.errors import (
    AuthError,
    ConnectorError,
    NoRightsError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.http import is_page, parse_json, retry_after_s, unreadable
from leads.clock import Clock

FIRST_BACKOFF_S, LAST_BACKOFF_S = 1.0, 30.0
BASKET_S = 60.0
"""Operating time is counted in one-minute baskets: without a better word, wait for one to drop out."""
LONGEST_PAUSE_S = 660.0
"""Ten baskets and a bit: after this all operating time is forgotten."""
OVERLOAD_S = 3600.0
"""OVERLOAD_LIMIT is a block by hand: asking again sooner than hourly is of no use."""
BUSY_S = 336.0
"""70 % of the 480 s of operating time that the cloud grants a method in ten minutes."""

NO_ACCESS = {
    "INVALID_TOKEN": "the token is not valid",
    "NO_AUTH_FOUND": "no or wrong authorization",
    "INVALID_CREDENTIALS": "the webhook is not valid or its owner lacks rights",
    "APPLICATION_NOT_FOUND": "the application is not installed",
    "NOT_INSTALLED": "the application is not installed",
    "AUTHORIZATION_ERROR": "the authorization was refused",
    "ERROR_OAUTH": "the authorization was refused",
    "INVALID_CLIENT": "the application's keys are wrong",
    "INVALID_GRANT": "the authorization has ended: sign in again",
    "INSUFFICIENT_SCOPE": "the token lacks a scope",
    "INVALID_SCOPE": "the token lacks a scope",
    "USER_ACCESS_ERROR": "the user has no access to the application",
    "ALLOWED_ONLY_INTRANET_USER": "the user is not an employee of the portal",
    "WRONG_AUTH_TYPE": "not allowed with this kind of authorization",
    "WRONG_LICENSE": "the portal's plan does not allow this",
    "PAYMENT_REQUIRED": "the portal's plan is not paid",
    "METHOD_CONFIRM_WAITING": "an administrator has to confirm the method",
    "METHOD_CONFIRM_DENIED": "an administrator denied the method",
    "PORTAL_DELETED": "the portal does not exist any more",
}
RIGHTS = {
    "ACCESS_DENIED",
    "ALLOWED_ONLY_INTRANET_USER",
    "INSUFFICIENT_SCOPE",
    "INVALID_SCOPE",
    "METHOD_CONFIRM_DENIED",
    "METHOD_CONFIRM_WAITING",
    "USER_ACCESS_ERROR",
    "WRONG_AUTH_TYPE",
    "WRONG_LICENSE",
}
"""The token is good and may not do this: told as 403 by the documents and as 401 by the vendor's source; 403 to us."""
ALIVE_S, ABSENT_S = 60.0, 3600.0
"""A page instead of an answer, so shortly after an answer: it is this method that is not there, not the portal. So long
that is believed."""
_NEEDED = re.compile(r"crm\.(?:item\.(?:add|update)|(?:lead|deal|contact|company)\.(?:add|update|list|get))")
"""Without these nothing can be written: a page instead of their answer is waited for, however alive the portal is."""
GONE = {"NOT_FOUND", "OWNER_NOT_FOUND", "ENTITY_NOT_FOUND", "ERROR_NOT_FOUND"}
BROKEN = {"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"}
_SAYS_FULL = "disk resource exhausted"
"""Said before anything is saved, of every record: no fault of this one."""
_SAYS_GONE = ("not found", "не найден")
_SAYS_NO_ACCESS = ("access denied", "доступ запрещ", "нет доступа", "отказано в доступе")


class MethodMissingError(PermanentError):
    """ERROR_METHOD_NOT_FOUND: an old box, a missing scope, or a server that does not know the method."""


class ExpiredTokenError(AuthError):
    """The access token has run out: nothing was done, refresh and repeat."""


@dataclass(eq=False)
class MovedError(ConnectorError):
    """302: the portal has another address now; nothing was done. `location` is where."""

    location: str = ""


@dataclass(eq=False)
class RefusedError(PermanentError):
    """A refusal with its text, which may quote a person and so is kept out of the message."""

    code: str = ""
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """`next` is where the next page of a list starts, None on the last."""

    result: Any
    next: int | None = None
    total: int | None = None


class Interpreter:
    """The `interpret` of `VendorHttp`; remembers when the operating time of each method is free again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refusals = 0
        self._free_at: dict[str, float] = {}
        self._answered_at = float("-inf")
        self._absent_until: dict[str, float] = {}
        self.busy = False
        """Some method has used most of its operating time; read and cleared by the caller."""

    def __call__(self, operation: str, response: httpx.Response, writes: bool) -> Answer:
        if response.is_redirect:
            raise self._moved(operation, response, writes)
        try:
            body = parse_json(operation, response, writes=writes)
        except ConnectorError as error:
            raise self._without_json(error, operation, response) from None
        if isinstance(body, dict):
            self._answered_at = self._clock.monotonic()
        if isinstance(body, dict) and _has_error(body):
            self._note_time(operation, body.get("time"))
            raise self.refusal(operation, body, response.status_code, writes=writes, response=response)
        if response.status_code in (401, 404):
            raise self._without_json(unreadable(operation, response, writes=writes), operation, response)
        if not response.is_success or not isinstance(body, dict) or "result" not in body:
            raise unreadable(operation, response, writes=writes)
        self._refusals = 0
        self._note_time(operation, body.get("time"))
        return Answer(body["result"], _number(body.get("next")), _number(body.get("total")))

    def refusal(
        self,
        operation: str,
        error: Mapping[str, Any],
        status: int,
        *,
        writes: bool,
        response: httpx.Response | None = None,
    ) -> ConnectorError:
        """An error body, or the error of one command of a batch, as an outcome."""
        code = str(error.get("error") or "").strip().upper()
        text = str(error.get("error_description") or "")
        match code:
            case "QUERY_LIMIT_EXCEEDED":
                return RateLimitedError(code, operation, status, retry_after_s=self._backoff_s(response))
            case "OPERATION_TIME_LIMIT":
                return RateLimitedError(code, operation, status, retry_after_s=self._until_free_s(operation))
            case "OVERLOAD_LIMIT":
                told = "the portal is blocked as a flood (OVERLOAD_LIMIT): write to its support"
                return RateLimitedError(told, operation, status, retry_after_s=OVERLOAD_S)
            case "CONNECTION_ERROR":
                return RetryableError("the portal did not reach its authorization server", operation, status)
            case "EXPIRED_TOKEN":
                return ExpiredTokenError("the access token has expired", operation, status or 401)
            case "ERROR_METHOD_NOT_FOUND":
                return MethodMissingError("the portal does not know the method", operation, status)
        if code in NO_ACCESS or (code == "ACCESS_DENIED" and status in (401, 403)):
            said = f"{NO_ACCESS.get(code, 'access denied')} ({code})"
            return NoRightsError(said, operation, 403) if code in RIGHTS else AuthError(said, operation, status)
        if not code and any(part in text.lower() for part in _SAYS_NO_ACCESS):
            return NoRightsError("access denied", operation, 403)
        if _SAYS_FULL in text.lower():
            return RetryableError("the portal's disk space is used up", operation, status)
        if code in BROKEN or status >= 500 or "sql query error" in text.lower():
            kind = UnknownOutcomeError if writes else RetryableError
            return kind(code or "server error", operation, status)
        if status in (401, 403):
            return (NoRightsError if status == 403 else AuthError)(code or "access denied", operation, status)
        if status == 429:
            return RateLimitedError(code, operation, status, retry_after_s=self._backoff_s(response))
        if status == 404 and code not in GONE:
            return MethodMissingError("the portal does not know the method", operation, status)
        gone = code in GONE or any(part in text.lower() for part in _SAYS_GONE)
        said = "there is no such record" if gone else f"refused ({code or 'no code'})"
        return RefusedError(said, operation, status, gone=gone, code=code, text=text)

    def note_command(self, method: str, time: Any) -> None:
        """The `result_time` of one command of a batch."""
        self._note_time(method, time)

    def _without_json(self, error: ConnectorError, operation: str, response: httpx.Response) -> ConnectorError:
        """No readable body. Only what cannot have done anything is told apart from "unknown"."""
        if response.status_code == 401:
            return AuthError("the authorization was refused", operation, 401)
        if response.status_code == 404 and self._is_absent(operation, response):
            return MethodMissingError("the portal does not know the method", operation, 404)
        return error

    def _is_absent(self, operation: str, response: httpx.Response) -> bool:
        """Whether 404 without a readable body means that the portal has no such method, and not that it is away."""
        if not is_page(response):
            return True
        now = self._clock.monotonic()
        if _NEEDED.fullmatch(operation):
            return False
        if now - self._answered_at <= ALIVE_S:
            self._absent_until[operation] = now + ABSENT_S
        return now < self._absent_until.get(operation, float("-inf"))

    def _moved(self, operation: str, response: httpx.Response, writes: bool) -> ConnectorError:
        location = response.headers.get("location", "")
        try:
            target = response.request.url.join(location)
        except (httpx.InvalidURL, ValueError):
            return unreadable(operation, response, writes=writes)
        downgraded = response.request.url.scheme == "https" and target.scheme != "https"
        elsewhere = target.path not in ("", "/") and "/rest/" not in target.path
        if not location or downgraded or elsewhere:
            return unreadable(operation, response, writes=writes)
        return MovedError("the portal has moved", operation, response.status_code, location=str(target))

    def _backoff_s(self, response: httpx.Response | None) -> float:
        told = retry_after_s(response, self._clock.now()) if response is not None else None
        self._refusals += 1
        wait = min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(self._refusals - 1, 8))
        return told if told is not None else wait * (1 + self._clock.random() / 4)

    def _until_free_s(self, method: str) -> float:
        free_at = self._free_at.get(method.lower())
        left = BASKET_S if free_at is None else free_at - self._clock.monotonic()
        return min(LONGEST_PAUSE_S, max(1.0, left))

    def _note_time(self, method: str, time: Any) -> None:
        """`operating_reset_at` is unix seconds by the vendor's clock, `finish` the same clock's now."""
        if not isinstance(time, Mapping):
            return
        operating, reset_at = _float(time.get("operating")), _float(time.get("operating_reset_at"))
        if operating is not None and operating > BUSY_S:
            self.busy = True
        if reset_at is None:
            return
        vendor_now = _float(time.get("finish"))
        left = reset_at - (vendor_now if vendor_now is not None else self._clock.now().timestamp())
        self._free_at[method.lower()] = self._clock.monotonic() + left


def _has_error(body: Mapping[str, Any]) -> bool:
    return "error" in body and ((body["error"] is not None and body["error"] is not False) or "result" not in body)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
