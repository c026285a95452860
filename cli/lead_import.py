"""`leadhub leads import`: leads from a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, warn

if TYPE_CHECKING:
    from cli.words import Words
    from jobs.config.loading import Settings
    from jobs.intake.imports import Imported, Table
    from store.db import Database

SHOWN = 20


def register_import(group: typer.Typer) -> None:
    @group.command("import")
    def import_(
        file: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
        source: Annotated[
            str,
            typer.Option(metavar="NAME", show_default=False, help="Whose leads they are. Default: import, or a form."),
        ] = "",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Take in a table with a header line; columns are named as in a form. Fresh leads are never delayed by it."""
        settings = load_settings(config)
        name = _source(settings, source)
        table = _table(file)
        done = _dry(settings, name, table, file) if dry_run else _stored(settings, name, table, file)
        if as_json:
            print_json({"source": name, "dry_run": dry_run, "columns": table.meanings(), **_json(done)})
        else:
            _show(settings, name, table, done, dry_run=dry_run)
        if done.bad:
            raise not_fine()


def _source(settings: "Settings", given: str) -> str:
    from jobs.intake.imports import default_source

    name = given or default_source(settings)
    if not name:
        raise CannotRun("there is no source for them", "define one in the configuration: import: {type: webform}")
    if name not in settings.sources:
        raise CannotRun(f'source "{name}" is not defined', f"defined: {', '.join(settings.sources)}")
    return name


def _table(file: Path) -> "Table":
    from jobs.intake.imports import UnreadableTable, read_table

    try:
        return read_table(file.read_bytes())
    except OSError as error:
        raise CannotRun(f"{file}: {error.strerror}") from error
    except UnreadableTable as error:
        raise CannotRun(f"{file}: {error}") from error


def _dry(settings: "Settings", source: str, table: "Table", file: Path) -> "Imported":
    import asyncio

    from jobs.intake.imports import Importer
    from leads.clock import SystemClock

    return asyncio.run(Importer(settings, source, None, SystemClock()).run(table, file.name))


def _stored(settings: "Settings", source: str, table: "Table", file: Path) -> "Imported":
    from rich.progress import Progress

    from cli.opened import with_database
    from cli.words import console
    from jobs.intake.imports import Importer
    from leads.clock import SystemClock

    out = console(stderr=True)

    async def work(db: "Database") -> "Imported":
        importer = Importer(settings, source, db, SystemClock())
        with Progress(console=out, transient=True, disable=not out.is_terminal) as bar:
            task = bar.add_task(file.name, total=len(table.rows))
            return await importer.run(table, file.name, lambda rows: bar.update(task, completed=rows))

    return with_database(settings, work, make=True)


def _json(done: "Imported") -> dict[str, object]:
    def lines(pairs: list[tuple[int, str]]) -> list[dict[str, object]]:
        return [{"line": line, "reason": why} for line, why in pairs]

    return {
        "rows": done.rows,
        "added": done.added,
        "repeated": done.repeated,
        "unrouted": done.unrouted,
        "connections": done.connections,
        "bad": lines(done.bad),
        "flagged": lines(done.flagged),
    }


def _show(settings: "Settings", source: str, table: "Table", done: "Imported", *, dry_run: bool) -> None:
    from cli.words import Words

    words = Words.of(settings)
    if dry_run:
        taken = ", ".join(f"{name} → {meaning}" for name, meaning in table.meanings().items())
        say(words(f"columns: {taken}", f"колонки: {taken}"))
    for line in _bad_lines(words, done):
        warn(line)
    head = words("would be added", "было бы добавлено") if dry_run else words("added", "добавлено")
    parts = [
        f"{words('source', 'источник')} {source}: {head} {words.leads(done.added)}",
        words(f"known already {done.repeated}", f"уже есть {done.repeated}") if done.repeated else "",
        words(f"not understood {len(done.bad)}", f"не понято {len(done.bad)}") if done.bad else "",
        words(f"without phone and e-mail {len(done.flagged)}", f"без телефона и почты {len(done.flagged)}")
        if done.flagged
        else "",
        words(f"NO ROUTE {done.unrouted}", f"БЕЗ МАРШРУТА {done.unrouted}") if done.unrouted else "",
        ", ".join(f"{count} → {name}" for name, count in done.connections.items()),
    ]
    say("   ".join(part for part in parts if part))


def _bad_lines(words: "Words", done: "Imported") -> list[str]:
    lines = [words(f"line {line}: {why}", f"строка {line}: {why}") for line, why in done.bad[:SHOWN]]
    if len(done.bad) > SHOWN:
        lines.append(words(f"and {len(done.bad) - SHOWN} more: --json", f"и ещё {len(done.bad) - SHOWN}: --json"))
    return lines
