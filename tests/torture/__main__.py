"""`python -m tests.torture [--report FILE] [--short] [--database sqlite|postgresql] [--seed N]`."""

import argparse
import asyncio
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.torture.plan import LONG, SHORT
from tests.torture.report import report
from tests.torture.run import Outcome, torture

BUGS = "## Deliberate bugs"


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def write(file: Path, text: str) -> None:
    """Replaces the page, but for the section that is not ours."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    kept = re.search(rf"^{BUGS}$.*", old, re.MULTILINE | re.DOTALL)
    file.write_text(f"{text}\n{kept[0] if kept else BUGS}\n".rstrip("\n") + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    plan = SHORT if given.short else LONG
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="leadhub-torture-") as name:
        Path(name).chmod(0o755)
        for kind in given.database or ("sqlite", "postgresql"):
            outcome = asyncio.run(torture(plan, kind, Path(name) / kind, given.seed, say))
            outcomes.append(outcome)
    text = report(plan, outcomes, datetime.now(UTC))
    print(text)
    if given.report is not None:
        write(given.report, text)
    return 1 if any(one.problems() for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
