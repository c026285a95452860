"""`leadhub init`: a commented configuration that works at once."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.frame import BEFORE_COMMAND, CannotRun, say
from cli.schema import FILES, FOLDER, write_schemas

CONFIG: Final = "config.yaml"
STARTER: Final = {
    CONFIG: "config.yaml",
    ".env.example": "env.example",
    "mappings/amocrm-leads.yaml": "mappings/amocrm-leads.yaml",
    "mappings/tests/amocrm-leads.yaml": "mappings/tests/amocrm-leads.yaml",
}
"""File to write -> file in `cli/starter`."""


def register(app: typer.Typer) -> None:
    @app.command()
    def init(
        folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")] = Path(),
        config: Annotated[
            Path | None,
            typer.Option(
                "--config",
                metavar="PATH",
                show_default=False,
                help=f"The file to write, seen from DIR, and the rest beside it; default: {CONFIG}.",
            ),
        ] = None,
    ) -> None:
        """Write a commented config.yaml, mappings/ and .env.example into DIR."""
        file = folder / (config or BEFORE_COMMAND.get() or CONFIG)
        write_starter(file.parent, file.name)
        for name in (*_targets(file.name), *(f"{FOLDER}/{name}" for name in FILES)):
            say(f"wrote {file.parent / name}")
        where = "" if file.parent == Path() else f"cd {file.parent} && "
        named = "" if file.name == CONFIG else f" --config {file.name}"
        say(f"\nIt works as it is, with built-in sandbox CRMs:  {where}leadhub serve{named}")


def write_starter(folder: Path, config: str = CONFIG) -> None:
    """Writes the files, or none of them. Raises CannotRun, also when one of them is there already."""
    targets = _targets(config)
    there = [str(folder / name) for name in targets if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise CannotRun(f"{', '.join(there)}: already there, nothing was written", "name another folder")
    try:
        for name, source in targets.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(starter_file(source).read_text(encoding="utf-8"))
        write_schemas(folder / FOLDER)
    except OSError as error:
        raise CannotRun(f"{error.filename or folder}: {error.strerror}") from error


def _targets(config: str) -> dict[str, str]:
    """STARTER with another name of the configuration."""
    return {config if name == CONFIG else name: source for name, source in STARTER.items()}


def starter_file(name: str) -> Traversable:
    found: Traversable = files("cli") / "starter"
    for part in name.split("/"):
        found = found / part
    return found
