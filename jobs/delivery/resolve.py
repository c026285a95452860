"""Names that a mapping uses -> the ids of one CRM; what has none is dropped and told, and never stops a lead."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from connectors.base import (
    CallDraft,
    CompanyDraft,
    ContactDraft,
    DealDraft,
    Draft,
    FieldInfo,
    Kind,
    Metadata,
    NoteDraft,
    Pipeline,
    Stage,
    TaskDraft,
)
from jobs.delivery.drafts import Dropped
from jobs.delivery.typed_values import is_typed, typed
from leads.assignment import CrmUserRef, resolve_user
from mappings.engine import Drafted, DraftedRecord, DraftedTask, Drawn, one_line
from mappings.filters import pretty_phone
from mappings.texts import ATTRIBUTES, ENQUIRY, NO_NAME, NOT_WRITTEN, WHY, Locale
from mappings.values import text_of

Named = TypeVar("Named", Pipeline, Stage)

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*|C\d+:[A-Z0-9_]+")
"""What may be an id or code of a vendor; anything else is a name for people."""
_ATTRIBUTES: Final[Mapping[type, tuple[str, ...]]] = {
    ContactDraft: ("name", "phones", "emails", "responsible"),
    CompanyDraft: ("responsible",),
    DealDraft: (
        "pipeline",
        "stage",
        "price",
        "source",
        "comment",
        "tags",
        "utm",
        "phones",
        "emails",
        "responsible",
        "name",
    ),
    TaskDraft: ("responsible",),
    CallDraft: ("recording_url", "responsible"),
}
_KNOWN: Final = frozenset(name for names in _ATTRIBUTES.values() for name in names)
"""What a draft can do without, in the order in which a note tells of it."""
_NOT_BARE: Final = ("pipeline", "stage", "price", "tags", "utm", "responsible")
"""What the bare minimum does without. It keeps name, phones, e-mails, comment, source and key."""


class Directory:
    """Fields, pipelines and stages of one account, ready to be looked up by id, code or name."""

    def __init__(self, metadata: Metadata) -> None:
        self.pipelines = metadata.pipelines if "pipelines" in metadata.known else None
        self.users: list[CrmUserRef] | None = None
        if "users" in metadata.known:
            self.users = [CrmUserRef(user.id, user.name, user.email, user.active) for user in metadata.users]
        known = metadata.fields if "fields" in metadata.known else {}
        self._exact: dict[Kind, dict[str, FieldInfo]] = {}
        self._folded: dict[Kind, dict[str, FieldInfo]] = {}
        for kind, infos in known.items():
            ways = [(info.id, info) for info in infos]
            ways += [(info.code, info) for info in infos if info.code]
            ways += [(info.name, info) for info in infos if info.name]
            self._exact[kind] = _first_wins(ways)
            self._folded[kind] = _first_wins([(way.casefold(), info) for way, info in ways])

    def knows(self, kind: Kind) -> bool:
        """Whether the fields of such records could be read."""
        return kind in self._exact

    def field(self, kind: Kind, label: str) -> FieldInfo | None:
        """The field with this id, code or name: exactly so first, then in whatever case."""
        return self._exact.get(kind, {}).get(label) or self._folded.get(kind, {}).get(label.strip().casefold())

    def labels(self, kind: Kind) -> list[str]:
        """Names of the fields as people see them."""
        return [info.name for info in self._exact.get(kind, {}).values() if info.name]

    def user(self, wanted: str) -> CrmUserRef | None:
        """The active user by id, e-mail or name."""
        found = resolve_user(wanted, self.users)
        return found if found is not None and found.active else None

    def pipeline(self, wanted: str) -> Pipeline | None:
        """By id or name; None too when the pipelines could not be read."""
        return _by_name(self.pipelines or (), wanted)

    def stage(self, pipelines: Iterable[Pipeline], wanted: str) -> tuple[Pipeline, Stage] | None:
        """The first of these pipelines that has the stage, by id or name, and the stage."""
        for pipeline in pipelines:
            stage = _by_name(pipeline.stages, wanted)
            if stage is not None:
                return pipeline, stage
        return None


@dataclass(frozen=True, slots=True)
class Resolved:
    """One lead as drafts with the vendor's ids. `names` is field id -> (as the mapping calls it, file:line)."""

    contact: ContactDraft
    company: CompanyDraft | None
    deal: DealDraft
    note_text: str
    task: DraftedTask | None
    dropped: tuple[Dropped, ...]
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    locale: Locale = "en"

    def without(self, draft: Draft, refused: Iterable[str], *, bare: bool = False) -> tuple[Draft, tuple[Dropped, ...]]:
        """`draft` without what the CRM refused (field ids, codes, or attributes such as "stage"), and what that was.

        `bare`: only what a manager needs to call. Doing it twice changes nothing more.
        """
        if isinstance(draft, NoteDraft):
            return draft, ()
        wanted = {name.casefold() for name in refused}
        attributes = [
            name
            for name in _ATTRIBUTES[type(draft)]
            if getattr(draft, name) and (name in wanted or (bare and name in _NOT_BARE))
        ]
        if isinstance(draft, DealDraft) and draft.stage and "pipeline" in attributes:
            attributes = list(dict.fromkeys([*attributes, "stage"]))  # a stage is one of its pipeline
        own: Mapping[str, Any] = getattr(draft, "fields", {})
        gone = [key for key in own if bare or wanted & {key.casefold(), self._name(key)[0].casefold()}]
        if not attributes and not gone:
            return draft, ()
        why = WHY[self.locale]["refused"]
        dropped = [self._dropped(key, own[key], why) for key in gone]
        dropped += [Dropped(name, _shown(getattr(draft, name)), why) for name in attributes]
        changes: dict[str, Any] = {name: type(getattr(draft, name))() for name in attributes}
        if gone:
            changes["fields"] = {key: value for key, value in own.items() if key not in gone}
        return replace(draft, **changes), tuple(dropped)

    def demanded(self, refused: Iterable[str]) -> tuple[Dropped, ...]:
        """What a CRM named in a refusal and is none of ours: it was made mandatory there, and a person is to know."""
        ours = _KNOWN.union(way.casefold() for key, (label, _) in self.names.items() for way in (key, label))
        why = WHY[self.locale]["refused"]
        return tuple(Dropped(name, "", why) for name in dict.fromkeys(refused) if name.casefold() not in ours)

    def note(self, dropped: Iterable[Dropped] = ()) -> str:
        """The text of the note: the mapping's, then what found no field, so that a manager still sees it."""
        words = ATTRIBUTES[self.locale]
        lines = [
            f"{words.get(one.field, one.field)}: {one.value} ({one.why})"
            for one in dropped
            if one.value and not one.optional and one.field != "responsible"  # an id: nothing for a reader
        ]
        if not lines:
            return self.note_text
        return "\n".join([self.note_text, f"{NOT_WRITTEN[self.locale]}:", *dict.fromkeys(lines)]).strip()

    def _name(self, key: str) -> tuple[str, str]:
        return self.names.get(key, (key, ""))

    def _dropped(self, key: str, value: Any, why: str) -> Dropped:
        name, where = self._name(key)
        return Dropped(name, _shown(value), why, where)


def resolve(drafted: Drafted, directory: Directory, *, keys: Mapping[Kind, str], responsible: str = "") -> Resolved:
    """`keys` are our keys of the records to be made; `responsible` is a user id of the CRM or "". Never raises."""
    return _Resolving(drafted, directory, keys, responsible).all()


class _Resolving:
    def __init__(self, drafted: Drafted, directory: Directory, keys: Mapping[Kind, str], responsible: str) -> None:
        self.drafted = drafted
        self.directory = directory
        self.keys = keys
        self.responsible = responsible
        self.why = WHY[drafted.locale]
        self.dropped: list[Dropped] = []
        self.names: dict[str, tuple[str, str]] = {}

    def all(self) -> Resolved:
        drafted, needed = self.drafted, self.drafted.essentials
        for problem in drafted.problems:
            self.dropped.append(Dropped(problem.path, "", problem.message, f"{problem.file}:{problem.line}"))
        contact = ContactDraft(
            key=self.keys.get("contact", ""),
            name=drafted.contact.text("name") or needed.name,
            phones=(*needed.phones, *(one for one in drafted.contact.phones if one not in needed.phones)),
            emails=(*needed.emails, *(one for one in drafted.contact.emails if one not in needed.emails)),
            responsible=self._responsible(drafted.contact),
            fields=self._fields("contact", drafted.contact),
        )
        return Resolved(
            contact=contact,
            company=self._company(drafted.company) if drafted.company else None,
            deal=self._deal(drafted.deal, contact.name),
            note_text=drafted.note_text,
            task=drafted.task,
            dropped=tuple(self.dropped),
            names=self.names,
            locale=drafted.locale,
        )

    def _company(self, record: DraftedRecord) -> CompanyDraft:
        fields = self._fields("company", record)
        return CompanyDraft(self.keys.get("company", ""), record.text("name"), self._responsible(record), fields)

    def _responsible(self, record: DraftedRecord) -> str:
        """Whom the route chose; else whom the mapping names by e-mail, name or id."""
        named = record.values.get("responsible")
        if self.responsible or named is None:
            return self.responsible
        user = self.directory.user(named.value)
        if user is None:
            self._drop(named, "unread_users" if self.directory.users is None else "no_user")
        return user.id if user else ""

    def _deal(self, record: DraftedRecord, name: str) -> DealDraft:
        needed = self.drafted.essentials
        pipeline, stage = self._pipeline_and_stage(record.values.get("pipeline"), record.values.get("stage"))
        return DealDraft(
            key=self.keys.get("deal", ""),
            title=record.text("title") or self._plain_title(),
            responsible=self._responsible(record),
            pipeline=pipeline,
            stage=stage,
            price=record.text("price"),
            source=record.text("source") or needed.source,
            comment=record.text("comment"),
            tags=record.tags,
            utm=record.utm,
            fields=self._fields("deal", record),
            phones=needed.phones,
            emails=needed.emails,
            name=name,
        )

    def _plain_title(self) -> str:
        needed = self.drafted.essentials
        who = needed.name or next((pretty_phone(phone) for phone in needed.phones), "") or next(iter(needed.emails), "")
        return one_line(f"{ENQUIRY[self.drafted.locale]}: {who or NO_NAME[self.drafted.locale].lower()}")

    def _fields(self, kind: Kind, record: DraftedRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for drawn in record.fields:
            if not self.directory.knows(kind):
                self._unread(drawn, fields)
                continue
            info = self.directory.field(kind, drawn.label)
            if info is None:
                self._drop(drawn, "no_field")
            elif info.read_only:
                self._drop(drawn, "read_only")
            elif (value := self._value(drawn, info)) not in (None, [], ""):
                self._put(fields, info.id, drawn, value)
        return fields

    def _unread(self, drawn: Drawn, fields: dict[str, Any]) -> None:
        """The field list could not be read: what looks like an id or code is believed, unless it is optional."""
        if _CODE.fullmatch(drawn.label) and not drawn.optional:
            self._put(fields, drawn.label, drawn, drawn.value)
        else:
            self._drop(drawn, "unread")

    def _put(self, fields: dict[str, Any], key: str, drawn: Drawn, value: Any) -> None:
        """A later name for the same field wins: the integrator's own lines come after the preset's."""
        fields[key] = value
        self.names[key] = (drawn.label, f"{drawn.place.file}:{drawn.place.line}")

    def _value(self, drawn: Drawn, info: FieldInfo) -> Any:
        """Of a list field the ids of its values; of any other the value, a list as one text."""
        several = drawn.value if isinstance(drawn.value, list) else [drawn.value]
        if info.kind == "user":
            return self._user_value(drawn, several, info)
        if not info.enums:
            plain = text_of(several) if isinstance(drawn.value, list) else drawn.value
            values = [typed(one, info, fits=drawn.fits) for one in (several if info.several else [plain])]
            for one in (one for one in values if not is_typed(one, info)):
                self._drop(replace(drawn, value=one), "no_kind")
            kept = [one for one in values if is_typed(one, info)]
            return kept if info.several else next(iter(kept), None)
        found = [(one, _enum_id(info, text_of(one))) for one in several]
        for one, enum_id in found:
            if enum_id is None:
                self._drop(replace(drawn, value=one), "no_value")
        ids = [enum_id for _, enum_id in found if enum_id is not None]
        return ids if isinstance(drawn.value, list) or info.several else next(iter(ids), None)

    def _user_value(self, drawn: Drawn, several: list[Any], info: FieldInfo) -> Any:
        """Ids of active users by e-mail, name or id."""
        users = [(one, self.directory.user(text_of(one))) for one in several]
        for one, user in users:
            if user is None:
                self._drop(replace(drawn, value=one), "unread_users" if self.directory.users is None else "no_user")
        found = [user.id for _, user in users if user is not None]
        return found if info.several else next(iter(found), None)

    def _pipeline_and_stage(self, pipeline: Drawn | None, stage: Drawn | None) -> tuple[str, str]:
        if self.directory.pipelines is None:
            return self._code(pipeline, "unread"), self._code(stage, "unread")
        chosen = self.directory.pipeline(pipeline.value) if pipeline else None
        if pipeline and chosen is None:
            self._drop(pipeline, "no_pipeline")
            if stage:
                self._drop(stage, "no_pipeline")
            return "", ""
        if stage is None:
            return (chosen.id if chosen else ""), ""
        places = [chosen] if chosen else sorted(self.directory.pipelines, key=lambda one: not one.is_default)
        found = self.directory.stage(places, stage.value)
        if found is not None:
            return found[0].id, found[1].id
        self._drop(stage, "no_stage")
        return (chosen.id if chosen else ""), ""

    def _code(self, drawn: Drawn | None, reason: str) -> str:
        if drawn is None:
            return ""
        text = str(drawn.value)
        if _CODE.fullmatch(text) and (not text.isalpha() or text.isupper() or text.islower()):
            return text  # 142, C5:NEW, appointmentscheduled; but not "New"
        self._drop(drawn, reason)
        return ""

    def _drop(self, drawn: Drawn, reason: str) -> None:
        if drawn.optional:
            return
        where = f"{drawn.place.file}:{drawn.place.line}"
        self.dropped.append(Dropped(drawn.label, _shown(drawn.value), self.why[reason], where))


def _by_name(things: Iterable[Named], wanted: str) -> Named | None:
    """By id, then by exact name, then by name in whatever case."""
    several = list(things)
    return (
        next((one for one in several if one.id == wanted), None)
        or next((one for one in several if one.name == wanted), None)
        or next((one for one in several if one.name.casefold() == wanted.casefold()), None)
    )


def _enum_id(info: FieldInfo, text: str) -> str | None:
    if text in info.enums:
        return info.enums[text]
    if text in info.enums.values():
        return text
    folded = text.strip().casefold()
    return next((enum_id for name, enum_id in info.enums.items() if name.casefold() == folded), None)


def _first_wins(pairs: Iterable[tuple[str, FieldInfo]]) -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for way, info in pairs:
        found.setdefault(way, info)
    return found


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={text_of(one)}" for key, one in value.items())
    return text_of(value)
