"""How a group of writes shares one transaction, and one that fails takes no other along."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from store.engines import unavailable

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

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        conn = self._kept = self._kept or self._engine.connect()
        try:
            with conn.begin():
                yield conn
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
    if len(group) > 1 and _run_together(writer, units):
        return
    for _ in range(TRIES):
        _run_apart(writer, group, units)
        # Another process or thread stored the same in this moment: tried again it finds what the other stored.
        if not (len(group) == 1 and isinstance(group[0].outcome, IntegrityError)):
            return


def _run_together(writer: Writer, units: list[list[Job]]) -> bool:
    """Without savepoints, which cost as much as a statement each. False when a job failed: then nothing was stored."""
    try:
        with writer.transaction() as conn:
            for unit in units:
                try:
                    _keep_results(unit, _results(conn, unit))
                except Exception as exc:
                    if unavailable(exc):
                        raise
                    raise _Abandon from exc
    except _Abandon:
        return False
    except Exception as exc:
        _fail_all((job for unit in units for job in unit), exc)
    return True


def _run_apart(writer: Writer, group: list[Job], units: list[list[Job]]) -> None:
    """Each unit in a savepoint, so that one that fails takes no other along."""
    try:
        with writer.transaction() as conn:
            for unit in units:
                _run_unit(conn, unit, alone=len(group) == 1)
            if len(group) == 1 and group[0].failed:
                raise _Abandon
    except _Abandon:
        pass
    except Exception as exc:
        _fail_all(group, exc)


def _fail_all(jobs: Iterable[Job], exc: Exception) -> None:
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
