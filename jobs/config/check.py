"""What must fit together: names that refer to each other, conditions, mapping files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.paying import PaymentSettings
from connectors.pbx import PbxSettings, line_number
from connectors.registry import CONNECTORS
from jobs.config.errors import Problem, YamlPath, choices, quote
from jobs.config.sync_doubts import doubts_of_syncs
from jobs.config.validate import Reader
from leads.merge import OTHER
from mappings.attributes import OBJECTS
from mappings.checker import ExpressionError
from mappings.expressions import About, compile_condition
from mappings.load import SYNC, load_mapping, mapping_names
from mappings.names import labels_read
from mappings.pairs import SIDES
from mappings.problems import MappingError, nearest
from mappings.records import load_record_mapping, parse_record_mapping, preset_names

if TYPE_CHECKING:
    from jobs.config.loading import Settings

ANY = "*"


def preset_name(connection_type: Any) -> str:
    """The mapping of a route that names none: `amocrm-leads` for amoCRM."""
    return f"{connection_type}-leads"


def check_whole(settings: "Settings", reader: Reader) -> "Settings":
    """Reports what does not fit together; returns the settings with their warnings.

    Names are taken from the file as it is written, so that a connection with a mistake
    inside does not also count as undefined.
    """
    data = reader.expanded.data
    connections, sources = _names(data, "connections"), _names(data, "sources")
    mappings = _Mappings(settings, reader)
    _routes(data, mappings, reader)
    _syncs(data.get("syncs"), connections, mappings, reader)
    _fallback(data, reader)
    _lines(settings, reader)
    _payments(settings, connections, reader)
    _listen(settings, data, reader)
    if sources and connections and not data.get("routes"):
        example = f"routes:\n  - {{from: [{sources[0]}], to: [{connections[0]}]}}"
        message = "is required: without a route no lead goes anywhere"
        reader.report(("routes",), message, f"write:\n{example}", key=True)
    if reader.problems:
        return settings
    return replace(settings, warnings=(*_warnings(settings, reader), *mappings.unused()))


def _names(data: Mapping[str, Any], *path: str) -> list[str]:
    """The names defined in a section, also in one whose own name is misspelt: that was reported already."""
    value: Any = data
    for part in path:
        value = value.get(part, value.get(nearest(part, value))) if isinstance(value, dict) else None
    return list(value) if isinstance(value, dict) else []


def _routes(data: Mapping[str, Any], mappings: "_Mappings", reader: Reader) -> None:
    routes, connections, sources = data.get("routes"), _names(data, "connections"), _names(data, "sources")
    seen: dict[str, int] = {}
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        if not isinstance(route, dict):
            continue
        path: YamlPath = ("routes", index)
        _refer(route.get("from"), (*path, "from"), "source", [*sources, ANY], reader)
        _refer(route.get("to"), (*path, "to"), "connection", connections, reader)
        name = route.get("name")
        if isinstance(name, str) and name:
            if name in seen:
                reader.report((*path, "name"), f"{quote(name)} is already the name of routes[{seen[name]}]")
            seen.setdefault(name, index)
        if route.get("mapping") is None:
            mappings.presets(route.get("to"), data.get("connections"))
        mappings.named(route.get("mapping"), (*path, "mapping"))
        _conditions(route, path, reader)


def _refer(value: Any, path: YamlPath, what: str, defined: list[str], reader: Reader) -> None:
    """Each name in a list (or the single name) must be defined, and once only."""
    names = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
    seen: set[str] = set()
    for index, given in names:
        if not isinstance(given, str | int | float) or isinstance(given, bool):
            continue  # its kind was reported already
        name = str(given)  # a bare number is read as the text that it is written with
        here = path if index is None else (*path, index)
        if name not in defined:
            known = [other for other in defined if other != ANY]
            reader.report(here, f"{what} {quote(name)} is not defined", choices(name, known, "defined"))
        elif name in seen:
            reader.report(here, f"{what} {quote(name)} is named twice")
        seen.add(name)


def _syncs(syncs: Any, connections: list[str], mappings: "_Mappings", reader: Reader) -> None:
    for name, sync in syncs.items() if isinstance(syncs, dict) else ():
        if isinstance(sync, dict):
            for side in ("left", "right"):
                _refer(sync.get(side), ("syncs", name, side), "connection", connections, reader)
            mappings.of_sync(sync, ("syncs", name, "mapping"))
            for side in SIDES:
                path = ("syncs", name, f"{side}_when")
                if isinstance(text := sync.get(path[-1]), str):
                    _condition(text, path, reader, "records")
                    if labels_read(text, OTHER[side]):
                        message = f"is asked of one record alone and cannot read {OTHER[side]}"
                        reader.report(path, message, f"write it with {side}")


def _fallback(data: Mapping[str, Any], reader: Reader) -> None:
    hub = data.get("hub")
    fallback = hub.get("fallback") if isinstance(hub, dict) else None
    if isinstance(fallback, dict):
        channels = _names(data, "alerts", "channels")
        _refer(fallback.get("to"), ("hub", "fallback", "to"), "alert channel", channels, reader)


def _lines(settings: "Settings", reader: Reader) -> None:
    """Each of our own numbers must be one, and stand there once however it is written."""
    for name, source in settings.sources.items():
        if not isinstance(source.settings, PbxSettings):
            continue
        region = source.settings.region or settings.hub.default_region or ""
        seen: dict[str, str] = {}
        for written in source.settings.lines:
            path = ("sources", name, "lines", written)
            number = line_number(written, region)
            if not number:
                hint = 'write it with its country: "+74951112233", in quotes'
                reader.report(path, "is not a phone number", hint, key=True)
            elif number in seen:
                reader.report(path, f"is the same number as {quote(seen[number])}", key=True)
            seen.setdefault(number, written)


def _payments(settings: "Settings", connections: list[str], reader: Reader) -> None:
    """A stage change that names a connection must name one that there is: else it would never happen."""
    for name, source in settings.sources.items():
        if isinstance(source.settings, PaymentSettings):
            for index, change in enumerate(source.settings.payments.stages):
                if change.connection:
                    path = ("sources", name, "payments", "stages", index, "connection")
                    _refer(change.connection, path, "connection", connections, reader)


def _listen(settings: "Settings", data: Mapping[str, Any], reader: Reader) -> None:
    sandbox = settings.sandbox
    if sandbox is not None and sandbox.listen == settings.hub.listen and settings.hub.address[1] != 0:
        path = (
            ("sandbox", "listen") if isinstance(data["sandbox"], dict) and "listen" in data["sandbox"] else ("sandbox",)
        )
        reader.report(path, f"{sandbox.listen} is already the address of hub.listen", "give one of them another port")


class _Mappings:
    """The mappings that the configuration names, each loaded once; problems inside them are reported with it."""

    def __init__(self, settings: "Settings", reader: Reader) -> None:
        self._reader = reader
        self._locale = settings.hub.locale
        self._folder = settings.base_dir / "mappings"
        self._shown = Path(reader.document.file).parent
        self._named: set[str] = set()
        self._types = {name: one.type for name, one in settings.connections.items()}

    def named(self, name: Any, path: YamlPath) -> None:
        """`mappings/NAME.yaml` beside the file, else a shipped preset of that name."""
        if not isinstance(name, str) or name in self._named:
            return
        known = mapping_names(self._folder)
        if name not in known:
            guess = name.removesuffix(".yaml").removesuffix(".yml").removeprefix("mappings/")
            self._reader.report(path, f"there is no mapping {quote(name)}", choices(guess, known, "there are"))
            return
        self._named.add(name)
        self._reader.problems.extend(self._inside(name))

    def presets(self, to: Any, connections: Any) -> None:
        """A file with the name of a shipped preset is used in its stead, so it must be right too."""
        files = {file.stem for file in self._folder.glob("*.yaml")}
        for name in to if isinstance(to, list) else [to]:
            connection = connections.get(name) if isinstance(connections, dict) and isinstance(name, str) else None
            preset = preset_name(connection.get("type")) if isinstance(connection, dict) else ""
            if preset in files - self._named:
                self._named.add(preset)
                self._reader.problems.extend(self._inside(preset))

    def of_sync(self, sync: Mapping[str, Any], path: YamlPath) -> None:
        """`mappings/sync/NAME.yaml`, or the one for the two CRMs and this kind of record."""
        types = [self._types.get(side) if isinstance(side := sync.get(key), str) else None for key in ("left", "right")]
        name, about = sync.get("mapping"), sync.get("object")
        known = mapping_names(self._folder, SYNC)
        if isinstance(name, str) and name not in known:
            self._reader.report(path, f"there is no mapping {quote(name)}", choices(name, known, "there are"))
        elif types[0] and types[1] and about in OBJECTS:
            own = name if isinstance(name, str) else None
            load = partial(load_record_mapping, types[0], types[1], about, self._folder, name=own)
            self._named.add(f"{SYNC}{own or preset_names(types[0], types[1], about)[0]}")
            self._reader.problems.extend(self._problems(load, f"{SYNC}{own or about}"))

    def unused(self) -> Iterator[Problem]:
        """What is wrong in files that nothing names: that stops nobody."""
        for file in sorted(self._folder.glob("*.yaml")):
            if file.stem not in self._named:
                yield from self._inside(file.stem)
        for file in sorted((self._folder / SYNC).glob("*.yaml")):
            if f"{SYNC}{file.stem}" not in self._named:
                shown = f"{self._folder.name}/{SYNC}{file.name}"
                read = partial(_read_record_mapping, file, shown, self._folder)
                yield from self._problems(read, f"{SYNC}{file.stem}")

    def _inside(self, name: str) -> list[Problem]:
        return self._problems(partial(load_mapping, name, self._folder, locale=self._locale), name)

    def _problems(self, load: Callable[[], object], name: str) -> list[Problem]:
        try:
            load()
        except MappingError as error:
            return [replace(problem, file=str(self._shown / problem.file)) for problem in error.problems]
        except OSError as error:
            file = str(self._shown / "mappings" / f"{name}.yaml")
            return [Problem(file, 0, 0, "", f"cannot be read: {error.strerror}")]
        return []


def _read_record_mapping(file: Path, shown: str, folder: Path) -> object:
    return parse_record_mapping(file.read_bytes(), shown, folder=folder)


def _conditions(value: Any, path: YamlPath, reader: Reader) -> None:
    """Every `when` in a route, also those of its assignment rules."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "when" and isinstance(item, str):
                _condition(item, (*path, key), reader)
            else:
                _conditions(item, (*path, key), reader)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _conditions(item, (*path, index), reader)


def _condition(text: str, path: YamlPath, reader: Reader, about: About = "lead") -> None:
    try:
        compile_condition(text, about)
    except ExpressionError as error:
        reader.report(path, error.message, error.hint, offset=error.offset)


def _warnings(settings: "Settings", reader: Reader) -> Iterable[Problem]:
    problem = reader.document.problem
    everything: set[str] = set()
    for index, route in enumerate(settings.routes):
        wanted = set(settings.sources) if ANY in route.from_ else set(route.from_)
        if wanted and wanted <= everything:
            yield problem(
                ("routes", index), "is never used: routes above it take everything from its sources", key=True
            )
        if route.when is None:
            everything |= wanted
        for doubt in route.assign.doubts() if route.assign else ():
            yield problem(("routes", index, "assign"), doubt, key=True)
    routed = {name for route in settings.routes for name in (settings.sources if ANY in route.from_ else route.from_)}
    for name in settings.sources:
        if name not in routed:
            hint = "its leads are kept and wait for a route"
            yield problem(("sources", name), "is in no route", hint, key=True)
    used = {name for route in settings.routes for name in route.to}
    used |= {name for sync in settings.syncs.values() for name in (sync.left, sync.right)}
    for name in settings.connections:
        if name not in used:
            yield problem(("connections", name), "is used by no route and no sync", key=True)
    synced = {name for sync in settings.syncs.values() for name in (sync.left, sync.right)}
    for name in [name for name in settings.connections if name in synced]:
        connector = CONNECTORS[settings.connections[name].type]
        if connector.hooks is not None and not connector.proves_hooks(settings.connections[name].settings):
            hint = f"set {connector.hooks_proven_by}; until then they are taken slowly"
            yield problem(("connections", name), "takes webhooks from anybody who knows its address", hint, key=True)
    yield from doubts_of_syncs(settings, problem)
    if settings.connections and not settings.alerts.channels:
        hint = "alerts.channels: a Telegram chat takes two lines, see `leadhub init`"
        yield problem(("alerts",), "nobody is told when a lead fails or a connection goes down", hint, key=True)
