"""`leadhub schema`: JSON Schemas, so that an editor completes and checks config.yaml and mappings."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.frame import CannotRun, ConfigOption, config_path, say

FILES: Final = ("config.schema.json", "mapping.schema.json", "sync-mapping.schema.json")
FOLDER: Final = "schemas"


def register(app: typer.Typer) -> None:
    @app.command()
    def schema(
        folder: Annotated[
            Path | None,
            typer.Argument(metavar="DIR", show_default=False, help=f"Default: {FOLDER} beside the configuration."),
        ] = None,
        config: ConfigOption = None,
    ) -> None:
        """Write JSON Schemas of config.yaml and of the mappings into DIR, for editors."""
        folder = folder or config_path(config).parent / FOLDER
        for file in write_schemas(folder):
            say(f"wrote {file}")
        say(f"\nFirst line of a file:  # yaml-language-server: $schema={folder / FILES[0]}")


def schemas() -> dict[str, Any]:
    """File -> schema."""
    from jobs.config.schema import config_schema
    from mappings.json_schema import lead_schema, record_schema

    return dict(zip(FILES, (config_schema(), lead_schema(), record_schema()), strict=True))


def write_schemas(folder: Path) -> list[Path]:
    """Raises CannotRun."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, one in schemas().items():
            (folder / name).write_text(json.dumps(one, ensure_ascii=False) + "\n", encoding="utf-8")
            written.append(folder / name)
    except OSError as error:
        raise CannotRun(f"{error.filename or folder}: {error.strerror}") from error
    return written
