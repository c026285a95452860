"""What this process has put into the spool: a sender's repeat is recognised before the database knows of either."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.doors import Inbound, ParsedLead, content_key
from jobs.intake.kept import dedup_keys
from jobs.intake.source import Source


@dataclass(frozen=True, slots=True)
class SpooledBefore:
    """`lead_id` was answered; `content` as of `content_key`."""

    lead_id: str
    at: datetime
    content: str


@dataclass(slots=True)
class Spooled:
    """Of each lead, by its keys, until all of the spool is taken in."""

    _by_key: dict[str, SpooledBefore] = field(default_factory=dict)

    def before(self, source: Source, inbound: Inbound, leads: Sequence[ParsedLead]) -> list[SpooledBefore | None]:
        """For each lead the same one that waits in the spool; None: none does."""
        return [self._same(source, inbound, lead) for lead in leads]

    def _same(self, source: Source, inbound: Inbound, lead: ParsedLead) -> SpooledBefore | None:
        keys, since = dedup_keys(source.name, source.settings, lead, inbound.received_at)
        found = (self._by_key.get(key) for key in keys)
        return next((one for one in found if one and (since is None or one.at >= since)), None)

    def are_same(self, source: Source, known: Sequence[SpooledBefore | None], leads: Sequence[ParsedLead]) -> bool:
        """Whether nothing is new in them."""
        contents = [content_key(source.name, lead) for lead in leads]
        return [one.content if one else "" for one in known] == contents

    def remember(self, source: Source, inbound: Inbound, leads: Sequence[ParsedLead], ids: Sequence[str]) -> None:
        for lead, lead_id in zip(leads, ids, strict=True):
            one = SpooledBefore(lead_id, inbound.received_at, content_key(source.name, lead))
            self._by_key.setdefault(dedup_keys(source.name, source.settings, lead, inbound.received_at)[0][0], one)

    def clear(self) -> None:
        self._by_key.clear()
