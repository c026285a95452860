"""One run: every trouble in turn, while leads come in; then what the CRMs hold is compared with what was accepted."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from store.admin import sqlite_path
from store.tables import t_delivery, t_lead
from tests.support.databases import new_sqlite
from tests.support.full_disk import SmallDisk, files_no_larger_than, small_disk
from tests.support.hub_process import ROOT
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.promises import Verdict, incomplete, judge, rows
from tests.support.senders import lead
from tests.torture.plan import Plan
from tests.torture.stage import ROUTES, Stage, set_up

PATIENCE_S = 600.0
LATE = timedelta(seconds=60)
DISK_MB = 400
COMPLETED_WITHIN_MIN = 120
NEARLY_NOTHING = 4096
"""Bytes: too few for a page of the database, enough for some leads in the spool."""

Say = Callable[[str], None]


@dataclass
class Line:
    """One trouble and how it went. `uids` are the leads accepted meanwhile."""

    what: str
    uids: set[str] = field(default_factory=set)
    arrived_s: float = 0.0
    """From the end of the trouble until nothing was owed."""
    note: str = ""
    lost: int = 0
    doubled: int = 0


@dataclass
class Outcome:
    database: str
    lines: list[Line] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    accepted: int = 0
    persons: int = 0
    deliveries: int = 0
    late: int = 0
    looked_up: int = 0
    spooled: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    kills: int = 0
    accept_again_s: list[float] = field(default_factory=list)
    turned_away: int = 0
    completed_later: bool = False
    audit: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def problems(self) -> list[str]:
        return [*self.verdict.problems(), *(f"audit: {one}" for one in self.audit)]


class Run:
    def __init__(self, stage: Stage, trouble: "Trouble", say: Say) -> None:
        self.stage = stage
        self.plan = stage.plan
        self.trouble = trouble
        self.outcome = Outcome(trouble.name)
        self._say = say

    async def all(self) -> Outcome:
        started = time.monotonic()
        plan = self.plan
        first_day = self.stage.clock.now().date()
        await self._during("a fifth of all answers bad, processes killed", self._storm)
        await self._during(f"CRMs down for {plan.outage_s:.0f} s", self._outage)
        await self._during(f"answer lost, work done, {plan.lost_acks} leads in a row", self._lost_acks)
        await self._during("web process killed, again and again", self._kills)
        await self._during("database stopped and started", self._database_away)
        if self.trouble.can_fill:
            await self._during("disk full", self._disk_full)
        await self._during("clock set an hour on and back, a fifth of all answers bad", self._clock)
        await self._during("CRMs down for 20 minutes", lambda line: self._away(line, 20 * 60.0))
        await self._during("CRMs down for 3 days", lambda line: self._away(line, 3 * 86400.0))
        await asyncio.sleep(max(plan.late_s) + 1.0)
        await self._completed()
        self._judge()
        last_day = self.stage.clock.now().date()
        for number in range((last_day - first_day).days + 1):
            await self._audit((first_day + timedelta(days=number)).isoformat())
        self.outcome.took_s = time.monotonic() - started
        return self.outcome

    async def _during(self, what: str, work: Callable[[Line], Awaitable[None]]) -> None:
        line = Line(what)
        before = set(self.stage.senders.accepted)
        started = time.monotonic()
        await work(line)
        over = time.monotonic()
        await self.stage.all_arrived(PATIENCE_S)
        line.arrived_s = time.monotonic() - over
        line.uids = set(self.stage.senders.accepted) - before
        self.outcome.lines.append(line)
        self._say(
            f"{self.trouble.name}: {what}: {len(line.uids)} leads, {over - started:.0f} s, "
            f"all arrived after {line.arrived_s:.0f} s more {line.note}"
        )

    # --- the troubles -----------------------------------------------------------------------

    async def _storm(self, line: Line) -> None:
        plan = self.plan
        before = self.stage.kills
        with self.stage.faulty() as hits:
            async with self.stage.killing():
                await self.stage.send(plan.storm_leads, per_s=plan.per_s / 3)
                await asyncio.sleep(plan.storm_tail_s / 2)
            await asyncio.sleep(plan.storm_tail_s / 2)
        self._count(hits)
        line.note = f"{self.stage.kills - before} kills"

    async def _outage(self, _line: Line) -> None:
        started = time.monotonic()
        async with self.stage.crms_down():
            await self.stage.send(self.plan.outage_leads, per_s=self.plan.outage_leads / self.plan.outage_s)
            await asyncio.sleep(max(0.0, started + self.plan.outage_s - time.monotonic()))

    async def _lost_acks(self, line: Line) -> None:
        for crm in self.stage.crms:
            crm.layer.lose_acks = True
        await self.stage.send(self.plan.lost_acks, per_s=self.plan.per_s / 2)
        await self.stage.all_arrived(PATIENCE_S)
        for crm in self.stage.crms:
            crm.layer.lose_acks = False
        line.note = f"{sum(crm.layer.acks_lost for crm in self.stage.crms)} answers lost"

    async def _kills(self, _line: Line) -> None:
        """How soon a sender is answered again, the process being started anew at once."""
        stage = self.stage
        for number in range(self.plan.kills):
            await stage.send_one()
            await stage.hubs[0].kill()
            stage.kills += 1
            started = time.monotonic()
            body = lead(stage.plan.persons + number, 0)  # a person of its own: nobody is waited for
            await stage.senders.send("c", body, url=stage.senders.urls[0])
            self.outcome.accept_again_s.append(time.monotonic() - started)

    async def _database_away(self, _line: Line) -> None:
        async with self.trouble.database_away(), self._sending():
            await asyncio.sleep(self.plan.trouble_s)

    async def _disk_full(self, _line: Line) -> None:
        pids = [kept.hub.pid for kept in self.stage.hubs if kept.hub is not None]
        async with self._sending():
            with self.trouble.disk_full(pids):
                await asyncio.sleep(self.plan.trouble_s)

    async def _clock(self, _line: Line) -> None:
        with self.stage.faulty() as hits:
            async with self._sending():
                for hours in (1, -1, -1, 1):
                    await asyncio.sleep(self.plan.trouble_s / 4)
                    self.stage.clock.jump(hours * 3600.0)
            await asyncio.sleep(self.plan.storm_tail_s / 2)
        self._count(hits)

    async def _away(self, _line: Line, seconds: float) -> None:
        plan, steps = self.plan, self.plan.away_steps
        async with self.stage.crms_down():
            for step in range(steps):
                if step in (0, steps // 2):
                    await self.stage.send(plan.away_leads // 2)
                self.stage.clock.pass_by(seconds / steps)
                await asyncio.sleep(0.3)
        if plan.pace:  # in a hurry: the next look at a CRM that is down comes at once, not within 15 s
            self.stage.clock.pass_by(20.0)
            await self.stage.send(1)

    @contextlib.asynccontextmanager
    async def _sending(self) -> AsyncIterator[None]:
        """Leads come in while the block runs, and until all of them are accepted."""
        async with asyncio.TaskGroup() as group:
            rate = self.plan.trouble_leads / self.plan.trouble_s
            group.create_task(self.stage.send(self.plan.trouble_leads, per_s=rate))
            yield

    async def _completed(self) -> None:
        """Notes and tasks that failed again and again are written later: a minute of its time in half a second."""
        for _ in range(COMPLETED_WITHIN_MIN):
            if not await asyncio.to_thread(incomplete, self.stage.database):
                return
            self.outcome.completed_later = True
            self.stage.clock.pass_by(60.0)
            await asyncio.sleep(0.5)

    # --- the end ----------------------------------------------------------------------------

    def _count(self, hits: dict[str, int]) -> None:
        for kind, count in hits.items():
            self.outcome.faults[kind] = self.outcome.faults.get(kind, 0) + count

    def _judge(self) -> None:
        stage, outcome = self.stage, self.outcome
        sent = stage.senders.accepted
        outcome.verdict = judge(stage.database, stage.crms.vendors(), sent.values())
        deliveries = rows(stage.database, t_delivery)
        outcome.accepted = len(sent)
        outcome.persons = len({uid.split("-")[1] for uid in sent})
        outcome.deliveries = len(deliveries)
        outcome.late = sum(row.settled_at - row.created_at > LATE for row in deliveries if row.settled_at)
        outcome.looked_up = sum(bool(row.looked_up) for row in deliveries)
        outcome.spooled = sum(bool(row.spooled) for row in rows(stage.database, t_lead))
        outcome.calls = sum(len(crm.layer.requests) for crm in stage.crms)
        outcome.kills = stage.kills
        outcome.turned_away = sum(status == 503 for _, _, status in stage.senders.answers)
        for line in outcome.lines:
            line.lost = sum(one.split(" ")[0] in line.uids for one in outcome.verdict.lost)
            line.doubled = sum(one.split(" ")[0] in line.uids for one in outcome.verdict.doubled)

    async def _audit(self, day: str) -> None:
        """`leadhub audit`, as an operator calls it."""
        command = [sys.executable, "-m", "cli.main", "audit", "--config", str(self.stage.folder / "config1.yaml")]
        done = await asyncio.to_thread(
            subprocess.run, [*command, "--day", day], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
        )
        if done.returncode:
            self.outcome.audit.append(f"{day}: {done.stdout[-2000:]}{done.stderr[-500:]}")


@dataclass
class Trouble:
    """What can be done to one kind of database."""

    name: str
    can_fill: bool
    database_away: Callable[[], "contextlib.AbstractAsyncContextManager[None]"]
    disk_full: Callable[[list[int]], "contextlib.AbstractContextManager[None]"]


def of_sqlite(url: str) -> Trouble:
    @contextlib.asynccontextmanager
    async def away() -> AsyncIterator[None]:
        with contextlib.closing(sqlite3.connect(str(sqlite_path(url)), isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")

    @contextlib.contextmanager
    def full(pids: list[int]):  # type: ignore[no-untyped-def]
        with contextlib.ExitStack() as stack:
            for pid in pids:
                stack.enter_context(files_no_larger_than(pid, NEARLY_NOTHING))
            yield

    return Trouble("SQLite", True, away, full)


def of_postgres(server: OwnPostgres, disk: SmallDisk | None) -> Trouble:
    @contextlib.asynccontextmanager
    async def away() -> AsyncIterator[None]:
        await server.stop()
        try:
            yield
        finally:
            await server.start()

    @contextlib.contextmanager
    def full(_pids: list[int]):  # type: ignore[no-untyped-def]
        assert disk is not None
        disk.fill()
        try:
            yield
        finally:
            disk.free()

    return Trouble("PostgreSQL", disk is not None, away, full)


async def torture(plan: Plan, kind: str, folder: Path, seed: int, say: Say) -> Outcome:
    """`kind` is "sqlite" or "postgresql"."""
    folder.mkdir(parents=True)
    if kind == "sqlite":
        database = new_sqlite(folder)
        async with set_up(plan, folder, database, seed) as stage:
            return await Run(stage, of_sqlite(database), say).all()
    with small_disk(folder / "disk", DISK_MB) as disk, own_postgres(folder / "disk") as server:
        from store import admin

        database = server.new_database("hub")
        admin.upgrade(database)
        async with set_up(plan, folder, database, seed) as stage:
            return await Run(stage, of_postgres(server, disk), say).all()


__all__ = ["ROUTES", "Outcome", "torture"]
