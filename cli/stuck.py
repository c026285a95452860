"""`leadhub sources stuck` and `discard`: accepted requests that cannot be worked on, and letting one go."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn
from cli.sources import known_source

if TYPE_CHECKING:
    from jobs.config.loading import Settings
    from store.db import Database
    from store.inbox import Stuck
    from store.operator import Done


def add_stuck(group: typer.Typer) -> None:
    @group.command()
    def stuck(
        name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only of this source.", show_default=False)] = "",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Accepted requests that were tried in vain, oldest first; exit status 1 if there are any."""
        settings = load_settings(config)
        if name:
            known_source(settings, name)
        _stuck(settings, name, as_json=as_json)

    @group.command()
    def discard(
        ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", show_default=False)] = None,
        why: Annotated[str, typer.Option(help="The reason, kept in the audit trail.", show_default=False)] = "",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let go of accepted requests that cannot be worked on: what they held is lost."""
        if not ids:
            raise CannotRun("which request?", "leadhub sources stuck lists them; leadhub sources discard ID --why TEXT")
        if not why.strip():
            raise CannotRun("discarding needs a reason", "--why TEXT")
        _discard(load_settings(config), [one.lower() for one in ids], why.strip(), as_json=as_json)


def _stuck(settings: "Settings", name: str, *, as_json: bool) -> None:
    from rich.text import Text

    from cli.opened import with_database
    from cli.words import Words, console
    from store.inbox import stuck

    async def asked(db: "Database") -> "list[Stuck]":
        return await db.read(stuck, name)

    found = with_database(settings, asked)
    if as_json:
        print_json(found)
    else:
        words, now, out = Words.of(settings), datetime.now(UTC), console()
        if not found:
            say(words("Everything that was accepted is worked on.", "Всё принятое обработано."))
        for one in found:
            at, again = (words.time(moment, now, seconds=True) for moment in (one.received_at, one.due_at))
            tries = words.count(one.tries, ("try", "tries"), ("попытка", "попытки", "попыток"))
            told = words(f"{tries}, next {again}", f"{tries}, следующая {again}")
            out.print(Text(f"{one.id}  {at}  {one.source}  {one.error}  {told}"))
    if found:
        raise not_fine()


def _discard(settings: "Settings", ids: list[str], why: str, *, as_json: bool) -> None:
    from cli.opened import actor, with_database
    from cli.words import Words
    from leads.clock import SystemClock
    from store import inbox

    async def work(db: "Database") -> "Done":
        return await db.write(inbox.discard, ids, why=why, actor=actor(), clock=SystemClock())

    done = with_database(settings, work)
    if as_json:
        print_json({"changed": done.changed, "refused": done.refused})
    else:
        words = Words.of(settings)
        say(f"{words('discarded', 'снято')}: {len(done.changed)}")
        for one_id in done.refused:
            warn(f"leadhub: {one_id}: {words('no such request, or worked on', 'нет такого запроса, или он обработан')}")
    if done.refused:
        raise not_fine()
