"""`leadhub migrate`: moves companies, contacts and deals from one CRM into another, and compares both."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from jobs.config.loading import Settings
    from jobs.migrate.model import Move, Step
    from jobs.migrate.opening import Ready
    from store.db import Database


def register(app: typer.Typer) -> None:
    @app.command()
    def migrate(
        source: Annotated[str, typer.Option("--from", metavar="CONNECTION", help="The CRM to move from; only read.")],
        target: Annotated[str, typer.Option("--to", metavar="CONNECTION", help="The CRM to move into.")],
        sample: Annotated[
            int | None,
            typer.Option("--sample", metavar="N", min=1, help="First only N deals, contacts and companies, and links."),
        ] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Go on without showing the plan and asking.")] = False,
        renamed: Annotated[
            bool, typer.Option("--renamed", help="Go on although an account has a new address: it is the same one.")
        ] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Move companies, contacts and deals with their links from one CRM to another; again changes nothing.

        The first run writes a dictionary of fields, stages and users into mappings/sync/ for you to edit. Ends with
        a comparison of both CRMs, which is also kept in var/; exit status 1 if they differ.
        """
        from jobs.migrate.model import plan_move
        from jobs.sync.opening import CannotSync

        settings = load_settings(config)
        try:
            move = plan_move(settings, source, target, sample or 0)
        except CannotSync as error:
            raise CannotRun(error.said(settings.hub.locale)) from error
        if not yes and not _agreed(settings, move, as_json=as_json):
            raise not_fine()
        report = _in_crms(settings, move, _moved(settings, renamed=renamed))
        _tell(settings, move, report, as_json=as_json)
        if report["differences"] or not report["finished"]:
            raise not_fine()


def _agreed(settings: "Settings", move: "Move", *, as_json: bool) -> bool:
    """Shows the plan and asks, where there is somebody to ask."""
    from cli.migrate_report import command, plan_lines
    from cli.words import Words, console

    plan = _in_crms(settings, move, _planned)
    words = Words.of(settings)
    if as_json:
        print_json(plan)
        return False
    for line in plan_lines(words, plan):
        console().print(line)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        say(words(f"Nothing was moved. To move: {command(move)}", f"Ничего не перенесено. Перенести: {command(move)}"))
        return False
    return typer.confirm(words("Move now?", "Переносить?"))


async def _planned(ready: "Ready") -> dict[str, Any]:
    from jobs.migrate.comparing import survey
    from jobs.migrate.report import plan_json

    return plan_json(ready, await survey(ready, both=False))


def _moved(settings: "Settings", *, renamed: bool) -> "Callable[[Ready], Awaitable[dict[str, Any]]]":
    from cli.migrate_report import NAMES
    from cli.opened import check_live
    from cli.sync_progress import Shown
    from cli.words import Words
    from jobs.migrate.comparing import survey
    from jobs.migrate.comparing_history import compare_histories
    from jobs.migrate.history import move_histories
    from jobs.migrate.leads import finish_leads, move_leads
    from jobs.migrate.moving import assert_same_accounts, move_all
    from jobs.migrate.report import issues_of, report_json

    async def work(ready: "Ready") -> dict[str, Any]:
        shown = {step: Shown(settings, step.object, ready.clock) for step in ready.move.steps}

        async def told(step: "Step", counts: "Mapping[str, int]") -> None:
            await shown[step].told(counts)

        await assert_same_accounts(ready, renamed=renamed)
        try:
            await finish_leads(ready)
            passes = await move_all(ready, told)
        finally:
            for one in shown.values():
                one.end()
        refused = passes[0].result
        if refused.state == "failed" and not any(name.startswith("create") for name in refused.counts):
            words = Words.of(settings)
            raise CannotRun(f"{words(*NAMES[passes[0].step.object])}: {words.cause(refused.error)}", check_live(words))
        moved = all(one.result.state == "done" for one in passes)
        leads = await move_leads(ready) if moved else None
        histories = await move_histories(ready) if moved else []
        tallies = await survey(ready, both=True)
        await compare_histories(ready, histories)
        return report_json(ready, passes, tallies, await issues_of(ready), histories, leads)

    return work


def _in_crms(
    settings: "Settings", move: "Move", work: "Callable[[Ready], Awaitable[dict[str, Any]]]"
) -> dict[str, Any]:
    """What `work` makes of both CRMs, opened. Raises CannotRun."""
    from cli.opened import check_live, crm_failed, with_database
    from cli.words import Words
    from connectors.errors import ConnectorError
    from jobs.migrate.opening import opened_move
    from jobs.sync.opening import CannotSync
    from leads.clock import SystemClock
    from mappings.problems import MappingError

    async def opened(db: "Database") -> dict[str, Any]:
        async with opened_move(move, db, SystemClock()) as ready:
            return await work(ready)

    words = Words.of(settings)
    try:
        return with_database(settings, opened, make=True)
    except MappingError as error:
        where = words("the dictionary of the move is in mappings/sync/", "словарь переезда лежит в mappings/sync/")
        raise CannotRun(str(error), where) from error
    except CannotSync as error:
        raise CannotRun(error.said(settings.hub.locale), check_live(words)) from error
    except ConnectorError as error:
        failed = crm_failed(settings, error)
        if work is _planned:
            raise failed from error
        again = words("run it again: it goes on where it was", "запустите ещё раз: продолжит с того же места")
        raise CannotRun(str(failed), f"{again}; {check_live(words)}") from error


def _tell(settings: "Settings", move: "Move", report: "Mapping[str, Any]", *, as_json: bool) -> None:
    from cli.migrate_report import report_lines, sync_lines
    from cli.words import Words, console

    words = Words.of(settings)
    lines = [str(line) for line in report_lines(words, report)]
    file = _keep(move, report, lines)
    if as_json:
        print_json({**report, "file": str(file)})
        return
    out = console()
    for line in report_lines(words, report):
        out.print(line)
    say(words(f"Kept in {file}", f"Сохранено в {file}"))
    if report["finished"] and not move.sample:
        for text in sync_lines(words, move):
            say(text)


def _keep(move: "Move", report: "Mapping[str, Any]", lines: list[str]) -> "Path":
    """The report as text and, beside it, as JSON. Returns the text's path."""
    import json

    folder = move.settings.base_dir / "var"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"migrate-{move.name}.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file.with_suffix(".json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
    for one in (file, file.with_suffix(".json")):
        one.chmod(0o600)  # examples show what records hold
    return file
