"""How a group of writes shares one transaction, and one that fails takes no other along."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from store.engines import unavailable
from store.prepared import commit

TRIES = 3
"""Of a write that met another's with the same key."""


class StoreUnavailable(Exception):
    """The database cannot be read or written now; nothing of this transaction is in it."""


@dataclass(slots=True)
class Job:
    work: Callable[..., Any]
    item: Any
    batched: bool
    future: "asyncio.Future[Any]"
    rank: int
    outcome: Any = None
    failed: bool = False


class Writer:
    """A thread's own connection, kept while all goes well: to take one of the pool costs as much as some statements."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Connection | None = None

    def run(self, work: Callable[[Connection], None]) -> None:
        """In one transaction. Once more when the connection kept until now turns out to be lost before the commit:
        the server was started anew meanwhile, and has nothing of it."""
        kept, ended = self._kept is not None, False

        def work_to_its_end(conn: Connection) -> None:
            nonlocal ended
            work(conn)
            ended = True

        try:
            self._run(work_to_its_end)
        except DBAPIError as exc:
            if ended or not kept or not exc.connection_invalidated:
                raise
            self._run(work)

    def _run(self, work: Callable[[Connection], None]) -> None:
        conn = self._kept = self._kept or self._engine.connect()
        try:
            with conn.begin():
                work(conn)
                commit(conn)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def run_group(writer: Writer, group: list[Job]) -> None:
    """One transaction for all; sets `outcome` and `failed` of each job. Never raises."""
    units = _units(group)
    if len(group) > 1 and _done(writer, group, lambda conn: _run_together(conn, units)):
        return
    for _ in range(TRIES):
        _done(writer, group, lambda conn: _run_apart(conn, units, alone=len(group) == 1))
        # Another process or thread stored the same in this moment: tried again it finds what the other stored.
        if not (len(group) == 1 and isinstance(group[0].outcome, IntegrityError)):
            return


def _done(writer: Writer, group: list[Job], work: Callable[[Connection], None]) -> bool:
    """False: given up because of a job, and nothing is stored."""
    try:
        writer.run(work)
    except _Abandon:
        return False
    except Exception as exc:
        fail_all(group, exc)
    return True


def _run_together(conn: Connection, units: list[list[Job]]) -> None:
    """Without savepoints, which cost as much as a statement each."""
    for unit in units:
        try:
            _keep_results(unit, _results(conn, unit))
        except Exception as exc:
            if unavailable(exc):
                raise
            raise _Abandon from exc


def _run_apart(conn: Connection, units: list[list[Job]], *, alone: bool) -> None:
    """Each unit in a savepoint, so that one that fails takes no other along."""
    for unit in units:
        _run_unit(conn, unit, alone=alone)
    if alone and units[0][0].failed:
        raise _Abandon


def fail_all(jobs: list[Job], exc: Exception) -> None:
    error = StoreUnavailable(str(getattr(exc, "orig", exc))) if isinstance(exc, DBAPIError) else exc
    for job in jobs:
        job.failed, job.outcome = True, error


class _Abandon(Exception):
    """Rolls back the transaction of a failed job."""


def _units(group: list[Job]) -> list[list[Job]]:
    """Jobs of one batched work stand together, at the place of the first of them."""
    units: list[list[Job]] = []
    by_work: dict[Any, list[Job]] = {}
    for job in group:
        if not job.batched:
            units.append([job])
        elif job.work in by_work:
            by_work[job.work].append(job)
        else:
            by_work[job.work] = [job]
            units.append(by_work[job.work])
    return units


def _run_unit(conn: Connection, unit: list[Job], *, alone: bool, tries: int = TRIES) -> None:
    savepoint = None if alone else conn.begin_nested()
    try:
        results = _results(conn, unit)
    except Exception as exc:
        if unavailable(exc):
            raise
        if savepoint is not None:
            savepoint.rollback()
        if len(unit) > 1:
            for job in unit:
                _run_unit(conn, [job], alone=False)
            return
        if isinstance(exc, IntegrityError) and savepoint is not None and tries > 1:
            _run_unit(conn, unit, alone=False, tries=tries - 1)
            return
        unit[0].failed, unit[0].outcome = True, exc
        return
    if savepoint is not None:
        savepoint.commit()
    _keep_results(unit, results)


def _results(conn: Connection, unit: list[Job]) -> list[Any]:
    work = unit[0].work
    results: list[Any] = work(conn, [job.item for job in unit]) if unit[0].batched else [work(conn)]
    return results


def _keep_results(unit: list[Job], results: list[Any]) -> None:
    for job, result in zip(unit, results, strict=True):
        job.failed, job.outcome = False, result
