"""An account as mappings know it, made of what a connector read."""

import pytest

from connectors.base import CrmUser, FieldInfo, Metadata, Pipeline, Stage
from connectors.registry import CONNECTORS
from jobs.accounts import account_of
from mappings.attributes import ATTRIBUTES, RecordObject
from mappings.records import load_record_mapping

METADATA = Metadata(
    users=(CrmUser("101", "Анна Петрова", "anna@example.ru"),),
    pipelines=(Pipeline("7", "Продажи", (Stage("142", "Успешно", closed=True, outcome="won"),), is_default=True),),
    fields={
        "contact": (
            FieldInfo("11", "Телефон", "PHONE", "multitext", kind="phone", several=True),
            FieldInfo("901", "Город", "", "text", max_chars=255),
        )
    },
    known=frozenset({"users", "pipelines", "fields"}),
)


def test_an_attribute_is_found_by_the_name_that_people_see_and_an_own_field_by_its_own() -> None:
    account = account_of(CONNECTORS["amocrm"], "sales", METADATA, "contact")
    phone, city = account.field("Телефон"), account.field("город")
    assert phone is not None
    assert (phone.key, phone.id, phone.several) == ("phones", "11", True)
    assert city is not None
    assert (city.key, city.max_chars) == ("901", 255)
    assert account.field("first_name") is not None
    assert account.title == 'amoCRM "sales"'
    assert [stage.outcome for stage in account.stages or ()] == ["won"]


def test_what_could_not_be_read_is_not_known_rather_than_empty() -> None:
    account = account_of(CONNECTORS["amocrm"], "sales", Metadata(), "contact")
    assert (account.fields, account.stages, account.users) == (None, None, None)


@pytest.mark.parametrize("name", ["amocrm", "bitrix24", "hubspot"])
def test_each_crm_names_its_attributes_by_the_shared_words(name: str) -> None:
    for about, fields in CONNECTORS[name].attributes.items():
        assert {one.key for one in fields} <= set(ATTRIBUTES[about])
        kinds = {one.key: (one.type, one.several) for one in fields if one.type != "enum"}
        assert kinds == {key: (ATTRIBUTES[about][key].type, ATTRIBUTES[about][key].several) for key in kinds}


@pytest.mark.parametrize("about", ["contact", "company", "deal"])
@pytest.mark.parametrize("pair", [("amocrm", "bitrix24"), ("amocrm", "hubspot"), ("bitrix24", "hubspot")])
def test_the_shipped_mapping_fits_fresh_accounts_of_both(pair: tuple[str, str], about: RecordObject) -> None:
    bare = Metadata(fields={"contact": (), "company": (), "deal": ()}, known=frozenset({"fields"}))
    sides = [account_of(CONNECTORS[name], name, bare, about) for name in pair]
    mapping = load_record_mapping(*pair, about).bound(*sides)
    assert mapping.pairs
    assert all(mapping.pair(name) for name in mapping.match)
