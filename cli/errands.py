"""`leadhub errands`: what requests merely named and is read from the vendor, and what a person may do about it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.config.loading import Settings
    from store.db import Database
    from store.operator import Done

STATES = ("owed", "pending", "failed", "done", "discarded")
RUSSIAN = {"pending": "ждёт", "failed": "не прочитано", "done": "прочитано", "discarded": "снято"}
STYLE = {"pending": "yellow", "failed": "bold red", "done": "green", "discarded": "dim"}
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID…", show_default=False)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True, help="Enquiries that a request only named and that are read from the vendor."
    )

    @group.command("list")
    def list_(
        source: Annotated[str, typer.Option(help="Only of this source.", show_default=False)] = "",
        state: Annotated[str, typer.Option(help=f"Only {', '.join(STATES)}.")] = "owed",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """What is still to be read, newest first."""
        if state not in STATES:
            raise CannotRun(f"--state {state}: no such state", f"allowed: {', '.join(STATES)}")
        settings = load_settings(config)
        _list(settings, state, source, as_json=as_json)

    @group.command()
    def retry(
        ids: Ids = None,
        all_failed: Annotated[bool, typer.Option("--all-failed", help="All that were given up.")] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Read again, now."""
        if bool(ids) == all_failed:
            raise CannotRun("which errands?", "leadhub errands retry ID… or leadhub errands retry --all-failed")
        _change(load_settings(config), ids, "", ("due now", "поставлено в очередь"), as_json=as_json)

    @group.command()
    def discard(
        ids: Ids = None,
        why: Annotated[str, typer.Option(help="The reason, kept with it.", show_default=False)] = "",
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Decide that it need not be read."""
        if not ids:
            raise CannotRun("which errand?", "leadhub errands discard ID --why TEXT")
        if not why.strip():
            raise CannotRun("discarding needs a reason", "--why TEXT")
        _change(load_settings(config), ids, why.strip(), ("discarded", "снято"), as_json=as_json)

    app.add_typer(group, name="errands")


def _list(settings: "Settings", state: str, source: str, *, as_json: bool) -> None:
    from rich.text import Text

    from cli.opened import with_database
    from cli.words import Words, console, table
    from store.errands import OWED, WAITING, errand_json, list_errands

    states = {"owed": OWED, "pending": WAITING, "failed": ("dead",)}.get(state, (state,))

    async def work(db: "Database") -> list[dict[str, Any]]:
        rows = await db.read(list_errands, states=states, source=source)
        return [errand_json(row) for row in rows]

    found = with_database(settings, work)
    if as_json:
        print_json(found)
        return
    words = Words.of(settings)
    if not found:
        say(words("Nothing is left unread.", "Непрочитанного нет."))
        return
    titles = words("id,came,source,what,state,tries,why", "id,пришло,источник,что,состояние,попытки,причина")
    lines, now = table(*titles.split(",")), datetime.now(settings.hub.zone)
    for one in found:
        lines.add_row(
            one["id"],
            words.time(datetime.fromisoformat(one["created_at"]), now),
            Text(one["source"]),
            Text(f"{one['kind']} {one['key']}"),
            Text(words(one["state"], RUSSIAN[one["state"]]), style=STYLE[one["state"]]),
            str(one["attempts"]),
            Text(words.cause(one["last_error"], one["source"]) if one["last_error"] else ""),
        )
    console().print(lines)


def _change(
    settings: "Settings", ids: "Sequence[str] | None", why: str, done: tuple[str, str], *, as_json: bool
) -> None:
    """`why` "" is a retry; `ids` None all that were given up."""
    from cli.opened import actor, with_database
    from cli.words import Words
    from leads.clock import SystemClock
    from store import errands

    clock = SystemClock()

    async def work(db: "Database") -> "Done":
        wanted = await db.read(errands.failed_errands) if ids is None else list(dict.fromkeys(ids))
        if why:
            return await db.write(errands.discard, wanted, why=why, actor=actor(), clock=clock)
        return await db.write(errands.retry, wanted, actor=actor(), clock=clock)

    result = with_database(settings, work)
    if as_json:
        print_json({"changed": result.changed, "refused": result.refused})
    else:
        words = Words.of(settings)
        say(f"{words(*done)}: {len(result.changed)}")
        reasons = {"claimed": "it is being read at this moment", "done": "it is read already"}
        for one, reason in result.refused.items():
            warn(f"leadhub: {one}: {reasons.get(reason, reason)}")
    if any(reason not in ("claimed", "done") for reason in result.refused.values()):
        raise not_fine()
