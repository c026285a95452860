"""What one lead becomes, value by value, each with the line of the mapping that it came from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mappings.engine import Drawing, FieldProblem, drawing_of
from mappings.nodes import Place
from mappings.schema import LeadMapping, Section
from mappings.views import Facts


@dataclass(frozen=True, slots=True)
class Traced:
    """`target` is like `deal.title` or `deal.fields["Город"]`; `place` where the mapping says so."""

    target: str
    value: Any
    place: Place


def trace(mapping: LeadMapping, facts: Facts) -> tuple[tuple[Traced, ...], tuple[FieldProblem, ...]]:
    """All that is written, in the order of the mapping, and what could not be computed. Never raises."""
    drawing = drawing_of(mapping, facts)
    found: list[Traced] = []
    for name, section in (("contact", mapping.contact), ("company", mapping.company), ("deal", mapping.deal)):
        if section is not None:
            values = list(_section(name, section, drawing))
            needed = name != "company" or any(one.target == "company.name" for one in values)
            found += values if needed else []
    if mapping.note is not None and (text := drawing.note(mapping)):
        found.append(Traced("note", text, mapping.note.place))
    if mapping.task is not None and (task := drawing.task(mapping)):
        found.append(Traced("task.text", task.text, mapping.task.values["text"].place))
    return tuple(found), tuple(drawing.problems)


def _section(name: str, section: Section, drawing: Drawing) -> Iterator[Traced]:
    record = drawing.record(section)
    for key, drawn in record.values.items():
        yield Traced(f"{name}.{key}", drawn.value, drawn.place)
    for key, entries in section.lists.items():
        for entry in entries:
            for value in drawing.part(key, (entry,)):
                yield Traced(f"{name}.{key}", value, entry.place)
    for entry in section.utm:
        if entry.label in record.utm:
            yield Traced(f"{name}.utm.{entry.label}", record.utm[entry.label], entry.place)
    for drawn in record.fields:
        yield Traced(drawn.place.path, drawn.value, drawn.place)
