"""A mapping tried out: on one lead, and on the examples of mappings/tests/*.yaml. Nothing is written anywhere."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from connectors.doors import Inbound, Refused, Unreadable
from connectors.registry import SOURCES
from jobs import yaml_positions
from jobs.config.errors import ConfigError, Problem, YamlPath, choices, quote
from jobs.config.loading import Settings
from jobs.intake.kept import to_lead
from jobs.yaml_positions import Document
from leads.attribution import touch_from_json
from leads.records import Lead
from mappings.compare import time_of
from mappings.load import SYNC, find_file, load_mapping, mapping_names
from mappings.problems import MappingError
from mappings.records import parse_record_mapping
from mappings.schema import LeadMapping
from mappings.trace import Traced, trace
from mappings.values import text_of
from mappings.views import Facts, Known, Named
from store import reading
from store.db import Database
from store.intake import lead_from_row

TESTS: Final = "tests"
"""The folder in `mappings/`."""
PARTS: Final = ("name", "mapping", "lead", "at", "source", "left", "right", "expect")
LISTS: Final = ("contact.phones", "contact.emails", "deal.tags")


@dataclass(frozen=True, slots=True)
class Difference:
    """What one example expected and did not get. `place` is of the expectation, `origin` of the mapping's line."""

    file: str
    line: int
    column: int
    test: str
    target: str
    expected: str
    got: str
    origin: str = ""

    def render(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}  {self.test}: {self.target}"
        came = f"   ({self.origin})" if self.origin else ""
        return f"{head}\n    expected  {self.expected}\n    got       {self.got}{came}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`tests` names those that were run, with how many expectations each had."""

    tests: tuple[tuple[str, int], ...] = ()
    differences: tuple[Difference, ...] = ()


# --- facts about one lead ------------------------------------------------------------------------


def facts_from_fields(settings: Settings, fields: Mapping[str, Any], source: Named, at: datetime) -> Facts:
    """A lead as the web form's door would read these fields. Raises ValueError with the reason."""
    door = SOURCES["webform"]
    inbound = Inbound("POST", "", [], {"content-type": "application/json"}, json.dumps(fields).encode(), "", at)
    try:
        parsed = door.parse(door.settings(), inbound, settings.hub.default_region or "")
    except (Refused, Unreadable) as error:
        raise ValueError(str(error)) from error
    if not parsed.leads:
        raise ValueError("holds no lead")
    lead = to_lead(parsed.leads[0], "00000000-0000-7000-8000-000000000000", source.name, at, over_rate=False)
    return _facts(settings, lead, source, at)


def _facts(settings: Settings, lead: Lead, source: Named, now: datetime) -> Facts:
    return Facts(
        lead=lead,
        now=now,
        hub=settings.hub.view,
        source=source,
        person=Known("", lead.name, lead.phones, lead.emails),
        first_touch=lead.browser_first_touch or lead.touch,
        last_touch=lead.touch,
    )


def source_named(settings: Settings, name: str) -> Named:
    configured = settings.sources.get(name)
    title = getattr(configured.settings, "title", "") if configured else ""
    return Named(name, configured.type if configured else "webform", title or name)


async def facts_of_stored(settings: Settings, db: Database, lead_id: str, now: datetime) -> Facts | None:
    """The facts about a lead that came in; None when there is none of this id (or of one that begins so)."""
    found = await db.read(reading.ids_beginning, start=lead_id)
    story = await db.read(reading.story, lead_id=found[0]) if len(found) == 1 else None
    if story is None:
        return None
    lead = lead_from_row(story.lead)
    facts = _facts(settings, lead, source_named(settings, lead.source), now)
    person = story.person
    if person is None or not person.first_touch:
        return facts
    return Facts(
        lead=lead,
        now=now,
        hub=facts.hub,
        source=facts.source,
        person=Known(person.id, person.name or lead.name, lead.phones, lead.emails),
        first_touch=touch_from_json(person.first_touch),
        last_touch=lead.touch,
    )


def read_fields(file: Path) -> Mapping[str, Any]:
    """The fields of a lead in a YAML or JSON file. Raises ConfigError."""
    document, problems = yaml_positions.parse(file.read_bytes(), str(file))
    if not problems and not isinstance(document.data, dict):
        problems = [document.problem((), "must be fields of a lead, such as name: Иван")]
    if problems:
        raise ConfigError(problems)
    data: dict[str, Any] = document.data
    return data


# --- examples --------------------------------------------------------------------------------------


def run_tests(settings: Settings, now: datetime) -> Outcome:
    """All examples of `mappings/tests/`. Raises ConfigError for examples that cannot be understood."""
    folder = settings.base_dir / "mappings"
    shown = Path(settings.document.file).parent / "mappings" / TESTS
    runner = _Runner(settings, folder, now)
    for file in sorted((folder / TESTS).glob("*.yaml")):
        runner.file(file, str(shown / file.name))
    if runner.problems:
        raise ConfigError(runner.problems)
    return Outcome(tuple(runner.tests), tuple(runner.differences))


@dataclass(slots=True)
class _Runner:
    settings: Settings
    folder: Path
    now: datetime
    tests: list[tuple[str, int]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def file(self, file: Path, shown: str) -> None:
        document, problems = yaml_positions.parse(file.read_bytes(), shown)
        self.problems += problems
        if document.data is None:
            return
        listed = isinstance(document.data, list)
        for index, example in enumerate(document.data if listed else [document.data]):
            path: YamlPath = (index,) if listed else ()
            if not isinstance(example, dict):
                self.problems.append(document.problem(path, "is an example", "its parts: " + ", ".join(PARTS)))
                continue
            before = len(self.problems)
            for key in example:
                if key not in PARTS:
                    self._report(document, (*path, key), "unknown part", choices(key, PARTS), key=True)
            if not isinstance(example.get("mapping"), str):
                hint = choices("", [*mapping_names(self.folder), f"{SYNC}NAME"], "there are")
                self._report(document, (*path, "mapping"), "is required", hint, key=True)
            if not isinstance(example.get("expect"), dict):
                self._report(document, (*path, "expect"), "is required: what shall come out", key=True)
            if len(self.problems) == before:
                name = str(example.get("name") or (f"{file.stem}[{index}]" if listed else file.stem))
                self._run(_Example(document, path, name, example))

    def _run(self, example: "_Example") -> None:
        try:
            got = self._records(example) if example.mapping.startswith(SYNC) else self._enquiry(example)
        except MappingError as error:
            self.problems += error.problems
            return
        except ValueError as error:
            self._report(example.document, (*example.path, "lead"), str(error))
            return
        expected = list(example.expectations())
        self.tests.append((example.name, len(expected)))
        self.differences += [found for path, value in expected if (found := example.differs(path, value, got))]

    def _enquiry(self, example: "_Example") -> dict[str, tuple[Any, str]]:
        mapping = load_mapping(example.mapping, self.folder, locale=self.settings.hub.locale)
        source = source_named(self.settings, str(example.data.get("source") or "site"))
        facts = facts_from_fields(self.settings, example.section("lead"), source, example.at(self.now))
        return results(mapping, facts)

    def _records(self, example: "_Example") -> dict[str, tuple[Any, str]]:
        """`left: {…}` with `expect: {right: {…}}`, or the other way round; fields as the mapping calls them."""
        name = example.mapping.removeprefix(SYNC)
        found = find_file(name, self.folder, SYNC)
        if found is None:
            message = f"there is no mapping {quote(name)}"
            known = choices(name, mapping_names(self.folder, SYNC), "there are")
            raise MappingError([example.document.problem((*example.path, "mapping"), message, known)])
        path, shown = found
        mapping = parse_record_mapping(path.read_bytes(), shown, name=name, folder=self.folder)
        places = {pair.end("right").key: pair.place for pair in mapping.pairs}
        places |= {pair.end("left").key: pair.place for pair in mapping.pairs}
        got: dict[str, tuple[Any, str]] = {}
        for side, values in (
            ("right", mapping.to_right(example.section("left"))),
            ("left", mapping.to_left(example.section("right"))),
        ):
            for key, value in values.items():
                place = places.get(key)
                got[f"{side}.{key}"] = value, f"{place.file}:{place.line}" if place else ""
        return got

    def _report(self, document: Document, path: YamlPath, message: str, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(document.problem(path, message, hint, key=key))


@dataclass(frozen=True, slots=True)
class _Example:
    document: Document
    path: YamlPath
    name: str
    data: Mapping[str, Any]

    @property
    def mapping(self) -> str:
        return str(self.data["mapping"])

    def section(self, name: str) -> Mapping[str, Any]:
        value = self.data.get(name)
        return value if isinstance(value, dict) else {}

    def at(self, now: datetime) -> datetime:
        """When the lead came in: then the texts with times are the same on every day."""
        found = time_of(self.data.get("at"))
        return found.astimezone(UTC) if isinstance(found, datetime) else now

    def expectations(self) -> Iterator[tuple[YamlPath, Any]]:
        """(path, value) of every single value that is expected; a list counts as one."""
        yield from _leaves((*self.path, "expect"), self.data["expect"])

    def differs(self, path: YamlPath, expected: Any, got: Mapping[str, tuple[Any, str]]) -> Difference | None:
        target = ".".join(str(part) for part in path[len(self.path) + 1 :])
        value, origin = got.get(target, (None, ""))
        if _same(expected, value):
            return None
        line, column = self.document.at(path)
        shown = _shown(expected), _shown(value)
        return Difference(self.document.file, line, column, self.name, target, *shown, origin)


def results(mapping: LeadMapping, facts: Facts) -> dict[str, tuple[Any, str]]:
    """target -> (value, file:line); fields of the CRM as `deal.fields.Город`; lists as tuples; `problems`."""
    traced, problems = trace(mapping, facts)
    found: dict[str, tuple[Any, str]] = {}
    for one in traced:
        target, origin = target_of(one), f"{one.place.file}:{one.place.line}"
        if target in LISTS:
            found[target] = (*found.get(target, ((), ""))[0], one.value), origin
        else:
            found[target] = one.value, origin
    found["contact.phones"] = (*facts.lead.phones, *_more("contact.phones", found, facts.lead.phones)), ""
    found["contact.emails"] = (*facts.lead.emails, *_more("contact.emails", found, facts.lead.emails)), ""
    found["problems"] = tuple(f"{one.path}: {one.message}" for one in problems), ""
    return found


def _more(target: str, found: Mapping[str, tuple[Any, str]], own: Sequence[str]) -> list[str]:
    return [one for one in found.get(target, ((), ""))[0] if one not in own]


def target_of(one: Traced) -> str:
    """`deal.fields.Город` for `deal.fields["Город"]`."""
    return one.target.replace('["', ".").removesuffix('"]')


def _leaves(path: YamlPath, value: Any) -> Iterator[tuple[YamlPath, Any]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _leaves((*path, key), part)
    else:
        yield path, value


def _same(expected: Any, got: Any) -> bool:
    """By what people read: 5 is "5"; null means that nothing is written; lists in order."""
    if expected is None or got is None:
        return expected in (None, "", []) and got in (None, "", ())
    if isinstance(expected, list) or isinstance(got, list | tuple):
        both = [value if isinstance(value, list | tuple) else [value] for value in (expected, got)]
        return [text_of(one) for one in both[0]] == [text_of(one) for one in both[1]]
    return text_of(expected).strip() == text_of(got).strip()


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "", (), []) else json.dumps(value, ensure_ascii=False, default=text_of)
