"""Which field, stage and user of the old CRM is which of the new one, as far as names, types and e-mails tell."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from connectors.records import RecordObject
from mappings.accounts import Account, AccountField, AccountStage, FieldType
from mappings.attributes import ATTRIBUTES
from mappings.problems import MappingError
from mappings.records import RecordMapping, load_record_mapping

OUR_KEYS: Final = frozenset({"id", "external_id", "key", "origin_id", "originator_id"})
"""Fields in which leadhub (or another program) keeps whose record this is; never carried."""
PREFIXES: Final = ("uf_crm_", "hs_")
MADE: Final[Mapping[str, str]] = {"deal": "BEGINDATE"}
"""Where the day on which a sale began stands in CRMs that set the time of creation themselves."""
JOINED: Final = ("phones", "emails", "tags")
MATCH: Final[Mapping[RecordObject, tuple[str, ...]]] = {
    "company": ("inn", "website", "phones", "name"),
    "contact": ("emails", "phones"),
    "deal": (),
}
How = Literal["name", "meaning", "place", ""]


@dataclass(frozen=True, slots=True)
class StageRow:
    """`how`: by the same name, by what it means (won, lost), by its place between the others, or "" for nothing."""

    left: str
    right: str
    how: How


@dataclass(frozen=True, slots=True)
class FieldRow:
    name: str
    left: str
    right: str
    type: FieldType
    unknown: tuple[str, ...] = ()
    """Choices of the left field that the right one does not have."""


@dataclass(frozen=True, slots=True)
class Proposal:
    object: RecordObject
    fields: tuple[FieldRow, ...]
    match: tuple[str, ...] = ()
    stages: tuple[StageRow, ...] = ()
    users: tuple[tuple[str, str], ...] = ()
    """(e-mail there, e-mail here) of those who only bear the same name."""
    users_without: tuple[str, ...] = ()
    """Active users of the old CRM, by e-mail, whom the new one does not have."""
    without: tuple[tuple[str, str], ...] = ()
    """(name, type) of fields of the old CRM for which the new one has none."""
    made_at_kept: bool = False


def propose(about: RecordObject, left: Account, right: Account, types: tuple[str, str]) -> Proposal:
    """`types`: the two connector names."""
    taken = _Taken()
    rows = [*_shared(about, left, right, taken), *_preset(about, left, right, types, taken)]
    rows += _by_name(about, left, right, taken)
    names = {row.name for row in rows}
    named: list[tuple[str, str]] = []
    unknown: list[str] = []
    if "responsible" in names and left.users is not None and right.users is not None:
        for user in left.users:
            called, here = user.email or user.name or user.id, right.user(user.name) if user.name else None
            if not user.active or _same_user(user.email, right):
                continue
            if here is not None and here.active and here.email:
                named.append((called, here.email))
            else:
                unknown.append(called)
    rest = [one for one in left.fields or () if one.key not in taken.left and not _is_ours(one)]
    without = tuple(
        (one.name or one.code or one.key, one.type)
        for one in rest
        if not one.read_only and one.key not in ("pipeline", "name", "created_at") and not _system(one)
    )
    stages = tuple(propose_stages(left, right)) if "stage" in names else ()
    match = tuple(name for name in MATCH[about] if name in names)
    return Proposal(about, tuple(rows), match, stages, tuple(named), tuple(unknown), without, "created_at" in names)


@dataclass(slots=True)
class _Taken:
    left: set[str] = field(default_factory=set)
    right: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def row(self, name: str, left: AccountField, right: AccountField, labels: tuple[str, str]) -> FieldRow | None:
        if left.key in self.left or right.key in self.right or name.casefold() in self.names:
            return None
        self.left.add(left.key)
        self.right.add(right.key)
        self.names.add(name.casefold())
        known = {one.strip().casefold() for one in right.enums}
        unknown = tuple(one for one in left.enums if one.strip().casefold() not in known) if right.enums else ()
        return FieldRow(name, *labels, left.type, unknown)


def _shared(about: RecordObject, left: Account, right: Account, taken: _Taken) -> Iterator[FieldRow]:
    """What both CRMs have by its very meaning."""
    ours, theirs = _by_key(left), _by_key(right)
    for key in ATTRIBUTES[about]:
        one, other = ours.get(key), theirs.get(key)
        if key == "pipeline" or (key == "name" and about in ("contact", "lead")):
            continue  # goes with the stage; is made of first and last name
        if one is not None and other is not None and not other.read_only:
            if row := taken.row(key, one, other, (key, key)):
                yield row
        elif one is not None and key == "created_at":
            start = right.field(MADE.get(about, ""))
            if start and not start.read_only and (row := taken.row(key, one, start, (key, _label(start, right)))):
                yield row


def _preset(
    about: RecordObject, left: Account, right: Account, types: tuple[str, str], taken: _Taken
) -> Iterator[FieldRow]:
    """What the shipped mapping of these two CRMs knows besides."""
    try:
        preset: RecordMapping = load_record_mapping(*types, about)
    except MappingError:
        return
    for pair in preset.pairs:
        one, other = left.field(pair.left.label), right.field(pair.right.label)
        if one is None or other is None or other.read_only or not _fits(one, other):
            continue
        if row := taken.row(pair.name, one, other, (_label(one, left), _label(other, right))):
            yield row


def _by_name(about: RecordObject, left: Account, right: Account, taken: _Taken) -> Iterator[FieldRow]:
    """The same name or code, and a type into which the value fits."""
    index: dict[str, AccountField] = {}
    for other in right.fields or ():
        if not other.read_only and not other.foreign and not _is_ours(other) and other.key != "pipeline":
            for way in _ways(other):
                index.setdefault(way, other)
    for one in left.fields or ():
        if _is_ours(one) or one.foreign or one.key == "pipeline":
            continue
        for way in _ways(one):
            found = index.get(way)
            if found is not None and _fits(one, found):
                label = _label(one, left)
                if row := taken.row(label, one, found, (label, _label(found, right))):
                    yield row
                break


def _ways(one: AccountField) -> Iterator[str]:
    for text in (one.name, one.code):
        folded = text.strip().casefold()
        for prefix in PREFIXES:
            folded = folded.removeprefix(prefix)
        if folded:
            yield folded


def _fits(left: AccountField, right: AccountField) -> bool:
    if left.several and not right.several:
        return False
    if "stage" in (left.type, right.type):
        return False
    kinds = {left.type, right.type}
    return (
        left.type == right.type or right.type == "text" or kinds <= {"number", "money"} or kinds <= {"date", "datetime"}
    )


def _is_ours(one: AccountField) -> bool:
    code = (one.code or one.key).casefold().removeprefix("uf_crm_").removeprefix("leadhub_")
    return code in OUR_KEYS


def _system(one: AccountField) -> bool:
    """What a CRM counts and keeps for itself."""
    return one.key.startswith("hs_") or one.key.casefold().endswith(("_id", "_ids"))


def _label(one: AccountField, account: Account) -> str:
    """As people see it, if that tells it apart."""
    return next((way for way in (one.name, one.code, one.key) if way and account.field(way) is one), one.key)


def _by_key(account: Account) -> Mapping[str, AccountField]:
    return {one.key: one for one in account.fields or ()}


def _same_user(email: str, account: Account) -> bool:
    user = account.user(email) if email else None
    return user is not None and user.active


# --- stages -----------------------------------------------------------------------------------------------------------


def propose_stages(left: Account, right: Account) -> Iterator[StageRow]:
    """Pipelines by name, else the one for new deals; in it stages by name, by meaning, by place."""
    theirs = _pipelines(one for one in right.stages or () if one.takes)
    for stages in _pipelines(left.stages or ()).values():
        targets = _pipeline_for(stages[0], theirs)
        open_here, open_there = ([one for one in some if not one.outcome] for some in (stages, targets))
        open_here = [one for one in open_here if one.takes] or open_here  # what is not sorted yet has no place
        for one in stages:
            found, how = _stage_for(one, targets)
            if found is None and not one.outcome and open_there:
                place = open_here.index(one) * len(open_there) // len(open_here) if one in open_here else 0
                found, how = open_there[place], "place"
            yield StageRow(_full(one), _full(found) if found else "", how)


def _pipelines(stages: Iterable[AccountStage]) -> dict[str, list[AccountStage]]:
    found: dict[str, list[AccountStage]] = {}
    for one in stages:
        found.setdefault(one.pipeline_id, []).append(one)
    return found


def _pipeline_for(near: AccountStage, theirs: Mapping[str, list[AccountStage]]) -> list[AccountStage]:
    some = list(theirs.values())
    named = [one for one in some if one[0].pipeline.strip().casefold() == near.pipeline.strip().casefold()]
    usual = [one for one in some if one[0].is_default]
    return next(iter([*named, *usual, *some]), [])


def _stage_for(one: AccountStage, targets: list[AccountStage]) -> tuple[AccountStage | None, How]:
    name = one.name.strip().casefold()
    for other in targets:
        if other.name.strip().casefold() == name and bool(other.outcome) == bool(one.outcome):
            return other, "name"
    for other in targets:
        if one.outcome and other.outcome == one.outcome:
            return other, "meaning"
    return None, ""


def _full(stage: AccountStage) -> str:
    return f"{stage.pipeline}/{stage.name}"
