"""`python -m tests.bench [--quick] [--report FILE] [--only NAME …] [--sync-share 0.05]`: prints one table."""

import argparse
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import (
    accepting,
    claims,
    doors,
    drafting,
    drain,
    latency,
    moving,
    resources,
    servers,
    sync,
    sync_live,
)
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.table import Row, render

HEAD = """# Benchmarks

`make bench` prints this table; nothing in it is asserted by a test. Measured on {date}, on {cpus} cores ({system},
Python {python}). The baseline is a Procrastinate app as its documentation shows, a web process and a worker, one task a
lead, on the same PostgreSQL in the same run (its log files are there already, as on a server that has run for a day);
where a ratio stands without it, it is to the line before. The drain, the first syncs and the moves (`--only sync`,
`--only moving`, at the full size unless `--sync-share` says less: 15 minutes of CPU each) run on virtual time against
the sandboxes' real limits. Ratios say more than single figures: machines differ, and are busy.

{table}
"""


MEASUREMENTS: dict[str, Callable[[Path, Scale, str], list[Row]]] = {
    "resources": lambda folder, scale, _: resources.measure(folder, scale),
    "accepting": accepting.measure,
    "latency": lambda folder, scale, _: latency.measure(folder, scale),
    "drafting": lambda *_: drafting.measure(),
    "doors": doors.measure,
    "claims": claims.measure,
    "drain": lambda folder, scale, _: drain.measure(folder, scale),
    "sync": lambda folder, scale, _: sync.measure(folder, scale),
    "moving": lambda folder, scale, _: moving.measure(folder, scale),
    "sync_live": lambda folder, scale, _: sync_live.measure(folder, scale),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS)
    parser.add_argument("--sync-share", type=float, help="of the full number of records; 0.05 for a short look")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    scale: Scale = QUICK if given.quick else FULL
    if given.sync_share is not None:
        scale = replace(scale, sync_share=given.sync_share)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="leadhub-bench-") as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "server").mkdir()
        with servers.postgres(root / "server") as uri:
            for title, measure in MEASUREMENTS.items():
                if given.only and title not in given.only:
                    continue
                folder = root / title
                folder.mkdir()
                print(f"{title} …", file=sys.stderr, flush=True)
                rows += measure(folder, scale, uri)
    table = render(rows)
    print(table)
    if given.report:
        page = HEAD.format(
            date=datetime.now(UTC).date().isoformat(),
            cpus=len(os.sched_getaffinity(0)),
            system=platform.system(),
            python=platform.python_version(),
            table=table,
        )
        given.report.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
