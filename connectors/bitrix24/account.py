"""What has to be known of a portal before a record is written: its mode, sources and stages. Never fatal."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connectors.bitrix24.payloads import Entity, moment
from connectors.bitrix24.portal import Portal
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError, RetryableError
from leads.clock import Clock
from mappings.accounts import Outcome

log = logging.getLogger(__name__)

MODE_S = 86_400.0
"""The mode is asked again daily: a portal may be switched between classic and simple."""
STATUSES_S = 900.0
MODE_TRIES = 3
"""A mode that fails to be read so often (vendor error, no answer) is taken as unknown: no lead waits for it."""
RETRY_S = 60.0
CONFIRMED_S = 3600.0
"""A stage that a record was seen to land in is not read back again for so long."""
OUTCOMES: Mapping[str, Outcome] = {
    **dict.fromkeys(("s", "success"), "won"),
    **dict.fromkeys(("f", "failure", "apology"), "lost"),
}
DEFAULT_SOURCE = "WEB"
DEFAULT_SOURCES = (
    *("CALL", "EMAIL", "WEB", "ADVERTISING", "PARTNER", "RECOMMENDATION"),
    *("TRADE_SHOW", "WEBFORM", "CALLBACK", "RC_GENERATOR", "STORE", "OTHER"),
)


@dataclass(frozen=True, slots=True)
class Status:
    """One row of `crm.status.list`: a source, a lead's status or a deal's stage."""

    group: str
    id: str
    name: str
    sort: int = 0
    closed: bool = False
    outcome: Outcome = ""


class Account:
    """Kept per connection. Everything optional: what cannot be read is replaced by the vendor's defaults."""

    def __init__(self, portal: Portal, clock: Clock, record: Literal["auto", "deal", "lead"]) -> None:
        self._portal = portal
        self._clock = clock
        self._setting = record
        self._mode: Entity | None = None
        self._mode_told = False
        self._mode_failures = 0
        self._mode_until = float("-inf")
        self._statuses: tuple[Status, ...] = ()
        self._statuses_until = float("-inf")
        self._confirmed: dict[tuple[Entity, str, str], float] = {}
        self._reading = asyncio.Lock()

    @property
    def usual(self) -> Entity:
        """What an enquiry becomes here, as far as is known: plain ids are ids of this."""
        return self._setting if self._setting != "auto" else self._mode or "deal"

    @property
    def may_be_other(self) -> bool:
        """An earlier enquiry may have become the other kind: the mode was once not to be read, or has changed."""
        return self._setting == "auto" and (self.usual == "lead" or not self._mode_told)

    @property
    def known_statuses(self) -> tuple[Status, ...]:
        """What was last read of `crm.status.list`."""
        return self._statuses

    async def warm(self) -> None:
        """Reads what is due, alongside other reads; failures wait for `record`."""
        if self._clock.monotonic() >= min(self._mode_until, self._statuses_until):
            async with self._reading:
                await asyncio.gather(self._read_mode(last_try=False), self._read_statuses())

    async def record(self) -> Entity:
        """Lead or deal. A mode that the portal does not tell means deal, and stays so until it is asked again:
        ids without a prefix are of this kind, so it must not change from one call to the next.
        """
        if self._clock.monotonic() >= self._mode_until:
            async with self._reading:
                await self._read_mode(last_try=True)
        return self.usual

    async def source_id(self, source: str) -> str:
        """The portal's source that `source` names by id or name, else "WEB"."""
        if self._clock.monotonic() >= self._statuses_until:
            async with self._reading:
                await self._read_statuses()
        wanted = source.strip().casefold()
        sources = [status for status in self._statuses if status.group == "SOURCE"]
        for status in sources:
            if wanted and wanted in (status.id.casefold(), status.name.strip().casefold()):
                return status.id
        if not sources and source.strip().upper() in DEFAULT_SOURCES:
            return source.strip().upper()
        return DEFAULT_SOURCE

    async def statuses(self) -> tuple[Status, ...]:
        """All of `crm.status.list`. Raises what the call raises."""
        answer = await self._portal.call("crm.status.list", {"order": {"SORT": "ASC"}})
        rows = answer.result if isinstance(answer.result, list) else []
        found = tuple(_status(row) for row in rows if isinstance(row, dict) and row.get("STATUS_ID"))
        if found:
            self._statuses = found
            self._statuses_until = self._clock.monotonic() + STATUSES_S
        return found

    def now_text(self) -> str:
        return moment(self._clock.now())

    # --- stages ------------------------------------------------------------------------------

    def stages(self, entity: Entity, category: str) -> list[Status]:
        """Stages of a pipeline in order; [] when they are not known."""
        group = stage_group(entity, category)
        return sorted((status for status in self._statuses if status.group == group), key=lambda each: each.sort)

    def stage_missing(self, entity: Entity, category: str, stage: str) -> bool:
        """The portal has told us the pipeline's stages and this is none of them: it would be dropped in silence."""
        stages = self.stages(entity, category)
        return bool(stages) and stage not in {status.id for status in stages}

    def first_stage(self, entity: Entity, category: str) -> str:
        for status in self.stages(entity, category):
            if not status.closed:
                return status.id
        return "NEW" if entity == "lead" or category in ("", "0") else f"C{category}:NEW"

    def stage_confirmed(self, entity: Entity, category: str, stage: str) -> bool:
        return self._clock.monotonic() < self._confirmed.get((entity, category, stage), float("-inf"))

    def confirm_stage(self, entity: Entity, category: str, stage: str) -> None:
        self._confirmed[entity, category, stage] = self._clock.monotonic() + CONFIRMED_S

    def doubt_stages(self) -> None:
        """A record landed elsewhere: what we know of stages is out of date."""
        self._statuses_until = float("-inf")
        self._confirmed.clear()

    # --- reading ------------------------------------------------------------------------------

    async def _read_mode(self, *, last_try: bool) -> None:
        if self._clock.monotonic() < self._mode_until:
            return
        if self._setting != "auto":
            self._mode_until = float("inf")
            return
        try:
            answer = await self._portal.call("crm.settings.mode.get")
        except ConnectorError as error:
            if isinstance(error, RateLimitedError) or (isinstance(error, AuthError) and error.status == 401):
                if last_try:  # nothing else would get through either
                    raise
                return
            if isinstance(error, PermanentError | AuthError):
                self._mode_unknown(error)
                return
            self._mode_failures += 1
            if self._mode_failures >= MODE_TRIES:
                self._mode_unknown(error)
            elif last_try:
                raise RetryableError("whether the portal has leads cannot be read", "crm.settings.mode.get") from error
        else:
            self._mode_told = str(answer.result) in ("1", "2")
            mode: Entity = "lead" if str(answer.result) == "1" else "deal"
            if self._mode not in (None, mode):
                log.warning("portal changed its mode", extra={"event": "bitrix24.mode_changed", "record": mode})
            self._mode = mode
            self._mode_until = self._clock.monotonic() + MODE_S
            self._mode_failures = 0

    def _mode_unknown(self, error: ConnectorError) -> None:
        log.warning("mode cannot be read", extra={"event": "bitrix24.mode_unknown", "error": str(error)})
        self._mode = self._mode or "deal"
        self._mode_until = self._clock.monotonic() + MODE_S

    async def _read_statuses(self) -> None:
        if self._clock.monotonic() < self._statuses_until:
            return
        try:
            await self.statuses()
        except ConnectorError as error:
            log.info("sources and stages cannot be read", extra={"event": "bitrix24.statuses", "error": str(error)})
        self._statuses_until = max(self._statuses_until, self._clock.monotonic() + RETRY_S)


def stage_group(entity: Entity, category: str) -> str:
    """The ENTITY_ID under which `crm.status.list` keeps the stages of a pipeline."""
    if entity == "lead":
        return "STATUS"
    return "DEAL_STAGE" if category in ("", "0") else f"DEAL_STAGE_{category}"


def _status(row: Mapping[str, Any]) -> Status:
    extra = row.get("EXTRA")
    semantics = str(row.get("SEMANTICS") or (extra.get("SEMANTICS") if isinstance(extra, dict) else "") or "").lower()
    sort = str(row.get("SORT") or "0")
    return Status(
        group=str(row.get("ENTITY_ID") or ""),
        id=str(row["STATUS_ID"]),
        name=str(row.get("NAME") or row["STATUS_ID"]),
        sort=int(sort) if sort.isdecimal() else 0,
        closed=bool(outcome := OUTCOMES.get(semantics, "")),
        outcome=outcome,
    )
