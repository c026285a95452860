"""How long and how hard: the long form that is published, and the short one that runs with the tests."""

from dataclasses import dataclass, field

from connectors.sandbox.base import FaultKind
from tests.support.hub_main import QUICK


@dataclass(frozen=True)
class Plan:
    """Numbers of leads by what happens to them; seconds are real ones unless they say otherwise."""

    name: str
    persons: int
    storm_leads: int
    """While one answer in five is bad and workers are killed."""
    storm_tail_s: float
    """How long answers stay bad after the last of them was sent."""
    outage_leads: int
    outage_s: float
    """All three CRMs refuse connections."""
    lost_acks: int
    away_leads: int
    """For each of the outages in which the clock is moved, in so many steps."""
    away_steps: int
    trouble_leads: int
    """For each trouble of our own: database stopped, disk full, clock set."""
    trouble_s: float
    kills: int
    """Of the web process, to measure how soon leads are accepted again."""
    per_s: float
    """Leads sent in a second."""
    killed_every_s: float
    look_factor: float
    hang_s: float
    late_s: tuple[float, ...]
    """Seconds after its 504 at which a write lands."""
    long_hang_s: float = 0.0
    """Longer than the hub waits for an answer; 0: none."""
    pace: dict[str, float] = field(default_factory=dict)

    def faults(self, connection: str) -> list[tuple[FaultKind, float, float]]:
        """(kind, share of the calls, seconds): together a fifth of all.

        Too fast is a 503 at Bitrix24. Its 429 means that a method has used up its time and is to be left
        alone for up to ten minutes, which would make a test of patience out of this one.
        """
        too_fast: FaultKind = "503" if connection == "b24" else "429"
        plain: tuple[FaultKind, ...] = (
            *("500", "500_after", "502", too_fast),
            *("reset", "reset_after", "html200", "truncated"),
        )
        found: list[tuple[FaultKind, float, float]] = [(kind, 0.02, 0.0) for kind in plain]
        found += [("hang", 0.01, self.hang_s), ("401", 0.01, 0.0)]
        found += [("504_late", 0.02 / len(self.late_s), seconds) for seconds in self.late_s]
        if self.long_hang_s:
            found.append(("hang", 0.002, self.long_hang_s))
        return found


LONG = Plan(
    name="long",
    persons=300,
    storm_leads=600,
    storm_tail_s=60.0,
    outage_leads=1500,
    outage_s=60.0,
    lost_acks=250,
    away_leads=60,
    away_steps=36,
    trouble_leads=60,
    trouble_s=12.0,
    kills=10,
    per_s=25.0,
    killed_every_s=12.0,
    look_factor=1.0,
    hang_s=8.0,
    late_s=(3.0, 9.0, 20.0),
    long_hang_s=40.0,
)
SHORT = Plan(
    name="short",
    persons=40,
    storm_leads=50,
    storm_tail_s=4.0,
    outage_leads=50,
    outage_s=4.0,
    lost_acks=25,
    away_leads=15,
    away_steps=9,
    trouble_leads=15,
    trouble_s=4.0,
    kills=2,
    per_s=15.0,
    killed_every_s=3.0,
    look_factor=0.1,
    hang_s=1.0,
    late_s=(0.5, 1.5),
    pace=QUICK,
)
