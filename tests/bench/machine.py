"""Whether the machine kept its speed meanwhile. Shared machines stand still for a tenth of a second now and then.

A process of its own does the same small sum every few milliseconds, and notes the processor time that it took. Waiting
for a processor costs no processor time: where the sum takes much more than usual, the processor itself was slow.
"""

import json
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.bench.table import Row, at_most, percentile

PAUSE_S = 0.005
SUM = 2_000
"""Some 40 µs of work: a hundredth of a processor."""
SLOW = 3
"""Times as long as usual."""


@dataclass(slots=True)
class Watched:
    """Filled when the watch ends; `slow`: from, to, by `time.monotonic`; `share` of the time that this was."""

    slow: list[tuple[float, float]] = field(default_factory=list)
    share: float = 0.0

    def kept_speed(self, began: float, ended: float) -> bool:
        place = bisect_left(self.slow, began, key=lambda slow: slow[1])
        return place == len(self.slow) or self.slow[place][0] >= ended

    def undisturbed_ms(self, answers: dict[str, Any]) -> list[float]:
        """Of what `processes.send_load` tells of a stream the waits in which the machine kept its speed."""
        waits = zip(answers["answered_at"], answers["latencies_ms"], strict=True)
        return [ms for at, ms in waits if self.kept_speed(at - ms / 1000, at)]

    def row(self, undisturbed_ms: Sequence[float], aim_ms: float) -> Row:
        kept = f"{100 * (1 - self.share):.0f} % of the time"
        return at_most(
            f"  p99 while the machine kept its speed, {kept}", percentile(undisturbed_ms, 0.99), aim_ms, "ms", digits=1
        )


@contextmanager
def watched() -> Iterator[Watched]:
    found = Watched()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.machine"], stdout=subprocess.PIPE)
    try:
        yield found
    finally:
        process.terminate()
        out, _ = process.communicate()
    noted: list[list[float]] = json.loads(out)
    usual = sorted(took for _, _, took in noted)[len(noted) // 2]
    found.slow = [(began, ended) for began, ended, took in noted if took > SLOW * usual]
    found.share = sum(ended - began for began, ended in found.slow) / (noted[-1][1] - noted[0][0])


def main() -> None:
    noted: list[tuple[float, float, float]] = []
    ending: list[Any] = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    began = time.monotonic()
    while not ending or not noted:
        before = time.thread_time()
        sum(range(SUM))
        took, ended = time.thread_time() - before, time.monotonic()
        noted.append((began, ended, took))
        began = ended
        time.sleep(PAUSE_S)
    json.dump(noted, sys.stdout)


if __name__ == "__main__":
    main()
