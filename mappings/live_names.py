"""Names inside a bound mapping that its two accounts do not have: choices, stages, users, fields of expressions."""

from collections.abc import Iterator

from mappings.accounts import Account, FieldType
from mappings.names import labels_read, stage_named, value_id
from mappings.pairs import SIDES, FieldPair, Side
from mappings.problems import Problem, allowed
from mappings.records import RecordMapping
from mappings.values import text_of


def unknown_names(mapping: RecordMapping, of: FieldType | None = None) -> list[Problem]:
    """`mapping` is bound. What could not be read of an account is not checked. `of`: only in fields of this type."""
    found: list[Problem] = []
    for pair in mapping.pairs:
        if of not in (None, pair.type):
            continue
        found += _in_dictionary(pair)
        found += _in_expressions(pair)
        found += _default(pair)
    return found


def unread_labels(text: str, side: Side, account: Account) -> Iterator[tuple[str, str]]:
    """What is wrong with each field that an expression reads of a side and the account lacks, and what there is."""
    for label in labels_read(text, side):
        if account.fields is not None and account.field(label) is None:
            yield f'{account.title or side} has no field "{label}"', allowed(label, account.labels(), "fields")


def _in_expressions(pair: FieldPair) -> Iterator[Problem]:
    texts = [one.text for one in (pair.when, pair.default, pair.left.value, pair.right.value) if one]
    for side in SIDES:
        for text in texts:
            for message, hint in unread_labels(text, side, pair.account(side)):
                yield pair.place.problem(message, hint)


def _in_dictionary(pair: FieldPair) -> Iterator[Problem]:
    for left, right in pair.table.items():
        place = pair.table_places.get(left, pair.place)
        names: dict[Side, str] = {"left": left, "right": right}
        for side in SIDES:
            if message := _unknown(pair, side, names[side]):
                yield place.problem(message, allowed(names[side], _choices(pair, side, names[side]), "there are"))


def _default(pair: FieldPair) -> Iterator[Problem]:
    """One that is the same for every record, in each side that it may be written to."""
    if pair.default is None or not pair.default.constant:
        return
    text = text_of(pair.default.text)
    for side in SIDES:
        if pair.goes(side) and not pair.table and not pair.end(side).steps and (message := _unknown(pair, side, text)):
            yield pair.place.problem(f"default: {message}", allowed(text, _choices(pair, side, text), "there are"))


def _unknown(pair: FieldPair, side: Side, name: str) -> str:
    """What is wrong with a name of a choice, stage or user, or ""."""
    account, known = pair.account(side), pair.end(side).field
    where = account.title or f"the {side} side"
    if pair.type == "stage":
        missing = account.stages is not None and stage_named(name, account, put=pair.goes(side)) is None
        return f'{where} has no stage "{name}"' if missing else ""
    if pair.type == "user":
        known_user = account.users is None or _is_user(account, name, active=pair.goes(side))
        return "" if known_user else f'{where} has no active user "{name}"'
    if known is None or not known.enums or value_id(name, known) is not None:
        return ""
    return f'"{name}" is not one of the values of "{pair.end(side).label}" in {where}'


def _is_user(account: Account, name: str, *, active: bool) -> bool:
    """Where nothing is written, records of those who left are there all the same."""
    user, wanted = account.user(name), name.strip().casefold()
    if user is not None and (user.active or not active):
        return True
    return not active and any(wanted in (one.email.casefold(), one.name.casefold()) for one in account.users or ())


def _choices(pair: FieldPair, side: Side, name: str) -> list[str]:
    """What there is in place of `name`: stages with their pipelines where it has one, too."""
    account, known = pair.account(side), pair.end(side).field
    if pair.type == "stage":
        stages = [one for one in account.stages or () if one.takes or not pair.goes(side)]
        return list(dict.fromkeys(f"{one.pipeline}/{one.name}" if "/" in name else one.name for one in stages))
    if pair.type == "user":
        return [one.email or one.name for one in account.users or () if one.active]
    return list(known.enums) if known is not None else []
