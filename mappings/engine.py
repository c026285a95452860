"""A compiled mapping and one lead -> what is to be written; what cannot be computed is left out and reported."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from leads.normalize import email
from leads.phones import phones
from leads.records import Lead
from mappings.checker import ExpressionError
from mappings.expressions import Condition, Context, scope
from mappings.nodes import Place
from mappings.schema import Entry, LeadMapping, Section
from mappings.texts import Locale, locale_of
from mappings.transforms import Around
from mappings.values import amount, is_empty, plain_number, text_of
from mappings.views import Facts, variables

LINE_MAX: Final = 250  # characters of a name, title or tag: amoCRM and Bitrix24 keep 255
_LINES: Final = ("name", "title", "pipeline", "stage", "source")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field that was left out: its path, where it is written, and why. The text holds no value of the lead."""

    path: str
    line: int
    file: str
    message: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One computed value and where the mapping says so. `label` is the field as the mapping names it."""

    label: str
    value: Any
    place: Place
    optional: bool = False
    fits: bool = False
    """To be cut to what the CRM's field can hold."""


@dataclass(frozen=True, slots=True)
class DraftedRecord:
    """`values` are the record's own attributes as text, `fields` the CRM's custom fields with typed values."""

    values: Mapping[str, Drawn] = field(default_factory=dict)
    fields: tuple[Drawn, ...] = ()
    tags: tuple[str, ...] = ()
    utm: Mapping[str, str] = field(default_factory=dict)
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    """Further ones that the mapping found, beside the lead's own; E.164 and lower case."""

    def text(self, name: str) -> str:
        """The attribute `name`, "" when the mapping gives none."""
        drawn = self.values.get(name)
        return drawn.value if drawn else ""


@dataclass(frozen=True, slots=True)
class DraftedTask:
    text: str
    due: timedelta
    """Working time from now."""


@dataclass(frozen=True, slots=True)
class Essentials:
    """What a manager needs to call, straight from the lead: no mapping can lose it."""

    lead_id: str
    name: str
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    comment: str
    source: str


@dataclass(frozen=True, slots=True)
class Drafted:
    """All that one lead becomes in one CRM, still with names where the CRM has ids."""

    contact: DraftedRecord
    company: DraftedRecord | None
    deal: DraftedRecord
    note_text: str
    task: DraftedTask | None
    problems: tuple[FieldProblem, ...]
    essentials: Essentials
    locale: Locale = "en"


def build(mapping: LeadMapping, facts: Facts) -> Drafted:
    """Never raises for what is in a lead. The same facts give the same draft."""
    drawing = drawing_of(mapping, facts)
    company = drawing.record(mapping.company) if mapping.company else None
    contact, deal = drawing.record(mapping.contact), drawing.record(mapping.deal)
    return Drafted(
        contact=contact,
        company=company if company and company.text("name") else None,
        deal=deal,
        note_text=drawing.note(mapping),
        task=drawing.task(mapping),
        problems=tuple(drawing.problems),
        essentials=_essentials(facts),
        locale=locale_of(facts.hub.locale),
    )


def drawing_of(mapping: LeadMapping, facts: Facts) -> "Drawing":
    due_at = facts.due_at or facts.now + mapping.due  # by the clock, when no working hours were given
    return Drawing(scope(variables(facts, due_at)), Around(facts.hub.timezone, facts.hub.region))


class Drawing:
    """Computes entry after entry and collects what failed."""

    def __init__(self, context: Context, around: Around) -> None:
        self.context = context
        self.around = around
        self.problems: list[FieldProblem] = []

    def record(self, section: Section) -> DraftedRecord:
        if not self._wanted(section.when, next(iter(section.values.values()), None)):
            return DraftedRecord()
        values = {name: drawn for name, entry in section.values.items() if (drawn := self._attribute(name, entry))}
        utm = {entry.label: text for entry in section.utm if (text := self.text(entry))}
        return DraftedRecord(
            values,
            tuple(self._fields(section.fields)),
            tags=self.part("tags", section.lists.get("tags", ())),
            utm=utm,
            phones=self.part("phones", section.lists.get("phones", ())),
            emails=self.part("emails", section.lists.get("emails", ())),
        )

    def task(self, mapping: LeadMapping) -> DraftedTask | None:
        section = mapping.task
        entry = section.values.get("text") if section else None
        if section is None or entry is None or not self._wanted(section.when, entry):
            return None
        text = one_line(self.text(entry))
        return DraftedTask(text, mapping.due) if text else None

    def text(self, entry: Entry) -> str:
        return text_of(self._guarded(entry, self._computed(entry)))

    def _attribute(self, name: str, entry: Entry) -> Drawn | None:
        value = self._guarded(entry, partial(self._price, entry) if name == "price" else self._computed(entry))
        if value is None:
            return None
        text = text_of(value)
        text = one_line(text) if name in _LINES else text.strip()
        return Drawn(name, text, entry.place, entry.optional) if text else None

    def _fields(self, entries: Iterable[Entry]) -> Iterable[Drawn]:
        for entry in entries:
            value = self._guarded(entry, self._computed(entry))
            if value is not None:
                yield Drawn(entry.label, _plain(value), entry.place, entry.optional, entry.fits)

    def note(self, mapping: LeadMapping) -> str:
        return _tidy(self.text(mapping.note)) if mapping.note else ""

    def part(self, name: str, entries: Iterable[Entry]) -> tuple[str, ...]:
        """The different values of a list in order; one that cannot be read is left out and told."""
        clean = {"tags": _tag, "phones": self._phone, "emails": _email}[name]
        found: dict[str, None] = {}
        for entry in entries:
            value = self._guarded(entry, self._computed(entry))
            for one in value if isinstance(value, list | tuple) else (value,):
                text = self._guarded(entry, partial(_cleaned, clean, one))
                if text:
                    found[text] = None
        return tuple(found)

    def _computed(self, entry: Entry) -> Callable[[Context], Any]:
        return lambda context: entry.compute(context, self.around)

    def _phone(self, value: Any) -> str:
        text = text_of(value)
        found = phones(text, self.around.region).found
        if text.strip() and not found:
            raise ExpressionError("holds no phone number that can be read")
        return found[0] if found else ""

    def _price(self, entry: Entry, context: Context) -> str | None:
        value = entry.compute(context, self.around)
        if value is None:
            return None
        found = amount(value)
        if found is None:
            raise ExpressionError("is not an amount of money")
        return plain_number(found)

    def _wanted(self, when: Condition | None, entry: Entry | None) -> bool:
        if when is None:
            return True
        return bool(self._guarded(entry, when)) if entry else True

    def _guarded(self, entry: Entry, compute: Callable[[Context], Any]) -> Any:
        try:
            return compute(self.context)
        except ExpressionError as error:
            place = entry.place
            self.problems.append(FieldProblem(place.path, place.line, place.file, error.message))
            return None


def _cleaned(clean: Callable[[Any], str], value: Any, _context: Context) -> str:
    return clean(value)


def _tag(value: Any) -> str:
    return one_line(text_of(value))


def _email(value: Any) -> str:
    text = text_of(value)
    found = email(text)
    if text.strip() and not found:
        raise ExpressionError("holds no e-mail address that can be read")
    return found


def _plain(value: Any) -> Any:
    """Values that any CRM's JSON can hold: text, whole number, true or false, or a list of these."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value if not is_empty(one)]
    if isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else text_of(value)


def one_line(text: str) -> str:
    """`text` without line breaks and double blanks, cut to LINE_MAX."""
    line = " ".join(text[: 4 * LINE_MAX].split())
    return line if len(line) <= LINE_MAX else line[: LINE_MAX - 1].rstrip() + "…"


def _tidy(text: str) -> str:
    """A note without blank lines: what is absent leaves no gap."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _essentials(facts: Facts) -> Essentials:
    lead: Lead = facts.lead
    source = facts.source.title or facts.source.name or lead.source
    return Essentials(lead.id, lead.name, lead.phones, lead.emails, lead.comment, source)
