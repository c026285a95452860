"""`python -m tests.simulate --seeds N [--first K]`: plays N schedules, prints what failed and how to replay it."""

import argparse
import multiprocessing
import os
import sys
import time

from tests.simulate.batch import play
from tests.simulate.schedule import Report

AT_ONCE = 10
TOLD_EVERY = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    end = given.first + given.seeds
    chunks = [range(start, min(start + AT_ONCE, end)) for start in range(given.first, end, AT_ONCE)]
    started = time.monotonic()
    reports: list[Report] = []
    of_one_core_s = 0.0
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=20) as pool:
        for done, cpu_s in pool.imap_unordered(play, chunks):
            of_one_core_s += cpu_s
            for report in done:
                reports.append(report)
                _tell(report)
            if len(reports) % TOLD_EVERY < AT_ONCE:
                print(f"{len(reports)} of {given.seeds} after {time.monotonic() - started:.0f} s", flush=True)
    took = time.monotonic() - started
    failed = sum(bool(report.problems) for report in reports)
    print(
        f"{len(reports)} schedules, {failed} failed; {sum(r.accepted for r in reports)} leads accepted, "
        f"{sum(r.duplicates_sent for r in reports)} sent again, {sum(len(r.crashes) for r in reports)} crashes, "
        f"{sum(r.faults for r in reports)} faults, {sum(r.calls for r in reports)} calls, "
        f"{sum(r.virtual_s for r in reports) / 86400:.1f} virtual days in {took:.0f} s on {given.jobs} processes "
        f"({len(reports) / of_one_core_s * 60:.0f} schedules a minute of one core)"
    )
    return 1 if failed else 0


def _tell(report: Report) -> None:
    if not report.problems:
        return
    print(f"seed {report.seed} FAILED; replay: python -m tests.simulate --seeds 1 --first {report.seed}")
    for problem in report.problems:
        print(f"    {problem}")
    print(f"    crashes: {'; '.join(report.crashes)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
