"""A lead that is in the CRM without some of its parts: what it lacks is written once the cause is mended."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.base import KINDS, Target
from connectors.errors import PermanentError
from connectors.records import DealIds, LinkChange, RecordObject, RecordPort
from jobs.delivery.deliver import Run
from jobs.delivery.drafts import Drafts

UNTOUCHED = timedelta(minutes=2)
"""A deal that changed later than this after it was made is in somebody's hands: it is not moved any more."""
Entry = Mapping[str, str]


@dataclass(slots=True)
class Completing:
    """One record. `incomplete`: entries as `jobs.delivery.drafts.Dropped.to_json` makes them."""

    run: Run
    target: Target
    deal_id: str
    contact_id: str
    settled_at: datetime
    port: RecordPort | None = None
    """Links what is made later to the deal."""

    async def write(self, incomplete: Collection[Entry]) -> list[Entry]:
        """Writes what can be written by now and returns what still cannot. Raises ConnectorError, LookLater."""
        drafts = await self.run.write_extras(self.deal_id)
        left: list[Entry] = []
        of_deal: dict[str, Entry] = {}
        of_contact: dict[str, Entry] = {}
        moves = False
        for entry in incomplete:
            name = entry["field"]
            if name == "contact":
                left += [] if await self._attached("contact", await self.run.late_contact(drafts)) else [entry]
            elif name == "company":
                left += [] if await self._attached("company", await self.run.late_company(drafts)) else [entry]
            elif name in KINDS:
                if not self.run.progress.step(name).id and name in self.run.extra:
                    left.append(entry)
            elif any(one.field == name for one in drafts.dropped):
                left.append(entry)
            elif key := _find(name, drafts.deal.fields, drafts.labels):
                of_deal[key] = entry
            elif key := _find(name, drafts.contact.fields, drafts.labels):
                of_contact[key] = entry
            else:
                moves = moves or name in ("stage", "pipeline")
        if of_deal:
            left += await self._fill_deal(drafts, of_deal)
        if of_contact:
            left += await self._fill_contact(drafts, of_contact)
        if moves:
            await self._move(drafts)
        return left

    async def _fill_deal(self, drafts: Drafts, entries: dict[str, Entry]) -> list[Entry]:
        left: list[Entry] = []
        while entries:
            try:
                await self.target.update_deal(self.deal_id, {key: drafts.deal.fields[key] for key in entries})
                break
            except PermanentError as error:
                if error.gone:
                    break
                refused = [key for key in entries if key in error.fields] or list(entries)
                left += [entries.pop(key) for key in refused]
        return left

    async def _fill_contact(self, drafts: Drafts, entries: dict[str, Entry]) -> list[Entry]:
        draft = replace(drafts.contact, fields={key: drafts.contact.fields[key] for key in entries})
        try:
            await self.target.enrich_contact(self.contact_id, draft)
        except PermanentError as error:
            return [] if error.gone else list(entries.values())
        return []

    async def _attached(self, kind: RecordObject, made: str) -> bool:
        """Whether what the CRM had taken in no form is made by now and hangs on the deal."""
        if not made or self.port is None:
            return False
        about: RecordObject = "deal"
        deal_id = self.deal_id
        if isinstance(self.target, DealIds):
            about, deal_id = await self.target.record_of(self.deal_id)
        (linked,) = await self.port.link(about, [LinkChange(deal_id, kind, made, main=True)])
        if linked.error is not None and not isinstance(linked.error, PermanentError):
            raise linked.error
        # Refused: of a deal that is gone nothing is owed; any other is offered its link again.
        return linked.error is None or await self.target.deal_state(self.deal_id) is None

    async def _move(self, drafts: Drafts) -> None:
        """To the stage where it should have begun, unless somebody works on it already."""
        state = await self.target.deal_state(self.deal_id)
        if state is None or state.closed or state.updated_at is None:
            return
        there = (state.pipeline, state.stage) == (drafts.deal.pipeline or state.pipeline, drafts.deal.stage)
        if drafts.deal.stage and not there and state.updated_at <= self.settled_at + UNTOUCHED:
            await self.target.reopen_deal(self.deal_id, drafts.deal.pipeline, drafts.deal.stage)


def _find(name: str, fields: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """The id of the field that an entry names by its label, or by its path in the mapping; "" for none."""
    for key in fields:
        label = labels.get(key, key)
        if name in (label, key) or name.endswith((f'["{label}"]', f".{label}")):
            return key
    return ""
