"""Leads and acceptances with invented people."""

from collections.abc import Sequence
from typing import Any

from leads.ids import new_id
from leads.records import Lead, Touch
from store.engines import make_engine
from store.intake import Acceptance, Intake, PlannedDelivery, RawRequest
from tests.support.manual_clock import ManualClock


def lead(clock: ManualClock, **values: Any) -> Lead:
    at = clock.now()
    base: dict[str, Any] = {
        "id": new_id(clock),
        "source": "site",
        "received_at": at,
        "name": "Иван Петров",
        "phones": ("+79161234567",),
        "touch": Touch(at=at, source="site", utm={"utm_source": "yandex"}, channel="ad"),
    }
    return Lead(**{**base, **values})


def acceptance(clock: ManualClock, to: Sequence[str] = ("sales",), **values: Any) -> Acceptance:
    one = lead(clock, **values)
    key = f"u:{one.source}:{one.lead_uid}" if one.lead_uid else f"c:{one.id}"
    return Acceptance(
        lead=one,
        raw=RawRequest("POST", "/in/site", {"content-type": "application/json"}, b'{"name": "x"}', "203.0.113.5"),
        dedup_keys=(key,),
        deliveries=tuple(PlannedDelivery(name, "all") for name in to),
    )


def accept_leads(url: str, clock: ManualClock, count: int) -> None:
    """So many, each of a person of its own."""
    engine = make_engine(url, writer=True)
    with engine.begin() as conn:
        items = [acceptance(clock, phones=(f"+7916{number:07d}",), lead_uid=str(number)) for number in range(count)]
        Intake(clock).accept(conn, items)
    engine.dispose()
