"""Does one CRM have the fields, pipelines and stages that a mapping names? For `leadhub check --live`."""

from collections.abc import Iterator

from connectors.base import FieldInfo, Kind, Pipeline
from jobs.delivery.resolve import Directory
from mappings.problems import Problem, allowed, nearest
from mappings.schema import Entry, LeadMapping, Section
from mappings.values import text_of


def check_mapping(mapping: LeadMapping, directory: Directory, where: str, connection: str) -> list[Problem]:
    """What a lead would stumble over. `where` is like `in amoCRM "sales" (checked live, 14:02)`.

    Parts of the account that could not be read are not checked, nor names that an expression makes,
    nor optional fields.
    """
    problems: list[Problem] = []
    kinds: tuple[tuple[Kind, Section | None], ...] = (
        ("contact", mapping.contact),
        ("company", mapping.company),
        ("deal", mapping.deal),
    )
    for kind, section in kinds:
        if section is not None and directory.knows(kind):
            problems += _fields(section, directory, kind, where, connection)
    problems += _pipeline_and_stage(mapping.deal, directory, where)
    for section in (mapping.contact, mapping.company, mapping.deal):
        problems += _responsible(section, directory, where)
    return problems


def _responsible(section: Section | None, directory: Directory, where: str) -> Iterator[Problem]:
    wanted = _constant(section.values.get("responsible")) if section else ""
    if section and wanted and directory.users is not None and directory.user(wanted) is None:
        emails = [user.email or user.name for user in directory.users if user.active]
        place = section.values["responsible"].place
        yield place.problem(f'no active user "{wanted}" {where}', allowed(wanted, emails, "active"))


def _fields(section: Section, directory: Directory, kind: Kind, where: str, connection: str) -> Iterator[Problem]:
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


def _enum(entry: Entry, info: FieldInfo, where: str) -> Iterator[Problem]:
    known = {text.casefold() for text in (*info.enums, *info.enums.values())}
    for text in _told(entry):
        if text.strip().casefold() not in known:
            message = f'"{text}" is not one of the values of this field {where}'
            yield entry.place.problem(message, allowed(text, info.enums))


def _told(entry: Entry) -> Iterator[str]:
    """What an entry can become, as far as that is the same for every lead: its texts, or those of its dictionary."""
    values = entry.value if isinstance(entry.value, tuple) else (entry.value,)
    if not entry.steps:
        yield from (value.text for value in values if value.constant)
    elif entry.steps[-1].name == "map":
        options = entry.steps[-1].options
        yield from dict.fromkeys(map(text_of, options["table"].values()))
        if "default" in options:
            yield text_of(options["default"])
    if entry.default is not None and entry.default.constant:
        yield entry.default.text


def _pipeline_and_stage(deal: Section, directory: Directory, where: str) -> Iterator[Problem]:
    pipelines = directory.pipelines
    if pipelines is None:
        return
    wanted, stage = _constant(deal.values.get("pipeline")), _constant(deal.values.get("stage"))
    chosen = directory.pipeline(wanted) if wanted else None
    if wanted and chosen is None:
        names = [one.name for one in pipelines]
        message = f'no pipeline "{wanted}" {where}'
        yield deal.values["pipeline"].place.problem(message, allowed(wanted, names, "there are"))
    if stage and not ("pipeline" in deal.values and not wanted):
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
