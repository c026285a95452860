"""`leadhub init`: a commented configuration that works at once."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.frame import CannotRun, say
from cli.schema import FILES, FOLDER, write_schemas

STARTER: Final = {
    "config.yaml": "config.yaml",
    ".env.example": "env.example",
    "mappings/amocrm-leads.yaml": "mappings/amocrm-leads.yaml",
    "mappings/tests/amocrm-leads.yaml": "mappings/tests/amocrm-leads.yaml",
}
"""File to write -> file in `cli/starter`."""


def register(app: typer.Typer) -> None:
    @app.command()
    def init(
        folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")] = Path(),
    ) -> None:
        """Write a commented config.yaml, mappings/ and .env.example into DIR."""
        write_starter(folder)
        for name in (*STARTER, *(f"{FOLDER}/{name}" for name in FILES)):
            say(f"wrote {folder / name}")
        where = "" if folder == Path() else f"cd {folder} && "
        say(f"\nIt works as it is, with built-in sandbox CRMs:  {where}leadhub serve")


def write_starter(folder: Path) -> None:
    """Writes the files, or none of them. Raises CannotRun, also when one of them is there already."""
    there = [str(folder / name) for name in STARTER if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise CannotRun(f"{', '.join(there)}: already there, nothing was written", "name another folder")
    try:
        for name, source in STARTER.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(starter_file(source).read_text(encoding="utf-8"))
        write_schemas(folder / FOLDER)
    except OSError as error:
        raise CannotRun(f"{error.filename or folder}: {error.strerror}") from error


def starter_file(name: str) -> Traversable:
    found: Traversable = files("cli") / "starter"
    for part in name.split("/"):
        found = found / part
    return found
