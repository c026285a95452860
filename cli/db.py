"""`leadhub db`: the database as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, not_fine, print_json, say, using_database

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The database: upgrade, back up, restore, check.")

    @group.command()
    def upgrade(config: ConfigOption = None) -> None:
        """Make the database, or bring it to the schema of this version."""
        from cli.words import Words
        from store import admin

        settings = load_settings(config)
        with using_database():
            schema = admin.upgrade(settings.database_url)
        say(Words.of(settings)(f"The database has schema {schema}.", f"Схема базы данных: {schema}."))

    @group.command()
    def backup(file: File, config: ConfigOption = None) -> None:
        """Write everything into FILE while the hub runs; a file that is there is not overwritten."""
        from cli.words import Words
        from jobs.secret import FILE
        from store import backups

        settings = load_settings(config)
        words = Words.of(settings)
        if file.exists():
            raise CannotRun(f"{file} is there already", "name a new file, or move that one away")
        with using_database():
            backups.backup(settings.database_url, file)
        size = words.number(file.stat().st_size)
        say(words(f"Everything is in {file} ({size} bytes).", f"Всё записано в {file} ({size} байт)."))
        key = "hub.secret_key" if settings.hub.secret_key else str(settings.base_dir / FILE)
        say(
            words(
                f"Stored tokens can only be read with the secret key: keep {key} as well.",
                f"Сохранённые токены читаются только с секретным ключом: сохраните и {key}.",
            )
        )

    @group.command()
    def restore(file: File, config: ConfigOption = None) -> None:
        """Fill an empty database from a backup, all or nothing."""
        from cli.words import Words
        from jobs.delivery.restored import look_up_first
        from store import backups

        settings = load_settings(config)
        if not file.is_file():
            raise CannotRun(f"{file}: no such file")
        with using_database():
            backups.restore(settings.database_url, file, look_up_first)
        say(Words.of(settings)(f"The database is as it was in {file}.", f"База данных восстановлена из {file}."))

    @group.command()
    def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Say whether the database is whole; exit status 1 if it is not."""
        from cli.words import Words
        from store import admin

        settings = load_settings(config)
        with using_database():
            problems = admin.check(settings.database_url)
        if as_json:
            print_json({"problems": problems})
        else:
            whole = Words.of(settings)("The database is whole.", "База данных в порядке.")
            say("\n".join(problems) or whole)
        if problems:
            raise not_fine()

    app.add_typer(group, name="db")
