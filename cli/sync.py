"""`leadhub sync`: what would change, changing it, how it stands, what a person decides, taking a pass back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from jobs.config.loading import Settings
    from jobs.sync.passes import PassResult, Wish
    from store.db import Database

Name = Annotated[str, typer.Argument(metavar="[NAME]", show_default=False, help="One sync; default: all of them.")]
Quick = Annotated[bool, typer.Option("--quick", help="Only what changed lately; do not look for deletions and merges.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Records kept equal between two CRMs.")

    @group.command()
    def plan(
        name: Name = "",
        quick: Quick = False,
        csv: Annotated[bool, typer.Option("--csv", help="Print every change as a line of CSV.")] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Print what `run` would do and change nothing; exit status 1 if that is anything."""
        from cli.sync_plan import show_plans

        settings = load_settings(config)
        if show_plans(settings, _named(settings, name), name, full=not quick, csv=csv, as_json=as_json):
            raise not_fine()

    @group.command()
    def run(
        name: Name = "",
        yes: Annotated[bool, typer.Option("--yes", help="Also if it changes many records at once.")] = False,
        quick: Quick = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Make both sides equal once, with or without a running hub. Can be stopped at any moment and started again."""
        from jobs.sync.passes import Wish

        settings = load_settings(config)
        wish = Wish(full=not quick, yes=yes, patient=True)
        results = [(one, _run(settings, one, wish)) for one in _named(settings, name)]
        _tell_results(settings, results, name, as_json=as_json)

    @group.command()
    def status(name: Name = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Last pass, delay, what is due, what is unclear and what a person has to decide."""
        from cli.sync_status import show_status

        settings = load_settings(config)
        if not show_status(settings, _named(settings, name), name, as_json=as_json):
            raise not_fine()

    @group.command()
    def undo(
        pass_id: Annotated[str, typer.Option("--pass", metavar="ID", help="The pass; `status` names the last ones.")],
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Restore the values that a pass overwrote, where nobody has changed them since."""
        from jobs.sync.passes import Wish

        settings = load_settings(config)
        row = _pass(settings, pass_id)
        result = _run(settings, row.sync, Wish(undo=pass_id))
        _tell_results(settings, [(row.sync, result)], row.sync, as_json=as_json, wrote=True)

    @group.command()
    def show(
        pass_id: Annotated[str, typer.Argument(metavar="PASS", help="The pass; `status` names the last ones.")],
        csv: Annotated[bool, typer.Option("--csv", help="Print every change as a line of CSV.")] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Every write of a pass, with the values before and after; of a shadow, what it would have written."""
        from cli.sync_plan import show_pass

        settings = load_settings(config)
        show_pass(settings, _pass(settings, pass_id), csv=csv, as_json=as_json)

    conflicts = typer.Typer(no_args_is_help=True, help="What a person decides: conflicts, unclear matches, trouble.")

    @conflicts.command("list")
    def list_(name: Name = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Everything that waits for a person, with the record ids of both sides."""
        from cli.sync_status import show_issues

        settings = load_settings(config)
        if show_issues(settings, _named(settings, name), as_json=as_json):
            raise not_fine()

    @conflicts.command()
    def resolve(
        issue_id: Annotated[str, typer.Argument(metavar="ID")],
        left: Annotated[bool, typer.Option("--left", help="A conflict: the left value stays.")] = False,
        right: Annotated[bool, typer.Option("--right", help="A conflict: the right value stays.")] = False,
        pair: Annotated[
            tuple[str, str] | None,
            typer.Option("--pair", metavar="LEFT RIGHT", help="Unclear: these two are the same.", show_default=False),
        ] = None,
        apart: Annotated[bool, typer.Option("--apart", help="Unclear: all are different, make each its own.")] = False,
        resume: Annotated[bool, typer.Option("--resume", help="A stopped pair: go on with it.")] = False,
        again: Annotated[bool, typer.Option("--again", help="A refused or lost record: try once more.")] = False,
        done: Annotated[bool, typer.Option("--done", help="Dealt with by hand.")] = False,
        config: ConfigOption = None,
    ) -> None:
        """Decide one of them; the next pass acts on it."""
        from cli.words import Words

        flags = {"left": left, "right": right, "pair": pair is not None, "apart": apart, "resume": resume}
        flags |= {"again": again, "done": done}
        chosen = [choice for choice, given in flags.items() if given]
        settings = load_settings(config)
        if len(chosen) != 1:
            say_how = Words.of(settings)("say how: one of ", "скажите, как: одно из ")
            raise CannotRun(say_how + ", ".join(f"--{choice}" for choice in flags))
        _resolve(settings, issue_id, chosen[0], pair or ())

    group.add_typer(conflicts, name="conflicts")
    app.add_typer(group, name="sync")


def _named(settings: "Settings", name: str) -> list[str]:
    """The one that is named, or all. Raises CannotRun."""
    from cli.words import Words

    words = Words.of(settings)
    if not settings.syncs:
        none = words("there is no sync in the configuration", "в конфигурации нет ни одной синхронизации")
        raise CannotRun(none, words("see `syncs` in docs/config.md", "см. `syncs` в docs/config.md"))
    if name and name not in settings.syncs:
        none = words(f'there is no sync "{name}"', f"синхронизации «{name}» нет")
        raise CannotRun(none, words.near(name, settings.syncs))
    return [name] if name else list(settings.syncs)


def _pass(settings: "Settings", pass_id: str) -> "Row[Any]":
    """Raises CannotRun."""
    from cli.opened import with_database
    from cli.words import Words
    from store import sync_log

    async def find(db: "Database") -> "Row[Any] | None":
        return await db.read(sync_log.pass_of, pass_id)

    row = with_database(settings, find, make=True)
    if row is None or row.sync not in settings.syncs:
        words = Words.of(settings)
        last = words("leadhub sync status names the last ones", "последние называет leadhub sync status")
        raise CannotRun(words(f"there is no pass {pass_id}", f"прохода {pass_id} нет"), last)
    return row


def _run(settings: "Settings", name: str, wish: "Wish") -> "PassResult":
    from cli.opened import actor, check_live, crm_failed, interruptible, with_database
    from cli.sync_progress import Shown
    from cli.words import Words
    from connectors.errors import ConnectorError
    from jobs.sync.beside import LeftToHub, run_or_ask
    from jobs.sync.opening import CannotSync
    from leads.clock import SystemClock
    from mappings.problems import MappingError

    clock, words = SystemClock(), Words.of(settings)

    async def work(db: "Database") -> "PassResult":
        shown = Shown(settings, name, clock)
        soon = words("stops after what is on its way; again: at once", "закончит начатое и остановится; ещё раз: сразу")
        try:
            with interruptible(lambda: warn(soon)) as stopping:
                return await run_or_ask(
                    settings, name, db, clock, wish, asked_by=actor(), progress=shown.told, stopping=stopping
                )
        finally:
            shown.end()

    again = f"leadhub sync run {name}"
    stopped = words(f"stopped; goes on where it was: {again}", f"прервано; продолжить с того же места: {again}")
    try:
        result = with_database(settings, work, make=True)
    except KeyboardInterrupt:
        warn(stopped)
        raise typer.Exit(130) from None
    except LeftToHub:
        look = f"leadhub sync status {name}"
        warn(words(f"the hub goes on with it: {look}", f"хаб продолжит сам: {look}"))
        raise typer.Exit(130) from None
    except CannotSync as error:
        raise CannotRun(f"{name}: {error.said(settings.hub.locale)}", check_live(words)) from error
    except MappingError as error:
        raise CannotRun(f"{name}: {error}", check_live(words)) from error
    except ConnectorError as error:
        raise crm_failed(settings, error, f"{name}: ") from error
    if result.state == "stopped":
        warn(stopped)
        raise typer.Exit(130)
    return result


def _tell_results(
    settings: "Settings", results: "list[tuple[str, PassResult]]", name: str, *, as_json: bool, wrote: bool = False
) -> None:
    """`wrote`: also if the sync is a shadow."""
    from cli.sync_progress import result_lines
    from cli.words import Words, console

    if as_json:
        found = [result_json(sync, result) for sync, result in results]
        print_json(found[0] if name else found)
    else:
        words, out = Words.of(settings), console()
        for sync, result in results:
            chosen = settings.syncs[sync]
            sides = {"left": chosen.left, "right": chosen.right}
            for line in result_lines(words, sync, result, sides, shadow=chosen.shadow and not wrote):
                out.print(line)
    if any(result.state != "done" for _, result in results):
        raise not_fine()


def result_json(sync: str, result: "PassResult") -> "Mapping[str, Any]":
    return {
        "sync": sync,
        "pass_id": result.id,
        "state": result.state,
        "counts": dict(result.counts),
        "error": result.error,
    }


def _resolve(settings: "Settings", issue_id: str, choice: str, ids: tuple[str, ...]) -> None:
    from cli.opened import actor, with_database
    from cli.words import Words
    from jobs.sync.resolving import CannotResolve, resolve
    from leads.clock import SystemClock
    from store import sync_log

    clock, who, words = SystemClock(), actor(), Words.of(settings)

    async def work(db: "Database") -> bool:
        issue = await db.read(sync_log.issue, issue_id)
        if issue is None:
            return False
        await db.write(resolve, clock, issue, choice, who, ids)  # type: ignore[arg-type]  # one of the flags
        return True

    try:
        if not with_database(settings, work, make=True):
            none = words(f"there is no open issue {issue_id}", f"открытого вопроса {issue_id} нет")
            raise CannotRun(none, "leadhub sync conflicts list")
    except CannotResolve as error:
        raise CannotRun(error.said(settings.hub.locale)) from error
    say(words("decided; the next pass acts on it", "решено; подействует со следующего прохода"))
