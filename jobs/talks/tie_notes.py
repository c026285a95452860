"""Two persons turned out to be one: the deals of both say so, with a link to each other."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from connectors.base import Kind
from jobs.talks.gathering import channel_name
from leads.clock import Clock
from leads.records import Lead
from mappings.filters import pretty_phone
from store import deal_notes
from store.ties import TIED, KnownDeal, Tie

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TieNotes:
    """Works inside a transaction that its caller holds."""

    clock: Clock
    urls: Mapping[str, Callable[[Kind, str], str]]
    """Connection -> where people see a record of it."""
    locale: str = "en"

    def tell(self, conn: Connection, tie: Tie) -> tuple[str, ...]:
        """Owes a note to each newest deal of both; returns the connections."""
        due: dict[str, None] = {}
        sides = (("known", tie.kept_deals, tie.gone_deals), ("messenger", tie.gone_deals, tie.kept_deals))
        for side, deals, others in sides:
            for name, deal in deals.items():
                text = self._text(tie, name, deal, others.get(name))
                subject = f"person:{tie.gone}:{side}:{name}"
                due |= dict.fromkeys(
                    deal_notes.tell(conn, self.clock, subject, tie.lead.id, text, {name: deal.lead_id}, {})
                )
        fields = {"event": TIED, "lead_id": tie.lead.id, "person_id": tie.kept, "was": tie.gone}
        log.info("two persons turned out to be one", extra=fields)
        return tuple(due)

    def _text(self, tie: Tie, connection: str, deal: KnownDeal, other: KnownDeal | None) -> str:
        russian = self.locale == "ru"
        lines = [_head(tie.lead, russian)]
        if other is not None and other.deal_id != deal.deal_id:
            where = self._place(connection, "deal", other.deal_id)
            lines.append(f"{'Другая сделка этого человека' if russian else 'Their other deal'}: {where}")
        if other is not None and other.contact_id and deal.contact_id and other.contact_id != deal.contact_id:
            two = ", ".join(self._place(connection, "contact", one.contact_id) for one in (deal, other))
            lines.append(
                f"В CRM это два контакта: {two}. Объедините их в CRM, leadhub этого не делает."
                if russian
                else f"The CRM has two contacts: {two}. Merge them there; leadhub does not."
            )
        return "\n".join(lines)

    def _place(self, connection: str, kind: Kind, record_id: str) -> str:
        if not record_id:
            return "ещё передаётся" if self.locale == "ru" else "on its way"
        url = self.urls[connection](kind, record_id) if connection in self.urls else ""
        return url if url.startswith(("https://", "http://")) else record_id


def _head(lead: Lead, russian: bool) -> str:
    channel = channel_name(lead.messengers[0][0]) if lead.messengers else lead.source
    said = ", ".join([*map(pretty_phone, lead.phones), *lead.emails])
    if russian:
        return f"Оказалось, что это один человек: в {channel} назван контакт, который уже был известен ({said})."
    return f"This turned out to be one person: in {channel} they gave a contact that was known already ({said})."
