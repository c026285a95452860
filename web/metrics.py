"""Prometheus metrics: numbers only, never a person, never a secret."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs.hub import Hub
from jobs.reports import DayStatus

Found = tuple[str, str]
"""(source, "call" or "lead") of what never came by itself."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What only the database knows."""

    status: DayStatus
    events_waiting: int
    recovered: Mapping[Found, int]


class HubCollector(Collector):
    """What is true at the moment of the scrape; of `stored` nothing while the database is away."""

    def __init__(self, hub: Hub, stored: Stored | None) -> None:
        self._hub = hub
        self._stored = stored

    def collect(self):  # type: ignore[no-untyped-def]  # the library's own signature is untyped
        hub = self._hub
        there = int(self._stored is not None)
        yield GaugeMetricFamily("leadhub_database_up", "1 when the database can be read", value=there)
        yield GaugeMetricFamily("leadhub_spool_records", "Leads waiting in the spool", value=hub.spool.waiting)
        yield GaugeMetricFamily("leadhub_accepted", "Leads accepted by this process", value=hub.intake.accepted)
        yield GaugeMetricFamily("leadhub_refused", "Requests refused by this process", value=hub.intake.refusals.count)
        owned = GaugeMetricFamily("leadhub_connection_owned", "1 when this process owns it", labels=["connection"])
        for name, connection in hub.connections.items():
            owned.add_metric([name], 1 if connection.owner.owning else 0)
        yield owned
        if self._stored is not None:
            yield from self._from_database(self._stored)

    def _from_database(self, stored: Stored) -> Iterator[GaugeMetricFamily]:
        hub, status = self._hub, stored.status
        today = GaugeMetricFamily("leadhub_leads_today", "Leads received today, by status", labels=["status"])
        for name in ("delivered", "pending", "failed", "discarded"):
            today.add_metric([name], getattr(status, name))
        yield today
        yield GaugeMetricFamily("leadhub_not_arrived", "Leads of any day that are owed", value=status.owed)
        oldest = (status.now - status.oldest_pending).total_seconds() if status.oldest_pending else 0.0
        yield GaugeMetricFamily("leadhub_oldest_pending_seconds", "Age of the oldest pending lead", value=oldest)
        latency = GaugeMetricFamily("leadhub_latency_seconds", "Receipt to CRM, leads of today", labels=["quantile"])
        for share in (0.5, 0.95, 0.99):
            latency.add_metric([str(share)], status.latency.quantile(share) or 0.0)
        yield latency
        waiting = stored.events_waiting
        yield GaugeMetricFamily("leadhub_events_waiting", "Events accepted, not worked on", value=waiting)
        errands = GaugeMetricFamily("leadhub_errands", "Errands at sources that are owed", labels=["source", "state"])
        for name, owed in status.unread_now.items():
            errands.add_metric([name, "waiting"], owed.waiting)
            errands.add_metric([name, "failed"], owed.failed)
        for name, owed in status.unclaimed.items():
            errands.add_metric([name, "unclaimed"], owed.waiting + owed.failed)
        yield errands
        found = GaugeMetricFamily(
            "leadhub_recovered_today", "Found in the source's own list", labels=["source", "what"]
        )
        for (name, what), count in stored.recovered.items():
            found.add_metric([name, what], count)
        yield found
        late = hub.callbacks.waiting
        yield GaugeMetricFamily("leadhub_not_called_back", "People with a missed call past its time", value=late)
        up = GaugeMetricFamily("leadhub_connection_up", "1 when the CRM takes leads", labels=["connection"])
        for name in hub.connections:
            state = status.connections.get(name, {}).get("state", "ok")
            up.add_metric([name], 1 if state in ("ok", "degraded") else 0)
        yield up


def render(hub: Hub, stored: Stored | None) -> bytes:
    registry = CollectorRegistry()
    registry.register(HubCollector(hub, stored))
    return generate_latest(registry)
