"""Does one CRM have the fields, pipelines and stages that a mapping names? For `leadhub check --live`."""

from collections.abc import Iterator

from connectors.base import FieldInfo, Kind, Pipeline
from jobs.resolve import Directory
from mappings.problems import MappingProblem, allowed, nearest
from mappings.schema import Entry, LeadMapping, Section
from mappings.values import text_of


def check_mapping(mapping: LeadMapping, directory: Directory, where: str, connection: str) -> list[MappingProblem]:
    """What a lead would stumble over. `where` is like `in amoCRM "sales" (checked live, 14:02)`.

    Parts of the account that could not be read are not checked, nor names that an expression makes,
    nor optional fields.
    """
    problems: list[MappingProblem] = []
    kinds: tuple[tuple[Kind, Section | None], ...] = (
        ("contact", mapping.contact),
        ("company", mapping.company),
        ("deal", mapping.deal),
    )
    for kind, section in kinds:
        if section is not None and directory.knows(kind):
            problems += _fields(section, directory, kind, where, connection)
    problems += _pipeline_and_stage(mapping.deal, directory, where)
    return problems


def _fields(
    section: Section, directory: Directory, kind: Kind, where: str, connection: str
) -> Iterator[MappingProblem]:
    for entry in section.fields:
        info = directory.field(kind, entry.label)
        if info is None:
            if not entry.optional:
                message = f"no such field of a {kind} {where}"
                yield entry.place.problem(message, _nearest_field(entry.label, directory, kind, connection))
        elif info.read_only:
            yield entry.place.problem(f"the field is read-only {where}")
        elif info.enums:
            yield from _enum(entry, info, where)


def _nearest_field(label: str, directory: Directory, kind: Kind, connection: str) -> str:
    meant = directory.field(kind, nearest(label, directory.labels(kind)))
    found = f'nearest: "{meant.name}" (id {meant.id}, {meant.type}). Or' if meant else "write its name, code or id, or"
    return f"{found} run: leadhub setup {connection}"


def _enum(entry: Entry, info: FieldInfo, where: str) -> Iterator[MappingProblem]:
    values = entry.value if isinstance(entry.value, tuple) else (entry.value,)
    known = {text.casefold() for text in (*info.enums, *info.enums.values())}
    for value in values:
        if value.constant and text_of(value.text).strip().casefold() not in known:
            message = f'"{value.text}" is not one of the values of this field {where}'
            yield entry.place.problem(message, allowed(value.text, info.enums))


def _pipeline_and_stage(deal: Section, directory: Directory, where: str) -> Iterator[MappingProblem]:
    pipelines = directory.pipelines
    if pipelines is None:
        return
    wanted, stage = _constant(deal.values.get("pipeline")), _constant(deal.values.get("stage"))
    chosen = directory.pipeline(wanted) if wanted else None
    if wanted and chosen is None:
        names = [one.name for one in pipelines]
        message = f'no pipeline "{wanted}" {where}'
        yield deal.values["pipeline"].place.problem(message, allowed(wanted, names, "there are"))
    elif stage and not ("pipeline" in deal.values and not wanted):
        places: tuple[Pipeline, ...] = (chosen,) if chosen else pipelines
        if directory.stage(places, stage) is None:
            names = list(dict.fromkeys(one.name for place in places for one in place.stages))
            inside = f' in pipeline "{chosen.name}"' if chosen else ""
            message = f'no stage "{stage}"{inside} {where}'
            yield deal.values["stage"].place.problem(message, allowed(stage, names, "there are"))


def _constant(entry: Entry | None) -> str:
    """The text of an entry that is the same for every lead, else ""."""
    if entry is None or isinstance(entry.value, tuple) or not entry.value.constant:
        return ""
    return entry.value.text.strip()
