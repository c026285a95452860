"""How long each measurement takes: in earnest, or only long enough to show that it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    load_s: float = 10.0
    """Of the closed loop at full speed."""
    steady_s: float = 30.0
    """Of the stream of 50 enquiries a second."""
    backlog: int = 10_000
    fresh_every_s: float = 60.0
    finished_rows: tuple[int, int] = (1_000, 1_000_000)
    claims: int = 300
    sync_share: float = 1.0
    """Of the 20,000 contacts, 5,000 companies and 8,000 deals of each side."""
    sync_fresh_every_s: float = 3.0
    sync_memory_share: float = 0.1
    """The same, of the smaller of the two first syncs whose memory is compared."""
    starts: int = 5
    idle_s: float = 5.0


FULL = Scale()
QUICK = Scale(
    load_s=0.4,
    steady_s=0.6,
    backlog=30,
    fresh_every_s=2.0,
    finished_rows=(100, 1_000),
    claims=5,
    sync_share=0.002,
    sync_fresh_every_s=1.0,
    sync_memory_share=0.002,
    starts=1,
    idle_s=0.1,
)
