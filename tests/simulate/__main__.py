"""`python -m tests.simulate --seeds N [--first K]`: plays N schedules, prints what failed and how to replay it."""

import argparse
import logging
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from tests.simulate.schedule import Report, prepare, run_seed


def play(numbers: range) -> list[Report]:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        settings, template = prepare(Path(name))
        return [run_seed(seed, settings, template) for seed in numbers]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    started = time.monotonic()
    chunks = [
        range(n, min(n + 10, given.first + given.seeds)) for n in range(given.first, given.first + given.seeds, 10)
    ]
    reports: list[Report] = []
    failed = 0
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for done in pool.imap_unordered(play, chunks):
            for report in done:
                reports.append(report)
                if report.problems:
                    failed += 1
                    print(
                        f"seed {report.seed} FAILED (replay: python -m tests.simulate --seeds 1 --first {report.seed})"
                    )
                    for problem in report.problems:
                        print(f"    {problem}")
                    print(f"    crashes: {report.crashes}")
    took = time.monotonic() - started
    print(
        f"{len(reports)} schedules, {failed} failed; {sum(r.accepted for r in reports)} leads accepted, "
        f"{sum(r.duplicates_sent for r in reports)} sent again, {sum(len(r.crashes) for r in reports)} crashes, "
        f"{sum(r.faults for r in reports)} faults, {sum(r.calls for r in reports)} calls, "
        f"{sum(r.virtual_s for r in reports) / 86400:.1f} virtual days in {took:.0f} s "
        f"({len(reports) / took * 60:.0f} schedules a minute)"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
