"""HubSpot's answer -> parsed JSON or one of the five outcomes (fact sheet, sections 3, 7 and 12)."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.errors import AuthError, ConnectorError, NoRightsError, PermanentError, RateLimitedError, RetryableError
from connectors.http import is_page, names_record, parse_json, retry_after_s, unreadable
from leads.clock import Clock

LOCKED_S = 2.0
"""423: the record is locked by heavy writes; at least so long."""
BURST_S, SEARCH_S, SOME_S = 10.0, 1.0, 2.0
"""Waits for a 429 without Retry-After: rolling ten seconds, the search second, a policy that we do not know."""
DAILY_CAP_S = 900.0
"""The daily counter is reset at midnight of the account's zone, which we may not know: ask every 15 minutes."""

ALIVE_S = 60.0
"""A page instead of an answer, so shortly after an answer: it is this address that is not there, not HubSpot."""
NEEDED = ("create contact", "create deal")
"""Without these no lead gets there: a page instead of their answer is waited out, however alive HubSpot is."""

CONFLICTS = ("CONFLICT", "OBJECT_ALREADY_EXISTS")
"""Categories of a refusal because something is there already; the status beside them is not always 409."""

_TAKEN = re.compile(r"propertyName=(\w+).*?(\d+) already has that value", re.S)
_TAKEN_BY = re.compile(r"(\d+) already has that value")
_EXISTING = re.compile(r"Existing ID:\s*(\d+)", re.I)
_INSIDE = re.compile(r"\[\s*\{.*\}\s*\]", re.S)
_PROPERTY = re.compile(r'[Pp]roperty "?(\w+)"? does not exist')
_MISSING_RECORD = re.compile(
    r"(?i)\bassociations?\b.*(not valid|invalid)|"
    r"\b(contact|company|deal|object|record|association)s?\b.*(not found|does(?: not|n't) exist|no longer exists)"
)
_NOT_A_RECORD = re.compile(r"(?i)\b(stage|pipeline|owner|propert(y|ies))\b")


@dataclass(eq=False)
class Refusal(PermanentError):
    """A 4xx that names what was wrong. `body` never appears in the text: it may quote a person."""

    category: str = ""
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    page: bool = False
    """Said by a page for people: perhaps not by HubSpot at all."""

    @property
    def text(self) -> str:
        return str(self.body.get("message") or "")


@dataclass(eq=False)
class Throttled(RateLimitedError):
    """`everything`: not this kind of call alone but the whole account has to wait."""

    everything: bool = False
    slow_down: bool = True


class Interpreter:
    """The `interpret` of `VendorHttp`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered_at = float("-inf")

    def __call__(self, operation: str, response: httpx.Response, writes: bool) -> Any:
        if response.is_success:
            answer = self._success(operation, response, writes)
            self._answered_at = self._clock.monotonic()
            return answer
        raise self._failure(operation, response, writes)

    def believes(self, refused: Refusal, path: str) -> bool:
        """Not a page that may be of a gateway before HubSpot: then nothing is known."""
        alive = self._clock.monotonic() - self._answered_at <= ALIVE_S
        return not refused.page or (alive and refused.operation not in NEEDED and not names_record(path))

    @staticmethod
    def _success(operation: str, response: httpx.Response, writes: bool) -> Any:
        answer = parse_json(operation, response, writes=writes)
        if answer is None and response.status_code == 204:
            return {}
        if not isinstance(answer, dict):
            raise unreadable(operation, response, writes=writes)
        return answer

    def _failure(self, operation: str, response: httpx.Response, writes: bool) -> ConnectorError:
        status = response.status_code
        body = envelope(response)
        request_id = str(body.get("correlationId") or response.headers.get("x-hubspot-correlation-id", ""))
        match status:
            case 401:
                return AuthError(_label(body, "the token was refused"), operation, status, request_id)
            case 403:
                return NoRightsError(_missing_rights(body), operation, status, request_id)
            case 423:
                wait_s = retry_after_s(response, self._clock.now()) or LOCKED_S
                return Throttled("locked", operation, status, request_id, max(wait_s, LOCKED_S), slow_down=False)
            case 429:
                return self._throttled(operation, response, body, request_id)
            case 477:
                wait_s = retry_after_s(response, self._clock.now()) or 60.0
                text = "the account is being moved"
                return Throttled(text, operation, status, request_id, wait_s, everything=True, slow_down=False)
            case 404 if not writes and _is_cut_off(response):
                return unreadable(operation, response, writes=False)  # cut off: who knows what was not found
            case _ if 400 <= status < 500 and status != 408:
                refused = refusal(operation, status, body, request_id)
                refused.page = is_page(response)
                return refused
            case 503 if not writes:
                wait_s = retry_after_s(response, self._clock.now()) or 0.0
                if wait_s:
                    return Throttled("overloaded", operation, status, request_id, wait_s, slow_down=False)
                return RetryableError("overloaded", operation, status, request_id)
            case _:
                error = unreadable(operation, response, writes=writes)
                error.message, error.request_id = "no answer that can be trusted", request_id
                return error

    def _throttled(
        self, operation: str, response: httpx.Response, body: dict[str, Any], request_id: str
    ) -> ConnectorError:
        policy = str(body.get("policyName") or "").upper()
        text = str(body.get("message") or "").lower()
        now = self._clock.now()
        told_s = retry_after_s(response, now)
        daily = policy == "DAILY" or (not policy and "daily" in text)
        if daily:
            wait_s = min(_to_midnight_s(now), DAILY_CAP_S)
        elif "TEN_SECONDLY" in policy or "ten_secondly" in text:
            wait_s = BURST_S
        elif policy == "SECONDLY" or "secondly" in text:
            wait_s = SEARCH_S
        else:
            wait_s = SOME_S
        wait_s = told_s if told_s is not None else wait_s
        return Throttled(policy or "rate limit", operation, 429, request_id, wait_s, everything=daily)


def _to_midnight_s(now: datetime) -> float:
    midnight = datetime.combine((now + timedelta(days=1)).date(), datetime.min.time(), UTC)
    return (midnight - now).total_seconds()


def envelope(response: httpx.Response) -> dict[str, Any]:
    """The error body; {} when it is not JSON. Every key in it is optional."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _is_cut_off(response: httpx.Response) -> bool:
    """Whether the body begins as JSON and does not end as such."""
    if response.content.lstrip()[:1] != b"{":
        return False
    try:
        response.json()
    except ValueError:
        return True
    return False


def refusal(operation: str, status: int, body: dict[str, Any], request_id: str = "") -> Refusal:
    """A 4xx, or one of the `errors` of a 207, as a Refusal; its fields are vendor property names."""
    category = str(body.get("category") or body.get("subCategory") or "")
    names = refused_properties(body)
    text = _label(body, "refused") + (f": {', '.join(names)}" if names else "")
    return Refusal(
        text, operation, status, request_id, fields=names, gone=_gone(status, body), category=category, body=body
    )


def _label(body: dict[str, Any], default: str) -> str:
    """A text without anything that we sent: the category and the codes of the single errors."""
    codes = [str(item["code"]) for item in _details(body) if item.get("code")]
    codes += [str(item["error"]) for item in _inside(body) if item.get("error")]
    parts = [str(body.get("category") or ""), *dict.fromkeys(codes)]
    return " ".join(part for part in parts if part) or default


def _missing_rights(body: dict[str, Any]) -> str:
    for detail in _details(body):
        context = detail.get("context")
        scopes = (
            context.get("requiredGranularScopes") or context.get("requiredScopes")
            if isinstance(context, dict)
            else None
        )
        if isinstance(scopes, list) and scopes:
            return f"the token lacks scopes: {', '.join(map(str, scopes))}"
    return _label(body, "the token lacks rights")


def _gone(status: int, body: dict[str, Any]) -> bool:
    if body.get("category") == "OBJECT_NOT_FOUND":
        return True
    message = str(body.get("message") or "")
    return status in (400, 404) and bool(_MISSING_RECORD.search(message)) and not _NOT_A_RECORD.search(message)


def _details(body: dict[str, Any]) -> list[dict[str, Any]]:
    details = body.get("errors")
    return [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []


def _inside(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The JSON list that HubSpot puts inside the message text of a validation error."""
    found = _INSIDE.search(str(body.get("message") or ""))
    if not found:
        return []
    try:
        items = json.loads(found.group(0))
    except ValueError:
        return []
    return [item for item in items if isinstance(item, dict)]


def refused_properties(body: dict[str, Any]) -> tuple[str, ...]:
    """Names of the properties that were refused, from all the places where HubSpot may put them."""
    names = [str(item["name"]) for item in _inside(body) if item.get("name")]
    for detail in _details(body):
        context = detail.get("context")
        if isinstance(context, dict):
            for key in ("propertyName", "properties", "name"):
                value = context.get(key)
                names += [str(name) for name in value] if isinstance(value, list) else [str(value)] if value else []
        names += _PROPERTY.findall(str(detail.get("message") or ""))
        if not names and detail.get("in"):
            names.append(str(detail["in"]))
    context = body.get("context")
    if isinstance(context, dict) and isinstance(context.get("properties"), list):
        names += [str(name) for name in context["properties"]]
    message = str(body.get("message") or "")
    names += _PROPERTY.findall(message)
    taken = _TAKEN.search(message)
    if taken:
        names.append(taken.group(1))
    return tuple(dict.fromkeys(names))


def existing_id(error: Refusal) -> str:
    """Id of the record that is there already, or "". The category beside it differs, the sentence does not."""
    found = _EXISTING.search(error.text)
    return found.group(1) if found else ""


def holder_of(error: Refusal, property_name: str) -> str:
    """Id of the record that already has our value in the unique `property_name`, or ""."""
    taken = _TAKEN.search(error.text)
    if taken:
        return taken.group(2) if taken.group(1) == property_name else ""
    found = _TAKEN_BY.search(error.text)
    return found.group(1) if found else ""


def is_no_address(error: Refusal) -> bool:
    """404 by a server that does not know the address; a record that is missing is told with a category."""
    return error.status == 404 and not error.category and not error.gone
