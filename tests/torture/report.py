"""The outcome as a page for people: what was done, what became of it, and with what it may be compared."""

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from statistics import median

from tests.torture.plan import Plan
from tests.torture.run import Outcome

HEAD = """# Torture

Real processes, real sockets, real SIGKILL. Leads of {persons} persons go to sandboxes of amoCRM, Bitrix24 and HubSpot
at once, while the CRMs, the network, the database, the disk and the clock fail one after the other. Afterwards what
the CRMs hold is compared, record by record, with what the senders were told, and `leadhub audit` is asked as well.

`make torture` runs it and writes this page; a short form runs in `make test` (`tests/torture/test_short.py`).
Written on {date}, on {cpus} cores and {memory:.0f} GB ({system}, Python {python}), in {minutes:.0f} minutes.
"""

EXPLAINED = """
What the words mean:

- **accepted**: answered 202 or 200. A sender repeats an enquiry until it is.
- **lost**: accepted, and a CRM that it is routed to has neither a record nor, for a repeat, a note of it.
- **doubled**: more than one record of one lead in a CRM.
- **late**: delivered more than 60 s after it was accepted, by the hub's own clock; the outages are in it.
- **looked up**: an answer was lost or could not be read, so the CRM was asked before anything was written again.
- **accepting again**: from the SIGKILL of the web process, which is started anew at once, to the next answer 202.
- **order**: leads of one person were taken in, and made their records, in the order in which they were sent.

The faults, {faults} of {calls} calls: {kinds}. A fifth of all answers is bad while they are switched on; the calls made
in the other troubles are counted too. `504_late` is a write that lands seconds after the gateway has given up on it,
`reset_after`, `500_after` and `truncated` are answers lost after the work was done. Bitrix24 says with 503 that we are
too fast, the others with 429. The vendors' limits are switched off, so that time is spent on faults and not on waiting;
the waits before a second look are the real ones (up to 35 s at amoCRM, 65 s at Bitrix24). For the outages of 20 minutes
and 3 days the clock of hubs and CRMs is moved in steps. PostgreSQL is stopped in the way of a crash (`pg_ctl stop -m
immediate`), SQLite is locked by another program. The disk is a small file system that is filled (PostgreSQL), or a
limit on the size of files (SQLite).

For comparison, measured elsewhere on a machine of this kind: a self-hosted n8n with its largest retry settings lost
1,253 of 1,500 accepted leads in a 60 s outage of the CRM, doubled 250 of 250 after lost acknowledgements, and needed
14 s to accept again after a kill.
"""


def report(plan: Plan, outcomes: Sequence[Outcome], now: datetime) -> str:
    """Markdown, complete but for the section on deliberate bugs."""
    parts = [
        HEAD.format(
            persons=plan.persons,
            date=now.date().isoformat(),
            cpus=len(os.sched_getaffinity(0)),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            system=f"{platform.system()} {platform.release().split('-')[0]}",
            python=platform.python_version(),
            minutes=sum(one.took_s for one in outcomes) / 60,
        ),
        totals(outcomes),
        *(troubles(one) for one in outcomes),
        EXPLAINED.format(
            faults=f"{sum(sum(one.faults.values()) for one in outcomes):,}",
            calls=f"{sum(one.calls for one in outcomes):,}",
            kinds=", ".join(f"{kind} {count:,}" for kind, count in sorted(_faults(outcomes).items())),
        ),
    ]
    problems = [f"- {one.database}: {problem}" for one in outcomes for problem in one.problems()]
    if problems:
        parts.append("\n## Promises broken\n\n" + "\n".join(problems) + "\n")
    return "\n".join(parts)


def totals(outcomes: Sequence[Outcome]) -> str:
    rows: list[tuple[str, list[str]]] = [
        ("accepted leads", [f"{one.accepted:,}" for one in outcomes]),
        ("persons", [f"{one.persons:,}" for one in outcomes]),
        ("deliveries to CRMs", [f"{one.deliveries:,}" for one in outcomes]),
        ("**lost**", [f"**{len(one.verdict.lost)}**" for one in outcomes]),
        ("**doubled**", [f"**{len(one.verdict.doubled)}**" for one in outcomes]),
        ("persons with two contacts", [str(len(one.verdict.split_persons)) for one in outcomes]),
        ("still owed", [str(len(one.verdict.owed)) for one in outcomes]),
        ("late", [f"{one.late:,}" for one in outcomes]),
        ("looked up", [f"{one.looked_up:,}" for one in outcomes]),
        ("by way of the spool", [f"{one.spooled:,}" for one in outcomes]),
        ("turned away with 503, sent again", [f"{one.turned_away:,}" for one in outcomes]),
        ("notes missing or twice", [str(len(one.verdict.notes)) for one in outcomes]),
        ("order kept", [_kept(one.verdict.disordered) for one in outcomes]),
        ("first touch kept", [_kept(one.verdict.first_touch) for one in outcomes]),
        ("processes killed", [str(one.kills) for one in outcomes]),
        ("accepting again after (median, longest)", [_again(one.accept_again_s) for one in outcomes]),
        (
            "`leadhub audit`, all days",
            ["clean" if not one.audit else f"{len(one.audit)} not clean" for one in outcomes],
        ),
    ]
    names = [one.database for one in outcomes]
    lines = [f"| | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    return "\n".join([*lines, *(f"| {what} | {' | '.join(values)} |" for what, values in rows)]) + "\n"


def troubles(one: Outcome) -> str:
    head = [
        f"## {one.database}, one trouble after the other\n",
        "| trouble | leads accepted meanwhile | lost | doubled | all in the CRMs after its end | |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    lines = [
        f"| {line.what} | {len(line.uids):,} | {line.lost} | {line.doubled} | {line.arrived_s:.0f} s | {line.note} |"
        for line in one.lines
    ]
    return "\n".join([*head, *lines]) + "\n"


def _faults(outcomes: Sequence[Outcome]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in outcomes:
        for kind, count in one.faults.items():
            found[kind] = found.get(kind, 0) + count
    return found


def _kept(broken: Sequence[str]) -> str:
    return "yes" if not broken else f"no, {len(broken)}"


def _again(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} s, {max(seconds):.1f} s" if seconds else "-"
