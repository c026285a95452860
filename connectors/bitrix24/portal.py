"""Calls to one portal: address, authorization, and many commands in one request when there is a backlog."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from connectors.base import Opening, Rate
from connectors.bitrix24.answers import Answer, ExpiredTokenError, Interpreter, MethodMissingError, MovedError
from connectors.bitrix24.commands import command_text
from connectors.bitrix24.faces import in_classic, in_items
from connectors.bitrix24.oauth import TokenEndpoint
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.http import CALL_LOG, KEPT_CHARS, CallRecord, VendorHttp
from connectors.limits import FRESH, PRIORITY, Batcher, Limiter
from connectors.oauth import OAuthTokens
from leads.redact import redact

log = logging.getLogger(__name__)

WRITE_S = 65.0
"""The cloud kills a request after 60 s: by then a write has answered or never will."""
READ_S = 30.0
LONGEST_PAUSE_S = 660.0
ALONE_S = 600.0
"""After `batch` itself was refused, commands go one by one for so long."""
BROKEN_BATCHES, WITHOUT_S = 2, 20.0
"""After so many batches in a row that ended in a server error, commands go one by one for a moment: it may be the
batch that the portal chokes on."""
HOPS = 3
ITEMS_S = 600.0
"""A classic method was unknown and `crm.item.*` was not: so long that one is asked at once."""


@dataclass(slots=True, eq=False)
class Command:
    """One call of a method; `log` is where its attempt keeps its calls."""

    method: str
    params: Mapping[str, Any]
    writes: bool
    log: list[CallRecord] | None = field(default=None, repr=False)


class _NoBatchError(RetryableError):
    """`batch` itself was refused, so none of its commands ran."""


class Portal:
    """One account. `call` may be used by many tasks at once."""

    def __init__(self, opening: Opening, rate: Rate) -> None:
        settings = opening.settings
        assert isinstance(settings, Bitrix24Settings)
        self._clock = opening.clock
        self._name = opening.name
        self._store = opening.tokens
        self.site = settings.site()
        self._path = f"rest/{settings.webhook_path()}"
        self._interpreter = Interpreter(opening.clock)
        self.limiter = Limiter(rate, opening.clock)
        self._http = VendorHttp(
            base_url=self.site,
            clock=opening.clock,
            limiter=self.limiter,
            interpret=self._interpreter,
            transport=opening.transport,
            read_timeout_s=WRITE_S,
            user_agent=opening.user_agent,
            secrets=settings.secrets(),
        )
        self._endpoint: TokenEndpoint | None = None
        self._tokens: OAuthTokens | None = None
        if settings.oauth is not None:
            self._endpoint = TokenEndpoint(opening)
            self._tokens = OAuthTokens(opening.tokens, self._endpoint.refresh, opening.clock, name=opening.name)
        self._token_seen = ""
        # Fresh leads never ride in one request with a backlog: the vendor works a batch off one by one
        # and answers when all is done.
        self._fresh = self._batcher(settings.max_batch)
        self._rest = self._batcher(settings.max_batch)
        self._alone_until = float("-inf")
        self._broken = 0
        self._items_until: dict[str, float] = {}

    def server_time(self, no_older_s: float) -> datetime | None:
        """The portal's clock now, by its last answer."""
        return self._http.server_time(no_older_s)

    @property
    def by_webhook(self) -> bool:
        """Not as an application: the methods that are for applications only are refused."""
        return self._tokens is None

    def _batcher(self, max_batch: int) -> Batcher[Command, Answer]:
        return Batcher(self.limiter, self._together, max_batch=max_batch, operation="batch")

    async def call(self, method: str, params: Mapping[str, Any] | None = None, *, writes: bool = False) -> Answer:
        """One method. Raises the outcomes of `connectors.errors`; never repeats a write that may have been done.

        A method that the portal does not know did nothing: the same is then asked of `crm.item.*`.
        """
        in_other_words = in_items(method, params or {})
        if in_other_words is None:
            return await self._call(method, params or {}, writes=writes)
        if self._clock.monotonic() >= self._items_until.get(method, float("-inf")):
            try:
                return await self._call(method, params or {}, writes=writes)
            except MethodMissingError as missing:
                try:
                    answer = await self._call(*in_other_words, writes=writes)
                except MethodMissingError:
                    raise missing from None
                self._items_until[method] = self._clock.monotonic() + ITEMS_S
        else:
            answer = await self._call(*in_other_words, writes=writes)
        return replace(answer, result=in_classic(method, answer.result))

    async def _call(self, method: str, params: Mapping[str, Any], *, writes: bool) -> Answer:
        command = Command(method, params, writes, CALL_LOG.get())
        if self._clock.monotonic() < self._alone_until:
            return await self._alone(command)
        batcher = self._fresh if PRIORITY.get() == FRESH else self._rest
        try:
            return await batcher.call(command)
        except _NoBatchError:
            return await self._alone(command)

    async def close(self) -> None:
        if self._tokens is not None:
            await self._tokens.close()
        if self._endpoint is not None:
            await self._endpoint.close()
        await self._http.close()

    # --- one command, or many in one request --------------------------------------------------

    async def _alone(self, command: Command) -> Answer:
        async with self.limiter.turn():
            return await self._single(command)

    async def _single(self, command: Command) -> Answer:
        mark = CALL_LOG.set(command.log)
        try:
            return await self._request(command.method, command.params, writes=command.writes)
        finally:
            CALL_LOG.reset(mark)

    async def _together(self, commands: list[Command]) -> list[Answer | ConnectorError]:
        if len(commands) == 1:
            return [await self._single(commands[0])]
        cmd = {f"c{number}": command_text(each.method, each.params) for number, each in enumerate(commands)}
        calls: list[CallRecord] = []
        mark = CALL_LOG.set(calls)
        outcomes: list[Answer | ConnectorError]
        try:
            answer = await self._request("batch", {"halt": 0, "cmd": cmd}, writes=any(each.writes for each in commands))
        except ConnectorError as error:
            refused = isinstance(error, PermanentError)
            if refused or error.status == 404:
                self._alone_until = self._clock.monotonic() + (ALONE_S if refused else WITHOUT_S)
                raise _NoBatchError("batch is not offered", "batch", error.status) from error
            self._note_broken(error)
            outcomes = [_shared(error, each) for each in commands]
        else:
            self._broken = 0
            outcomes = self._split(answer.result, commands)
        finally:
            CALL_LOG.reset(mark)
        self._keep(calls, commands, outcomes)
        return outcomes

    def _note_broken(self, error: ConnectorError) -> None:
        if not error.status or isinstance(error, RateLimitedError | AuthError):
            return
        self._broken += 1
        if self._broken >= BROKEN_BATCHES:
            self._broken = 0
            self._alone_until = self._clock.monotonic() + WITHOUT_S

    def _split(self, result: Any, commands: list[Command]) -> list[Answer | ConnectorError]:
        """The reply of a batch, per command. PHP writes an empty map as []."""
        parts = result if isinstance(result, dict) else {}
        done, refused, following, totals, times = (
            _map(parts.get(name)) for name in ("result", "result_error", "result_next", "result_total", "result_time")
        )
        outcomes: list[Answer | ConnectorError] = []
        for number, command in enumerate(commands):
            key = f"c{number}"
            self._interpreter.note_command(command.method, times.get(key))
            if key in refused:
                body = refused[key] if isinstance(refused[key], dict) else {"error": str(refused[key])}
                error = self._interpreter.refusal(command.method, body, 0, writes=command.writes)
                if isinstance(error, RateLimitedError):
                    self._pause(error)
                outcomes.append(error)
            elif key in done:
                outcomes.append(Answer(done[key], _int(following.get(key)), _int(totals.get(key))))
            else:
                outcomes.append(_unanswered(command))
        return outcomes

    def _keep(self, calls: list[CallRecord], commands: list[Command], outcomes: list[Answer | ConnectorError]) -> None:
        """Each attempt keeps its own command of a shared request and nobody else's."""
        if not calls:
            return
        for command, outcome in zip(commands, outcomes, strict=True):
            if command.log is None:
                continue
            failed = isinstance(outcome, ConnectorError)
            answer = "" if isinstance(outcome, ConnectorError) else repr(outcome.result)
            shown = redact(f"{command.method} {dict(command.params)}"[: KEPT_CHARS * 2], self._http.secrets)
            command.log.append(
                replace(
                    calls[-1],
                    operation=f"{command.method} (with {len(commands) - 1} more in one batch)",
                    request=shown[:KEPT_CHARS],
                    answer=redact(answer[: KEPT_CHARS * 2], self._http.secrets)[:KEPT_CHARS],
                    error=str(outcome) if failed else "",
                )
            )

    # --- one request ------------------------------------------------------------------------------

    async def _request(self, method: str, params: Mapping[str, Any], *, writes: bool) -> Answer:
        """One request. A moved portal and an expired token did nothing, so the same request goes out again."""
        refreshed = False
        token = await self._access_token()
        for _ in range(HOPS):
            try:
                return await self._send(method, {**params, "auth": token} if token else dict(params), writes)
            except MovedError as moved:
                await self._move(moved.location)
            except ExpiredTokenError as expired:
                if self._tokens is None or refreshed:
                    raise AuthError("the authorization has ended", method, expired.status) from expired
                refreshed = True
                token = self._seen(await self._tokens.refused(token))
            except RateLimitedError as limited:
                self._pause(limited)
                raise
        raise RetryableError("the portal keeps sending us elsewhere", method)

    async def _send(self, method: str, body: dict[str, Any], writes: bool) -> Answer:
        url = f"{self.site}/{self._path}{method}"
        try:
            async with asyncio.timeout(None if writes else READ_S):
                answer: Answer = await self._http.send(method, "POST", url, writes=writes, json=body)
        except TimeoutError as late:
            raise RetryableError("no answer in time", method) from late
        if self._interpreter.busy:
            self._interpreter.busy = False
            self.limiter.pause(0.0)
        return answer

    def _pause(self, limited: RateLimitedError) -> None:
        self.limiter.pause(min(limited.retry_after_s, LONGEST_PAUSE_S))

    async def _access_token(self) -> str:
        return "" if self._tokens is None else self._seen(await self._tokens.access_token())

    def _seen(self, token: str) -> str:
        if token != self._token_seen:
            self._token_seen = token
            self._http.secrets.append(token)
        return token

    async def _move(self, location: str) -> None:
        """The new address is used from now on, for links too. It is not written into config.yaml: a person is told."""
        target = httpx.URL(location)
        prefix = target.path.partition("/rest/")[0] if "/rest/" in target.path else httpx.URL(self.site).path
        self.site = str(target.copy_with(path=prefix or "/", query=None, fragment=None)).rstrip("/")
        log.warning(
            "portal has moved",
            extra={"event": "bitrix24.moved", "connection": self._name, "host": target.host},
        )


def _shared(error: ConnectorError, command: Command) -> ConnectorError:
    """What the failure of a whole batch means for one of its commands."""
    if isinstance(error, UnknownOutcomeError) and not command.writes:
        return RetryableError(error.message, command.method, error.status)
    return error


def _unanswered(command: Command) -> ConnectorError:
    kind = UnknownOutcomeError if command.writes else RetryableError
    return kind("the answer leaves the command out", command.method, 200)


def _map(value: Any) -> dict[str, Any]:
    """A map whatever PHP made of it."""
    if isinstance(value, dict):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else {}


def _int(value: Any) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None
