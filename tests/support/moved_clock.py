"""The machine's clock moved by what a small file says: several processes read the same file and are moved together."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leads.clock import SystemClock

_OFFSETS = struct.Struct("<dd")


class MovedClock(SystemClock):
    """`now` and `monotonic` are ahead of the machine's by the offsets in the file, in seconds."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(_OFFSETS.pack(0.0, 0.0))
        with open(file, "r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _OFFSETS.size)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offsets()[0])

    def monotonic(self) -> float:
        return super().monotonic() + self._offsets()[1]

    def jump(self, seconds: float) -> None:
        """The wall clock was set: no time has passed."""
        wall, monotonic = self._offsets()
        self._shared[:] = _OFFSETS.pack(wall + seconds, monotonic)

    def pass_by(self, seconds: float) -> None:
        """So much time has passed for everybody."""
        wall, monotonic = self._offsets()
        self._shared[:] = _OFFSETS.pack(wall + seconds, monotonic + seconds)

    def _offsets(self) -> tuple[float, float]:
        wall, monotonic = _OFFSETS.unpack(self._shared[:])
        return wall, monotonic
