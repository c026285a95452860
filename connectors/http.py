"""The one way out to a vendor: limiter, time-outs, redaction, and an answer or an outcome."""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any

import httpx
from pydantic_core import to_json

from connectors.errors import (
    NO_SUCH_HOST,
    NOT_TRUSTED,
    ConnectorError,
    RetryableError,
    TooEarlyError,
    UnknownOutcomeError,
)
from connectors.limits import Limiter
from connectors.transport import LEAVES, StackedTransport
from leads.clock import Clock
from leads.redact import redact

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
KEPT_CHARS = 2000
CONNECT_S = 5.0
WRITE_S = 10.0
JSON = {"Content-Type": "application/json"}
TOTAL_FACTOR = 1.5
"""A vendor that drips bytes is cut off after the read time-out times this."""


@dataclass(slots=True)
class CallRecord:
    """One request as it is kept with an attempt: redacted, at most KEPT_CHARS of each body."""

    operation: str
    method: str
    url: str
    request: str
    at: datetime
    status: int = 0
    answer: str = ""
    took_ms: int = 0
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self.__slots__}, "at": self.at.isoformat()}


CALL_LOG: ContextVar[list[CallRecord] | None] = ContextVar("call_log", default=None)
"""Where the calls of the running attempt are noted; the engine sets it."""

MAY_WRITE: ContextVar[Callable[[], bool]] = ContextVar("may_write", default=lambda: True)
"""Whether the connection is still ours; the engine sets it. Asked as the first byte of a write is about to leave:
a process that was frozen until then must not send what another has looked for, not found and sent meanwhile."""

Interpret = Callable[[str, httpx.Response, bool], Any]
"""(operation, response, writes) -> parsed answer; raises a ConnectorError for anything that is not success."""


def classify_exception(exc: Exception, operation: str, *, writes: bool) -> ConnectorError:
    """Transport failure -> outcome. Only a failure before any byte left is safe to repeat."""
    text = _text_of(exc)
    if isinstance(exc, NEVER_SENT) or not writes:
        return RetryableError(text, operation)
    return UnknownOutcomeError(text, operation)


def _text_of(exc: Exception) -> str:
    """The kind of the failure; of what only a person can mend also which it is."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return NO_SUCH_HOST
        if isinstance(cause, ssl.SSLError):
            return NOT_TRUSTED
        cause = cause.__cause__ or cause.__context__
    return type(exc).__name__


def _only_while_ours() -> None:
    """Raises TooEarlyError instead of letting the request leave."""
    if not MAY_WRITE.get()():
        raise TooEarlyError("not sent: this process was held up for so long that another may own the connection")


def unreadable(operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError:
    """An answer that cannot be trusted (HTML, cut JSON, 5xx): unknown on a write, else retryable."""
    kind = UnknownOutcomeError if writes else RetryableError
    return kind("the answer cannot be read", operation, response.status_code)


def is_page(response: httpx.Response) -> bool:
    """Whether it is for people and not from the vendor's API: of a gateway, a block, an account that is not there."""
    return "html" in response.headers.get("content-type", "")


def names_record(path: str) -> bool:
    """Whether an address ends with the number of one record: where a page says 404, that record need not be gone."""
    return path.rpartition("/")[2].isdecimal()


def parse_json(operation: str, response: httpx.Response, *, writes: bool) -> Any:
    """The body as JSON, None for an empty one; raises `unreadable` for anything else."""
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise unreadable(operation, response, writes=writes) from None


def retry_after_s(response: httpx.Response, now: datetime) -> float | None:
    """`Retry-After` in seconds, from a number or an HTTP date."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


@cache
def trusted() -> ssl.SSLContext:
    """The one TLS context of all connections: reading the list of authorities takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


@lru_cache(1024)
def _parsed(url: str) -> httpx.URL:
    """The same few are asked for all the time, and reading one takes a tenth of a call."""
    return httpx.URL(url)


class VendorHttp:
    """Calls of one connection, without cookies and redirects.

    `call` waits for a turn; `send` is for who holds one already (a Batcher).
    """

    def __init__(
        self,
        *,
        base_url: str,
        clock: Clock,
        limiter: Limiter,
        interpret: Interpret,
        transport: httpx.AsyncBaseTransport | None = None,
        read_timeout_s: float = 30.0,
        user_agent: str = "leadhub",
        secrets: Iterable[str] = (),
    ) -> None:
        self.limiter = limiter
        self._clock = clock
        self._interpret = interpret
        self._read_timeout_s = read_timeout_s
        self.secrets = [secret for secret in secrets if secret]
        self.base_url = base_url.rstrip("/") + "/"
        self._given = transport
        self._transport = transport or StackedTransport(clock, trusted())
        self._client: httpx.AsyncClient | None = None
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._timeout = {"connect": CONNECT_S, "read": read_timeout_s, "write": WRITE_S, "pool": None}
        self._dated: tuple[str, float] | None = None

    def server_time(self, no_older_s: float) -> datetime | None:
        """The vendor's clock now, by the `Date` of its last answer; None if that is older or there was none."""
        if self._dated is None:
            return None
        text, at = self._dated
        age_s = self._clock.monotonic() - at
        try:
            return parsedate_to_datetime(text) + timedelta(seconds=age_s) if age_s <= no_older_s else None
        except (ValueError, TypeError):
            return None

    async def call(self, operation: str, method: str, path: str, *, writes: bool, **kwargs: Any) -> Any:
        """One request when its turn comes. Keyword arguments as for `send`."""
        async with self.limiter.turn():
            return await self.send(operation, method, path, writes=writes, **kwargs)

    async def send(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        writes: bool,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        params: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request now. Raises the outcomes of `connectors.errors`; an unforeseen failure of a write is unknown."""
        request = httpx.Request(
            method,
            self._url(path),
            content=None if json is None else _body(json),
            data=data,
            params=params,
            headers={**self._headers, **({} if json is None else JSON), **(headers or {})},
            extensions={"timeout": self._timeout, **({LEAVES: _only_while_ours} if writes else {})},
        )
        record = CallRecord(
            operation=operation,
            method=method,
            url=self._redact(str(request.url)),
            request=self._redact(_body_text(request, data)),
            at=self._clock.now(),
        )
        log = CALL_LOG.get()
        if log is not None:
            log.append(record)
        started = self._clock.monotonic()
        try:
            try:
                async with asyncio.timeout(self._read_timeout_s * TOTAL_FACTOR):
                    response = await self._transport.handle_async_request(request)
                    response.request = request
                    await response.aread()
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as exc:
                raise classify_exception(exc, operation, writes=writes) from exc
            record.status = response.status_code
            if date := response.headers.get("date"):
                self._dated = date, self._clock.monotonic()
            record.answer = self._redact(response.text[: KEPT_CHARS * 2])[:KEPT_CHARS]
            return self._interpret(operation, response, writes)
        except ConnectorError as error:
            record.error = str(error)
            raise
        finally:
            record.took_ms = round((self._clock.monotonic() - started) * 1000)

    def _redact(self, text: str) -> str:
        return redact(text[: KEPT_CHARS * 2], self.secrets)[:KEPT_CHARS]

    @property
    def client(self) -> httpx.AsyncClient:
        """For answers that are too long to be held: they come as a stream."""
        if self._client is None:
            timeout = httpx.Timeout(**{**self._timeout, "pool": 60.0})
            self._client = httpx.AsyncClient(
                transport=self._given, verify=trusted(), timeout=timeout, headers=self._headers, trust_env=False
            )
        return self._client

    def _url(self, path: str) -> httpx.URL:
        """`path` below the base address; a whole address as it is."""
        return _parsed(path if path.startswith(("https://", "http://")) else self.base_url + path.lstrip("/"))

    async def close(self) -> None:
        await self._transport.aclose()
        if self._client is not None:
            await self._client.aclose()


def _body(value: Any) -> bytes:
    """Raises ValueError for what JSON has no word for: NaN, Infinity, half a surrogate pair."""
    body = to_json(value)
    if b"NaN" in body or b"Infinity" in body:  # a number, or only a text with that in it?
        json.dumps(value, allow_nan=False, default=str)
    return body


def _body_text(request: httpx.Request, data: Mapping[str, Any] | None) -> str:
    """As a person reads it; forms before they are encoded, so that what must be redacted is recognised."""
    if data is not None:
        return "&".join(f"{key}={value}" for key, value in data.items())
    return request.content.decode("utf-8", "replace")
