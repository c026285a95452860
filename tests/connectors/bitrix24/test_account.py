"""Mode, source and stage: what is asked of the portal, and what happens when it does not tell."""

import logging

import pytest

from connectors.base import DealDraft
from connectors.errors import PermanentError, RetryableError
from tests.connectors.bitrix24.conftest import Portal


@pytest.mark.parametrize(
    ("source", "source_id"),
    [("Авито", "UC_AVITO1"), ("авито ", "UC_AVITO1"), ("CALLBACK", "CALLBACK"), ("site", "WEB"), ("", "WEB")],
)
async def test_a_source_is_taken_by_id_or_name(portal: Portal, source: str, source_id: str) -> None:
    made = await portal.open().create(DealDraft("l1:deal", "Окна", source=source))
    assert portal.sandbox.deals[made]["SOURCE_ID"] == source_id
    assert portal.sandbox.deals[made]["SOURCE_DESCRIPTION"] == (source or None)


async def test_without_the_list_of_sources_the_vendors_own_ids_still_count(portal: Portal) -> None:
    portal.sandbox.without.add("crm.status.list")
    client = portal.open()
    made = await client.create(DealDraft("l1:deal", "Окна", source="callback"))
    assert portal.sandbox.deals[made]["SOURCE_ID"] == "CALLBACK"


@pytest.mark.parametrize(("simple", "kind"), [(True, "deals"), (False, "leads")])
async def test_the_mode_decides_what_an_enquiry_becomes(portal: Portal, simple: bool, kind: str) -> None:
    portal.sandbox.crm.simple = simple
    made = await portal.open().create(DealDraft("l1:deal", "Окна", name="Иван"))
    assert made in getattr(portal.sandbox, kind)


async def test_a_portal_that_does_not_know_the_question_gets_deals(portal: Portal) -> None:
    portal.sandbox.crm.simple = False
    portal.sandbox.without.add("crm.settings.mode.get")
    client = portal.open()
    assert await client.create(DealDraft("l1:deal", "Окна")) in portal.sandbox.deals
    assert await client.create(DealDraft("l2:deal", "Окна")) in portal.sandbox.deals
    assert portal.methods().count("crm.settings.mode.get") == 1


async def test_a_moment_of_failure_does_not_change_what_an_enquiry_becomes(portal: Portal) -> None:
    portal.sandbox.crm.simple = False
    portal.fail("500", "crm.settings.mode.get")
    client = portal.open()
    with pytest.raises(RetryableError):
        await client.create(DealDraft("l1:deal", "Окна"))
    assert await client.create(DealDraft("l1:deal", "Окна")) in portal.sandbox.leads


async def test_an_unknown_stage_is_refused_before_anything_is_written(portal: Portal) -> None:
    """The vendor itself would put the deal into the first stage without a word."""
    with pytest.raises(PermanentError) as caught:
        await portal.open().create(DealDraft("l1:deal", "Окна", pipeline="5", stage="C5:NO_SUCH"))
    assert caught.value.fields == ("stage",)
    assert not portal.sandbox.deals


async def test_a_stage_is_read_back_once_while_it_holds(portal: Portal) -> None:
    client = portal.open()
    for number in range(3):
        made = await client.create(DealDraft(f"l{number}:deal", "Окна", pipeline="5", stage="C5:EXECUTING"))
        assert portal.sandbox.deals[made]["STAGE_ID"] == "C5:EXECUTING"
    assert portal.methods().count("crm.deal.get") == 1


async def test_a_stage_that_was_dropped_is_told_and_refused_from_then_on(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    client = portal.open()
    await client.metadata()
    for status in portal.sandbox.crm.statuses:
        if status["STATUS_ID"] == "C5:EXECUTING":
            status["STATUS_ID"] = "C5:RENAMED"
    draft = DealDraft("l1:deal", "Окна", pipeline="5", stage="C5:EXECUTING")
    with caplog.at_level(logging.WARNING):
        made = await client.create(draft)
    assert portal.sandbox.deals[made]["STAGE_ID"] == "C5:NEW"
    assert "record landed in another stage" in caplog.text
    with pytest.raises(PermanentError):
        await client.create(DealDraft("l2:deal", "Окна", pipeline="5", stage="C5:EXECUTING"))


async def test_a_field_made_mandatory_stops_no_second_try(portal: Portal) -> None:
    client = portal.open()
    portal.sandbox.crm.custom["deal"]["UF_CRM_BUDGET"] = {"USER_TYPE_ID": "string", "FIELD_NAME": "UF_CRM_BUDGET"}
    portal.sandbox.crm.mandatory.add("UF_CRM_BUDGET")
    with pytest.raises(PermanentError) as caught:
        await client.create(DealDraft("l1:deal", "Окна"))
    assert caught.value.fields == ("UF_CRM_BUDGET",)
    made = await client.create(DealDraft("l1:deal", "Окна"))
    assert portal.sandbox.deals[made]["UF_CRM_BUDGET"] == "-"


async def test_metadata_leaves_out_what_cannot_be_read(portal: Portal) -> None:
    portal.sandbox.without |= {"user.get", "crm.category.list"}
    metadata = await portal.open().metadata()
    assert metadata.known == {"pipelines", "fields"}
    assert [pipeline.id for pipeline in metadata.pipelines] == ["0", "5"]


async def test_metadata_tells_who_is_active_and_which_stages_are_closed(portal: Portal) -> None:
    for number in range(100, 190):
        row = {"ID": str(number), "ACTIVE": True, "NAME": "Имя", "LAST_NAME": str(number), "EMAIL": ""}
        portal.sandbox.users[str(number)] = row
    metadata = await portal.open().metadata()
    assert metadata.known == {"users", "pipelines", "fields"}
    assert len(metadata.users) == 94
    assert {user.name for user in metadata.users if not user.active} == {"Глеб Уволенный"}
    windows = next(pipeline for pipeline in metadata.pipelines if pipeline.name == "Окна")
    assert [stage.id for stage in windows.stages if stage.closed] == ["C5:WON", "C5:LOSE"]
    assert {field.id for field in metadata.fields["deal"] if field.read_only} >= {"ID", "DATE_CREATE"}


async def test_a_classic_portal_shows_its_lead_statuses_as_the_one_pipeline(portal: Portal) -> None:
    portal.sandbox.crm.simple = False
    stages = (await portal.open().metadata()).pipelines[0].stages
    assert [stage.id for stage in stages] == ["NEW", "IN_PROCESS", "PROCESSED", "CONVERTED", "JUNK"]
