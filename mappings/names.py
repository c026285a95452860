"""Ids of one CRM -> names that another CRM may know -> ids there: values of lists, users, stages."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mappings.accounts import Account, AccountField, AccountStage
from mappings.values import is_empty, text_of


def labels_read(text: str, side: str) -> list[str]:
    """The fields that an expression reads of a side: `left.city`, `left["Город"]`."""
    found = re.findall(rf"""\b{side}(?:\.(\w+)|\[\s*"([^"]*)"\s*\]|\[\s*'([^']*)'\s*\])""", text)
    return [one or two or three for one, two, three in found]


class RecordView(Mapping[str, Any]):
    """A record for an expression: `left.city`, `left["Город"]`; fields by any of their names, values as names."""

    def __init__(self, record: Mapping[str, Any], account: Account) -> None:
        self._record = record
        self._account = account

    def __getitem__(self, label: str) -> Any:
        known = self._account.field(label)
        value = self._record.get(known.key if known else label, "")
        if known is not None and known.type in ("enum", "user"):
            return value_name(value, known, self._account)
        return "" if value is None else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)

    def get(self, label: object, default: Any = "") -> Any:
        return self[label] if isinstance(label, str) else default


def value_name(value: Any, known: AccountField | None, account: Account) -> Any:
    """The name of a value of a list (of a user: the e-mail), where the account says so; else the value."""
    if isinstance(value, list | tuple):
        return tuple(value_name(one, known, account) for one in value)
    if is_empty(value) or known is None:
        return value
    text = text_of(value)
    if known.type == "user":
        user = account.user(text)
        return (user.email or user.name or user.id) if user else text
    return next((name for name, enum_id in known.enums.items() if enum_id == text), text)


def value_id(name: Any, known: AccountField | None) -> str | None:
    """The id of a value of a list; the text itself where the field has no list; None when the list lacks it."""
    text = text_of(name).strip()
    if known is None or not known.enums:
        return text
    if text in known.enums:
        return known.enums[text]
    if text in known.enums.values():
        return text
    folded = text.casefold()
    return next((enum_id for one, enum_id in known.enums.items() if one.strip().casefold() == folded), None)


def user_id(ref: Any, account: Account) -> str | None:
    """The id of an active user by e-mail, name or id."""
    user = account.user(text_of(ref).strip())
    return user.id if user is not None and user.active else None


def stage_of(record: Mapping[str, Any], account: Account) -> AccountStage | None:
    """The stage of a record. In amoCRM "won" and "lost" have the same id in every pipeline."""
    stage, pipeline = text_of(record.get("stage")), text_of(record.get("pipeline"))
    found = [one for one in account.stages or () if one.id == stage]
    return next((one for one in found if one.pipeline_id == pipeline), found[0] if found else None)


def stage_named(
    name: str, account: Account, near: AccountStage | None = None, *, put: bool = False
) -> AccountStage | None:
    """The stage called `pipeline/name` or `name`, or with this id, best in a pipeline that is called as that of `near`.

    Where no stage has that name and `near` is won or lost, the one that means the same. `put`: of those that take
    records.
    """
    stages = [one for one in account.stages or () if one.takes or not put]
    wanted = name.strip().casefold()
    alone = wanted.rpartition("/")[2]
    pipeline = near.pipeline.casefold() if near else ""
    closest = sorted(stages, key=lambda one: (one.pipeline.casefold() != pipeline, not one.is_default))
    for fits in (
        lambda one: f"{one.pipeline}/{one.name}".casefold() == wanted,
        lambda one: one.name.casefold() in (wanted, alone),
        lambda one: one.id.casefold() == wanted,
        lambda one: near is not None and near.outcome and one.outcome == near.outcome,
    ):
        for one in closest:
            if fits(one):
                return one
    return None
