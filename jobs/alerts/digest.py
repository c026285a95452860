"""Yesterday's numbers for the owner, from the store."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from jobs.alerts.digest_text import DayDigest
from jobs.reports import day_window
from store import reading
from store.real import is_real
from store.recovered import count_recovered
from store.tables import t_delivery, t_lead

QUICK_S = 5.0
NO_SOURCES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def day_digest(
    conn: Connection, day: date, zone: ZoneInfo, sources: Mapping[str, Mapping[str, Any]] = NO_SOURCES
) -> DayDigest:
    """Of the leads received on `day`, as they stand now. `sources`: what a text may show of each."""
    since, until = day_window(day, zone)
    counts = reading.count_by_status(conn, since, until)
    latency = reading.latency(conn, since, until)
    took = sorted((*latency.seconds, *latency.looked_up))
    leads = conn.execute(
        select(t_lead.c.id, t_lead.c.flags, t_lead.c.data).where(
            t_lead.c.received_at >= since, t_lead.c.received_at < until, is_real()
        )
    ).all()
    without = Counter(str(row.data.get("form", "")) for row in leads if not _has_source(row.data))
    form, of_form = without.most_common(1)[0] if without else ("", 0)
    return DayDigest(
        day=day,
        accepted=sum(counts.values()),
        delivered=counts.get("delivered", 0),
        not_arrived=counts.get("pending", 0) + counts.get("failed", 0),
        within_5s=sum(one < QUICK_S for one in took),
        slowest_s=took[-1] if took else 0.0,
        repeats=_joined(conn, [row.id for row in leads if "contact_shared" not in row.flags]),
        recovered=tuple(
            (count, str(sources[name].get("vendor") or name))
            for name, count in count_recovered(conn, since, until).items()
            if name in sources and sources[name].get("group") == "telephony"
        ),
        conflicts=sum("identity_conflict" in row.flags for row in leads),
        spam=sum(any(flag.startswith("spam_") for flag in row.flags) for row in leads),
        no_source=sum(without.values()),
        no_source_form=form,
        no_source_of_form=of_form if form else 0,
    )


def _has_source(data: dict[str, Any]) -> bool:
    """Whether it is known where the visitor came from; coming straight to the page is not an answer."""
    touch = data.get("touch") or {}
    return bool(data.get("utm")) or touch.get("channel", "direct") not in ("", "direct")


def _joined(conn: Connection, lead_ids: list[str]) -> int:
    """Leads that became a note on an open deal."""
    count = 0
    for start in range(0, len(lead_ids), 400):
        query = select(func.count(t_delivery.c.lead_id.distinct())).where(
            t_delivery.c.lead_id.in_(lead_ids[start : start + 400]), t_delivery.c.outcome == "joined"
        )
        count += int(conn.execute(query).scalar_one())
    return count


def yesterday(today: date) -> date:
    return today - timedelta(days=1)
