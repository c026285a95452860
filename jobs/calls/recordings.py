"""Recordings that come after their call became a lead: their link goes to the CRM once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from leads.call_text import recording_line
from leads.clock import Clock
from store import recordings
from store.errands import lease_of
from store.events import KnownCall


@dataclass(frozen=True, slots=True)
class Recordings:
    """`fetchable`: sources whose recordings we can fetch; of those we have a link of our own, under `public_url`."""

    clock: Clock
    locale: str
    zone: tzinfo
    public_url: str = ""
    fetchable: Collection[str] = ()
    copied_after: Mapping[str, float] = field(default_factory=dict)
    """Source -> after how many seconds its recordings are to be copied."""
    perishable: Collection[str] = ()
    """Those of `fetchable` whose vendor's addresses run out: our own link is better there."""

    def linked(self, known: KnownCall) -> KnownCall:
        """With a link of ours where the vendor gives only an id, or an address that runs out."""
        call = known.call
        lasts = call.recording_url and known.source not in self.perishable
        if lasts or not call.recording_id or not self._own(known):
            return known
        return replace(known, call=replace(call, recording_url=self._own(known)))

    def _own(self, known: KnownCall) -> str:
        fetched = bool(self.public_url) and known.source in self.fetchable
        return f"{self.public_url.rstrip('/')}/recordings/{known.id}" if fetched else ""

    def take(self, conn: Connection, calls: Iterable[KnownCall], fresh: Collection[str], at: datetime) -> list[str]:
        """After calls changed; `fresh`: ids of those that became leads with this change, so that the lead has the link.

        Returns the connections where a note is due.
        """
        due: list[str] = []
        for one in calls:
            known = self.linked(one)
            link = known.call.recording_url
            after_s = self.copied_after.get(one.source) if one.call.recording_id or one.call.recording_url else None
            copy_at = None if after_s is None else at + timedelta(seconds=after_s)
            if not (link or copy_at) or not recordings.keep(conn, one, at, copy_at):
                continue
            if copy_at:
                due.append(lease_of(one.source))
            if link and known.lead_id and known.id not in fresh:
                text = recording_line(known.call, self.locale, self.zone, link)
                due += recordings.owe_note(conn, known, link, text, self.clock)
        return due
