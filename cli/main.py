"""The `leadhub` command: its groups of commands, each in a module beside this one."""

import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from cli import (
    alerts,
    audit,
    auth,
    check,
    conversations,
    db,
    demo,
    doctor,
    errands,
    init,
    leads,
    mapping,
    migrate,
    persons,
    schema,
    serve,
    setup,
    source_try,
    sources,
    status,
    sync,
    users,
)
from cli.frame import BEFORE_COMMAND, ConfigOption, run

GROUPS: tuple[Callable[[typer.Typer], None], ...] = (
    init.register,
    check.register,
    mapping.register,
    schema.register,
    serve.register,
    status.register,
    leads.register,
    persons.register,
    errands.register,
    sources.register,
    source_try.register,
    conversations.register,
    audit.register,
    sync.register,
    migrate.register,
    auth.register,
    setup.register,
    alerts.register,
    doctor.register,
    users.register,
    db.register,
    demo.register,
)
"""Each adds its commands to the app, in the order of `leadhub --help`."""


def build() -> typer.Typer:
    app = typer.Typer(
        name="leadhub",
        help="Every enquiry reaches the CRM once, within seconds, or a person hears about it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        config: ConfigOption = None,
        _version: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
        ] = False,
    ) -> None:
        BEFORE_COMMAND.set(config)

    for register in GROUPS:
        register(app)
    return app


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"leadhub {version('leadhub')}")
    except PackageNotFoundError:  # run from a checkout that was never installed
        typer.echo("leadhub (not installed)")
    raise typer.Exit


def main() -> None:
    """Entry point of the script. Exit status: 0 fine, 1 the answer is "not fine", 2 could not run."""
    # httpx has a command line of its own, which it does without where it cannot be imported: 7 MB and 50 ms less.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # as Python's documentation says to block an import
    sys.exit(run(lambda: build()(prog_name="leadhub")))


if __name__ == "__main__":
    main()
