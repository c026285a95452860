"""config.yaml and the environment -> Settings, or every problem at once."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from connectors.registry import CHANNELS, CONNECTOR_SETTINGS, SOURCE_SETTINGS
from jobs import yaml_positions
from jobs.config.check import check_whole
from jobs.config.env import expand, read_dotenv
from jobs.config.errors import ConfigError, Problem, YamlPath, choices, quote
from jobs.config.kinds import parse_name
from jobs.config.models import Alerts, Configured, Hub, Sandbox
from jobs.config.routes import RouteSettings
from jobs.config.syncs import SyncSettings
from jobs.config.validate import Reader, kind
from jobs.yaml_positions import Document

SECTIONS = ("hub", "connections", "sources", "routes", "syncs", "alerts", "sandbox")

__all__ = ["ConfigError", "Problem", "Settings", "load"]


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that is right in itself. Paths and the SQLite file are absolute.

    `base_dir` is the folder of the file; `warnings` are things that work but are
    probably not meant.
    """

    file: Path
    base_dir: Path
    hub: Hub = field(default_factory=Hub)
    connections: dict[str, Configured] = field(default_factory=dict)
    sources: dict[str, Configured] = field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()
    syncs: dict[str, SyncSettings] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=Alerts)
    sandbox: Sandbox | None = None
    warnings: tuple[Problem, ...] = ()
    document: Document = field(default_factory=lambda: Document("config.yaml"), repr=False, compare=False)
    """Where in the file everything stands, for problems that are found later."""

    @property
    def database_url(self) -> str:
        """With its password: for the store only, never for a log."""
        return self.hub.database.get_secret_value()


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads `path`; `environ` (default: the process's) wins over the `.env` beside it. Raises ConfigError."""
    document, problems = yaml_positions.parse(_read(path), str(path))
    dotenv, dotenv_problems = read_dotenv(path.parent / ".env")
    problems += dotenv_problems
    if document.data is None and not problems:
        hint = "`leadhub init` writes one that works at once"
        problems.append(Problem(str(path), 0, 0, "", "is empty", hint))
    if document.data is None:
        raise ConfigError(problems)
    expanded = expand(document, {**dotenv, **(os.environ if environ is None else environ)})
    reader = Reader(document, expanded)
    reader.problems = [*problems, *expanded.problems]
    settings = _Builder(reader, path).settings()
    if reader.problems:
        raise ConfigError(sorted(reader.problems, key=lambda problem: (problem.file != str(path), *_place(problem))))
    return settings


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        hint = "`leadhub init` writes one; another is named with --config or LEADHUB_CONFIG"
        raise ConfigError([Problem(str(path), 0, 0, "", "no such file", hint)]) from None
    except IsADirectoryError:
        hint = f"name the file in it: {path / 'config.yaml'}"
        raise ConfigError([Problem(str(path), 0, 0, "", "is a folder", hint)]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name is not valid"
        raise ConfigError([Problem(str(path), 0, 0, "", f"cannot be read: {reason}")]) from None


class _Builder:
    """Reads one section after the other; what is wrong is gathered in the reader."""

    def __init__(self, reader: Reader, path: Path) -> None:
        self._reader = reader
        self._path = path
        self._base = path.parent.absolute()

    def settings(self) -> Settings:
        data = self._reader.expanded.data
        if not isinstance(data, dict):
            self._reader.report(
                (), f"must be sections of settings, not {kind(data)}", f"allowed: {', '.join(SECTIONS)}."
            )
            return Settings(self._path, self._base, document=self._reader.document)
        for name in data:
            if name not in SECTIONS:
                self._reader.report((name,), "unknown section", choices(name, SECTIONS), key=True)
        settings = Settings(
            file=self._path,
            base_dir=self._base,
            hub=self._hub(data.get("hub")),
            connections=self._configured("connections", data, CONNECTOR_SETTINGS),
            sources=self._configured("sources", data, SOURCE_SETTINGS),
            routes=self._routes(data.get("routes")),
            syncs=self._syncs(data),
            alerts=self._alerts(data.get("alerts")),
            sandbox=self._sandbox(data.get("sandbox")),
            document=self._reader.document,
        )
        return check_whole(settings, self._reader)

    def _hub(self, value: Any) -> Hub:
        hub = self._reader.model(Hub, value, ("hub",)) if value is not None else Hub()
        hub = hub or Hub()
        return hub.model_copy(
            update={"spool_dir": self._base / hub.spool_dir, "database": _absolute(hub.database, self._base)}
        )

    def _sandbox(self, value: Any) -> Sandbox | None:
        sandbox = self._reader.model(Sandbox, value, ("sandbox",)) if value is not None else None
        return sandbox and sandbox.model_copy(update={"state_file": self._base / sandbox.state_file})

    def _configured(
        self, section: str, data: Mapping[str, Any], types: Mapping[str, type[BaseModel]], around: YamlPath = ()
    ) -> dict[str, Configured]:
        """A section of named things, each with the settings of its `type`."""
        found = {}
        for name, value in self._named(section, data, around):
            path = (*around, section, name)
            type_name = self._type(value, path, types)
            model = types.get(type_name or "")
            if type_name is None or model is None:
                continue
            own = value if "type" in model.model_fields else {key: v for key, v in value.items() if key != "type"}
            settings = self._reader.model(model, own, path)
            if settings is not None:
                found[name] = Configured(name, type_name, settings)
        return found

    def _named(self, section: str, data: Mapping[str, Any], around: YamlPath = ()) -> Iterator[tuple[str, Any]]:
        value = data.get(section)
        path: YamlPath = (*around, section)
        if value is None:
            return
        if not isinstance(value, dict):
            self._reader.report(path, f'must be lines of "name: {{…}}", not {kind(value)}')
            return
        for name, item in value.items():
            try:
                parse_name(name)
            except ValueError as error:
                self._reader.report((*path, name), str(error), key=True)
            yield name, item

    def _type(self, value: Any, path: YamlPath, types: Mapping[str, Any]) -> str | None:
        if not isinstance(value, dict):
            self._reader.report(path, f"must be a section of settings, not {kind(value)}", choices("", types, "types"))
            return None
        name = value.get("type")
        if name is None:
            self._reader.report((*path, "type"), "is required", choices("", types), key=True)
        elif not isinstance(name, str):
            self._reader.report((*path, "type"), f"must be text, not {kind(name)}", choices("", types))
        elif name not in types:
            self._reader.report((*path, "type"), f"unknown type {quote(name)}", choices(name, types))
        else:
            return name
        return None

    def _routes(self, value: Any) -> tuple[RouteSettings, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            hint = "begin each route with a dash: - {from: [site], to: [sales]}"
            self._reader.report(("routes",), f"must be a list, not {kind(value)}", hint)
            return ()
        routes = (self._reader.model(RouteSettings, item, ("routes", index)) for index, item in enumerate(value))
        return tuple(route for route in list(routes) if route is not None)

    def _syncs(self, data: Mapping[str, Any]) -> dict[str, SyncSettings]:
        found = {
            name: self._reader.model(SyncSettings, item, ("syncs", name)) for name, item in self._named("syncs", data)
        }
        return {name: sync for name, sync in found.items() if sync is not None}

    def _alerts(self, value: Any) -> Alerts:
        if value is None:
            return Alerts()
        if not isinstance(value, dict):
            return self._reader.model(Alerts, value, ("alerts",)) or Alerts()
        channels = self._configured("channels", value, CHANNELS, ("alerts",))
        basics = {key: item for key, item in value.items() if key != "channels"}
        alerts = self._reader.model(Alerts, basics, ("alerts",)) or Alerts()
        return alerts.model_copy(update={"channels": channels})


def _absolute(database: SecretStr, base: Path) -> SecretStr:
    """`sqlite:///var/leadhub.db` beside the file -> `sqlite:////srv/hub/var/leadhub.db`."""
    url = database.get_secret_value()
    if not url.startswith("sqlite:///"):
        return database
    return SecretStr(f"sqlite:///{base / url.removeprefix('sqlite:///')}")
