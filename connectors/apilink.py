"""What the links to vendors of telephony share: one client, outcomes for what it is answered, days of a window."""

import json
import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx

from connectors.base import Rate
from connectors.doors import Inbound
from connectors.errors import (
    AuthError,
    ConnectorError,
    NoAccessError,
    PermanentError,
    RateLimitedError,
    RetryableError,
)
from connectors.http import VendorHttp, parse_json, retry_after_s, unreadable
from connectors.limits import Limiter
from connectors.links import LinkOpening
from connectors.recordings import download, origin
from leads.redact import MASK, redact

SAID_MAX = 200  # characters of a vendor's own words in an error
PAUSE_MAX_S = 5.0
"""A refusal holds the other calls up no longer than this: who was refused is told how long to wait, and a colleague who
wants to call somebody must not wait for the statistics."""
PAGES_MAX = 200  # of one list; what is longer is a vendor that gives the same page for ever

_LONG_NUMBER = re.compile(r"\+?\d{7,}")


class ApiLink:
    """The base of a vendor's link. `base_url` is where its API lives; all calls wait for their turn in `rate`.

    A vendor tells of a refusal in its own way: `refusal` is asked before the HTTP status is.
    """

    back_off_s = 60.0
    """How long to wait after a 429 that does not say."""

    def __init__(
        self,
        opening: LinkOpening,
        base_url: str,
        rate: Rate,
        *,
        secrets: Iterable[str] = (),
        max_in_flight: int = 4,
        media: Collection[str] = (),
    ) -> None:
        self.clock = opening.clock
        self.region = opening.settings.region or opening.region
        self.base_url = base_url
        self.http = VendorHttp(
            base_url=base_url,
            clock=opening.clock,
            limiter=Limiter(rate, opening.clock, max_in_flight=max_in_flight),
            interpret=self._interpret,
            transport=opening.transport,
            user_agent=opening.user_agent,
            secrets=secrets,
        )
        self._own = frozenset(map(origin, (base_url, *media)))
        self._resolves = opening.transport is None

    async def close(self) -> None:
        await self.http.close()

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """What the vendor's own code of an error means; None where the HTTP status says it all."""
        return None

    def read(self, operation: str, response: httpx.Response, *, writes: bool) -> Any:
        """A good answer. JSON, unless the vendor has something else."""
        return parse_json(operation, response, writes=writes)

    def _interpret(self, operation: str, response: httpx.Response, writes: bool) -> Any:
        refused = self.refusal(operation, response, writes=writes)
        status = response.status_code
        if status == 429 and not isinstance(refused, RateLimitedError):
            refused = self.too_fast(operation, response)
        if isinstance(refused, RateLimitedError):
            self.http.limiter.pause(min(refused.retry_after_s, PAUSE_MAX_S))
        if refused is not None:
            raise refused
        if 400 <= status < 500:
            words = f": {said}" if (said := self.said(reason_of(response))) else ""
            if status in (401, 403):
                raise AuthError(f"the vendor does not accept the key{words}", operation, status)
            raise PermanentError(f"the vendor refuses the request{words}", operation, status, gone=status == 404)
        if not 200 <= status < 300:
            raise unreadable(operation, response, writes=writes)
        return self.read(operation, response, writes=writes)

    def too_fast(self, operation: str, response: httpx.Response) -> RateLimitedError:
        wait_s = retry_after_s(response, self.clock.now())
        return RateLimitedError(
            "the vendor asks to slow down",
            operation,
            response.status_code,
            retry_after_s=self.back_off_s if wait_s is None else wait_s,
        )

    def said(self, text: str) -> str:
        """A vendor's own words, without secrets and people: numbers of calls come with and without their code."""
        words = redact(" ".join(text.split())[: SAID_MAX * 2], self.http.secrets)
        return _LONG_NUMBER.sub(MASK, words)[:SAID_MAX]

    async def download(
        self,
        operation: str,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        not_ready: Collection[int] = (),
    ) -> tuple[str, AsyncIterator[bytes]]:
        """A recording at `url`, which may be relative to the API. Headers and form go to its own hosts only."""
        return await download(
            self.http,
            operation,
            url,
            own=self._own,
            resolves=self._resolves,
            method=method,
            headers=headers,
            data=data,
            clock=self.clock,
            not_ready=not_ready,
        )


# --- what several links need ---------------------------------------------------------------------


def reason_of(response: httpx.Response) -> str:
    """What a vendor says in the body of an error, where it is one of the usual fields; else ""."""
    try:
        tree = response.json()
    except ValueError:
        return ""
    fields = tree if isinstance(tree, dict) else {}
    inner = fields.get("error")
    texts = [fields.get(name) for name in ("message", "description", "error_description")]
    texts.append(inner.get("message") if isinstance(inner, dict) else inner)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def needed(value: str, setting: str, operation: str) -> str:
    """The value of a setting without which the vendor cannot be asked. Raises NoAccessError."""
    if not value:
        raise NoAccessError(f"{setting} is not set", operation)
    return value


def given(value: str, what: str, operation: str) -> str:
    """What the caller must name. Raises PermanentError, said for people."""
    if not value:
        raise PermanentError(f"{what} is not known", operation)
    return value


def expected(tree: Any, key: str, operation: str) -> Mapping[str, Any]:
    """The object of a list's answer. Raises RetryableError for what is no list, and so no empty one."""
    if not isinstance(tree, dict) or key not in tree:
        raise RetryableError(f"the answer has no {key}", operation)
    return tree


def bare(phone: str) -> str:
    """`+79161234567` -> `79161234567`, as most vendors of telephony want it."""
    return phone.lstrip("+")


def zone_of(name: str, usual: str = "UTC") -> tzinfo:
    return ZoneInfo(name or usual)


def local(at: datetime, zone: tzinfo, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A moment as a vendor that knows no zones writes it."""
    return at.astimezone(zone).strftime(form)


def spans(since: datetime, until: datetime, longest: timedelta) -> list[tuple[datetime, datetime]]:
    """[since, until) in pieces that a vendor allows, oldest first."""
    found = []
    while since < until:
        end = min(until, since + longest)
        found.append((since, end))
        since = end
    return found


def within(at: datetime | None, since: datetime, until: datetime) -> bool:
    """Whether something belongs to the window; what has no time does."""
    return at is None or since <= at < until


def as_form(fields: Mapping[str, str], received_at: datetime) -> Inbound:
    """What a list tells of a call, as the form by which the webhook would have sent it."""
    return _request(urlencode(fields, errors="replace").encode(), "application/x-www-form-urlencoded", received_at)


def as_json(tree: Mapping[str, Any], received_at: datetime) -> Inbound:
    """The same for a webhook that sends JSON."""
    return _request(json.dumps(tree).encode(), "application/json", received_at)


def _request(body: bytes, content_type: str, received_at: datetime) -> Inbound:
    return Inbound("POST", "", [], {"content-type": content_type}, body, "", received_at.astimezone(UTC))
