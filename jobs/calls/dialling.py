"""Click-to-call: who is to be rung through which source, and the vendor asked once."""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from connectors.base import CrmUser
from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError, RetryableError
from connectors.links import Dials, Link
from connectors.pbx import PbxSettings
from jobs.checkpoints import Checkpoint, passed
from jobs.intake.source import Source
from jobs.metadata import MetadataCache
from jobs.pace import NORMAL, Pace
from jobs.waking import in_rounds, stored, together
from leads.clock import Clock
from leads.ids import new_id
from leads.phones import phones
from store import dialled
from store.db import Database, StoreUnavailable
from store.dialled import DialSettlement, Wanted
from store.leases import Held, LostLease
from store.operator import record_action

log = logging.getLogger(__name__)

AT_ONCE = 4
DIAL_S = 30.0
TOO_LATE = timedelta(minutes=2)
"""A phone that rings later than this is no answer to the click any more."""
AGAIN_S = 3.0


class CannotDial(Exception):
    """The text says why; `what` names the field that is to blame, "" for none."""

    def __init__(self, why: str, what: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.what = what


@dataclass(frozen=True, slots=True)
class Dialling:
    """Takes a person's wish to call. `metadata`: connection -> what its CRM knows of users."""

    db: Database
    clock: Clock
    sources: Mapping[str, Source]
    links: Mapping[str, Link]
    metadata: Mapping[str, MetadataCache]
    region: str = ""

    async def ask(self, connection: str, user: str, phone: str, *, actor: str, source: str = "", key: str = "") -> str:
        """Our id of the call; with the same `key` once more the same. Raises CannotDial, StoreUnavailable."""
        if connection not in self.metadata:
            raise CannotDial(f"there is no connection {connection!r}", "connection")
        number = self._number(phone)
        names = await self._names_of(connection, user)
        name, extension = self._source_for(names, user, source)
        wanted = Wanted(
            id=_id_of(f"{connection}:{key}") if key else new_id(self.clock),
            connection=connection,
            source=name,
            user_id=user,
            extension=extension,
            phone=number,
            actor=actor,
            created_at=self.clock.now(),
        )

        def work(conn: Connection) -> None:
            if dialled.ask(conn, wanted):
                data = {"connection": connection, "source": name, "extension": extension}
                record_action(conn, self.clock, actor=actor, action="call.dial", subject=wanted.id, data=data)

        await self.db.write(work)
        return wanted.id

    def _number(self, phone: str) -> str:
        found = phones(phone, self.region).found
        if len(found) != 1:
            raise CannotDial("not a phone number; write it with its country, as +79161234567", "phone")
        return found[0]

    async def _names_of(self, connection: str, user: str) -> frozenset[str]:
        """All that `extensions` may call this user: id, e-mail and name, as far as the CRM tells."""
        metadata, _ = await self.metadata[connection].get()
        return names_of(user, metadata.users)

    def _source_for(self, names: frozenset[str], user: str, wanted: str) -> tuple[str, str]:
        able = {name: link for name, link in self.links.items() if isinstance(link, Dials) and name in self.sources}
        if wanted and wanted not in able:
            raise CannotDial(f"the source {wanted!r} cannot dial", "source")
        if not able:
            raise CannotDial("no source can dial: configure one of telephony with the key of its API")
        for name in [wanted] if wanted else able:
            settings = self.sources[name].settings
            extension = extension_of(settings.extensions, names) if isinstance(settings, PbxSettings) else ""
            if extension:
                return name, extension
        raise CannotDial(f"no extension of {user!r}: name it in `extensions` of the source", "user")


def names_of(user: str, users: Iterable[CrmUser]) -> frozenset[str]:
    wanted = user.strip().casefold()
    for one in users:
        names = frozenset(part.strip().casefold() for part in (one.id, one.email, one.name) if part.strip())
        if wanted in names:
            return names
    return frozenset({wanted})


def extension_of(extensions: Mapping[str, str], names: frozenset[str]) -> str:
    """The first extension of one who is called by any of `names`, or ""."""
    return next((extension for extension, user in extensions.items() if user.strip().casefold() in names), "")


def _id_of(key: str) -> str:
    return str(UUID(bytes=hashlib.sha256(f"dial:{key}".encode()).digest()[:16], version=5))


@dataclass(slots=True)
class DialRuns:
    """Part of a source's worker: asks the vendor for what was wished. What was sent is never sent again."""

    source: str
    link: Dials
    db: Database
    clock: Clock
    checkpoint: Checkpoint = passed
    pace: Pace = NORMAL
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self._wake.set()

    def try_now(self) -> None:
        self._wake.set()

    async def run(self, held: Held) -> None:
        """Raises LostLease, StoreUnavailable."""
        now = self.clock.now()
        left = await self.db.write(dialled.take_over, held=held, source=self.source, now=now)
        if left:
            fields = {"event": "dial.unknown", "source": self.source, "count": left}
            log.warning("calls were being dialled when an owner went away", extra=fields)
        await in_rounds(self._wake, partial(self._round, held))

    async def _round(self, held: Held) -> float:
        name, now = self.source, self.clock.now()
        due = await self.db.read(dialled.next_due, source=name)
        if due is None or due > now:
            return self.pace.until(due, now)
        claimed = await self.db.write(dialled.claim, held=held, source=name, now=now, limit=AT_ONCE)
        await self.checkpoint("dial claimed")
        await together(self._dial(held, one) for one in claimed)
        return 0.0

    async def _dial(self, held: Held, wanted: Wanted) -> None:
        done = await self._asked(wanted)
        log.log(
            logging.INFO if done.state == "accepted" else logging.WARNING,
            "call dialled",
            extra={
                "event": f"dial.{done.state}",
                "source": self.source,
                "dialled_id": wanted.id,
                "error": done.error,
            },
        )
        await self.checkpoint("dialled")
        await stored(partial(self.db.write, dialled.settle, held, wanted.id, done), self.clock)

    async def _asked(self, wanted: Wanted) -> DialSettlement:
        now = self.clock.now()
        if now - wanted.created_at > TOO_LATE:
            return DialSettlement("failed", now, error="not dialled in time")
        try:
            async with asyncio.timeout(DIAL_S):
                command_id = await self.link.dial(wanted.extension, wanted.phone, wanted.id)
        except (LostLease, StoreUnavailable):
            raise
        except (AuthError, PermanentError) as error:
            return DialSettlement("failed", self.clock.now(), error=str(error))
        except RetryableError as error:  # nothing was written
            now = self.clock.now()
            wait_s = error.retry_after_s if isinstance(error, RateLimitedError) else AGAIN_S
            due_at = now + timedelta(seconds=wait_s)
            if due_at - wanted.created_at > TOO_LATE:
                return DialSettlement("failed", now, error=str(error))
            return DialSettlement("queued", now, error=str(error), due_at=due_at)
        except Exception as error:  # not foreseen: it may be ringing
            said = str(error) if isinstance(error, ConnectorError) else type(error).__name__
            return DialSettlement("unknown", self.clock.now(), error=f"the vendor did not confirm it: {said}")
        return DialSettlement("accepted", self.clock.now(), command_id=command_id)
