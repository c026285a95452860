"""The hub's database as a command uses it, beside a running `serve` or without one."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from cli.frame import CannotRun, using_database

if TYPE_CHECKING:
    from cli.words import Words
    from connectors.errors import ConnectorError
    from jobs.config.loading import Settings
    from store.db import Database

Answer = TypeVar("Answer")


def with_database(
    settings: "Settings", work: "Callable[[Database], Awaitable[Answer]]", *, make: bool = False
) -> Answer:
    """What `work` returns. `make`: a database that is not there, or is older than this version, is made.

    Raises CannotRun.
    """
    from store import admin

    with using_database():
        if make:
            admin.upgrade(settings.database_url)
        return asyncio.run(_opened(settings.database_url, work))


@contextmanager
def interruptible(told: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Whether to stop where that costs nothing. The first Ctrl-C or SIGTERM asks for it, the second ends at once.

    Around what is awaited in a running loop; `told` is called at the first.
    """
    loop, signals, wanted = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM), asyncio.Event()

    def stop() -> None:
        for one in signals:
            loop.remove_signal_handler(one)
        wanted.set()
        told()

    for one in signals:
        loop.add_signal_handler(one, stop)
    try:
        yield wanted.is_set
    finally:
        for one in signals:
            loop.remove_signal_handler(one)


def crm_failed(settings: "Settings", error: "ConnectorError", before: str = "") -> CannotRun:
    """What a command that needs several CRMs raises when one of them fails."""
    from cli.words import Words
    from jobs.trouble import trouble

    hint = check_live(Words.of(settings))
    return CannotRun(before + trouble(error, settings.hub.locale).text, hint)


def check_live(words: "Words") -> str:
    return words("leadhub check --live says more", "подробнее: leadhub check --live")


async def _opened(url: str, work: "Callable[[Database], Awaitable[Answer]]") -> Answer:
    from store import admin
    from store.db import InlineDatabase

    file = admin.sqlite_path(url)
    if file is not None and not file.exists():
        raise CannotRun(f"there is no database yet: {file}", "`leadhub serve` or `leadhub db upgrade` makes it")
    db = InlineDatabase(url)
    try:
        found = await db.read(admin.current_revision)
        if found is None or found < admin.HEAD:
            what = "is empty" if found is None else f"has schema {found}, this leadhub wants {admin.HEAD}"
            raise CannotRun(f"the database {what}", "`leadhub db upgrade`, or `leadhub serve`, brings it up to date")
        if found > admin.HEAD:
            raise CannotRun(
                f"the database has schema {found}, this leadhub knows up to {admin.HEAD}: use the newer one"
            )
        return await work(db)
    finally:
        await db.close()


def actor() -> str:
    """Who is at the keyboard, for the record of what people did."""
    import getpass

    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, in a container
        return "cli"
