"""`leadhub doctor`: what state is this machine in, and what to do about it?"""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli.frame import ConfigOption, JsonOption, load_settings, not_fine, print_json

if TYPE_CHECKING:
    from cli.words import Words
    from jobs.config.loading import Settings
    from jobs.doctor import Found

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}


def register(app: typer.Typer) -> None:
    @app.command()
    def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Look at configuration, database, disk, spool, clock, port, CRMs and alerts; exit status 1 on a problem."""
        from cli.words import Words

        settings = load_settings(config)
        found = asyncio.run(_look(settings, Words.of(settings), quiet=as_json))
        fine = not any(one.state == "problem" for one in found)
        if as_json:
            print_json({"fine": fine, "checks": [asdict(one) for one in found]})
        if not fine:
            raise not_fine()


async def _look(settings: "Settings", words: "Words", *, quiet: bool) -> "list[Found]":
    """Each finding is shown as soon as it is there: some wait for other machines."""
    from rich.text import Text

    from cli.words import console
    from jobs.doctor import examine
    from leads.clock import SystemClock

    out = console()
    found = []
    async for one in examine(settings, SystemClock(), words):
        found.append(one)
        if quiet:
            continue
        line = Text(f"{SIGNS[one.state]} {one.name}: ", style=STYLES[one.state])
        out.print(line.append(one.text, style="default not bold"))
        if one.advice:
            out.print(Text(f"    {one.advice}"))
    return found
