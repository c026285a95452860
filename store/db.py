"""Transactions, the same for SQLite and PostgreSQL, with group commit.

Writes that arrive together share one transaction: one flush to disk is paid by all of
them. Each write is a function of a connection; it runs on the writer's thread inside
`BEGIN IMMEDIATE`, so on SQLite it sees nobody else's half-done work, and reads of the
writer are always current. Reads run beside it on their own connections and never block it.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from store.engines import POSTGRES_WRITERS, READERS, make_engine, unavailable
from store.groups import Job, Writer, fail_all, run_group
from store.groups import StoreUnavailable as StoreUnavailable

Result = TypeVar("Result")
Item = TypeVar("Item")
Given = ParamSpec("Given")
Work = Callable[Concatenate[Connection, Given], Result]
BatchWork = Callable[[Connection, list[Any]], list[Any]]

FIRST, WORK, BEHIND = 0, 1, 2
"""Ranks of what is to be written: a sender waits for it, the hub waits for it, nobody does."""
AT_ONCE = {FIRST: 512, WORK: 8, BEHIND: 1}
"""In one transaction: they save flushes to disk, and whoever comes next waits for all of them."""

CLOSE_S = 1.0
"""So long what is under way may take at the end; the rest of the hub has had its time before."""

PASSED_S = 0.01
"""So long a group of the last rank lets senders pass: it does not wait for ever."""


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

    async def give_up(self) -> None:
        """For a hub that ends while the database lets it wait, for a lock perhaps: all that waits fails."""
        ...

    def is_awaited(self) -> bool:
        """Asked by work behind: whether a sender waits for the one writer, so that it had better end."""
        ...

    async def close(self) -> None: ...


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
        self._connections: WeakSet[Any] = WeakSet()
        """psycopg's, to cancel what they wait for."""
        if not self.is_sqlite:
            event.listen(self._write_engine, "connect", self._connected)
            event.listen(self._read_engine, "connect", lambda connection, _record: self._connections.add(connection))
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
        waiting.put(Job(work, item, batched, future, rank))
        return await future

    async def read(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        bound = _bound(work, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(self._readers, run_read, self._read_engine, bound)

    def _connected(self, connection: Any, _record: Any) -> None:
        self._backends.add(connection.info.backend_pid)
        self._connections.add(connection)

    def wrote(self, backend: int) -> bool:
        return backend in self._backends

    def is_awaited(self) -> bool:
        return self.is_sqlite and self._waiting.has_first()

    async def close(self) -> None:
        self._waiting.close()
        self._behind.close()
        ended = asyncio.create_task(asyncio.to_thread(self._end))
        while not (await asyncio.wait([ended], timeout=CLOSE_S))[0]:
            await self.give_up()
        self._write_engine.dispose()
        self._read_engine.dispose()

    async def give_up(self) -> None:
        left = [*self._waiting.drain(), *self._behind.drain()]
        fail_all(left, StoreUnavailable("given up: the hub ends"))
        _tell(left)
        await asyncio.to_thread(self._cancel)

    def _cancel(self) -> None:
        for connection in list(self._connections):
            with suppress(Exception):  # it is lost, or ends in this moment
                connection.cancel_safe(timeout=CLOSE_S)

    def _end(self) -> None:
        for thread in self._threads:
            thread.join()
        self._readers.shutdown()

    def _write_loop(self, waiting: "_Waiting") -> None:
        writer = Writer(self._write_engine)
        while group := waiting.take():
            if waiting is not self._waiting:
                self._waiting.let_first_pass()
            run_group(writer, group)
            _tell(group)
            waiting.answered(group)
        writer.close()


class _Waiting:
    """Jobs until a thread takes them; what a sender waits for goes first, but no other rank waits for ever."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._changed, self._first_done = threading.Condition(lock), threading.Condition(lock)
        self._first = 0
        """Of the first rank: how many are not answered yet."""
        self._jobs: dict[int, deque[Job]] = {rank: deque() for rank in AT_ONCE}
        self._last: dict[int, int] = dict.fromkeys(AT_ONCE, 0)
        """When a rank had its turn, in turns."""
        self._turns = 0
        self._closed = False

    def put(self, job: Job) -> None:
        with self._changed:
            self._jobs[job.rank].append(job)
            self._first += job.rank == FIRST
            self._changed.notify()

    def answered(self, group: list[Job]) -> None:
        with self._changed:
            self._first -= sum(job.rank == FIRST for job in group)
            if not self._first:
                self._first_done.notify_all()

    def has_first(self) -> bool:
        return self._first > 0

    def let_first_pass(self) -> None:
        """Threads share one interpreter: who writes what nobody waits for does not take it from who answers senders."""
        with self._first_done:
            self._first_done.wait_for(lambda: not self._first or self._closed, PASSED_S)

    def close(self) -> None:
        """What waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._first_done.notify_all()

    def drain(self) -> list[Job]:
        """All that waits: it is not handed out any more."""
        with self._changed:
            left = [job for jobs in self._jobs.values() for job in jobs]
            for jobs in self._jobs.values():
                jobs.clear()
        self.answered(left)
        return left

    def take(self) -> list[Job]:
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


def _tell(group: list[Job]) -> None:
    """Answers all waiters with one wake-up of each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in group:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, jobs)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            continue


def _settle(jobs: list[Job]) -> None:
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
        self._writer = Writer(self._engine)
        self._read_engine = make_engine(url, writer=False)

    async def write(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        result: Result = await self._run(_bound(work, *args, **named), None, batched=False)
        return result

    write_behind = write

    async def write_in_batch(self, work: BatchWork, item: Any, *, first: bool = False) -> Any:
        return await self._run(work, item, batched=True)

    async def _run(self, work: Callable[..., Any], item: Any, *, batched: bool) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job = Job(work, item, batched, future, WORK)
        run_group(self._writer, [job])
        await asyncio.sleep(0)
        if job.failed:
            raise job.outcome
        return job.outcome

    async def read(self, work: Work[Given, Result], /, *args: Given.args, **named: Given.kwargs) -> Result:
        return run_read(self._read_engine, _bound(work, *args, **named))

    def wrote(self, backend: int) -> bool:
        return False

    async def give_up(self) -> None:
        """Nothing waits: what it does is done at once."""

    def is_awaited(self) -> bool:
        return False

    async def close(self) -> None:
        self._writer.close()
        self._engine.dispose()
        self._read_engine.dispose()
