"""Transactions, the same for SQLite and PostgreSQL, with group commit.

Writes that arrive together share one transaction: one flush to disk is paid by all of
them. Each write is a function of a connection; it runs on the writer's thread inside
`BEGIN IMMEDIATE`, so on SQLite it sees nobody else's half-done work, and reads of the
writer are always current. Reads run beside it on their own connections and never block it.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from store.engines import POSTGRES_WRITERS, READERS, make_engine, unavailable

Result = TypeVar("Result")
Item = TypeVar("Item")
Given = ParamSpec("Given")
Work = Callable[Concatenate[Connection, Given], Result]
BatchWork = Callable[[Connection, list[Any]], list[Any]]

FIRST, WORK, BEHIND = 0, 1, 2
"""Ranks of what is to be written: a sender waits for it, the hub waits for it, nobody does."""
AT_ONCE = {FIRST: 512, WORK: 8, BEHIND: 1}
"""In one transaction: they save flushes to disk, and whoever comes next waits for all of them."""
TRIES = 3
"""Of a write that met another's with the same key."""


class StoreUnavailable(Exception):
    """The database cannot be read or written now; nothing of this transaction is in it."""


class Database(Protocol):
    """What the rest of the hub sees. All raise StoreUnavailable, or what the work itself raised."""

    @property
    def is_sqlite(self) -> bool: ...

    async def write(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        """Runs `work(conn, ...)` in a transaction; it is durable when this returns.

        It may run more than once, when another that shared its transaction failed: it changes nothing but the database.
        """
        ...

    async def write_behind(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        """`write` for which nobody waits: a transaction of its own, after what others wait for now."""
        ...

    async def write_in_batch(self, work: BatchWork, item: Any, *, first: bool = False) -> Any:
        """Like `write` for one item, but items waiting for the same `work` are handed to it together.

        `first`: a sender waits for it, so it goes before other work.
        `work(conn, items)` returns a result for each. When it raises, each item is tried
        alone, so that one bad item cannot fail the others.
        """
        ...

    async def read(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result: ...

    def wrote(self, backend: int) -> bool:
        """Whether what this process id of PostgreSQL tells of was written through here."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Job:
    work: Callable[..., Any]
    item: Any
    batched: bool
    future: "asyncio.Future[Any]"
    rank: int
    outcome: Any = None
    failed: bool = False


class GroupCommitDatabase:
    """The database of the running hub: a few readers, and one writer, or on PostgreSQL some.

    There a thread of its own writes what nobody waits for; SQLite has one writer whatever we do.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._write_engine = make_engine(url, writer=True)
        self._read_engine = make_engine(url, writer=False)
        self._backends: set[int] = set()
        if not self.is_sqlite:
            event.listen(self._write_engine, "connect", self._connected)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._waiting = self._behind = _Waiting()
        writers = [self._waiting]
        if not self.is_sqlite:
            self._behind = _Waiting()
            writers = [*[self._waiting] * POSTGRES_WRITERS, self._behind]
        self._threads = [
            threading.Thread(target=self._write_loop, args=(waiting,), name=f"write-{number}", daemon=True)
            for number, waiting in enumerate(writers)
        ]
        for thread in self._threads:
            thread.start()

    async def write(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        result: Result = await self._submit(_bound(work, *args, **named), None, WORK, batched=False)
        return result

    async def write_behind(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        result: Result = await self._submit(_bound(work, *args, **named), None, BEHIND, batched=False)
        return result

    async def write_in_batch(self, work: BatchWork, item: Any, *, first: bool = False) -> Any:
        return await self._submit(work, item, FIRST if first else WORK, batched=True)

    async def _submit(self, work: Callable[..., Any], item: Any, rank: int, *, batched: bool) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = self._behind if rank == BEHIND else self._waiting
        waiting.put(_Job(work, item, batched, future, rank))
        return await future

    async def read(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        bound = _bound(work, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(self._readers, run_read, self._read_engine, bound)

    def _connected(self, connection: Any, _record: Any) -> None:
        self._backends.add(connection.info.backend_pid)

    def wrote(self, backend: int) -> bool:
        return backend in self._backends

    async def close(self) -> None:
        self._waiting.close()
        self._behind.close()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._readers.shutdown()
        self._write_engine.dispose()
        self._read_engine.dispose()

    def _write_loop(self, waiting: "_Waiting") -> None:
        while group := waiting.take():
            run_group(self._write_engine, group)
            _tell(group)


class _Waiting:
    """Jobs until a thread takes them; what a sender waits for goes first, but no other rank waits for ever."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: dict[int, deque[_Job]] = {rank: deque() for rank in AT_ONCE}
        self._last: dict[int, int] = dict.fromkeys(AT_ONCE, 0)
        """When a rank had its turn, in turns."""
        self._turns = 0
        self._closed = False

    def put(self, job: _Job) -> None:
        with self._changed:
            self._jobs[job.rank].append(job)
            self._changed.notify()

    def close(self) -> None:
        """What waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> list[_Job]:
        """What shares the next transaction, all of one rank; nothing once all is done and closed."""
        with self._changed:
            while not (waiting := [rank for rank, jobs in self._jobs.items() if jobs]):
                if self._closed:
                    return []
                self._changed.wait()
            # Every second turn is for the first rank; the others have theirs one after the other.
            rank = min(waiting, key=lambda rank: (rank != FIRST or self._last[FIRST] == self._turns, self._last[rank]))
            self._turns += 1
            self._last[rank] = self._turns
            jobs = self._jobs[rank]
            return [jobs.popleft() for _ in range(min(len(jobs), AT_ONCE[rank]))]


def _bound(work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Callable[[Connection], Result]:
    return lambda conn: work(conn, *args, **named)


def run_read(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    try:
        with engine.connect() as conn:
            return work(conn)
    except DBAPIError as exc:
        if unavailable(exc):
            raise StoreUnavailable(str(exc.orig)) from exc
        raise


def run_group(engine: Engine, group: list[_Job]) -> None:
    """One transaction for all; sets `outcome` and `failed` of each job. Never raises."""
    units = _units(group)
    if len(group) > 1 and _run_together(engine, units):
        return
    for _ in range(TRIES):
        _run_apart(engine, group, units)
        # Another process or thread stored the same in this moment: tried again it finds what the other stored.
        if not (len(group) == 1 and isinstance(group[0].outcome, IntegrityError)):
            return


def _run_together(engine: Engine, units: list[list[_Job]]) -> bool:
    """Without savepoints, which cost as much as a statement each. False when a job failed: then nothing was stored."""
    try:
        with engine.begin() as conn:
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


def _run_apart(engine: Engine, group: list[_Job], units: list[list[_Job]]) -> None:
    """Each unit in a savepoint, so that one that fails takes no other along."""
    try:
        with engine.begin() as conn:
            for unit in units:
                _run_unit(conn, unit, alone=len(group) == 1)
            if len(group) == 1 and group[0].failed:
                raise _Abandon
    except _Abandon:
        pass
    except Exception as exc:
        _fail_all(group, exc)


def _fail_all(jobs: Iterable[_Job], exc: Exception) -> None:
    error = StoreUnavailable(str(getattr(exc, "orig", exc))) if isinstance(exc, DBAPIError) else exc
    for job in jobs:
        job.failed, job.outcome = True, error


class _Abandon(Exception):
    """Rolls back the transaction of a failed job."""


def _units(group: list[_Job]) -> list[list[_Job]]:
    """Jobs of one batched work stand together, at the place of the first of them."""
    units: list[list[_Job]] = []
    by_work: dict[Any, list[_Job]] = {}
    for job in group:
        if not job.batched:
            units.append([job])
        elif job.work in by_work:
            by_work[job.work].append(job)
        else:
            by_work[job.work] = [job]
            units.append(by_work[job.work])
    return units


def _run_unit(conn: Connection, unit: list[_Job], *, alone: bool, tries: int = TRIES) -> None:
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


def _results(conn: Connection, unit: list[_Job]) -> list[Any]:
    work = unit[0].work
    results: list[Any] = work(conn, [job.item for job in unit]) if unit[0].batched else [work(conn)]
    return results


def _keep_results(unit: list[_Job], results: list[Any]) -> None:
    for job, result in zip(unit, results, strict=True):
        job.failed, job.outcome = False, result


def _tell(group: list[_Job]) -> None:
    """Answers all waiters with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, jobs)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            continue


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.failed:
            job.future.set_exception(job.outcome)
        else:
            job.future.set_result(job.outcome)


class InlineDatabase:
    """The same on the caller's own thread, one transaction per write: for the simulator and the command line."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._engine = make_engine(url, writer=True)
        self._read_engine = make_engine(url, writer=False)

    async def write(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        result: Result = await self._run(_bound(work, *args, **named), None, batched=False)
        return result

    write_behind = write

    async def write_in_batch(self, work: BatchWork, item: Any, *, first: bool = False) -> Any:
        return await self._run(work, item, batched=True)

    async def _run(self, work: Callable[..., Any], item: Any, *, batched: bool) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job = _Job(work, item, batched, future, WORK)
        run_group(self._engine, [job])
        await asyncio.sleep(0)
        if job.failed:
            raise job.outcome
        return job.outcome

    async def read(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        return run_read(self._read_engine, _bound(work, *args, **named))

    def wrote(self, backend: int) -> bool:
        return False

    async def close(self) -> None:
        self._engine.dispose()
        self._read_engine.dispose()
