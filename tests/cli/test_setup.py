"""`leadhub setup`: the custom fields, shown first and then made."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.inside import inside
from tests.support.running_hub import RunningHub, running_hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), locale="en") as running:
        yield running


def missing(hub: RunningHub, connection: str) -> list[str]:
    ran = inside("setup", connection, "--json", folder=hub.folder)
    assert ran.status == 0, ran.err
    return [f"{one['kind']} {one['code']}" for one in json.loads(ran.out)["missing"]]


@pytest.mark.parametrize(
    ("connection", "code"),
    [("sales", "LEADHUB_SOURCE"), ("service", "UF_CRM_LEADHUB_SOURCE"), ("marketing", "leadhub_source")],
)
def test_fields_are_shown_then_made_and_then_there_is_nothing_to_do(
    hub: RunningHub, connection: str, code: str
) -> None:
    assert f"deal {code}" in missing(hub, connection)
    refused = inside("setup", connection, folder=hub.folder, stdin="n\n")
    assert refused.status == 1
    assert code in refused.out
    assert f"deal {code}" in missing(hub, connection), "asked for and not agreed to"
    made = inside("setup", connection, folder=hub.folder, stdin="y\n")
    assert made.status == 0, made.err
    assert "Made " in made.out
    assert missing(hub, connection) == []
    again = inside("setup", connection, "--yes", folder=hub.folder)
    assert (again.status, "has all of them" in again.out) == (0, True)


def test_without_somebody_to_ask_or_without_the_right_nothing_is_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_hub(tmp_path_factory.mktemp("hub"), locale="en") as hub:
        alone = inside("setup", "service", folder=hub.folder, stdin="")
        assert (alone.status, "--yes makes them without asking" in alone.out) == (1, True)
        assert "deal UF_CRM_LEADHUB_SOURCE" in missing(hub, "service"), "nobody was there to agree"
        hub.sandbox.layers["amocrm"].vendor.admin = False  # type: ignore[attr-defined]
        ran = inside("setup", "sales", "--yes", folder=hub.folder)
        assert ran.status == 1
        assert "LEADHUB_SOURCE" in ran.out, "what was to be made is shown: it can be made by hand"
        assert "may not make fields" in ran.err
        assert "administrator" in ran.err


SYNCS = """
syncs:
  contacts: {left: sales, right: marketing, object: contact, direction: both}
"""


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("hub")
    with running_hub(folder, locale="en", hub="  public_url: https://hub.example.com\n") as running:
        with (folder / "config.yaml").open("a", encoding="utf-8") as config:
            config.write(SYNCS)
        yield running


def test_webhooks_of_a_synced_crm_are_asked_for_and_then_there(synced: RunningHub) -> None:
    before = json.loads(inside("setup", "sales", "--json", folder=synced.folder).out)["webhooks"]
    assert before["address"] == "https://hub.example.com/hooks/sales"
    assert "update_contact" in before["missing"]
    made = inside("setup", "sales", "--yes", folder=synced.folder)
    assert made.status == 0, made.err
    assert "tells https://hub.example.com/hooks/sales" in made.out
    box = synced.sandbox.layers["amocrm"].vendor
    assert [*box.subscriptions.hooks] == ["https://hub.example.com/hooks/sales"]  # type: ignore[attr-defined]
    after = json.loads(inside("setup", "sales", "--json", folder=synced.folder).out)["webhooks"]
    assert after["missing"] == []


def test_where_a_crm_cannot_be_asked_it_is_said_what_to_click(synced: RunningHub) -> None:
    ran = inside("setup", "marketing", "--yes", folder=synced.folder)
    assert ran.status == 0, ran.err
    assert "Target URL" in ran.out
    assert "https://hub.example.com/hooks/marketing" in ran.out
    assert "contact.merge" in ran.out


def test_a_crm_that_no_sync_needs_is_not_asked_for_webhooks(synced: RunningHub) -> None:
    assert json.loads(inside("setup", "service", "--json", folder=synced.folder).out)["webhooks"] is None


def test_a_connection_that_is_not_there_is_not_set_up(hub: RunningHub) -> None:
    ran = inside("setup", "sale", folder=hub.folder)
    assert (ran.status, 'Did you mean "sales"?' in ran.err) == (2, True)
