"""Decisions about pairs that need no database."""

from jobs.config_syncs import SyncSettings
from jobs.sync.deciding import RecordNow, decide, draft, unchanged
from jobs.sync.model import End, Sync
from leads.clock import SystemClock
from leads.merge import UNSEEN, Agreed
from mappings.accounts import Account, AccountField, AccountUser
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
