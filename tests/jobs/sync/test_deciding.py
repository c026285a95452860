"""Decisions about pairs that need no database."""

from dataclasses import replace
from typing import Any

import pytest

from jobs.config.syncs import SyncSettings
from jobs.sync.deciding import RecordNow, decide, draft, unchanged
from jobs.sync.model import End, Sync
from leads.clock import SystemClock
from leads.merge import UNSEEN, Agreed
from mappings.accounts import Account, AccountField, AccountStage, AccountUser
from mappings.records import parse_record_mapping
from tests.support.memory_crm import MemoryCrm

TEXT = b"object: contact\nmatch: []\nfields: {first_name: first_name, responsible: {on_missing: skip}}\n"
ANNA, BORIS = "anna@example.ru", "boris@example.ru"


def people() -> Sync:
    """Two CRMs with the same users under ids of their own."""
    users = (
        (AccountUser("11", ANNA), AccountUser("12", BORIS)),
        (AccountUser("71", ANNA), AccountUser("72", BORIS)),
    )
    fields = (AccountField("first_name", "first_name"), AccountField("responsible", "responsible", type="user"))
    ends = [
        End(name, MemoryCrm(name, SystemClock()), Account(name, fields, users=some))
        for name, some in zip(("left", "right"), users, strict=True)
    ]
    settings = SyncSettings.model_validate({"left": "left", "right": "right", "object": "contact"})
    mapping = parse_record_mapping(TEXT, "contact.yaml").bound(ends[0].account, ends[1].account)
    return Sync("contacts", settings, mapping, ends[0], ends[1])


def test_whom_a_crm_makes_responsible_by_itself_is_not_carried_back() -> None:
    sync = people()
    made = draft(sync, "left", {"first_name": "Анна", "responsible": ""})
    assert made.base["responsible"] == Agreed(UNSEEN, "")
    left, right = {"first_name": "Анна", "responsible": "11"}, {"first_name": "Анна", "responsible": ""}
    assert not unchanged(sync, "left", made.base, left)
    first = decide(sync, made.base, RecordNow("1", left), RecordNow("2", right))
    assert not first.writes
    assert first.base["responsible"] == Agreed(ANNA, "")
    later = decide(sync, first.base, RecordNow("1", {**left, "responsible": "12"}), RecordNow("2", right))
    assert later.values == {"left": {}, "right": {"responsible": "72"}}


def test_a_responsible_who_was_named_is_agreed_on_and_a_later_one_is_carried() -> None:
    sync = people()
    made = draft(sync, "left", {"first_name": "Анна", "responsible": "72"})
    assert made.values["responsible"] == "12"
    assert made.base["responsible"] == Agreed(BORIS, BORIS)
    unnamed = draft(sync, "left", {"first_name": "Анна", "responsible": ""})
    right = RecordNow("2", {"first_name": "Анна", "responsible": "72"})
    found = decide(sync, unnamed.base, RecordNow("1", {"first_name": "Анна", "responsible": "11"}), right)
    assert found.values == {"left": {"responsible": "12"}, "right": {}}


def test_the_currency_that_a_crm_puts_into_a_new_deal_does_not_go_back() -> None:
    text = b"object: deal\nmatch: []\nfields: {title: title, currency: currency}\n"
    account = Account("crm", (AccountField("title", "title"), AccountField("currency", "currency")))
    sync = replace(people(), mapping=parse_record_mapping(text, "deal.yaml").bound(account, account))
    made = draft(sync, "right", {"title": "A", "currency": ""})
    now = decide(sync, made.base, RecordNow("1", {"title": "A"}), RecordNow("2", {"title": "A", "currency": "RUB"}))
    assert not now.writes
    later = decide(sync, now.base, RecordNow("1", {"title": "A"}), RecordNow("2", {"title": "A", "currency": "USD"}))
    assert later.values == {"left": {"currency": "USD"}, "right": {}}


@pytest.mark.parametrize("rule", ["append", "newest"])
@pytest.mark.parametrize(
    ("left", "right", "written"),
    [
        ("zbcd", "cd", {}),  # "a" became "z": there is no room for it, "c" stays
        ("abc", "cd", {}),  # "d" was taken out: what HubSpot itself keeps cannot be
        ("abd", "cd", {"right": "d"}),  # "c" was taken out
        ("abcd", "cde", {"left": "abcde"}),  # a merge in the CRM added one
        ("abcd", "ed", {"left": "abde"}),  # somebody changed the one that is shown
        ("zbcd", "ed", {"left": "zbde"}),
    ],
)
def test_what_has_no_room_in_a_crm_is_neither_put_in_place_of_another_nor_taken_out_elsewhere(
    rule: str, left: str, right: str, written: dict[str, str]
) -> None:
    """HubSpot writes one e-mail and shows more of them after a merge; the other CRM has as many as you like."""
    text = f"object: contact\nmatch: []\nfields: {{emails: {{conflict: {rule}}}}}\n".encode()
    several = AccountField("emails", "emails", type="email", several=True)
    accounts = Account("left", (several,)), Account("right", (replace(several, max_values=1),))
    sync = replace(people(), mapping=parse_record_mapping(text, "contact.yaml").bound(*accounts))

    def record(names: str) -> dict[str, Any]:
        return {"emails": tuple(f"{name}@x.ru" for name in names)}

    agreed = Agreed(record("abcd")["emails"], record("cd")["emails"])
    found = decide(sync, {"emails": agreed}, RecordNow("1", record(left)), RecordNow("2", record(right)))
    told = {
        side: "".join(sorted(one[0] for one in values["emails"])) for side, values in found.values.items() if values
    }
    if rule == "newest" and (left, right) == ("zbcd", "ed"):
        assert told == {
            "right": "d"
        }  # both changed, and nobody knows who was later: the left one, as far as there is room
    else:
        assert told == {side: "".join(sorted(names)) for side, names in written.items()}


def test_a_stage_that_cannot_be_carried_leaves_the_one_that_the_crm_chose_until_somebody_moves_it() -> None:
    def account(*names: str) -> Account:
        stages = tuple(AccountStage(f"{n}", name, "7", "Sales") for n, name in enumerate(names))
        fields = (AccountField("title", "title"), AccountField("stage", "stage", type="stage"))
        return Account("crm", fields, stages=stages)

    text = b"object: deal\nmatch: []\nfields: {title: title, stage: stage}\n"
    ends = account("New", "Talks"), account("New", "Signed")
    sync = replace(people(), mapping=parse_record_mapping(text, "deal.yaml").bound(*ends))
    source = {"title": "A", "stage": "1", "pipeline": "7"}  # Talks
    made = draft(sync, "right", source)
    assert (made.values, [name for name, _ in made.problems]) == ({"title": "A"}, ["stage"])
    assert made.base["stage"].right == UNSEEN
    left, right = (
        RecordNow("1", source),
        RecordNow("2", {"title": "A", "stage": "0", "pipeline": "7"}),
    )  # New, by itself
    first = decide(sync, made.base, left, right)
    assert not first.writes
    moved = decide(sync, first.base, left, RecordNow("2", {**right.values, "stage": "1"}))  # Signed: not there either
    assert (moved.writes, [name for name, _ in moved.problems]) == (False, ["stage"])
    back = decide(sync, first.base, RecordNow("1", {**source, "stage": "0"}), right)
    assert not back.writes, "both are New now"
    forth = decide(sync, back.base, RecordNow("1", {**source, "stage": "0"}), right)
    assert not forth.writes
