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
        from store import admin

        url = load_settings(config).database_url
        with using_database():
            schema = admin.upgrade(url)
        say(f"The database has schema {schema}.")

    @group.command()
    def backup(file: File, config: ConfigOption = None) -> None:
        """Write everything into FILE while the hub runs; a file that is there is not overwritten."""
        from jobs.secret import FILE
        from store import admin

        settings = load_settings(config)
        if file.exists():
            raise CannotRun(f"{file} is there already", "name a new file, or move that one away")
        with using_database():
            admin.backup(settings.database_url, file)
        say(f"Everything is in {file} ({file.stat().st_size:,} bytes).")
        key = "hub.secret_key" if settings.hub.secret_key else str(settings.base_dir / FILE)
        say(f"Stored tokens can only be read with the secret key: keep {key} as well.")

    @group.command()
    def restore(file: File, config: ConfigOption = None) -> None:
        """Fill an empty database from a backup, all or nothing."""
        from jobs.delivery.restored import look_up_first
        from store import admin

        url = load_settings(config).database_url
        if not file.is_file():
            raise CannotRun(f"{file}: no such file")
        with using_database():
            admin.restore(url, file, look_up_first)
        say(f"The database is as it was in {file}.")

    @group.command()
    def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Say whether the database is whole; exit status 1 if it is not."""
        from store import admin

        url = load_settings(config).database_url
        with using_database():
            problems = admin.check(url)
        if as_json:
            print_json({"problems": problems})
        else:
            say("\n".join(problems) or "The database is whole.")
        if problems:
            raise not_fine()

    app.add_typer(group, name="db")
