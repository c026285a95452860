"""`leadhub check`: is the configuration right, and with --live, do the CRMs agree with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import (
    CannotRun,
    ConfigOption,
    JsonOption,
    config_path,
    load_settings,
    not_fine,
    print_json,
    say,
    using_database,
    warn,
)

if TYPE_CHECKING:
    from connectors.tokens import TokenStore
    from jobs.config.loading import Settings
    from jobs.live_check import Checked
    from leads.clock import Clock


def register(app: typer.Typer) -> None:
    @app.command()
    def check(
        live: Annotated[
            bool, typer.Option("--live", help="Also ask each CRM for the users, pipelines, stages and fields named.")
        ] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Validate the configuration and the mappings; with --live, against the CRMs too."""
        settings = _loaded(config, as_json=as_json)
        checked, syncs = asyncio.run(_asked(settings)) if live else ([], [])
        if as_json:
            _as_json(settings, checked, syncs)
        else:
            _as_text(settings, [*checked, *syncs])
        if any(one.problems for one in (*checked, *syncs)):
            raise not_fine()


def _loaded(config: Path | None, *, as_json: bool) -> "Settings":
    """Raises ConfigError, which `run` prints to stderr; as JSON its problems are the answer too."""
    from jobs.config.errors import ConfigError

    try:
        return load_settings(config)
    except ConfigError as error:
        if as_json:
            problems = [asdict(problem) for problem in error.problems]
            print_json({"file": str(config_path(config)), "warnings": [], "problems": problems})
        raise


async def _asked(settings: "Settings") -> "tuple[list[Checked], list[Checked]]":
    """What the connections answered, and how the syncs' mappings fit them."""
    from jobs.live_check import check_connections
    from jobs.sync_check import check_syncs
    from leads.clock import SystemClock

    clock = SystemClock()
    async with connection_tokens(settings, clock) as tokens:
        return await check_connections(settings, clock, tokens), await check_syncs(settings, clock, tokens)


@asynccontextmanager
async def connection_tokens(settings: "Settings", clock: "Clock") -> "AsyncIterator[Callable[[str], TokenStore]]":
    """Where the tokens of each connection are kept; without OAuth no database is needed. Raises CannotRun."""
    from jobs.live_check import NoTokens

    if not any(getattr(one.settings, "oauth", None) for one in settings.connections.values()):
        yield lambda _name: NoTokens()
        return

    from jobs.secret import secret_keys
    from store import admin
    from store.db import InlineDatabase
    from store.sealing import Sealer
    from store.tokens import StoredTokens

    with using_database():
        path = admin.sqlite_path(settings.database_url)
        missing = path is not None and not path.exists()
        wrong = [admin.NOT_MADE] if missing else admin.check(settings.database_url)
        if wrong == [admin.NOT_MADE]:  # nobody has signed in yet, and that is what each connection will say
            yield lambda _name: NoTokens()
            return
        if wrong:
            raise CannotRun(wrong[0])
        db = InlineDatabase(settings.database_url)
        sealer = Sealer(secret_keys(settings))
        try:
            yield lambda name: StoredTokens(db, sealer, name, clock)
        finally:
            await db.close()


def _as_json(settings: "Settings", checked: "list[Checked]", syncs: "list[Checked]") -> None:
    print_json(
        {
            "file": str(settings.file),
            "connections": {name: one.type for name, one in settings.connections.items()},
            "sources": {name: one.type for name, one in settings.sources.items()},
            "routes": len(settings.routes),
            "warnings": [asdict(problem) for problem in settings.warnings],
            "problems": [asdict(problem) for one in (*checked, *syncs) for problem in one.problems],
            "live": {one.connection: one.summary for one in checked},
            "live_syncs": {one.connection: one.summary for one in syncs},
        }
    )


def _as_text(settings: "Settings", checked: "list[Checked]") -> None:
    for problem in settings.warnings:
        warn(f"warning: {problem.render()}")
    for one in checked:
        say(f"{one.connection} ({one.type}): {one.summary}")
    problems = [problem for one in checked for problem in one.problems]
    for problem in problems:
        warn(problem.render())
    if problems:
        warn(f"{len(problems)} problem{'s'[: len(problems) != 1]} found in the CRMs.")
        return
    parts = [
        _counted(len(settings.connections), "connection"),
        _counted(len(settings.sources), "source"),
        _counted(len(settings.routes), "route"),
        *([_counted(len(settings.syncs), "sync")] if settings.syncs else []),
    ]
    say(f"{settings.file} is fine: {', '.join(parts)}.")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
