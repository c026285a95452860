"""What every command shares: the options, how results are printed, how a failure ends the program."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leads.redact import redact

if TYPE_CHECKING:
    from jobs.config.loading import Settings

FINE, NOT_FINE, CANNOT_RUN = 0, 1, 2
CONFIG_VARIABLE = "LEADHUB_CONFIG"
DEBUG_VARIABLE = "LEADHUB_DEBUG"
_QUIET = logging.NullHandler()
"""`serve` writes a log. Of other commands the answer is all: events without their fields would only puzzle."""

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        show_default=False,
        help=f"The configuration; default: config.yaml, or {CONFIG_VARIABLE}.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


BEFORE_COMMAND: ContextVar[Path | None] = ContextVar("config given before the command", default=None)


class CannotRun(Exception):
    """Says in plain words why the command could not run; the program ends with status 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def config_path(given: Path | None) -> Path:
    """The option of the command, else the one before the command, else the environment, else config.yaml."""
    return given or BEFORE_COMMAND.get() or Path(os.environ.get(CONFIG_VARIABLE) or "config.yaml")


def load_settings(given: Path | None) -> "Settings":
    """The configuration that a command shall work with. Raises ConfigError, which `run` prints."""
    from jobs.config.loading import load  # late, so that `leadhub --help` is quick

    return load(config_path(given))


@contextmanager
def using_database() -> Iterator[None]:
    """Turns what the store may raise into CannotRun."""
    from store.admin import UnfitDatabase
    from store.backups import BackupError
    from store.db import StoreUnavailable

    try:
        yield
    except StoreUnavailable as error:
        text = f"the database cannot be used: {redact(' '.join(str(error).split()))}"
        first = "; make it first: CREATE DATABASE" if "does not exist" in text and 'database "' in text else ""
        raise CannotRun(text, f"see hub.database in the configuration{first}") from error
    except (BackupError, UnfitDatabase) as error:
        raise CannotRun(str(error)) from error
    except OSError as error:
        raise CannotRun(f"{error.filename or 'a file'}: {error.strerror}") from error


def say(text: str = "") -> None:
    typer.echo(text)


def warn(text: str) -> None:
    """For what is not the answer: to stderr."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def not_fine() -> typer.Exit:
    """`raise not_fine()`: the command ran, and its answer is "not fine"."""
    return typer.Exit(NOT_FINE)


def run(command: Callable[[], Any]) -> int:
    """Runs the program and returns its exit status. Nothing ends in a traceback unless LEADHUB_DEBUG is set.

    Typer itself deals with bad usage (2), Ctrl-C (130) and a reader of our output that has gone (1).
    """
    from jobs.config.errors import ConfigError

    logging.getLogger().addHandler(_QUIET)
    try:
        command()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else CANNOT_RUN if stop.code else FINE
    except ConfigError as error:
        warn(str(error))
    except CannotRun as error:
        warn(f"leadhub: {error.message}" + "".join(f"\n    {line}" for line in error.hint.splitlines()))
    except Exception as error:  # a person typed it: a line that says what went wrong, not a traceback
        if os.environ.get(DEBUG_VARIABLE):
            raise
        text = redact(" ".join(str(error).split()))
        warn(f"leadhub: {type(error).__name__}{': ' if text else ''}{text}\n    {DEBUG_VARIABLE}=1 shows where")
    else:
        return FINE
    return CANNOT_RUN
